"""What became of each patient under each policy: the days inside the target, toxicity, changes, samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.policy.truth import daily_metric

if TYPE_CHECKING:
    from troughline.dosing.policy.course import Course

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """Outcomes of n patients under one policy.

    - `inside`, `below`, `above` (n,): shares of the days from `count_from_day` to the horizon, by the true
      level; days without treatment count by the level too. `inside_at`, `below_at`, `above_at` (n,): 1 or 0
      at the horizon.
    - `metric` (n, H + 1): the true trough, or peak, of every day, mg/L.
    - `toxic` (n,): any severe toxicity; `toxicities` (n,): how many; `stopped` (n,): treatment ended for it;
      `stopped_first` (n,): at the first, as the dose in force had no step below it.
    - `raised`, `lowered`, `reduced` (n,): changes by level, and by toxicity; `samples` (n,).
    - `daily_dose` (n,): the mean prescribed until the horizon, holds among it, mg.
    """

    inside: Floats
    below: Floats
    above: Floats
    inside_at: Floats
    below_at: Floats
    above_at: Floats
    metric: Floats
    toxic: Floats
    toxicities: Floats
    stopped: Floats
    stopped_first: Floats
    raised: Floats
    lowered: Floats
    reduced: Floats
    samples: Floats
    daily_dose: Floats

    @property
    def changes(self) -> Floats:
        """Changes of the dose, by level and by toxicity (n,)."""
        return self.raised + self.lowered + self.reduced


def outcomes_of(course: Course) -> Outcomes:
    """The outcomes of a finished course."""
    setup = course.setup
    metric = metric_by_day(course)
    low, high = setup.low_mg_per_l, setup.high_mg_per_l
    visits = setup.file.visits
    counted = metric[:, visits.count_from_day or visits.days[0] :]
    below, above = counted < low, counted > high
    last = metric[:, -1]
    return Outcomes(
        inside=1.0 - below.mean(axis=1) - above.mean(axis=1),
        below=below.mean(axis=1),
        above=above.mean(axis=1),
        inside_at=((last >= low) & (last <= high)).astype(np.float64),
        below_at=(last < low).astype(np.float64),
        above_at=(last > high).astype(np.float64),
        metric=metric,
        toxic=(course.n_events > 0).astype(np.float64),
        toxicities=course.n_events.astype(np.float64),
        stopped=course.stopped.astype(np.float64),
        stopped_first=(course.stopped & (course.n_events == 1)).astype(np.float64),
        raised=course.raised.astype(np.float64),
        lowered=course.lowered.astype(np.float64),
        reduced=course.reduced.astype(np.float64),
        samples=course.used.sum(axis=1).astype(np.float64),
        daily_dose=daily_dose_until(course, visits.horizon_day),
    )


def metric_by_day(course: Course) -> Floats:
    """The true trough, or peak, of every day (n, H + 1), mg/L."""
    return daily_metric(course.morning, course.peak, course.day_interval_h(), course.setup.file.target.metric)


def daily_dose_until(course: Course, day: int) -> Floats:
    """The mean daily dose prescribed before a day (n,), mg; held days and those after a stop count as 0."""
    return course.amounts[:, : 2 * day].sum(axis=1) / day


def toxic_until(course: Course, day: int) -> Flags:
    """Who has had a severe toxicity by a day (n,)."""
    seen = (course.event_day >= 0) & (course.event_day <= day)
    return seen.sum(axis=1) > 0
