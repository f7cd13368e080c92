"""Intervals for the area under the ROC curve: DeLong's, as usually printed, and one that covers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from troughline.response.proportions import normal_quantile
from troughline.response.roc import Floats, group_scores, grouped_auc, split_scores

# Below this size of the smaller class its own spread cannot be judged, and the variance bound takes over.
_FEW = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AucEstimate:
    """An area under the curve with its variance and interval.

    `clipped` says that a limit fell outside 0 to 1 and was cut off there.
    """

    value: float
    variance: float
    low: float
    high: float
    level: float
    clipped: bool
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AucComparison:
    """The difference of the areas of two markers measured in the same patients."""

    difference: float
    low: float
    high: float
    level: float
    covariance: float
    statistic: float
    p_value: float


def delong(
    values: ArrayLike, is_case: ArrayLike, *, higher_is_case: bool = True, level: float = 0.95
) -> AucEstimate:
    """The area under the curve with DeLong's variance and normal interval.

    Parameters: `values` (n,), `is_case` (n,) bool, `level` the confidence level.
    Returns AUC ± z √(S10/n_cases + S01/n_controls), limits outside 0 to 1 cut off and flagged. Near an area
    of 1 this interval is too short and at 1 it has no width; `auc_interval` does not fail there.
    Raises `ValueError` for fewer than two cases or two controls.
    Source: DeLong, DeLong & Clarke-Pearson 1988, doi 10.2307/2531595; the ranks by Sun & Xu 2014,
    doi 10.1109/LSP.2014.2337313.
    """
    z = normal_quantile(level)
    cases, controls = split_scores(values, is_case, higher_is_case=higher_is_case)
    of_cases, of_controls = _placements(cases, controls)
    area = grouped_auc(group_scores(cases, controls))
    variance = _covariance(of_cases, of_cases, of_controls, of_controls)
    low, high = area - z * math.sqrt(variance), area + z * math.sqrt(variance)
    return AucEstimate(
        value=area,
        variance=variance,
        low=max(low, 0.0),
        high=min(high, 1.0),
        level=level,
        clipped=low < 0.0 or high > 1.0,
        method="DeLong",
    )


def delong_test(
    first: ArrayLike,
    second: ArrayLike,
    is_case: ArrayLike,
    *,
    first_higher_is_case: bool = True,
    second_higher_is_case: bool = True,
    level: float = 0.95,
) -> AucComparison:
    """DeLong's test of equal areas for two markers measured in the same patients.

    Parameters: `first`, `second` (n,), each in its own unit; `is_case` (n,) bool.
    Returns the difference first − second, its interval, the covariance of the two areas, and
    z = difference / √(V₁ + V₂ − 2 C) with its two-sided p.
    Raises `ValueError` for fewer than two cases or controls, and where the difference has no sampling
    variance (two markers that order the patients alike).
    Source: DeLong, DeLong & Clarke-Pearson 1988, doi 10.2307/2531595.
    """
    from scipy.special import ndtr

    z = normal_quantile(level)
    first_cases, first_controls = split_scores(first, is_case, higher_is_case=first_higher_is_case)
    second_cases, second_controls = split_scores(second, is_case, higher_is_case=second_higher_is_case)
    a_cases, a_controls = _placements(first_cases, first_controls)
    b_cases, b_controls = _placements(second_cases, second_controls)
    difference = float(a_cases.mean() - b_cases.mean())
    covariance = _covariance(a_cases, b_cases, a_controls, b_controls)
    variance = _covariance(
        a_cases - b_cases, a_cases - b_cases, a_controls - b_controls, a_controls - b_controls
    )
    if variance <= 0.0:
        raise ValueError(
            "the two markers order cases against controls alike: their difference has no variance"
        )
    spread = math.sqrt(variance)
    statistic = difference / spread
    return AucComparison(
        difference=difference,
        low=difference - z * spread,
        high=difference + z * spread,
        level=level,
        covariance=covariance,
        statistic=statistic,
        p_value=2.0 * float(ndtr(-abs(statistic))),
    )


def hanley_mcneil(area: float, n_cases: int, n_controls: int, *, level: float = 0.95) -> AucEstimate:
    """The normal interval of a printed area, from nothing but the area and the two class sizes.

    Returns A ± z SE with the SE of `hanley_mcneil_se`, limits outside 0 to 1 cut off and flagged.
    Raises `ValueError` for an area outside 0 to 1 or an empty class.
    Source: Hanley & McNeil 1982, doi 10.1148/radiology.143.1.7063747.
    """
    from troughline.evidence.checks.roc_areas import hanley_mcneil_se

    z = normal_quantile(level)
    variance = hanley_mcneil_se(area, n_cases, n_controls) ** 2
    low, high = area - z * math.sqrt(variance), area + z * math.sqrt(variance)
    return AucEstimate(
        value=area,
        variance=variance,
        low=max(low, 0.0),
        high=min(high, 1.0),
        level=level,
        clipped=low < 0.0 or high > 1.0,
        method="Hanley & McNeil",
    )


def auc_interval(
    values: ArrayLike, is_case: ArrayLike, *, higher_is_case: bool = True, level: float = 0.95
) -> AucEstimate:
    """An interval for the area under the curve that keeps its coverage in small groups and near 1.

    Parameters: `values` (n,), `is_case` (n,) bool, `level` the confidence level.
    Returns the areas θ with (Â − θ)² ≤ z² φ V(θ), where V(θ) is the variance of Newcombe's method 5 and φ
    how much more the placements vary in these patients than it supposes: φ = max(1, V_DeLong / V(Ã)) with
    Ã = (U + ½) / (n_cases n_controls + 1). The limits stay within 0 to 1, and none equals the estimate unless
    it is 0 or 1 itself. With fewer than five in a class φ V(θ) gives way to the largest variance any two
    distributions can have, θ (1 − θ) / n_min, n_min the size of the smaller class. `variance` is φ V(Ã).
    Raises `ValueError` as `roc_curve` does.
    Source: Newcombe 2006, doi 10.1002/sim.2324 (V); Birnbaum & Klose 1957, Ann. Math. Statist. 28:933–945
    (the bound). φ is this package's own: V takes both classes to spread alike, and the interval made of it
    alone covers 90 % where the smaller class spreads twice as wide; `benchmarks/roc_coverage.py` shows both.
    """
    z = normal_quantile(level)
    cases, controls = split_scores(values, is_case, higher_is_case=higher_is_case)
    area = grouped_auc(group_scores(cases, controls))
    pairs, smaller = cases.size * controls.size, min(cases.size, controls.size)
    shrunk = (area * pairs + 0.5) / (pairs + 1.0)
    if smaller < _FEW:
        method, inflation = "score, distribution-free variance", 1.0

        def variance(theta: float) -> float:
            return theta * (1.0 - theta) / smaller
    else:
        method = "score, Newcombe variance inflated to the placements"
        of_cases, of_controls = _placements(cases, controls)
        from_placements = _covariance(of_cases, of_cases, of_controls, of_controls)
        inflation = max(1.0, from_placements / _newcombe_variance(shrunk, cases.size, controls.size))

        def variance(theta: float) -> float:
            return inflation * _newcombe_variance(theta, cases.size, controls.size)

    def outside(theta: float) -> bool:
        return (area - theta) ** 2 > z * z * variance(theta)

    return AucEstimate(
        value=area,
        variance=variance(shrunk),
        low=_boundary(outside, area, 0.0),
        high=_boundary(outside, area, 1.0),
        level=level,
        clipped=False,
        method=method,
    )


def _newcombe_variance(theta: float, n_cases: int, n_controls: int) -> float:
    """Hanley & McNeil's variance with both sizes in its sums replaced by their mean."""
    others = (n_cases + n_controls) / 2.0 - 1.0
    return _exponential_variance(theta, others, others) / (n_cases * n_controls)


