"""Pareto smoothing of importance weights: the largest weights are replaced by those a fitted tail expects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SMALLEST_TAIL = 5


def log_sum_exp(values: Floats, axis: int = -1) -> Floats:
    """`log(sum(exp(values)))` along an axis, without overflow."""
    top = values.max(axis=axis, keepdims=True)
    return np.squeeze(top, axis=axis) + np.log(np.exp(values - top).sum(axis=axis))


def pareto_smoothed(log_ratios: Floats) -> tuple[Floats, Floats]:
    """Normalised, smoothed log weights and the shape k of their tail, one set of weights a row.

    Parameters: `log_ratios` `(n_sets, n_draws)`, up to a constant a row.
    Returns: log weights `(n_sets, n_draws)` whose exponentials sum to 1 in each row, and k `(n_sets,)`.
    Above about 0.7 the weights are too uneven to be trusted. The tail holds `min(0.2 S, 3 sqrt(S))` of the
    `S` draws; k is minus infinity where all the weights in it are equal or where it has fewer than five.
    Source: Vehtari, Simpson, Gelman, Yao & Gabry, doi 10.48550/arXiv.1507.02646.
    """
    if log_ratios.ndim != 2:
        raise ValueError(f"log_ratios has {log_ratios.ndim} dimension(s), 2 are needed: sets by draws")
    n_sets, n_draws = log_ratios.shape
    weights = log_ratios - log_ratios.max(axis=1, keepdims=True)
    shape = np.full(n_sets, -np.inf)
    n_tail = int(np.ceil(min(0.2 * n_draws, 3 * np.sqrt(n_draws))))
    if n_tail >= SMALLEST_TAIL and n_draws > n_tail:
        order = np.argpartition(weights, n_draws - n_tail - 1, axis=1)
        cutoff = np.take_along_axis(weights, order[:, n_draws - n_tail - 1 : n_draws - n_tail], axis=1)
        where = order[:, n_draws - n_tail :]
        tail = np.take_along_axis(weights, where, axis=1)
        rank = np.argsort(tail, axis=1)
        where, tail = np.take_along_axis(where, rank, axis=1), np.take_along_axis(tail, rank, axis=1)
        floor = np.exp(np.maximum(cutoff, np.log(np.finfo(float).tiny)))
        excess = np.exp(tail) - floor
        rows = (excess[:, -1] > 1e-12) & (excess[:, n_tail // 4] > 0)
        if rows.any():
            k, sigma = _generalised_pareto(excess[rows])
            at = (np.arange(1, n_tail + 1) - 0.5) / n_tail
            smooth = np.log(_quantile(at, k, sigma) + floor[rows])
            new = weights[rows]
            np.put_along_axis(new, where[rows], np.minimum(smooth, 0.0), axis=1)
            weights[rows] = new
            shape[rows] = k
    return weights - log_sum_exp(weights)[:, None], shape


def _generalised_pareto(excess: Floats) -> tuple[Floats, Floats]:
    """Shape and scale of the generalised Pareto fitted to each row of sorted positive excesses.

    The empirical-Bayes estimate of Zhang & Stephens 2009 (doi 10.1198/tech.2009.08017), its shape drawn
    towards 1/2 with the weight of ten observations as Vehtari et al. advise.
    """
    n = excess.shape[1]
    n_grid = 30 + int(np.sqrt(n))
    spread = 1 - np.sqrt(n_grid / (np.arange(1, n_grid + 1) - 0.5))
    quarter = excess[:, int(n / 4 + 0.5) - 1]
    quarter = np.maximum(quarter, 1e-12 * excess[:, -1])
    theta = 1 / excess[:, -1][:, None] + spread / (3 * quarter[:, None])
    k = np.log1p(-theta[:, :, None] * excess[:, None, :]).mean(axis=2)
    profile = n * (np.log(-theta / k) - k - 1)
    weight = np.exp(profile - log_sum_exp(profile)[:, None])
    best = (theta * weight).sum(axis=1)
    shape = np.log1p(-best[:, None] * excess).mean(axis=1)
    scale = -shape / best
    return (shape * n + 5.0) / (n + 10.0), scale


def _quantile(at: Floats, shape: Floats, scale: Floats) -> Floats:
    k = np.where(np.abs(shape) < 1e-9, 1e-9, shape)[:, None]
    return scale[:, None] * np.expm1(-k * np.log1p(-at)) / k
