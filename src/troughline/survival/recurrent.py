"""Events that repeat in a patient (adverse events, admissions): rows and the regressions on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival.cox import CoxFit, fit_cox
from troughline.survival.times import (
    BoolArray,
    FloatArray,
    IntArray,
    checked_flags,
    checked_times,
)

Clock = Literal["total", "gap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurrentRows:
    """Follow-up cut at every event: arrays (m,), one row an interval start < t <= stop.

    `event` is whether the interval ends with one, `number` which event the patient is waiting for (1, 2, …),
    `patient` the position among those handed in, `died` whether the interval ends with death.
    """

    start: FloatArray
    stop: FloatArray
    event: BoolArray
    died: BoolArray
    number: IntArray
    patient: IntArray
    n_patients: int


def recurrent_rows(
    end: ArrayLike,
    patient: Sequence[Any] | NDArray[Any],
    event_patient: Sequence[Any] | NDArray[Any],
    event_at: ArrayLike,
    *,
    died: ArrayLike | None = None,
    entry: ArrayLike | None = None,
) -> RecurrentRows:
    """Cut each patient's follow-up at the events.

    Parameters: `end` (n,) of follow-up, `patient` (n,) who, each once; `event_patient`, `event_at` (r,) one
    entry an event, in any order, on the scale of `end`; `died` (n,) true where death ended follow-up; `entry`
    (n,) when a patient came under observation (none: everybody at 0).

    Raises `ValueError`, naming the event, for one outside its patient's follow-up or of somebody unknown, for
    two at one moment in one patient (join them, or say which came first), and for what `checked_times`
    refuses.
    """
    n = len(patient)
    dead = np.zeros(n, np.bool_) if died is None else checked_flags("died", died, n)
    times = checked_times(end, dead, entry)
    begin = np.zeros(times.n) if times.entry is None else times.entry
    index = {str(p): k for k, p in enumerate(patient)}
    if len(index) != times.n:
        raise ValueError(f"patient: {len(index)} different ones for {times.n} follow-up times")
    moment = np.asarray(event_at, dtype=np.float64)
    if moment.ndim != 1 or len(event_patient) != moment.size:
        raise ValueError(f"{len(event_patient)} patients for event times of shape {moment.shape}")
    unknown = next((k for k, p in enumerate(event_patient) if str(p) not in index), None)
    if unknown is not None:
        raise ValueError(f"event {unknown}: patient {event_patient[unknown]!r} has no follow-up")
    whose = np.asarray([index[str(p)] for p in event_patient], dtype=np.int64)
    outside = np.flatnonzero(~((moment > begin[whose]) & (moment <= times.time[whose])))
    if outside.size:
        k = int(outside[0])
        raise ValueError(
            f"event {k}: {moment[k]:g} is outside the follow-up of patient {event_patient[k]!r}, "
            f"{begin[whose[k]]:g} to {times.time[whose[k]]:g}"
        )
    order = np.lexsort((moment, whose))
    same = np.flatnonzero((np.diff(whose[order]) == 0) & (np.diff(moment[order]) == 0))
    if same.size:
        a, b = sorted((int(order[same[0]]), int(order[same[0] + 1])))
        raise ValueError(f"events {a} and {b} of patient {event_patient[a]!r} are both at {moment[a]:g}")
    return _rows(times.time, begin, dead, whose[order], moment[order])


def _rows(
    end: FloatArray, begin: FloatArray, dead: BoolArray, whose: IntArray, moment: FloatArray
) -> RecurrentRows:
    n = end.size
    # A patient whose last event is at the end of follow-up has no interval after it.
    last = np.full(n, -np.inf)
    np.maximum.at(last, whose, moment)
    open_end = np.flatnonzero(last < end)
    patient = np.concatenate((whose, open_end))
    stop = np.concatenate((moment, end[open_end]))
    event = np.concatenate((np.ones(whose.size, np.bool_), np.zeros(open_end.size, np.bool_)))
    order = np.lexsort((stop, patient))
    patient, stop, event = patient[order], stop[order], event[order]
    first = np.concatenate(([True], patient[1:] != patient[:-1]))
    start = np.where(first, begin[patient], np.concatenate(([0.0], stop[:-1])))
    place = np.arange(patient.size)
    number = place - np.maximum.accumulate(np.where(first, place, 0)) + 1
    return RecurrentRows(
        start=start,
        stop=stop,
        event=event,
        died=dead[patient] & (stop == end[patient]),
        number=number.astype(np.int64),
        patient=patient.astype(np.int64),
        n_patients=n,
    )


def fit_andersen_gill(
    rows: RecurrentRows, covariates: ArrayLike, names: Sequence[str], *, level: float = 0.95
) -> CoxFit:
    """Ratio of event rates, all events of a patient alike, with the variance clustered on the patient.

    `covariates` (n, p) by patient. Asks: how many more events? Death ends follow-up and is not an event.
    Raises what `fit_cox` raises.

    Andersen and Gill 1982, doi 10.1214/aos/1176345976; variance: Lin, Wei, Yang and Ying 2000, doi
    10.1111/1467-9868.00259.
    """
    return fit_cox(
        rows.stop,
        rows.event,
        _by_row(rows, covariates),
        names,
        entry=rows.start,
        cluster=rows.patient,
        level=level,
    )


def fit_prentice_williams_peterson(
    rows: RecurrentRows,
    covariates: ArrayLike,
    names: Sequence[str],
    *,
    clock: Clock,
    largest_number: int | None = None,
    level: float = 0.95,
) -> CoxFit:
    """Hazard ratio of the next event, each event number with a baseline of its own, clustered on the patient.

    `clock` "total" counts time from the beginning, "gap" from the previous event (or entry). Few patients
    reach the high numbers: `largest_number` leaves out the intervals beyond it. `covariates` (n, p) by
    patient.

    Raises `ValueError` for a `largest_number` below 1, and what `fit_cox` raises.

    Prentice, Williams and Peterson 1981, doi 10.1093/biomet/68.2.373.
    """
    if largest_number is not None and largest_number < 1:
        raise ValueError(f"largest_number = {largest_number} is not 1 or more")
    kept = rows.number <= (rows.number.max() if largest_number is None else largest_number)
    begin, stop = rows.start[kept], rows.stop[kept]
    return fit_cox(
        stop if clock == "total" else stop - begin,
        rows.event[kept],
        _by_row(rows, covariates)[kept],
        names,
        entry=begin if clock == "total" else None,
        strata=rows.number[kept],
        cluster=rows.patient[kept],
        level=level,
    )


def _by_row(rows: RecurrentRows, covariates: ArrayLike) -> FloatArray:
    x = np.asarray(covariates, dtype=np.float64)
    x = x[:, np.newaxis] if x.ndim == 1 else x
    if len(x) != rows.n_patients:
        raise ValueError(f"covariates have {len(x)} rows for {rows.n_patients} patients")
    return x[rows.patient]
