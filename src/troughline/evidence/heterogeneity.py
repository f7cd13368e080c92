"""How much studies differ beyond chance: Cochran's Q, tau² by three methods, its Q-profile interval.

Every function takes estimates and their variances of shape `(..., k)`, k studies along the last axis, and
works on all leading axes at once.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
TauMethod = Literal["REML", "PM", "DL"]

_HALVINGS = 80
_GRID = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 121)])


def weighted_mean(y: FloatArray, weights: FloatArray) -> FloatArray:
    """Σ w y / Σ w over the last axis, shape `(...)`."""
    return np.sum(weights * y, axis=-1) / np.sum(weights, axis=-1)


def cochran_q(y: FloatArray, v: FloatArray, tau2: FloatArray | float = 0.0) -> FloatArray:
    """Q(τ²) = Σ w (y − μ̂)², w = 1/(v + τ²); at τ² = 0 Cochran's Q. Falls as τ² grows. Shape `(...)`."""
    w = 1.0 / (v + np.asarray(tau2, dtype=np.float64)[..., None])
    return np.sum(w * (y - weighted_mean(y, w)[..., None]) ** 2, axis=-1)


def tau_squared(y: FloatArray, v: FloatArray, method: TauMethod = "REML") -> FloatArray:
    """The variance between studies, shape `(...)`; 0 where the studies differ no more than chance lets them.

    `REML` maximises the restricted likelihood (globally, over τ² from 0 to the largest that can matter);
    `PM` solves Q(τ²) = k − 1 (Paule & Mandel 1982, doi 10.6028/jres.087.022); `DL` is the moment estimate
    (DerSimonian & Laird 1986, doi 10.1016/0197-2456(86)90046-2). Raises `ValueError` for an unknown method.
    """
    k = y.shape[-1]
    if k < 2:
        return np.zeros(y.shape[:-1])
    if method == "DL":
        w = 1.0 / v
        scale = np.sum(w, axis=-1) - np.sum(w**2, axis=-1) / np.sum(w, axis=-1)
        return np.maximum(0.0, (cochran_q(y, v) - (k - 1)) / scale)
    if method == "PM":
        return tau_squared_at(y, v, float(k - 1))
    if method == "REML":
        return _restricted_maximum(y, v)
    raise ValueError(f"unknown method {method!r}; known: REML, PM, DL")


def tau_squared_at(y: FloatArray, v: FloatArray, q: float) -> FloatArray:
    """The τ² at which Q(τ²) = q, 0 where even Q(0) is smaller. Shape `(...)`."""
    low: FloatArray = np.zeros(y.shape[:-1])
    # Q(τ²) ≤ Σ (y − ȳ)² / τ², so that the root lies below Σ (y − ȳ)² / q.
    high: FloatArray = np.sum((y - np.mean(y, axis=-1, keepdims=True)) ** 2, axis=-1) / q
    inside = cochran_q(y, v) > q
    for _ in range(_HALVINGS):
        middle: FloatArray = (low + high) / 2.0
        above = cochran_q(y, v, middle) > q
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(inside, (low + high) / 2.0, 0.0)


def q_profile(y: FloatArray, v: FloatArray, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """The interval of τ² from the exact distribution of Q(τ²) (Viechtbauer 2007, doi 10.1002/sim.2514)."""
    from scipy.stats import chi2

    df = y.shape[-1] - 1
    lower, upper = (float(chi2.ppf(p, df)) for p in (0.5 + level / 2.0, 0.5 - level / 2.0))
    return tau_squared_at(y, v, lower), tau_squared_at(y, v, upper)


def restricted_log_likelihood(y: FloatArray, v: FloatArray, tau2: FloatArray) -> FloatArray:
    """−½ [Σ log(v + τ²) + log Σ w + Q(τ²)], up to a constant. Shape `(...)`."""
    total = v + tau2[..., None]
    return -0.5 * (
        np.sum(np.log(total), axis=-1) + np.log(np.sum(1.0 / total, axis=-1)) + cochran_q(y, v, tau2)
    )


def _restricted_maximum(y: FloatArray, v: FloatArray) -> FloatArray:
    """A grid finds the highest peak, halving of its score's bracket finds its place."""
    spread: FloatArray = np.sum((y - np.mean(y, axis=-1, keepdims=True)) ** 2, axis=-1)
    # Beyond the sum of squares the score is negative whatever the variances are.
    top = np.maximum(spread, np.finfo(np.float64).tiny)
    candidates = top[..., None] * _GRID
    heights = np.stack(
        [restricted_log_likelihood(y, v, candidates[..., j]) for j in range(_GRID.size)], axis=-1
    )
    best = np.argmax(heights, axis=-1)
    low = np.take_along_axis(candidates, np.maximum(best - 1, 0)[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(candidates, np.minimum(best + 1, _GRID.size - 1)[..., None], axis=-1)[..., 0]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        rising = _score(y, v, middle) > 0.0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    found = (low + high) / 2.0
    at_zero = (best == 0) & (_score(y, v, np.zeros_like(found)) <= 0.0)
    return np.where(at_zero, 0.0, found)


def _score(y: FloatArray, v: FloatArray, tau2: FloatArray) -> FloatArray:
    """The derivative of the restricted log-likelihood by τ², times two."""
    w = 1.0 / (v + tau2[..., None])
    total = np.sum(w, axis=-1)
    residual = y - weighted_mean(y, w)[..., None]
    return np.sum(w**2 * residual**2, axis=-1) - (total - np.sum(w**2, axis=-1) / total)
