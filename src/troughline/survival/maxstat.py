"""Maximally selected log-rank statistic: the best cut of a marker, its p corrected for the search."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from troughline.survival.log_rank import log_rank
from troughline.survival.times import BoolArray, FloatArray, IntArray, checked_times, checked_values

_CHUNK_VALUES = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MaximallySelected:
    """The cut that separates survival best, and four p values for it.

    The low group is `marker <= cut`. `statistic` is the largest standardised rank statistic, reached at
    `cut`; `cuts` and `statistics` (k,) are those of every cut tried. `p_naive` is the log-rank p at the
    cut, as if it had been named beforehand: never to be believed. The others allow for the search:
    `p_lausen_1992` by an asymptotic approximation, `p_lausen_1994` by an improved Bonferroni inequality,
    `p_permutation` by permuting who has which marker value (not a number without permutations).
    """

    cut: float
    n_low: int
    n_high: int
    statistic: float
    cuts: FloatArray
    statistics: FloatArray
    p_naive: float
    p_lausen_1992: float
    p_lausen_1994: float
    p_permutation: float
    n_permutations: int


def maximally_selected_log_rank(
    time: ArrayLike,
    event: ArrayLike,
    marker: ArrayLike,
    *,
    rng: np.random.Generator | None = None,
    permutations: int = 9999,
    smallest_share: float = 0.1,
    largest_share: float = 0.9,
) -> MaximallySelected:
    """Search the cut of `marker` (n,) with the largest log-rank statistic, and correct its p for the search.

    Cuts lie at the marker's values that leave between `smallest_share` and `largest_share` of the patients
    in the low group. Without `rng` no permutation is done.

    Raises `ValueError` for a marker that is not finite, without a cut in that range, or where every log-rank
    score is the same (no event); and for what `checked_times` refuses.

    With log-rank scores a, T_k = Σ_{low} a and M = max |T_k − E T_k| / √Var T_k (Hothorn and Lausen 2003,
    doi 10.1016/S0167-9473(02)00225-6; Lausen and Schumacher 1992, doi 10.2307/2532740; the 1994 inequality
    by Lausen, Sauerbrei and Schumacher).
    """
    times = checked_times(time, event)
    values = checked_values("marker", marker, times.n)
    if not 0 <= smallest_share < largest_share <= 1:
        raise ValueError(f"shares {smallest_share:g} and {largest_share:g} do not rise within 0 to 1")
    n = times.n
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    sizes = np.flatnonzero(np.diff(ranked) > 0) + 1
    sizes = sizes[
        (sizes >= max(1, math.floor(n * smallest_share))) & (sizes <= math.floor(n * largest_share))
    ]
    if sizes.size == 0:
        raise ValueError(
            f"no value of the marker leaves {smallest_share:.0%} to {largest_share:.0%} of {n} patients below"
        )
    scores = log_rank_scores(times.time, times.event)[order]
    mean, deviation = _moments(scores, sizes)
    if not np.all(deviation > 0):
        raise ValueError("no event among these patients: every log-rank score is the same")
    statistics = np.abs(np.cumsum(scores)[sizes - 1] - mean) / deviation
    best = int(np.argmax(statistics))
    statistic, cut = float(statistics[best]), float(ranked[sizes[best] - 1])
    p_permutation = math.nan
    if rng is not None:
        largest = _permuted_maxima(scores, sizes, mean, deviation, permutations, rng)
        p_permutation = (1 + int((largest >= statistic * (1 - 1e-12)).sum())) / (permutations + 1)
    return MaximallySelected(
        cut=cut,
        n_low=int(sizes[best]),
        n_high=n - int(sizes[best]),
        statistic=statistic,
        cuts=ranked[sizes - 1],
        statistics=statistics,
        p_naive=log_rank(times.time, times.event, values > cut).p_value,
        p_lausen_1992=_lausen_1992(statistic, smallest_share, largest_share),
        p_lausen_1994=_lausen_1994(statistic, n, sizes),
        p_permutation=p_permutation,
        n_permutations=permutations if rng is not None else 0,
    )


def log_rank_scores(time: FloatArray, event: BoolArray) -> FloatArray:
    """Log-rank scores (n,): event minus Σ 1 / (n − r_j + 1) over events j no later, r_j the maximal rank."""
    n = time.size
    ordered = np.sort(time)
    no_later = np.searchsorted(ordered, time, side="right")
    weight = event / (n - no_later + 1.0)
    summed = np.concatenate(([0.0], np.cumsum(weight[np.argsort(time, kind="stable")])))
    return event - summed[no_later]


def _moments(scores: FloatArray, sizes: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation (k,) of the sum of `sizes` scores drawn without replacement."""
    n = scores.size
    mean = sizes * scores.mean()
    spread = n * float(scores @ scores) - float(scores.sum()) ** 2
    variance = sizes * (n - sizes) / (n**2 * (n - 1.0)) * spread
    return mean, np.sqrt(np.maximum(variance, 0.0))


def _permuted_maxima(
    scores: FloatArray,
    sizes: IntArray,
    mean: FloatArray,
    deviation: FloatArray,
    permutations: int,
    rng: np.random.Generator,
) -> FloatArray:
    """The statistic's maximum (permutations,) when scores are dealt to the ordered marker at random."""
    maxima = np.empty(permutations)
    chunk = max(1, _CHUNK_VALUES // scores.size)
    for first in range(0, permutations, chunk):
        rows = min(chunk, permutations - first)
        dealt = rng.permuted(np.broadcast_to(scores, (rows, scores.size)), axis=1)
        sums = np.cumsum(dealt, axis=1)[:, sizes - 1]
        maxima[first : first + rows] = (np.abs(sums - mean) / deviation).max(axis=1)
    return maxima


def _lausen_1992(b: float, smallest: float, largest: float) -> float:
    """P(M > b) ≈ 4 φ(b)/b + φ(b) (b − 1/b) ln[largest (1 − smallest) / ((1 − largest) smallest)].

    Not a number without margins on both sides, and at most 1: the approximation is one of small tails.
    """
    if not (smallest > 0 and largest < 1 and b > 0):
        return math.nan
    density = math.exp(-b * b / 2) / math.sqrt(2 * math.pi)
    odds = largest * (1 - smallest) / ((1 - largest) * smallest)
    return min(1.0, 4 * density / b + density * (b - 1 / b) * math.log(odds))


def _lausen_1994(b: float, n: int, sizes: IntArray) -> float:
    """P(M > b) ≤ P(|Z| > b) + Σ exp(−b²/2)/π · [t − (b²/4 − 1) t³/6], t² = 1 − k(n − m)/((n − k) m).

    k and m are the sizes of the low group at neighbouring cuts. At most 1, as a bound on a probability.
    """
    from scipy.special import ndtr

    k, m = sizes[:-1].astype(np.float64), sizes[1:].astype(np.float64)
    t = np.sqrt(1 - k * (n - m) / ((n - k) * m))
    steps = math.exp(-b * b / 2) / math.pi * (t - (b * b / 4 - 1) * t**3 / 6)
    return min(1.0, 2 * float(ndtr(-b)) + float(steps.sum()))
