"""Benefit and toxicity in the same patients: two margins tied by one odds ratio."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from troughline.response.exposure_models import ExposureData, ExposureModel
from troughline.response.importance import StudentT
from troughline.response.logistic import sigmoid
from troughline.response.margin import BLOCK, pointwise_log_likelihood
from troughline.response.priors import Priors, normal_log_density

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def both_probability(first: Floats, second: Floats, odds_ratio: Floats) -> Floats:
    """P(both) for two outcomes with given margins and odds ratio; arrays broadcast.

    The root of `p11 (1 - p1 - p2 + p11) = psi (p1 - p11)(p2 - p11)` that lies within the Fréchet bounds,
    written so that it keeps its digits for every `psi > 0`.
    Source: Plackett 1965, doi 10.1080/01621459.1965.10480807; Dale 1986, Biometrics 42:909.
    """
    excess = odds_ratio - 1
    total = 1 + excess * (first + second)
    product = odds_ratio * (first * second)
    root = np.sqrt(np.maximum(total * total - 4 * excess * product, 0.0))
    reverse = total < 0
    if not reverse.any():
        return 2 * product / (total + root)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(
            reverse, 0.5 * (root - total) / -excess, 2 * product / np.where(reverse, 1.0, total + root)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedOutcomes:
    """Benefit and toxicity of `n` patients; a patient in whom one of them is unknown counts for the other.

    `both` holds the indices of patients with both known, `benefit_only` and `toxicity_only` of those with
    one; `benefit` and `toxicity` `(n,)` are meaningful where known.
    """

    benefit: Flags
    toxicity: Flags
    both: NDArray[np.intp]
    benefit_only: NDArray[np.intp]
    toxicity_only: NDArray[np.intp]


def paired_outcomes(benefit: NDArray[np.generic], toxicity: NDArray[np.generic], n: int) -> PairedOutcomes:
    """Two outcomes `(n,)`, boolean or 1, 0 and NaN for unknown, as `PairedOutcomes`.

    Raises `ValueError` on another value, another length, or where nothing is known of some patient.
    """
    values: list[Floats] = []
    for name, given in (("benefit", benefit), ("toxicity", toxicity)):
        value = np.asarray(given, dtype=float)
        if value.shape != (n,):
            raise ValueError(f"{name} has shape {value.shape}, there are {n} exposures")
        wrong = ~(np.isnan(value) | (value == 0) | (value == 1))
        if wrong.any():
            raise ValueError(f"{name} holds {value[wrong][0]:g}; 1, 0 and NaN (unknown) are meant")
        if np.isnan(value).all():
            raise ValueError(f"{name} is known in no patient")
        values.append(value)
    known_b, known_t = ~np.isnan(values[0]), ~np.isnan(values[1])
    if not (known_b | known_t).all():
        first = int(np.flatnonzero(~(known_b | known_t))[0])
        raise ValueError(f"patient {first} (counted from 0) has neither benefit nor toxicity known")
    return PairedOutcomes(
        benefit=values[0] == 1,
        toxicity=values[1] == 1,
        both=np.flatnonzero(known_b & known_t),
        benefit_only=np.flatnonzero(known_b & ~known_t),
        toxicity_only=np.flatnonzero(~known_b & known_t),
    )


def rows(data: ExposureData, index: NDArray[np.intp]) -> ExposureData:
    """The exposures of some of the patients, still relative to the reference of all."""
    if index.size == data.log_exposure.size:
        return data
    return replace(
        data,
        log_exposure=data.log_exposure[index],
        covariates=data.covariates[index],
        nodes=None if data.nodes is None else data.nodes[index],
    )


@dataclass(frozen=True, slots=True)
class JointModel:
    """A benefit curve, a toxicity curve and the log odds ratio between the two outcomes within patients.

    Parameters: those of the benefit curve, those of the toxicity curve, the log odds ratio.
    """

    benefit: ExposureModel
    toxicity: ExposureModel

    @property
    def name(self) -> str:
        """The two shapes: `benefit logistic, toxicity emax`."""
        return f"benefit {self.benefit.name}, toxicity {self.toxicity.name}"

    def split(self, draws: Floats, n_covariates: int) -> tuple[Floats, Floats, Floats]:
        """Benefit parameters, toxicity parameters and log odds ratio of draws `(n_draws, d)`."""
        first = self.benefit.n_shape + n_covariates
        return draws[:, :first], draws[:, first:-1], draws[:, -1]

    def log_prior(self, draws: Floats, priors: Priors, n_covariates: int) -> Floats:
        """The log prior density `(n_draws,)` in the sampled parameters."""
        b, t, association = self.split(draws, n_covariates)
        return (
            self.benefit.log_prior(b, priors)
            + self.toxicity.log_prior(t, priors)
            + normal_log_density(association, priors.association_sd)
        )

    def pointwise_log_likelihood(
        self, draws: Floats, data: ExposureData, outcomes: PairedOutcomes, *, monotone: bool
    ) -> Floats:
        """The log-likelihood of what is known of each patient, `(n_draws, n_patients)`.

        With both outcomes known it is that of the observed cell of the two-by-two table, which is P(both)
        of the events that were observed, with the odds ratio inverted where one happened and one did not.
        Uncertain exposures are integrated out, the same exposure for both outcomes.
        """
        if data.nodes is not None:
            return data.averaged(
                lambda known: self.pointwise_log_likelihood(draws, known, outcomes, monotone=monotone)
            )
        b, t, association = self.split(draws, data.covariates.shape[1])
        value = np.empty((draws.shape[0], data.log_exposure.size))
        if outcomes.both.size:
            agree = outcomes.benefit[outcomes.both] == outcomes.toxicity[outcomes.both]
            for index, odds_ratio in (
                (outcomes.both[agree], np.exp(association)),
                (outcomes.both[~agree], np.exp(-association)),
            ):
                part = rows(data, index)
                p_b = _observed(self.benefit, b, part, outcomes.benefit[index], monotone)
                p_t = _observed(self.toxicity, t, part, outcomes.toxicity[index], monotone)
                with np.errstate(divide="ignore"):
                    value[:, index] = np.log(both_probability(p_b, p_t, odds_ratio[:, None]))
        for index, model, parameters, outcome in (
            (outcomes.benefit_only, self.benefit, b, outcomes.benefit),
            (outcomes.toxicity_only, self.toxicity, t, outcomes.toxicity),
        ):
            if index.size:
                value[:, index] = pointwise_log_likelihood(
                    model, parameters, rows(data, index), outcome[index], monotone=monotone
                )
        return value

    def log_posterior(
        self, draws: Floats, data: ExposureData, outcomes: PairedOutcomes, priors: Priors
    ) -> Floats:
        """Log likelihood plus log prior at draws `(n_draws, d)`, in blocks that fit the cache."""
        value = self.log_prior(draws, priors, data.covariates.shape[1])
        block = max(1, BLOCK // data.log_exposure.size)
        for i in range(0, draws.shape[0], block):
            part = slice(i, i + block)
            value[part] += self.pointwise_log_likelihood(
                draws[part], data, outcomes, monotone=priors.monotone
            ).sum(axis=1)
        return value


def _observed(
    model: ExposureModel, draws: Floats, data: ExposureData, outcome: Flags, monotone: bool
) -> Floats:
    """The probability of what was observed in each patient, `(n_draws, n_patients)`."""
    eta = model.log_odds(draws, data, monotone=monotone)
    eta *= np.where(outcome, 1.0, -1.0)
    return sigmoid(eta)


def joint_proposal(
    model: JointModel,
    benefit: StudentT,
    toxicity: StudentT,
    data: ExposureData,
    outcomes: PairedOutcomes,
    priors: Priors,
) -> StudentT:
    """A first proposal: the two margins' own, and the log odds ratio given their modes, as if independent."""
    association = np.linspace(-4.0, 4.0, 41) * priors.association_sd
    modes = np.concatenate([benefit.location, toxicity.location])
    draws = np.column_stack([np.tile(modes, (association.size, 1)), association])
    height = model.log_posterior(draws, data, outcomes, priors)
    weight = np.exp(height - height.max())
    weight /= weight.sum()
    mean = float(weight @ association)
    sd = max(float(np.sqrt(weight @ (association - mean) ** 2)), 0.1 * priors.association_sd)
    d = modes.size + 1
    cholesky = np.zeros((d, d))
    nb = benefit.location.size
    cholesky[:nb, :nb] = benefit.cholesky
    cholesky[nb:-1, nb:-1] = toxicity.cholesky
    cholesky[-1, -1] = sd
    return StudentT(np.append(modes, mean), cholesky)
