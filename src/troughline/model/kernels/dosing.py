"""Give a dose: how much, where, how late, how fast, as NONMEM's RATE, ALAG, F and D mean it."""

from __future__ import annotations

from typing import Any

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import refresh
from troughline.model.kernels.calls import call_part
from troughline.model.kernels.gates import dose_gates
from troughline.model.kernels.jit import inner
from troughline.model.kernels.pending import change_rate, dtime, dvalue, push
from troughline.model.kernels.views import clear, matrix, vector


@inner
def dose_context(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, amount: float, interval: float,  # noqa: E741
) -> None:  # fmt: skip
    """The dose in question becomes the one that expressions see, and the slots those at its moment."""
    W[at.S_DOSE] = amount
    W[at.S_INTERVAL] = interval
    W[at.S_TAD] = 0.0
    if I[at.FRESH] == at.CURRENT and (L[at.USES_CONTEXT] != 0 or L[at.KIND] == at.VARYING):
        I[at.FRESH] = at.CONTEXT_CHANGED
    if I[at.FRESH] != at.CURRENT:
        refresh(L, C, FN, theta, eta, W, I)


@inner
def begin_dose(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, amount: float, interval: float,  # noqa: E741
) -> int:  # fmt: skip
    """A dose begins now: time after dose, the gates that follow it, and the slots. Returns a status."""
    dose_context(L, C, FN, theta, eta, W, I, amount, interval)
    status = at.OK
    if L[at.HAS_DOSE_GATE] != 0:
        status = dose_gates(L, W, I)
        if I[at.FRESH] != at.CURRENT:
            refresh(L, C, FN, theta, eta, W, I)
    return status


@inner
def input_values(L: Any, W: Any, I: Any, place: int, amount: float, rate: float, modelled: bool) -> int:  # noqa: E741
    """One input's amount, rate, lag and duration for a dose, with derivatives, into IN_VALUES.

    IN_VALUES (4,): amount that enters, rate, lag, duration (0: all at once); DIN_VALUES (4, q). `place` −1:
    no input is declared, F = 1 and no lag. Returns a status.
    """
    q, ns = I[at.Q], L[at.N_SLOTS]
    p, dp = vector(W, I[at.P], ns), matrix(W, I[at.DPG], q, ns)
    v, dv = vector(W, I[at.IN_VALUES], 4), matrix(W, I[at.DIN_VALUES], 4, q)
    clear(W, I[at.IN_VALUES], at.IN_PARTS)
    clear(W, I[at.DIN_VALUES], at.IN_PARTS * q)
    slots = vector(L, L[at.INPUTS] + max(place, 0) * at.IN_SIZE, at.IN_SIZE)
    fraction_slot = slots[at.IN_F] if place >= 0 else -1
    lag_slot = slots[at.IN_LAG] if place >= 0 else -1
    duration_slot = slots[at.IN_DURATION] if place >= 0 else -1
    rate_slot = slots[at.IN_RATE] if place >= 0 else -1
    v[0] = amount
    if fraction_slot >= 0:
        v[0] = amount * p[fraction_slot]
        for j in range(q):
            dv[0, j] = amount * dp[j, fraction_slot]
    if lag_slot >= 0:
        v[2] = p[lag_slot]
        for j in range(q):
            dv[2, j] = dp[j, lag_slot]
    by_duration = rate == -2.0 or (modelled and rate == 0.0 and duration_slot >= 0)
    by_rate = rate == -1.0 or (modelled and rate == 0.0 and duration_slot < 0 and rate_slot >= 0)
    if (by_duration and duration_slot < 0) or (by_rate and rate_slot < 0):
        return at.UNSUPPORTED
    if by_duration:
        v[3] = p[duration_slot]
        if v[3] != 0.0:
            v[1] = v[0] / v[3]
            for j in range(q):
                dv[3, j] = dp[j, duration_slot]
                dv[1, j] = (dv[0, j] - v[1] * dv[3, j]) / v[3]
    elif by_rate or rate != 0.0:
        v[1] = p[rate_slot] if by_rate else rate
        if not v[1] > 0.0:
            return at.NEGATIVE
        v[3] = v[0] / v[1]
        for j in range(q):
            dv[1, j] = dp[j, rate_slot] if by_rate else 0.0
            dv[3, j] = (dv[0, j] - v[3] * dv[1, j]) / v[1]
    if not (v[2] < at.FOR_EVER and v[3] < at.FOR_EVER):
        return at.NOT_FINITE
    return at.OK if v[2] >= 0.0 and v[3] >= 0.0 else at.NEGATIVE


