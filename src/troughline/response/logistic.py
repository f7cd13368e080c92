"""Logistic regression by maximum likelihood, and the proof of separation where it has no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.response.linear import inverse, solve

Floats = NDArray[np.float64]

MAX_ITERATIONS = 60
STEP_TOLERANCE = 1e-10


class SeparationError(ValueError):
    """The outcome is separated: some combination of the predictors tells it without error.

    No finite maximum-likelihood estimate exists (Albert & Anderson 1984, doi 10.1093/biomet/71.1.1). A
    penalised or Bayesian fit does.
    """


class ConvergenceError(RuntimeError):
    """An iteration stopped before it met its tolerance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticFit:
    """A logistic regression; every array is in the order of `terms`.

    `covariance` is the inverse of the information at the estimate, `(k, k)`.
    """

    terms: tuple[str, ...]
    coefficients: Floats
    standard_errors: Floats
    covariance: Floats
    log_likelihood: float
    n: int
    events: int


def sigmoid(eta: Floats) -> Floats:
    """The inverse logit, without overflow at any argument."""
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-eta))


def log_likelihood(eta: Floats, outcome: NDArray[np.bool_]) -> float:
    """The Bernoulli log-likelihood of outcomes `(n,)` at log odds `(n,)`."""
    return float(-np.logaddexp(0.0, np.where(outcome, -eta, eta)).sum())


def checked_design(
    design: Floats, outcome: NDArray[np.bool_], terms: Sequence[str] | None
) -> tuple[Floats, NDArray[np.bool_], tuple[str, ...]]:
    """The design `(n, k)` and outcome `(n,)` as arrays, or `ValueError` saying what is wrong with them."""
    x = np.asarray(design, dtype=float)
    y = np.asarray(outcome)
    if x.ndim != 2:
        raise ValueError(f"design has {x.ndim} dimension(s), 2 are needed: patients by terms")
    if y.dtype != np.bool_:
        raise ValueError(f"outcome is {y.dtype}, a boolean array is needed")
    if y.shape != (x.shape[0],):
        raise ValueError(f"outcome has shape {y.shape}, the design has {x.shape[0]} patients")
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise ValueError(f"design is not finite, first in patient {row} (counted from 0)")
    names = tuple(terms) if terms is not None else tuple(f"x{j}" for j in range(x.shape[1]))
    if len(names) != x.shape[1]:
        raise ValueError(f"{len(names)} names for {x.shape[1]} terms")
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise ValueError(f"the terms {', '.join(names)} are linearly dependent in {x.shape[0]} patients")
    return x, y, names


def fit_logistic(
    design: Floats, outcome: NDArray[np.bool_], *, terms: Sequence[str] | None = None
) -> LogisticFit:
    """Logistic regression by Newton's method: `logit P = design @ coefficients`.

    Parameters: `design` `(n, k)` with its own column of ones where an intercept is wanted; `outcome` `(n,)`
    boolean; `terms`, the names of the columns.

    Raises `SeparationError` where a direction that separates the outcome is found, `ValueError` on bad
    input, `ConvergenceError` where Newton's method stops short without such a direction.
    """
    x, y, names = checked_design(design, outcome, terms)
    scale = np.sqrt((x**2).mean(axis=0))
    z = x / scale
    beta = np.zeros(z.shape[1])
    value = log_likelihood(z @ beta, y)
    step: Floats = np.zeros_like(beta)
    for _ in range(MAX_ITERATIONS):
        p = sigmoid(z @ beta)
        information = (z.T * (p * (1 - p))) @ z
        score = z.T @ (y - p)
        try:
            step = solve(information, score)
        except np.linalg.LinAlgError:
            break
        trial = value
        for _ in range(30):
            trial = log_likelihood(z @ (beta + step), y)
            if trial >= value - 1e-12 * abs(value):
                break
            step = step / 2
        beta, value = beta + step, trial
        if np.abs(step).max() <= STEP_TOLERANCE * (1 + np.abs(beta).max()):
            break
        if np.abs(beta).max() > 15 and _separates(z, y, beta, step):
            raise SeparationError(_separation_message(y, names))
    else:
        raise ConvergenceError(f"Newton's method took more than {MAX_ITERATIONS} steps")
    if _separates(z, y, beta, step):
        raise SeparationError(_separation_message(y, names))
    p = sigmoid(z @ beta)
    covariance = inverse((z.T * (p * (1 - p))) @ z) / np.outer(scale, scale)
    return LogisticFit(
        terms=names,
        coefficients=beta / scale,
        standard_errors=np.sqrt(np.diag(covariance)),
        covariance=covariance,
        log_likelihood=value,
        n=int(y.size),
        events=int(y.sum()),
    )


def _separates(z: Floats, y: NDArray[np.bool_], *directions: Floats) -> bool:
    """Whether one of the directions moves no patient away from his outcome and some towards it.

    Along such a direction the likelihood rises for ever, which proves separation.
    """
    sign = np.where(y, 1.0, -1.0)
    for direction in directions:
        length = np.abs(direction).max()
        if length == 0:
            continue
        towards = sign * (z @ (direction / length))
        if towards.min() >= -1e-6 and towards.max() > 1e-4:
            return True
    return False


def _separation_message(y: NDArray[np.bool_], names: tuple[str, ...]) -> str:
    return (
        f"the terms {', '.join(names)} separate the {int(y.sum())} patients with the outcome from the "
        f"{int((~y).sum())} without: no finite maximum-likelihood estimate exists"
    )
