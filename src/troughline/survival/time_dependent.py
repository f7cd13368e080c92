"""A group that patients join during follow-up: counting-process rows, and the Cox regression on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from troughline.survival.cox import CoxFit, fit_cox
from troughline.survival.times import BoolArray, FloatArray, IntArray, checked_times


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingRows:
    """Follow-up cut where the group changes: each array (m,), one row an interval start < t <= stop.

    `changed` is false before and true after the change; `patient` is the row handed in that it came from.
    """

    start: FloatArray
    stop: FloatArray
    event: BoolArray
    changed: BoolArray
    patient: IntArray


def time_dependent_group(
    time: ArrayLike, event: ArrayLike, change_time: ArrayLike, *, entry: ArrayLike | None = None
) -> CountingRows:
    """Cut each patient's follow-up where the group changes from 0 to 1.

    The remedy for immortal time that uses every patient: until the change a patient counts as unchanged.
    `change_time` (n,) is on the scale of `time`; not a number means never. A change at or after the end of
    follow-up never counts (an event at that moment belongs to the unchanged), one at or before the
    entry holds from the beginning.

    Raises `ValueError` for an infinite change time and for what `checked_times` refuses.
    """
    times = checked_times(time, event, entry)
    change = np.asarray(change_time, dtype=np.float64)
    if change.shape != times.time.shape:
        raise ValueError(f"change_time has shape {change.shape}; expected {times.time.shape}")
    endless = np.flatnonzero(np.isinf(change))
    if endless.size:
        raise ValueError(
            f"change_time[{int(endless[0])}] is infinite; a patient who never changes has not a number"
        )
    begin = np.zeros(times.n) if times.entry is None else times.entry
    patient = np.arange(times.n)
    never = np.isnan(change) | (change >= times.time)
    moment = np.where(never, times.time, change)
    before, after = moment > begin, ~never
    start = np.concatenate((begin[before], np.maximum(moment, begin)[after]))
    stop = np.concatenate((moment[before], times.time[after]))
    happened = np.concatenate(((times.event & never)[before], times.event[after]))
    whose = np.concatenate((patient[before], patient[after]))
    changed = np.concatenate((np.zeros(int(before.sum()), np.bool_), np.ones(int(after.sum()), np.bool_)))
    order = np.lexsort((start, whose))
    return CountingRows(
        start=start[order],
        stop=stop[order],
        event=happened[order],
        changed=changed[order],
        patient=whose[order].astype(np.int64),
    )


def time_dependent_cox(
    time: ArrayLike,
    event: ArrayLike,
    change_time: ArrayLike,
    *,
    name: str = "changed",
    covariates: ArrayLike | None = None,
    covariate_names: Sequence[str] = (),
    entry: ArrayLike | None = None,
    robust: bool = False,
    level: float = 0.95,
) -> CoxFit:
    """Hazard ratio of having changed against not (yet) having changed, adjusted for `covariates` (n, p).

    Each patient has at most one event, so the rows of a patient are not repeated observations and the
    model-based variance holds; `robust` asks for the one clustered on the patient.

    Raises what `time_dependent_group` and `fit_cox` raise.
    """
    rows = time_dependent_group(time, event, change_time, entry=entry)
    columns = [rows.changed.astype(np.float64)[:, np.newaxis]]
    if covariates is not None:
        fixed = np.asarray(covariates, dtype=np.float64)
        columns.append((fixed[:, np.newaxis] if fixed.ndim == 1 else fixed)[rows.patient])
    return fit_cox(
        rows.stop,
        rows.event,
        np.concatenate(columns, axis=1),
        (name, *covariate_names),
        entry=rows.start,
        cluster=rows.patient if robust else None,
        level=level,
    )
