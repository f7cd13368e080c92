"""The posterior of one exposure–response curve: its mode, a first proposal, its log density."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from troughline.response.exposure_models import ExposureData, ExposureModel
from troughline.response.importance import StudentT
from troughline.response.linear import cholesky, inverse, solve
from troughline.response.priors import Priors

Floats = NDArray[np.float64]

BLOCK = 20_000
MODE_ITERATIONS = 100


def pointwise_log_likelihood(
    model: ExposureModel,
    draws: Floats,
    data: ExposureData,
    outcome: NDArray[np.bool_],
    *,
    monotone: bool,
) -> Floats:
    """The log-likelihood of each patient's outcome at each draw, `(n_draws, n_patients)`.

    Uncertain exposures are integrated out.
    """
    if data.nodes is not None:
        return data.averaged(
            lambda known: pointwise_log_likelihood(model, draws, known, outcome, monotone=monotone)
        )
    eta = model.log_odds(draws, data, monotone=monotone)
    np.negative(eta, where=outcome[None, :], out=eta)
    return -softplus(eta)


def softplus(eta: Floats) -> Floats:
    """`log(1 + exp(eta))` without overflow."""
    return np.maximum(eta, 0.0) + np.log1p(np.exp(-np.abs(eta)))


def log_posterior(
    model: ExposureModel, draws: Floats, data: ExposureData, outcome: NDArray[np.bool_], priors: Priors
) -> Floats:
    """Log likelihood plus log prior at draws `(n_draws, n_parameters)`, in blocks that fit the cache."""
    value = model.log_prior(draws, priors)
    rows = max(1, BLOCK // outcome.size)
    for i in range(0, draws.shape[0], rows):
        part = slice(i, i + rows)
        value[part] += pointwise_log_likelihood(
            model, draws[part], data, outcome, monotone=priors.monotone
        ).sum(axis=1)
    return value


def margin_proposal(
    model: ExposureModel, data: ExposureData, outcome: NDArray[np.bool_], priors: Priors
) -> StudentT:
    """A Student t at the posterior mode with the curvature there; the mode by damped Newton steps.

    Where exposures are uncertain it is that of known ones: a start, which sampling then improves.
    """
    data = data.certain
    n = outcome.size
    mean = (outcome.sum() + 0.5) / (n + 1)
    here = np.zeros(model.n_shape + data.covariates.shape[1])
    here[0] = np.log(mean / (1 - mean))
    value = float(log_posterior(model, here[None, :], data, outcome, priors)[0])
    damping = 1e-3
    for _ in range(MODE_ITERATIONS):
        gradient = model.log_posterior_gradient(here, data, outcome, priors)
        curvature = _curvature(model, here, data, outcome, priors)
        for _ in range(40):
            step = solve(_positive(curvature, damping), gradient)
            step *= min(1.0, 2.0 / float(np.abs(step).max() + 1e-300))
            trial = float(log_posterior(model, (here + step)[None, :], data, outcome, priors)[0])
            if trial >= value:
                damping = max(damping / 10, 1e-9)
                break
            damping *= 10
        else:
            break
        here, gain, value = here + step, trial - value, trial
        if gain < 1e-6:
            break
    precision = _positive(_curvature(model, here, data, outcome, priors), 1e-6)
    return StudentT(here, cholesky(inverse(precision)))


def _curvature(
    model: ExposureModel, at: Floats, data: ExposureData, outcome: NDArray[np.bool_], priors: Priors
) -> Floats:
    """Minus the matrix of second derivatives, by central differences of the gradient."""
    d = at.size
    columns = np.empty((d, d))
    for j in range(d):
        shift = np.zeros(d)
        shift[j] = 1e-4
        up = model.log_posterior_gradient(at + shift, data, outcome, priors)
        down = model.log_posterior_gradient(at - shift, data, outcome, priors)
        columns[j] = (down - up) / 2e-4
    return 0.5 * (columns + columns.T)


def _positive(curvature: Floats, damping: float) -> Floats:
    """The curvature, damped, its eigenvalues at least 0.05: standard deviations of at most 4.5."""
    values, vectors = np.linalg.eigh(curvature)
    return (vectors * (np.maximum(values, 0.05) * (1 + damping))) @ vectors.T
