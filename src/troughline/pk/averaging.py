"""Exposure averaged over several models, each weighted by how well it predicts the patient's samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.pk.exposure import ExposureQuery, exposure_draws
from troughline.pk.posterior import generator_of

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records
    from troughline.pk.posterior import Posterior

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model with the patients' records for it and their posteriors under it.

    `weight`: its prior weight, relative to the others'. `output`: the output that means the same quantity in
    every model; None where the model has one.
    """

    model: Model
    records: Records
    posterior: Posterior
    weight: float = 1.0
    output: str | None = None


@dataclass(frozen=True, kw_only=True)
class ModelWeights:
    """The posterior weights of k models for each of n patients.

    - `weights` (n, k): w ∝ prior weight · p(y | model), NaN for a patient without; `error` (n,): the largest
      standard error of a patient's weights, from that of the marginal likelihoods.
    - `log_marginal`, `effective` (n, k): of each model's posterior; see `Posterior`.
    - `effective_models` (n,): exp(−Σ w log w), between 1 and k.
    - `reasons`: for each patient without weights, why.
    - `statement`: what the models have in common and do not.
    """

    patients: tuple[str, ...]
    models: tuple[str, ...]
    weights: Floats
    error: Floats
    log_marginal: Floats
    effective: Floats
    effective_models: Floats
    reasons: dict[str, str]
    statement: str


@dataclass(frozen=True, kw_only=True)
class AveragedExposure:
    """One patient's exposure under the average of models.

    `draws` (n_draws, n_queries): equally weighted, canonical; `model` (n_draws,): the index of the model that
    each came from; `weights` (k,), `log_marginal` (k,), `effective` (k,): of the models; `effective_draws`:
    the effective number of the pooled draws, 1/Σ w²/ESS.
    """

    patient: str
    draws: Floats
    model: NDArray[np.int64]
    weights: Floats
    log_marginal: Floats
    effective: Floats
    effective_draws: float


def weigh_models(candidates: Sequence[Candidate]) -> ModelWeights:
    """Weigh the models for every patient, w ∝ prior weight · p(y | model).

    p(y | model) is the marginal likelihood of the patient's samples over the random effects, at the model's
    published typical values. It can be compared because it is a density of the same levels in the same units:
    every model must have the same patients with the same samples, limits included. A patient whose marginal
    likelihood is not known under one of the models has no weights. Without samples the weights are the prior
    ones.

    Raises `ValueError` for fewer than two models, weights that are not positive, patients or samples that
    differ, an output that a model does not have, and outputs that measure different things.
    """
    if len(candidates) < 2:
        raise ValueError("averaging needs at least two models")
    if not all(math.isfinite(c.weight) and c.weight > 0 for c in candidates):
        raise ValueError(f"prior weights must be positive, not {[c.weight for c in candidates]}")
    _check_same_samples(candidates)
    outputs = [output_index(c) for c in candidates]
    _check_same_dimension(candidates, outputs)
    log_marginal = np.column_stack([c.posterior.log_marginal for c in candidates])
    errors = np.column_stack([c.posterior.log_marginal_error for c in candidates])
    log_weight = log_marginal + np.log([c.weight for c in candidates])
    known = np.isfinite(log_weight).all(axis=1)
    weights = np.full(log_weight.shape, np.nan)
    top = log_weight[known].max(axis=1, keepdims=True)
    raw = np.exp(log_weight[known] - top)
    weights[known] = raw / raw.sum(axis=1, keepdims=True)
    safe = np.where(weights > 0, weights, 1.0)
    patients = candidates[0].records.patients
    return ModelWeights(
        patients=patients,
        models=tuple(c.model.id for c in candidates),
        weights=weights,
        error=_weight_errors(weights, errors),
        log_marginal=log_marginal,
        effective=np.column_stack([c.posterior.effective for c in candidates]),
        effective_models=np.where(known, np.exp(-np.sum(safe * np.log(safe), axis=1)), np.nan),
        reasons={patients[p]: _reason(candidates, int(p)) for p in np.flatnonzero(~known)},
        statement=_statement(candidates, outputs),
    )


def averaged_exposure(
    candidates: Sequence[Candidate],
    weights: ModelWeights,
    p: int,
    queries: Sequence[ExposureQuery],
    *,
    draws: int = 1000,
    seed: int = 20260101,
) -> AveragedExposure:
    """Patient p's exposure, `draws` equally weighted draws pooled over the models.

    Each model gives its share of the draws, w · `draws` rounded so that they add up at random; the queries'
    own outputs are ignored, each candidate's `output` is taken. Raises `ValueError` for a patient without
    weights and as `exposure_draws` does.
    """
    share = weights.weights[p]
    patient = weights.patients[p]
    if not np.isfinite(share).all():
        raise ValueError(f"patient {patient!r} has no weights: {weights.reasons[patient]}")
    rng = generator_of(seed, patient, "model average")
    counts = _counts(share, draws, rng)
    pooled = np.empty((draws, len(queries)))
    model = np.repeat(np.arange(len(candidates)), counts)
    for k, candidate in enumerate(candidates):
        if not counts[k]:
            continue
        own = candidate.posterior.draws[p]
        chosen = own[_evenly(len(own), int(counts[k]), rng)]
        asked = [replace(q, output=output_index(candidate)) for q in queries]
        pooled[model == k] = exposure_draws(
            candidate.model, candidate.records, p, chosen, asked, theta=candidate.posterior.theta
        )
    order = rng.permutation(draws)
    used = share > 0
    return AveragedExposure(
        patient=patient,
        draws=pooled[order],
        model=model[order].astype(np.int64),
        weights=share.copy(),
        log_marginal=weights.log_marginal[p].copy(),
        effective=weights.effective[p].copy(),
        effective_draws=float(1.0 / np.sum(share[used] ** 2 / weights.effective[p][used])),
    )


