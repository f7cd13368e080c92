"""What every search for a steady state shares: the plan of one dosing interval, played as a trial.

Doses that have been given and are still on their way, or still running, at the moment of the record are put
among the pending events, so that lags and durations longer than the interval are right.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.calls import call_part
from troughline.model.kernels.dosing import (
    begin_dose,
    dose_context,
    enter,
    entered,
    entry,
    input_values,
    n_entries,
)
from troughline.model.kernels.gates import shut_gate
from troughline.model.kernels.jit import inner
from troughline.model.kernels.pending import change_rate, drop, dtime, dvalue, is_switch, pass_time, push
from troughline.model.kernels.views import clear, copy, matrix, vector

MOST_CYCLES = 64
_SAME = 1e-9
"""What is left of dividing a time by an interval that is a whole number but for rounding."""


@inner
def forget(L: Any, W: Any, I: Any) -> None:  # noqa: E741
    """Nothing flows in, gates that follow a dose are shut, only the switches of clock gates are pending."""
    clear(W, I[at.RATE], L[at.N])
    clear(W, I[at.DRATE], I[at.Q] * L[at.N])
    k = I[at.P_COUNT]
    while k > 0:
        k -= 1
        if not (is_switch(I, k) and W[I[at.P_VALUE] + k] == at.DAILY):
            drop(W, I, k)
    for g in range(L[at.N_GATES]):
        if L[L[at.GATES] + g * at.GATE_SIZE + at.GATE_KIND] == 0:
            shut_gate(W, I, g)


@inner
def cycles_in_period(L: Any, interval: float) -> int:
    """How many dosing intervals make one period; 0 where there is none.

    Clock gates repeat each 24 h. Where rates follow the time since the start, nothing repeats.
    """
    if L[at.RATES_USE_TIME] != 0:
        return 0
    if L[at.HAS_CLOCK_GATE] == 0:
        return 1
    for cycles in range(1, MOST_CYCLES + 1):
        days = cycles * interval / at.DAILY
        if days > 0.5 and abs(days - round(days)) < _SAME * days:
            return cycles
    return 0


@inner
def begun_before(hours: float, interval: float) -> int:
    """How many whole intervals fit into a lag or a duration, at most one more than there is room for."""
    return int(min(math.floor(hours / interval + 1e-12), at.CAPACITY + 1.0))


@inner
def plan_period(
    L: Any, W: Any, I: Any,  # noqa: E741
    amount: float, rate: float, interval: float, state: int, cycles: int,
) -> int:  # fmt: skip
    """Put one period's periodic inputs among the pending events and the rates that run as it begins.

    The slots must be current. What a dose gives arrives, or begins and ends, as many whole intervals later as
    its lag and duration hold: that of an earlier dose. Returns a status.
    """
    q, start = I[at.Q], W[at.S_T]
    v, dv = vector(W, I[at.IN_VALUES], 4), matrix(W, I[at.DIN_VALUES], 4, q)
    for number in range(n_entries(L, state)):
        place = entry(L, state, number)
        target = entered(L, state, place)
        status = input_values(L, W, I, place, amount, rate, state < 0)
        if status != at.OK:
            return status
        bolus = v[3] == 0.0
        before, ended = begun_before(v[2], interval), begun_before(v[2] + v[3], interval)
        if ended > at.CAPACITY:
            return at.TOO_MANY_PENDING
        arrives, stops = max(v[2] - before * interval, 0.0), max(v[2] + v[3] - ended * interval, 0.0)
        for _ in range(0 if bolus else ended - before):
            change_rate(L, W, I, target, v[1], dv[1])
        for cycle in range(cycles):
            base = start + cycle * interval
            kind, size = (at.BOLUS, v[0]) if bolus else (at.RATE_CHANGE, v[1])
            k = push(W, I, kind, target, base + arrives, size)
            if k < 0:
                return at.TOO_MANY_PENDING
            for j in range(q):
                dtime(W, I, k)[j] = dv[2, j]
                dvalue(W, I, k)[j] = dv[0, j] if bolus else dv[1, j]
            if bolus:
                continue
            k = push(W, I, at.RATE_CHANGE, target, base + stops, -v[1])
            if k < 0:
                return at.TOO_MANY_PENDING
            for j in range(q):
                dtime(W, I, k)[j] = dv[2, j] + dv[3, j]
                dvalue(W, I, k)[j] = -dv[1, j]
    return at.OK


@inner
def play(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any,  # noqa: E741
    amount: float, interval: float, cycles: int,
) -> int:  # fmt: skip
    """Run the planned period from now; time after dose and the gates begin anew with every dose."""
    start = W[at.S_T]
    for cycle in range(cycles):
        status = begin_dose(L, C, FN, theta, eta, W, I, amount, interval)
        if status != at.OK:
            return status
        status = pass_time(L, C, FN, theta, eta, W, I, start + (cycle + 1) * interval, at.EXCLUSIVE)
        if status != at.OK:
            return status
    return at.OK


@inner
def trial(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, cycles: int, planned: bool,  # noqa: E741
) -> int:  # fmt: skip
    """`run_period`, by its address."""
    return call_part(FN[at.F_TRIAL], (L, C, FN, theta, eta, W, I), float(cycles), 1.0 if planned else 0.0)


@inner
def run_period(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, cycles: int, planned: bool,  # noqa: E741
) -> int:  # fmt: skip
    """Run one period from the state as it stands, with its doses or (not `planned`) without any input.

    The dose stands in the scalars S_AMOUNT, S_RATE, S_EVERY and S_STATE. The caller keeps and restores what
    the trial changes. Returns a status.
    """
    amount, interval = W[at.S_AMOUNT], W[at.S_EVERY]
    forget(L, W, I)
    dose_context(L, C, FN, theta, eta, W, I, amount, interval)
    if planned:
        status = plan_period(L, W, I, amount, W[at.S_RATE], interval, int(W[at.S_STATE]), cycles)
        if status != at.OK:
            return status
    return play(L, C, FN, theta, eta, W, I, amount, interval, cycles)


@inner
def keep(L: Any, W: Any, I: Any) -> Any:  # noqa: E741
    """A copy of the state that a trial run changes: scalars, states, rates, pending events, gates."""
    n, q, count = L[at.N], I[at.Q], I[at.P_COUNT]
    floats = np.empty(at.W_SCALARS + 2 * (n + q * n) + count * (2 + 2 * q) + 2 * L[at.N_GATES])
    ints = np.empty(count * 4 + 1, dtype=np.int64)
    ints[0] = count
    place = copy(W, at.S_T, floats, at.S_T, at.W_SCALARS)
    place = copy(W, I[at.X], floats, place, n)
    place = copy(W, I[at.DX], floats, place, q * n)
    place = copy(W, I[at.RATE], floats, place, n)
    place = copy(W, I[at.DRATE], floats, place, q * n)
    place = copy(W, I[at.P_TIME], floats, place, count)
    place = copy(W, I[at.P_VALUE], floats, place, count)
    place = copy(W, I[at.P_DTIME], floats, place, count * q)
    place = copy(W, I[at.P_DVALUE], floats, place, count * q)
    place = copy(W, I[at.GATE_ON], floats, place, L[at.N_GATES])
    copy(W, I[at.GATE_OPEN], floats, place, L[at.N_GATES])
    for k in range(count):
        ints[1 + 4 * k] = I[I[at.P_KIND] + k]
        ints[2 + 4 * k] = I[I[at.P_STATE] + k]
        ints[3 + 4 * k] = I[I[at.P_RECORD] + k]
        ints[4 + 4 * k] = I[I[at.P_LEFT] + k]
    return floats, ints


@inner
def restore(L: Any, W: Any, I: Any, kept: Any) -> None:  # noqa: E741
    """Put back what `keep` copied; the slots are to be evaluated again."""
    floats, ints = kept
    n, q, count = L[at.N], I[at.Q], ints[0]
    I[at.P_COUNT] = count
    place = at.W_SCALARS
    copy(floats, at.S_T, W, at.S_T, at.W_SCALARS)
    copy(floats, place, W, I[at.X], n)
    place += n
    copy(floats, place, W, I[at.DX], q * n)
    place += q * n
    copy(floats, place, W, I[at.RATE], n)
    place += n
    copy(floats, place, W, I[at.DRATE], q * n)
    place += q * n
    copy(floats, place, W, I[at.P_TIME], count)
    place += count
    copy(floats, place, W, I[at.P_VALUE], count)
    place += count
    copy(floats, place, W, I[at.P_DTIME], count * q)
    place += count * q
    copy(floats, place, W, I[at.P_DVALUE], count * q)
    place += count * q
    copy(floats, place, W, I[at.GATE_ON], L[at.N_GATES])
    copy(floats, place + L[at.N_GATES], W, I[at.GATE_OPEN], L[at.N_GATES])
    for k in range(count):
        I[I[at.P_KIND] + k] = ints[1 + 4 * k]
        I[I[at.P_STATE] + k] = ints[2 + 4 * k]
        I[I[at.P_RECORD] + k] = ints[3 + 4 * k]
        I[I[at.P_LEFT] + k] = ints[4 + 4 * k]
    if L[at.N_GATES] > 0:
        I[at.FRESH] = at.STALE
    elif I[at.FRESH] == at.CURRENT:
        I[at.FRESH] = at.CONTEXT_CHANGED


@inner
def still_under_way(L: Any, W: Any, I: Any) -> int:  # noqa: E741
    """Earlier doses that are still lagging or still running at the moment of the record.

    The dose stands in the scalars S_AMOUNT, S_RATE, S_EVERY and S_STATE; the slots must be current. Returns
    a status.
    """
    amount, rate, interval, state = W[at.S_AMOUNT], W[at.S_RATE], W[at.S_EVERY], int(W[at.S_STATE])
    v = vector(W, I[at.IN_VALUES], 4)
    for number in range(n_entries(L, state)):
        place = entry(L, state, number)
        status = input_values(L, W, I, place, amount, rate, state < 0)
        if status != at.OK:
            return status
        before, ended = begun_before(v[2], interval), begun_before(v[2] + v[3], interval)
        for k in range(ended, 0, -1):
            starts, stops = v[2] - k * interval, v[2] + v[3] - k * interval
            status = enter(L, W, I, entered(L, state, place), max(starts, 0.0), max(stops, 0.0), k > before)
            if status != at.OK:
                return status
    return at.OK


@inner
def finish(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, kept: Any, dkept: Any,  # noqa: E741
) -> int:  # fmt: skip
    """Areas go on; with SS = 2 what was there is added; earlier doses go on. Returns a status."""
    n, q, core, add = L[at.N], I[at.Q], L[at.N_CORE], W[at.S_ADD] != 0.0
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    for i in range(n):
        if i >= core:
            x[i] = kept[i]
        elif add:
            x[i] += kept[i]
        for j in range(q):
            if i >= core:
                dx[j, i] = dkept[j, i]
            elif add:
                dx[j, i] += dkept[j, i]
    if W[at.S_EVERY] > 0.0:
        return call_part(FN[at.F_UNDER_WAY], (L, C, FN, theta, eta, W, I), 0.0, 0.0)
    return at.OK


@inner
def constant_rate(L: Any, W: Any, I: Any, rate: float, state: int, drate: Any) -> float:  # noqa: E741
    """The rate (mg/h) of an infusion without beginning, 0 where there is none; drate (q,) its derivatives.

    Rate −1: the one that the model declares for its input.
    """
    q, ns = I[at.Q], L[at.N_SLOTS]
    for j in range(q):
        drate[j] = 0.0
    if rate == -1.0 and L[at.N_INPUTS] > 0:
        place = entry(L, state, at.FIRST)
        slot = L[L[at.INPUTS] + place * at.IN_SIZE + at.IN_RATE] if place >= 0 else -1
        if slot >= 0:
            for j in range(q):
                drate[j] = matrix(W, I[at.DPG], q, ns)[j, slot]
            return max(W[I[at.P] + slot], 0.0)
    return max(rate, 0.0)
