"""Many patients at once, fast: each one's regimen by the same rule, to first order and at steady state."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.limits import position
from troughline.dosing.model_choice import ChosenModel, chosen_model
from troughline.dosing.patient_schema import UtilityWeights
from troughline.dosing.records import patient_record
from troughline.dosing.smooth_draws import can_smooth, smooth_draws
from troughline.dosing.steady import SteadyPatterns
from troughline.issues import Findings
from troughline.model.build import records_from
from troughline.pk.individual import EstimateOptions, Individuals, estimate_individuals, prior_of
from troughline.pk.posterior import generator_of
from troughline.progress import Progress, silent

if TYPE_CHECKING:
    from troughline.dosing.limits import Limits
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.regimen import Regimen
    from troughline.dosing.response_curve import ResponseCurve
    from troughline.model.model import Model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK = 256
QUANTILES = (0.05, 0.5, 0.95)
LEAST_KNOWN = 0.9
"""Draws without a steady state, far out in the first-order posterior, are left out up to one in ten."""


@dataclass(frozen=True, kw_only=True)
class ManyDecisions:
    """Decisions for n patients among k regimens.

    - `trough`, `auc` (n, k, 3): 5 %, 50 % and 95 % at the horizon, mg/L and mg·h/L in 24 h (NaN unless
      asked).
    - `p_below`, `p_in`, `p_above` (n, k); `score` (n, k): expected utility, or P(in) without both curves.
    - `choice` (n,): the index of the highest score, −1 without an estimate.
    - `status` (n,): 0, or 1 where there is no estimate; `reasons`: why, by patient.
    """

    patients: tuple[str, ...]
    regimens: tuple[Regimen, ...]
    trough: Floats
    auc: Floats
    p_below: Floats
    p_in: Floats
    p_above: Floats
    score: Floats
    choice: Ints
    status: Ints
    reasons: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class _Question:
    """What is the same for every patient."""

    model: Model
    patterns: SteadyPatterns
    limits: Limits
    curves: Mapping[str, ResponseCurve]
    utility: UtilityWeights
    horizon_h: float
    draws: int
    seed: int
    threads: int


def dose_many(
    model: Model,
    patients: Sequence[DosePatient],
    regimens: Sequence[Regimen],
    limits: Limits,
    *,
    horizon_days: float = 28.0,
    draws: int = 64,
    seed: int = 20260101,
    curves: Mapping[str, ResponseCurve] | None = None,
    utility: UtilityWeights | None = None,
    areas: bool = False,
    threads: int | None = None,
    progress: Progress = silent,
) -> ManyDecisions:
    """Decide for many patients under one model; hand in its form with uncertain parameters to carry those.

    As `dose`, but the posterior is the first-order one (a normal at the estimate), and a regimen's exposure
    is that of its steady state on the horizon's day, in a new occasion. Of regimens with one interval one is
    solved, and the others follow by amount · bioavailability. A hold does not count. Nothing is raised for a
    patient: one whose covariates or levels cannot be used has status 1. Draws depend on the seed and the
    patient's id alone. Up to 2,000 of them are smoothed (`smooth_draws`): with 64 a probability is then
    within about 1.5 points (root mean square) of what very many draws give, where counting them is within 4.

    Raises `ValueError` for fewer than two draws and without a regimen.
    """
    if draws < 2:
        raise ValueError(f"draws must be at least 2, not {draws}")
    if not regimens:
        raise ValueError("there is no regimen to choose from")
    known = dict(curves or {})
    needs_area = areas or limits.metric == "auc" or any(c.metric == "auc" for c in known.values())
    question = _Question(
        model=model, patterns=SteadyPatterns(model, regimens, areas=needs_area), limits=limits, curves=known,
        utility=utility or UtilityWeights(), horizon_h=24.0 * horizon_days, draws=draws, seed=seed,
        threads=threads or os.cpu_count() or 1,
    )  # fmt: skip
    made = _empty(patients, regimens)
    for begin in range(0, len(patients), CHUNK):
        progress("deciding", begin, len(patients))
        _decide(question, patients, range(begin, min(begin + CHUNK, len(patients))), made)
    progress("deciding", len(patients), len(patients))
    return made


def _empty(patients: Sequence[DosePatient], regimens: Sequence[Regimen]) -> ManyDecisions:
    n, k = len(patients), len(regimens)
    return ManyDecisions(
        patients=tuple(p.id for p in patients), regimens=tuple(regimens), trough=np.full((n, k, 3), np.nan),
        auc=np.full((n, k, 3), np.nan), p_below=np.full((n, k), np.nan), p_in=np.full((n, k), np.nan),
        p_above=np.full((n, k), np.nan), score=np.full((n, k), np.nan),
        choice=np.full(n, -1, dtype=np.int64), status=np.ones(n, dtype=np.int64),
    )  # fmt: skip


def _decide(
    question: _Question, patients: Sequence[DosePatient], places: Sequence[int], made: ManyDecisions
) -> None:
    """Decide for some of the patients, and write into `made` at their places."""
    ready: list[tuple[int, ChosenModel]] = []
    for i in places:
        found = Findings()
        chosen = chosen_model(patients[i], question.model, found)
        if chosen is None or not patients[i].doses:
            made.reasons[patients[i].id] = found.errors[0].message if found.errors else "no doses"
        else:
            ready.append((i, chosen))
    if not ready:
        return
    model = question.model
    records = records_from([patient_record(patients[i], c, model) for i, c in ready], model.spec)
    options = EstimateOptions(starts="first", threads=question.threads)
    individuals = estimate_individuals(model, records, options=options)
    occasion = prior_of(model, options).covariance_occasion
    covariates = records.covariates[records.first[1:] - 1]

    def one(j: int) -> None:
        i = ready[j][0]
        if individuals.status[j] in (2, 3):
            made.reasons[patients[i].id] = "no estimate"
            return
        rng = generator_of(question.seed, patients[i].id, "many")
        effects, normals = _draws(individuals, j, model.compiled.n_subject, occasion, question.draws, rng)
        trough, area = question.patterns.exposure(
            effects, covariates[j], individuals.theta, patients[i].now_h + question.horizon_h
        )
        _judge(question, made, i, trough, area, normals, rng)

    one(0)
    with ThreadPoolExecutor(question.threads) as pool:
        list(pool.map(one, range(1, len(ready))))


def _draws(
    individuals: Individuals, j: int, n_subject: int, occasion: Floats, draws: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draws (draws, n_subject + n_occasion) of patient j, and the standard normals that they were made of.

    First order, and a new occasion; in ± pairs.
    """
    half = (draws + 1) // 2
    mean, own = individuals.effects[j, :n_subject], individuals.covariance[j, :n_subject, :n_subject]
    z = rng.standard_normal((half, n_subject + len(occasion)))
    shift = np.hstack([z[:, :n_subject] @ _root(own).T, z[:, n_subject:] @ _root(occasion).T])
    centre = np.concatenate([mean, np.zeros(len(occasion))])
    return np.vstack([centre + shift, centre - shift])[:draws], np.vstack([z, -z])[:draws]


