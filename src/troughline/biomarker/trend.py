"""Trend over ordered groups or a number: Jonckheere–Terpstra and Kendall, for values known as intervals too.

The statistic counts pairs of patients from different groups, JT = Σ_{k<l} #{x in group k < x in group l}, a
tie, or a pair whose order a limit hides, counting half. With a_ij = sign(x_j − x_i) (0 where not known) and
b_ij = sign(g_j − g_i), S = Σ_{i<j} a_ij b_ij is Kendall's S, and JT = (S + number of pairs from different
groups) / 2, so that one variance serves both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.biomarker.censored import Censored, exactly

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Method = Literal["exact", "permutation", "asymptotic"]

EXACT_UP_TO = 100
"""Most patients for whom the exact distribution is computed (where nothing is tied)."""
PERMUTE_BELOW = 50
"""With ties and fewer patients than this permutations stand in for the normal distribution."""
_CHUNK_CELLS = 4_000_000
_FEW_GROUPS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A test of trend.

    `statistic` is JT, with `expected` value and `variance` when nothing is associated (given the ties), and
    `z` its standardised value; `p_value` is two-sided and `p_increasing` one-sided, both by `method`;
    `p_normal` is the two-sided p of `z`. `concordance` is JT over its greatest possible value, the chance
    that a patient of a higher group has the higher value (ties half); `tau` is Kendall's τ-b of what is
    known.
    """

    statistic: float
    expected: float
    variance: float
    z: float
    p_value: float
    p_increasing: float
    p_normal: float
    concordance: float
    tau: float
    method: Method
    n: int
    n_groups: int
    permutations: int = 0


def comparisons(values: ArrayLike | Censored, below: ArrayLike | None = None) -> Floats:
    """sign(x_j − x_i) for all pairs, `(n, n)`, 0 where tied or where a limit hides the order.

    `values` are intervals, or numbers (n,), which hold the limit where `below` (n,) is true. Two intervals
    that overlap have no known order: a value at or above another's limit is the higher of the two; two values
    below their limits, and a value under the other's limit, have none.
    Raises `ValueError` for a number that is not finite or arrays of other shapes.
    """
    known = _intervals(values, below)
    exact = known.exact
    tied = exact[None, :] & exact[:, None] & (known.low[None, :] == known.low[:, None])
    above = ((known.low[None, :] >= known.high[:, None]) & ~tied).astype(np.float64)
    return above - above.T


def _intervals(values: ArrayLike | Censored, below: ArrayLike | None) -> Censored:
    if isinstance(values, Censored):
        if below is not None:
            raise ValueError("intervals already say which values lie below a limit: leave below out")
        return values
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError("values must be one column of finite numbers")
    if below is None:
        return exactly(x)
    less = np.asarray(below, dtype=np.bool_)
    if less.shape != x.shape:
        raise ValueError(f"values {x.shape} and below {less.shape} are not two equal columns")
    return Censored(np.where(less, -np.inf, x), x)


def kendall_s(a: Floats, b: Floats) -> tuple[float, float]:
    """Kendall's S = Σ_{i<j} a_ij b_ij of two skew matrices, and its variance over all permutations.

    With Γ = 2 S: Var Γ = 4 [Σ a_ij a_ik − Σ a_ij²][Σ b_ij b_ik − Σ b_ij²] / (n(n−1)(n−2))
    + 2 Σ a_ij² Σ b_ij² / (n(n−1)). Ties and hidden pairs are zeros of the matrices.
    Source: Daniels 1944, doi 10.1093/biomet/33.2.129 (not confirmed).
    Raises `ValueError` for fewer than three patients.
    """
    n = a.shape[0]
    if n < 3:
        raise ValueError(f"{n} patients: at least 3 are needed")
    s = 0.5 * float((a * b).sum())
    squares_a, squares_b = float((a * a).sum()), float((b * b).sum())
    rows_a = float((a.sum(axis=1) ** 2).sum()) - squares_a
    rows_b = float((b.sum(axis=1) ** 2).sum()) - squares_b
    gamma = 4 * rows_a * rows_b / (n * (n - 1) * (n - 2)) + 2 * squares_a * squares_b / (n * (n - 1))
    return s, gamma / 4


