"""The doses table as regimens: each row's doses until the next row, and when a sample lies among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.reporting import add_rows, name_rows
from troughline.issues import Findings, Severity
from troughline.model.build import SAME_TIME_H

if TYPE_CHECKING:
    import pandas as pd

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOURS_PER_DAY = 24.0
FURTHEST_MOVE_H = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Regimens:
    """What each dose row starts, by patient and time; all arrays (n_rows,).

    `patient`: index; `time_h` of the first dose; `amount_mg` > 0; `interval_h` (0: a single dose);
    `additional` doses after the first (infinite: for as long as the records go on); `next_dose_h`: when the
    next row gives a dose (infinite: never); `row` of the file.
    """

    patient: Ints
    time_h: Floats
    amount_mg: Floats
    interval_h: Floats
    additional: Floats
    steady_state: Ints
    next_dose_h: Floats
    row: Ints

    def __len__(self) -> int:
        return len(self.time_h)


def regimens(doses: pd.DataFrame, patient: Ints, found: Findings, *, file: str) -> Regimens:
    """The regimens of a doses table (`Cohort.doses`); `patient` (n_rows,) is the index of each row's patient.

    A row holds until the next one of the same patient: `additional` that is missing, or reaches further,
    ends before that; a row with amount 0 only ends the one before it. A row without an interval is one dose.
    """
    order = np.lexsort((doses["day"].to_numpy(), patient))
    table = doses.iloc[order]
    who = patient[order]
    time_h = table["day"].to_numpy(dtype=np.float64) * HOURS_PER_DAY
    amount = table["amount_mg"].to_numpy(dtype=np.float64)
    interval = np.nan_to_num(table["interval_h"].to_numpy(dtype=np.float64))
    written = table["additional"].to_numpy(dtype=np.float64)
    steady = table["steady_state"].to_numpy(dtype=bool)
    row = table["row"].to_numpy(dtype=np.int64)
    given = amount > 0
    until = _next_time(who, time_h, np.ones(len(who), dtype=bool))
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(interval > 0, np.ceil((until - time_h) / interval - SAME_TIME_H) - 1, 0.0)
    room = np.maximum(room, 0.0)
    cut = given & (written > room)
    _note(found, "dose-cut", cut, row, "repeat doses past the next row: they end before it", file)
    alone = given & (interval == 0) & ~(written > 0)
    _note(found, "single-dose", alone, row, "have no interval_h: each is a single dose", file)
    same = given & (until == time_h)
    _note(found, "same-time", same, row, "have another at the same time: each of them is one dose", file)
    add_rows(
        found,
        Severity.ERROR,
        "interval-missing",
        row,
        given & steady & (interval == 0),
        lambda _: "is needed where a steady state is given",
        file=file,
        column="interval_h",
    )
    additional = np.where(np.isnan(written), room, np.minimum(written, room))
    return Regimens(
        patient=who[given],
        time_h=time_h[given],
        amount_mg=amount[given],
        interval_h=interval[given],
        additional=additional[given],
        steady_state=steady[given].astype(np.int64),
        next_dose_h=_next_time(who, time_h, given)[given],
        row=row[given],
    )


def placed(rows: Regimens, patient: Ints, day_h: Floats, after_dose_h: Floats) -> tuple[Floats, Flags]:
    """When samples were drawn whose study day and time after the last dose are known, and where that fits.

    Of the doses to which no other follows before the sample, the one that puts it nearest to `day_h` is the
    last dose; where that is more than a day from `day_h`, or there is none, the sample stays at `day_h` and
    its flag is false. `patient`, `day_h`, `after_dose_h` (NaN: unknown, no move) are (n_samples,).
    """
    best = day_h.copy()
    distance = np.full(len(day_h), np.inf)
    if not len(rows):
        return best, np.isfinite(distance)
    latest = _last_at(rows, patient, day_h)
    for back in (0, 1):
        index = latest - back
        there = (index >= 0) & ~np.isnan(after_dose_h)
        at = np.maximum(index, 0)
        there &= rows.patient[at] == patient
        first, interval = rows.time_h[at], rows.interval_h[at]
        additional = rows.additional[at]
        steps = np.floor((day_h - after_dose_h - first) / np.where(interval > 0, interval, np.inf) + 0.5)
        steps = np.where(interval > 0, np.clip(np.nan_to_num(steps), 0, additional), 0.0)
        time_h = first + steps * interval + after_dose_h
        follows = np.where(steps < additional, first + (steps + 1) * interval, rows.next_dose_h[at])
        moved = np.abs(time_h - day_h)
        good = there & (time_h <= follows + SAME_TIME_H) & (moved <= FURTHEST_MOVE_H) & (moved < distance)
        best = np.where(good, time_h, best)
        distance = np.where(good, moved, distance)
    return best, np.isfinite(distance)


def until_last(rows: Regimens, last_h: Floats) -> Regimens:
    """The regimens that go on for ever, ended at each patient's last record; `last_h` (n_patients,)."""
    endless = np.isinf(rows.additional)
    room = (last_h[rows.patient] - rows.time_h) / np.where(rows.interval_h > 0, rows.interval_h, np.inf)
    needed = np.maximum(np.floor(np.where(np.isfinite(room), room, 0.0) + SAME_TIME_H), 0.0)
    return replace(rows, additional=np.where(endless, needed, rows.additional))


