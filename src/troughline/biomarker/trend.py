"""Trends over ordered groups or a measured exposure: Jonckheere–Terpstra and Kendall, censored too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Censored

Floats = NDArray[np.float64]
Law = Literal["exact", "permutation", "normal"]

EXACT_UP_TO = 60
_CHUNK = 500
_TIE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A two-sided test that a value tends to rise or fall with x.

    `statistic` is S = Σ over pairs of patients of sign(xⱼ − xᵢ) · sign(yⱼ − yᵢ), 0 where an order is not
    known; over groups, Jonckheere–Terpstra's J is (S + pairs in different groups) / 2 (`jonckheere`).
    `tau` is Kendall's τ-b of what is known, `z` S over its permutation standard deviation (ties and censoring
    included). `law` says where `p_value` comes from.
    """

    statistic: float
    jonckheere: float
    tau: float
    z: float
    p_value: float
    p_normal: float
    law: Law
    n: int


def trend_test(
    x: Floats, y: Censored, *, rng: np.random.Generator | None = None, permutations: int = 10_000
) -> Trend:
    """Test for a trend of `y` `(n,)`, values known as intervals, over `x` `(n,)` (a dose or an exposure).

    Two intervals that overlap have no known order. Exact from the law of Jonckheere–Terpstra's statistic
    where y has neither ties nor censoring and n ≤ 60; else by permuting x (add-one p-value), with `rng`; or,
    with `rng` left out, normal with the permutation variance, which holds all ties (Daniels 1944,
    doi 10.1093/biomet/33.2.129). Jonckheere 1954, doi 10.1093/biomet/41.1-2.133.
    Raises `ValueError` for fewer than three patients or where x or y has no order at all.
    """
    from scipy.special import ndtr

    n = len(y)
    if n < 3 or len(x) != n:
        raise ValueError(f"{len(x)} x and {n} y: a trend needs three or more patients with both")
    above = (y.low[None, :] >= y.high[:, None]) & ~(
        y.exact[None, :] & y.exact[:, None] & (y.low[None, :] == y.low[:, None])
    )
    order_y = above.astype(np.float64) - above.T.astype(np.float64)
    order_x = np.sign(x[None, :] - x[:, None])
    known_x, known_y = float(np.abs(order_x).sum()) / 2, float(np.abs(order_y).sum()) / 2
    if known_x == 0:
        raise ValueError("x is the same in every patient: no trend")
    if known_y == 0:
        raise ValueError("the order of no two values is known: no trend")
    s = float((order_x * order_y).sum()) / 2
    sd = _permutation_sd(order_x, order_y)
    z = s / sd
    p_normal = float(2 * ndtr(-abs(z)))
    no_ties = bool(y.exact.all()) and len(np.unique(y.low)) == n
    groups = np.unique(x, return_counts=True)[1]
    law: Law = "normal"
    p = p_normal
    if no_ties and n <= EXACT_UP_TO:
        p, law = _exact_p((s + known_x) / 2, groups), "exact"
    elif rng is not None:
        p, law = _permuted_p(x, order_y, s, rng, permutations), "permutation"
    return Trend(
        statistic=s, jonckheere=(s + known_x) / 2, tau=s / math.sqrt(known_x * known_y), z=z, p_value=p,
        p_normal=p_normal, law=law, n=n,
    )  # fmt: skip


def _permutation_sd(a: Floats, b: Floats) -> float:
    """The standard deviation of Σ_{i<j} a b over all permutations of one of two antisymmetric matrices."""
    n = len(a)
    squares_a, squares_b = float((a**2).sum()), float((b**2).sum())
    rows_a, rows_b = float((a.sum(axis=1) ** 2).sum()), float((b.sum(axis=1) ** 2).sum())
    variance = 4 * (rows_a - squares_a) * (rows_b - squares_b) / (n * (n - 1) * (n - 2))
    variance += 2 * squares_a * squares_b / (n * (n - 1))
    return math.sqrt(variance) / 2


def _exact_p(j: float, sizes: NDArray[np.intp]) -> float:
    """Twice the smaller tail of J without ties: a sum of independent Mann–Whitney counts."""
    law = np.ones(1)
    before = int(sizes[0])
    for size in sizes[1:]:
        law = np.convolve(law, _mann_whitney_law(before, int(size)))
        before += int(size)
    law /= law.sum()
    at = round(j)
    return float(min(1.0, 2 * min(law[: at + 1].sum(), law[at:].sum())))


def _mann_whitney_law(m: int, n: int) -> Floats:
    """Probabilities of 0 … m·n: the Gaussian binomial coefficient, Π (1 − qⁿ⁺ⁱ)/(1 − qⁱ)."""
    law = np.zeros(m * n + 1)
    law[0] = 1.0
    for i in range(1, m + 1):
        longer = law.copy()
        if n + i <= m * n:
            longer[n + i :] -= law[: m * n + 1 - n - i]
        for start in range(i):
            longer[start::i] = np.cumsum(longer[start::i])
        law = longer / longer.max()
    return law / law.sum()


def _permuted_p(x: Floats, order_y: Floats, s: float, rng: np.random.Generator, permutations: int) -> float:
    """(1 + permutations with |S| as large) / (1 + permutations)."""
    values, codes = np.unique(x, return_inverse=True)
    tie = _TIE * max(1.0, abs(s))
    as_large = done = 0
    few = len(values) <= 12
    while done < permutations:
        size = min(_CHUNK, permutations - done)
        mixed = rng.permuted(np.broadcast_to(codes, (size, len(x))), axis=1)
        total = np.zeros(size)
        if few:
            # Σ_{i<j} sign(x) sign(y) = Σ over pairs of groups of 1ᵀ order 1.
            lower = np.zeros((size, len(x)))
            for k in range(len(values) - 1):
                lower += mixed == k
                total += np.einsum("pi,pi->p", lower @ order_y, (mixed == k + 1).astype(np.float64))
        else:
            for k in range(size):
                row = mixed[k]
                total[k] = float((np.sign(row[None, :] - row[:, None]) * order_y).sum()) / 2
        as_large += int((np.abs(total) >= abs(s) - tie).sum())
        done += size
    return (1 + as_large) / (1 + permutations)
