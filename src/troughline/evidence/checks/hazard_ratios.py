"""Hazard ratios against their intervals, events and medians."""

from __future__ import annotations

from collections.abc import Iterator
from math import log, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from troughline.evidence.checks.printed import half_step, p_limits, shown
from troughline.evidence.checks.rule import Flag, Rule
from troughline.issues import Severity

if TYPE_CHECKING:
    from troughline.evidence.numbers import Number
    from troughline.evidence.records import Publication

DEFAULT_LEVEL = 0.95
NARROWEST_SHARE = 0.95
"""A log-rank or Cox contrast of two groups has at most a quarter of an event of information per event, so its
standard error is at least 2/√events; 5 % are left for the methods' own approximations."""
WIDEST_SHARE = 1.75
"""Adjustment, strata and groups of unequal size widen an interval; past this share the events hardly fit."""
MEDIANS_Z = NormalDist().inv_cdf(0.995)
"""Standard errors that the ratio of medians may stray from the hazard ratio: 99 % two-sided."""
MEDIAN_EXTRA_VARIANCE = 1 / log(2) ** 2 - 1
"""Under exponential survival without censoring the log ratio of two Kaplan–Meier medians has 1/ln²2 times the
variance of the efficient log hazard ratio; by Hausman's argument their difference has the excess."""

_TIMES = ("median-survival", "median-time")


def standard_error(number: Number) -> float | None:
    """The standard error of a log hazard ratio, from its interval, else from its p value, else None."""
    if number.interval == "confidence" and number.low is not None and number.high is not None:
        z = NormalDist().inv_cdf(0.5 + (number.level or DEFAULT_LEVEL) / 2)
        if number.quantity == "log-hazard-ratio":
            return (number.high - number.low) / (2 * z)
        if 0 < number.low < number.high:
            return log(number.high / number.low) / (2 * z)
    if number.p_value is not None and not number.p_value.startswith("<") and number.value:
        p = sum(p_limits(number.p_value)) / 2
        logarithm = number.value if number.quantity == "log-hazard-ratio" else log(number.value)
        if 0 < p < 1 and logarithm != 0:
            return abs(logarithm) / NormalDist().inv_cdf(1 - p / 2)
    return None


def _ratios(study: Publication) -> Iterator[tuple[Number, float, float, float]]:
    """Hazard ratios as published with a usable confidence interval."""
    for n in study.number:
        if n.quantity != "hazard-ratio" or n.interval != "confidence" or n.basis != "published":
            continue
        if n.value and n.low and n.high and 0 < n.low < n.value < n.high:
            yield n, n.value, n.low, n.high


def _asymmetric(study: Publication) -> Iterator[Flag]:
    for n, value, low, high in _ratios(study):
        h = half_step(n)
        lowest = sqrt(max(low - h, 0.0) * (high - h))
        highest = sqrt((low + h) * (high + h))
        if value + h < lowest or value - h > highest:
            yield Flag(
                item=n.id,
                message=f"hazard ratio {shown(value)} is not the middle of {shown(low)} to {shown(high)} on "
                f"the log scale, which is {sqrt(low * high):.3f}",
            )


def _events(n: Number, study: Publication) -> tuple[int, str] | None:
    """The events behind a ratio, or the patients, which are not fewer."""
    if n.events:
        return n.events, f"{n.events} events"
    patients = n.n or study.n
    return (patients, f"{patients} patients, all with the event,") if patients else None


def _narrow(study: Publication) -> Iterator[Flag]:
    for n, _, low, high in _ratios(study):
        # A ratio per unit of a continuous covariate has no such bound: it depends on the covariate's spread.
        behind = _events(n, study) if n.arm and n.comparator else None
        if behind is None:
            continue
        h = half_step(n)
        z = NormalDist().inv_cdf(0.5 + (n.level or DEFAULT_LEVEL) / 2)
        widest_printed = log((high + h) / max(low - h, 1e-6)) / (2 * z)
        floor = 2 / sqrt(behind[0])
        if widest_printed < NARROWEST_SHARE * floor:
            yield Flag(
                item=n.id,
                message=f"the interval {shown(low)} to {shown(high)} has a standard error of "
                f"{widest_printed:.3f} on the log scale; {behind[1]} give {floor:.3f} or more",
            )


