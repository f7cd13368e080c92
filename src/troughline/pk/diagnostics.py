"""Residuals and shrinkage: how far observations lie from predictions, how much data say of an effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.model.records import QUANTIFIED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEAST_CONDITIONAL_SD = 1e-6
"""A record whose SD given the patient's earlier ones is below this share of its own SD repeats them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrinkage:
    """Shrinkage of k effects (or outputs): `n` how many values each rests on, `sd` and `variance` (k,).

    `sd` is 1 − SD(x)/s, `variance` is 1 − Var(x)/s², with s the standard deviation that the model states
    (1 for weighted residuals). NaN where fewer than two values are there or s is 0.
    """

    n: Ints
    sd: Floats
    variance: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Decorrelated:
    """Observations and simulations with each patient's simulated mean and covariance taken out.

    `observed` (n_obs,), `simulated` (n_sim, n_obs); NaN where an observation is missing and for patients
    in `failed`, the indices of those whose simulated covariance cannot be inverted.
    """

    observed: Floats
    simulated: Floats
    failed: tuple[int, ...]


def individual_residuals(
    observed: ArrayLike, prediction: ArrayLike, sd: ArrayLike, censoring: ArrayLike | None = None
) -> Floats:
    """Individual weighted residuals, IWRES = (y − f)/SD.

    Parameters: `observed`, `prediction` (at the patient's own effects), `sd` (of the residual error there)
    (n_obs,), on one scale; `censoring` (n_obs,), 0 where quantified (none: all are).

    Returns (n_obs,), NaN where an observation is missing or censored or its SD is not positive.
    """
    y, f, s = (np.asarray(a, dtype=np.float64) for a in (observed, prediction, sd))
    usable = (s > 0) & (_quantified(y, censoring))
    return np.where(usable, (y - f) / np.where(s > 0, s, 1.0), np.nan)


def population_residuals(
    observed: ArrayLike, simulated: ArrayLike, patient_index: ArrayLike, censoring: ArrayLike | None = None
) -> Floats:
    """Population weighted residuals, L⁻¹(y − E[y]), with mean and covariance LL' of y taken from simulations.

    Parameters: `observed` (n_obs,); `simulated` (n_sim, n_obs) of the same design; `patient_index` (n_obs,)
    whose each is; `censoring` (n_obs,), 0 where quantified (none: all are).

    Returns (n_obs,), NaN where an observation is missing or censored. Under the model they have mean 0 and
    variance 1 but are not normal where the model is nonlinear; use `npde` for tests. Raises `ValueError`
    where shapes do not fit.
    """
    y = np.asarray(observed, dtype=np.float64)
    kept = np.where(_quantified(y, censoring), y, np.nan)
    return decorrelate(kept, simulated, patient_index).observed


def decorrelate(observed: ArrayLike, simulated: ArrayLike, patient_index: ArrayLike) -> Decorrelated:
    """Subtract each patient's simulated mean and multiply by L⁻¹, L the Cholesky factor of the covariance.

    With the Cholesky factor, each value is judged given the same patient's earlier records alone, so a
    record late in a profile never changes how an early one is judged. This needs records in order of time
    within each patient. Parameters as in `population_residuals`, NaN in `observed` where there is none;
    many more simulations than records of one patient are wanted (1,000 or more).

    Mean and covariance come from n simulations, to which the j-th value of the simulations is fitted and
    that of the observation is not: under normality the observation's variance is larger by
    (1 + 1/n)(n − 1)(n − 2) / ((n − j)(n − j − 1)). It is divided by the root of this factor, which the
    source leaves out and which is below 1.005 for n of 1,000 and the first two records.

    Raises `ValueError` where shapes do not fit. Source: doi 10.1007/s11095-006-9067-5.
    """
    y, sims, patient = checked_design(observed, simulated, patient_index)
    out = np.full(y.shape, np.nan)
    out_sims = np.full(sims.shape, np.nan)
    failed: list[int] = []
    for name, records in records_by_patient(patient):
        used = records[np.isfinite(y[records])]
        if used.size == 0:
            continue
        mean = sims[:, used].mean(axis=0)
        centred = sims[:, used] - mean
        factor = _cholesky_factor(centred)
        if factor is None:
            failed.append(name)
            continue
        both = np.vstack([y[used] - mean, centred])
        solved = _solve_lower(factor, both.T).T
        out[used] = solved[0] / np.sqrt(_excess_variance(sims.shape[0], used.size))
        out_sims[:, used] = solved[1:]
    return Decorrelated(observed=out, simulated=out_sims, failed=tuple(failed))


