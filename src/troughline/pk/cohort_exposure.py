"""Exposure of a whole cohort from one sample a patient at any time: predicted, with its uncertainty."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.pk.sample_records import AtSample, KnownRecords, known_records, output_of

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.exposure import Sample
    from troughline.model.model import Model
    from troughline.model.records import Records
    from troughline.pk.posterior import Posterior, PosteriorOptions

Floats = NDArray[np.float64]
ExposureMetric = Literal["trough", "auc", "average", "cmax"]
Kept = MutableMapping[bytes, "ModelExposure"]

LEVEL = 0.9
KEPT_DRAWS = 200
DRAWS, PROPOSALS, LEAST_EFFECTIVE = 400, 600, 200
SIMULATIONS = 300
_TIME_DIFFERS_H = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelExposure:
    """One patient's exposure as a model predicts it from the samples up to `day`.

    - `median`, `low`, `high`: of the posterior, the limits those of the central 90 % interval, in the unit
      asked for; `log_sd`: the posterior SD of its logarithm; `draws` (at most 200,): equally weighted.
    - `status`: empty, or why there is no exposure (the numbers are NaN then); `flags`: what to know of it.
    - `day`: study day of the sample; `n_samples`: how many observations it rests on; `time_after_dose_h` of
      the sample, `dose_mg` every `interval_h` the dose in force, as the model took them.
    - `discrepancy`: the share of levels simulated before data (random effects and residual error) below the
      sample, uniform under the model; `typical_ratio`: the sample over their median. NaN where unknown.
    """

    patient: str
    median: float = math.nan
    low: float = math.nan
    high: float = math.nan
    log_sd: float = math.nan
    draws: Floats = field(repr=False)
    status: str = ""
    flags: tuple[str, ...] = ()
    day: float
    n_samples: int = 0
    time_after_dose_h: float = math.nan
    dose_mg: float = math.nan
    interval_h: float = math.nan
    discrepancy: float = math.nan
    typical_ratio: float = math.nan

    @property
    def usable(self) -> bool:
        """Whether there is an exposure."""
        return not self.status


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscrepancyTest:
    """Whether samples lie among the model's predictions before data.

    `n` samples; `mean` of their discrepancies (0.5 under the model); `p_value` of Kolmogorov and Smirnov's
    test of uniformity; `ratio`: geometric mean of the samples over the typical prediction.
    """

    n: int
    mean: float
    p_value: float
    ratio: float


def cohort_exposure(
    cohort: Cohort,
    model: Model,
    samples: Mapping[str, Sample],
    *,
    analyte: str,
    metric: ExposureMetric = "trough",
    unit: str = "mg/L",
    seed: int,
    molar_mass_g_per_mol: float | None = None,
    threads: int | None = None,
    kept: Kept | None = None,
) -> dict[str, ModelExposure]:
    """The exposure of each patient of `samples`, over the dosing interval that holds his sample.

    From the posterior of the patient's random effects given every observation up to and including the
    sample, and none after it: the level just before the end of that interval (`trough`), the area over it
    (`auc`), that area over its length (`average`) or the highest level in it (`cmax`), under the dose in
    force and the sample's occasion. A patient for whom that is impossible has a status that says why.

    Parameters: `samples`, one a patient by name; `analyte`, the name of the output it measures; `unit` of the
    answer (a level; for `auc` a level times a time); `seed`: draws depend on it and on the patient alone, not
    on order, company or threads; `kept` remembers answers from one call to the next.
    Raises `ValueError` where the model does not predict the analyte, the unit does not convert, or the tables
    cannot be turned into records.
    """
    from troughline.units import convert

    factor = float(
        convert(1.0, "mg*h/L" if metric == "auc" else "mg/L", unit, molar_mass_g_per_mol=molar_mass_g_per_mol)
    )
    output = output_of(model.spec, analyte)
    known = known_records(cohort, model.spec, samples, analyte)
    memory: Kept = {} if kept is None else kept
    keys = [_key(model, known, p, (metric, unit, output, seed)) for p in range(len(known.at))]
    missing = [p for p, key in enumerate(keys) if key not in memory]
    if missing:
        made = _estimated(model, _chosen(known, missing), output, metric, seed, threads)
        for p, one in zip(missing, made, strict=True):
            memory[keys[p]] = _in_unit(one, factor)
    out = {patient: _failed(samples[patient], why) for patient, why in known.failed.items()}
    for at, key in zip(known.at, keys, strict=True):
        sample = samples[at.patient]
        one = memory[key]
        out[at.patient] = replace(one, day=sample.day, flags=(*_time_flags(sample, at), *one.flags))
    return {patient: out[patient] for patient in cohort.patient_ids if patient in out}


def reliability(exposures: Mapping[str, ModelExposure]) -> float:
    """The reliability ratio of predicted exposures: the part of their variance that is not uncertainty.

    Var(median) / (Var(median) + mean posterior variance), on the log scale: 1 where every exposure is known,
    0 where all that the model knows is the typical patient (1 − shrinkage). NaN with fewer than two patients.
    """
    used = [e for e in exposures.values() if e.usable]
    if len(used) < 2:
        return math.nan
    between = float(np.var(np.log([e.median for e in used]), ddof=1))
    within = float(np.mean([e.log_sd**2 for e in used]))
    return between / (between + within) if between + within > 0 else math.nan


def discrepancy_test(exposures: Mapping[str, ModelExposure]) -> DiscrepancyTest | None:
    """The samples against the model's predictions before data, one a patient; None with fewer than five.

    Source: Mentré 2006, doi 10.1007/s10928-005-0016-4.
    """
    from scipy.stats import kstest

    used = [e for e in exposures.values() if math.isfinite(e.discrepancy)]
    if len(used) < 5:
        return None
    values = np.array([e.discrepancy for e in used])
    ratios = np.array([e.typical_ratio for e in used])
    ratios = ratios[np.isfinite(ratios) & (ratios > 0)]
    return DiscrepancyTest(
        n=len(used),
        mean=float(values.mean()),
        p_value=float(kstest(values, "uniform").pvalue),
        ratio=float(np.exp(np.log(ratios).mean())) if len(ratios) else math.nan,
    )


def _key(model: Model, known: KnownRecords, p: int, asked: tuple[object, ...]) -> bytes:
    """What one patient's answer depends on."""
    digest = hashlib.sha256(repr((model.spec.sha256, known.at[p], asked)).encode())
    lo, hi = int(known.records.first[p]), int(known.records.first[p + 1])
    for f in fields(known.records):
        if f.name not in ("patients", "first"):
            digest.update(np.ascontiguousarray(getattr(known.records, f.name)[lo:hi]).tobytes())
    return digest.digest()


