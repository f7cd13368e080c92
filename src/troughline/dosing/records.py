"""One patient's records for a model: doses, levels by occasion, covariates over time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from troughline.model.build import CovariateValues, DoseEvent, PatientRecord, Sample, records_from

if TYPE_CHECKING:
    from troughline.dosing.model_choice import ChosenModel
    from troughline.dosing.patient import DosePatient, GivenDose
    from troughline.dosing.regimen import RepeatedDose
    from troughline.model.model import Model
    from troughline.model.records import Records

SAME_OCCASION_H = 24.0
"""Levels closer together than this are of one occasion, unless the file numbers them."""
_SAME_H = 1e-6


def occasion_ends(patient: DosePatient) -> tuple[float, ...]:
    """The last level (h) of each occasion, in order; one occasion, until the decision, without levels.

    An occasion reaches from after the last level of the one before to its own last level. Levels less than
    24 h apart share one, or those that the file gives one number.
    """
    levels = patient.used_levels
    ends: list[float] = []
    for k, level in enumerate(levels):
        before = levels[k - 1] if k else None
        if before is not None and level.occasion is not None and before.occasion is not None:
            same = level.occasion == before.occasion
        else:
            same = before is not None and level.time_h - before.time_h < SAME_OCCASION_H
        if same:
            ends[-1] = level.time_h
        else:
            ends.append(level.time_h)
    return tuple(ends) or (patient.now_h,)


def occasion_at(ends: Sequence[float], time_h: float) -> int:
    """The occasion in force at a time: after the last level still the last one."""
    return min(sum(time_h > end + _SAME_H for end in ends), len(ends) - 1)


def dose_events(
    doses: Sequence[GivenDose], ends: Sequence[float], *, compartment: str | None = None
) -> list[DoseEvent]:
    """Doses one by one as runs of equal amounts at equal distances, parted where an occasion ends."""
    runs: list[DoseEvent] = []
    start = 0
    while start < len(doses):
        first = doses[start]
        occasion = occasion_at(ends, first.time_h)
        stop, gap = start + 1, 0.0
        while stop < len(doses):
            step = doses[stop].time_h - doses[stop - 1].time_h
            gap = gap or step
            same = doses[stop].amount_mg == first.amount_mg and abs(step - gap) < _SAME_H
            if not same or occasion_at(ends, doses[stop].time_h) != occasion:
                break
            stop += 1
        count = stop - start
        interval = gap if count > 1 else first.interval_h
        runs.append(
            DoseEvent(
                time_h=first.time_h, amount_mg=first.amount_mg, interval_h=interval, additional=count - 1,
                occasion=occasion, compartment=compartment,
            )
        )  # fmt: skip
        start = stop
    return runs


def patient_records(
    patient: DosePatient,
    chosen: ChosenModel,
    model: Model,
    *,
    leave_out: Collection[int] = (),
    future: Sequence[RepeatedDose] = (),
    future_occasion: int | None = None,
    events: Sequence[DoseEvent] | None = None,
    ask_h: Sequence[float] = (),
    with_levels: bool = True,
) -> Records:
    """The records of a patient for `model`, the chosen one or its form with uncertain parameters.

    `leave_out`: numbers of levels of which only a prediction is wanted; `with_levels` False: no level at
    all. `ask_h`: times at which only a prediction is wanted, in the occasion in force. `future`: doses from
    the decision on, in occasion `future_occasion`; `events`: doses instead of all these.
    """
    ends = occasion_ends(patient)
    record = patient_record(patient, chosen, model, leave_out=leave_out)
    given = list(record.doses if events is None else events)
    given += [
        DoseEvent(
            time_h=d.time_h, amount_mg=d.amount_mg, interval_h=d.interval_h, additional=d.additional,
            occasion=future_occasion,
        )
        for d in future
    ]  # fmt: skip
    asked = [Sample(time_h=t, output=chosen.output, occasion=occasion_at(ends, t)) for t in ask_h]
    levels = list(record.samples) if with_levels else []
    return records_from([replace(record, doses=given, samples=[*levels, *asked])], model.spec)


def patient_record(
    patient: DosePatient, chosen: ChosenModel, model: Model, *, leave_out: Collection[int] = ()
) -> PatientRecord:
    """A patient's doses, used levels and covariates as records are built from them; many go in one call."""
    ends = occasion_ends(patient)
    factor = float(model.spec.outputs[chosen.output_index].factor)
    samples = [
        Sample(
            time_h=level.time_h,
            value=None if level.number in leave_out or level.value is None else level.value / factor,
            below_limit=level.number not in leave_out and level.value is None,
            limit=None if level.limit is None or level.value is not None else level.limit / factor,
            output=chosen.output,
            occasion=occasion_at(ends, level.time_h),
        )
        for level in patient.used_levels
    ]
    return PatientRecord(
        patient=patient.id, doses=dose_events(patient.doses, ends), samples=samples,
        covariates=_first_values(chosen), changes=_changes(chosen),
    )  # fmt: skip


def _first_values(chosen: ChosenModel) -> dict[str, float | str]:
    return {c.name: c.points[0][1] for c in chosen.covariates}


def _changes(chosen: ChosenModel) -> list[CovariateValues]:
    times = sorted({t for c in chosen.covariates for t, _ in c.points[1:]})
    return [
        CovariateValues(
            time_h=t, values={c.name: v for c in chosen.covariates for at, v in c.points[1:] if at == t}
        )
        for t in times
    ]
