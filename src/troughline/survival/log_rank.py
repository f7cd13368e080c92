"""Log-rank tests: do the groups' survival curves differ, and do they differ in order?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival import library
from troughline.survival.times import FloatArray, checked_times, coded_groups


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRank:
    """A log-rank test; `observed`, `expected` (g,) are events, `covariance` (g, g) that of their difference.

    `statistic` and `p_value` are not a number, and `degrees_of_freedom` 0, where the data compare nothing:
    no event while two groups were at risk, or everybody at risk dying at once. `expected` and `covariance`
    may then be not a number too.
    """

    groups: tuple[str, ...]
    n: tuple[int, ...]
    observed: FloatArray
    expected: FloatArray
    covariance: FloatArray
    statistic: float
    degrees_of_freedom: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendTest:
    """The log-rank test for trend: one degree of freedom; not a number where nothing can be compared."""

    scores: tuple[float, ...]
    statistic: float
    p_value: float


def log_rank(
    time: ArrayLike,
    event: ArrayLike,
    group: Sequence[Any] | NDArray[Any],
    *,
    strata: Sequence[Any] | NDArray[Any] | None = None,
    entry: ArrayLike | None = None,
    order: Sequence[str] | None = None,
) -> LogRank:
    """The log-rank test of two or more groups, as R's `survdiff`, summed over `strata` (n,) where given.

    Parameters as in `kaplan_meier`. Raises `ValueError` for fewer than two groups and for what
    `checked_times` refuses.

    χ² = (O − E)ᵀ V⁻ (O − E), with the hypergeometric covariance V at each event time (Mantel 1966; Peto and
    Peto 1972, doi 10.2307/2344317).
    """
    times = checked_times(time, event, entry)
    codes, labels = coded_groups(group, times.n, order)
    if len(labels) < 2:
        raise ValueError(f"a log-rank test needs two groups; every patient is in {', '.join(labels)!r}")
    strata_codes = None if strata is None else coded_groups(strata, times.n)[0]
    test = library.log_rank(times, codes, strata_codes)
    comparable = test.degrees_of_freedom > 0 and bool(np.any(np.diag(test.covariance) > 0))
    return LogRank(
        groups=labels,
        n=tuple(int((codes == k).sum()) for k in range(len(labels))),
        observed=test.observed,
        expected=test.expected,
        covariance=test.covariance,
        statistic=test.statistic if comparable else math.nan,
        degrees_of_freedom=test.degrees_of_freedom if comparable else 0,
        p_value=test.p_value if comparable else math.nan,
    )


def log_rank_trend(test: LogRank, scores: Sequence[float] | None = None) -> TrendTest:
    """The log-rank test for a trend over the groups of `test`, in their order.

    `scores` (g,) default to 0, 1, 2, …. Raises `ValueError` where their number is not that of the groups
    or they are all the same.

    χ² = [wᵀ(O − E)]² / (wᵀ V w) (Tarone 1975, doi 10.1093/biomet/62.3.679). The score test of a
    Cox regression on w is the same but for the variance at tied times (here hypergeometric).
    """
    weights = np.asarray(range(len(test.groups)) if scores is None else scores, dtype=np.float64)
    if weights.shape != (len(test.groups),):
        raise ValueError(f"{weights.size} scores for {len(test.groups)} groups")
    if np.ptp(weights) == 0:
        raise ValueError("the scores are all the same; a trend needs two different ones")
    variance = float(weights @ test.covariance @ weights)
    kept = tuple(float(w) for w in weights)
    if not variance > 0:
        return TrendTest(scores=kept, statistic=math.nan, p_value=math.nan)
    from scipy.special import chdtrc

    statistic = float(weights @ (test.observed - test.expected)) ** 2 / variance
    return TrendTest(scores=kept, statistic=statistic, p_value=float(chdtrc(1, statistic)))
