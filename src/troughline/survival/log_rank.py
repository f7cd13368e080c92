"""Log-rank tests: do the groups' survival curves differ, and do they differ in order?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival.times import FloatArray, IntArray, SurvivalTimes, checked_times, coded_groups


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRank:
    """A log-rank test; `observed`, `expected` (g,) are events, `covariance` (g, g) that of their difference.

    `statistic` and `p_value` are not a number, and `degrees_of_freedom` 0, where the data compare nothing:
    no event while two groups were at risk, everybody at risk dying at once, or groups never at risk together.
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
    strata_codes = None if strata is None else coded_groups(strata, times.n)[0]
    return log_rank_of(times, codes, labels, strata_codes)


def log_rank_of(
    times: SurvivalTimes, codes: IntArray, labels: tuple[str, ...], strata: IntArray | None = None
) -> LogRank:
    """`log_rank` of times and groups that are already checked and coded."""
    if len(labels) < 2:
        raise ValueError(f"a log-rank test needs two groups; every patient is in {', '.join(labels)!r}")
    g = len(labels)
    expected, covariance = np.zeros(g), np.zeros((g, g))
    layers = (
        [times.order]
        if strata is None
        else [times.order[strata[times.order] == k] for k in range(int(strata.max()) + 1)]
    )
    for rows in layers:
        part, spread = _layer(times, codes, rows, g)
        expected += part
        covariance += spread
    observed = np.bincount(codes, weights=times.event, minlength=g).astype(np.float64)
    statistic, degrees = _quadratic(observed - expected, expected, covariance)
    from scipy.special import chdtrc

    return LogRank(
        groups=labels,
        n=tuple(np.bincount(codes, minlength=g).tolist()),
        observed=observed,
        expected=expected,
        covariance=covariance,
        statistic=statistic,
        degrees_of_freedom=degrees,
        p_value=float(chdtrc(degrees, statistic)) if degrees else math.nan,
    )


def _layer(times: SurvivalTimes, codes: IntArray, rows: IntArray, g: int) -> tuple[FloatArray, FloatArray]:
    """Expected events (g,) and the hypergeometric covariance (g, g) over `rows` in the order of time."""
    time, event, code = times.time[rows], times.event[rows], codes[rows]
    begins = np.flatnonzero(np.concatenate((time[:1] == time[:1], time[1:] != time[:-1])))
    edges = np.concatenate((begins, [time.size]))
    d = np.diff(np.concatenate(([0], np.cumsum(event)))[edges])
    begins, d = begins[d > 0], d[d > 0].astype(np.float64)
    share = np.empty((g, begins.size))
    for k in range(g):
        mine = code == k
        gone = np.cumsum(mine, dtype=np.int32)
        share[k] = gone[-1] - gone[begins] + mine[begins] if begins.size else 0
        if times.entry is not None:
            entries = np.sort(times.entry[rows[mine]])
            share[k] -= entries.size - np.searchsorted(entries, time[begins], side="left")
    n = share.sum(axis=0)
    share /= n
    weight = np.divide(d * (n - d), n - 1, out=np.zeros_like(n), where=n > 1)
    weighted = share * weight
    return share @ d, np.diag(weighted.sum(axis=1)) - weighted @ share.T


def _quadratic(difference: FloatArray, expected: FloatArray, covariance: FloatArray) -> tuple[float, int]:
    """χ² and its degrees of freedom over the groups that were ever expected to have an event."""
    groups = np.flatnonzero(expected > 0)
    kept = groups[:-1]
    inner = covariance[np.ix_(kept, kept)]
    if kept.size == 0 or np.linalg.matrix_rank(inner, hermitian=True) < kept.size:
        return math.nan, 0
    return float(difference[kept] @ np.linalg.solve(inner, difference[kept])), int(kept.size)


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
