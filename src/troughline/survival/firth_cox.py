"""Firth-penalised Cox regression: a finite hazard ratio for few events or separated groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival.cox import CoxFitError, checked_covariates, exponential
from troughline.survival.penalised_likelihood import PenalisedLikelihood
from troughline.survival.times import (
    FloatArray,
    checked_level,
    checked_times,
    coded_groups,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirthTerm:
    """One covariate: `low` and `high` by the profile penalised likelihood, `p_value` by its ratio test.

    `low` is 0, or `high` infinite, where the profile never falls far enough on that side.
    """

    name: str
    coefficient: float
    standard_error: float
    hazard_ratio: float
    low: float
    high: float
    likelihood_ratio: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FirthCoxFit:
    """A Firth-penalised Cox regression; `covariance` (p, p) is the inverse information at the estimate."""

    terms: tuple[FirthTerm, ...]
    level: float
    coefficients: FloatArray
    covariance: FloatArray
    penalised_log_likelihood: float
    n: int
    n_events: int

    def term(self, name: str) -> FirthTerm:
        """The covariate of that name; raises `KeyError` where there is none."""
        for term in self.terms:
            if term.name == name:
                return term
        raise KeyError(f"no covariate {name!r} in this regression")


def fit_cox_firth(
    time: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike,
    names: Sequence[str],
    *,
    entry: ArrayLike | None = None,
    strata: Sequence[Any] | NDArray[Any] | None = None,
    level: float = 0.95,
) -> FirthCoxFit:
    """Fit a Cox regression by the penalised likelihood l(β) + ½ log |I(β)|, with Efron's ties.

    Parameters as in `fit_cox`. The estimate is finite where `fit_cox` raises `SeparationError`. With
    delayed entry its time and memory grow with patients × event times.

    Raises `CoxFitError` where there is no event, where the information is singular (collinear or constant
    covariates), or where the iteration does not converge; `ValueError` as `fit_cox`.

    Heinze and Schemper 2001, doi 10.1111/j.0006-341X.2001.00114.x.
    """
    times = checked_times(time, event, entry)
    x = checked_covariates(covariates, names, times.n)
    quantile = checked_level(level)
    if not times.event.any():
        raise CoxFitError("no event among these patients: a hazard ratio has no estimate")
    spread = x.std(axis=0)
    constant = [name for name, s in zip(names, spread.tolist(), strict=True) if not s > 0]
    if constant:
        raise CoxFitError(f"{', '.join(constant)}: the same value in every patient; it has no hazard ratio")
    layers = np.zeros(times.n, np.int64) if strata is None else coded_groups(strata, times.n)[0]
    model = PenalisedLikelihood(times, (x - x.mean(axis=0)) / spread, layers)
    p = len(names)
    eigenvalues = np.linalg.eigvalsh(model.information(np.zeros(p)))
    if eigenvalues[0] <= 1e-10 * max(float(eigenvalues[-1]), 1e-300):
        raise CoxFitError(
            f"{', '.join(names)}: the information is singular (collinear covariates, or no contrast among "
            "those at risk when the events happened)"
        )
    best, top = model.maximise(np.zeros(p), np.ones(p, np.bool_))
    covariance = np.linalg.inv(model.information(best))
    from scipy.special import chdtrc, chdtri

    drop = float(chdtri(1, 1 - quantile))
    terms: list[FirthTerm] = []
    for j, name in enumerate(names):
        at_zero = model.profile(best, j, 0.0)[1]
        ratio = 2 * (top - at_zero)
        error = math.sqrt(covariance[j, j])
        low = _profile_bound(model, best, top, j, -error, drop)
        high = _profile_bound(model, best, top, j, error, drop)
        terms.append(
            FirthTerm(
                name=name,
                coefficient=float(best[j] / spread[j]),
                standard_error=float(error / spread[j]),
                hazard_ratio=exponential(best[j] / spread[j]),
                low=exponential(low / spread[j]),
                high=exponential(high / spread[j]),
                likelihood_ratio=ratio,
                p_value=float(chdtrc(1, max(ratio, 0.0))),
            )
        )
    return FirthCoxFit(
        terms=tuple(terms),
        level=level,
        coefficients=best / spread,
        covariance=covariance / np.outer(spread, spread),
        penalised_log_likelihood=top + float(np.log(spread).sum()),
        n=times.n,
        n_events=int(times.event.sum()),
    )


def _profile_bound(
    model: PenalisedLikelihood, best: FloatArray, top: float, j: int, step: float, drop: float
) -> float:
    """Where twice the fall of the profile reaches `drop`, going from the estimate in the direction of `step`.

    Infinite, with the sign of `step`, where it never does within 2³⁰ steps or cannot be followed that far.
    """
    from scipy.optimize import brentq

    def excess(value: float) -> float:
        # Each profile starts from the estimate, so that the same value gives the same answer.
        return 2 * (top - model.profile(best, j, value)[1]) - drop

    near, reach = float(best[j]), step
    try:
        for _ in range(30):
            far = float(best[j]) + reach
            if excess(far) > 0:
                return float(brentq(excess, near, far, xtol=1e-10))
            near, reach = far, reach * 2
    except CoxFitError:
        # So far out the information vanishes: the profile cannot be followed to where it falls enough.
        return math.copysign(math.inf, step)
    return math.copysign(math.inf, step)
