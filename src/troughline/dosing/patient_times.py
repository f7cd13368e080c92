"""Times of a patient file, as days, hours or clock times, to hours since the first dose."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from troughline.dosing.patient_schema import Moment, PatientHeader

LARGEST_STUDY_DAY = 20_000.0
"""A spreadsheet counts days from 1900: larger numbers are dates, not days of treatment."""


class TimeFault(ValueError):
    """A time that cannot be read; the message says why."""


def clock_time(origin: datetime, time_h: float) -> datetime:
    """The clock time `time_h` real hours after `origin`, in its zone, summer time included."""
    return (origin.astimezone(UTC) + timedelta(hours=time_h)).astimezone(origin.tzinfo)


def due_after(origin: datetime | None, time_h: float, hours: float, interval_h: float) -> float:
    """When a dose is due `hours` after one at `time_h`, in h since the first dose.

    Where times are clock times and the doses of `interval_h` come at the same times of every day, or of
    every so many days, those stay: a day on which clocks change is 23 or 25 h long.
    """
    days = interval_h / 24.0
    whole = any(abs(x - round(x)) < 1e-9 and round(x) > 0 for x in (days, 1.0 / days))
    if origin is None or not whole:
        return time_h + hours
    begin = clock_time(origin, time_h)
    due = (begin.replace(tzinfo=None) + timedelta(hours=hours)).replace(tzinfo=origin.tzinfo)
    return time_h + (due.astimezone(UTC) - begin.astimezone(UTC)).total_seconds() / 3600.0


class Times:
    """Turns moments as written into hours since the first dose, whatever day or hour that was written as.

    `origin` is the first dose as a clock time, None where times are days or hours. `zero_h` is the first
    dose as the file counts days or hours.
    """

    def __init__(self, header: PatientHeader) -> None:
        self._unit = header.time
        self._zone: ZoneInfo | None = None
        self.origin: datetime | None = None
        self.zero_h = 0.0
        if header.timezone is not None:
            try:
                self._zone = ZoneInfo(header.timezone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise TimeFault(
                    f"{header.timezone!r} is no time zone; write one like 'Europe/Berlin' or 'UTC'"
                ) from None

    def start_at(self, first_dose: Moment) -> None:
        """Take the first dose as time 0."""
        if self._unit == "clock":
            self.origin = self._instant(first_dose)
        else:
            self.zero_h = self._number(first_dose)

    def instant(self, written: Moment) -> float:
        """A moment that can be ordered against others before time 0 is known, in h."""
        if self._unit == "clock":
            return self._instant(written).timestamp() / 3600.0
        return self._number(written)

    def hours(self, written: Moment) -> float:
        """A moment in h since the first dose. Raises `TimeFault`."""
        if self._unit != "clock":
            return self._number(written) - self.zero_h
        if self.origin is None:
            raise TimeFault("the first dose has no time")
        # Real hours passed: a difference of aware times in one zone would count wall-clock hours.
        return (self._instant(written).astimezone(UTC) - self.origin.astimezone(UTC)).total_seconds() / 3600.0

    def _number(self, written: Moment) -> float:
        if isinstance(written, str):
            raise TimeFault(
                f"{written!r} is text, and [patient] time = {self._unit!r} needs {self._unit}s as numbers"
            )
        if not math.isfinite(written):
            raise TimeFault("is not finite")
        day = written if self._unit == "day" else written / 24.0
        if abs(day) > LARGEST_STUDY_DAY:
            raise TimeFault(f"{written:g} is too large for a {self._unit} of treatment (a date number?)")
        return written * 24.0 if self._unit == "day" else written

    def _instant(self, written: Moment) -> datetime:
        if not isinstance(written, str):
            raise TimeFault(
                f"{written:g} is a number, and [patient] time = 'clock' needs times like 2026-03-01T08:00"
            )
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            raise TimeFault(f"{written!r} is no ISO time; write it like 2026-03-01T08:00+01:00") from None
        if "T" not in written and " " not in written.strip():
            raise TimeFault(f"{written!r} has no time of day, which a level or a dose needs")
        if moment.tzinfo is None:
            if self._zone is None:
                raise TimeFault(f"{written!r} has no offset from UTC, and [patient] names no timezone")
            local = moment.replace(tzinfo=self._zone)
            back = local.astimezone(UTC).astimezone(self._zone)
            if back.replace(tzinfo=None) != moment or local.utcoffset() != local.replace(fold=1).utcoffset():
                raise TimeFault(
                    f"{written!r} does not exist, or exists twice where clocks change (give an offset)"
                )
            return local
        return moment if self._zone is None else moment.astimezone(self._zone)
