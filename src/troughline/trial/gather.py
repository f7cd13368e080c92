"""Intervals over trials: medians and central intervals, with what was not reached kept as such."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


FEWEST = 40
"""Fewer trials than this give no interval: its ends would be the smallest and the largest of them."""


def middle(values: Floats, level: float, weight: Floats | None = None) -> tuple[float, float, float]:
    """The median of values and the ends of their central interval; ∞ (not reached) sorts last, NaN is left
    out.

    With a `weight` for each value, quantiles lie where the weighted values do on the line from the first to
    the last (of equal weights: the usual quantiles, linear between values).
    """
    use = ~np.isnan(values)
    order = np.argsort(values[use], kind="stable")
    known = values[use][order]
    if not len(known):
        return math.nan, math.nan, math.nan
    places = _places(np.ones(len(known)) if weight is None else weight[use][order])
    tail = 0.5 * (1.0 - level)
    found: list[float] = []
    for q in (0.5, tail, 1.0 - tail):
        place = float(np.interp(q, places, np.arange(len(known))))
        low = min(int(place + 1e-9), len(known) - 1)
        part = max(place - low, 0.0)
        high = min(low + 1, len(known) - 1)
        a, b = float(known[low]), float(known[high])
        found.append(a if part < 1e-9 else (a + part * (b - a) if math.isfinite(b) else b))
    return found[0], found[1], found[2]


def _places(weight: Floats) -> Floats:
    """Where each of sorted values stands from 0 to 1 by its weight (n,)."""
    n = len(weight)
    if n == 1:
        return np.zeros(1)
    places = np.arange(n) * weight + (n - 1) * (np.cumsum(weight) - weight)
    return np.asarray(places / places[-1], dtype=np.float64)


def middles(rows: Floats, level: float, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """`middle` of every column of finite values (n, m): median, lower and upper end (m,)."""
    found = np.array([middle(column, level, weight) for column in rows.T])
    return found[:, 0], found[:, 1], found[:, 2]


def equally(groups: Sequence[str]) -> Floats:
    """A weight for each value (n,), adding to n, such that every group has the same weight in all."""
    counts = {g: list(groups).count(g) for g in dict.fromkeys(groups)}
    return np.array([len(groups) / (len(counts) * counts[g]) for g in groups])


def effective(weight: Floats) -> float:
    """How many equal weights say as much. Source: Kish 1965, ISBN 0-471-10949-5."""
    return float(weight.sum() ** 2 / (weight @ weight))


def wilson(hits: float, n: float, level: float) -> tuple[float, float]:
    """Wilson's interval of a share. Source: Wilson 1927, doi 10.1080/01621459.1927.10502953."""
    if n == 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(0.5 * (1.0 + level))
    p, share = hits / n, z * z / n
    centre = (p + 0.5 * share) / (1.0 + share)
    half = z / (1.0 + share) * math.sqrt(p * (1.0 - p) / n + share / (4.0 * n))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def succeeds(log_hr: float, error: float, alpha: float) -> bool:
    """Whether a trial is won: its hazard ratio below 1 with p below `alpha`, two-sided (Wald)."""
    if not (math.isfinite(log_hr) and error > 0.0):
        return False
    return log_hr / error < NormalDist().inv_cdf(0.5 * alpha)
