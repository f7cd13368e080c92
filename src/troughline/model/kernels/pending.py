"""What is under way: lagged doses, infusions that will start or end, repeated doses, gates that will switch.

The moment and the size of a pending event may depend on the random effects (a lag, a duration); when it
happens, the state's derivatives take the jump (f⁻ − f⁺)·∂t/∂η that a moved moment makes.
"""

from __future__ import annotations

from typing import Any

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import advance, rates_now, refresh
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.layout import matrix, vector


@kernel
def push(W: Any, I: Any, kind: int, state: int, time: float, value: float) -> int:  # noqa: E741
    """A new pending event without derivatives; its place, or −1 where there is no room left."""
    k = I[at.P_COUNT]
    if k >= at.CAPACITY:
        return -1
    I[at.P_COUNT] = k + 1
    q = I[at.Q]
    W[I[at.P_TIME] + k] = time
    W[I[at.P_VALUE] + k] = value
    I[I[at.P_KIND] + k] = kind
    I[I[at.P_STATE] + k] = state
    I[I[at.P_RECORD] + k] = -1
    I[I[at.P_LEFT] + k] = 0
    vector(W, I[at.P_DTIME] + k * q, q)[:] = 0.0
    vector(W, I[at.P_DVALUE] + k * q, q)[:] = 0.0
    return k


@kernel
def dtime(W: Any, I: Any, k: int) -> Any:  # noqa: E741
    """∂(moment)/∂η of a pending event (q,)."""
    return vector(W, I[at.P_DTIME] + k * I[at.Q], I[at.Q])


@kernel
def dvalue(W: Any, I: Any, k: int) -> Any:  # noqa: E741
    """∂(size)/∂η of a pending event (q,)."""
    return vector(W, I[at.P_DVALUE] + k * I[at.Q], I[at.Q])


@kernel
def drop(W: Any, I: Any, k: int) -> None:  # noqa: E741
    """Take a pending event out, keeping the order of the others."""
    last, q = I[at.P_COUNT] - 1, I[at.Q]
    for i in range(k, last):
        W[I[at.P_TIME] + i] = W[I[at.P_TIME] + i + 1]
        W[I[at.P_VALUE] + i] = W[I[at.P_VALUE] + i + 1]
        for array in (at.P_KIND, at.P_STATE, at.P_RECORD, at.P_LEFT):
            I[I[array] + i] = I[I[array] + i + 1]
        for j in range(q):
            W[I[at.P_DTIME] + i * q + j] = W[I[at.P_DTIME] + (i + 1) * q + j]
            W[I[at.P_DVALUE] + i * q + j] = W[I[at.P_DVALUE] + (i + 1) * q + j]
    I[at.P_COUNT] = last


@kernel
def earliest(W: Any, I: Any) -> int:  # noqa: E741
    """The pending event that comes first, the one pushed first among equals; −1 where none is left."""
    best, when = -1, 0.0
    for k in range(I[at.P_COUNT]):
        t = W[I[at.P_TIME] + k]
        if best < 0 or t < when:
            best, when = k, t
    return best


@kernel
def happen(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, k: int) -> None:  # noqa: E741
    """A bolus arrives, a rate changes or a gate switches, now."""
    q, n = I[at.Q], L[at.N]
    kind, state, value = I[I[at.P_KIND] + k], I[I[at.P_STATE] + k], W[I[at.P_VALUE] + k]
    moved, grown = dtime(W, I, k), dvalue(W, I, k)
    before, after = vector(W, I[at.F_BEFORE], n), vector(W, I[at.F_AFTER], n)
    moving = False
    for j in range(q):
        moving = moving or moved[j] != 0.0
    if moving:
        rates_now(L, C, FN, theta, eta, W, I, before)
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    if kind == at.BOLUS:
        x[state] += value
        for j in range(q):
            dx[j, state] += grown[j]
    elif kind == at.RATE_CHANGE:
        change_rate(L, W, I, state, value, grown)
    else:
        W[I[at.GATE_ON] + state] = 1.0 if kind == at.GATE_OPENS else 0.0
        I[at.FRESH] = at.STALE
    W[at.S_STEP] = 0.0
    if moving:
        rates_now(L, C, FN, theta, eta, W, I, after)
        for j in range(q):
            if moved[j] != 0.0:
                for i in range(n):
                    dx[j, i] += (before[i] - after[i]) * moved[j]


@kernel
def change_rate(L: Any, W: Any, I: Any, state: int, value: float, grown: Any) -> None:  # noqa: E741
    """Add to the rate of input into a state; what rounding leaves of an ended infusion becomes nothing."""
    q, n = I[at.Q], L[at.N]
    rate, drate = vector(W, I[at.RATE], n), matrix(W, I[at.DRATE], q, n)
    rate[state] += value
    ended = abs(rate[state]) <= 1e-12 * abs(value)
    if ended:
        rate[state] = 0.0
    for j in range(q):
        drate[j, state] = 0.0 if ended else drate[j, state] + grown[j]


