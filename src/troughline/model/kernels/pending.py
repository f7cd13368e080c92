"""What is under way: lagged doses, infusions that will start or end, repeated doses, gates that will switch.

The moment and the size of a pending event may depend on the random effects (a lag, a duration); when it
happens, the state's derivatives take the jump (f⁻ − f⁺)·∂t/∂η that a moved moment makes.
"""

from __future__ import annotations

from typing import Any

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import advance, rates_now
from troughline.model.kernels.calls import call_part
from troughline.model.kernels.jit import inner
from troughline.model.kernels.views import clear, matrix, vector


@inner
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
    clear(W, I[at.P_DTIME] + k * q, q)
    clear(W, I[at.P_DVALUE] + k * q, q)
    return k


@inner
def dtime(W: Any, I: Any, k: int) -> Any:  # noqa: E741
    """∂(moment)/∂η of a pending event (q,)."""
    return vector(W, I[at.P_DTIME] + k * I[at.Q], I[at.Q])


@inner
def dvalue(W: Any, I: Any, k: int) -> Any:  # noqa: E741
    """∂(size)/∂η of a pending event (q,)."""
    return vector(W, I[at.P_DVALUE] + k * I[at.Q], I[at.Q])


@inner
def drop(W: Any, I: Any, k: int) -> None:  # noqa: E741
    """Take a pending event out, keeping the order of the others."""
    last, q = I[at.P_COUNT] - 1, I[at.Q]
    for i in range(k, last):
        W[I[at.P_TIME] + i] = W[I[at.P_TIME] + i + 1]
        W[I[at.P_VALUE] + i] = W[I[at.P_VALUE] + i + 1]
        I[I[at.P_KIND] + i] = I[I[at.P_KIND] + i + 1]
        I[I[at.P_STATE] + i] = I[I[at.P_STATE] + i + 1]
        I[I[at.P_RECORD] + i] = I[I[at.P_RECORD] + i + 1]
        I[I[at.P_LEFT] + i] = I[I[at.P_LEFT] + i + 1]
        for j in range(q):
            W[I[at.P_DTIME] + i * q + j] = W[I[at.P_DTIME] + (i + 1) * q + j]
            W[I[at.P_DVALUE] + i * q + j] = W[I[at.P_DVALUE] + (i + 1) * q + j]
    I[at.P_COUNT] = last


@inner
def earliest(W: Any, I: Any) -> int:  # noqa: E741
    """The pending event that comes first, the one pushed first among equals; −1 where none is left."""
    best, when = -1, 0.0
    for k in range(I[at.P_COUNT]):
        t = W[I[at.P_TIME] + k]
        if best < 0 or t < when:
            best, when = k, t
    return best


@inner
def is_switch(I: Any, k: int) -> bool:  # noqa: E741
    """Whether a pending event opens or shuts a gate."""
    kind = I[I[at.P_KIND] + k]
    return kind == at.GATE_OPENS or kind == at.GATE_SHUTS


@inner
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
        _switch(L, W, I, state, kind == at.GATE_OPENS)
    W[at.S_STEP] = 0.0
    if moving:
        rates_now(L, C, FN, theta, eta, W, I, after)
        for j in range(q):
            if moved[j] != 0.0:
                for i in range(n):
                    dx[j, i] += (before[i] - after[i]) * moved[j]


@inner
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


@inner
def _switch(L: Any, W: Any, I: Any, gate: int, opens: bool) -> None:  # noqa: E741
    """A window of a gate begins or ends; one that follows the clock is open while any of its windows is."""
    windows = W[I[at.GATE_OPEN] + gate] + (1.0 if opens else -1.0)
    if L[L[at.GATES] + gate * at.GATE_SIZE + at.GATE_KIND] == 0:
        windows = 1.0 if opens else 0.0
    W[I[at.GATE_OPEN] + gate] = windows
    W[I[at.GATE_ON] + gate] = 1.0 if windows > 0.0 else 0.0
    I[at.FRESH] = at.STALE


@inner
def pass_time(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, until: float, inclusive: bool,  # noqa: E741
) -> int:  # fmt: skip
    """`pass_events`, by its address."""
    return call_part(FN[at.F_PASS], (L, C, FN, theta, eta, W, I), until, 1.0 if inclusive else 0.0)


@inner
def pass_events(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, until: float, inclusive: bool,  # noqa: E741
) -> int:  # fmt: skip
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
        if I[I[at.P_KIND] + k] == at.ADDITIONAL:
            return -1 - k
        happen(L, C, FN, theta, eta, W, I, k)
        daily = is_switch(I, k) and W[I[at.P_VALUE] + k] == at.DAILY
        if daily:
            W[I[at.P_TIME] + k] = when + at.DAILY
        else:
            drop(W, I, k)
    return advance(L, C, FN, theta, eta, W, I, until)
