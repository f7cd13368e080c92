"""What every search for a steady state shares: the plan of one dosing interval, played as a trial.

Doses that have been given and are still on their way, or still running, at the moment of the record are put
among the pending events, so that lags and durations longer than the interval are right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.dosing import dose_context, entry, give, input_values, n_entries
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.layout import matrix, vector
from troughline.model.kernels.pending import (
    change_rate,
    dose_gates,
    drop,
    dtime,
    dvalue,
    pass_time,
    push,
)


@kernel
def forget(L: Any, W: Any, I: Any) -> None:  # noqa: E741
    """Nothing flows in and nothing is pending but the switches of clock gates."""
    n, q = L[at.N], I[at.Q]
    vector(W, I[at.RATE], n)[:] = 0.0
    matrix(W, I[at.DRATE], q, n)[:] = 0.0
    k = 0
    while k < I[at.P_COUNT]:
        kind = I[I[at.P_KIND] + k]
        gate = kind == at.GATE_OPENS or kind == at.GATE_SHUTS
        if gate and W[I[at.P_VALUE] + k] == 24.0:
            k += 1
        else:
            drop(W, I, k)


@kernel
def cycles_in_period(L: Any, interval: float) -> int:
    """How many dosing intervals make one period; 0 where clock gates and interval have none in common."""
    if L[at.HAS_CLOCK_GATE] == 0:
        return 1
    if interval >= 24.0:
        whole = interval / 24.0
        return 1 if abs(whole - round(whole)) < 1e-9 else 0
    whole = 24.0 / interval
    return int(round(whole)) if abs(whole - round(whole)) < 1e-9 else 0


@kernel
def plan_period(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any,  # noqa: E741
    amount: float, rate: float, interval: float, state: int, cycles: int,
) -> int:  # fmt: skip
    """Put one period's periodic inputs among the pending events and the rates that run throughout.

    A lag or a duration counts modulo the interval; whole intervals of an infusion become a constant rate.
    """
    q, start = I[at.Q], W[at.S_T]
    for number in range(n_entries(L, state)):
        place = entry(L, state, number)
        target = L[L[at.INPUTS] + place * at.IN_SIZE + at.IN_STATE] if state < 0 else state
        status = input_values(L, W, I, place, amount, rate, state < 0)
        if status != at.OK:
            return status
        v, dv = vector(W, I[at.IN_VALUES], 4), matrix(W, I[at.DIN_VALUES], 4, q)
        phase = v[2] - np.floor(v[2] / interval) * interval
        whole = np.floor(v[3] / interval)
        rest = v[3] - whole * interval
        if v[1] != 0.0:
            wraps = phase + rest > interval
            always = whole + (1.0 if wraps else 0.0)
            change_rate(L, W, I, target, always * v[1], always * dv[1])
        for cycle in range(cycles):
            base = start + cycle * interval
            if v[1] == 0.0:
                k = push(W, I, at.BOLUS, target, base + phase, v[0])
                if k < 0:
                    return at.TOO_MANY_PENDING
                dtime(W, I, k)[:] = dv[2]
                dvalue(W, I, k)[:] = dv[0]
                continue
            stop = phase + rest
            if stop > interval:
                stop -= interval
            for sign in (1.0, -1.0):
                k = push(W, I, at.RATE_CHANGE, target, base + (phase if sign > 0.0 else stop), sign * v[1])
                if k < 0:
                    return at.TOO_MANY_PENDING
                for j in range(q):
                    dtime(W, I, k)[j] = dv[2, j] + (0.0 if sign > 0.0 else dv[3, j])
                    dvalue(W, I, k)[j] = sign * dv[1, j]
    return at.OK


@kernel
def play(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any,  # noqa: E741
    amount: float, interval: float, cycles: int,
) -> int:  # fmt: skip
    """Run the planned period from now; time after dose and the gates begin anew with every dose."""
    start = W[at.S_T]
    for cycle in range(cycles):
        dose_context(L, C, FN, theta, eta, W, I, amount, interval)
        if L[at.HAS_DOSE_GATE] != 0:
            status = dose_gates(L, C, FN, theta, eta, W, I)
            if status != at.OK:
                return status
        status = pass_time(L, C, FN, theta, eta, W, I, start + (cycle + 1) * interval, cycle + 1 < cycles)
        if status != at.OK:
            return status
    return at.OK


@kernel
def keep(L: Any, W: Any, I: Any) -> Any:  # noqa: E741
    """A copy of the state that a trial run changes: scalars, states, rates, pending events, gates."""
    n, q = L[at.N], I[at.Q]
    count = I[at.P_COUNT]
    floats = np.empty(at.W_SCALARS + 2 * (n + q * n) + count * (2 + 2 * q) + L[at.N_GATES])
    ints = np.empty(count * 4 + 1, dtype=np.int64)
    ints[0] = count
    place = _copy(W, 0, floats, 0, at.W_SCALARS)
    place = _copy(W, I[at.X], floats, place, n)
    place = _copy(W, I[at.DX], floats, place, q * n)
    place = _copy(W, I[at.RATE], floats, place, n)
    place = _copy(W, I[at.DRATE], floats, place, q * n)
    place = _copy(W, I[at.P_TIME], floats, place, count)
    place = _copy(W, I[at.P_VALUE], floats, place, count)
    place = _copy(W, I[at.P_DTIME], floats, place, count * q)
    place = _copy(W, I[at.P_DVALUE], floats, place, count * q)
    _copy(W, I[at.GATE_ON], floats, place, L[at.N_GATES])
    for k in range(count):
        ints[1 + 4 * k] = I[I[at.P_KIND] + k]
        ints[2 + 4 * k] = I[I[at.P_STATE] + k]
        ints[3 + 4 * k] = I[I[at.P_RECORD] + k]
        ints[4 + 4 * k] = I[I[at.P_LEFT] + k]
    return floats, ints


@kernel
def _copy(source: Any, start: int, target: Any, place: int, size: int) -> int:
    for k in range(size):
        target[place + k] = source[start + k]
    return place + size


@kernel
def restore(L: Any, W: Any, I: Any, kept: Any) -> None:  # noqa: E741
    floats, ints = kept
    n, q, count = L[at.N], I[at.Q], ints[0]
    I[at.P_COUNT] = count
    place = 0
    for start, size in (
        (0, at.W_SCALARS), (I[at.X], n), (I[at.DX], q * n), (I[at.RATE], n), (I[at.DRATE], q * n),
        (I[at.P_TIME], count), (I[at.P_VALUE], count), (I[at.P_DTIME], count * q),
        (I[at.P_DVALUE], count * q), (I[at.GATE_ON], L[at.N_GATES]),
    ):  # fmt: skip
        for k in range(size):
            W[start + k] = floats[place + k]
        place += size
    for k in range(count):
        I[I[at.P_KIND] + k] = ints[1 + 4 * k]
        I[I[at.P_STATE] + k] = ints[2 + 4 * k]
        I[I[at.P_RECORD] + k] = ints[3 + 4 * k]
        I[I[at.P_LEFT] + k] = ints[4 + 4 * k]
    if L[at.N_GATES] > 0:
        I[at.FRESH] = at.STALE


@kernel
def still_under_way(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any,  # noqa: E741
    amount: float, rate: float, interval: float, state: int,
) -> int:  # fmt: skip
    """Earlier doses that are still lagging or still running at the moment of the record."""
    for number in range(n_entries(L, state)):
        place = entry(L, state, number)
        target = L[L[at.INPUTS] + place * at.IN_SIZE + at.IN_STATE] if state < 0 else state
        status = input_values(L, W, I, place, amount, rate, state < 0)
        if status != at.OK:
            return status
        v = vector(W, I[at.IN_VALUES], 4)
        behind = int(np.floor((v[2] + v[3]) / interval))
        for k in range(behind, 0, -1):
            status = give(L, W, I, target, k * interval, True)
            if status != at.OK:
                return status
    return at.OK


@kernel
def finish(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any,  # noqa: E741
    amount: float, rate: float, interval: float, state: int, add: bool, kept: Any, dkept: Any,
) -> int:  # fmt: skip
    """Areas begin at zero; with SS = 2 what was there is added; earlier doses go on. Returns a status."""
    n, q, core = L[at.N], I[at.Q], L[at.N_CORE]
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    for i in range(core, n):
        x[i] = 0.0
        for j in range(q):
            dx[j, i] = 0.0
    if add:
        for i in range(n):
            x[i] += kept[i]
            for j in range(q):
                dx[j, i] += dkept[j, i]
    if interval > 0.0:
        return still_under_way(L, C, FN, theta, eta, W, I, amount, rate, interval, state)
    return at.OK