def parted(rows: Regimens, patient: Ints, time_h: Floats) -> tuple[Regimens, Floats]:
    """Regimens with a row of its own for each dose at the time of a sample, and the samples' times.

    Only a row of its own can come after the sample, which then is the trough before that dose. Times that
    differ from a dose's by rounding are set to it. `patient`, `time_h` (n_samples,); additional finite.
    """
    if not len(rows) or not len(time_h):
        return rows, time_h
    index = np.maximum(_last_at(rows, patient, time_h + SAME_TIME_H), 0)
    interval = rows.interval_h[index]
    steps = np.where(interval > 0, np.round((time_h - rows.time_h[index]) / np.maximum(interval, 1e-300)), 0)
    dose_h = rows.time_h[index] + steps * interval
    hit = (
        (rows.patient[index] == patient)
        & (np.abs(dose_h - time_h) < SAME_TIME_H)
        & (steps >= 0)
        & (steps <= rows.additional[index])
    )
    starts = np.concatenate([np.arange(len(rows)), index[hit]])
    step = np.concatenate([np.zeros(len(rows)), steps[hit]])
    order = np.lexsort((step, starts))
    source, step = starts[order], step[order]
    new = np.append(True, (np.diff(source) != 0) | (np.diff(step) != 0))
    source, step = source[new], step[new]
    last_of_row = np.append(np.diff(source) != 0, True)
    end: Floats = np.where(last_of_row, rows.additional[source] + 1, np.append(step[1:], 0.0))
    parts = Regimens(
        patient=rows.patient[source],
        time_h=rows.time_h[source] + step * rows.interval_h[source],
        amount_mg=rows.amount_mg[source],
        interval_h=rows.interval_h[source],
        additional=np.asarray(end - step - 1, dtype=np.float64),
        steady_state=np.where(step == 0, rows.steady_state[source], 0),
        next_dose_h=rows.next_dose_h[source],
        row=rows.row[source],
    )
    return parts, np.where(hit, dose_h, time_h)


def _next_time(patient: Ints, time_h: Floats, counts: Flags) -> Floats:
    """For each row the time of the next row that counts, of the same patient; infinite where none."""
    out = np.full(len(time_h), np.inf)
    if not counts.any():
        return out
    where = np.flatnonzero(counts)
    after = np.searchsorted(where, np.arange(len(time_h)), side="right")
    following = where[np.minimum(after, len(where) - 1)]
    there = (after < len(where)) & (patient[following] == patient)
    out[there] = time_h[following][there]
    return out


def _last_at(rows: Regimens, patient: Ints, time_h: Floats) -> Ints:
    """The position of the patient's last row at or before a time; another patient's, or −1, where none."""
    # Whole keys, so that patients and times are compared exactly.
    times = np.unique(np.concatenate([rows.time_h, time_h]))
    of_rows = rows.patient * len(times) + np.searchsorted(times, rows.time_h)
    of_samples = patient * len(times) + np.searchsorted(times, time_h)
    return np.searchsorted(of_rows, of_samples, side="right") - 1


def _note(found: Findings, code: str, which: Flags, rows: Ints, what: str, file: str) -> None:
    if which.any():
        message = f"rows that {what} ({name_rows(rows[which])})"
        found.add(Severity.NOTE, code, message, file=file)
