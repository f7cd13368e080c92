"""What a patient's levels tell: equally weighted draws of his effects, over one model or several."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.records import occasion_ends, patient_records
from troughline.dosing.uncertain_model import with_uncertain_parameters
from troughline.pk.averaging import Candidate, weigh_models
from troughline.pk.individual import estimate_individuals
from troughline.pk.posterior import PosteriorOptions, draw_posterior, generator_of

if TYPE_CHECKING:
    from troughline.dosing.model_choice import ChosenModel
    from troughline.dosing.patient import DosePatient
    from troughline.model.model import Model
    from troughline.model.records import Records
    from troughline.pk.posterior import Posterior

Floats = NDArray[np.float64]

NEW_OCCASIONS = 2
"""Occasions yet to come that have draws: one for a further level, one for the horizon."""


class NoEstimate(ValueError):
    """No model gives an estimate; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """A chosen model in the form that is computed with: its typical values uncertain, or fixed."""

    chosen: ChosenModel
    model: Model


@dataclass(frozen=True, kw_only=True)
class Share:
    """One model's part of the belief: `draws` (n, q) are its share of all draws, in their order."""

    working: Working
    records: Records
    posterior: Posterior
    weight: float
    draws: Floats

    @property
    def output(self) -> int:
        """The index of the output that is the level."""
        return self.working.chosen.output_index


@dataclass(frozen=True, kw_only=True)
class Belief:
    """Draws of a patient over all models: the shares one after the other, `n_draws` in all.

    `effective`: the effective number of the draws. `n_occasions`: those of the records; the draws hold
    `NEW_OCCASIONS` more.
    """

    shares: tuple[Share, ...]
    weights: tuple[float, ...]
    log_marginals: tuple[float, ...]
    effective: float
    method: str
    n_occasions: int
    failed: tuple[str, ...] = ()

    @property
    def n_draws(self) -> int:
        """How many draws there are."""
        return sum(len(s.draws) for s in self.shares)


def working_models(models: Sequence[ChosenModel], *, parameter_uncertainty: bool) -> tuple[Working, ...]:
    """The models as they are computed with."""
    return tuple(
        Working(chosen=c, model=with_uncertain_parameters(c.model) if parameter_uncertainty else c.model)
        for c in models
    )


def believe(
    patient: DosePatient,
    models: Sequence[Working],
    *,
    draws: int,
    seed: int,
    proposals: int | None = None,
    leave_out: Collection[int] = (),
    prior: bool = False,
) -> Belief:
    """Draw a patient's effects given his levels, each model by its weight.

    Weights are w ∝ prior weight · p(levels | model); a model without a marginal likelihood is left out and
    named in `failed`. `leave_out`: numbers of levels that are not used; `prior`: none is. Draws depend on
    `seed` and the patient's id alone. Raises `NoEstimate` where no model has a posterior.
    """
    wanted = proposals or draws
    options = PosteriorOptions(
        draws=draws, proposals=wanted, most_proposals=max(8000, 4 * wanted),
        least_effective=max(min(400, draws // 2), 1), new_occasions=NEW_OCCASIONS, seed=seed,
    )  # fmt: skip
    candidates: list[Candidate] = []
    kept: list[Working] = []
    failed: list[str] = []
    out = {level.number for level in patient.levels} if prior else set(leave_out)
    for working in models:
        records = patient_records(patient, working.chosen, working.model, leave_out=out)
        individuals = estimate_individuals(working.model, records)
        posterior = draw_posterior(working.model, records, individuals, options=options)
        if posterior.method[0] == "none" or not np.isfinite(posterior.draws[0]).all():
            from troughline.pk.individual import STATUS

            failed.append(f"{working.model.id}: {STATUS[int(individuals.status[0])]}")
            continue
        kept.append(working)
        candidates.append(
            Candidate(
                model=working.model, records=records, posterior=posterior, weight=working.chosen.weight,
                output=working.chosen.output,
            )
        )  # fmt: skip
    if not candidates:
        raise NoEstimate("; ".join(failed))
    weights = _weights(candidates)
    counts = _counts(weights, draws)
    rng = generator_of(seed, patient.id, "model shares")
    shares = tuple(
        Share(
            working=working, records=c.records, posterior=c.posterior, weight=float(w),
            draws=c.posterior.draws[0] if k == draws else c.posterior.draws[0][rng.permutation(draws)[:k]],
        )
        for working, c, w, k in zip(kept, candidates, weights, counts, strict=True)
        if k > 0
    )  # fmt: skip
    ess = [float(s.posterior.effective[0]) for s in shares]
    return Belief(
        shares=shares,
        weights=tuple(float(w) for w in weights),
        log_marginals=tuple(float(c.posterior.log_marginal[0]) for c in candidates),
        effective=1.0 / sum(s.weight**2 / e for s, e in zip(shares, ess, strict=True)),
        method=", ".join(dict.fromkeys(str(c.posterior.method[0]) for c in candidates)),
        n_occasions=len(occasion_ends(patient)),
        failed=tuple(failed),
    )


def _weights(candidates: Sequence[Candidate]) -> Floats:
    """The models' weights (k,); the prior ones where no marginal likelihood is known."""
    if len(candidates) == 1:
        return np.ones(1)
    weights = weigh_models(candidates).weights[0]
    if not np.isfinite(weights).all():
        weights = np.array([c.weight for c in candidates])
    return weights / weights.sum()


def _counts(weights: Floats, draws: int) -> list[int]:
    """How many draws each model gives, by largest remainder: they add up exactly."""
    exact = weights * draws
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: draws - int(counts.sum())]] += 1
    return counts.tolist()


def spread_rows(belief: Belief, draws: int | None) -> list[tuple[Share, NDArray[np.int64]]]:
    """Of each share the rows of some `draws` of the belief, evenly spread; None: all of them."""
    total = belief.n_draws
    if draws is None or draws >= total:
        return [(share, np.arange(len(share.draws))) for share in belief.shares]
    step = total / draws
    return [
        (share, np.unique(np.arange(0, len(share.draws), step).astype(np.int64))) for share in belief.shares
    ]
