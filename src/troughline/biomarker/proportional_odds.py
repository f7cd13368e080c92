"""Proportional-odds regression of an ordered stage on a marker, and Brant's check of its one assumption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_ITERATIONS = 80
TOLERANCE = 1e-9
LARGEST_SLOPE = 15.0
"""A slope per standard deviation beyond this only comes from separated stages."""


class NoOrdinalEstimate(ValueError):
    """The regression has no finite maximum: a stage, or the whole scale, is separated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProportionalOdds:
    """A fit of logit P(stage ≤ k) = θ_k − x β.

    `slopes` (p,) are log odds ratios of a higher stage per unit of each column; `thresholds` (K − 1,);
    `covariance` (p, p) of the slopes.
    """

    slopes: Floats
    thresholds: Floats
    covariance: Floats
    log_likelihood: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BrantTest:
    """Brant's Wald test that one slope serves every cut of the scale: χ², its degrees of freedom, p."""

    statistic: float
    df: int
    p_value: float
    slopes: Floats


def fit_proportional_odds(stage: Integers, design: Floats) -> ProportionalOdds:
    """Maximum likelihood of the proportional-odds model by Newton's method with exact derivatives.

    `stage` (n,) holds 0 … K − 1, each of which occurs; `design` (n, p) has no intercept column.
    Raises `NoOrdinalEstimate` where the likelihood has no finite maximum, `ValueError` for one stage only or
    a stage without patients.
    Source: McCullagh 1980, doi 10.1111/j.2517-6161.1980.tb01109.x.
    """
    y = np.asarray(stage, dtype=np.int64)
    counts = np.bincount(y)
    n, p, k = y.size, design.shape[1], counts.size
    if k < 2 or (counts == 0).any():
        raise ValueError("stages must be numbered from 0, at least two, each with a patient")
    centre = design.mean(axis=0)
    spread = design.std(axis=0)
    if (spread == 0).any():
        raise ValueError("a column of the design is constant")
    x = (design - centre) / spread
    upper, lower = np.zeros((n, k - 1 + p)), np.zeros((n, k - 1 + p))
    inside, above = y < k - 1, y > 0
    upper[np.flatnonzero(inside), y[inside]] = 1.0
    lower[np.flatnonzero(above), y[above] - 1] = 1.0
    upper[inside, k - 1 :] = -x[inside]
    lower[above, k - 1 :] = -x[above]
    share = np.cumsum(counts)[:-1] / n
    at = np.concatenate([np.log(share / (1 - share)), np.zeros(p)])
    value, gradient, hessian = _derivatives(at, upper, lower, inside, above, k)
    for _ in range(MAX_ITERATIONS):
        step = _solve(-hessian, gradient)
        size = 1.0
        while size > 1e-6:
            trial = at + size * step
            tried = _derivatives(trial, upper, lower, inside, above, k)
            if tried[0] >= value - 1e-12:
                break
            size /= 2
        else:
            raise NoOrdinalEstimate("the proportional-odds likelihood could not be maximised")
        at = trial
        value, gradient, hessian = tried
        if (np.abs(at[k - 1 :]) > LARGEST_SLOPE).any():
            raise NoOrdinalEstimate("the stages are separated: there is no finite odds ratio")
        if np.abs(size * step).max() < TOLERANCE:
            break
    else:
        raise NoOrdinalEstimate("the proportional-odds likelihood did not converge")
    covariance = np.linalg.inv(-hessian)[k - 1 :, k - 1 :] / np.outer(spread, spread)
    slopes = at[k - 1 :] / spread
    return ProportionalOdds(
        slopes=slopes,
        thresholds=at[: k - 1] + float(slopes @ centre),
        covariance=covariance,
        log_likelihood=value,
        n=n,
    )


