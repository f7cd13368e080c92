"""One step of time, by what the model is: exact exponentials, a linear integrator or a stiff solver.

These are the parts of the engine that are called by address. Propagators over steps that come again (a dose
every twelve hours) are kept, so that a long regimen costs a product a dose.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import (
    cached_dphi,
    cached_phi,
    context,
    keep_rates,
    of_these_rates,
    reserve,
)
from troughline.model.kernels.calls import call_part
from troughline.model.kernels.exponential import apply_propagator, dense_propagator, propagate_linear
from troughline.model.kernels.jit import inner
from troughline.model.kernels.stiff import propagate_stiff
from troughline.model.kernels.varying import propagate_varying
from troughline.model.kernels.views import clear, cube, matrix, vector

_NOT_KEPT = -1


@inner
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


@inner
def _cached(L: Any, W: Any, I: Any, start: float, dt: float) -> int:  # noqa: E741
    """The place of the propagator over this step in the cache, −1 where there is none."""
    keys = matrix(W, I[at.CACHE_DT], at.CACHE_SIZE, 2)
    for k in range(I[at.CACHE_COUNT]):
        if abs(keys[k, 1] - dt) <= 1e-13 * dt and abs(keys[k, 0] - start) <= 1e-12:
            if L[at.KIND] != at.LINEAR or of_these_rates(L, W, I, k):
                return k
    return -1


@inner
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


@inner
def step_linear(L: Any, C: Any, FN: Any, theta: Any, W: Any, I: Any, dt: float) -> int:  # noqa: E741
    """Constant rates: by a kept propagator where nothing flows in, otherwise by the exponential's sum."""
    q, n, nnz = I[at.Q], L[at.N], L[at.NNZ]
    if not _forced(L, W, I):
        status = _by_kept(L, C, FN, theta, W, I, 0.0, dt)
        if status != _NOT_KEPT:
            return status
    return propagate_linear(
        n, vector(L, L[at.A_ROW], nnz), vector(L, L[at.A_COL], nnz), vector(W, I[at.VAL], nnz),
        matrix(W, I[at.DVAL], q, nnz), q, vector(W, I[at.RTOT], n), matrix(W, I[at.DRTOT], q, n), dt,
        vector(W, I[at.X], n), matrix(W, I[at.DX], q, n), W[I[at.SCRATCH] :],
    )  # fmt: skip


@inner
def step_varying(L: Any, C: Any, FN: Any, theta: Any, W: Any, I: Any, dt: float) -> int:  # noqa: E741
    """Rates that vary in time: by a kept propagator where these follow time after dose alone."""
    n = L[at.N]
    clear(W, I[at.UVAL], n)
    clear(W, I[at.DUVAL], I[at.Q] * n)
    if not (_forced(L, W, I) or _has_constants(L, I)) and L[at.RATES_USE_CLOCK] == 0:
        status = _by_kept(L, C, FN, theta, W, I, W[at.S_TAD], dt)
        if status != _NOT_KEPT:
            return status
    return call_part(FN[at.F_PROPAGATOR], (L, C, FN, theta, W, I), dt, -1.0)


@inner
def _has_constants(L: Any, I: Any) -> bool:  # noqa: E741
    """Whether the model itself feeds a state."""
    found = 0
    for s in vector(L, L[at.U_SLOT], L[at.N]):
        found += 1 if s >= 0 else 0
    return found > 0 and I[at.HOMOGENEOUS] == 0


@inner
def _by_kept(
    L: Any, C: Any, FN: Any, theta: Any, W: Any, I: Any, start: float, dt: float,  # noqa: E741
) -> int:  # fmt: skip
    """Step by a propagator: one that is kept, or a new one where a step like this was made before."""
    place = _cached(L, W, I, start, dt)
    if place < 0:
        if not _seen(W, I, start, dt):
            return _NOT_KEPT
        place = reserve(W, I, start, dt)
        if L[at.KIND] == at.LINEAR:
            keep_rates(L, W, I, place)
        status = call_part(FN[at.F_PROPAGATOR], (L, C, FN, theta, W, I), dt, float(place))
        if status != at.OK:
            return status
    q, n = I[at.Q], L[at.N]
    apply_propagator(
        n, q, cached_phi(L, W, I, place), cached_dphi(L, W, I, place), vector(W, I[at.X], n),
        matrix(W, I[at.DX], q, n), W[I[at.SCRATCH] :],
    )  # fmt: skip
    return at.OK