def effect_shrinkage(effects: ArrayLike, omega_sd: ArrayLike) -> Shrinkage:
    """η-shrinkage of each random effect, 1 − SD(η̂)/ω and 1 − Var(η̂)/ω².

    Parameters: `effects` (n, k) estimates, one row a patient (or an occasion), NaN where a row has none;
    `omega_sd` (k,) the standard deviations of the model. SD is about the mean, with n − 1.

    Negative values mean that the estimates vary more than the model says. Raises `ValueError` where shapes
    do not fit. Source: doi 10.1208/s12248-009-9133-0.
    """
    eta = np.asarray(effects, dtype=np.float64)
    omega = np.atleast_1d(np.asarray(omega_sd, dtype=np.float64))
    if eta.ndim != 2 or omega.shape != (eta.shape[1],):
        raise ValueError(f"effects {eta.shape} do not fit {omega.size} standard deviations")
    return _shrinkage([column[np.isfinite(column)] for column in eta.T], omega)


def residual_shrinkage(
    iwres: ArrayLike, output: ArrayLike | None = None, n_outputs: int | None = None
) -> Shrinkage:
    """ε-shrinkage of each output, 1 − SD(IWRES) and 1 − Var(IWRES).

    Parameters: `iwres` (n_obs,), NaN where there is none; `output` (n_obs,) the index of the output each
    belongs to (none: all to one); `n_outputs` how many there are (none: as many as occur). SD is about the
    mean, with n − 1. Source: doi 10.1208/s12248-009-9133-0.
    """
    residuals = np.asarray(iwres, dtype=np.float64)
    which = np.zeros(residuals.size, np.int64) if output is None else np.asarray(output, dtype=np.int64)
    number = n_outputs if n_outputs is not None else int(which.max(initial=0)) + 1
    kept = np.isfinite(residuals)
    return _shrinkage([residuals[kept & (which == k)] for k in range(number)], np.ones(number))


def checked_design(
    observed: ArrayLike, simulated: ArrayLike, patient_index: ArrayLike
) -> tuple[Floats, Floats, Ints]:
    """The three as arrays (n_obs,), (n_sim, n_obs), (n_obs,); raises `ValueError` where they do not fit."""
    y = np.asarray(observed, dtype=np.float64)
    sims = np.asarray(simulated, dtype=np.float64)
    patient = np.asarray(patient_index, dtype=np.int64)
    if y.ndim != 1 or sims.ndim != 2 or sims.shape[1] != y.size:
        raise ValueError(f"simulations {sims.shape} do not fit {y.size} observations")
    if patient.shape != y.shape:
        raise ValueError(f"{patient.size} patient indices for {y.size} observations")
    if sims.shape[0] < 2:
        raise ValueError("at least two simulations are needed")
    return y, sims, patient


def records_by_patient(patient_index: Ints) -> list[tuple[int, Ints]]:
    """Each patient's index with the positions of their records, in the order given."""
    if patient_index.size == 0:
        return []
    order = np.argsort(patient_index, kind="stable")
    starts = np.flatnonzero(np.diff(patient_index[order])) + 1
    return [(int(patient_index[part[0]]), part) for part in np.split(order, starts)]


def _quantified(y: Floats, censoring: ArrayLike | None) -> NDArray[np.bool_]:
    there = np.isfinite(y)
    return there if censoring is None else there & (np.asarray(censoring) == QUANTIFIED)


def _cholesky_factor(centred: Floats) -> Floats | None:
    """The lower Cholesky factor of the covariance of centred rows; None where a column repeats the others."""
    n, m = centred.shape
    sd = np.sqrt(np.einsum("ij,ij->j", centred, centred) / (n - 1))
    if n <= m + 1 or not np.all(np.isfinite(sd)) or np.any(sd <= 0):
        return None
    scaled = centred / sd
    try:
        factor: Floats = np.asarray(np.linalg.cholesky(scaled.T @ scaled / (n - 1)), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    return None if np.any(np.diag(factor) < _LEAST_CONDITIONAL_SD) else sd[:, None] * factor


def _excess_variance(n: int, m: int) -> Floats:
    """Variance of m new decorrelated values over that of the n values decorrelated with themselves (m,)."""
    j = np.arange(1, m + 1, dtype=np.float64)
    return (1 + 1 / n) * (n - 1) * (n - 2) / ((n - j) * (n - j - 1))


def _solve_lower(factor: Floats, right: Floats) -> Floats:
    """L⁻¹ times the columns of `right` by forward substitution; so few rows are slower in threaded BLAS."""
    out = np.empty_like(right)
    for j in range(factor.shape[0]):
        out[j] = (right[j] - factor[j, :j] @ out[:j]) / factor[j, j]
    return out


def _shrinkage(columns: list[Floats], stated_sd: Floats) -> Shrinkage:
    ratio = np.array(
        [
            np.std(x, ddof=1) / s if x.size >= 2 and s > 0 else np.nan
            for x, s in zip(columns, stated_sd, strict=True)
        ]
    )
    n = np.array([x.size for x in columns], dtype=np.int64)
    return Shrinkage(n=n, sd=1.0 - ratio, variance=1.0 - ratio**2)