def brant_test(stage: Integers, design: Floats) -> BrantTest:
    """Brant's test: are the slopes of the K − 1 binary regressions of stage > k the same?

    The binary fits share patients, so their slopes are correlated: Cov(β_k, β_l) =
    (X′W_kk X)⁻¹ X′W_kl X (X′W_ll X)⁻¹ with W_kl = diag(π_l − π_k π_l), k ≤ l, π the fitted P(stage > ·).
    `stage` (n,) holds 0 … K − 1; `design` (n, p) without intercept.
    Raises `NoOrdinalEstimate` where one of the binary regressions is separated, `ValueError` for two stages,
    where there is nothing to check.
    Source: Brant 1990, doi 10.2307/2532457.
    """
    from scipy.special import chdtrc

    from troughline.response.logistic import ConvergenceError, SeparationError, fit_logistic

    n_cuts, p = int(stage.max()), int(design.shape[1])
    if n_cuts < 2:
        raise ValueError("two stages have one cut: proportional odds hold by themselves")
    x: Floats = np.column_stack([np.ones(stage.size), design])
    slopes: list[Floats] = []
    chance: list[Floats] = []
    for cut in range(n_cuts):
        try:
            fit = fit_logistic(x, stage > cut)
        except (SeparationError, ConvergenceError, np.linalg.LinAlgError) as error:
            raise NoOrdinalEstimate(f"stages above and below cut {cut + 1} are separated") from error
        slopes.append(fit.coefficients[1:])
        chance.append(1.0 / (1.0 + np.exp(-(x @ fit.coefficients))))
    bread = [np.linalg.inv((x * (c * (1 - c))[:, None]).T @ x) for c in chance]
    joint: Floats = np.empty((n_cuts * p, n_cuts * p), dtype=np.float64)
    for i in range(n_cuts):
        for j in range(i, n_cuts):
            meat = (x * (chance[j] - chance[i] * chance[j])[:, None]).T @ x
            block = (bread[i] @ meat @ bread[j])[1:, 1:]
            joint[i * p : (i + 1) * p, j * p : (j + 1) * p] = block
            joint[j * p : (j + 1) * p, i * p : (i + 1) * p] = block.T
    contrast: Floats = np.hstack([np.tile(np.eye(p), (n_cuts - 1, 1)), -np.eye((n_cuts - 1) * p)])
    apart: Floats = contrast @ np.concatenate(slopes)
    middle: Floats = contrast @ joint @ contrast.T
    statistic = float(apart @ _solve(middle, apart))
    df: int = (n_cuts - 1) * p
    return BrantTest(
        statistic=statistic,
        df=df,
        p_value=float(chdtrc(float(df), max(statistic, 0.0))),
        slopes=np.stack(slopes),
    )


def _derivatives(
    at: Floats,
    upper: Floats,
    lower: Floats,
    inside: NDArray[np.bool_],
    above: NDArray[np.bool_],
    n_stages: int,
) -> tuple[float, Floats, Floats]:
    """The log-likelihood, its gradient and Hessian; minus infinity where the thresholds are out of order."""
    if (np.diff(at[: n_stages - 1]) <= 0).any():
        return -np.inf, at, np.eye(at.size)
    high = np.where(inside, _sigmoid(upper @ at), 1.0)
    low = np.where(above, _sigmoid(lower @ at), 0.0)
    chance = np.maximum(high - low, 1e-300)
    slope_high, slope_low = high * (1 - high), low * (1 - low)
    g_high, g_low = slope_high / chance, -slope_low / chance
    h_high = slope_high * (1 - 2 * high) / chance - g_high**2
    h_low = -slope_low * (1 - 2 * low) / chance - g_low**2
    cross = -g_high * g_low
    mixed = (upper * cross[:, None]).T @ lower
    hessian = (upper * h_high[:, None]).T @ upper + (lower * h_low[:, None]).T @ lower + mixed + mixed.T
    return float(np.log(chance).sum()), upper.T @ g_high + lower.T @ g_low, hessian


def _sigmoid(eta: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-eta))


def _solve(matrix: Floats, right: Floats) -> Floats:
    try:
        return np.linalg.solve(matrix, right).astype(np.float64)
    except np.linalg.LinAlgError:
        raise NoOrdinalEstimate("the information of the ordinal regression is singular") from None
