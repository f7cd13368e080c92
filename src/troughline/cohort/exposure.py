"""Exposure metrics with their provenance: which samples, at which dose, how long after it, after what."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.studyfile import Predictor

MODIFICATIONS = ("dose reduction", "dose hold", "discontinuation")
STEADY_STATE_TOLERANCE_DAYS = 0.5
NOUNS = {
    "trough": "trough",
    "clinic-visit": "level at a clinic visit",
    "level": "level",
    "auc": "area under the curve",
    "average": "average level",
    "cmax": "peak",
}
"""What each metric is called after the name of the analyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measured level and what was known of it.

    `value` is in the question's unit; below the limit it is NaN and `limit` holds. `reason` says why the
    guarded analysis does not use it, or is empty. Times are study days; `dose_mg_per_day` is the dose in
    force before the sample, NaN where the study has no doses.
    """

    patient: str
    day: float
    value: float
    below_limit: bool
    limit: float
    time_after_dose_h: float
    dose_mg_per_day: float
    row: int
    assay: str
    unit_as_written: str
    reason: str = ""

    @property
    def number(self) -> float:
        """The level, or half the limit where it lies below: the substitution that the report states."""
        return self.limit / 2 if self.below_limit else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientExposure:
    """One patient's exposure: the value, the day it was known and the samples behind it."""

    patient: str
    value: float
    day: float
    samples: tuple[Sample, ...]

    @property
    def below_limit(self) -> bool:
        """Whether every sample behind the value lay below the limit of quantification."""
        return bool(self.samples) and all(s.below_limit for s in self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Every patient's exposure, twice: as published, and guarded.

    As published: all samples of the analyte, whatever happened before them, summarised as the study file
    says. Guarded: the first sample that is a trough at steady state, drawn no later than the first dose
    modification and the first event that the question counts.
    `every` holds one entry a sample, for a study that took repeated samples as independent.
    """

    label: str
    unit: str
    metric: str
    samples: tuple[Sample, ...]
    as_published: Mapping[str, PatientExposure]
    guarded: Mapping[str, PatientExposure]
    every: tuple[PatientExposure, ...] = ()
    is_drug: bool = True


def exposure_of(
    cohort: Cohort,
    predictor: Predictor,
    *,
    event_day: Mapping[str, float] | None = None,
    event_name: str = "the event",
    molar_mass_g_per_mol: float | None = None,
    trough_min_hours: float | None = None,
    steady_state_days: float | None = None,
) -> Exposure:
    """Each patient's exposure for one question.

    `event_day` gives the first day (study days) of the event the question counts, for the patients who had
    it. `trough_min_hours` and `steady_state_days` come from the drug's file; None skips that rule. A sample
    up to half a day before `steady_state_days` counts: a study day is a calendar day, and a trough is drawn
    before the dose that would complete it. Where the predictor names a model (`exposure`) no rule about
    troughs applies; the values here are the levels as measured, in the predictor's `level_unit`.
    Raises `ValueError` when the analyte was not measured or its unit cannot be converted.
    """
    if predictor.analyte is None or predictor.unit is None:
        raise ValueError("the predictor is not a measured level")
    is_drug = predictor.analyte.lower() == cohort.study.study.drug.lower()
    unit = predictor.level_unit or predictor.unit
    raw = _samples(cohort, predictor.analyte, unit, molar_mass_g_per_mol)
    if not raw:
        known = ", ".join(sorted({str(a) for a in cohort.measurements["analyte"].unique()})) or "none"
        raise ValueError(f"no measurement of {predictor.analyte!r}; measured analytes: {known}")
    changes = first_modification_day(cohort) if is_drug else {}
    judged: list[Sample] = []
    for sample in raw:
        reason = _reason(
            sample,
            # A model takes a level drawn at any time after the dose.
            trough=predictor.metric == "trough" and is_drug and predictor.exposure is None,
            is_drug=is_drug,
            trough_min_hours=trough_min_hours,
            steady_state_days=steady_state_days,
            modification_day=changes.get(sample.patient, math.inf),
            event_day=(event_day or {}).get(sample.patient, math.inf),
            event_name=event_name,
        )
        judged.append(_with_reason(sample, reason))
    published: dict[str, PatientExposure] = {}
    guarded: dict[str, PatientExposure] = {}
    by_patient: dict[str, list[Sample]] = {}
    for position, sample in enumerate(judged):
        by_patient.setdefault(sample.patient, []).append(sample)
        if sample.reason:
            continue
        if sample.patient in guarded:
            judged[position] = _with_reason(sample, "a later sample: the first eligible one counts")
        else:
            guarded[sample.patient] = PatientExposure(
                patient=sample.patient, value=sample.number, day=sample.day, samples=(sample,)
            )
    for patient, samples in by_patient.items():
        published[patient] = _summarise(patient, samples, predictor.summary)
    every = tuple(PatientExposure(patient=s.patient, value=s.number, day=s.day, samples=(s,)) for s in judged)
    return Exposure(
        label=f"{predictor.analyte} {NOUNS[predictor.metric]}",
        unit=unit,
        metric=predictor.metric,
        samples=tuple(judged),
        as_published=published,
        guarded=guarded,
        every=every if predictor.summary == "every" else (),
        is_drug=is_drug,
    )


def first_modification_day(cohort: Cohort) -> dict[str, float]:
    """The day of each patient's first dose reduction, hold or discontinuation, from events and doses.

    In the dose table a modification is a hold (amount 0, other than before treatment begins), or a row whose
    daily dose is lower than that of the row before it; where one of the two has no interval, so that a daily
    dose is unknown, the amounts are compared as they stand.
    """
    days: dict[str, float] = {}
    events = cohort.events
    for patient, day, event in zip(events["patient"], events["day"], events["event"], strict=True):
        if event in MODIFICATIONS:
            days[str(patient)] = min(float(day), days.get(str(patient), math.inf))
    for patient, rows in _dose_rows(cohort).items():
        lowered = [after.day for before, after in itertools.pairwise(rows) if _is_lower(before, after)]
        # Where the table holds changes alone, a hold may be its first row.
        lowered += [row.day for row in rows[:1] if row.amount_mg == 0 and row.day > 0]
        if lowered:
            days[patient] = min(*lowered, days.get(patient, math.inf))
    return days


def dose_history(cohort: Cohort) -> dict[str, list[tuple[float, float]]]:
    """For each patient the (day, mg per day) at each change, in time order; a hold is 0 mg per day.

    mg per day = amount · 24 / interval_h, NaN where the interval is blank. `additional` and `steady_state`
    say how many doses were taken, not how large the daily dose is, and are not needed here.
    """
    return {
        patient: [(row.day, row.mg_per_day) for row in rows] for patient, rows in _dose_rows(cohort).items()
    }


def times_interval(
    cohort: Cohort,
    exposure: Exposure,
    summary: str,
    *,
    unit: str | None,
    molar_mass_g_per_mol: float | None = None,
) -> Exposure:
    """An exposure whose as-published values are levels times the dosing interval in force, in `unit`.

    What one level says of the area under the curve where no model is used: C·τ, the area that a constant
    level would have. A sample whose interval is not known does not count; `guarded` and the samples
    themselves stay as they are.
    """
    from dataclasses import replace

    from troughline.units import convert

    factor = float(
        convert(1.0, f"{exposure.unit}*h", unit or "mg*h/L", molar_mass_g_per_mol=molar_mass_g_per_mol)
    )
    history = {p: [(row.day, row.interval_h) for row in rows] for p, rows in _dose_rows(cohort).items()}
    scaled: dict[str, list[Sample]] = {}
    every: list[PatientExposure] = []
    for sample in exposure.samples:
        interval_h = _dose_before(history.get(sample.patient, []), sample.day)
        if math.isnan(interval_h):
            continue
        by = interval_h * factor
        times = replace(sample, value=sample.value * by, limit=sample.limit * by)
        scaled.setdefault(sample.patient, []).append(times)
        every.append(
            PatientExposure(patient=sample.patient, value=times.number, day=sample.day, samples=(sample,))
        )
    published: dict[str, PatientExposure] = {}
    for patient, samples in scaled.items():
        whole = _summarise(patient, samples, summary)
        rows = {s.row for s in whole.samples}
        own = tuple(s for s in exposure.samples if s.patient == patient and s.row in rows)
        published[patient] = replace(whole, samples=own)
    return replace(exposure, as_published=published, every=tuple(every) if exposure.every else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class _DoseRow:
    """One row of the doses table; `interval_h` is NaN where it is blank."""

    day: float
    amount_mg: float
    interval_h: float

    @property
    def mg_per_day(self) -> float:
        return 0.0 if self.amount_mg == 0 else self.amount_mg * 24 / self.interval_h


def _dose_rows(cohort: Cohort) -> dict[str, list[_DoseRow]]:
    table = cohort.doses
    out: dict[str, list[_DoseRow]] = {}
    for patient, day, amount, interval in zip(
        *(table[c].tolist() for c in ("patient", "day", "amount_mg", "interval_h")), strict=True
    ):
        row = _DoseRow(day=float(day), amount_mg=float(amount), interval_h=float(interval))
        out.setdefault(str(patient), []).append(row)
    for rows in out.values():
        rows.sort(key=lambda row: row.day)
    return out


def _is_lower(before: _DoseRow, after: _DoseRow) -> bool:
    if math.isnan(before.mg_per_day) or math.isnan(after.mg_per_day):
        return after.amount_mg < before.amount_mg
    return after.mg_per_day < before.mg_per_day


def _samples(cohort: Cohort, analyte: str, unit: str, molar_mass: float | None) -> list[Sample]:
    from troughline.units import convert

    table = cohort.measurements[cohort.measurements["analyte"].str.lower() == analyte.lower()]
    history = dose_history(cohort)
    factor: dict[str, float] = {}
    samples: list[Sample] = []
    columns = (
        "patient", "day", "value", "unit", "below_limit", "above_limit", "limit", "assay",
        "time_after_dose_h", "row",
    )  # fmt: skip
    records: Any = zip(*(table[c].tolist() for c in columns), strict=True)
    for patient, day, value, written, below, above, limit, assay, after_dose, row in records:
        if written not in factor:
            factor[written] = float(convert(1.0, written, unit, molar_mass_g_per_mol=molar_mass))
        scale = factor[written]
        samples.append(
            Sample(
                patient=str(patient),
                day=float(day),
                # Above a limit the least it can be; reading the table has said so.
                value=float(limit if above else value) * scale,
                below_limit=bool(below),
                limit=float(limit) * scale,
                time_after_dose_h=float(after_dose),
                dose_mg_per_day=_dose_before(history.get(str(patient), []), float(day)),
                row=int(row),
                assay=assay if isinstance(assay, str) else "",
                unit_as_written=str(written),
            )
        )
    samples.sort(key=lambda s: s.day)
    return samples


def _dose_before(history: list[tuple[float, float]], day: float) -> float:
    dose = math.nan
    for position, (changed, per_day) in enumerate(history):
        if changed >= day and position > 0:
            break
        if changed > day:
            break
        dose = per_day
    return dose


def _reason(
    sample: Sample,
    *,
    trough: bool,
    is_drug: bool,
    trough_min_hours: float | None,
    steady_state_days: float | None,
    modification_day: float,
    event_day: float,
    event_name: str,
) -> str:
    if is_drug and sample.day < 0:
        return "drawn before the first dose"
    if trough and trough_min_hours is not None and sample.time_after_dose_h < trough_min_hours:
        return f"not a trough: {sample.time_after_dose_h:g} h after the dose, under {trough_min_hours:g} h"
    if (
        is_drug
        and steady_state_days is not None
        and (sample.day < steady_state_days - STEADY_STATE_TOLERANCE_DAYS)
    ):
        return f"before steady state: day {sample.day:g}, under {steady_state_days:g}"
    if sample.day > modification_day:
        return f"drawn after the dose was changed (day {modification_day:g})"
    if sample.day > event_day:
        return f"drawn after {event_name} (day {event_day:g})"
    return ""


def _with_reason(sample: Sample, reason: str) -> Sample:
    from dataclasses import replace

    return replace(sample, reason=reason)


def _summarise(patient: str, samples: list[Sample], summary: str) -> PatientExposure:
    from statistics import fmean, geometric_mean, median

    numbers = [s.number for s in samples]
    if summary in ("first", "last"):
        chosen = samples[0] if summary == "first" else samples[-1]
        return PatientExposure(patient=patient, value=chosen.number, day=chosen.day, samples=(chosen,))
    value = {
        "mean": fmean,
        "every": fmean,
        "geometric-mean": geometric_mean,
        "median": median,
        "max": max,
    }[summary](numbers)
    return PatientExposure(patient=patient, value=float(value), day=samples[-1].day, samples=tuple(samples))