def output_index(candidate: Candidate) -> int:
    """The index of the candidate's output. Raises `ValueError` where it does not have it or has several."""
    names = [o.name for o in candidate.model.spec.outputs]
    if candidate.output is None and len(names) == 1:
        return 0
    if candidate.output not in names:
        listed = ", ".join(names)
        raise ValueError(f"{candidate.model.id}: name one of its outputs, not {candidate.output!r}: {listed}")
    return names.index(candidate.output)


def _check_same_dimension(candidates: Sequence[Candidate], outputs: Sequence[int]) -> None:
    from troughline.units import dimensions

    units = [c.model.spec.outputs[k].unit for c, k in zip(candidates, outputs, strict=True)]
    for candidate, unit in zip(candidates, units, strict=True):
        if dimensions(unit) != dimensions(units[0]):
            raise ValueError(
                f"{candidates[0].model.id} gives {units[0]} and {candidate.model.id} {unit}: "
                "what they mean cannot be averaged"
            )


def _check_same_samples(candidates: Sequence[Candidate]) -> None:
    first, whole = candidates[0], _samples(candidates[0])
    for other in candidates[1:]:
        if other.records.patients != first.records.patients:
            raise ValueError(f"{first.model.id} and {other.model.id} are given different patients")
        theirs = _samples(other)
        differ = [
            patient for patient, a, b in zip(first.records.patients, whole, theirs, strict=True)
            if a.shape != b.shape or not np.allclose(a, b, rtol=1e-9, atol=0, equal_nan=True)
        ]  # fmt: skip
        if differ:
            raise ValueError(
                f"{first.model.id} and {other.model.id} are given different samples of {differ[0]!r}"
                + (f" and {len(differ) - 1} more" if len(differ) > 1 else "")
                + ": their likelihoods cannot be compared"
            )


def _samples(candidate: Candidate) -> list[Floats]:
    """Of each patient the samples that count (n, 5): time, censoring, value and limit, whether averaged."""
    records, outputs = candidate.records, candidate.model.spec.outputs
    measured = np.array([o.error.kind != "none" for o in outputs], dtype=bool)
    logged = np.array([o.error.on_log_scale for o in outputs], dtype=bool)
    counts = (records.event == 0) & (records.censoring != 3)
    counts[counts] = measured[records.output[counts]]
    value, limit = records.value.copy(), records.limit.copy()
    scaled = counts & logged[np.clip(records.output, 0, len(outputs) - 1)]
    value[scaled], limit[scaled] = np.exp(value[scaled]), np.exp(limit[scaled])
    limit[records.censoring == 0] = np.nan
    value[records.censoring != 0] = np.nan
    averaged = records.output == output_index(candidate)
    columns = [records.time_h, records.censoring, value, limit, averaged]
    table: Floats = np.column_stack(columns).astype(np.float64)
    return [table[a:b][counts[a:b]] for a, b in pairwise(records.first.tolist())]


def _weight_errors(weights: Floats, errors: Floats) -> Floats:
    """The largest standard error of each patient's weights (n,), to first order."""
    shared = np.sum((weights * errors) ** 2, axis=1, keepdims=True)
    variance = weights**2 * (errors**2 * (1 - 2 * weights) + shared)
    return np.sqrt(np.maximum(variance, 0.0)).max(axis=1)


def _reason(candidates: Sequence[Candidate], p: int) -> str:
    lost = [
        f"{c.model.id} ({c.posterior.method[p]})" for c in candidates
        if not np.isfinite(c.posterior.log_marginal[p])
    ]  # fmt: skip
    return f"no marginal likelihood under {', '.join(lost)}"


def _counts(share: Floats, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How many of the draws each model gives, by systematic sampling: w · draws on average."""
    ladder = np.cumsum(share / share.sum())
    ladder[-1] = 1.0
    picks = (rng.random() + np.arange(draws)) / draws
    return np.bincount(np.searchsorted(ladder, picks), minlength=len(share)).astype(np.int64)


def _evenly(size: int, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`wanted` of `size` draws, each as often as any other or once more."""
    whole, rest = divmod(wanted, size)
    return np.concatenate([np.tile(np.arange(size), whole), rng.permutation(size)[:rest]]).astype(np.int64)


def _statement(candidates: Sequence[Candidate], outputs: Sequence[int]) -> str:
    parts = [
        f"{c.model.id}: {c.model.spec.outputs[k].name} in {c.model.spec.outputs[k].unit}"
        for c, k in zip(candidates, outputs, strict=True)
    ]
    names = {c.model.spec.outputs[k].name for c, k in zip(candidates, outputs, strict=True)}
    units = {c.model.spec.outputs[k].unit for c, k in zip(candidates, outputs, strict=True)}
    text = f"averaged over {len(candidates)} models ({'; '.join(parts)}), in canonical units (mg/L, mg·h/L)"
    if len(names) > 1:
        text += "; the outputs have different names and are taken as one quantity because the caller says so"
    if len(units) > 1:
        text += "; their units differ and were converted"
    others = sorted({c.model.id for c in candidates if len(c.model.spec.outputs) > 1})
    if others:
        text += f"; the other outputs of {', '.join(others)} count in the weights, not in the average"
    return text