def _chosen(known: KnownRecords, which: list[int]) -> KnownRecords:
    """Some of the patients."""
    old = known.records
    rows = [np.arange(int(old.first[p]), int(old.first[p + 1]), dtype=np.int64) for p in which]
    index = np.concatenate(rows)
    first = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    arrays: dict[str, Any] = {
        f.name: getattr(old, f.name)[index] for f in fields(old) if f.name not in ("patients", "first")
    }
    return replace(
        known,
        records=replace(old, patients=tuple(old.patients[p] for p in which), first=first, **arrays),
        places=known.places[which] - old.first[which] + first[:-1],
        at=tuple(known.at[p] for p in which),
    )


def _estimated(
    model: Model, known: KnownRecords, output: int, metric: ExposureMetric, seed: int, threads: int | None
) -> list[ModelExposure]:
    """The exposures of the patients of the records, in canonical units (mg/L, mg·h/L)."""
    from troughline.pk.individual import STATUS, EstimateOptions, estimate_individuals
    from troughline.pk.posterior import PosteriorOptions, draw_posterior

    individuals = estimate_individuals(model, known.records, options=EstimateOptions(threads=threads))
    options = PosteriorOptions(
        draws=DRAWS, proposals=PROPOSALS, least_effective=LEAST_EFFECTIVE, seed=seed, threads=threads
    )
    posterior = draw_posterior(model, known.records, individuals, options=options)
    draws = _exposure_draws(model, known, posterior.draws, output, metric, threads)
    simulated, outlying = _prior_predictions(model, known, seed, threads)
    made: list[ModelExposure] = []
    for p, at in enumerate(known.at):
        status = "" if individuals.usable[p] else f"no estimate: {STATUS[int(individuals.status[p])]}"
        if not status and not (np.isfinite(draws[p]).all() and (draws[p] > 0).all()):
            status = "no estimate: the model predicts no level above zero"
        made.append(
            _summary(
                at, draws[p], simulated[p], outlying[p], status, _posterior_flag(posterior, options, p), seed
            )
        )
    return made


def _exposure_draws(
    model: Model,
    known: KnownRecords,
    effects: Floats,
    output: int,
    metric: ExposureMetric,
    threads: int | None,
) -> Floats:
    """The exposure at each draw of the effects (n_patients, n_draws)."""
    from troughline.model.engine import over_patients
    from troughline.pk.exposure import ExposureQuery, exposure_draws

    out = np.full(effects.shape[:2], np.nan)
    if metric in ("auc", "average"):
        _ = model.compiled_with_areas  # compiled once, before threads ask for it

    def run(begin: int, end: int) -> None:
        for p in range(begin, end):
            if not np.isfinite(effects[p]).all():
                continue
            at = known.at[p]
            query = ExposureQuery(quantity=metric, start=at.dose_h, end=at.end_h, output=output)
            out[p] = exposure_draws(model, known.records, p, effects[p], [query])[:, 0]

    over_patients(run, len(known.at), threads, chunk=8)
    return out


