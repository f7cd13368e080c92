"""Steady state of a linear model: x* = (I − Φ)⁻¹ g.

Φ carries a state over one period of dosing, g is what the period's own doses leave of nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import cached_dphi, cached_phi, reserve
from troughline.model.kernels.calls import call_part
from troughline.model.kernels.dosing import dose_context, entered, entry, input_values, n_entries
from troughline.model.kernels.exponential import solve_periodic, stationary
from troughline.model.kernels.jit import inner
from troughline.model.kernels.steady import (
    constant_rate,
    cycles_in_period,
    finish,
    forget,
    keep,
    restore,
    trial,
)
from troughline.model.kernels.views import clear, matrix, vector


@inner
def steady_linear(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """Put the state that endless dosing before now has led to in place of the state, or add it (SS = 2).

    The dose stands in the scalars S_AMOUNT, S_RATE, S_EVERY, S_STATE, S_ADD. Without `add` what was
    pending is forgotten. Returns a status.
    """
    n, q, add = L[at.N], I[at.Q], W[at.S_ADD] != 0.0
    kept, dkept = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    if add or L[at.N_CORE] < n:
        kept, dkept = kept.copy(), dkept.copy()
    if not add:
        forget(L, W, I)
    if W[at.S_EVERY] > 0.0:
        status = _periodic(L, C, FN, theta, eta, W, I)
    else:
        status = call_part(FN[at.F_CONSTANT], (L, C, FN, theta, eta, W, I), 0.0, 0.0)
    return finish(L, C, FN, theta, eta, W, I, kept, dkept) if status == at.OK else status


@inner
def constant_linear(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """What an infusion leaves that has always been running and ends now, which is how NONMEM has it.

    The infusion stands in the scalars S_RATE and S_STATE. Returns a status.
    """
    state = int(W[at.S_STATE])
    n, q, nnz, core_nnz = L[at.N], I[at.Q], L[at.NNZ], L[at.NNZ_CORE]
    if L[at.HAS_CLOCK_GATE] != 0 or L[at.KIND] == at.VARYING or (state < 0 and L[at.N_INPUTS] == 0):
        return at.UNSUPPORTED
    dose_context(L, C, FN, theta, eta, W, I, W[at.S_AMOUNT], W[at.S_EVERY])
    target = L[L[at.INPUTS] + at.IN_STATE] if state < 0 else state
    drate = np.empty(q)
    steady = constant_rate(L, W, I, W[at.S_RATE], state, drate)
    if not steady > 0.0:
        return at.UNSUPPORTED
    rates, drates = vector(W, I[at.UVAL], n).copy(), matrix(W, I[at.DUVAL], q, n).copy()
    rates[target] += steady
    for j in range(q):
        drates[j, target] += drate[j]
    return stationary(
        L[at.N_CORE], vector(L, L[at.A_ROW], core_nnz), vector(L, L[at.A_COL], core_nnz),
        vector(W, I[at.VAL], core_nnz), matrix(W, I[at.DVAL], q, nnz), q, rates, drates,
        vector(W, I[at.X], n), matrix(W, I[at.DX], q, n), W[I[at.SCRATCH] :],
    )  # fmt: skip


@inner
def _periodic(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """The state that one period of dosing brings back to itself. Returns a status."""
    amount, interval = W[at.S_AMOUNT], W[at.S_EVERY]
    n, q = L[at.N], I[at.Q]
    cycles = cycles_in_period(L, interval)
    if cycles == 0:
        return at.UNSUPPORTED
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    if L[at.KIND] == at.LINEAR and L[at.N_GATES] == 0:
        status = _boluses(L, C, FN, theta, eta, W, I)
        if status >= 0:
            return status
    kept = keep(L, W, I)
    clear(W, I[at.X], n)
    clear(W, I[at.DX], q * n)
    status = trial(L, C, FN, theta, eta, W, I, cycles, at.PLANNED)
    g, dg = x.copy(), dx.copy()
    restore(L, W, I, kept)
    dose_context(L, C, FN, theta, eta, W, I, amount, interval)
    if status != at.OK:
        return status
    if L[at.HAS_CLOCK_GATE] != 0 or L[at.HAS_DOSE_GATE] != 0:
        phi, dphi = np.zeros((n, n)), np.zeros((q, n, n))
        status = _gated_propagator(L, C, FN, theta, eta, W, I, cycles, phi, dphi)
    else:
        place = reserve(W, I, W[at.S_TAD], interval)
        phi, dphi = cached_phi(L, W, I, place), cached_dphi(L, W, I, place)
        status = call_part(FN[at.F_PROPAGATOR], (L, C, FN, theta, W, I), interval, float(place))
        I[at.FRESH] = at.CONTEXT_CHANGED
    dose_context(L, C, FN, theta, eta, W, I, amount, interval)
    if status != at.OK:
        return status
    return solve_periodic(L[at.N_CORE], q, phi, dphi, g, dg, x, dx, W[I[at.SCRATCH] :])


@inner
def _boluses(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """`_periodic` where nothing enters but boluses without lag: without a trial, for what they leave is Φ b.

    Returns a status, or −1 where something else enters.
    """
    n, q, state = L[at.N], I[at.Q], int(W[at.S_STATE])
    amount, rate, interval = W[at.S_AMOUNT], W[at.S_RATE], W[at.S_EVERY]
    dose_context(L, C, FN, theta, eta, W, I, amount, interval)
    v, dv = vector(W, I[at.IN_VALUES], 4), matrix(W, I[at.DIN_VALUES], 4, q)
    if _any(W, I[at.UVAL], n) or _any(W, I[at.DUVAL], q * n):
        return -1
    for number in range(n_entries(L, state)):
        status = input_values(L, W, I, entry(L, state, number), amount, rate, state < 0)
        if status != at.OK or v[2] != 0.0 or v[3] != 0.0 or _any(W, I[at.DIN_VALUES] + 2 * q, 2 * q):
            return -1
    place = reserve(W, I, W[at.S_TAD], interval)
    phi, dphi = cached_phi(L, W, I, place), cached_dphi(L, W, I, place)
    status = call_part(FN[at.F_PROPAGATOR], (L, C, FN, theta, W, I), interval, float(place))
    if status != at.OK:
        return status
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    clear(W, I[at.X], n)
    clear(W, I[at.DX], q * n)
    for number in range(n_entries(L, state)):
        place = entry(L, state, number)
        target = entered(L, state, place)
        input_values(L, W, I, place, amount, rate, state < 0)
        for i in range(n):
            x[i] += phi[i, target] * v[0]
        for j in range(q):
            for i in range(n):
                dx[j, i] += dphi[j, i, target] * v[0] + phi[i, target] * dv[0, j]
    return solve_periodic(L[at.N_CORE], q, phi, dphi, x, dx, x, dx, W[I[at.SCRATCH] :])


@inner
def _any(w: Any, start: int, size: int) -> bool:
    """Whether any of `size` numbers from `start` is not zero."""
    for k in range(start, start + size):  # noqa: SIM110 (a generator would not compile)
        if w[k] != 0.0:
            return True
    return False


@inner
def _gated_propagator(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, cycles: int, phi: Any, dphi: Any,  # noqa: E741
) -> int:  # fmt: skip
    """Φ over a whole period through the gates: each column is carried as a state without inputs."""
    n, q = L[at.N], I[at.Q]
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    status = at.OK
    I[at.HOMOGENEOUS] = 1
    for column in range(L[at.N_CORE]):
        kept = keep(L, W, I)
        clear(W, I[at.X], n)
        clear(W, I[at.DX], q * n)
        x[column] = 1.0
        I[at.FRESH] = at.STALE
        status = trial(L, C, FN, theta, eta, W, I, cycles, at.NO_INPUT)
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
