"""Steady state of a nonlinear model: Newton's method on the dosing-interval map."""

from __future__ import annotations

from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import context
from troughline.model.kernels.dense import lu_factor, lu_solve
from troughline.model.kernels.dosing import dose_context
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.layout import matrix, vector
from troughline.model.kernels.pending import change_rate
from troughline.model.kernels.stationary import stationary_state
from troughline.model.kernels.steady import cycles_in_period, finish, forget, keep, plan_period, play, restore

NEWTON_STEPS = 40
FIRST_CYCLES = 4


@kernel
def steady_nonlinear(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
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
        status = _nonlinear(L, C, FN, theta, eta, W, I, amount, rate, interval, state)
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
    n, q, ns = L[at.N], I[at.Q], L[at.N_SLOTS]
    dose_context(L, C, FN, theta, eta, W, I, 0.0, 0.0)
    if state < 0:
        state = L[L[at.INPUTS] + at.IN_STATE]
    change_rate(L, W, I, state, rate, np.zeros(q))
    if L[at.N_CORE] != n or L[at.HAS_CLOCK_GATE] != 0 or L[at.KIND] == at.VARYING:
        return at.UNSUPPORTED
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    return stationary_state(
        n, q, FN[at.F_RHS], FN[at.F_JACOBIAN], FN[at.F_RHS_D], context(W, I), vector(W, I[at.P], ns),
        matrix(W, I[at.DPG], q, ns), vector(W, I[at.RATE], n), matrix(W, I[at.DRATE], q, n), x, dx, 1e-11,
        1e-14, 200, W[I[at.SCRATCH] :], I[I[at.ISCRATCH] :],
    )  # fmt: skip


@kernel
def _nonlinear(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any,  # noqa: E741
    amount: float, rate: float, interval: float, state: int,
) -> int:  # fmt: skip
    """Newton's method on the dosing-interval map P: x ← x − (I − P′)⁻¹ (x − P(x)), after a few cycles."""
    n, q, core = L[at.N], I[at.Q], L[at.N_CORE]
    cycles = cycles_in_period(L, interval)
    if cycles == 0:
        return at.UNSUPPORTED
    guess = np.zeros(n)
    pivots = np.zeros(n, dtype=np.int64)
    image, slope = np.zeros(n), np.zeros((n, n))
    status = at.OK
    for step in range(FIRST_CYCLES):
        status = _map(
            L, C, FN, theta, eta, W, I, amount, rate, interval, state, cycles, guess, 0, image, slope
        )
        if status != at.OK:
            return status
        guess[:core] = image[:core]
    converged = False
    for step in range(NEWTON_STEPS):
        status = _map(
            L, C, FN, theta, eta, W, I, amount, rate, interval, state, cycles, guess, n, image, slope
        )
        if status != at.OK:
            return status
        system = np.empty((core, core))
        miss = np.empty(core)
        scale, worst = 0.0, 0.0
        for i in range(core):
            miss[i] = image[i] - guess[i]
            scale = max(scale, abs(image[i]))
            for j in range(core):
                system[i, j] = (1.0 if i == j else 0.0) - slope[j, i]
        for i in range(core):
            worst = max(worst, abs(miss[i]))
        if worst <= 1e-10 * scale:
            converged = True
            break
        if lu_factor(core, system, pivots) != at.OK:
            return at.NO_STEADY_STATE
        move = miss.copy()
        lu_solve(core, system, pivots, move)
        share = 1.0
        for i in range(core):
            while guess[i] + share * move[i] < 0.0 and share > 1e-3 and guess[i] >= 0.0:
                share *= 0.5
        for i in range(core):
            guess[i] += share * move[i]
            if not np.isfinite(guess[i]) or abs(guess[i]) > 1e12 * (abs(amount) + 1.0):
                return at.NO_STEADY_STATE
    if not converged:
        return at.NO_STEADY_STATE
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    if q > 0:
        system = np.empty((core, core))
        for i in range(core):
            for j in range(core):
                system[i, j] = (1.0 if i == j else 0.0) - slope[j, i]
        seeds = np.zeros((q, n))
        status = _map(
            L, C, FN, theta, eta, W, I, amount, rate, interval, state, cycles, guess, -1, image, seeds
        )
        if lu_factor(core, system, pivots) != at.OK:
            return at.NO_STEADY_STATE
        for j in range(q):
            move = seeds[j, :core].copy()
            lu_solve(core, system, pivots, move)
            dx[j, :core] = move
    x[:] = guess
    return status


@kernel
def _map(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any,  # noqa: E741
    amount: float, rate: float, interval: float, state: int, cycles: int,
    guess: Any, directions: int, image: Any, slope: Any,
) -> int:  # fmt: skip
    """One period from `guess`: its `image`, and `slope` by the state (directions = n) or effects (−1)."""
    n, q = L[at.N], I[at.Q]
    kept = keep(L, W, I)
    if directions >= 0:
        I[at.Q] = directions
        I[at.SEEDING] = 1
        kept_rows = directions
    else:
        kept_rows = q
    forget(L, W, I)
    I[at.P_COUNT] = min(I[at.P_COUNT], at.CAPACITY)
    I[at.FRESH] = at.STALE
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], kept_rows, n)
    x[:] = guess
    dx[:] = 0.0
    if directions > 0:
        for i in range(n):
            dx[i, i] = 1.0
    dose_context(L, C, FN, theta, eta, W, I, amount, interval)
    status = plan_period(L, C, FN, theta, eta, W, I, amount, rate, interval, state, cycles)
    if status == at.OK:
        status = play(L, C, FN, theta, eta, W, I, amount, interval, cycles)
    image[:] = x
    if directions != 0:
        slope[:] = dx
    I[at.Q] = q
    I[at.SEEDING] = 0
    restore(L, W, I, kept)
    I[at.FRESH] = at.STALE
    dose_context(L, C, FN, theta, eta, W, I, amount, interval)
    return status
