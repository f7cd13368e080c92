"""Steady state of a nonlinear model: Newton's method on the map P of one period of dosing.

x ← x + (I − P′)⁻¹ (P(x) − x), with P′ from the solver's exact tangents, after a few periods from nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import context
from troughline.model.kernels.calls import call_part
from troughline.model.kernels.dense import lu_factor, lu_solve
from troughline.model.kernels.dosing import dose_context
from troughline.model.kernels.jit import inner
from troughline.model.kernels.stationary import stationary_state
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

NEWTON_STEPS, NOISY_STEPS = 40, 8
FIRST_PERIODS = 4
_SHARPER = 0.1
"""The tolerance of a period in units of the run's: what a period misses adds up over those before it."""
_LARGEST = 1e12
"""In doses; beyond it amounts are taken to grow without end."""


@inner
def steady_nonlinear(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """Put the state that endless dosing before now has led to in place of the state, or add it (SS = 2).

    The dose stands in the scalars S_AMOUNT, S_RATE, S_EVERY, S_STATE, S_ADD. Without `add` what was
    pending is forgotten. Returns a status.
    """
    n, q, add = L[at.N], I[at.Q], W[at.S_ADD] != 0.0
    kept, dkept = vector(W, I[at.X], n).copy(), matrix(W, I[at.DX], q, n).copy()
    if not add:
        forget(L, W, I)
    if W[at.S_EVERY] > 0.0:
        status = _periodic(L, C, FN, theta, eta, W, I)
    else:
        status = call_part(FN[at.F_CONSTANT], (L, C, FN, theta, eta, W, I), 0.0, 0.0)
    W[at.S_STEP] = 0.0
    return finish(L, C, FN, theta, eta, W, I, kept, dkept) if status == at.OK else status


@inner
def constant_nonlinear(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """What an infusion leaves that has always been running and ends now, which is how NONMEM has it.

    The infusion stands in the scalars S_RATE and S_STATE. Returns a status.
    """
    state = int(W[at.S_STATE])
    n, q, ns = L[at.N], I[at.Q], L[at.N_SLOTS]
    if L[at.HAS_CLOCK_GATE] != 0 or L[at.AUTONOMOUS] == 0 or (state < 0 and L[at.N_INPUTS] == 0):
        return at.UNSUPPORTED
    dose_context(L, C, FN, theta, eta, W, I, W[at.S_AMOUNT], W[at.S_EVERY])
    target = L[L[at.INPUTS] + at.IN_STATE] if state < 0 else state
    drate = np.empty(q)
    steady = constant_rate(L, W, I, W[at.S_RATE], state, drate)
    if not steady > 0.0:
        return at.UNSUPPORTED
    rates, drates = np.zeros(n), np.zeros((q, n))
    rates[target] = steady
    for j in range(q):
        drates[j, target] = drate[j]
    clear(W, I[at.X], n)
    return stationary_state(
        n, q, FN[at.F_RHS], FN[at.F_JACOBIAN], FN[at.F_RHS_D], context(W, I), vector(W, I[at.P], ns),
        matrix(W, I[at.DPG], q, ns), rates, drates, vector(W, I[at.X], n), matrix(W, I[at.DX], q, n), 1e-11,
        1e-14, 200, W[I[at.SCRATCH] :], I[I[at.ISCRATCH] :], at.NON_NEGATIVE,
        L[at.N_CORE],
    )  # fmt: skip


@inner
def _periodic(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """The state that one period of dosing brings back to itself. Returns a status."""
    amount, interval = W[at.S_AMOUNT], W[at.S_EVERY]
    n, q, core = L[at.N], I[at.Q], L[at.N_CORE]
    cycles = cycles_in_period(L, interval)
    if cycles == 0:
        return at.UNSUPPORTED
    guess, image, slope, seeds = np.zeros(n), np.zeros(n), np.zeros((n, n)), np.zeros((q, n))
    system, pivots, move = np.zeros((core, core)), np.zeros(n, dtype=np.int64), np.zeros(core)
    tolerance = max(1e-11, 0.1 * W[at.S_RTOL])
    converged = False
    for step in range(FIRST_PERIODS + NEWTON_STEPS):
        newton = step >= FIRST_PERIODS
        status = _period(
            L, C, FN, theta, eta, W, I, cycles, guess, n if newton else 0, image, slope,
        )  # fmt: skip
        if status != at.OK:
            return status
        if not newton:
            guess[:core] = image[:core]
            continue
        if _step_back(core, slope, system, pivots) != at.OK:
            return at.NO_STEADY_STATE
        for i in range(core):
            move[i] = image[i] - guess[i]
        lu_solve(core, system, pivots, move)
        miss = _improve(L, C, core, move, guess, tolerance, W[at.S_ATOL])
        if not miss < np.inf or np.max(np.abs(guess)) > _LARGEST * (abs(amount) + 1.0):
            return at.NO_STEADY_STATE
        # What the solver's choice of steps adds to P cannot be iterated away.
        if miss <= 1.0 or (step >= FIRST_PERIODS + NOISY_STEPS and miss <= 10.0):
            converged = True
            break
    if not converged:
        return at.NO_STEADY_STATE
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    if q > 0:
        status = _period(L, C, FN, theta, eta, W, I, cycles, guess, at.NONE, image, seeds)
        if status != at.OK:
            return status
        for j in range(q):
            lu_solve(core, system, pivots, seeds[j])
            for i in range(core):
                dx[j, i] = seeds[j, i]
    for i in range(core):
        x[i] = guess[i]
    return at.OK


@inner
def _step_back(core: int, slope: Any, system: Any, pivots: Any) -> int:
    """system ← the factors of I − P′; slope[j, i] = ∂P_i/∂x_j."""
    for i in range(core):
        for j in range(core):
            system[i, j] = (1.0 if i == j else 0.0) - slope[j, i]
    return lu_factor(core, system, pivots)


@inner
def _improve(
    L: Any, C: Any, core: int, move: Any, guess: Any, rtol: float, atol: float,
) -> float:  # fmt: skip
    """guess ← guess + move, cut where an amount would change its sign.

    Returns the largest move in units of rtol·|amount| + atol of the state's own unit.
    """
    scale = vector(C, L[at.C_SCALE], core)
    miss = 0.0
    for i in range(core):
        new = guess[i] + move[i]
        allowed = rtol * abs(new) + atol * scale[i]
        if guess[i] > allowed and new < 0.0:
            # Saturable elimination has roots at negative amounts, which no dosing leads to.
            new = 0.1 * guess[i]
            miss = max(miss, 100.0)
        ratio = abs(move[i]) / allowed
        if ratio > miss or ratio != ratio:
            miss = ratio
        guess[i] = new
    return miss


@inner
def _period(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any,  # noqa: E741
    cycles: int, guess: Any, directions: int, image: Any, slope: Any,
) -> int:  # fmt: skip
    """One period from `guess`: its `image`, and `slope` by the state (directions = n) or effects (−1)."""
    n, q = L[at.N], I[at.Q]
    kept = keep(L, W, I)
    by_state = directions >= 0
    forget(L, W, I)
    if by_state:
        I[at.Q] = directions
        I[at.SEEDING] = 1
        # Switches of clock gates stay pending; their derivatives are by the effects.
        clear(W, I[at.P_DTIME], I[at.P_COUNT] * directions)
        clear(W, I[at.P_DVALUE], I[at.P_COUNT] * directions)
        clear(W, I[at.DRATE], directions * n)
    I[at.FRESH] = at.STALE
    W[at.S_STEP] = 0.0
    W[at.S_RTOL] *= _SHARPER
    W[at.S_ATOL] *= _SHARPER
    rows = I[at.Q]
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], rows, n)
    clear(W, I[at.DX], rows * n)
    for i in range(n):
        x[i] = guess[i]
        if by_state and directions > 0:
            dx[i, i] = 1.0
    status = trial(L, C, FN, theta, eta, W, I, cycles, at.PLANNED)
    for i in range(n):
        image[i] = x[i]
        if directions != 0:
            for j in range(rows):
                slope[j, i] = dx[j, i]
    I[at.Q] = q
    I[at.SEEDING] = 0
    restore(L, W, I, kept)
    I[at.FRESH] = at.STALE
    dose_context(L, C, FN, theta, eta, W, I, W[at.S_AMOUNT], W[at.S_EVERY])
    return status
