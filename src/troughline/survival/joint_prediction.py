"""Survival predicted for one patient from the marker so far: an update with every new measurement."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from troughline.survival.joint_likelihood import JointParameters, interval_areas, lived
from troughline.survival.joint_model import JointModelFit
from troughline.survival.times import FloatArray, as_floats, checked_level

_NODES = 25
_CANDIDATES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedSurvival:
    """P(alive at `time` | alive at `since`, marker so far), each array (k,), for one patient.

    `survival` is the mean over the patient's line at the estimate; `low` and `high` are quantiles over draws
    of the parameters and of the line, so they hold the patient's own survival, not the mean of patients
    alike. `intercept` and `slope` are the line's expectation.
    """

    since: float
    time: FloatArray
    survival: FloatArray
    low: FloatArray
    high: FloatArray
    level: float
    intercept: float
    slope: float
    n_draws: int


def predict_survival(
    fit: JointModelFit,
    measured_at: ArrayLike,
    marker: ArrayLike,
    since: float,
    at: ArrayLike,
    *,
    covariates: ArrayLike = (),
    marker_covariates: ArrayLike = (),
    rng: np.random.Generator,
    draws: int = 500,
    level: float = 0.95,
) -> PredictedSurvival:
    """Predict the survival of a patient alive at `since` with the measurements up to then.

    Parameters: `measured_at`, `marker` (r,) the history, possibly empty; `at` (k,) times from `since` on;
    `covariates`, `marker_covariates` the patient's, as in `fit_joint_model`; `rng` and `draws` for the
    interval.

    Raises `ValueError` for a measurement after `since` (it would look ahead), a time of `at` before `since`
    or beyond the longest follow-up of the fit (the hazard is not known there), covariates of another number,
    and values that are not finite.

    π(u | t) = E[S(u | b) / S(t | b) | T > t, y; θ̂]; draws of θ from its normal approximation and of b from
    p(b | T > t, y, θ) by weighting draws of p(b | y, θ) with S(t | b) (Rizopoulos 2011, doi
    10.1111/j.1541-0420.2010.01546.x).
    """
    checked_level(level)
    moment = np.asarray(measured_at, dtype=np.float64).reshape(-1)
    y = np.asarray(marker, dtype=np.float64).reshape(-1)
    asked = np.atleast_1d(np.asarray(at, dtype=np.float64))
    z = np.asarray(covariates, dtype=np.float64).reshape(-1)
    w = np.asarray(marker_covariates, dtype=np.float64).reshape(-1)
    _check(fit, moment, y, since, asked, z, w)
    if draws < 1:
        raise ValueError(f"draws = {draws} is not 1 or more")
    centred = y - fit.centre

    mean, root = _line(fit.parameters, moment, centred, w)
    x, weight = np.polynomial.hermite.hermgauss(_NODES)
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    b = mean + math.sqrt(2.0) * grid @ root.T
    until, later = _survival(fit, fit.parameters, b, since, asked, z, w)
    mass = np.outer(weight, weight).ravel() * np.exp(until.min() - until)
    mass /= mass.sum()
    lines = _lines(fit.parameters, b, w)

    drawn = np.empty((draws, asked.size))
    spread = np.linalg.cholesky(fit.parameter_covariance)
    centre = fit.parameters.packed()
    for k in range(draws):
        parameters = _unpacked(centre + spread @ rng.standard_normal(centre.size), fit.parameters)
        mean, root = _line(parameters, moment, centred, w)
        b = mean + rng.standard_normal((_CANDIDATES, 2)) @ root.T
        until, conditional = _survival(fit, parameters, b, since, asked, z, w)
        alive = np.exp(until.min() - until)
        drawn[k] = conditional[rng.choice(_CANDIDATES, p=alive / alive.sum())]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return PredictedSurvival(
        since=float(since),
        time=asked,
        survival=mass @ later,
        low=low,
        high=high,
        level=level,
        intercept=float(mass @ lines[:, 0]) + fit.centre,
        slope=float(mass @ lines[:, 1]),
        n_draws=draws,
    )


def _check(
    fit: JointModelFit,
    moment: FloatArray,
    y: FloatArray,
    since: float,
    asked: FloatArray,
    z: FloatArray,
    w: FloatArray,
) -> None:
    if moment.size != y.size:
        raise ValueError(f"{moment.size} times for {y.size} marker values")
    if not (np.isfinite(moment).all() and np.isfinite(y).all()):
        raise ValueError("the marker's history holds a value that is not finite")
    late = np.flatnonzero(moment > since)
    if late.size:
        raise ValueError(f"measurement {int(late[0])} at {moment[late[0]]:g} is later than since = {since:g}")
    outside = np.flatnonzero(~((asked >= since) & (asked <= fit.longest)))
    if outside.size:
        raise ValueError(
            f"at = {asked[outside[0]]:g} is outside {since:g} to {fit.longest:g}, the longest follow-up "
            "of the fit"
        )
    if not (math.isfinite(since) and since >= 0):
        raise ValueError(f"since = {since:g} is not a time of 0 or more")
    wanted = (fit.parameters.hazard.size, fit.parameters.fixed.size - 2)
    if (z.size, w.size) != wanted or not (np.isfinite(z).all() and np.isfinite(w).all()):
        raise ValueError(
            f"{z.size} covariates and {w.size} marker covariates; the fit has {wanted[0]} and "
            f"{wanted[1]}, all finite"
        )


def _unpacked(point: FloatArray, like: JointParameters) -> JointParameters:
    q, r, s = like.fixed.size, like.hazard.size, like.association.size
    fixed, log_sigma, root, hazard, association, baseline = np.split(point, np.cumsum([q, 1, 3, r, s]))
    return JointParameters(
        fixed=fixed,
        log_sigma=float(log_sigma[0]),
        root=np.array([[root[0], 0.0], [root[1], root[2]]]),
        hazard=hazard,
        association=association,
        log_baseline=baseline,
    )


def _line(
    parameters: JointParameters, moment: FloatArray, y: FloatArray, w: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean (2,) of b given the measurements, and the root of its covariance."""
    z = np.stack((np.ones_like(moment), moment), axis=1)
    sigma2 = math.exp(2 * parameters.log_sigma)
    root = parameters.root
    spread = as_floats(np.linalg.inv(np.eye(2) + root.T @ z.T @ z @ root / sigma2))
    rest = y - z @ parameters.fixed[:2] - w @ parameters.fixed[2:]
    return root @ spread @ root.T @ z.T @ rest / sigma2, root @ as_floats(np.linalg.cholesky(spread))


