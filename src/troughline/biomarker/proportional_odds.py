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
_SIMULATE_BELOW = 0.05


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
    simulated: int = 0


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


def brant_test(
    stage: Integers, design: Floats, *, simulations: int = 0, rng: np.random.Generator | None = None
) -> BrantTest:
    """Brant's test: are the slopes of the K − 1 binary regressions of stage > k the same?

    The binary fits share patients, so their slopes are correlated: Cov(β_k, β_l) =
    (X′W_kk X)⁻¹ X′W_kl X (X′W_ll X)⁻¹ with W_kl = diag(π_l − π_k π_l), k ≤ l, π the fitted P(stage > ·).
    Where the fitted curves cross, this is no covariance; then W_kl holds the products of the residuals.
    `stage` (n,) holds 0 … K − 1; `design` (n, p) without intercept. In stages of few the χ² alarms too often:
    with `simulations` a p under 0.05 is replaced by the share of stages drawn from the fitted
    proportional-odds model whose statistic is as large (`simulated` says how many were drawn).
    Raises `NoOrdinalEstimate` where one of the binary regressions is separated, `ValueError` for two stages,
    where there is nothing to check, or simulations without `rng`.
    Source: Brant 1990, doi 10.2307/2532457.
    """
    from scipy.special import chdtrc

    n_cuts = int(stage.max())
    if n_cuts < 2:
        raise ValueError("two stages have one cut: proportional odds hold by themselves")
    slopes, statistic, df = _apart(stage, design)
    p_value, drawn = float(chdtrc(float(df), statistic)), 0
    if simulations and p_value < _SIMULATE_BELOW:
        if rng is None:
            raise ValueError("simulations need a random generator: rng")
        others = _simulated(fit_proportional_odds(stage, design), design, n_cuts, simulations, rng)
        drawn = len(others)
        p_value = (1 + sum(other >= statistic for other in others)) / (drawn + 1)
    return BrantTest(statistic=statistic, df=df, p_value=p_value, slopes=slopes, simulated=drawn)


def _apart(stage: Integers, design: Floats) -> tuple[Floats, float, int]:
    """The slopes of each cut (K − 1, p), Wald's statistic that they are the same, its degrees of freedom."""
    from troughline.response.logistic import ConvergenceError, SeparationError, fit_logistic

    n_cuts, p = int(stage.max()), int(design.shape[1])
    x: Floats = np.column_stack([np.ones(stage.size), design])
    slopes: list[Floats] = []
    chance: list[Floats] = []
    for cut in range(n_cuts):
        try:
            fit = fit_logistic(x, stage > cut)
        except (SeparationError, ConvergenceError, ValueError, np.linalg.LinAlgError) as error:
            raise NoOrdinalEstimate(f"stages above and below cut {cut + 1} are separated") from error
        slopes.append(fit.coefficients[1:])
        chance.append(_sigmoid(x @ fit.coefficients))
    rest = [(stage > cut) - c for cut, c in enumerate(chance)]
    contrast: Floats = np.hstack([np.tile(np.eye(p), (n_cuts - 1, 1)), -np.eye((n_cuts - 1) * p)])
    difference: Floats = contrast @ np.concatenate(slopes)
    df = (n_cuts - 1) * p
    model = _joint(x, [[c * (1 - d) for c in chance] for d in chance], chance)
    for joint in (model, _joint(x, [[r * q for r in rest] for q in rest], chance)):
        middle: Floats = contrast @ joint @ contrast.T
        if float(np.linalg.eigvalsh(middle).min()) > 0:
            return np.stack(slopes), float(difference @ _solve(middle, difference)), df
    raise NoOrdinalEstimate("the slopes of the cuts have no usable covariance")


def _joint(x: Floats, weights: list[list[Floats]], chance: list[Floats]) -> Floats:
    """The covariance of all slopes; `weights[k][l]` is the diagonal of W of cut l with cut k, l ≥ k used."""
    k, p = len(chance), int(x.shape[1]) - 1
    bread = [np.linalg.inv((x * (c * (1 - c))[:, None]).T @ x) for c in chance]
    joint: Floats = np.empty((k * p, k * p), dtype=np.float64)
    for i in range(k):
        for j in range(i, k):
            block = (bread[i] @ ((x * weights[i][j][:, None]).T @ x) @ bread[j])[1:, 1:]
            joint[i * p : (i + 1) * p, j * p : (j + 1) * p] = block
            joint[j * p : (j + 1) * p, i * p : (i + 1) * p] = block.T
    return joint


def _simulated(
    fit: ProportionalOdds, design: Floats, n_cuts: int, simulations: int, rng: np.random.Generator
) -> list[float]:
    """Brant statistics of stages drawn from a proportional-odds model, but for those without a fit."""
    below: Floats = _sigmoid(fit.thresholds[None, :] - (design @ fit.slopes)[:, None])
    found: list[float] = []
    for _ in range(simulations):
        above: NDArray[np.bool_] = rng.random((int(design.shape[0]), 1)) > below
        drawn = np.count_nonzero(above, axis=1).astype(np.int64)
        if np.bincount(drawn, minlength=n_cuts + 1).min() == 0:
            continue
        try:
            found.append(_apart(drawn, design)[1])
        except NoOrdinalEstimate:
            continue
    return found


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
