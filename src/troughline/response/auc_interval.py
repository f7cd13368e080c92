"""Intervals for the area under the ROC curve: DeLong's, as usually printed, and one that keeps its coverage."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from troughline.response.proportions import normal_quantile
from troughline.response.roc import Floats, group_scores, grouped_auc, split_scores


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


def auc_interval(
    values: ArrayLike, is_case: ArrayLike, *, higher_is_case: bool = True, level: float = 0.95
) -> AucEstimate:
    """Placeholder: Newcombe method 5 until the comparison is done."""
    from scipy.optimize import brentq

    z = normal_quantile(level)
    cases, controls = split_scores(values, is_case, higher_is_case=higher_is_case)
    area = grouped_auc(group_scores(cases, controls))
    m, n = cases.size, controls.size
    half = (m + n) / 2 - 1

    def var(t: float) -> float:
        return t * (1 - t) * (1 + half * (1 - t) / (2 - t) + half * t / (1 + t)) / (m * n)

    def f(t: float) -> float:
        return (t - area) ** 2 - z * z * var(t)

    low = 0.0 if area == 0 else float(brentq(f, 0.0, area))
    high = 1.0 if area == 1 else float(brentq(f, area, 1.0))
    return AucEstimate(
        value=area, variance=var(area), low=low, high=high, level=level, clipped=False, method="Newcombe 5"
    )


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