def _prior_predictions(
    model: Model, known: KnownRecords, seed: int, threads: int | None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Levels at each patient's sample, simulated before data (n_patients, n_simulations), NaN where none.

    And which samples lie far outside what the model expects of their patient (n_patients,).
    """
    from troughline.pk.outlying import far_outside, hold_against_prior

    sampled = _only_observing(known)
    held = hold_against_prior(
        model, sampled, seed=seed, simulations=SIMULATIONS, patients=np.arange(len(known.at)), threads=threads
    )
    out = np.full((len(known.at), SIMULATIONS), np.nan)
    out[sampled.patient_index()[held.rows]] = held.simulated.T
    if model.spec.outputs[int(sampled.output[known.places[0]])].error.on_log_scale:
        out = np.exp(out)
    return out, far_outside(sampled, held.probability)[known.places]


def _only_observing(known: KnownRecords) -> Records:
    """The records with the sample as the only observation: the others become times without one."""
    event = known.records.event.copy()
    event[event == 0] = 2
    event[known.places] = 0
    return replace(known.records, event=event)


def _posterior_flag(posterior: Posterior, options: PosteriorOptions, p: int) -> str:
    effective = posterior.effective[p]
    if posterior.method[p] == "metropolis" and not effective >= options.least_effective / 2:
        return f"the posterior was sampled poorly: {effective:.0f} effective draws"
    return ""


def _summary(
    at: AtSample, draws: Floats, simulated: Floats, outlying: bool, status: str, poor: str, seed: int
) -> ModelExposure:
    """One patient's exposure from its draws (n_draws,) and the levels simulated before data (n,)."""
    from troughline.pk.outlying import FAR_BELOW

    discrepancy, ratio = _discrepancy(at, simulated, seed)
    flags = [poor] if poor else []
    if outlying:
        flags.append(
            f"outlying sample: {'above' if discrepancy > 0.5 else 'below'} what the model predicts before "
            f"data, with a probability under {FAR_BELOW:g}"
        )
    known = ModelExposure(
        patient=at.patient,
        draws=np.empty(0),
        status=status,
        flags=tuple(flags),
        day=math.nan,
        n_samples=at.n_samples,
        time_after_dose_h=at.sample_h - at.dose_h,
        dose_mg=at.dose_mg,
        interval_h=at.interval_h,
        discrepancy=discrepancy,
        typical_ratio=ratio,
    )
    if status:
        return known
    low, median, high = (float(v) for v in np.quantile(draws, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2]))
    thinned = draws[np.linspace(0, len(draws) - 1, min(len(draws), KEPT_DRAWS)).astype(int)]
    log_sd = float(np.std(np.log(draws), ddof=1))
    return replace(known, median=median, low=low, high=high, log_sd=log_sd, draws=thinned)


def _discrepancy(at: AtSample, simulated: Floats, seed: int) -> tuple[float, float]:
    """The prediction discrepancy of a sample, and its ratio to the typical prediction.

    Below a limit the discrepancy is drawn from 0 to the chance of lying below it (doi
    10.1007/s10928-012-9264-2); between simulations it is spread evenly, so that it is uniform.
    """
    from troughline.pk.posterior import generator_of

    levels = simulated[np.isfinite(simulated)]
    if not len(levels):
        return math.nan, math.nan
    spread = float(generator_of(seed, at.patient, "discrepancy").random())
    below = int((levels < at.value).sum())
    if at.below:
        return spread * below / len(levels), math.nan
    discrepancy = (below + spread) / (len(levels) + 1)
    median = float(np.median(levels))
    return discrepancy, at.value / median if at.value > 0 and median > 0 else math.nan


def _time_flags(sample: Sample, at: AtSample) -> tuple[str, ...]:
    """What is uncertain about when the sample was drawn."""
    taken = at.sample_h - at.dose_h
    if math.isnan(sample.time_after_dose_h):
        return (f"time after the dose not recorded: taken as {taken:.3g} h",)
    if abs(sample.time_after_dose_h - taken) > _TIME_DIFFERS_H:
        return (
            f"recorded {sample.time_after_dose_h:.3g} h after the dose, {taken:.3g} h after it by the tables",
        )
    return ()


def _failed(sample: Sample, why: str) -> ModelExposure:
    return ModelExposure(
        patient=sample.patient,
        draws=np.empty(0),
        status=why,
        day=sample.day,
        time_after_dose_h=sample.time_after_dose_h,
    )


def _in_unit(one: ModelExposure, factor: float) -> ModelExposure:
    return replace(
        one,
        median=one.median * factor,
        low=one.low * factor,
        high=one.high * factor,
        draws=one.draws * factor,
    )


__all__ = [
    "DiscrepancyTest",
    "ExposureMetric",
    "ModelExposure",
    "cohort_exposure",
    "discrepancy_test",
    "reliability",
]
