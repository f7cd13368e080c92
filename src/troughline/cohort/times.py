"""Times as written (study days, or clock times) to days since each patient's first dose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.reporting import add_rows, name_rows, shown
from troughline.cohort.schema import Table
from troughline.cohort.values import NUMBER, is_missing, matches, numbers
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    import pandas as pd

# A spreadsheet counts days from 1900: its numbers for dates since 1954 are above 20,000, and no study has
# followed a patient for the 54 years that so many study days are.
LARGEST_STUDY_DAY = 20_000
NANOSECONDS_PER_DAY = 86_400 * 10**9

_ISO = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?(?:Z|[+-]\d{2}:?\d{2})?"
_ISO_OFFSET = r".*[T ].*(?:Z|[+-]\d{2}:?\d{2})"
_ISO_DATE = r"\d{4}-\d{2}-\d{2}"
_DATE_LIKE = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ].*)?|\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2,4}(?: .*)?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Days since the first dose, shape (n_records,); NaN where a finding says why.

    `whole`: whether only the day is known (a date without a time of day, a study day without a fraction).
    """

    day: NDArray[np.float64]
    whole: NDArray[np.bool_]


def check_timezone(name: str | None, *, file: str, found: Findings) -> None:
    """An error where the study file names a time zone that does not exist."""
    if name is None:
        return
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        found.add(
            Severity.ERROR,
            "timezone",
            f"{shown(name)} is no time zone; write one like 'Europe/Berlin' or 'UTC'",
            file=file,
            column="study.timezone",
        )


def study_days(table: Table, name: str, found: Findings) -> Days:
    """A column of study days (`[study] time = "day"`)."""
    cells = table.column(name)
    column = table.called(name)
    missing = _report_missing(table, name, found)
    dates = matches(cells, _DATE_LIKE) & ~matches(cells, NUMBER)
    if dates.any():
        _report_dates(table, name, dates, ~(dates | missing), found)
        cells = cells.where(~dates, "")
    day = numbers(table, name, found, text=cells)
    with np.errstate(invalid="ignore"):
        serial = np.abs(day) > LARGEST_STUDY_DAY
    add_rows(
        found,
        Severity.ERROR,
        "excel-serial",
        table.rows,
        serial,
        lambda i: f"{day[i]:g} is above {LARGEST_STUDY_DAY}: an Excel date number, not a study day",
        file=table.file,
        column=column,
    )
    day[serial] = np.nan
    return Days(day=day, whole=day == np.floor(day))


def instants(
    table: Table, name: str, zone: str | None, found: Findings
) -> tuple[pd.Series[Any], NDArray[np.bool_]]:
    """A column of clock times as instants (UTC, NaT where a finding says why), and which are only dates.

    A time without an offset is taken in `zone`; without a zone it is an error.
    """
    import pandas as pd

    cells = table.column(name)
    missing = _report_missing(table, name, found)
    iso = matches(cells, _ISO)
    _report_not_clock(table, name, iso, missing, found)
    offset = iso & matches(cells, _ISO_OFFSET)
    naive = iso & ~offset
    result: pd.Series[Any] = pd.Series(pd.NaT, index=range(len(cells)), dtype="datetime64[ns, UTC]")
    to_datetime: Any = pd.to_datetime
    if offset.any():
        result[offset] = to_datetime(cells[offset], format="ISO8601", utc=True, errors="coerce").dt.as_unit(
            "ns"
        )
    if naive.any() and zone is None:
        add_rows(
            found,
            Severity.ERROR,
            "no-offset",
            table.rows,
            naive,
            lambda i: f"{shown(cells.iloc[i])} has no offset from UTC, and [study] names no timezone",
            file=table.file,
            column=table.called(name),
        )
    elif naive.any():
        local = to_datetime(cells[naive], format="ISO8601", errors="coerce").dt.as_unit("ns")
        result[naive] = local.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC")
        iso = offset | naive
    unread = iso & np.asarray(result.isna(), dtype=bool) & ~(naive if zone is None else np.zeros_like(naive))
    add_rows(
        found,
        Severity.ERROR,
        "no-such-time",
        table.rows,
        unread,
        lambda i: (
            f"{shown(cells.iloc[i])} does not exist, or exists twice where clocks change (give an offset)"
        ),
        file=table.file,
        column=table.called(name),
    )
    return result, matches(cells, _ISO_DATE)


def days_since(start: pd.Series[Any], at: pd.Series[Any], only_date: NDArray[np.bool_]) -> Days:
    """Days from `start` to `at`, both instants of shape (n_records,); NaN where either is missing."""
    import pandas as pd

    difference: Any = at.reset_index(drop=True) - start.reset_index(drop=True)
    day = np.asarray(difference / pd.Timedelta(days=1), dtype=np.float64)
    return Days(day=day, whole=only_date)


def _report_missing(table: Table, name: str, found: Findings) -> NDArray[np.bool_]:
    missing = is_missing(table.column(name))
    add_rows(
        found,
        Severity.ERROR,
        "missing-time",
        table.rows,
        missing,
        lambda _: "is empty: every record needs its time",
        file=table.file,
        column=table.called(name),
    )
    return missing


def _report_dates(
    table: Table, name: str, dates: NDArray[np.bool_], others: NDArray[np.bool_], found: Findings
) -> None:
    cells, column = table.column(name), table.called(name)
    if others.any():
        found.add(
            Severity.ERROR,
            "mixed-times",
            f"holds dates ({name_rows(table.rows[dates])}) and study days ({name_rows(table.rows[others])}): "
            "a table has one kind",
            file=table.file,
            row=int(table.rows[dates][0]),
            column=column,
        )
        return
    add_rows(
        found,
        Severity.ERROR,
        "date-in-day-column",
        table.rows,
        dates,
        lambda i: (
            f"{shown(cells.iloc[i])} is a date, and [study] time = 'day' needs days since the first dose "
            "(did a spreadsheet turn a number into a date?)"
        ),
        file=table.file,
        column=column,
    )


def _report_not_clock(
    table: Table, name: str, iso: NDArray[np.bool_], missing: NDArray[np.bool_], found: Findings
) -> None:
    cells, column = table.column(name), table.called(name)
    plain = matches(cells, NUMBER) & ~missing
    if plain.any() and (iso.any() or matches(cells, _DATE_LIKE)[~plain].any()):
        found.add(
            Severity.ERROR,
            "mixed-times",
            f"holds numbers ({name_rows(table.rows[plain])}) and clock times: a table has one kind",
            file=table.file,
            row=int(table.rows[plain][0]),
            column=column,
        )
    elif plain.any():
        add_rows(
            found,
            Severity.ERROR,
            "number-in-clock-column",
            table.rows,
            plain,
            lambda i: (
                f"{shown(cells.iloc[i])} is a number (a study day or an Excel date number), and "
                "[study] time = 'clock' needs times like 2024-03-01T08:00+01:00"
            ),
            file=table.file,
            column=column,
        )
    add_rows(
        found,
        Severity.ERROR,
        "not-a-time",
        table.rows,
        ~(iso | missing | plain),
        lambda i: f"{shown(cells.iloc[i])} is no ISO time; write it like 2024-03-01T08:00+01:00",
        file=table.file,
        column=column,
    )
