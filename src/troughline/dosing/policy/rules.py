"""What a policy does at a visit: nothing, a step by the level, or the regimen that a model prefers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.policy.checks import in_mg_per_l
from troughline.issues import Findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.dosing.policy.course import Course
    from troughline.dosing.policy.schema import Policy
    from troughline.dosing.policy.setup import Setup
    from troughline.dosing.regimen import Regimen

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_SAME_DOSE = 1e-9


def thresholds_of(policy: Policy, setup: Setup) -> tuple[float, float]:
    """Below and above which a threshold policy steps, mg/L: its own limits or the target's."""
    unit = setup.file.target.unit or "ug/mL"
    ends = [
        default if own is None else in_mg_per_l(own, unit, "policy", setup.name, Findings())
        for own, default in (
            (policy.threshold_low, setup.low_mg_per_l),
            (policy.threshold_high, setup.high_mg_per_l),
        )
    ]
    return ends[0], ends[1]


def stepped(
    level: Floats, current: Ints, cap_mg: Floats, *, low: float, high: float, ladder: Sequence[Regimen],
    regimens: Sequence[Regimen], directions: str,
) -> Ints:  # fmt: skip
    """The regimen of each patient (places in `regimens`) one step up below `low`, one down above `high`.

    A step is to the next daily dose of `ladder`; of equal ones the shortest interval. Above `cap_mg` no step
    goes, and beyond the ends of the ladder none. A NaN level (none measured) changes nothing.
    """
    chosen = current.copy()
    doses = np.array([r.daily_dose_mg for r in regimens])
    order = sorted(ladder, key=lambda r: (r.daily_dose_mg, r.interval_h))
    for k in np.flatnonzero((level < low) | (level > high)).tolist():
        now = doses[current[k]]
        if level[k] < low and directions != "down":
            higher = [r for r in order if now + _SAME_DOSE < r.daily_dose_mg <= cap_mg[k] + _SAME_DOSE]
            if higher:
                chosen[k] = regimens.index(higher[0])
        elif level[k] > high and directions != "up":
            lower = [r for r in order if r.daily_dose_mg < now - _SAME_DOSE]
            if lower:
                best = lower[-1].daily_dose_mg
                first = next(r for r in lower if r.daily_dose_mg > best - _SAME_DOSE)
                chosen[k] = regimens.index(first)
    return chosen


def decide_by_threshold(course: Course, visit: int, day: int) -> None:
    """A threshold policy's visit: a sample of those settled on their dose, and a step where it says so."""
    setup, policy = course.setup, course.policy
    rows = course.open_at(day)
    rows = rows[day - course.since_day[rows] >= setup.settled_days]
    course.used[rows, visit] = True
    low, high = thresholds_of(policy, setup)
    measured = course.measured[rows, visit]
    level = np.where(measured < setup.limit_mg_per_l, 0.0, measured)
    chosen = stepped(
        level, course.current[rows], course.cap_mg[rows], low=low, high=high, ladder=setup.regimens,
        regimens=course.regimens, directions=policy.directions,
    )  # fmt: skip
    course.change(rows, chosen, day + setup.file.visits.turnaround_days)
