"""Steady state of a linear model: x* = (I − Φ)⁻¹ g.

Φ carries a state over one dosing interval, g is what the interval's own doses leave of nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import cached_dphi, cached_phi, engine_arrays, reserve
from troughline.model.kernels.calls import call_part
from troughline.model.kernels.dosing import dose_context
from troughline.model.kernels.exponential import solve_periodic, stationary
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.layout import matrix, vector
from troughline.model.kernels.pending import change_rate
from troughline.model.kernels.steady import cycles_in_period, finish, forget, keep, plan_period, play, restore


@kernel
def steady_linear(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """Put the state that endless dosing before now has led to in place of the state, or add it (SS = 2).

    The dose stands in the scalars S_AMOUNT, S_RATE, S_EVERY, S_STATE, S_ADD. Without `add` what was
    pending is forgotten. Returns a status.
    """
    n, q = L[at.N], I[at.Q]
    amount, rate, interval = W[at.S_AMOUNT], W[at.S_RATE], W[at.S_EVERY]
    state, add = int(W[at.S_STATE]), W[at.S_ADD] != 0.0
    kept, dkept = vector(W, I[at.X], n).copy(), matrix(W, I[at.DX], q, n).copy()
    if not add:
        forget(L, W, I)
    if interval <= 0.0:
        status = _constant_infusion(L, C, FN, theta, eta, W, I, rate, state)
    else:
        status = _linear(L, C, FN, theta, eta, W, I, amount, rate, interval, state)
    if status != at.OK:
        return status
    return finish(L, C, FN, theta, eta, W, I, amount, rate, interval, state, add, kept, dkept)


@kernel
def _constant_infusion(
    L: Any,
    C: Any,
    FN: Any,
    theta: Any,
    eta: Any,
    W: Any,
    I: Any,
    rate: float,
    state: int,  # noqa: E741
) -> int:
    """An infusion that has always been running and goes on."""
    n, q, nnz = L[at.N], I[at.Q], L[at.NNZ]
    dose_context(L, C, FN, theta, eta, W, I, 0.0, 0.0)
    if state < 0:
        state = L[L[at.INPUTS] + at.IN_STATE]
    change_rate(L, W, I, state, rate, np.zeros(q))
    if L[at.N_CORE] != n or L[at.HAS_CLOCK_GATE] != 0 or L[at.KIND] == at.VARYING:
        return at.UNSUPPORTED
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    rates = vector(W, I[at.RATE], n) + vector(W, I[at.UVAL], n)
    drates = matrix(W, I[at.DRATE], q, n) + matrix(W, I[at.DUVAL], q, n)
    return stationary(
        n, vector(L, L[at.A_ROW], nnz), vector(L, L[at.A_COL], nnz), vector(W, I[at.VAL], nnz),
        matrix(W, I[at.DVAL], q, nnz), q, rates, drates, x, dx, W[I[at.SCRATCH] :],
    )  # fmt: skip


@kernel
def _linear(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any,  # noqa: E741
    amount: float, rate: float, interval: float, state: int,
) -> int:  # fmt: skip
    n, q, core = L[at.N], I[at.Q], L[at.N_CORE]
    cycles = cycles_in_period(L, interval)
    if cycles == 0:
        return at.UNSUPPORTED
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    dose_context(L, C, FN, theta, eta, W, I, amount, interval)
    place = reserve(W, I, W[at.S_TAD], interval)
    phi, dphi = cached_phi(L, W, I, place), cached_dphi(L, W, I, place)
    if L[at.HAS_CLOCK_GATE] != 0 or L[at.HAS_DOSE_GATE] != 0 or cycles > 1:
        phi, dphi = np.zeros((n, n)), np.zeros((q, n, n))
        status = _gated_propagator(L, C, FN, theta, eta, W, I, amount, interval, cycles, phi, dphi)
    else:
        status = call_part(FN[at.F_PROPAGATOR], engine_arrays(L, C, FN, theta, W, I), interval, float(place))
    if status != at.OK:
        return status
    kept = keep(L, W, I)
    x[:] = 0.0
    dx[:] = 0.0
    forget(L, W, I)
    status = plan_period(L, C, FN, theta, eta, W, I, amount, rate, interval, state, cycles)
    if status == at.OK:
        status = play(L, C, FN, theta, eta, W, I, amount, interval, cycles)
    g, dg = x.copy(), dx.copy()
    restore(L, W, I, kept)
    dose_context(L, C, FN, theta, eta, W, I, amount, interval)
    if status != at.OK:
        return status
    lead, dlead = np.empty((core, core)), np.empty((q, core, core))
    dgc, dxc = np.empty((q, core)), np.empty((q, core))
    for i in range(core):
        for j in range(core):
            lead[i, j] = phi[i, j]
            for k in range(q):
                dlead[k, i, j] = dphi[k, i, j]
        for k in range(q):
            dgc[k, i] = dg[k, i]
    xc = np.empty(core)
    status = solve_periodic(core, q, lead, dlead, g[:core].copy(), dgc, xc, dxc, W[I[at.SCRATCH] :])
    for i in range(core):
        x[i] = xc[i]
        for k in range(q):
            dx[k, i] = dxc[k, i]
    return status


@kernel
def _gated_propagator(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any,  # noqa: E741
    amount: float, interval: float, cycles: int, phi: Any, dphi: Any,
) -> int:  # fmt: skip
    """Φ over a whole period through the gates: each column is carried as a state without inputs."""
    n, q = L[at.N], I[at.Q]
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    status = at.OK
    I[at.HOMOGENEOUS] = 1
    I[at.FRESH] = at.STALE
    for column in range(n):
        kept = keep(L, W, I)
        forget(L, W, I)
        x[:] = 0.0
        dx[:] = 0.0
        vector(W, I[at.UVAL], n)[:] = 0.0
        x[column] = 1.0
        status = play(L, C, FN, theta, eta, W, I, amount, interval, cycles)
        for i in range(n):
            phi[i, column] = x[i]
            for k in range(q):
                dphi[k, i, column] = dx[k, i]
        restore(L, W, I, kept)
        if status != at.OK:
            break
    I[at.HOMOGENEOUS] = 0
    I[at.FRESH] = at.STALE
    return status
