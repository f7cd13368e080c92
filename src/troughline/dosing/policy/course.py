"""The course of all patients under one policy: what is prescribed, the true levels, severe toxicity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.policy.dose_rules import world_of_policy
from troughline.dosing.policy.doses import prescribe
from troughline.dosing.policy.population import MOST_EVENTS

if TYPE_CHECKING:
    from troughline.dosing.policy.population import VirtualPatients
    from troughline.dosing.policy.schema import Policy
    from troughline.dosing.policy.setup import Setup
    from troughline.dosing.policy.truth import Truth
    from troughline.dosing.regimen import Regimen

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

HELD, STOPPED = -1, -2
_SAME_DOSE = 1e-9


def regimens_of(setup: Setup, policy: Policy) -> tuple[Regimen, ...]:
    """All that may be taken under a policy: its choices, its reductions, its start."""
    listed = (*setup.regimens, *setup.steps_of(policy), setup.start_of(policy))
    return tuple({r.id: r for r in listed}.values())


class Course:
    """What has happened to n patients so far, of H days and V visits.

    - `world`: what the policy takes for true. `regimens`: all that may be taken; `current` (n,): the place of
      the regimen in force, or to be resumed; `day_regimen` (n, H + 1): of each day, `HELD` or `STOPPED`;
      `amounts` (n, S): prescribed, mg.
    - `resume_day` (n,): doses are held until then; `cap_mg` (n,): the highest daily dose allowed; `since_day`
      (n,): when the regimen began; `stopped` (n,).
    - `morning`, `peak` (n, H + 1): true levels, mg/L. `measured` (n, V + 1): samples, mg/L, as they would
      show at every visit; `used` (n, V): those that the policy asked for.
    - `event_day` (n, E): days of severe toxicities, −1 beyond a patient's own; `event_level` (n, E): the
      level of that morning. `raised`, `lowered` (n,): changes by level; `reduced` (n,): by toxicity.
    """

    def __init__(self, setup: Setup, patients: VirtualPatients, policy: Policy) -> None:
        n, horizon, visits = len(patients), setup.file.visits.horizon_day, len(setup.file.visits.days)
        self.setup, self.patients, self.policy = setup, patients, policy
        start = setup.start_of(policy)
        self.steps = setup.steps_of(policy)
        self.world = world_of_policy(setup, policy)
        self.regimens = regimens_of(setup, policy)
        self.daily = np.array([r.daily_dose_mg for r in self.regimens])
        self.interval_h = np.array([r.interval_h for r in self.regimens])
        self.current = np.full(n, self.regimens.index(start), dtype=np.int64)
        self.amounts = np.zeros((n, setup.slots))
        prescribe(self.amounts, np.arange(n), start, np.zeros(n, dtype=np.int64))
        self.day_regimen = np.tile(self.current[:, None], (1, horizon + 1))
        self.resume_day, self.since_day = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.cap_mg, self.stopped = np.full(n, np.inf), np.zeros(n, dtype=bool)
        self.morning, self.peak = np.zeros((n, horizon + 1)), np.zeros((n, horizon + 1))
        self.measured, self.used = np.full((n, visits + 1), np.nan), np.zeros((n, visits), dtype=bool)
        self.event_day = np.full((n, MOST_EVENTS), -1, dtype=np.int64)
        self.event_level = np.full((n, MOST_EVENTS), np.nan)
        self.n_events = np.zeros(n, dtype=np.int64)
        self.raised, self.lowered = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.reduced = np.zeros(n, dtype=np.int64)
        self.first_raise_day = np.full(n, -1, dtype=np.int64)
        self.not_estimated = 0
        self.forecasts: list[tuple[int, tuple[Ints, Floats]]] = []
        self._hazard = np.zeros(n)

    def __len__(self) -> int:
        return len(self.current)

    def open_at(self, day: int) -> Ints:
        """The patients who take doses on a day: neither stopped nor held."""
        return np.flatnonzero(~self.stopped & (self.resume_day <= day))

    def change(self, rows: Ints, chosen: Ints, day: int) -> None:
        """Let patients take other regimens (places in `regimens`) from the morning of a day on."""
        moved = chosen != self.current[rows]
        rows, chosen = rows[moved], chosen[moved]
        up = self.daily[chosen] > self.daily[self.current[rows]] + _SAME_DOSE
        self.raised[rows[up]] += 1
        self.lowered[rows[~up]] += 1
        first = rows[up & (self.first_raise_day[rows] < 0)]
        self.first_raise_day[first] = day
        self._take(rows, chosen, np.full(len(rows), day))

    def _take(self, rows: Ints, chosen: Ints, day: Ints) -> None:
        for place in np.unique(chosen):
            mine = chosen == place
            prescribe(self.amounts, rows[mine], self.regimens[int(place)], 2 * day[mine])
        later = np.arange(self.day_regimen.shape[1], dtype=np.int64)[None, :] >= day[:, None]
        self.day_regimen[rows] = np.where(later, chosen[:, None], self.day_regimen[rows])
        self.current[rows], self.since_day[rows] = chosen, day

    def advance(self, truth: Truth, first_day: int, last_day: int, visit: int) -> None:
        """Live through the days from `first_day` to `last_day`, the visit; toxicity acts on the way.

        Raises `ValueError` where a patient has more toxicities than were drawn.
        """
        rows = np.arange(len(self))
        counted = np.full(len(self), first_day)
        days = np.arange(first_day, last_day + 1)
        while len(rows):
            levels = truth.levels(self.amounts, rows, first_day, last_day)
            self.morning[rows, first_day : last_day + 1] = levels.morning
            self.peak[rows, first_day : last_day + 1] = levels.peak
            self.measured[rows, visit] = truth.measured(levels, rows, visit)
            if self.setup.file.toxicity is None:
                return
            rates = self._rates(rows, levels.morning, days, counted[rows])
            total = self._hazard[rows, None] + np.cumsum(rates, axis=1)
            due = self.patients.thresholds[rows, np.minimum(self.n_events[rows], MOST_EVENTS - 1)]
            reached = total >= due[:, None]
            hit = reached.any(axis=1)
            self._hazard[rows[~hit]] = total[~hit, -1]
            when = days[np.argmax(reached[hit], axis=1)]
            level = levels.morning[hit, when - first_day]
            rows = rows[hit]
            self.toxicity(rows, when, level, hold_days=self.setup.file.toxicity.hold_days)
            counted[rows] = when + 1

    def _rates(self, rows: Ints, level: Floats, days: Ints, counted: Ints) -> Floats:
        """The hazard of each day (rows, days); none while doses are held or after treatment."""
        toxicity = self.setup.file.toxicity
        assert toxicity is not None
        power = np.log2(toxicity.times_per_doubling)
        base = toxicity.events_per_28_days / 28.0 * self.patients.frailty[rows]
        with np.errstate(divide="ignore"):
            rate = base[:, None] * (np.maximum(level, 0.0) / self.setup.at_mg_per_l) ** power
        treated = (days[None, :] > self.resume_day[rows, None]) & ~self.stopped[rows, None]
        return np.where(treated & (days[None, :] >= counted[:, None]), rate, 0.0)

    def toxicity(self, rows: Ints, day: Ints, level: Floats, *, hold_days: int) -> None:
        """A toxicity on a day at a level, mg/L: doses are held, then the policy says what is taken.

        Raises `ValueError` where a patient has more toxicities than are kept.
        """
        if (self.n_events[rows] >= MOST_EVENTS - 1).any():
            raise ValueError(
                f"a patient has {MOST_EVENTS} severe toxicities under {self.policy.id!r}: the hazard is "
                f"too high"
            )
        self.event_day[rows, self.n_events[rows]] = day
        self.event_level[rows, self.n_events[rows]] = level
        self.n_events[rows] += 1
        self._hazard[rows] = 0.0
        after = self.current[rows].copy()
        ends = np.zeros(len(rows), dtype=bool)
        if self.policy.reduces:
            after, ends = self.reduced_from(after)
            self.reduced[rows[after != self.current[rows]]] += 1
            if self.policy.cap:
                self.cap_mg[rows] = np.minimum(self.cap_mg[rows], self.daily[after])
        self._stop_doses(rows, day, np.where(ends, STOPPED, HELD))
        self.stopped[rows[ends]] = True
        again = rows[~ends]
        resume = day[~ends] + hold_days
        self.resume_day[again] = resume
        self._take(again, after[~ends], resume)

    def stop(self, rows: Ints, day: Ints) -> None:
        """Treatment of some patients ends, each on its day, whatever the reason."""
        self._stop_doses(rows, day, np.full(len(rows), STOPPED))
        self.stopped[rows] = True

    def reduced_from(self, place: Ints) -> tuple[Ints, Flags]:
        """The next dose below each regimen among the reductions, and whether treatment ends.

        Below the regimen in force, whatever brought it there: where a level has lowered the dose to the last
        step, the first severe toxicity finds none left.
        """
        after, ends = place.copy(), np.zeros(len(place), dtype=bool)
        for k, now in enumerate(place.tolist()):
            lower = [r for r in self.steps if r.daily_dose_mg < self.daily[now] - _SAME_DOSE]
            if lower:
                after[k] = self.regimens.index(lower[0])
            else:
                ends[k] = self.policy.lowest == "stop"
        return after, ends

    def _stop_doses(self, rows: Ints, day: Ints, mark: Ints) -> None:
        prescribe(self.amounts, rows, None, 2 * day)
        later = np.arange(self.day_regimen.shape[1], dtype=np.int64)[None, :] >= day[:, None]
        self.day_regimen[rows] = np.where(later, mark[:, None], self.day_regimen[rows])

    def day_interval_h(self) -> Floats:
        """The dosing interval in force on each day (n, H + 1), 0 where none is taken."""
        return np.where(self.day_regimen >= 0, self.interval_h[np.maximum(self.day_regimen, 0)], 0.0)
