"""What is held against an outcome: each patient's value, as published and guarded, and when it was known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from troughline.cohort.describe import readable
from troughline.cohort.exposure import Exposure, exposure_of, times_interval
from troughline.cohort.outcomes import BinaryOutcome, group_after_start

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.studyfile import Predictor
    from troughline.evidence.records import Drug
    from troughline.response.model_exposure import ModelUse


class NotAnalysable(ValueError):
    """The data cannot answer this question; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorValues:
    """A predictor for every patient who has one.

    `as_published` and `guarded` map patient to value in `unit`; `known_day` to the study day on which the
    guarded value was known (0 for a covariate). `left_out` says why a patient has no guarded value.
    `category` maps patient to a level for a categorical covariate; `group` is set for a group defined
    after the first dose, `group_names` are those outside it and those in it. `level_of_drug` marks a
    covariate that the study file declares to be a level of the study's drug. `model` is set where a
    population model predicted the guarded values from the levels; the as-published ones are then called
    `label_as_published`. `until` says in words what no sample behind a guarded value comes after.
    """

    label: str
    unit: str
    as_published: Mapping[str, float] = field(default_factory=dict[str, float])
    guarded: Mapping[str, float] = field(default_factory=dict[str, float])
    known_day: Mapping[str, float] = field(default_factory=dict[str, float])
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])
    category: Mapping[str, str] = field(default_factory=dict[str, str])
    levels: tuple[str, ...] = ()
    group: BinaryOutcome | None = None
    group_names: tuple[str, str] = ("", "")
    exposure: Exposure | None = None
    log: bool = True
    level_of_drug: bool = False
    model: ModelUse | None = None
    label_as_published: str = ""
    until: str = "the outcome was known"

    @property
    def chosen(self) -> str:
        """Which value of a patient the guarded column takes, in words."""
        if self.exposure is None:
            return "the value of the patients table, whose day is not known there"
        if self.model is not None:
            when = "at steady state and before any dose change, " if self.exposure.is_drug else ""
            return (
                f"the {self.model.metric} that {self.model.model_id} predicts, one a patient, from the "
                f"samples up to the first drawn {when}at any time after the dose and no later than "
                f"{self.until}"
            )
        if not self.exposure.is_drug:
            return f"one level a patient, the first drawn no later than {self.until}"
        return (
            f"one level a patient, the first drawn as a trough at steady state, no later than {self.until} "
            "and before any dose change"
        )

    @property
    def is_drug_level(self) -> bool:
        """Whether this is a level of the study's drug."""
        return self.level_of_drug or (self.exposure is not None and self.exposure.is_drug)


def predictor_values(
    cohort: Cohort,
    predictor: Predictor,
    drug: Drug | None,
    *,
    event_day: Mapping[str, float] | None = None,
    event_name: str = "the event",
) -> PredictorValues:
    """The predictor of a question for every patient.

    `event_day` holds the first day of the event that the question counts: a level drawn later is not used
    in the guarded column. Raises `NotAnalysable` where nothing can be had.
    """
    if predictor.analyte is not None:
        return _level(cohort, predictor, drug, event_day, event_name)
    if predictor.covariate is not None:
        return _covariate(cohort, predictor)
    group = group_after_start(cohort, predictor)
    names = (
        ("non-responders", "responders")
        if predictor.response is not None
        else (f"without {group.label}", f"with {group.label}")
    )
    return PredictorValues(label=group.label, unit="1", group=group, group_names=names)


