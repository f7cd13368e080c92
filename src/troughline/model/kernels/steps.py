"""One step of time, by what the model is: exact exponentials, a linear integrator or a stiff solver.

These are the parts of the engine that are called by address. Propagators over steps that come again (a dose
every twelve hours) are kept, so that a long regimen costs a product a dose.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import cached_dphi, cached_phi, context, reserve
from troughline.model.kernels.exponential import apply_propagator, dense_propagator, propagate_linear
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.layout import matrix, vector
from troughline.model.kernels.stiff import propagate_stiff
from troughline.model.kernels.varying import propagate_varying


@kernel
def _forced(L: Any, W: Any, I: Any) -> bool:  # noqa: E741
    """Sum the inputs in force into RTOT, DRTOT; whether any is not zero."""
    q, n = I[at.Q], L[at.N]
    rate, drate = vector(W, I[at.RATE], n), matrix(W, I[at.DRATE], q, n)
    total, dtotal = vector(W, I[at.RTOT], n), matrix(W, I[at.DRTOT], q, n)
    u, du = vector(W, I[at.UVAL], n), matrix(W, I[at.DUVAL], q, n)
    forced = False
    for i in range(n):
        total[i] = rate[i] + u[i]
        forced = forced or total[i] != 0.0
        for j in range(q):
            dtotal[j, i] = drate[j, i] + du[j, i]
            forced = forced or dtotal[j, i] != 0.0
    return forced


@kernel
def _cached(L: Any, W: Any, I: Any, start: float, dt: float) -> int:  # noqa: E741
    """The place of the propagator over this step in the cache, −1 where there is none."""
    keys = matrix(W, I[at.CACHE_DT], at.CACHE_SIZE, 2)
    for k in range(I[at.CACHE_COUNT]):
        if abs(keys[k, 1] - dt) <= 1e-13 * dt and abs(keys[k, 0] - start) <= 1e-12:
            return k
    return -1


@kernel
def _seen(W: Any, I: Any, start: float, dt: float) -> bool:  # noqa: E741
    """Whether a step of this length was made before; remembers it."""
    seen = matrix(W, I[at.SEEN_DT], at.CACHE_SIZE, 2)
    for k in range(at.CACHE_SIZE):
        if abs(seen[k, 1] - dt) <= 1e-13 * dt and abs(seen[k, 0] - start) <= 1e-12:
            return True
    place = I[at.SEEN_NEXT] % at.CACHE_SIZE
    seen[place, 0] = start
    seen[place, 1] = dt
    I[at.SEEN_NEXT] = place + 1
    return False


@kernel
def step_linear(L: Any, W: Any, I: Any, dt: float) -> int:  # noqa: E741
    q, n, nnz = I[at.Q], L[at.N], L[at.NNZ]
    row, col = vector(L, L[at.A_ROW], nnz), vector(L, L[at.A_COL], nnz)
    val, dval = vector(W, I[at.VAL], nnz), matrix(W, I[at.DVAL], q, nnz)
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    scratch = W[I[at.SCRATCH] :]
    forced = _forced(L, W, I)
    if not forced:
        place = _cached(L, W, I, 0.0, dt)
        if place < 0 and _seen(W, I, 0.0, dt):
            place = reserve(W, I, 0.0, dt)
            phi, dphi = cached_phi(L, W, I, place), cached_dphi(L, W, I, place)
            status = dense_propagator(n, row, col, val, dval, q, dt, phi, dphi, scratch)
            if status != at.OK:
                return status
        if place >= 0:
            phi, dphi = cached_phi(L, W, I, place), cached_dphi(L, W, I, place)
            apply_propagator(n, q, phi, dphi, x, dx, scratch)
            return at.OK
    total, dtotal = vector(W, I[at.RTOT], n), matrix(W, I[at.DRTOT], q, n)
    return propagate_linear(n, row, col, val, dval, q, total, dtotal, dt, x, dx, scratch)


@kernel
def step_varying(L: Any, C: Any, FN: Any, theta: Any, W: Any, I: Any, dt: float) -> int:  # noqa: E741
    q, n = I[at.Q], L[at.N]
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    vector(W, I[at.UVAL], n)[:] = 0.0
    matrix(W, I[at.DUVAL], q, n)[:] = 0.0
    constant = False
    for s in vector(L, L[at.U_SLOT], n):
        constant = constant or (s >= 0 and I[at.HOMOGENEOUS] == 0)
    forced = _forced(L, W, I) or constant
    start = W[at.S_TAD]
    if not forced and L[at.RATES_USE_CLOCK] == 0:
        place = _cached(L, W, I, start, dt)
        if place < 0 and _seen(W, I, start, dt):
            place = reserve(W, I, start, dt)
            status = varying_propagator(
                L, C, FN, theta, W, I, dt, cached_phi(L, W, I, place), cached_dphi(L, W, I, place)
            )
            if status != at.OK:
                return status
        if place >= 0:
            phi, dphi = cached_phi(L, W, I, place), cached_dphi(L, W, I, place)
            apply_propagator(n, q, phi, dphi, x, dx, W[I[at.SCRATCH] :])
            return at.OK
    many = W[I[at.X] : I[at.X] + n].reshape((1, n))
    dmany = W[I[at.DX] : I[at.DX] + q * n].reshape((q, 1, n))
    total, dtotal = vector(W, I[at.RTOT], n), matrix(W, I[at.DRTOT], q, n)
    return _vary(L, C, FN, theta, W, I, dt, many, dmany, total, dtotal, constant)


@kernel
def varying_propagator(
    L: Any,
    C: Any,
    FN: Any,
    theta: Any,
    W: Any,
    I: Any,
    dt: float,
    phi: Any,
    dphi: Any,  # noqa: E741
) -> int:
    """phi (n, n) and its derivatives for a step from now, with no input."""
    q, n = I[at.Q], L[at.N]
    many, dmany = np.zeros((n, n)), np.zeros((q, n, n))
    for i in range(n):
        many[i, i] = 1.0
    total, dtotal = np.zeros(n), np.zeros((q, n))
    status = _vary(L, C, FN, theta, W, I, dt, many, dmany, total, dtotal, False)
    for i in range(n):
        for j in range(n):
            phi[i, j] = many[j, i]
            for k in range(q):
                dphi[k, i, j] = dmany[k, j, i]
    return status


@kernel
def _vary(
    L: Any, C: Any, FN: Any, theta: Any, W: Any, I: Any, dt: float, many: Any, dmany: Any,  # noqa: E741
    total: Any, dtotal: Any, constants: bool,
) -> int:  # fmt: skip
    n, nnz, ns, m = L[at.N], L[at.NNZ], L[at.N_SLOTS], L[at.M_SUBJECT] + L[at.M_OCCASION]
    q = I[at.Q]
    address, derivative = FN[at.F_COEFFICIENTS], FN[at.F_COEFFICIENTS_D]
    directions = _directions(L, I)
    return propagate_varying(
        n, vector(L, L[at.A_ROW], nnz), vector(L, L[at.A_COL], nnz), vector(L, L[at.A_SLOT], nnz),
        vector(C, L[at.C_A], nnz), vector(L, L[at.U_SLOT], n), vector(C, L[at.C_U], n), q, directions,
        address, derivative, theta, vector(W, I[at.COV], L[at.N_COVARIATES]), vector(W, I[at.ETA], m),
        vector(W, I[at.GATE_ON], L[at.N_GATES]), context(W, I), vector(W, I[at.P], ns),
        matrix(W, I[at.DP], m, ns), total, dtotal, constants, dt, many, dmany, I[at.MAX_STEPS],
        W[I[at.SCRATCH] :],
    )  # fmt: skip


@kernel
def _directions(L: Any, I: Any) -> Any:  # noqa: E741
    """The global direction of each local effect for the occasion in force."""
    ms, mo = L[at.M_SUBJECT], L[at.M_OCCASION]
    out = I[I[at.DIRECTIONS] : I[at.DIRECTIONS] + ms + mo]
    for k in range(ms):
        out[k] = k
    for k in range(mo):
        out[ms + k] = ms + I[at.OCCASION] * mo + k
    return out


@kernel
def step_stiff(L: Any, FN: Any, W: Any, I: Any, dt: float) -> int:  # noqa: E741
    q, n, ns = I[at.Q], L[at.N], L[at.N_SLOTS]
    return propagate_stiff(
        n, q, FN[at.F_RHS], FN[at.F_JACOBIAN], FN[at.F_RHS_D], FN[at.F_JACOBIAN_D], FN[at.F_TIME],
        FN[at.F_TIME_D], L[at.AUTONOMOUS], context(W, I), vector(W, I[at.P], ns),
        matrix(W, I[at.DPG], q, ns), vector(W, I[at.RATE], n), matrix(W, I[at.DRATE], q, n), W[at.S_T], dt,
        vector(W, I[at.X], n), matrix(W, I[at.DX], q, n), W[at.S_RTOL], W[at.S_ATOL], I[at.MAX_STEPS],
        W[at.S_STEP : at.S_STEP + 1], W[I[at.SCRATCH] :], I[I[at.ISCRATCH] :],
    )  # fmt: skip


@kernel
def linear_propagator(L: Any, W: Any, I: Any, dt: float, phi: Any, dphi: Any) -> int:  # noqa: E741
    """phi (n, n) and its derivatives over `dt` h of a system with constant rates."""
    n, q, nnz = L[at.N], I[at.Q], L[at.NNZ]
    return dense_propagator(
        n, vector(L, L[at.A_ROW], nnz), vector(L, L[at.A_COL], nnz), vector(W, I[at.VAL], nnz),
        matrix(W, I[at.DVAL], q, nnz), q, dt, phi, dphi, W[I[at.SCRATCH] :],
    )  # fmt: skip
