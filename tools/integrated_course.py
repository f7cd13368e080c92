"""Amounts over time after some doses, integrated by SciPy from event to event, and numbers read from them.

Used by `integrate_library.py`; shares nothing with the package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

Floats = NDArray[np.float64]
RightHandSide = Callable[[float, Floats, float], Floats]
"""f(t, amounts, time since the last dose) in mg/h."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """How a dose given at `time` enters: `amount` mg into a state, `lag` h later, over `duration` h."""

    time: float
    state: int
    amount: float
    lag: float = 0.0
    duration: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number of a course: a concentration at a time, an area, a peak or its time over a stretch (h)."""

    output: str
    quantity: str
    start: float
    end: float
    value: float


@dataclass(frozen=True, kw_only=True)
class Piece:
    """The solution between two events, with areas after the amounts."""

    start: float
    end: float
    solution: Callable[[float], Floats]
    slope: Callable[[float, Floats], Floats]


@dataclass(kw_only=True)
class Course:
    """What `run` integrates: the right-hand side of `size` amounts, the doses, and what is observed.

    `volumes` maps an output to its state and to what its amount is divided by. `edges` are the times of day
    at which the right-hand side jumps; between them it must not depend on the time otherwise.
    """

    rhs: RightHandSide
    size: int
    volumes: dict[str, tuple[int, float]]
    entries: Sequence[Entry]
    edges: Sequence[float] = ()
    start: float = 0.0
    pieces: Sequence[Piece] = ()

    def run(self, end: float, initial: Floats | None = None) -> Course:
        """Integrate to `end` h with DOP853 at rtol 1e-11."""
        y = np.zeros(self.size + len(self.volumes))
        if initial is not None:
            y[: self.size] = initial
        pieces: list[Piece] = []
        for a, b in pairwise(self._stops(end)):
            for e in self.entries:
                if e.duration == 0.0 and e.time + e.lag == a:
                    y[e.state] += e.amount
            slope = self._slope(a, b)
            solved = solve_ivp(slope, (a, b), y, method="DOP853", rtol=1e-11, atol=1e-12, dense_output=True)
            if not solved.success:
                raise RuntimeError(solved.message)
            pieces.append(Piece(start=a, end=b, solution=solved.sol, slope=slope))
            y = solved.y[:, -1].copy()
        self.pieces = pieces
        return self

    def _stops(self, end: float) -> list[float]:
        times = {self.start, end}
        for e in self.entries:
            times |= {e.time, e.time + e.lag, e.time + e.lag + e.duration}
        for day in range(int(self.start // 24), int(end // 24) + 1):
            times |= {24 * day + edge for edge in self.edges}
        return sorted(t for t in times if self.start <= t <= end)

    def _slope(self, a: float, b: float) -> Callable[[float, Floats], Floats]:
        """The right-hand side of amounts and areas between two events."""
        inflow = np.zeros(self.size)
        for e in self.entries:
            begins = e.time + e.lag
            if begins <= a < begins + e.duration:
                inflow[e.state] += e.amount / e.duration
        last = max((e.time for e in self.entries if e.time <= a), default=a)
        outputs = list(self.volumes.values())

        def slope(t: float, x: Floats) -> Floats:
            # The solver asks at both ends too, where a time of day may belong to the piece beside.
            when = (a + b) / 2 if self.edges else t
            amounts = x[: self.size]
            rates = self.rhs(when, amounts, t - last) + inflow
            return np.concatenate([rates, [amounts[i] / v for i, v in outputs]])

        return slope

    def state(self, t: float) -> Floats:
        """Amounts and areas at `t` h, from the left: at the time of a dose what was there before it."""
        for piece in self.pieces:
            if piece.start < t <= piece.end or t == self.start == piece.start:
                return piece.solution(t)
        raise ValueError(f"{t} h lies outside the course")

    def at(self, output: str, t: float) -> Number:
        """The concentration at `t` h."""
        state, volume = self.volumes[output]
        value = float(self.state(t)[state]) / volume
        return Number(output=output, quantity="at", start=t, end=t, value=value)

    def area(self, output: str, start: float, end: float) -> Number:
        """The area under the concentration from `start` to `end` h."""
        column = self.size + list(self.volumes).index(output)
        value = float(self.state(end)[column] - self.state(start)[column])
        return Number(output=output, quantity="auc", start=start, end=end, value=value)

    def peak(self, output: str, start: float, end: float) -> tuple[Number, Number]:
        """The highest concentration and its time, from the roots of dC/dt within the pieces."""
        state, volume = self.volumes[output]
        best = (-1.0, start)
        for piece in self.pieces:
            if piece.end <= start or piece.start >= end:
                continue

            def slope(t: float, piece: Piece = piece) -> float:
                return float(piece.slope(t, piece.solution(t))[state])

            grid = [float(t) for t in np.linspace(max(piece.start, start), min(piece.end, end), 65)]
            slopes = [slope(t) for t in grid]
            places = [grid[0], grid[-1]]
            for (left, right), (rise, fall) in zip(pairwise(grid), pairwise(slopes), strict=True):
                if rise > 0 > fall:
                    places.append(float(brentq(slope, left, right, xtol=1e-13)))
            best = max(best, *((float(piece.solution(t)[state]) / volume, t) for t in places))
        peak = Number(output=output, quantity="cmax", start=start, end=end, value=best[0])
        return peak, Number(output=output, quantity="tmax", start=start, end=end, value=best[1])


def at_steady_state(course: Course, interval: float) -> Course:
    """The course over one dosing interval (h) from its own steady state, for equations linear in the amounts.

    The state x at the time of a dose solves x = Φ·x + b: b is what one interval leaves from nothing, the
    columns of Φ what it leaves of each unit state without a dose.
    """
    end, size, entries = course.start + interval, course.size, course.entries
    offset = course.run(end).state(end)[:size]
    # Doses of nothing keep the time since the last dose, on which the right-hand side may depend.
    course.entries = [replace(e, amount=0.0) for e in entries]
    columns = [course.run(end, unit).state(end)[:size] for unit in np.eye(size)]
    course.entries = entries
    return course.run(end, np.linalg.solve(np.eye(size) - np.array(columns).T, offset))