@inner
def linear_propagator(L: Any, W: Any, I: Any, dt: float, place: int) -> int:  # noqa: E741
    """Into the cache: Φ and its derivatives over `dt` h of a system with constant rates."""
    n, q, nnz = L[at.N], I[at.Q], L[at.NNZ]
    return dense_propagator(
        n, vector(L, L[at.A_ROW], nnz), vector(L, L[at.A_COL], nnz), vector(W, I[at.VAL], nnz),
        matrix(W, I[at.DVAL], q, nnz), q, dt, cached_phi(L, W, I, place), cached_dphi(L, W, I, place),
        W[I[at.SCRATCH] :],
    )  # fmt: skip


@inner
def varying_propagator(
    L: Any, C: Any, FN: Any, theta: Any, W: Any, I: Any, dt: float, place: int,  # noqa: E741
) -> int:  # fmt: skip
    """Into the cache: Φ and its derivatives over a step from now; or, with `place` −1, the step itself."""
    n, q = L[at.N], I[at.Q]
    states = n if place >= 0 else 1
    many, dmany = matrix(W, I[at.X], states, n), cube(W, I[at.DX], q, states, n)
    total, dtotal = vector(W, I[at.RTOT], n), matrix(W, I[at.DRTOT], q, n)
    if place >= 0:
        many, dmany = np.zeros((n, n)), np.zeros((q, n, n))
        clear(W, I[at.RTOT], n)
        clear(W, I[at.DRTOT], q * n)
        for i in range(n):
            many[i, i] = 1.0
    nnz, ns, m = L[at.NNZ], L[at.N_SLOTS], L[at.M_SUBJECT] + L[at.M_OCCASION]
    status = propagate_varying(
        n, vector(L, L[at.A_ROW], nnz), vector(L, L[at.A_COL], nnz), vector(L, L[at.A_SLOT], nnz),
        vector(C, L[at.C_A], nnz), vector(L, L[at.U_SLOT], n), vector(C, L[at.C_U], n), q, _directions(L, I),
        FN[at.F_COEFFICIENTS], FN[at.F_COEFFICIENTS_D], theta, vector(W, I[at.COV], L[at.N_COVARIATES]),
        vector(W, I[at.ETA], m), vector(W, I[at.GATE_ON], L[at.N_GATES]), context(W, I),
        vector(W, I[at.P], ns), matrix(W, I[at.DP], m, ns), total, dtotal, place < 0 and _has_constants(L, I),
        dt, many, dmany, I[at.MAX_STEPS], W[I[at.SCRATCH] :], max(1e-11, 1e-3 * W[at.S_RTOL]),
    )  # fmt: skip
    if place >= 0:
        phi, dphi = cached_phi(L, W, I, place), cached_dphi(L, W, I, place)
        for i in range(n):
            for j in range(n):
                phi[i, j] = many[j, i]
                for k in range(q):
                    dphi[k, i, j] = dmany[k, j, i]
    return status


@inner
def _directions(L: Any, I: Any) -> Any:  # noqa: E741
    """The global direction of each local effect for the occasion in force."""
    ms, mo = L[at.M_SUBJECT], L[at.M_OCCASION]
    out = I[I[at.DIRECTIONS] : I[at.DIRECTIONS] + ms + mo]
    for k in range(ms):
        out[k] = k
    for k in range(mo):
        out[ms + k] = ms + I[at.OCCASION] * mo + k
    return out


@inner
def step_stiff(L: Any, C: Any, FN: Any, W: Any, I: Any, dt: float) -> int:  # noqa: E741
    """A nonlinear system: by the stiff solver, at the run's tolerance."""
    q, n, ns = I[at.Q], L[at.N], L[at.N_SLOTS]
    atol, scale = vector(W, I[at.ATOL], n), vector(C, L[at.C_SCALE], n)
    for i in range(n):
        atol[i] = W[at.S_ATOL] * scale[i]
    return propagate_stiff(
        n, q, FN[at.F_RHS], FN[at.F_JACOBIAN], FN[at.F_RHS_D], FN[at.F_JACOBIAN_D], FN[at.F_TIME],
        FN[at.F_TIME_D], L[at.AUTONOMOUS], context(W, I), vector(W, I[at.P], ns),
        matrix(W, I[at.DPG], q, ns), vector(W, I[at.RATE], n), matrix(W, I[at.DRATE], q, n), W[at.S_T], dt,
        vector(W, I[at.X], n), matrix(W, I[at.DX], q, n), W[at.S_RTOL], atol, I[at.MAX_STEPS],
        W[at.S_STEP : at.S_STEP + 1], W[I[at.SCRATCH] :], I[I[at.ISCRATCH] :],
    )  # fmt: skip
