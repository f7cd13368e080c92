"""Censored paired tests without a distribution: sign, signed-rank and paired Prentice–Wilcoxon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Censored, Pairs, least_size, sign
from troughline.biomarker.sign_flip import PairedTest, flip_test

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignTest:
    """How many pairs surely rose, surely fell, or neither; two-sided p-values of as many rising as falling.

    `p_exact` leaves the ties out (binomial); `p_value` is its mid-p value. `p_ties` is the test of Fong 2003
    (doi 10.1198/0003130032378), in which ties speak for no change.
    """

    n: int
    n_up: int
    n_down: int
    n_tied: int
    p_value: float
    p_exact: float
    p_ties: float


def sign_test(pairs: Pairs) -> SignTest:
    """The sign test; a pair is a tie where the two levels are equal or their order is not known.

    Fong's p = P(B ≥ larger) / P(B ≥ ⌊(n − ties + 1)/2⌋) with B ~ Binomial(n, ½), as NADA2's cen_signtest.
    """
    from scipy.stats import binom

    signs = sign(pairs.seen_change())
    up, down, n = int((signs > 0).sum()), int((signs < 0).sum()), len(signs)
    k, larger = up + down, max(up, down)
    if k == 0:
        return SignTest(n=n, n_up=0, n_down=0, n_tied=n, p_value=1.0, p_exact=1.0, p_ties=1.0)
    tail = float(binom.sf(larger - 1, k, 0.5))
    exact = min(1.0, 2 * tail)
    mid = 1.0 if up == down else 2 * tail - float(binom.pmf(larger, k, 0.5))
    fewest = (n - (n - k) + 1) // 2
    fong = float(binom.sf(larger - 1, n, 0.5) / binom.sf(fewest - 1, n, 0.5))
    return SignTest(
        n=n, n_up=up, n_down=down, n_tied=n - k, p_value=min(mid, 1.0), p_exact=exact, p_ties=min(fong, 1.0)
    )


def signed_rank_scores(
    pairs: Pairs, shift: float = 0.0, limits: tuple[Floats, Floats] | None = None
) -> Floats:
    """Signed ranks of after − (before + shift), `(n,)`; 0 where that is 0 or its sign is not known.

    Each change is ranked by the least that its size can be; of two equal ones a censored one ranks higher,
    because its size is more. Zeros take part in the ranking and have no sign (Pratt 1959, doi
    10.1080/01621459.1959.10501526). This is the censored test of NADA2's cen_signedranktest. `limits` are
    those of the pairs, for who asks at many shifts.
    """
    change = pairs.seen_change(shift, limits)
    signs = sign(change)
    return signs * _mean_ranks(least_size(change), ~change.exact & (signs != 0))


def signed_rank_test(pairs: Pairs) -> PairedTest:
    """Wilcoxon's signed-rank test of censored pairs, Pratt's treatment of zeros."""
    return flip_test(signed_rank_scores(pairs))


def _mean_ranks(size: Floats, above_ties: Flags) -> Floats:
    """Ranks from 1, ties averaged, of pairs (size, above_ties) in lexicographic order, `(n,)`."""
    order = np.lexsort((above_ties, size))
    s, c = size[order], above_ties[order]
    group = np.cumsum(np.concatenate([[False], (s[1:] != s[:-1]) | (c[1:] != c[:-1])]))
    counts = np.bincount(group)
    ranks = np.empty(len(size))
    ranks[order] = (np.cumsum(counts) - (counts - 1) / 2)[group]
    return ranks


def prentice_wilcoxon_scores(pairs: Pairs) -> Floats:
    """The differences of the pooled Prentice–Wilcoxon scores, `(n,)`, positive where a level rose.

    Within a pair both levels are first looked at through the same limit, the less favourable one (O'Brien &
    Fleming 1987, doi 10.2307/2531957). From below-limit values the estimate of P(V < v) is Kaplan–Meier's
    with time reversed, as in NADA2's ppw.test; where some lie above a limit, Turnbull's. A quantified v has
    the score 2 P(V < v) − 1, one in (l, h) the score P(V ≤ l) + P(V < h) − 1.
    """
    y, x = pairs.through_one_limit()
    low, high = np.concatenate([x.low, y.low]), np.concatenate([x.high, y.high])
    pooled = Censored(low, high)
    scores = _turnbull_scores(pooled) if pooled.above.any() else _reverse_kaplan_meier_scores(pooled)
    n = len(x)
    return scores[:n] - scores[n:]


def prentice_wilcoxon_test(pairs: Pairs) -> PairedTest:
    """The paired Prentice–Wilcoxon test; its z is that of O'Brien & Fleming, Σd / √Σd²."""
    return flip_test(prentice_wilcoxon_scores(pairs))


def _reverse_kaplan_meier_scores(pooled: Censored) -> Floats:
    exact = pooled.exact
    values = np.where(exact, pooled.low, pooled.high)
    ascending, counts = np.unique(values[exact], return_counts=True)
    known, deaths = ascending[::-1], counts[::-1]
    # One more at risk than there are: the smallest possible value, which nothing lies below.
    at_risk = np.searchsorted(np.sort(values), known, side="right") + 1
    after = np.cumprod((at_risk - deaths) / at_risk)
    # Of d equal values the k-th leaves (at risk − k) / at risk: on average at risk − (d + 1) / 2.
    p_less = (np.append(1.0, after[:-1]) * (at_risk - (deaths + 1) / 2) / at_risk)[::-1]
    scores = np.empty(len(values))
    scores[exact] = 2 * p_less[np.searchsorted(ascending, values[exact])] - 1
    # The quantified value next above a limit: one equal to the limit lies above what is below it.
    at = np.searchsorted(ascending, values[~exact], side="left")
    scores[~exact] = np.append(p_less, 1.0)[at] - 1
    return scores


def _turnbull_scores(pooled: Censored) -> Floats:
    """Scores from the self-consistent estimate over all distinct ends (Turnbull 1976)."""
    ends = np.unique(np.concatenate([pooled.low, pooled.high]))
    points = np.unique(np.concatenate([ends[np.isfinite(ends)], _between(ends)]))
    inside = np.where(
        pooled.exact[:, None],
        points[None, :] == pooled.low[:, None],
        (points[None, :] > pooled.low[:, None]) & (points[None, :] < pooled.high[:, None]),
    ).astype(np.float64)
    mass = inside.mean(axis=0) / inside.mean(axis=0).sum()
    for _ in range(2000):
        share = inside * mass
        new = (share / share.sum(axis=1, keepdims=True)).mean(axis=0)
        done = float(np.abs(new - mass).max()) < 1e-10
        mass = new
        if done:
            break
    cumulative = np.concatenate([[0.0], np.cumsum(mass)])
    up_to_low = cumulative[np.searchsorted(points, pooled.low, side="right")]
    below_high = cumulative[np.searchsorted(points, pooled.high, side="left")]
    below_low = cumulative[np.searchsorted(points, pooled.low, side="left")]
    # Half a tie below a quantified value, so that swapping signs of all values mirrors the scores.
    return np.where(pooled.exact, below_low + up_to_low, up_to_low + below_high) - 1


def _between(ends: Floats) -> Floats:
    """A point inside each gap between neighbouring ends, one below and one above all of them."""
    finite = ends[np.isfinite(ends)]
    if finite.size == 0:
        return np.array([0.0])
    return np.concatenate([[finite[0] - 1.0], (finite[1:] + finite[:-1]) / 2, [finite[-1] + 1.0]])