@kernel
def clock_switches(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """Set the gates that follow the clock for this moment and put their next switches among the pending."""
    if I[at.FRESH] != at.CURRENT:
        refresh(L, C, FN, theta, eta, W, I)
    p, now = vector(W, I[at.P], L[at.N_SLOTS]), W[at.S_T]
    for g in range(L[at.N_GATES]):
        gate = vector(L, L[at.GATES] + g * at.GATE_SIZE, at.GATE_SIZE)
        if gate[at.GATE_KIND] != 1:
            continue
        W[I[at.GATE_ON] + g] = 0.0
        length, origin = p[gate[at.GATE_LENGTH]], C[gate[at.GATE_AT]]
        for h in range(gate[at.GATE_COUNT]):
            hour = C[gate[at.GATE_AT] + 1 + h]
            since = (now + origin - hour) % 24.0
            opens = now if since == 0.0 else now + 24.0 - since
            shuts = now - since + length if since < length else opens + length
            if 0.0 < since < length:
                W[I[at.GATE_ON] + g] = 1.0
            if push(W, I, at.GATE_OPENS, g, opens, 24.0) < 0 or push(W, I, at.GATE_SHUTS, g, shuts, 24.0) < 0:
                return at.TOO_MANY_PENDING
        I[at.FRESH] = at.STALE
    return at.OK


@kernel
def dose_gates(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """Shut the gates that follow a dose and plan their windows after the dose given now."""
    if I[at.FRESH] != at.CURRENT:
        refresh(L, C, FN, theta, eta, W, I)
    q, ns = I[at.Q], L[at.N_SLOTS]
    p, dp = vector(W, I[at.P], ns), matrix(W, I[at.DPG], q, ns)
    for g in range(L[at.N_GATES]):
        gate = vector(L, L[at.GATES] + g * at.GATE_SIZE, at.GATE_SIZE)
        if gate[at.GATE_KIND] != 0:
            continue
        k = 0
        while k < I[at.P_COUNT]:
            kind = I[I[at.P_KIND] + k]
            if (kind == at.GATE_OPENS or kind == at.GATE_SHUTS) and I[I[at.P_STATE] + k] == g:
                drop(W, I, k)
            else:
                k += 1
        if W[I[at.GATE_ON] + g] != 0.0:
            W[I[at.GATE_ON] + g] = 0.0
            I[at.FRESH] = at.STALE
        start, length = gate[at.GATE_START], gate[at.GATE_LENGTH]
        k = push(W, I, at.GATE_OPENS, g, W[at.S_T] + p[start], 0.0)
        if k < 0:
            return at.TOO_MANY_PENDING
        for j in range(q):
            dtime(W, I, k)[j] = dp[j, start]
        if length >= 0:
            k = push(W, I, at.GATE_SHUTS, g, W[at.S_T] + p[start] + p[length], 0.0)
            if k < 0:
                return at.TOO_MANY_PENDING
            for j in range(q):
                dtime(W, I, k)[j] = dp[j, start] + dp[j, length]
    return at.OK


@kernel
def repeat_daily(W: Any, I: Any, kind: int, state: int, time: float) -> bool:  # noqa: E741
    """A clock gate's switch comes again in 24 h."""
    return push(W, I, kind, state, time + 24.0, 24.0) >= 0


@kernel
def pass_time(
    L: Any,
    C: Any,
    FN: Any,
    theta: Any,
    eta: Any,
    W: Any,
    I: Any,
    until: float,
    inclusive: bool,  # noqa: E741
) -> int:
    """Advance to `until` through every pending event but repeated doses, which the caller gives.

    Stops early, returning −1 − place, when a repeated dose is due: the state then stands at its moment.
    With `inclusive` events at `until` itself happen too.
    """
    while True:
        k = earliest(W, I)
        if k < 0:
            break
        when = W[I[at.P_TIME] + k]
        if when > until or (when == until and not inclusive):
            break
        status = advance(L, C, FN, theta, eta, W, I, when)
        if status != at.OK:
            return status
        kind, state = I[I[at.P_KIND] + k], I[I[at.P_STATE] + k]
        if kind == at.ADDITIONAL:
            return -1 - k
        happen(L, C, FN, theta, eta, W, I, k)
        daily = (kind == at.GATE_OPENS or kind == at.GATE_SHUTS) and W[I[at.P_VALUE] + k] == 24.0
        drop(W, I, k)
        if daily and not repeat_daily(W, I, kind, state, when):
            return at.TOO_MANY_PENDING
    return advance(L, C, FN, theta, eta, W, I, until)
