"""An interval for the threshold with the largest Youden index in the population, not in these patients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from troughline.response.bootstrap import bootstrap_roc, percentile_interval
from troughline.response.proportions import check_level
from troughline.response.roc import Floats, GroupedScores, group_scores, midpoints, split_scores

# Quantiles of the limit law below, simulated by `benchmarks/roc_coverage.py --limit-law` (50,000 paths,
# Monte Carlo error about 0.01).
_LEVELS = (0.50, 0.80, 0.90, 0.95, 0.975, 0.99)
_CRITICAL = (0.53, 1.00, 1.29, 1.55, 1.78, 2.07)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdInterval:
    """An interval for a threshold, all in the unit of the values, with the percentile interval beside it.

    An infinite limit says that the data do not bound the threshold on that side. `ratio` is high / low:
    infinite where a limit is or where `low` is 0, not-a-number where `low` is negative.
    """

    threshold: float
    low: float
    high: float
    ratio: float
    level: float
    method: str
    percentile_low: float
    percentile_high: float


def threshold_interval(
    values: ArrayLike,
    is_case: ArrayLike,
    *,
    n_replicates: int = 1000,
    rng: np.random.Generator,
    higher_is_case: bool = True,
    level: float = 0.95,
) -> ThresholdInterval:
    """The range of thresholds whose Youden index is within sampling error of the best one.

    Parameters: `values` (n,) in any one unit, `is_case` (n,) bool, `rng` for the percentile interval alone:
    the range itself draws nothing, and which patients it lies between depends on their order only.
    Returns the hull of all cuts t of the curve with J(t̂) − J(t) ≤ c √(v(a, n_cases) + v(b, n_controls)),
    where a cases and b controls lie between t and the best cut t̂, v(a, n) = p (1 − p) / (n + 2) and
    p = (a + 1) / (n + 2). A marker of two values has one finite cut, and then no width.
    Raises `ValueError` as `roc_curve` does and for a level outside 0.5 to 0.99.

    Why: t̂ converges at the cube root of n and the plain bootstrap of it is inconsistent. Near the optimum,
    J(t̂) − J(t) behaves as Z(û) − Z(u), Z a two-sided Brownian motion minus a parabola, and dividing by its
    standard deviation over |û − u| removes every unknown, so the limit of c is the same for all
    distributions: the quantile of the smallest such ratio over the cuts at or beyond the optimum. With n_min
    patients in the smaller class it is taken 1 + 1 / (2 n_min) times, which simulation asks for.
    Source: Kim & Pollard 1990, doi 10.1214/aos/1176347498 (the limit); the inverted form and c are this
    package's own, and `benchmarks/roc_coverage.py` shows their coverage.
    """
    critical = critical_value(level)
    grouped = group_scores(*split_scores(values, is_case, higher_is_case=higher_is_case))
    small_sample = 1.0 + 0.5 / min(grouped.n_cases, grouped.n_controls)
    threshold, low, high = near_best_cuts(grouped, critical * small_sample)
    replicates = bootstrap_roc(
        values, is_case, n_replicates=n_replicates, rng=rng, higher_is_case=higher_is_case
    )
    if not higher_is_case:
        threshold, low, high = -threshold, -high, -low
    percentile_low, percentile_high = percentile_interval(replicates.threshold, level=level)
    return ThresholdInterval(
        threshold=threshold,
        low=low,
        high=high,
        ratio=_ratio(low, high),
        level=level,
        method="cuts within sampling error of the largest Youden index",
        percentile_low=percentile_low,
        percentile_high=percentile_high,
    )


def critical_value(level: float) -> float:
    """The quantile of the limit law at a confidence level, linear between the simulated ones."""
    check_level(level)
    if not _LEVELS[0] <= level <= _LEVELS[-1]:
        raise ValueError(f"level {level} of a threshold interval lies outside {_LEVELS[0]} to {_LEVELS[-1]}")
    return float(np.interp(level, _LEVELS, _CRITICAL))


def near_best_cuts(grouped: GroupedScores, critical: float) -> tuple[float, float, float]:
    """The first best cut, and the ends of the range of cuts within `critical` errors of a best one."""
    n_cases, n_controls = grouped.n_cases, grouped.n_controls
    cases_below = np.concatenate([[0], np.cumsum(grouped.cases)])
    controls_below = np.concatenate([[0], np.cumsum(grouped.controls)])
    merit = controls_below * n_cases - cases_below * n_controls
    loss = (merit.max() - merit) / (n_cases * n_controls)
    best = np.flatnonzero(merit == merit.max())
    accepted = np.zeros(merit.size, dtype=bool)
    for index in best:
        between_cases = np.abs(cases_below - cases_below[index])
        between_controls = np.abs(controls_below - controls_below[index])
        variance = _share_variance(between_cases, n_cases) + _share_variance(between_controls, n_controls)
        accepted |= loss <= critical * np.sqrt(variance)
    kept = np.flatnonzero(accepted)
    cuts = np.concatenate([[-np.inf], midpoints(grouped.scores[:-1], grouped.scores[1:]), [np.inf]])
    return float(cuts[best[0]]), float(cuts[kept[0]]), float(cuts[kept[-1]])


def _share_variance(count: Floats, total: int) -> Floats:
    share = (count + 1.0) / (total + 2.0)
    return share * (1.0 - share) / (total + 2.0)


def _ratio(low: float, high: float) -> float:
    if math.isinf(low) or math.isinf(high) or low == 0.0 < high:
        return math.inf
    return high / low if low > 0.0 else math.nan
