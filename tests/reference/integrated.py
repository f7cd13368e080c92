"""Amounts over time by SciPy, from event to event: the engine's reference, which shares nothing with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.integrate import solve_ivp

Rates = Callable[[float, float, np.ndarray, float], Sequence[float]]
"""f(t, time after the last dose, amounts, a time inside the stretch between two events)."""


@dataclass(frozen=True)
class Entry:
    """`amount` enters `state` from `time` on: at once, or at a constant rate over `over` hours."""

    time: float
    state: int
    amount: float
    over: float = 0.0


def course(
    rates: Rates,
    size: int,
    entries: Sequence[Entry],
    times: Sequence[float],
    *,
    doses: Sequence[float] = (),
    breaks: Sequence[float] = (),
    start: Sequence[float] | None = None,
    begin: float | None = None,
    method: str = "DOP853",
) -> np.ndarray:
    """The amounts (len(times), size) at `times` (in rising order, none of them an event), to 1e-13 a step.

    `doses`: the times from which time after dose counts (default: those of the entries); `breaks`: further
    times at which the rates jump; `start`, `begin`: the amounts before the first event, and since when.
    """
    given = sorted(doses or [e.time for e in entries])
    edges = {*times, *given, *breaks, *(e.time for e in entries), *(e.time + e.over for e in entries)}
    first = min(edges) if begin is None else begin
    x = np.zeros(size) if start is None else np.array(start, dtype=float)
    found: dict[float, np.ndarray] = {}
    for left, right in pairwise(sorted({first, *(t for t in edges if first <= t <= max(times))})):
        inflow = np.zeros(size)
        for e in entries:
            if e.over == 0 and e.time == left:
                x[e.state] += e.amount
            elif e.over > 0 and e.time <= left and right <= e.time + e.over:
                inflow[e.state] += e.amount / e.over
        middle = (left + right) / 2
        last = max((d for d in given if d <= left), default=first)

        def slope(t: float, y: np.ndarray, last=last, middle=middle, inflow=inflow) -> np.ndarray:
            return np.asarray(rates(t, t - last, y, middle)) + inflow

        done = solve_ivp(slope, (left, right), x, method=method, rtol=2.3e-14, atol=1e-25)
        assert done.success, done.message
        x = done.y[:, -1].copy()
        found[right] = x
    return np.array([found[t] for t in times])


def repeated(
    state: int, amount: float, every: float, times: int, *, first: float = 0.0, over: float = 0.0
) -> list[Entry]:
    """Equal doses at a fixed interval."""
    return [Entry(first + k * every, state, amount, over) for k in range(times)]