def _level(
    cohort: Cohort,
    predictor: Predictor,
    drug: Drug | None,
    event_day: Mapping[str, float] | None,
    event_name: str,
) -> PredictorValues:
    try:
        exposure = exposure_of(
            cohort,
            predictor,
            event_day=event_day,
            event_name=event_name,
            molar_mass_g_per_mol=_molar_mass(str(predictor.analyte), drug),
            trough_min_hours=drug.trough_min_hours_after_dose if drug else None,
            steady_state_days=drug.steady_state_days if drug else None,
        )
    except ValueError as error:
        raise NotAnalysable(str(error)) from None
    if all(s.below_limit for s in exposure.samples):
        limits = sorted({s.limit for s in exposure.samples})
        raise NotAnalysable(
            f"all {len(exposure.samples)} samples of {predictor.analyte} lie below the limit of "
            f"quantification ({', '.join(f'{limit:g}' for limit in limits)} {predictor.unit}): "
            "their level is unknown"
        )
    if len({e.value for e in exposure.as_published.values()}) == 1 < len(exposure.as_published):
        raise NotAnalysable(f"the {exposure.label} is the same in every patient")
    raw, model = exposure, None
    if predictor.exposure is not None:
        exposure, model = _predicted(cohort, predictor, exposure, drug)
    reasons_of: dict[str, dict[str, None]] = {}
    for sample in exposure.samples:
        if sample.patient not in raw.guarded:
            reasons_of.setdefault(sample.patient, {})[sample.reason] = None
    reasons = {patient: "; ".join(distinct) for patient, distinct in reasons_of.items()}
    for patient in cohort.patient_ids:
        if patient not in raw.as_published:
            reasons[patient] = "no sample"
    if model is not None:
        reasons |= {p: f"no exposure by the model: {why}" for p, why in model.failed.items()}
    return PredictorValues(
        label=exposure.label if model is None else f"predicted {exposure.label}",
        unit=exposure.unit if model is None else model.unit,
        as_published={p: e.value for p, e in exposure.as_published.items()},
        guarded={p: e.value for p, e in exposure.guarded.items()},
        known_day={p: e.day for p, e in exposure.guarded.items()},
        left_out=reasons,
        exposure=exposure,
        log=True,
        model=model,
        label_as_published="" if model is None else _raw_label(predictor),
    )


def _raw_label(predictor: Predictor) -> str:
    times = "level × dosing interval" if predictor.metric == "auc" else "level as measured"
    return f"{predictor.analyte} {times}"


def _predicted(
    cohort: Cohort, predictor: Predictor, exposure: Exposure, drug: Drug | None
) -> tuple[Exposure, ModelUse]:
    """The exposure with guarded values from a model; as published for an area, levels times the interval."""
    from troughline.response.model_exposure import predicted

    mass = _molar_mass(str(predictor.analyte), drug)
    try:
        exposure, model = predicted(cohort, predictor, exposure, mass)
    except ValueError as error:
        raise NotAnalysable(str(error)) from None
    if predictor.metric == "auc":
        exposure = times_interval(
            cohort, exposure, predictor.summary, unit=predictor.unit, molar_mass_g_per_mol=mass
        )
    if not exposure.guarded:
        why = sorted(set(model.failed.values())) or ["no eligible sample"]
        raise NotAnalysable(f"{model.model_id} gives no patient an exposure ({'; '.join(why[:3])})")
    return exposure, model


def _molar_mass(analyte: str, drug: Drug | None) -> float | None:
    """The molar mass of what was measured, g/mol: the drug's is not that of a marker or a metabolite."""
    if drug is not None and analyte.casefold() == drug.id.casefold():
        return drug.molar_mass_g_per_mol
    from troughline.units import molar_mass_g_per_mol

    return molar_mass_g_per_mol(analyte)


def _covariate(cohort: Cohort, predictor: Predictor) -> PredictorValues:
    name = str(predictor.covariate)
    spec = cohort.covariates.get(name)
    if spec is None:
        known = ", ".join(cohort.covariates) or "none"
        raise NotAnalysable(f"no covariate {name!r} is declared; declared: {known}")
    raw = cohort.patients[name].tolist()
    if spec.levels is not None:
        category = {p: str(v) for p, v in zip(cohort.patient_ids, raw, strict=True) if isinstance(v, str)}
        left_out = {p: f"{name} is missing" for p in cohort.patient_ids if p not in category}
        return PredictorValues(
            label=readable(name, inside=True),
            unit="1",
            category=category,
            levels=spec.levels,
            known_day=dict.fromkeys(category, 0.0),
            left_out=left_out,
            log=False,
        )
    values = {p: float(v) for p, v in zip(cohort.patient_ids, raw, strict=True) if not math.isnan(float(v))}
    if not values:
        raise NotAnalysable(f"covariate {name!r} is missing in every patient")
    positive = all(v > 0 for v in values.values())
    if len(set(values.values())) == 1:
        raise NotAnalysable(f"{readable(name, inside=True)} is the same in every patient")
    if predictor.log and not positive:
        raise NotAnalysable(
            f"covariate {name!r} holds values that are not positive: log = true is impossible"
        )
    return PredictorValues(
        label=readable(name, inside=True),
        unit=spec.unit or "1",
        as_published=values,
        guarded=values,
        known_day=dict.fromkeys(values, 0.0),
        left_out={p: f"{name} is missing" for p in cohort.patient_ids if p not in values},
        log=positive if predictor.log is None else predictor.log,
        level_of_drug=(spec.is_level_of or "").lower() == cohort.study.study.drug.lower(),
    )
