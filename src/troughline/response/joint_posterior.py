"""Posterior draws of benefit and toxicity together, averaged over the four pairs of curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.response.averaging import ModelReport, average_models, loo_of_sample
from troughline.response.curve_draws import CurveDraws, curve_draws, standard_patients
from troughline.response.exposure_models import MODELS, ExposureData
from troughline.response.importance import sample_posterior
from troughline.response.joint import JointModel, PairedOutcomes, joint_proposal, rows
from troughline.response.margin import margin_proposal
from troughline.response.priors import Priors

Floats = NDArray[np.float64]

PAIRS = tuple(JointModel(b, t) for b in MODELS for t in MODELS)
DRAWS_TIMES_PATIENTS = 5_000_000
LEAST_DRAWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class JointPosterior:
    """Equally weighted draws of two curves and the log odds ratio `(n_draws,)` between the outcomes."""

    models: tuple[ModelReport, ...]
    benefit: CurveDraws
    toxicity: CurveDraws
    log_odds_ratio: Floats


def sample_joint(
    data: ExposureData,
    outcomes: PairedOutcomes,
    priors: Priors,
    *,
    rng: np.random.Generator,
    n_draws: int,
    allow_poor: bool,
) -> JointPosterior:
    """Sample the four joint models and average them by leave-one-out prediction.

    The more patients, the fewer draws are taken from each pair, so that draws times patients stay within
    five million, but 1,000 at least. Raises `PosteriorError` where a posterior was sampled poorly,
    unless `allow_poor`.
    """
    n = data.log_exposure.size
    known = (
        (np.sort(np.concatenate([outcomes.both, outcomes.benefit_only])), outcomes.benefit),
        (np.sort(np.concatenate([outcomes.both, outcomes.toxicity_only])), outcomes.toxicity),
    )
    benefit_start, toxicity_start = (
        {m.name: margin_proposal(m, rows(data, index), outcome[index], priors) for m in MODELS}
        for index, outcome in known
    )
    per_pair = min(n_draws, max(LEAST_DRAWS, DRAWS_TIMES_PATIENTS // n))
    samples = [
        sample_posterior(
            lambda draws, pair=pair: pair.log_posterior(draws, data, outcomes, priors),
            joint_proposal(
                pair,
                benefit_start[pair.benefit.name],
                toxicity_start[pair.toxicity.name],
                data,
                outcomes,
                priors,
            ),
            rng=rng,
            n_draws=per_pair,
        )
        for pair in PAIRS
    ]
    loos = [
        loo_of_sample(
            sample,
            lambda draws, pair=pair: pair.pointwise_log_likelihood(
                draws, data, outcomes, monotone=priors.monotone
            ),
            n,
        )
        for pair, sample in zip(PAIRS, samples, strict=True)
    ]
    average = average_models(
        [pair.name for pair in PAIRS], samples, loos, rng=rng, n_draws=n_draws, allow_poor=allow_poor
    )
    p = int(data.covariates.shape[1])
    chosen = [
        pair.split(sample.draws[index], p)
        for pair, sample, index in zip(PAIRS, samples, average.chosen, strict=True)
    ]
    benefit = [(pair.benefit, draws[0]) for pair, draws in zip(PAIRS, chosen, strict=True)]
    toxicity = [(pair.toxicity, draws[1]) for pair, draws in zip(PAIRS, chosen, strict=True)]
    ranking = sum(
        (draws[:, model.n_shape :].sum(axis=0) for model, draws in benefit + toxicity), start=np.zeros(p)
    )
    standard = data.covariates[standard_patients(data.covariates, ranking)]
    return JointPosterior(
        models=average.reports,
        benefit=curve_draws(benefit, standard, monotone=priors.monotone),
        toxicity=curve_draws(toxicity, standard, monotone=priors.monotone),
        log_odds_ratio=np.concatenate([draws[2] for draws in chosen]),
    )