@inner
def enter(L: Any, W: Any, I: Any, state: int, start: float, stop: float, under_way: bool) -> int:  # noqa: E741
    """Let what IN_VALUES holds enter a state from `start` h to `stop` h after now. Returns a status.

    An infusion `under_way` has begun before now.
    """
    q, now = I[at.Q], W[at.S_T]
    v, dv = vector(W, I[at.IN_VALUES], 4), matrix(W, I[at.DIN_VALUES], 4, q)
    bolus = v[3] == 0.0
    if under_way:
        change_rate(L, W, I, state, v[1], dv[1])
    else:
        k = push(W, I, at.BOLUS if bolus else at.RATE_CHANGE, state, now + start, v[0] if bolus else v[1])
        if k < 0:
            return at.TOO_MANY_PENDING
        for j in range(q):
            dtime(W, I, k)[j] = dv[2, j]
            dvalue(W, I, k)[j] = dv[0, j] if bolus else dv[1, j]
    if not bolus:
        k = push(W, I, at.RATE_CHANGE, state, now + stop, -v[1])
        if k < 0:
            return at.TOO_MANY_PENDING
        for j in range(q):
            dtime(W, I, k)[j] = dv[2, j] + dv[3, j]
            dvalue(W, I, k)[j] = -dv[1, j]
    return at.OK


@inner
def n_entries(L: Any, state: int) -> int:
    """Through how many inputs a dose record enters: all of the model's (state −1) or one."""
    return L[at.N_INPUTS] if state < 0 else 1


@inner
def entry(L: Any, state: int, number: int) -> int:
    """The input that a dose record uses: the `number`-th (state −1) or the one of its state; −1: none."""
    if state < 0:
        return number
    for k in range(L[at.N_INPUTS]):
        if L[L[at.INPUTS] + k * at.IN_SIZE + at.IN_STATE] == state:
            return k
    return -1


@inner
def entered(L: Any, state: int, place: int) -> int:
    """The state that a dose record's input leads into."""
    return L[L[at.INPUTS] + place * at.IN_SIZE + at.IN_STATE] if state < 0 else state


@inner
def administer(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any,  # noqa: E741
    amount: float, rate: float, interval: float, state: int,
) -> int:  # fmt: skip
    """`give_dose`, by its address."""
    W[at.S_AMOUNT] = amount
    W[at.S_RATE] = rate
    W[at.S_EVERY] = interval
    W[at.S_STATE] = state
    return call_part(FN[at.F_GIVE], (L, C, FN, theta, eta, W, I), 0.0, 0.0)


@inner
def give_dose(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """Give the dose that the scalars S_AMOUNT, S_RATE, S_EVERY and S_STATE hold, now. Returns a status."""
    amount, rate, state = W[at.S_AMOUNT], W[at.S_RATE], int(W[at.S_STATE])
    status = begin_dose(L, C, FN, theta, eta, W, I, amount, W[at.S_EVERY])
    if status != at.OK:
        return status
    v = vector(W, I[at.IN_VALUES], 4)
    for number in range(n_entries(L, state)):
        place = entry(L, state, number)
        status = input_values(L, W, I, place, amount, rate, state < 0)
        if status != at.OK:
            return status
        status = enter(L, W, I, entered(L, state, place), v[2], v[2] + v[3], at.TO_COME)
        if status != at.OK:
            return status
    return at.OK
