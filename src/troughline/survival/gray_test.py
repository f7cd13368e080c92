"""Gray's test: does the incidence of one cause differ between groups, in the presence of the other causes?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival.competing import coded_causes
from troughline.survival.times import BoolArray, FloatArray, IntArray, as_floats, checked_times, coded_groups


@dataclass(frozen=True, slots=True, kw_only=True)
class GrayTest:
    """Gray's test of one cause; `score` (g,) is observed less expected, `covariance` (g, g) its covariance.

    `statistic` and `p_value` are not a number, and `degrees_of_freedom` 0, where nothing can be compared.
    """

    cause: str
    groups: tuple[str, ...]
    n: tuple[int, ...]
    n_events: tuple[int, ...]
    score: FloatArray
    covariance: FloatArray
    statistic: float
    degrees_of_freedom: int
    p_value: float


def gray_test(
    time: ArrayLike,
    cause: Sequence[str | None] | NDArray[Any],
    of: str,
    group: Sequence[Any] | NDArray[Any],
    *,
    strata: Sequence[Any] | NDArray[Any] | None = None,
    order: Sequence[str] | None = None,
    rho: float = 0.0,
) -> GrayTest:
    """Compare the cumulative incidence of the cause `of` between two or more groups.

    Parameters: `time`, `cause`, `group`, `order` as in `cumulative_incidence`; `strata` (n,) within which the
    groups are compared; `rho` the power of the pooled 1 − F(t−) that weights the differences (0: alike at all
    times; above: early ones more). Everybody is under observation from time 0: there is no delayed entry.

    Raises `ValueError` for fewer than two groups, a negative `rho`, and what `cumulative_incidence` refuses.

    z_k = Σ w(t) [d_k − R_k Σd / ΣR], R_k = n_k (1 − F_k(t−)) / S_k(t−), with the variance of Gray 1988, doi
    10.1214/aos/1176350951, as R's `cmprsk::cuminc`.
    """
    codes, causes = coded_causes(cause, None)
    times = checked_times(time, codes > 0)
    groups, labels = coded_groups(group, times.n, order)
    if len(labels) < 2:
        raise ValueError(f"Gray's test needs two groups; every patient is in {', '.join(labels)!r}")
    if not (math.isfinite(rho) and rho >= 0):
        raise ValueError(f"rho = {rho:g} is not a power of 0 or more")
    own = causes.index(of) + 1 if of in causes else -1
    event, rival = codes == own, (codes > 0) & (codes != own)
    layers = coded_groups(strata, times.n)[0]
    g = len(labels)
    score, covariance = np.zeros(g), np.zeros((g, g))
    for layer in range(int(layers.max()) + 1):
        rows = layers == layer
        part, spread = _stratum(times.time[rows], event[rows], rival[rows], groups[rows], g, rho)
        score += part
        covariance += spread
    statistic, degrees = _quadratic(score, covariance)
    from scipy.special import chdtrc

    return GrayTest(
        cause=of,
        groups=labels,
        n=tuple(int((groups == k).sum()) for k in range(g)),
        n_events=tuple(int((event & (groups == k)).sum()) for k in range(g)),
        score=score,
        covariance=covariance,
        statistic=statistic,
        degrees_of_freedom=degrees,
        p_value=float(chdtrc(degrees, statistic)) if degrees else math.nan,
    )


def _quadratic(score: FloatArray, covariance: FloatArray) -> tuple[float, int]:
    """The quadratic form in all groups but one; groups without variance were never compared."""
    compared = np.flatnonzero(np.diag(covariance) > 0)
    if compared.size < 2:
        return math.nan, 0
    kept = compared[:-1]
    try:
        solved = np.linalg.solve(covariance[np.ix_(kept, kept)], score[kept])
    except np.linalg.LinAlgError:
        return math.nan, 0
    statistic = float(score[kept] @ solved)
    return (statistic, int(kept.size)) if statistic >= 0 else (math.nan, 0)


def _stratum(
    time: FloatArray, event: BoolArray, rival: BoolArray, groups: IntArray, g: int, rho: float
) -> tuple[FloatArray, FloatArray]:
    """Score (g,) and covariance (g, g) of one stratum, all event times at once: arrays are (m, g, …)."""
    distinct, position = np.unique(time, return_inverse=True)

    def counts(rows: BoolArray) -> FloatArray:
        flat = np.bincount(position[rows] * g + groups[rows], minlength=distinct.size * g)
        return flat.reshape(distinct.size, g).astype(np.float64)

    leaving = counts(np.ones(time.size, np.bool_))
    happens = np.zeros(distinct.size, np.bool_)
    happens[position[event | rival]] = True
    n = leaving[::-1].cumsum(axis=0)[::-1][happens]
    d, r = counts(event)[happens], counts(rival)[happens]
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(n > 0, 1 / n, 0.0)
    surviving = as_floats(np.cumprod(1 - (d + r) * inverse, axis=0))
    before = _lagged(surviving, 1.0)
    incidence_before = _lagged(np.cumsum(before * d * inverse, axis=0), 0.0)
    scaled = np.divide(n, before, out=np.zeros_like(n), where=(n > 0) & (before > 0))
    total = scaled.sum(axis=1)
    alive = scaled * (1 - incidence_before)
    all_d = d.sum(axis=1)
    pooled = np.cumsum(np.divide(all_d, total, out=np.zeros_like(total), where=total > 0))
    pooled_before = np.concatenate(([0.0], pooled[:-1]))
    weight = (1 - pooled_before) ** rho
    share = np.divide(alive, alive.sum(axis=1, keepdims=True), out=np.zeros_like(alive), where=alive > 0)
    score = (weight[:, np.newaxis] * (d - all_d[:, np.newaxis] * share)).sum(axis=0)

    fraction = np.divide(scaled, total[:, np.newaxis], out=np.zeros_like(scaled), where=scaled > 0)
    a = (
        scaled[:, :, np.newaxis]
        * (np.eye(g) - fraction[:, np.newaxis, :])
        * weight[:, np.newaxis, np.newaxis]
    )
    pool = total * (1 - pooled_before)
    step = np.divide(all_d, pool, out=np.zeros_like(pool), where=pool > 0)
    c = np.cumsum(a * step[:, np.newaxis, np.newaxis], axis=0)
    at_risk = n > 0
    ratio = np.divide(
        (1 - pooled)[:, np.newaxis], surviving, out=np.zeros_like(surviving), where=surviving > 0
    )
    # The variance of the event's part; its correction for ties is that of the pooled process.
    own = np.where(surviving > 0, 1 - ratio, 1.0)
    spare = total[:, np.newaxis] * before - 1
    tied = np.where(
        all_d[:, np.newaxis] > 1,
        1 - np.divide((all_d - 1)[:, np.newaxis], spare, out=np.zeros_like(spare), where=spare > 0),
        1.0,
    )
    per_total = np.divide(all_d, total, out=np.zeros_like(total), where=total > 0)
    v_own = np.where(at_risk, tied * before * per_total[:, np.newaxis] * inverse, 0.0)
    # That of the rivals' part.
    tied_rival = np.where(r > 1, 1 - np.divide(r - 1, n - 1, out=np.zeros_like(n), where=n > 1), 1.0)
    v_rival = np.where((surviving > 0) & (r > 0), tied_rival * before**2 * r * inverse**2, 0.0)
    e_own = a - own[:, np.newaxis, :] * c
    e_rival = -ratio[:, np.newaxis, :] * c
    covariance = np.einsum("tik,tjk,tk->ij", e_own, e_own, v_own)
    covariance += np.einsum("tik,tjk,tk->ij", e_rival, e_rival, v_rival)
    v2 = np.einsum("tik,tk->ik", e_own, own * v_own) + np.einsum("tik,tk->ik", e_rival, ratio * v_rival)
    v3 = (own**2 * v_own + ratio**2 * v_rival).sum(axis=0)
    last = c[-1] if len(c) else np.zeros((g, g))
    crossed = last @ v2.T
    return score, covariance + (last * v3) @ last.T + crossed + crossed.T


def _lagged(values: FloatArray, first: float) -> FloatArray:
    return np.concatenate((np.full((1, values.shape[1]), first), values[:-1]))
