"""p-values corrected for how many there are: Holm, and Benjamini and Hochberg."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def holm(p: Floats) -> Floats:
    """Holm's step-down adjusted p-values of `p` `(m,)`; a missing one stays missing.

    Holm 1979, Scand J Stat 6:65–70: the chance of any false finding is at most the level.
    """
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    raw = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(raw), 1.0)
    return adjusted


def benjamini_hochberg(p: Floats) -> Floats:
    """Benjamini & Hochberg's adjusted p-values of `p` `(m,)`; a missing one stays missing.

    They bound the expected share of false findings among all (doi 10.1111/j.2517-6161.1995.tb02031.x).
    """
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    raw = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return adjusted