def jonckheere_terpstra(
    values: ArrayLike | Censored,
    groups: ArrayLike,
    *,
    below: ArrayLike | None = None,
    exact: bool | None = None,
    permute_below: float = PERMUTE_BELOW,
    permutations: int = 9999,
    rng: np.random.Generator | None = None,
) -> Trend:
    """The test of trend of `values` (n,) over ordered `groups` (n,), whose numbers give the order.

    Over an exposure or another number without ties it is Kendall's test. `values` may be intervals; with
    numbers, `below` (n,) marks those that are limits with the true value somewhere below. `exact` None means:
    exact where nothing is tied and n ≤ 100; otherwise by permutation where `rng` is given and
    n < `permute_below`; otherwise the normal approximation with the variance corrected for ties and limits,
    without a continuity correction.
    `exact = True` permutes where there are ties; `False` is the normal one.
    Raises `ValueError` for one group only, values that cannot be told apart, fewer than three patients, or
    a permutation without `rng`.
    Source: Jonckheere 1954, doi 10.1093/biomet/41.1-2.133.
    """
    x, g = _intervals(values, below), np.asarray(groups, dtype=np.float64)
    if x.low.shape != g.shape:
        raise ValueError(f"values {x.low.shape} and groups {g.shape} are not two equal columns")
    a = comparisons(x)
    b = comparisons(g)
    distinct, member, sizes = np.unique(g, return_inverse=True, return_counts=True)
    if len(distinct) < 2:
        raise ValueError("one group only: a trend needs at least two")
    if not a.any():
        raise ValueError("no two values can be told apart")
    s, variance_s = kendall_s(a, b)
    pairs = 0.5 * float((b * b).sum())
    statistic, expected, variance = (s + pairs) / 2, pairs / 2, variance_s / 4
    z = (statistic - expected) / float(np.sqrt(variance))
    n = len(x)
    from scipy.special import ndtr

    p_normal = 2 * float(ndtr(-abs(z)))
    method = _method(exact, bool((a == 0).sum() > n), n, rng, permute_below)
    if method == "exact":
        increasing, two_sided = _exact(statistic, tuple(int(k) for k in sizes))
    elif method == "permutation":
        if rng is None:
            raise ValueError("permutations need a random generator: rng")
        drawn = _permuted(a, member, len(distinct), permutations, rng)
        tolerance = 1e-9 * max(1.0, abs(s))
        increasing = (1 + int((drawn >= s - tolerance).sum())) / (permutations + 1)
        two_sided = (1 + int((np.abs(drawn) >= abs(s) - tolerance).sum())) / (permutations + 1)
    else:
        increasing, two_sided = float(ndtr(-z)), p_normal
    return Trend(
        statistic=statistic,
        expected=expected,
        variance=variance,
        z=z,
        p_value=min(two_sided, 1.0),
        p_increasing=increasing,
        p_normal=p_normal,
        concordance=statistic / pairs,
        tau=s / math.sqrt(pairs * 0.5 * float((a * a).sum())),
        method=method,
        n=n,
        n_groups=len(distinct),
        permutations=permutations if method == "permutation" else 0,
    )


def _method(
    exact: bool | None, tied: bool, n: int, rng: np.random.Generator | None, permute_below: float
) -> Method:
    if exact is False:
        return "asymptotic"
    if exact:
        return "permutation" if tied else "exact"
    if not tied and n <= EXACT_UP_TO:
        return "exact"
    if rng is not None and n < permute_below:
        return "permutation"
    return "asymptotic"


@lru_cache(maxsize=64)
def exact_counts(sizes: tuple[int, ...]) -> Floats:
    """P(JT = 0, 1, …) for untied values in groups of these sizes; the array sums to 1.

    JT is a sum of independent Mann–Whitney counts of each group against all before it; the generating
    function of one is the Gaussian binomial Π_{i=1..m} (1 − q^(M+i)) / (1 − q^i).
    """
    total = np.ones(1)
    before = sizes[0]
    for size in sizes[1:]:
        one = np.ones(1)
        for i in range(1, size + 1):
            longer = np.zeros(one.size + before + i)
            longer[: one.size] = one
            longer[before + i :] -= one
            # Division by 1 − q^i: a running sum over every i-th entry.
            for start in range(i):
                longer[start::i] = np.cumsum(longer[start::i])
            one = longer[: 1 + i * before]
            one = one / one.sum()
        total = np.convolve(total, one)
        before += size
    total.flags.writeable = False
    return total


def _exact(statistic: float, sizes: tuple[int, ...]) -> tuple[float, float]:
    chance = exact_counts(sizes)
    at = round(statistic)
    upper, lower = float(chance[at:].sum()), float(chance[: at + 1].sum())
    return min(upper, 1.0), min(2 * min(upper, lower), 1.0)


def _permuted(
    a: Floats, member: NDArray[np.intp], n_groups: int, permutations: int, rng: np.random.Generator
) -> Floats:
    """S of `permutations` random orders of the groups."""
    n = a.shape[0]
    few = n_groups <= _FEW_GROUPS
    chunk = max(1, _CHUNK_CELLS // (4 * n))
    found: list[Floats] = []
    done = 0
    while done < permutations:
        k = min(chunk, permutations - done)
        shuffled = rng.permuted(np.tile(member, (k, 1)), axis=1)
        if few:
            # S = Σ_{k<l} 1_k' a 1_l, 1_k the indicator of group k.
            total, lower = np.zeros(k), np.zeros((k, n))
            for g in range(n_groups - 1):
                lower += shuffled == g
                total += np.einsum("ki,ki->k", lower @ a, (shuffled == g + 1).astype(np.float64))
        else:
            total = np.array([0.5 * float((np.sign(m[None, :] - m[:, None]) * a).sum()) for m in shuffled])
        found.append(total)
        done += k
    return np.concatenate(found)
