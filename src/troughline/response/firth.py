"""Firth's penalised logistic regression, which has an answer under separation and little bias at small n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.response.linear import inverse, solve
from troughline.response.logistic import (
    ConvergenceError,
    Floats,
    checked_design,
    log_likelihood,
    sigmoid,
)

MAX_ITERATIONS = 200
MAX_STEP = 5.0
SCORE_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class FirthFit:
    """A penalised logistic regression; every array is in the order of `terms`.

    `low` and `high` bound the profile penalised likelihood intervals at `level`; `p_values` are those of the
    penalised likelihood ratio test that a coefficient is 0. `standard_errors` are from the information at
    the estimate and serve comparison; the intervals do not use them.
    """

    terms: tuple[str, ...]
    coefficients: Floats
    standard_errors: Floats
    low: Floats
    high: Floats
    p_values: Floats
    level: float
    penalised_log_likelihood: float
    n: int
    events: int


def fit_firth(
    design: Floats,
    outcome: NDArray[np.bool_],
    *,
    terms: Sequence[str] | None = None,
    level: float = 0.95,
) -> FirthFit:
    """Logistic regression penalised by Jeffreys' prior: maximises `l(b) + log det I(b) / 2`.

    Parameters: `design` `(n, k)` with its own column of ones; `outcome` `(n,)` boolean; `level` of the
    intervals. An interval holds the values `b` of a coefficient for which twice the drop of the penalised
    log-likelihood, maximised over the other coefficients, stays below the chi-square quantile (1 degree of
    freedom); the penalty keeps the information of the whole model.

    Raises `ValueError` on bad input, `ConvergenceError` where an iteration stops short.
    Source: Firth 1993, doi 10.1093/biomet/80.1.27; Heinze & Schemper 2002, doi 10.1002/sim.1047.
    """
    from scipy.stats import chi2

    if not 0 < level < 1:
        raise ValueError(f"level is {level}, it lies between 0 and 1")
    x, y, names = checked_design(design, outcome, terms)
    scale = np.sqrt((x**2).mean(axis=0))
    z = x / scale
    k = int(z.shape[1])
    beta, best = _maximise(z, y, np.zeros(k), fixed=None)
    covariance = inverse(_information(z, beta))
    errors: Floats = np.sqrt(np.diag(covariance))
    drop = float(chi2.ppf(level, 1)) / 2
    low, high, p_values = np.empty(k), np.empty(k), np.empty(k)
    for j in range(k):
        low[j] = _profile_end(z, y, beta, best - drop, j, -errors[j])
        high[j] = _profile_end(z, y, beta, best - drop, j, errors[j])
        start = beta.copy()
        start[j] = 0.0
        restricted = _maximise(z, y, start, fixed=j)[1]
        p_values[j] = float(chi2.sf(max(0.0, 2 * (best - restricted)), 1))
    return FirthFit(
        terms=names,
        coefficients=beta / scale,
        standard_errors=errors / scale,
        low=low / scale,
        high=high / scale,
        p_values=p_values,
        level=level,
        penalised_log_likelihood=best + float(np.log(scale).sum()),
        n=int(y.size),
        events=int(y.sum()),
    )


def _information(z: Floats, beta: Floats) -> Floats:
    p = sigmoid(z @ beta)
    return (z.T * (p * (1 - p))) @ z


def _penalised(z: Floats, y: NDArray[np.bool_], beta: Floats) -> float:
    sign, log_determinant = np.linalg.slogdet(_information(z, beta))
    if sign <= 0 or not np.isfinite(log_determinant):
        return -np.inf
    return log_likelihood(z @ beta, y) + 0.5 * float(log_determinant)


def _maximise(z: Floats, y: NDArray[np.bool_], start: Floats, *, fixed: int | None) -> tuple[Floats, float]:
    """The maximum of the penalised likelihood with coefficient `fixed` held, and its value."""
    free = np.array([j for j in range(z.shape[1]) if j != fixed], dtype=int)
    beta = start.copy()
    value = _penalised(z, y, beta)
    if free.size == 0:
        return beta, value
    for _ in range(MAX_ITERATIONS):
        p = sigmoid(z @ beta)
        weight = p * (1 - p)
        information = (z.T * weight) @ z
        leverage = weight * np.einsum("ij,ij->i", z, solve(information, z.T).T)
        score = (z.T @ (y - p + leverage * (0.5 - p)))[free]
        if np.abs(score).max() < SCORE_TOLERANCE * max(1, y.size):
            return beta, value
        step = solve(information[np.ix_(free, free)], score)
        longest = float(np.abs(step).max())
        step = step * min(1.0, MAX_STEP / longest)
        moved, trial = beta.copy(), value
        for _ in range(40):
            moved[free] = beta[free] + step
            trial = _penalised(z, y, moved)
            if trial >= value - 1e-12 * abs(value):
                break
            step = step / 2
        if np.abs(step).max() < 1e-13 * (1 + np.abs(beta).max()):
            return beta, value
        beta, value = moved.copy(), trial
    raise ConvergenceError(f"the penalised likelihood was not maximised in {MAX_ITERATIONS} steps")


def _profile_end(z: Floats, y: NDArray[np.bool_], beta: Floats, target: float, j: int, width: float) -> float:
    """Where the profile of coefficient `j` falls to `target` on the side that `width` points to."""

    def profile(value: float, start: Floats) -> tuple[float, Floats]:
        at = start.copy()
        at[j] = value
        found, height = _maximise(z, y, at, fixed=j)
        return height - target, found

    inside, above, near = float(beta[j]), profile(float(beta[j]), beta)[0], beta
    outside, below = inside, above
    for _ in range(60):
        outside = outside + 2 * width
        below, found = profile(outside, near)
        if below < 0:
            break
        inside, above, near = outside, below, found
    else:
        raise ConvergenceError(f"the profile of coefficient {j} does not fall to its limit")
    # Regula falsi, Illinois variant: an end that stays twice has its height halved.
    stayed = 0
    for _ in range(200):
        middle = (outside * above - inside * below) / (above - below)
        height, found = profile(middle, near)
        if height >= 0:
            below = below / 2 if stayed > 0 else below
            inside, above, near, stayed = middle, height, found, 1
        else:
            above = above / 2 if stayed < 0 else above
            outside, below, stayed = middle, height, -1
        if abs(height) < 1e-9 or abs(outside - inside) <= 1e-9 * max(1.0, abs(outside)):
            return middle
    raise ConvergenceError(f"the limit of the profile of coefficient {j} was not found in 200 steps")