def _root(covariance: Floats) -> Floats:
    """A root of a covariance that may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _judge(
    question: _Question, made: ManyDecisions, i: int, trough: Floats, area: Floats, normals: Floats,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Probabilities, score and choice of patient i from exposures (draws, k) at normals (draws, q)."""
    known = np.isfinite(trough).all(axis=1)
    if known.mean() < LEAST_KNOWN:
        made.reasons[made.patients[i]] = f"{1 - known.mean():.0%} of the draws have no steady state"
        return
    trough, area, normals = trough[known], area[known], normals[known]
    if can_smooth(len(trough), normals.shape[1]):
        trough = smooth_draws(trough, normals)
        area = smooth_draws(area, normals) if np.isfinite(area).all() else np.full_like(trough, np.nan)
    values = trough if question.limits.metric == "trough" else area
    at = position(values, question.limits)
    made.p_below[i], made.p_in[i], made.p_above[i] = (x.mean(axis=0) for x in (at.below, at.inside, at.above))
    made.trough[i] = np.quantile(trough, QUANTILES, axis=0).T
    if np.isfinite(area).all():
        made.auc[i] = np.quantile(area, QUANTILES, axis=0).T
    score = made.p_in[i]
    if {"toxicity", "benefit"} <= question.curves.keys():
        z = rng.standard_normal((2, len(trough)))
        p = {
            role: question.curves[role].probability(
                trough if question.curves[role].metric == "trough" else area, z[k]
            )
            for k, role in enumerate(("toxicity", "benefit"))
        }
        weights = question.utility
        score = (weights.benefit * p["benefit"] - weights.toxicity * p["toxicity"]).mean(axis=0)
    made.score[i] = score
    made.choice[i] = int(np.argmax(score))
    made.status[i] = 0
