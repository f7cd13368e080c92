"""Covariates that change: counting-process rows from repeated measurements, and Cox regression on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival.cox import CoxFit, CoxFitError, fit_cox
from troughline.survival.times import BoolArray, FloatArray, IntArray, checked_times


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRows:
    """Follow-up cut at every measurement: arrays (m,), one row an interval start < t <= stop.

    `values` (m, k) are the measurements in force, each carried forward until the next; not a number before a
    patient's first. `patient` is the position among those handed in. `n_after_end` measurements came at or
    after the end of a patient's follow-up and are in no row.
    """

    names: tuple[str, ...]
    start: FloatArray
    stop: FloatArray
    event: BoolArray
    values: FloatArray
    patient: IntArray
    n_after_end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangingCox:
    """A Cox regression on covariates that change, and what it could not use.

    A patient counts from the first moment at which every covariate is known (delayed entry).
    `n_events_unknown` events and `time_unknown`, a share of all follow-up, fell before that.
    """

    cox: CoxFit
    n_rows: int
    n_rows_unknown: int
    n_events_unknown: int
    time_unknown: float


def measured_rows(
    time: ArrayLike,
    event: ArrayLike,
    patient: Sequence[Any] | NDArray[Any],
    measured_patient: Sequence[Any] | NDArray[Any],
    measured_at: ArrayLike,
    values: ArrayLike,
    names: Sequence[str],
    *,
    entry: ArrayLike | None = None,
) -> MeasuredRows:
    """Cut each patient's follow-up where something was measured.

    Parameters: `time`, `event`, `entry` (n,) as in `checked_times`, `patient` (n,) who, each once; one entry
    a measurement, in any order: `measured_patient` (r,) whose, `measured_at` (r,) when, on the scale of
    `time`, `values` (r, k) what, not a number where that one was not measured then; `names` (k,).

    A value holds from its moment on: an event at the very moment of a measurement belongs to the value before
    it. What was measured before `entry` holds from there. Nothing looks ahead.

    Raises `ValueError`, naming the row, for a patient twice or not among `patient`, an infinite or missing
    moment, an infinite value, two values of one patient, moment and name, and for what `checked_times`
    refuses.

    As R's `survival::tmerge` with `tdc` (Therneau, Crowson and Atkinson, the vignette "Using time dependent
    covariates").
    """
    times = checked_times(time, event, entry)
    begin = np.zeros(times.n) if times.entry is None else times.entry
    labels = [str(p) for p in patient]
    index = {label: k for k, label in enumerate(labels)}
    if len(labels) != times.n or len(index) != times.n:
        raise ValueError(f"patient: {len(index)} different ones for {times.n} follow-up times")
    whose, moment, x = _checked_measurements(index, measured_patient, measured_at, values, names)
    in_force = moment < times.time[whose]
    n_after_end = int((~in_force).sum())
    whose, moment, x = whose[in_force], np.maximum(moment, begin[whose])[in_force], x[in_force]
    # Cut points: every entry, and every later measurement; the measurements before an entry fill its row.
    cut_whose = np.concatenate((np.arange(times.n), whose))
    cut_at = np.concatenate((begin, moment))
    cut_x = np.concatenate((np.full((times.n, x.shape[1]), np.nan), x))
    order = np.lexsort((np.arange(cut_at.size), cut_at, cut_whose))
    cut_whose, cut_at, cut_x = cut_whose[order], cut_at[order], cut_x[order]
    first = np.concatenate(([True], cut_whose[1:] != cut_whose[:-1]))
    carried = np.stack([_carried(cut_x[:, k], first) for k in range(cut_x.shape[1])], axis=1)
    last_here = np.concatenate(((cut_whose[1:] != cut_whose[:-1]) | (cut_at[1:] > cut_at[:-1]), [True]))
    row_whose, start, carried = cut_whose[last_here], cut_at[last_here], carried[last_here]
    final = np.concatenate((row_whose[1:] != row_whose[:-1], [True]))
    stop = np.where(final, times.time[row_whose], np.concatenate((start[1:], [0.0])))
    return MeasuredRows(
        names=tuple(names),
        start=start,
        stop=stop,
        event=times.event[row_whose] & final,
        values=carried,
        patient=row_whose.astype(np.int64),
        n_after_end=n_after_end,
    )


def changing_cox(
    rows: MeasuredRows,
    *,
    covariates: ArrayLike | None = None,
    covariate_names: Sequence[str] = (),
    strata: Sequence[Any] | NDArray[Any] | None = None,
    robust: bool = False,
    level: float = 0.95,
) -> ChangingCox:
    """Hazard ratios of the values in force, per unit of each, adjusted for fixed `covariates` (n, p).

    Transform the values of `rows` before (a logarithm, say) with `dataclasses.replace`. `strata` (n,) is by
    patient. Each patient has at most one event, so the model-based variance holds; `robust` asks for the one
    clustered on the patient. The value in force is the last one seen: a hazard ratio of a marker that moves
    or is measured with error is biased towards 1, for which `fit_joint_model` is the remedy.

    Raises `CoxFitError` where no row has every value, and what `fit_cox` raises.
    """
    columns, names = [rows.values], [*rows.names]
    if covariates is not None:
        fixed = np.asarray(covariates, dtype=np.float64)
        columns.append((fixed[:, np.newaxis] if fixed.ndim == 1 else fixed)[rows.patient])
        names += covariate_names
    x = np.concatenate(columns, axis=1)
    known = ~np.isnan(x).any(axis=1)
    if not known.any():
        raise CoxFitError(f"{', '.join(names)}: never all known at once")
    cox = fit_cox(
        rows.stop[known],
        rows.event[known],
        x[known],
        names,
        entry=rows.start[known],
        strata=None if strata is None else np.asarray(strata)[rows.patient[known]],
        cluster=rows.patient[known] if robust else None,
        level=level,
    )
    span = rows.stop - rows.start
    return ChangingCox(
        cox=cox,
        n_rows=int(known.size),
        n_rows_unknown=int((~known).sum()),
        n_events_unknown=int(rows.event[~known].sum()),
        time_unknown=float(span[~known].sum() / span.sum()),
    )


def _checked_measurements(
    index: dict[str, int],
    measured_patient: Sequence[Any] | NDArray[Any],
    measured_at: ArrayLike,
    values: ArrayLike,
    names: Sequence[str],
) -> tuple[IntArray, FloatArray, FloatArray]:
    moment = np.asarray(measured_at, dtype=np.float64)
    x = np.asarray(values, dtype=np.float64)
    if x.ndim == 1:
        x = x[:, np.newaxis]
    if moment.ndim != 1 or x.shape != (moment.size, len(names)) or len(measured_patient) != moment.size:
        raise ValueError(
            f"{len(measured_patient)} patients, {moment.size} moments and values of shape {x.shape} for "
            f"{len(names)} names do not go together"
        )
    unknown = next((k for k, p in enumerate(measured_patient) if str(p) not in index), None)
    if unknown is not None:
        raise ValueError(f"measurement {unknown}: patient {measured_patient[unknown]!r} has no follow-up")
    bad = np.flatnonzero(~np.isfinite(moment))
    if bad.size:
        raise ValueError(f"measurement {int(bad[0])}: time {moment[bad[0]]} is not finite")
    endless = np.argwhere(np.isinf(x))
    if endless.size:
        raise ValueError(f"measurement {int(endless[0, 0])}: {names[int(endless[0, 1])]!r} is infinite")
    whose = np.asarray([index[str(p)] for p in measured_patient], dtype=np.int64)
    for k, name in enumerate(names):
        seen = np.flatnonzero(~np.isnan(x[:, k]))
        order = seen[np.lexsort((moment[seen], whose[seen]))]
        same = np.flatnonzero((np.diff(whose[order]) == 0) & (np.diff(moment[order]) == 0))
        if same.size:
            a, b = sorted((int(order[same[0]]), int(order[same[0] + 1])))
            raise ValueError(
                f"measurements {a} and {b}: two values of {name!r} at {moment[b]:g} in one patient"
            )
    return whose, moment, x


def _carried(column: FloatArray, first: BoolArray) -> FloatArray:
    """The last known value so far in each run that begins where `first` is true."""
    place = np.arange(column.size)
    known = np.maximum.accumulate(np.where(np.isnan(column), -1, place))
    begin = np.maximum.accumulate(np.where(first, place, 0))
    return np.where(known >= begin, column[np.maximum(known, 0)], np.nan)