def _wide(study: Publication) -> Iterator[Flag]:
    for n, _, low, high in _ratios(study):
        if not n.events:
            continue
        h = half_step(n)
        z = NormalDist().inv_cdf(0.5 + (n.level or DEFAULT_LEVEL) / 2)
        narrowest_printed = log((high - h) / (low + h)) / (2 * z)
        expected = _expected_error(n, study)
        if narrowest_printed > WIDEST_SHARE * expected:
            yield Flag(
                item=n.id,
                message=f"the interval {shown(low)} to {shown(high)} has a standard error of "
                f"{narrowest_printed:.3f} on the log scale; {n.events} events give about {expected:.3f}",
            )


def _expected_error(n: Number, study: Publication) -> float:
    """√(1/d₁ + 1/d₀), the events split as the patients of the two arms are, or in half."""
    events = n.events or 0
    share = 0.5
    if n.arm and n.comparator:
        ours, theirs = study.arm_of(n.arm).n, study.arm_of(n.comparator).n
        if ours and theirs:
            share = ours / (ours + theirs)
    return sqrt(1 / (events * share) + 1 / (events * (1 - share)))


def _medians(study: Publication) -> Iterator[Flag]:
    for n in study.number:
        if n.quantity != "hazard-ratio" or not n.value or n.arm is None or n.comparator is None:
            continue
        pair = [_median(study, n, arm) for arm in (n.comparator, n.arm)]
        error = standard_error(n)
        if error is None or pair[0] is None or pair[1] is None or pair[0].unit != pair[1].unit:
            continue
        theirs, ours = pair[0], pair[1]
        if not theirs.value or not ours.value:
            continue
        ratio = theirs.value / ours.value
        rounding = half_step(theirs) / theirs.value + half_step(ours) / ours.value + half_step(n) / n.value
        limit = MEDIANS_Z * error * sqrt(MEDIAN_EXTRA_VARIANCE) + rounding
        if abs(log(ratio / n.value)) > limit:
            yield Flag(
                item=n.id,
                message=f"hazard ratio {shown(n.value)} beside medians of {shown(ours.value)} and "
                f"{shown(theirs.value)} {ours.unit}, whose ratio is {ratio:.3f}: the logarithms differ by "
                f"{abs(log(ratio / n.value)):.2f}, more than {limit:.2f}",
            )


def _median(study: Publication, ratio: Number, arm: str) -> Number | None:
    for n in study.number:
        if n.quantity in _TIMES and n.endpoint == ratio.endpoint and n.arm == arm and n.group == ratio.group:
            return n
    return None


RULES = (
    Rule(
        id="hazard-ratio-asymmetric",
        severity=Severity.WARNING,
        title="A hazard ratio that is not the middle of its interval",
        limit="the ratio, as rounded, is not the geometric mean of the limits, as rounded",
        reason="a Cox interval is symmetric on the log scale; a profile or bootstrap one need not be",
        find=_asymmetric,
    ),
    Rule(
        id="hazard-ratio-interval-too-narrow",
        severity=Severity.ERROR,
        title="A hazard ratio's interval narrower than its events allow",
        limit=f"a standard error below {NARROWEST_SHARE:g} × 2/√events, or 2/√n where no events are given; "
        "only where the file names the arm and its comparator",
        reason="a contrast of two groups has at most a quarter of a unit of information per event",
        find=_narrow,
    ),
    Rule(
        id="hazard-ratio-interval-too-wide",
        severity=Severity.WARNING,
        title="A hazard ratio's interval much wider than its events allow",
        limit=f"a standard error above {WIDEST_SHARE:g} × √(1/d₁ + 1/d₀)",
        reason="adjustment and strata widen an interval, but seldom by more",
        find=_wide,
    ),
    Rule(
        id="hazard-ratio-against-medians",
        severity=Severity.WARNING,
        title="A hazard ratio that its medians cannot give",
        limit="under exponential survival, |log(comparator's median / arm's median) − log(hazard ratio)| "
        f"beyond the rounding and {MEDIANS_Z:.2f} standard errors of that difference, which are "
        f"{sqrt(MEDIAN_EXTRA_VARIANCE):.2f} times the log hazard ratio's",
        reason="the ratio of medians estimates the same number with more error (Hausman 1978, "
        "doi 10.2307/1913827); hazards that are not proportional also fire",
        find=_medians,
    ),
)
