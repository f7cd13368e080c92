"""Firth-penalised Cox regression: a finite hazard ratio for few events or separated groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.response.cox import CoxFitError, checked_covariates
from troughline.response.survival_times import (
    BoolArray,
    FloatArray,
    IntArray,
    SurvivalTimes,
    checked_level,
    checked_times,
    coded_groups,
)

_ITERATIONS = 200
_HALVINGS = 30
_GRADIENT_LEFT = 1e-8
_LARGEST_STEP = 2.0
_DIFFERENCE = 1e-5
_CHUNK_TIMES = 256


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

    Parameters as in `fit_cox`. The estimate is finite where `fit_cox` raises `SeparationError`. The time it
    takes grows with patients × event times × p³: it is meant for some hundreds of patients.

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
    model = _Penalised(times, (x - x.mean(axis=0)) / spread, layers)
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
                hazard_ratio=math.exp(best[j] / spread[j]),
                low=math.exp(low / spread[j]),
                high=math.exp(high / spread[j]),
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


@dataclass(frozen=True, slots=True)
class _Moments:
    """Of one β: log partial likelihood, score (p,), information (p, p), its derivative (p, p, p)."""

    log_likelihood: float
    score: FloatArray
    information: FloatArray
    derivative: FloatArray


class _Penalised:
    """The penalised partial likelihood of standardised covariates."""

    def __init__(self, times: SurvivalTimes, covariates: FloatArray, layers: IntArray) -> None:
        self._times = times
        self._x = covariates
        self._layers = layers
        happened = np.stack((layers[times.event].astype(np.float64), times.time[times.event]), axis=1)
        self._moments_at = np.unique(happened, axis=0)

    def information(self, beta: FloatArray) -> FloatArray:
        return self._evaluate(beta).information

    def profile(self, start: FloatArray, j: int, value: float) -> tuple[FloatArray, float]:
        """The maximum with coefficient `j` held at `value`."""
        beta = start.copy()
        beta[j] = value
        free = np.ones(beta.size, np.bool_)
        free[j] = False
        return self.maximise(beta, free)

    def maximise(self, start: FloatArray, free: BoolArray) -> tuple[FloatArray, float]:
        """Newton's method on the `free` coefficients, steps halved until the penalised likelihood rises."""
        beta = start.copy()
        moments = self._evaluate(beta)
        value = _penalised_value(moments)
        for _ in range(_ITERATIONS):
            gradient = _penalised_gradient(moments)
            if not free.any() or float(np.abs(gradient[free]).max()) < _GRADIENT_LEFT:
                return beta, value
            step = np.zeros(beta.size)
            step[free] = np.linalg.solve(self._curvature(beta, moments, free), gradient[free])
            step *= min(1.0, _LARGEST_STEP / float(np.abs(step).max()))
            for _ in range(_HALVINGS):
                trial = self._evaluate(beta + step)
                reached = _penalised_value(trial)
                if reached >= value - 1e-12 * abs(value):
                    break
                step /= 2
            else:
                raise CoxFitError("the penalised likelihood could not be raised; no estimate")
            beta, moments, value = beta + step, trial, reached
        raise CoxFitError(f"no convergence of the penalised likelihood after {_ITERATIONS} iterations")

    def _curvature(self, beta: FloatArray, moments: _Moments, free: BoolArray) -> FloatArray:
        """Minus the second derivative of the penalised likelihood, or the information where not positive.

        The information alone misses the penalty's curvature: with one event Newton's method then steps
        twice too far, for ever.
        """
        rows = np.flatnonzero(free)
        curvature = np.empty((rows.size, rows.size))
        for column, j in enumerate(rows.tolist()):
            shift = np.zeros(beta.size)
            shift[j] = _DIFFERENCE
            ahead = _penalised_gradient(self._evaluate(beta + shift))
            behind = _penalised_gradient(self._evaluate(beta - shift))
            curvature[:, column] = (behind - ahead)[rows] / (2 * _DIFFERENCE)
        curvature = (curvature + curvature.T) / 2
        if np.linalg.eigvalsh(curvature)[0] > 0:
            return curvature
        return moments.information[np.ix_(rows, rows)]

    def _evaluate(self, beta: FloatArray) -> _Moments:
        x, times, p = self._x, self._times, self._x.shape[1]
        predictor = x @ beta
        weight = np.exp(predictor - predictor.max())
        products = np.einsum("ij,ik->ijk", x, x).reshape(len(x), p * p)
        triples = np.einsum("ij,ik->ijk", products, x).reshape(len(x), p**3)
        powers = weight[:, np.newaxis] * np.hstack((np.ones((len(x), 1)), x, products, triples))
        log_likelihood = float(predictor[times.event].sum())
        score = x[times.event].sum(axis=0)
        information, derivative = np.zeros((p, p)), np.zeros((p, p, p))
        for first in range(0, len(self._moments_at), _CHUNK_TIMES):
            part = self._moments_at[first : first + _CHUNK_TIMES]
            layer, moment = part[:, :1], part[:, 1:]
            at_risk = (times.time >= moment) & (self._layers == layer)
            if times.entry is not None:
                at_risk &= times.entry < moment
            dying = at_risk & times.event & (times.time == moment)
            deaths = dying.sum(axis=1)
            risk, death = at_risk.astype(np.float64) @ powers, dying.astype(np.float64) @ powers
            # Efron: the l-th of d tied events sees the others who die then with weight 1 − l/d.
            rows = np.repeat(np.arange(len(part)), deaths)
            rank = np.arange(rows.size) - np.repeat(np.cumsum(deaths) - deaths, deaths)
            sums = risk[rows] - (rank / deaths[rows])[:, np.newaxis] * death[rows]
            total = sums[:, 0]
            log_likelihood -= float((np.log(total) + predictor.max()).sum())
            raw = sums[:, 1:] / total[:, np.newaxis]
            mean = raw[:, :p]
            second = raw[:, p : p + p * p].reshape(-1, p, p)
            third = raw[:, p + p * p :].reshape(-1, p, p, p)
            score = score - mean.sum(axis=0)
            information += second.sum(axis=0) - mean.T @ mean
            crossed = np.einsum("ej,ekr->jkr", mean, second)
            derivative += (
                third.sum(axis=0)
                - crossed
                - crossed.transpose(1, 0, 2)
                - crossed.transpose(1, 2, 0)
                + 2 * np.einsum("ej,ek,er->jkr", mean, mean, mean)
            )
        return _Moments(log_likelihood, score, information, derivative)


def _penalised_value(moments: _Moments) -> float:
    sign, log_determinant = np.linalg.slogdet(moments.information)
    return moments.log_likelihood + 0.5 * float(log_determinant) if sign > 0 else -math.inf


def _penalised_gradient(moments: _Moments) -> FloatArray:
    inverse = np.linalg.inv(moments.information)
    return moments.score + 0.5 * np.einsum("jk,kjr->r", inverse, moments.derivative)


def _profile_bound(
    model: _Penalised, best: FloatArray, top: float, j: int, step: float, drop: float
) -> float:
    """Where twice the fall of the profile reaches `drop`, going from the estimate in the direction of `step`.

    Infinite, with the sign of `step`, where it never does within 2³⁰ steps.
    """
    from scipy.optimize import brentq

    def excess(value: float) -> float:
        return 2 * (top - model.profile(best, j, value)[1]) - drop

    near, reach = float(best[j]), step
    for _ in range(30):
        far = float(best[j]) + reach
        if excess(far) > 0:
            return float(brentq(excess, near, far, xtol=1e-10))
        near, reach = far, reach * 2
    return math.copysign(math.inf, step)
