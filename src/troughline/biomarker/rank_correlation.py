"""Rank correlations with intervals: Kendall's tau-b for values below limits, Spearman, partial Spearman."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.biomarker.trend import kendall_s

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FEWEST = 5
"""Patients below whom no interval of a correlation is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """A correlation with its interval (not-a-number where there are too few patients) and two-sided p."""

    value: float
    low: float
    high: float
    level: float
    p_value: float
    n: int


def tau_b(a: Floats, b: Floats, *, level: float = 0.95) -> Correlation:
    """Kendall's tau-b of two matrices of comparisons `(n, n)` (`trend.comparisons`), with its test.

    tau-b = Σ a_ij b_ij / √(Σ a_ij² Σ b_ij²): pairs that are tied, or whose order a limit hides, count in
    neither sum. The p-value is the normal one with the variance over permutations (`trend.kendall_s`). The
    interval comes from the jackknife on Fisher's scale z = artanh τ, widened by the t distribution.
    Raises `ValueError` where one of the two does not vary.
    Source: Kendall 1945, doi 10.1093/biomet/33.3.239 (not confirmed); for limits Helsel 2011, ISBN
    9780470479889.
    """
    s, variance = kendall_s(a, b)
    pairs_a, pairs_b = float((a * a).sum()), float((b * b).sum())
    if pairs_a == 0 or pairs_b == 0:
        raise ValueError("no two values can be told apart")
    value = 2 * s / math.sqrt(pairs_a * pairs_b)
    from scipy.special import ndtr

    p = 2 * float(ndtr(-abs(s) / math.sqrt(variance)))
    n = a.shape[0]
    # Leaving patient i out takes twice row i out of each double sum.
    top = 2 * s - 2 * (a * b).sum(axis=1)
    under = (pairs_a - 2 * (a * a).sum(axis=1)) * (pairs_b - 2 * (b * b).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        left_out = np.where(under > 0, top / np.sqrt(under), np.nan)
    low, high = _jackknife_interval(value, left_out, n, level)
    return Correlation(value=value, low=low, high=high, level=level, p_value=p, n=n)


def spearman(x: ArrayLike, y: ArrayLike, *, level: float = 0.95) -> Correlation:
    """Spearman's correlation of `x` and `y` (n,), ties at their mean rank.

    p from t = ρ √((n − 2) / (1 − ρ²)); interval on Fisher's scale by the jackknife, right with ties too.
    Raises `ValueError` for fewer than three patients or a constant column.
    """
    return partial_spearman(x, y, np.empty((np.asarray(x).size, 0)), level=level)


def partial_spearman(
    x: ArrayLike, y: ArrayLike, covariates: ArrayLike, *, level: float = 0.95
) -> Correlation:
    """The correlation of the ranks of `x` and `y` (n,) given the ranks of `covariates` (n, p).

    Both rank columns are regressed on the ranks of the covariates (a column of 0 and 1 stays as it is, but
    for its scale) and the residuals are correlated. p from t with n − 2 − p degrees of freedom; interval on
    Fisher's scale by the jackknife.
    Raises `ValueError` with fewer than p + 4 patients, where a column is constant, or where the covariates
    leave nothing of it.
    Source: Kendall 1942, doi 10.1093/biomet/32.3-4.277 (not confirmed).
    """
    from scipy.stats import rankdata
    from scipy.stats import t as student

    left, right = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    given = np.asarray(covariates, dtype=np.float64).reshape(left.size, -1)
    n, p = left.size, given.shape[1]
    if n < p + 4:
        raise ValueError(f"{n} patients for {p} adjusting columns: at least {p + 4} are needed")
    ranked = [np.asarray(rankdata(c), dtype=np.float64) for c in (left, right, *given.T)]
    value = _residual_correlation(ranked)
    left_out = np.array([_left_out(ranked, i) for i in range(n)])
    low, high = _jackknife_interval(value, left_out, n - p, level)
    df = n - 2 - p
    with np.errstate(divide="ignore"):
        statistic = value * math.sqrt(df / max(1.0 - value * value, 1e-300))
    return Correlation(
        value=value, low=low, high=high, level=level, p_value=2 * float(student.sf(abs(statistic), df)), n=n
    )


def tied_beyond(values: ArrayLike, below: ArrayLike, above: ArrayLike | None = None) -> Floats:
    """Values for rank methods: all under the highest limit tied lowest, all over the lowest upper one tied.

    `values` (n,) holds the limit where `below` or `above` (n,). A measured value under another's limit cannot
    be ranked against it, so it is tied with it: the usual loss with several limits.
    Raises `ValueError` where the highest lower limit is above the lowest upper one: nothing can be ranked.
    """
    x, less = np.asarray(values, dtype=np.float64), np.asarray(below, dtype=np.bool_)
    more = np.zeros(x.shape, dtype=np.bool_) if above is None else np.asarray(above, dtype=np.bool_)
    highest = float(x[less].max()) if less.any() else -np.inf
    lowest = float(x[more].min()) if more.any() else np.inf
    if highest > lowest:
        raise ValueError(
            f"a lower limit of {highest:g} and an upper limit of {lowest:g} leave no order of values"
        )
    bottom: Flags = less | (~more & (x < highest))
    top: Flags = more | (~less & (x > lowest))
    return np.where(bottom, -np.inf, np.where(top, np.inf, x))


def _residual_correlation(ranked: list[Floats]) -> float:
    x, y, *given = ranked
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise ValueError("a column is constant: ranks cannot be correlated")
    design = np.column_stack([np.ones_like(x), *given])
    solution = np.linalg.lstsq(design, np.column_stack([x, y]), rcond=None)[0]
    rest = np.column_stack([x, y]) - design @ solution
    sums = np.sqrt((rest**2).sum(axis=0))
    if min(sums[0] / np.linalg.norm(x - x.mean()), sums[1] / np.linalg.norm(y - y.mean())) < 1e-7:
        raise ValueError("the adjusting covariates determine a column: nothing is left to correlate")
    return float(np.clip(rest[:, 0] @ rest[:, 1] / (sums[0] * sums[1]), -1.0, 1.0))


def _left_out(ranked: list[Floats], i: int) -> float:
    """The correlation without patient i, ranks taken anew: those above lose one place, ties half of one."""
    without: list[Floats] = []
    for r in ranked:
        kept = np.delete(r, i)
        without.append(kept - (kept > r[i]) - 0.5 * (kept == r[i]))
    try:
        return _residual_correlation(without)
    except ValueError:
        return math.nan


def _jackknife_interval(value: float, left_out: Floats, n: int, level: float) -> tuple[float, float]:
    """tanh(z ± t · SE), SE the jackknife's on Fisher's scale; nothing where it cannot be had."""
    from scipy.stats import t as student

    if n < FEWEST or abs(value) >= 1.0 or not np.isfinite(left_out).all() or (np.abs(left_out) >= 1).any():
        return math.nan, math.nan
    z = np.arctanh(left_out)
    m = left_out.size
    error = math.sqrt((m - 1) / m * float(((z - z.mean()) ** 2).sum()))
    half = float(student.ppf(0.5 + level / 2, max(n - 2, 1))) * error
    centre = math.atanh(value)
    return math.tanh(centre - half), math.tanh(centre + half)
