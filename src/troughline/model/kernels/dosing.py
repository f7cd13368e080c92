"""Give a dose: how much, where, how late, how fast, as NONMEM's RATE, ALAG, F and D mean it."""

from __future__ import annotations

from typing import Any

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import refresh
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.layout import matrix, vector
from troughline.model.kernels.pending import change_rate, dose_gates, dtime, dvalue, push


@kernel
def dose_context(
    L: Any,
    C: Any,
    FN: Any,
    theta: Any,
    eta: Any,
    W: Any,
    I: Any,
    amount: float,
    interval: float,  # noqa: E741
) -> None:
    """The dose in question becomes the one that expressions see."""
    W[at.S_DOSE] = amount
    W[at.S_INTERVAL] = interval
    W[at.S_TAD] = 0.0
    if L[at.USES_CONTEXT] != 0 and I[at.FRESH] == at.CURRENT:
        I[at.FRESH] = at.CONTEXT_CHANGED
    if I[at.FRESH] != at.CURRENT:
        refresh(L, C, FN, theta, eta, W, I)


@kernel
def input_values(L: Any, W: Any, I: Any, place: int, amount: float, rate: float, modelled: bool) -> int:  # noqa: E741
    """One input's bolus amount or rate, lag and duration for a dose, with derivatives, into IN_VALUES.

    IN_VALUES (4,): amount that enters, rate (0: bolus), lag, duration; DIN_VALUES (4, q). `place` −1: no input
    is declared, F = 1 and no lag. Returns a status.
    """
    q, ns = I[at.Q], L[at.N_SLOTS]
    p, dp = vector(W, I[at.P], ns), matrix(W, I[at.DPG], q, ns)
    v, dv = vector(W, I[at.IN_VALUES], 4), matrix(W, I[at.DIN_VALUES], 4, q)
    v[:] = 0.0
    dv[:] = 0.0
    slots = vector(L, L[at.INPUTS] + max(place, 0) * at.IN_SIZE, at.IN_SIZE)
    v[0] = amount
    if place >= 0 and slots[at.IN_F] >= 0:
        v[0] = amount * p[slots[at.IN_F]]
        for j in range(q):
            dv[0, j] = amount * dp[j, slots[at.IN_F]]
    if place >= 0 and slots[at.IN_LAG] >= 0:
        v[2] = p[slots[at.IN_LAG]]
        for j in range(q):
            dv[2, j] = dp[j, slots[at.IN_LAG]]
    duration_slot = slots[at.IN_DURATION] if place >= 0 else -1
    rate_slot = slots[at.IN_RATE] if place >= 0 else -1
    by_duration = rate == -2.0 or (modelled and rate == 0.0 and duration_slot >= 0)
    by_rate = rate == -1.0 or (modelled and rate == 0.0 and duration_slot < 0 and rate_slot >= 0)
    if (by_duration and duration_slot < 0) or (by_rate and rate_slot < 0):
        return at.UNSUPPORTED
    if by_duration:
        v[3] = p[duration_slot]
        if v[3] > 0.0:
            v[1] = v[0] / v[3]
            for j in range(q):
                dv[3, j] = dp[j, duration_slot]
                dv[1, j] = (dv[0, j] - v[1] * dv[3, j]) / v[3]
    elif by_rate or rate > 0.0:
        v[1] = rate
        if by_rate:
            v[1] = p[rate_slot]
            for j in range(q):
                dv[1, j] = dp[j, rate_slot]
        v[3] = v[0] / v[1]
        for j in range(q):
            dv[3, j] = (dv[0, j] - v[3] * dv[1, j]) / v[1]
    return at.OK if v[2] >= 0.0 and v[3] >= 0.0 else at.NEGATIVE


@kernel
def give(L: Any, W: Any, I: Any, state: int, shift: float, running: bool) -> int:  # noqa: E741
    """Let what IN_VALUES holds enter a state, for a dose given `shift` h before now.

    The present dose has shift 0; doses of a steady state lie behind. With `running` a part that should have
    begun before now is under way; without, it is the present dose. Returns a status.
    """
    q = I[at.Q]
    v, dv = vector(W, I[at.IN_VALUES], 4), matrix(W, I[at.DIN_VALUES], 4, q)
    now = W[at.S_T]
    start = v[2] - shift
    if v[1] == 0.0:
        if start < 0.0:
            return at.OK
        k = push(W, I, at.BOLUS, state, now + start, v[0])
        if k < 0:
            return at.TOO_MANY_PENDING
        dtime(W, I, k)[:] = dv[2]
        dvalue(W, I, k)[:] = dv[0]
        return at.OK
    end = start + v[3]
    if end < 0.0 or (running and end == 0.0):
        return at.OK
    if start < 0.0:
        change_rate(L, W, I, state, v[1], dv[1])
    else:
        k = push(W, I, at.RATE_CHANGE, state, now + start, v[1])
        if k < 0:
            return at.TOO_MANY_PENDING
        dtime(W, I, k)[:] = dv[2]
        dvalue(W, I, k)[:] = dv[1]
    k = push(W, I, at.RATE_CHANGE, state, now + end, -v[1])
    if k < 0:
        return at.TOO_MANY_PENDING
    for j in range(q):
        dtime(W, I, k)[j] = dv[2, j] + dv[3, j]
        dvalue(W, I, k)[j] = -dv[1, j]
    return at.OK


@kernel
def n_entries(L: Any, state: int) -> int:
    """Through how many inputs a dose record enters: all of the model's (state −1) or one."""
    return L[at.N_INPUTS] if state < 0 else 1


@kernel
def entry(L: Any, state: int, number: int) -> int:
    """The input that a dose record uses: the `number`-th (state −1) or the one of its state; −1: none."""
    if state < 0:
        return number
    for k in range(L[at.N_INPUTS]):
        if L[L[at.INPUTS] + k * at.IN_SIZE + at.IN_STATE] == state:
            return k
    return -1


@kernel
def administer(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any,  # noqa: E741
    amount: float, rate: float, interval: float, state: int,
) -> int:  # fmt: skip
    """Give one dose now. Returns a status."""
    dose_context(L, C, FN, theta, eta, W, I, amount, interval)
    if L[at.HAS_DOSE_GATE] != 0:
        status = dose_gates(L, C, FN, theta, eta, W, I)
        if status != at.OK:
            return status
    for number in range(n_entries(L, state)):
        place = entry(L, state, number)
        target = L[L[at.INPUTS] + place * at.IN_SIZE + at.IN_STATE] if state < 0 else state
        status = input_values(L, W, I, place, amount, rate, state < 0)
        if status != at.OK:
            return status
        status = give(L, W, I, target, 0.0, False)
        if status != at.OK:
            return status
    return at.OK
