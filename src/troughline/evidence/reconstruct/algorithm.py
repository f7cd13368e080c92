"""Patients from a curve as read and its risk table: exact in every count that was printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from troughline.evidence.reconstruct import placement
from troughline.evidence.reconstruct.clicks import CurveReading
from troughline.evidence.reconstruct.placement import Placement, Stretch
from troughline.evidence.reconstruct.risk_table import Interval, RiskTable, intervals

FloatArray = NDArray[np.float64]

# So finely read, single falls show the number at risk, and the search itself must use it.
_FINE_STEP = 0.001
_QUANTA_A_STEP = 1024.0
# Ways kept to one number of deaths: the same number, died sooner or later, leaves the curve at another level.
_WAYS = 4
ALLOWED = 1.5
"""How often the allowed deviation (a reading step and half a death) may be exceeded before it is said."""
IMPOSSIBLE = 3.0
"""How often, before counts and curve contradict each other."""


class ReconstructionError(ValueError):
    """A curve, a risk table and a number of events that no group of patients can have together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPatients:
    """The patients of one arm: `time` (n,) of follow-up and `event` (n,), in order of time.

    `click_survival` (m,) is their Kaplan–Meier estimate at the clicks. `worst` is the largest deviation from
    the clicks, as a multiple of a reading step plus half the step of one death, in `worst_interval`;
    `events_by_interval` are the deaths between the entries of the risk table.
    """

    time: FloatArray
    event: NDArray[np.bool_]
    click_survival: FloatArray
    worst: float
    worst_interval: Interval | None
    events_by_interval: tuple[int, ...]

    @property
    def n_events(self) -> int:
        """The deaths."""
        return int(self.event.sum())


def reconstruct_arm(
    curve: CurveReading,
    table: RiskTable,
    *,
    total_events: int | None = None,
    ticks: Sequence[float] = (),
    quick: bool = False,
) -> ArmPatients:
    """Patients whose Kaplan–Meier curve follows `curve` and whose counts are those of `table`, exactly.

    Parameters: `total_events` the deaths of the arm where printed, met exactly; `ticks` printed censoring
    times; `quick` looks at fewer distributions of deaths over the intervals (for many re-readings).

    Raises `ReconstructionError` where `total_events` exceeds the patients, where the curve falls and nobody
    is left to die, where more ticks than leaving patients lie in an interval, or where no distribution meets
    the counts.

    The idea is that of Guyot et al. 2012 (doi 10.1186/1471-2288-12-9): between two entries of the table,
    leaving = deaths + censorings, and n(1 − S_k/S_{k−1}) deaths at a fall. Here the number of deaths of every
    interval is searched jointly (dynamic programming over the deaths so far) for the least sum of squared
    deviations at the clicks, among those that sum to `total_events`; censorings are then the leaving less the
    deaths, spread as `placement.censoring_times` says. So no count is ever adjusted afterwards.
    """
    if total_events is not None and not 0 <= total_events <= table.n:
        raise ReconstructionError(f"events = {total_events}, but there are {table.n} patients")
    stretches = _stretches(curve, table, ticks)
    natural = _search(stretches, None, spare=0, quick=quick)
    if not natural:
        raise ReconstructionError(_why_impossible(stretches, curve, table))
    found = min(natural.values(), key=lambda state: state.cost)
    if total_events is not None and total_events != found.deaths:
        states = _search_for(total_events, stretches, spare=abs(total_events - found.deaths), quick=quick)
        if total_events not in states:
            fit = [d for d, state in {**natural, **states}.items() if state.worst <= ALLOWED]
            low, high = min(fit, default=found.deaths), max(fit, default=found.deaths)
            raise ReconstructionError(
                f"events = {total_events} cannot be met: the curve and the risk table give "
                + (f"{low}" if low == high else f"between {low} and {high}")
            )
        if states[total_events].worst > IMPOSSIBLE and found.worst <= IMPOSSIBLE:
            fit = [d for d, state in {**natural, **states}.items() if state.worst <= ALLOWED] or [
                found.deaths
            ]
            raise ReconstructionError(
                f"events = {total_events} contradicts the curve and the risk table, which within the "
                f"reading step allow {min(fit)} to {max(fit)}; correct it or leave it out"
            )
        found = states[total_events]
    return _patients(stretches, found, curve, table)


def _search_for(total: int, stretches: list[Stretch], *, spare: int, quick: bool) -> dict[int, _State]:
    """The search for `total`, widened until it is reached or every number of deaths has been looked at.

    Few intervals may have to take all that is missing: the last one often has room for a single death.
    """
    everything = max(stretch.interval.leaving for stretch in stretches) * len(stretches)
    while True:
        states = _search(stretches, total, spare=spare, quick=quick)
        if total in states or spare >= everything:
            return states
        spare = min(2 * spare, everything)


@dataclass(frozen=True, slots=True)
class _State:
    """A way through the first intervals: its deaths so far, its curve's level, and the placements."""

    deaths: int
    level: float
    cost: float
    worst: float
    placed: tuple[Placement, ...]


def _stretches(curve: CurveReading, table: RiskTable, ticks: Sequence[float]) -> list[Stretch]:
    """The curve by interval, its times in quanta: whole 1/1024 of a reading step.

    Whether a click lies before an entry of the table, or a censoring at a click, then hangs on no rounding
    error and on no unit of time.
    """
    step, survival = curve.step.survival, curve.survival
    time = _quanta(curve.time, curve)
    marks = _quanta(np.sort(np.asarray(ticks, dtype=np.float64)), curve)
    out: list[Stretch] = []
    for interval in intervals(table, curve.end):
        start, end = _quanta(np.array([interval.start, interval.end]), curve).tolist()
        low, high = _within(time, start, end, closed=interval.open)
        first, last = _within(marks, start, end, closed=interval.open)
        out.append(
            Stretch(
                interval=replace(interval, start=start, end=end),
                time=tuple(time[low:high].tolist()),
                survival=tuple(survival[low:high].tolist()),
                ticks=tuple(marks[first:last].tolist()),
                step=step,
                before=float(survival[low - 1]) if low else 1.0,
            )
        )
    return out


