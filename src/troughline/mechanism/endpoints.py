"""Endpoints of virtual patients as a trial prints them: medians, hazard ratios, responses, growth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from troughline.mechanism.runner import Courses

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeToEvent:
    """Times in days (n,), whether the event was seen (n,), and a weight for each patient (n,)."""

    day: Floats
    event: Flags
    weight: Floats


def survival_times(
    courses: Courses, cut_day: Floats | None = None, weight: Floats | None = None
) -> TimeToEvent:
    """Death, observed until each patient's `cut_day` (n,) of the analysis."""
    return _cut(courses.death_day, courses.died, cut_day, weight)


def progression_times(
    courses: Courses,
    cut_day: Floats | None = None,
    weight: Floats | None = None,
    *,
    criterion: str = "recist",
) -> TimeToEvent:
    """Progression at the visit where it was seen; who dies or leaves before is censored at the last image.

    `criterion`: `recist` or `mrecist`.
    """
    viable = criterion == "mrecist"
    day = courses.viable_progression_day if viable else courses.progression_day
    event = courses.viable_progressed if viable else courses.progressed
    return _cut(day, event, cut_day, weight)


def _cut(day: Floats, event: Flags, cut_day: Floats | None, weight: Floats | None) -> TimeToEvent:
    w = np.ones(len(day)) if weight is None else weight
    if cut_day is None:
        return TimeToEvent(day=day, event=event, weight=w)
    return TimeToEvent(day=np.minimum(day, cut_day), event=event & (day <= cut_day), weight=w)


def kaplan_meier(times: TimeToEvent) -> tuple[Floats, Floats]:
    """Distinct times of events (k,) and weighted survival from them on (k,)."""
    order = np.argsort(times.day, kind="stable")
    day, event, w = times.day[order], times.event[order], times.weight[order]
    distinct, first = np.unique(day, return_index=True)
    at_risk = np.cumsum(w[::-1])[::-1][first]
    events = np.add.reduceat(w * event, first)
    keep = events > 0
    survival = np.cumprod(1.0 - events[keep] / at_risk[keep])
    return distinct[keep], np.asarray(survival, dtype=np.float64)


def median_day(times: TimeToEvent) -> float:
    """The first time at which the curve is at one half or below; NaN where it never is."""
    day, survival = kaplan_meier(times)
    below = np.flatnonzero(survival <= 0.5)
    return float(day[below[0]]) if len(below) else float("nan")


def median_between_visits(times: TimeToEvent) -> float:
    """Where the straight line through the curve's steps passes one half: smooth in a model's parameters.

    A printed median that is a visit v means that this lies between the visit before and v.
    """
    day, survival = kaplan_meier(times)
    day, survival = np.concatenate(([0.0], day)), np.concatenate(([1.0], survival))
    below = np.flatnonzero(survival <= 0.5)
    if not len(below):
        slope = (1.0 - survival[-1]) / max(float(day[-1]), 1.0)
        return float(0.5 / max(float(slope), 1e-9))
    k = int(below[0])
    part = (survival[k - 1] - 0.5) / (survival[k - 1] - survival[k])
    return float(day[k - 1] + part * (day[k] - day[k - 1]))


def survival_at(times: TimeToEvent, day: float) -> float:
    """The curve's height on a day."""
    days, survival = kaplan_meier(times)
    place = int(np.searchsorted(days, day, side="right"))
    return 1.0 if place == 0 else float(survival[place - 1])


LEAST_INFORMATION = 1e-6
"""Events' worth of information below which a hazard ratio is taken to have no estimate."""


def log_hazard_ratio(treated: TimeToEvent, control: TimeToEvent) -> tuple[float, float]:
    """Log hazard ratio and its standard error: Cox's model with one term, Efron's ties, Newton's method.

    Raises `ValueError` where an arm has no event, and where the likelihood has no maximum (of every pair of
    patients at risk together the same arm has the event first).
    Source: Efron 1977, doi 10.1080/01621459.1977.10480613.
    """
    if not treated.event.any() or not control.event.any():
        raise ValueError("a hazard ratio needs an event in both arms")
    day = np.concatenate([treated.day, control.day])
    event = np.concatenate([treated.event, control.event])
    w = np.concatenate([treated.weight, control.weight])
    x = np.concatenate([np.ones(len(treated.day)), np.zeros(len(control.day))])
    order = np.argsort(day, kind="stable")
    day, event, w, x = day[order], event[order], w[order], x[order]
    distinct, first = np.unique(day, return_index=True)
    del distinct
    risk_1 = np.cumsum((w * x)[::-1])[::-1][first]
    risk_0 = np.cumsum((w * (1 - x))[::-1])[::-1][first]
    d1 = np.add.reduceat(w * x * event, first)
    d0 = np.add.reduceat(w * (1 - x) * event, first)
    m = np.add.reduceat(event.astype(np.float64), first)
    keep = m > 0
    risk_1, risk_0, d1, d0, m = (a[keep] for a in (risk_1, risk_0, d1, d0, m))
    # Efron: within tied events the risk set shrinks step by step; summed with few steps for many ties.
    steps = np.minimum(m, 50).astype(np.int64)
    index = np.repeat(np.arange(len(m)), steps)
    part = (np.arange(len(index)) - np.repeat(np.cumsum(steps) - steps, steps)) / steps[index]
    share = ((d1 + d0) / steps)[index]
    a = (risk_1[index] - part * d1[index], risk_0[index] - part * d0[index])
    beta, information = 0.0, 1.0
    for _ in range(50):
        top = a[0] * np.exp(beta)
        p = top / (top + a[1])
        score = float(d1.sum() - (share * p).sum())
        information = float((share * p * (1.0 - p)).sum())
        if information < LEAST_INFORMATION:
            raise ValueError("the patients at risk say nothing of a hazard ratio, or that it has no bound")
        change = score / information
        beta += max(-1.0, min(1.0, change))
        if abs(change) < 1e-10:
            break
    return beta, float(information**-0.5)


def share(flags: Flags, weight: Floats | None = None) -> float:
    """The weighted share of patients."""
    return float(np.average(flags, weights=weight))


def doubling_days(growth: Floats, start_mm: Floats) -> Floats:
    """Days in which each patient's sum of diameters doubles at a slope `growth` (mm/day), (n,).

    The start over the slope; inf where the sum does not grow, NaN where there is no slope.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        days = start_mm / growth
    return np.where(growth <= 0.0, np.inf, days)


def growth_mm_per_day(courses: Courses, visit_days: tuple[float, ...], start_mm: Floats) -> Floats:
    """Slope of each patient's measured sums against time on treatment, mm/day (n,).

    Images until the first line stops or progression, whichever is first, that day's image included; least
    squares with the start as first point. NaN with no such image after the start.
    """
    days = np.concatenate(([0.0], np.asarray(visit_days)))
    sums = np.column_stack([start_mm, courses.seen])
    last = np.where(courses.progressed, courses.progression_day, np.inf)
    last = np.fmin(last, courses.stop_day)
    use = np.isfinite(sums) & (days[None, :] <= last[:, None])
    n = use.sum(axis=1)
    t = np.where(use, days, 0.0)
    s = np.where(use, sums, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_t, mean_s = t.sum(axis=1) / n, s.sum(axis=1) / n
        top = (use * (days - mean_t[:, None]) * (np.where(use, sums, 0.0) - mean_s[:, None])).sum(axis=1)
        bottom = (use * (days - mean_t[:, None]) ** 2).sum(axis=1)
        return np.where(n >= 2, top / bottom, np.nan)
