"""Policies against each other: means with Monte-Carlo intervals, and differences paired by patient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from troughline.dosing.policy.outcomes import Outcomes

Floats = NDArray[np.float64]

MEASURES = {
    "inside": "share of days inside the target",
    "below": "share of days below",
    "above": "share of days above",
    "inside_at": "patients inside the target at the horizon",
    "below_at": "patients below at the horizon",
    "above_at": "patients above at the horizon",
    "toxic": "patients with severe toxicity",
    "toxicities": "severe toxicities a patient",
    "stopped": "patients who stopped for toxicity",
    "stopped_first": "… of them at their first severe toxicity",
    "changes": "dose changes a patient",
    "raised": "raised by level",
    "lowered": "lowered by level",
    "reduced": "reduced for toxicity",
    "samples": "samples a patient",
    "daily_dose": "mean daily dose, mg",
}
_YES_OR_NO = frozenset({"inside_at", "below_at", "above_at", "toxic", "stopped", "stopped_first"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A mean over virtual patients with its Monte-Carlo interval: how far it would move with other draws."""

    value: float
    low: float
    high: float
    n: int


def summary(measure: str, values: Floats, level: float) -> Summary:
    """The mean of a measure (n,): Wilson's interval (doi 10.1080/01621459.1927.10502953) for yes or no, else
    mean ± z·SD/√n."""
    if measure in _YES_OR_NO:
        return share(int(values.sum()), len(values), level)
    return mean_interval(values, level)


def mean_interval(values: Floats, level: float) -> Summary:
    """mean ± z·SD/√n of values (n,); NaN limits for fewer than two."""
    n = len(values)
    centre = float(values.mean()) if n else math.nan
    half = _z(level) * float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return Summary(value=centre, low=centre - half, high=centre + half, n=n)


def share(events: int, n: int, level: float) -> Summary:
    """A proportion with Wilson's interval."""
    if n == 0:
        return Summary(value=math.nan, low=math.nan, high=math.nan, n=0)
    z, p = _z(level), events / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Summary(value=p, low=max(centre - half, 0.0), high=min(centre + half, 1.0), n=n)


def paired_difference(measure: str, first: Outcomes, second: Outcomes, level: float) -> Summary:
    """The mean of first − second over the same patients, with its interval."""
    return mean_interval(getattr(first, measure) - getattr(second, measure), level)


def _z(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """Decisions whose stated P(in) lay between two limits, and how often the level then was inside."""

    low: float
    high: float
    n: int
    stated: float
    observed: Summary


def calibration(stated: Floats, inside: Floats, level: float, bins: int = 5) -> tuple[CalibrationBin, ...]:
    """Stated P(in) (n,) against what happened (n,), in bins of equal numbers."""
    order = np.argsort(stated, kind="stable")
    made: list[CalibrationBin] = []
    for part in np.array_split(order, bins):
        if len(part):
            p = stated[part]
            made.append(
                CalibrationBin(
                    low=float(p.min()), high=float(p.max()), n=len(part), stated=float(p.mean()),
                    observed=share(int(inside[part].sum()), len(part), level),
                )
            )  # fmt: skip
    return tuple(made)