def _within(times: FloatArray, start: float, end: float, *, closed: bool) -> tuple[int, int]:
    """Where the sorted `times` with start <= t < end lie, the end included where `closed`."""
    side = "right" if closed else "left"
    return int(np.searchsorted(times, start, side="left")), int(np.searchsorted(times, end, side=side))


def _quanta(time: FloatArray, curve: CurveReading) -> FloatArray:
    return np.round(time / curve.step.time * _QUANTA_A_STEP)


def _search(stretches: list[Stretch], total: int | None, *, spare: int, quick: bool) -> dict[int, _State]:
    """The best way to each number of deaths, by the deaths so far after each interval.

    `spare` is how far `total` lies from what the curve alone asks for: the search is as much wider.
    """
    half = (1 if quick else 2) + math.ceil(spare / max(len(stretches), 1))
    keep = (3 if quick else 5) + spare
    ways = 1 if quick else _WAYS
    states = [_State(0, 1.0, 0.0, 0.0, ())]
    for stretch in stretches:
        reached: dict[int, list[_State]] = {}
        for state in states:
            for placed in _choices(stretch, state.level, half, state.deaths, total):
                deaths = state.deaths + sum(placed.deaths)
                reached.setdefault(deaths, []).append(
                    _State(
                        deaths,
                        placed.level,
                        state.cost + placed.cost,
                        max(state.worst, placed.worst),
                        (*state.placed, placed),
                    )
                )
        if not reached:
            return {}
        best = min((s for ways_to in reached.values() for s in ways_to), key=lambda s: s.cost).deaths
        states = [
            s
            for deaths, ways_to in sorted(reached.items())
            if abs(deaths - best) <= keep
            for s in sorted(ways_to, key=lambda s: s.cost)[:ways]
        ]
    out: dict[int, _State] = {}
    for state in states:
        if state.deaths not in out or state.cost < out[state.deaths].cost:
            out[state.deaths] = state
    return out


def _choices(stretch: Stretch, level: float, half: int, so_far: int, total: int | None) -> list[Placement]:
    """Placements with about as many deaths as the curve asks for; in the open interval what is missing."""
    interval = stretch.interval
    out: list[Placement | None] = []
    natural = _natural(stretch, level)
    if interval.open and total is not None:
        deaths = total - so_far
        if deaths >= 0:
            power = placement.uneven_power(stretch, level, deaths)
            out.append(placement.place(stretch, level, deaths, power=power))
    else:
        wanted = range(max(natural - half, 0), min(natural + half, interval.leaving) + 1)
        out += [placement.place(stretch, level, deaths) for deaths in wanted]
    made = [placed for placed in out if placed is not None]
    return [placement.refined(stretch, level, p) for p in made] if stretch.step <= _FINE_STEP else made


def _natural(stretch: Stretch, level: float) -> int:
    """The deaths that the curve asks for in an interval in which everybody else who leaves is censored."""
    leaving = stretch.interval.leaving
    deaths = 0.0
    for _ in range(4):
        censored = placement.censoring_times(stretch, max(leaving - round(deaths), 0))
        deaths = min(math.fsum(placement.expected_deaths(stretch, level, censored)), float(leaving))
    return round(deaths)


def _patients(stretches: list[Stretch], state: _State, curve: CurveReading, table: RiskTable) -> ArmPatients:
    level, worst, where = 1.0, 0.0, None
    quantum = curve.step.time / _QUANTA_A_STEP
    time: list[float] = []
    event: list[bool] = []
    survival: list[float] = []
    clicks = iter(curve.time.tolist())
    for stretch, placed, interval in zip(stretches, state.placed, intervals(table, curve.end), strict=True):
        final = placement.refined(stretch, level, placed)
        # Everybody who leaves in an interval does so in it, also where a click was read on its very edge.
        latest = interval.end if interval.open else interval.end - quantum
        clicked = [next(clicks) for _ in stretch.time]
        for t, d in zip(clicked, final.deaths, strict=True):
            time += [min(max(t, interval.start), latest)] * d
            event += [True] * d
        read_at = dict(zip(stretch.time, clicked, strict=True))
        time += [min(max(read_at.get(t, t * quantum), interval.start), latest) for t in final.censored]
        event += [False] * len(final.censored)
        survival += final.survival
        if final.worst > worst:
            worst, where = final.worst, interval
        level = final.level
    order = np.lexsort((~np.asarray(event, dtype=bool), np.asarray(time)))
    return ArmPatients(
        time=np.asarray(time, dtype=np.float64)[order],
        event=np.asarray(event, dtype=bool)[order],
        click_survival=np.asarray(survival, dtype=np.float64),
        worst=worst,
        worst_interval=where,
        events_by_interval=tuple(sum(p.deaths) for p in state.placed),
    )


def _why_impossible(stretches: list[Stretch], curve: CurveReading, table: RiskTable) -> str:
    """Which interval has more ticks than leaving patients, or a fall with nobody to die."""
    for stretch, interval in zip(stretches, intervals(table, curve.end), strict=True):
        if len(stretch.ticks) > interval.leaving:
            return (
                f"{len(stretch.ticks)} censoring ticks {interval.words()}, but only {interval.leaving} "
                "patients leave by the risk table"
            )
    return "no deaths and censorings meet the risk table and the curve together"
