"""What was known of each patient when a sample was drawn: records that end there, and the dose in force."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.dosing_records import records_of
from troughline.cohort.model_checks import PER_PATIENT
from troughline.issues import Findings
from troughline.model.build import SAME_TIME_H
from troughline.model.records import BELOW_LIMIT, DOSE, MISSING, OBSERVATION, Records

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.exposure import Sample
    from troughline.model.spec import ModelSpec

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AtSample:
    """One patient at his sample: `value` as measured (canonical, natural scale; its limit where `below`).

    The dosing interval that holds the sample runs from `dose_h` to `end_h`; `dose_mg` is taken every
    `interval_h`. `n_samples` counts the observations up to and including the sample.
    """

    patient: str
    sample_h: float
    value: float
    below: bool
    dose_h: float
    end_h: float
    dose_mg: float
    interval_h: float
    n_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRecords:
    """Records of the patients whose sample has a dosing interval, in the cohort's order.

    `places` (n_patients,): the record of each one's sample; `at`: beside them; `failed`: why each of the
    other patients has no exposure; `findings`: what was found in the tables on the way.
    """

    records: Records
    places: NDArray[np.int64]
    at: tuple[AtSample, ...]
    failed: Mapping[str, str]
    findings: Findings


def output_of(spec: ModelSpec, analyte: str) -> int:
    """The index of the output that has the analyte's name. Raises `ValueError` that names the outputs."""
    for index, output in enumerate(spec.outputs):
        if output.name.casefold() == analyte.casefold():
            return index
    raise ValueError(
        f"{spec.id} does not predict {analyte!r}; it predicts {', '.join(o.name for o in spec.outputs)}"
    )


def known_records(
    cohort: Cohort, spec: ModelSpec, samples: Mapping[str, Sample], analyte: str
) -> KnownRecords:
    """The records of each patient up to and including his sample, with the doses taken until then.

    Nothing later enters: no sample, no covariate, no dose. The dosing interval is that of the last dose
    before the sample: its `interval_h`, or where the table gives none, the time since the dose before it.
    Observations before the first dose tell nothing of the drug and are left out.
    Raises `ValueError` for tables that cannot be turned into records.
    """
    output = output_of(spec, analyte)
    whole, found = records_of(_until_samples(cohort, samples, analyte), spec)
    errors = [f for f in found.errors if f.code not in PER_PATIENT]
    if errors:
        raise ValueError(f"{spec.id} cannot be held against the tables: {errors[0].line()}")
    outside = _outside_hard_range(whole, spec)
    columns = {f.name: getattr(whole, f.name) for f in fields(whole) if f.name not in ("patients", "first")}
    kept: list[dict[str, NDArray[Any]]] = []
    at: list[AtSample] = []
    places: list[int] = []
    failed: dict[str, str] = {}
    for p, patient in enumerate(whole.patients):
        lo, hi = int(whole.first[p]), int(whole.first[p + 1])
        own = {name: array[lo:hi] for name, array in columns.items()}
        reason = _covariate_fault(own["covariates"], outside[lo:hi], spec)
        one = reason or _at_sample(own, patient, samples[patient], output, spec)
        if isinstance(one, str):
            failed[patient] = one
            continue
        inside = _inside(own, one)
        part = {name: array[inside] for name, array in own.items()}
        part["additional"] = _until_dose(part, one.dose_h)
        sample = np.flatnonzero((part["event"] == OBSERVATION) & (part["row"] == samples[patient].row))
        places.append(int(sample[part["output"][sample] == output][0]))
        at.append(replace(one, n_samples=int(_observed(part).sum())))
        kept.append(part)
    first = np.concatenate([[0], np.cumsum([len(part["time_h"]) for part in kept])]).astype(np.int64)
    return KnownRecords(
        records=_joined(kept, first, [one.patient for one in at], columns),
        places=first[:-1] + np.array(places, dtype=np.int64),
        at=tuple(at),
        failed=failed,
        findings=found,
    )


def _until_samples(cohort: Cohort, samples: Mapping[str, Sample], analyte: str) -> Cohort:
    """The cohort of the sampled patients with what was measured until the sample was drawn.

    On the day of the sample that is the sample itself, and whatever else was measured that does not come
    from another draw: a second level of that day may be later.
    """
    unknown = sorted(set(samples) - set(cohort.patient_ids))
    if unknown:
        raise ValueError(f"no such patients in the cohort: {', '.join(unknown[:5])}")
    patients = [p for p in cohort.patient_ids if p in samples]
    table = cohort.measurements
    owner = table["patient"].astype(str)
    last, hours, row = (
        owner.map(values).to_numpy(dtype=np.float64)
        for values in (
            {p: samples[p].day for p in patients},
            {p: samples[p].time_after_dose_h for p in patients},
            {p: samples[p].row for p in patients},
        )
    )
    day = table["day"].to_numpy(dtype=np.float64)
    after_dose = table["time_after_dose_h"].to_numpy(dtype=np.float64)
    other = (table["analyte"].str.casefold() != analyte.casefold()).to_numpy(dtype=bool)
    same_draw = other & (np.isnan(after_dose) | (after_dose == hours))
    known = (day < last) | ((day == last) & (same_draw | (table["row"].to_numpy() == row)))
    dosed = cohort.doses["patient"].astype(str).isin(patients).to_numpy(dtype=bool)
    return replace(
        cohort,
        patients=cohort.patients.loc[patients],
        measurements=table[known],
        doses=cohort.doses[dosed],
    )


