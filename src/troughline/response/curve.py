"""P(outcome | exposure): the average of a logistic and an Emax curve, with honest uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.response.averaging import ModelReport, average_models, loo_of_sample
from troughline.response.curve_draws import CurveDraws, curve_draws, standard_patients
from troughline.response.exposure_models import (
    LOGISTIC,
    MODELS,
    ExposureData,
    ExposureModel,
    exposure_data,
)
from troughline.response.importance import ImportanceSample, sample_posterior
from troughline.response.margin import log_posterior, margin_proposal, pointwise_log_likelihood
from troughline.response.priors import Priors
from troughline.response.summaries import Band, Bound, Interval, band, bound, interval, studied_domain

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DOMAIN_FACTOR = 2.0
DIRECTION_DRAWS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFit:
    """The curve of one outcome over exposure.

    `reference` is the geometric mean exposure; `domain` the lowest and highest exposure that count as
    studied; `models` the models averaged, with their weights; `draws` equally weighted posterior draws;
    `p_slope_negative` the posterior probability of a falling curve when both directions are allowed
    beforehand (near 1: the data speak against the assumed direction).
    """

    n: int
    events: int
    reference: float
    domain: tuple[float, float]
    level: float
    monotone: bool
    priors: Priors
    models: tuple[ModelReport, ...]
    draws: CurveDraws
    p_slope_negative: float
    covariate_names: tuple[str, ...]

    def grid(self, n_points: int = 101) -> Floats:
        """Exposures over the studied domain, evenly spaced on the log scale."""
        return np.geomspace(self.domain[0], self.domain[1], n_points)

    def probability(self, exposure: Floats) -> Band:
        """P(outcome) with its interval at exposures `(m,)` in the caller's unit.

        With covariates it is averaged over the cohort's, from at most 1,000 draws.
        """
        x = positive(exposure)
        draws = self.draws if self.draws.offsets is None else self.draws.take(every(len(self.draws), 1000))
        return band(x, draws.probability(np.log(x / self.reference)), self.level)

    def exposure_at(self, probability: float) -> Bound:
        """The exposure at which P(outcome) passes `probability`; open where that is outside `domain`."""
        if not 0 < probability < 1:
            raise ValueError(f"probability is {probability}, it lies between 0 and 1")
        return bound(
            self.draws.crossing(probability),
            reference=self.reference,
            domain=self.domain,
            level=self.level,
            below=f"P = {probability:g} is passed below the studied exposures",
            above=f"P = {probability:g} is not reached in the studied exposures",
        )

    def slope(self) -> Interval:
        """The change of the log odds per e-fold of exposure at the reference."""
        return interval(self.draws.slope, self.level)

    def methods(self) -> tuple[str, ...]:
        """What was done, in sentences for the methods paragraph."""
        weights = ", ".join(f"{m.model} {m.weight:.2f}" for m in self.models)
        return (
            "P(outcome | exposure) averages a logistic curve in log exposure and an Emax curve on the "
            f"log-odds scale by leave-one-out prediction (pseudo-BMA+; weights: {weights}).",
            "Posteriors by adaptive importance sampling with Pareto-smoothed weights; effective draws: "
            + ", ".join(f"{m.model} {m.effective_draws:.0f} (Pareto k {m.pareto_k:.2f})" for m in self.models)
            + ".",
            *self.priors.sentences(covariates=bool(self.covariate_names)),
        )


def fit_curve(
    exposure: Floats,
    outcome: Flags,
    *,
    rng: np.random.Generator,
    covariates: Floats | None = None,
    covariate_names: tuple[str, ...] | None = None,
    exposure_nodes: Floats | None = None,
    monotone: bool = True,
    level: float = 0.95,
    n_draws: int = 4000,
    domain_factor: float = DOMAIN_FACTOR,
    priors: Priors | None = None,
    allow_poor: bool = False,
) -> CurveFit:
    """Fit P(outcome | exposure).

    Parameters: `exposure` `(n,)` positive, in any unit; `outcome` `(n,)` boolean; `covariates` `(n, p)`,
    standardised here, with their names; `exposure_nodes` `(n, k)`, equally likely values of each patient's
    exposure where it is uncertain, over which the likelihood is averaged (`exposure` then is their middle);
    `monotone` says that exposure cannot lower the probability;
    `level` of the intervals; `n_draws` from each posterior and of the average; `domain_factor`, how far
    beyond the observed exposures, on each side, an exposure still counts as studied.

    Raises `ValueError` on bad input; `PosteriorError` where a posterior was sampled poorly, unless
    `allow_poor`, in which case `models` say so.
    """
    y = np.asarray(outcome)
    if y.dtype != np.bool_:
        raise ValueError(f"outcome is {y.dtype}, a boolean array is needed")
    check_options(level, n_draws)
    data = exposure_data(exposure, covariates, covariate_names, exposure_nodes)
    if y.shape != data.log_exposure.shape:
        raise ValueError(f"outcome has shape {y.shape}, there are {data.log_exposure.size} exposures")
    priors = stated(priors, monotone)
    samples = [sample_margin(m, data, y, priors, rng=rng, n_draws=n_draws) for m in MODELS]
    loos = [
        loo_of_sample(
            s,
            lambda d, m=m: pointwise_log_likelihood(m, d, data, y, monotone=monotone),
            y.size,
        )
        for m, s in zip(MODELS, samples, strict=True)
    ]
    average = average_models(
        [m.name for m in MODELS], samples, loos, rng=rng, n_draws=n_draws, allow_poor=allow_poor
    )
    mean = np.exp(samples[0].log_weights) @ samples[0].draws[:, LOGISTIC.n_shape :]
    standard = data.covariates[standard_patients(data.covariates, mean)]
    parts = [(m, s.draws[i]) for m, s, i in zip(MODELS, samples, average.chosen, strict=True)]
    return CurveFit(
        n=int(y.size),
        events=int(y.sum()),
        reference=data.reference,
        domain=studied_domain(np.asarray(exposure, dtype=float), domain_factor),
        level=level,
        monotone=monotone,
        priors=priors,
        models=average.reports,
        draws=curve_draws(parts, standard, monotone=monotone),
        p_slope_negative=p_slope_negative(data, y, priors, rng=rng),
        covariate_names=data.covariate_names,
    )


def sample_margin(
    model: ExposureModel,
    data: ExposureData,
    outcome: Flags,
    priors: Priors,
    *,
    rng: np.random.Generator,
    n_draws: int,
) -> ImportanceSample:
    """Posterior draws of one curve, in the parameters of `ExposureModel`."""
    return sample_posterior(
        lambda draws: log_posterior(model, draws, data, outcome, priors),
        margin_proposal(model, data, outcome, priors),
        rng=rng,
        n_draws=n_draws,
    )


def p_slope_negative(
    data: ExposureData, outcome: Flags, priors: Priors, *, rng: np.random.Generator
) -> float:
    """P(the logistic curve falls) under priors that allow both directions alike."""
    both_ways = stated(priors, monotone=False)
    sample = sample_margin(LOGISTIC, data, outcome, both_ways, rng=rng, n_draws=DIRECTION_DRAWS)
    return float(np.exp(sample.log_weights)[sample.draws[:, 1] < 0].sum())


def stated(priors: Priors | None, monotone: bool) -> Priors:
    """The priors given, or the default ones, with the direction asked for."""
    from dataclasses import replace

    return replace(priors if priors is not None else Priors(), monotone=monotone)


def check_options(level: float, n_draws: int) -> None:
    """Raise `ValueError` where the level or the number of draws cannot be used."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, it lies between 0 and 1")
    if n_draws < 400:
        raise ValueError(f"n_draws is {n_draws}, at least 400 are needed")


def positive(exposure: Floats) -> Floats:
    """Exposures as an array `(m,)`, or `ValueError`."""
    x = np.atleast_1d(np.asarray(exposure, dtype=float))
    if x.ndim != 1 or not (np.isfinite(x) & (x > 0)).all():
        raise ValueError("exposures are positive numbers in one dimension")
    return x


def every(n_draws: int, at_most: int) -> NDArray[np.intp]:
    """Evenly spaced indices of at most so many draws."""
    return np.linspace(0, n_draws - 1, min(n_draws, at_most)).astype(int)
