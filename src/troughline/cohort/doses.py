"""The doses table: amounts in mg, a row at each change, amount 0 for a hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.cohort.patients import Roster
from troughline.cohort.reporting import add_rows, shown
from troughline.cohort.schema import Table
from troughline.cohort.values import flags, frame_of, is_missing, numbers, require_range, required_texts
from troughline.issues import Findings, Severity
from troughline.units import convert, is_convertible

if TYPE_CHECKING:
    import pandas as pd

DOSE_UNIT = "mg"


def dose_frame(table: Table, roster: Roster, found: Findings) -> pd.DataFrame:
    """The doses in study days and mg; everything wrong with them goes to `found`."""

    patients = required_texts(table, "patient", found)
    roster.known(table, patients, found)
    days = roster.days(table, patients, found)
    amount = numbers(table, "amount", found)
    require_range(table, "amount", amount, found, low=0.0, code="negative-value")
    interval_h = numbers(table, "interval_h", found)
    require_range(table, "interval_h", interval_h, found, low=0.0, low_open=True)
    additional = numbers(table, "additional", found)
    require_range(table, "additional", additional, found, low=0.0, whole=True)
    steady_state = flags(table, "steady_state", found)
    for bad, code, message, column in (
        (
            is_missing(table.column("amount")),
            "missing-value",
            "is empty and is needed in every row",
            "amount",
        ),
        (
            (additional > 0) & is_missing(table.column("interval_h")),
            "interval-missing",
            "is needed where additional doses are given",
            "interval_h",
        ),
    ):
        add_rows(
            found,
            Severity.ERROR,
            code,
            table.rows,
            bad,
            lambda _, message=message: message,
            file=table.file,
            column=table.called(column),
        )
    with np.errstate(invalid="ignore"):
        early = days.day < 0
    add_rows(
        found,
        Severity.WARNING,
        "dose-before-start",
        table.rows,
        early,
        lambda i: f"is {-days.day[i]:.4g} days before time zero, which is the first dose",
        file=table.file,
        column=table.called("time"),
    )
    frame = frame_of(
        {
            "patient": patients,
            "day": days.day,
            "amount_mg": _in_mg(table, amount, found),
            "interval_h": interval_h,
            "additional": additional,
            "steady_state": steady_state,
            "row": table.rows,
        }
    )
    _check_intervals(table, frame, is_missing(table.column("interval_h")), found)
    return frame


def _check_intervals(
    table: Table, frame: pd.DataFrame, blank: np.ndarray[tuple[int], np.dtype[np.bool_]], found: Findings
) -> None:
    """A warning for each dose without an interval whose neighbour in time (holds aside) has one."""
    unknown = np.zeros(len(frame), dtype=bool)
    given = frame.assign(position=np.arange(len(frame)))[frame["amount_mg"] > 0]
    for _, rows in given.sort_values("day", kind="stable").groupby("patient", sort=False):
        at = rows["position"].to_numpy(dtype=np.int64)
        mixed = blank[at[:-1]] != blank[at[1:]]
        unknown[at[:-1][mixed]] = True
        unknown[at[1:][mixed]] = True
    add_rows(
        found,
        Severity.WARNING,
        "dose-per-day-unknown",
        table.rows,
        # With additional doses the missing interval is an error already.
        unknown & blank & ~np.asarray(frame["additional"] > 0, dtype=bool),
        lambda i: (
            f"is empty, and a neighbouring dose of patient {shown(frame['patient'].iloc[i])} has one: "
            "the dose per day is unknown, and a lower amount counts as a dose reduction"
        ),
        file=table.file,
        column=table.called("interval_h"),
    )


def _in_mg(
    table: Table, amount: np.ndarray[tuple[int], np.dtype[np.float64]], found: Findings
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    unit = required_texts(table, "unit", found)
    amount_mg = np.full(len(amount), np.nan)
    written = {str(u) for u in unit if u is not None}
    usable = {u for u in written if is_convertible(u, DOSE_UNIT)}
    for name in usable:
        here = unit == name
        amount_mg[here] = convert(amount[here], name, DOSE_UNIT)
    add_rows(
        found,
        Severity.ERROR,
        "dose-unit",
        table.rows,
        np.array([u is not None and u not in usable for u in unit], dtype=bool),
        lambda i: f"{shown(unit[i])} is no mass; a dose is given in mg or g",
        file=table.file,
        column=table.called("unit"),
    )
    return amount_mg
