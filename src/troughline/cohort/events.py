"""The events table: graded toxicity, tumour responses, deaths, changes of the dose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.patients import Roster
from troughline.cohort.reporting import add_rows, name_rows, shown
from troughline.cohort.schema import Table
from troughline.cohort.values import (
    categories,
    frame_of,
    is_missing,
    numbers,
    require_range,
    required_texts,
    texts,
)
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    import pandas as pd

EVENTS = (
    "adverse event",
    "progression",
    "response",
    "dose reduction",
    "dose hold",
    "discontinuation",
    "death",
    "last contact",
    "tace",
    "ablation",
)
CTCAE_VERSIONS = ("3.0", "4.0", "4.03", "5.0", "6.0")
RESPONSES = ("CR", "PR", "SD", "PD")
CRITERIA = ("RECIST 1.1", "mRECIST")

Flags = NDArray[np.bool_]


def event_frame(table: Table, roster: Roster, found: Findings) -> tuple[pd.DataFrame, Flags]:
    """The events in study days, and for which of them only the day is known.

    Everything wrong with them goes to `found`.
    """

    patients = required_texts(table, "patient", found)
    roster.known(table, patients, found)
    days = roster.days(table, patients, found)
    event = _names(table, found)
    grade = numbers(table, "grade", found)
    require_range(table, "grade", grade, found, low=1.0, high=5.0, whole=True, code="grade")
    lesion_sum_mm = numbers(table, "lesion_sum_mm", found)
    require_range(table, "lesion_sum_mm", lesion_sum_mm, found, low=0.0, code="negative-value")
    frame = frame_of(
        {
            "patient": patients,
            "day": days.day,
            "event": event,
            "term": texts(table, "term"),
            "grade": grade,
            "version": texts(table, "version"),
            "response": categories(table, "response", RESPONSES, found, ignore_case=True),
            "criterion": categories(table, "criterion", CRITERIA, found, ignore_case=True),
            "lesion_sum_mm": lesion_sum_mm,
            "row": table.rows,
        }
    )
    _check_adverse_events(table, frame, found)
    _check_responses(table, frame, found)
    _check_deaths(table, frame, found)
    _check_duplicates(table, frame, found)
    return frame, days.whole


def _names(table: Table, found: Findings) -> NDArray[np.object_]:
    written = required_texts(table, "event", found)
    known = set(EVENTS)
    read = np.array(
        [None if w is None else " ".join(str(w).casefold().split()) for w in written], dtype=object
    )
    bad = np.array([r is not None and r not in known for r in read], dtype=bool)
    add_rows(
        found,
        Severity.ERROR,
        "unknown-event",
        table.rows,
        bad,
        lambda i: f"{shown(written[i])} is none of: {', '.join(EVENTS)}",
        file=table.file,
        column=table.called("event"),
    )
    read[bad] = None
    return read


def _check_adverse_events(table: Table, frame: pd.DataFrame, found: Findings) -> None:
    adverse = np.asarray(frame["event"] == "adverse event", dtype=bool)
    if not adverse.any():
        return
    add_rows(
        found,
        Severity.WARNING,
        "grade-missing",
        table.rows,
        adverse & is_missing(table.column("grade")),
        lambda _: "is empty: an adverse event without a grade counts for no rule about grades",
        file=table.file,
        column=table.called("grade"),
    )
    version = frame["version"]
    without = adverse & np.asarray(version.isna(), dtype=bool)
    if without.any():
        found.add(
            Severity.NOTE,
            "ctcae-version-missing",
            f"{int(without.sum())} of {int(adverse.sum())} adverse events name no CTCAE version",
            file=table.file,
            column=table.called("version"),
        )
    add_rows(
        found,
        Severity.ERROR,
        "ctcae-version-unknown",
        table.rows,
        adverse & np.array([isinstance(v, str) and _plain_version(v) is None for v in version], dtype=bool),
        lambda i: f"{shown(version.iloc[i])} is no version of CTCAE; there are {', '.join(CTCAE_VERSIONS)}",
        file=table.file,
        column=table.called("version"),
    )
    used = sorted({read for v in version[adverse].dropna() if (read := _plain_version(str(v)))})
    if len(used) > 1:
        found.add(
            Severity.WARNING,
            "ctcae-version-mixed",
            f"graded by CTCAE versions {' and '.join(used)}, whose grades differ for some terms",
            file=table.file,
            column=table.called("version"),
        )


def _plain_version(text: str) -> str | None:
    """`CTCAE v5.0`, `5.0` and `5` as the version they name; None where there is no such version."""
    number = re.fullmatch(r"[^\d.,]*(\d+(?:[.,]\d+)?)\s*", text)
    if number is None:
        return None
    value = float(number[1].replace(",", "."))
    return next((version for version in CTCAE_VERSIONS if float(version) == value), None)


def _check_responses(table: Table, frame: pd.DataFrame, found: Findings) -> None:
    response = np.asarray(frame["event"] == "response", dtype=bool)
    add_rows(
        found,
        Severity.ERROR,
        "response-missing",
        table.rows,
        response & is_missing(table.column("response")),
        lambda _: f"is empty: a response is one of {', '.join(RESPONSES)}",
        file=table.file,
        column=table.called("response"),
    )
    given = frame.loc[response, "criterion"]
    used = [c for c in CRITERIA if bool((given == c).any())]
    without = response & is_missing(table.column("criterion"))
    if without.any():
        found.add(
            Severity.NOTE,
            "criterion-missing",
            f"{int(without.sum())} of {int(response.sum())} responses name no criterion",
            file=table.file,
            column=table.called("criterion"),
        )
    if len(used) > 1:
        found.add(
            Severity.WARNING,
            "criterion-mixed",
            f"responses are assessed by {' and '.join(used)}, which count different tumour tissue",
            file=table.file,
            column=table.called("criterion"),
        )


def _check_deaths(table: Table, frame: pd.DataFrame, found: Findings) -> None:
    deaths = frame[(frame["event"] == "death") & frame["patient"].notna()]
    with np.errstate(invalid="ignore"):
        early = np.asarray(deaths["day"] < 0, dtype=bool)
    add_rows(
        found,
        Severity.ERROR,
        "death-before-start",
        deaths["row"].to_numpy(dtype=np.int64),
        early,
        lambda i: f"patient {shown(deaths['patient'].iloc[i])} dies before the first dose",
        file=table.file,
        column=table.called("time"),
    )
    second = deaths.duplicated("patient", keep="first")
    for i in np.flatnonzero(np.asarray(second, dtype=bool)):
        patient = deaths["patient"].iloc[i]
        rows = deaths.loc[deaths["patient"] == patient, "row"].to_numpy()
        found.add(
            Severity.ERROR,
            "two-deaths",
            f"patient {shown(patient)} dies more than once ({name_rows(rows)})",
            file=table.file,
            row=int(deaths["row"].iloc[i]),
            column=table.called("event"),
        )


def _check_duplicates(table: Table, frame: pd.DataFrame, found: Findings) -> None:
    key = ["patient", "day", "event", "term", "grade", "response", "criterion"]
    usable = frame["patient"].notna() & frame["day"].notna() & (frame["event"] != "death")
    repeated = np.asarray(frame.duplicated(key, keep="first") & usable & frame["event"].notna(), dtype=bool)
    add_rows(
        found,
        Severity.WARNING,
        "duplicate-event",
        table.rows,
        repeated,
        lambda _: "repeats an earlier row of the same patient, time and event; both are kept",
        file=table.file,
    )
