"""Intervals over trials: medians and central intervals, with what was not reached kept as such."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def middle(values: Floats, level: float) -> tuple[float, float, float]:
    """The median of values and the ends of their central interval; ∞ (not reached) sorts last, NaN is left
    out.
    """
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return math.nan, math.nan, math.nan
    tail = 0.5 * (1.0 - level)
    found: list[float] = []
    for q in (0.5, tail, 1.0 - tail):
        place = q * (len(known) - 1)
        low, part = int(place), place - int(place)
        high = min(low + 1, len(known) - 1)
        a, b = float(known[low]), float(known[high])
        found.append(a if part == 0.0 else (a + part * (b - a) if math.isfinite(b) else b))
    return found[0], found[1], found[2]


def wilson(hits: int, n: int, level: float) -> tuple[float, float]:
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