def _lines(parameters: JointParameters, b: FloatArray, w: FloatArray) -> FloatArray:
    """Intercept and slope (k, 2) of the lines with deviations b (k, 2)."""
    shift = np.array([parameters.fixed[0] + w @ parameters.fixed[2:], parameters.fixed[1]])
    return shift + b


def _survival(
    fit: JointModelFit,
    parameters: JointParameters,
    b: FloatArray,
    since: float,
    asked: FloatArray,
    z: FloatArray,
    w: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Cumulative hazard until `since` (k,), and S(u | b)/S(since | b) (k, times), for deviations b (k, 2)."""
    lines = _lines(parameters, b, w)
    alpha = float(parameters.association[0])
    level = alpha * lines[:, 0] + float(z @ parameters.hazard)
    if parameters.association.size == 2:
        level = level + float(parameters.association[1]) * lines[:, 1]
    rate = alpha * lines[:, 1]

    def area(begin: FloatArray, end: FloatArray) -> FloatArray:
        whose, interval, middle, half = lived(begin, end, fit.cuts)
        pieces, _ = interval_areas(rate[:, np.newaxis], middle, half)
        with np.errstate(over="ignore"):
            pieces = pieces * np.exp(parameters.log_baseline[interval] + level[:, np.newaxis])
        found = np.zeros((len(b), end.size))
        np.add.at(found.T, whose, pieces.T)
        return found

    until = area(np.zeros(1), np.array([float(since)]))[:, 0]
    after = area(np.full(asked.size, float(since)), asked)
    return until, np.exp(-after)