def _exponential_variance(theta: float, other_cases: float, other_controls: float) -> float:
    by_cases = other_cases * (1.0 - theta) / (2.0 - theta)
    by_controls = other_controls * theta / (1.0 + theta)
    return theta * (1.0 - theta) * (1.0 + by_cases + by_controls)


def _boundary(outside: Callable[[float], bool], inside: float, end: float) -> float:
    """Where the interval ends between `inside` and `end`, by bisection down to the last bit."""
    outer = end
    while True:
        middle = 0.5 * (inside + outer)
        if middle in (inside, outer):
            return outer
        if outside(middle):
            outer = middle
        else:
            inside = middle


def _placements(cases: Floats, controls: Floats) -> tuple[Floats, Floats]:
    """For each case the share of controls below it, for each control the share of cases above it."""
    if min(cases.size, controls.size) < 2:
        raise ValueError(
            f"{cases.size} cases and {controls.size} controls: a variance needs two of each at least"
        )
    sorted_cases, sorted_controls = np.sort(cases), np.sort(controls)
    below = np.searchsorted(sorted_controls, cases, "left") + np.searchsorted(sorted_controls, cases, "right")
    not_above = np.searchsorted(sorted_cases, controls, "left") + np.searchsorted(
        sorted_cases, controls, "right"
    )
    return below / (2.0 * controls.size), 1.0 - not_above / (2.0 * cases.size)


def _covariance(a_cases: Floats, b_cases: Floats, a_controls: Floats, b_controls: Floats) -> float:
    """The covariance of two areas from their placements; the variance where both are the same."""
    of_cases = float((a_cases - a_cases.mean()) @ (b_cases - b_cases.mean())) / (a_cases.size - 1)
    of_controls = float((a_controls - a_controls.mean()) @ (b_controls - b_controls.mean()))
    return of_cases / a_cases.size + of_controls / (a_controls.size - 1) / a_controls.size
