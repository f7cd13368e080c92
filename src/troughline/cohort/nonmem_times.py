"""Patients and times of a NONMEM-style file: whose record each row is, and at what hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from troughline.cohort.nonmem_columns import Flags, Floats, Ints, Reading
from troughline.cohort.reporting import shown
from troughline.cohort.values import NUMBER, matches
from troughline.issues import Severity
from troughline.model.records import RESET, RESET_AND_DOSE
from troughline.units import convert

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?"
_INSTANT = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?"
_ISO_DATE = r"\d{4}-\d{2}-\d{2}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """`patients` (n_patients,), `first` (n_patients + 1,): where their records begin, `time_h` (n_records,).

    `time_h` is NaN where a finding says why.
    """

    patients: tuple[str, ...]
    first: Ints
    time_h: Floats

    @property
    def patient(self) -> Ints:
        """For each record the index of its patient (n_records,)."""
        return np.repeat(np.arange(len(self.patients)), np.diff(self.first))


def timeline(reading: Reading) -> Timeline:
    """Patients as blocks of rows and times in hours; errors for blocks that repeat."""
    patients, first = _blocks(reading)
    return Timeline(patients=patients, first=first, time_h=_hours(reading, first))


def check_order(reading: Reading, line: Timeline, event: Ints) -> None:
    """An error for each time that goes back within a patient; only at a reset may it begin anew."""
    back = np.zeros(len(reading), dtype=bool)
    back[1:] = (np.diff(line.time_h) < 0) & (np.diff(line.patient) == 0)
    back &= (event != RESET) & (event != RESET_AND_DOSE)
    reading.error(
        "time-order",
        back,
        lambda i: (
            f"{reading.cell('TIME', i)} lies before the record above it, of the same patient "
            f"{shown(line.patients[int(line.patient[i])])}: only at a reset (EVID 3, 4) may time begin anew"
        ),
        "TIME",
    )


def _blocks(reading: Reading) -> tuple[tuple[str, ...], Ints]:
    import pandas as pd

    cells = reading.table.column("ID")
    factorized: Any = pd.factorize(cells)
    codes: Ints = factorized[0]
    names: list[str] = [str(name) for name in factorized[1]]
    reading.error(
        "missing-value",
        np.asarray(cells == "", dtype=bool),
        lambda _: "is empty: every record needs its patient",
        "ID",
    )
    starts = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])
    of_block = codes[starts]
    _, first_blocks = np.unique(of_block, return_index=True)
    repeated = np.ones(len(starts), dtype=bool)
    repeated[first_blocks] = False
    bad = np.zeros(len(codes), dtype=bool)
    bad[starts[repeated]] = True
    reading.error(
        "patient-not-contiguous",
        bad,
        lambda i: (
            f"patient {shown(cells.iloc[i])} has records further up, with another patient in between: "
            "all records of a patient must stand together"
        ),
        "ID",
    )
    first = np.append(starts, len(codes)).astype(np.int64)
    blocks: list[int] = of_block.tolist()
    return tuple(names[c] for c in blocks), first


def _hours(reading: Reading, first: Ints) -> Floats:
    cells = reading.table.column("TIME")
    reading.error(
        "missing-time",
        np.asarray(cells == "", dtype=bool),
        lambda _: "is empty: every record needs its time",
        "TIME",
    )
    sample = next((str(c) for c in cells if c != ""), "")
    if ":" not in sample:
        if reading.has("DATE"):
            unit = reading.spec.time_unit
            reading.say(Severity.NOTE, "date-not-read", f"not read: TIME is a number, in {unit}", "DATE")
        return convert(reading.number("TIME"), reading.spec.time_unit, "h")
    clock, instant = matches(cells, _CLOCK), matches(cells, _INSTANT)
    bad = ~(clock | instant | np.asarray(cells == "", dtype=bool))
    reading.error(
        "not-a-time",
        bad,
        lambda i: f"{reading.cell('TIME', i)} is no clock time hh:mm, as other rows have",
        "TIME",
    )
    hours = _hours_of_clock(reading, clock, instant)
    return _since_start(reading, hours, first)


def _hours_of_clock(reading: Reading, clock: Flags, instant: Flags) -> Floats:
    """Hours since a common midnight, from DATE and hh:mm or from full instants; NaN where unreadable."""
    import pandas as pd

    cells = reading.table.column("TIME")
    hours = np.full(len(cells), np.nan)
    to_datetime: Any = pd.to_datetime
    if instant.any():
        read: Any = to_datetime(cells[instant], format="ISO8601", errors="coerce")
        hours[instant] = _hours_since_epoch(read)
    if clock.any():
        parts: Any = cells[clock].str.split(":", expand=True).astype("float64").fillna(0.0)
        pieces = [parts[column].to_numpy(dtype=np.float64) for column in parts.columns]
        pieces += [np.zeros(len(parts))] * (3 - len(pieces))
        within = pieces[0] + pieces[1] / 60 + pieces[2] / 3600
        within[(pieces[0] > 24) | (pieces[1] >= 60) | (pieces[2] >= 60)] = np.nan
        hours[clock] = _date_hours(reading, clock)[clock] + within
    unread = (clock | instant) & np.isnan(hours)
    if reading.has("DATE"):
        unread &= ~np.asarray(reading.table.column("DATE") == "", dtype=bool) | instant
    reading.error(
        "no-such-time", unread, lambda i: f"{reading.cell('TIME', i)} is no time that can be read", "TIME"
    )
    return hours


def _date_hours(reading: Reading, clock: Flags) -> Floats:
    """Hours from a common day to the midnight of each DATE: an ISO date, or a number of a day."""
    import pandas as pd

    if not reading.has("DATE"):
        reading.say(
            Severity.ERROR, "date-missing", "holds clock times, which need a DATE column beside them", "TIME"
        )
        return np.zeros(len(reading))
    cells = reading.table.column("DATE")
    iso = matches(cells, _ISO_DATE)
    number = matches(cells, NUMBER) & ~iso
    reading.error(
        "not-a-date",
        clock & ~(iso if iso.any() else number),
        lambda i: f"{reading.cell('DATE', i)} is no date; write it like 2024-03-01, or as a day's number",
        "DATE",
    )
    hours = np.full(len(cells), np.nan)
    to_datetime: Any = pd.to_datetime
    if iso.any():
        read: Any = to_datetime(cells[iso], format="ISO8601", errors="coerce")
        hours[iso] = _hours_since_epoch(read)
    elif number.any():
        hours[number] = cells.to_numpy(dtype=object)[number].astype(np.float64) * 24
    return hours


def _hours_since_epoch(instants: Any) -> Floats:
    import pandas as pd

    return np.asarray((instants - pd.Timestamp("1970-01-01")) / pd.Timedelta(hours=1), dtype=np.float64)


def _since_start(reading: Reading, hours: Floats, first: Ints) -> Floats:
    """Hours since each patient's first record, or since the model's clock origin on the day of it."""
    begin = hours[first[:-1]]
    origin = next((g.clock_origin_h for g in reading.spec.gates if g.kind == "clock"), None)
    if origin is not None:
        begin = np.floor(begin / 24) * 24 + origin
        what = f"{origin:g} o'clock on the day of the patient's first record (the model has clock hours)"
    else:
        what = "the patient's first record"
    reading.say(Severity.NOTE, "clock-time", f"clock times are read as hours since {what}", "TIME")
    return hours - np.repeat(begin, np.diff(first))
