"""Few draws of an exposure made many: the part that is linear in the effects is integrated, not drawn."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POINTS = 16
MOST_DRAWS = 2000
"""Up to so many draws smoothing is nearer the truth than counting; beyond them counting is."""


def can_smooth(draws: int, columns: int) -> bool:
    """Whether so many draws of so many effects tell the linear part, and are few enough to gain by it."""
    return 2 * (columns + 1) <= draws <= MOST_DRAWS


def smooth_draws(values: Floats, normals: Floats) -> Floats:
    """Exposures (n · 16, k) in place of n draws (n, k) at standard normals (n, q), all equally weighted.

    With log x = b₀ + b′z + r by least squares, s = b′z/|b| is standard normal. Every draw keeps what is not
    along b, b₀ + r, and takes s at 16 points of equal probability: P(x < limit) is then the mean over draws
    of Φ((log limit − b₀ − r)/|b|), which few draws know far better than their count below the limit does. It
    takes r as independent of s: a small error where log x is nearly linear in the effects.
    """
    n, k = values.shape
    logs = np.log(np.maximum(values, 1e-300))
    centred = normals - normals.mean(axis=0)
    slopes = _slopes(centred, logs)
    size = np.sqrt((slopes**2).sum(axis=0))
    rest = logs - normals @ slopes
    return np.exp(rest[:, None, :] + size * _points()[None, :, None]).reshape(n * POINTS, k)


def _slopes(centred: Floats, logs: Floats) -> Floats:
    """Least squares of the columns of `logs` (n, k) on normals with mean 0 (n, q): (q, k)."""
    return np.asarray(np.linalg.solve(centred.T @ centred, centred.T @ logs), dtype=np.float64)


@cache
def _points() -> Floats:
    """The standard normal's quantiles at the middles of 16 equal parts (16,)."""
    from scipy.special import ndtri

    made: Floats = ndtri((np.arange(POINTS) + 0.5) / POINTS)
    return made