def _outside_hard_range(records: Records, spec: ModelSpec) -> Flags:
    """Whether a covariate of a record lies outside the range in which the model holds (n_records, n)."""
    ranges = [c.hard or (-math.inf, math.inf) for c in spec.covariates]
    low, high = np.array([r[0] for r in ranges]), np.array([r[1] for r in ranges])
    return (records.covariates < low) | (records.covariates > high)


def _covariate_fault(covariates: Floats, outside: Flags, spec: ModelSpec) -> str:
    for position, covariate in enumerate(spec.covariates):
        if np.isnan(covariates[:, position]).any():
            return f"no value of {covariate.name}, which the model needs"
        if outside[:, position].any():
            value = covariates[:, position][outside[:, position]][0]
            return f"{covariate.name} {value:g} lies outside the range in which the model holds"
    return ""


def _at_sample(
    own: Mapping[str, NDArray[Any]], patient: str, sample: Sample, output: int, spec: ModelSpec
) -> AtSample | str:
    """The sample and the dosing interval that holds it, or why there is none."""
    observed = (own["event"] == OBSERVATION) & (own["output"] == output) & (own["row"] == sample.row)
    place = np.flatnonzero(observed)
    if not len(place):
        return "the sample cannot be placed among the doses"
    time_h = float(own["time_h"][place[0]])
    given = np.flatnonzero((own["event"] == DOSE) & (own["amount_mg"] > 0))
    taken = [(dose_h, k) for k in given for dose_h in _last_doses(own, int(k), time_h - SAME_TIME_H)]
    if not taken:
        return "no dose before the sample" if len(given) else "no dose is recorded"
    taken.sort()
    dose_h, row = taken[-1]
    interval_h = float(own["interval_h"][row])
    if not interval_h > 0:
        if len(taken) < 2:
            return "the dosing interval is not known: interval_h is empty"
        interval_h = dose_h - taken[-2][0]
    if time_h > dose_h + interval_h + SAME_TIME_H:
        return (
            f"in no dosing interval: drawn {time_h - dose_h:.3g} h after the last dose, which was for "
            f"{interval_h:g} h"
        )
    below = own["censoring"][place[0]] == BELOW_LIMIT
    value = float(own["limit" if below else "value"][place[0]])
    on_log = spec.outputs[output].error.on_log_scale
    return AtSample(
        patient=patient,
        sample_h=time_h,
        value=math.exp(value) if on_log else value,
        below=bool(below),
        dose_h=dose_h,
        end_h=dose_h + interval_h,
        dose_mg=float(own["amount_mg"][row]),
        interval_h=interval_h,
        n_samples=0,
    )


def _last_doses(own: Mapping[str, NDArray[Any]], row: int, before_h: float) -> list[float]:
    """The times of the last two doses that a dose record gives before a time, or fewer."""
    start, interval = float(own["time_h"][row]), float(own["interval_h"][row])
    if start >= before_h:
        return []
    last = 0.0
    if interval > 0:
        last = min(float(own["additional"][row]), math.ceil((before_h - start) / interval) - 1.0)
    return [start + k * interval for k in (last - 1.0, last) if k >= 0]


def _inside(own: Mapping[str, NDArray[Any]], one: AtSample) -> Flags:
    """The records known at the sample, without doses after the one in force (n_own,)."""
    event, time_h = own["event"], own["time_h"]
    dose = event == DOSE
    first_h = float(time_h[dose & (own["amount_mg"] > 0)].min())
    after = np.where(dose, time_h > one.dose_h + SAME_TIME_H, time_h > one.sample_h + SAME_TIME_H)
    before = (event == OBSERVATION) & (time_h <= first_h)
    return ~after & ~before


def _until_dose(part: Mapping[str, NDArray[Any]], dose_h: float) -> NDArray[np.int64]:
    """How many further doses of each dose record are taken up to the dose in force."""
    interval = np.where(part["interval_h"] > 0, part["interval_h"], np.inf)
    room = np.floor((dose_h - part["time_h"]) / interval + SAME_TIME_H)
    return np.where(part["event"] == DOSE, np.clip(room, 0, part["additional"]), 0).astype(np.int64)


def _observed(part: Mapping[str, NDArray[Any]]) -> Flags:
    return (part["event"] == OBSERVATION) & (part["censoring"] != MISSING)


def _joined(
    parts: Sequence[Mapping[str, NDArray[Any]]],
    first: NDArray[np.int64],
    patients: Sequence[str],
    columns: Mapping[str, NDArray[Any]],
) -> Records:
    """Records of the parts, one a patient; empty ones of the right types where there is none."""
    merged: dict[str, Any] = {
        name: np.concatenate([array[:0], *(part[name] for part in parts)]) for name, array in columns.items()
    }
    return Records(patients=tuple(patients), first=first, **merged)
