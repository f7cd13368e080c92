"""Checks of a question of kind `change` against the study: group, dose, markers, occasions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from troughline.cohort.checks import MeasuredAnalytes, check_analyte
from troughline.cohort.question_checks import check_published
from troughline.cohort.reporting import shown
from troughline.issues import Findings, Severity
from troughline.units import is_unit

if TYPE_CHECKING:
    import pandas as pd

    from troughline.cohort.question_change import ChangeQuestion
    from troughline.cohort.studyfile import Study

GROUP_COLUMNS = ("group", "arm")
"""Columns of the patients table that may hold the group without a declaration."""


def check_change(
    question: ChangeQuestion,
    study: Study,
    measurements: tuple[str, pd.DataFrame] | None,
    measured: MeasuredAnalytes | None,
    known: Iterable[str],
    found: Findings,
) -> None:
    """Errors for a group or dose that is not there or of the wrong sort, and units not known here.

    A marker or an occasion without a row is a warning, because only its part of the answer suffers.
    `measured` are the analytes of `measurements`.
    """
    place, where = study.path.name, f"question {question.id}"
    names = list(known)

    def wrong(column: str, message: str) -> None:
        found.add(Severity.ERROR, "covariate-undeclared", message, file=place, column=f"{where} {column}")

    check_published(question, place, found)
    for column, name in (("group", question.group), ("dose", question.dose)):
        if name is None or (column == "group" and name in GROUP_COLUMNS):
            continue
        spec = study.covariates.get(name)
        if name not in names:
            wrong(column, f"{shown(name)} is not declared under [covariates]; there are: "
                  f"{', '.join(names) or 'none'}")  # fmt: skip
        elif spec is not None and column == "group" and spec.levels is None:
            wrong(column, f"{shown(name)} is a number: a group needs levels (write it as dose)")
        elif spec is not None and column == "dose" and spec.levels is not None:
            wrong(column, f"{shown(name)} is a category: a dose is a number with a unit")
    for marker in question.markers:
        if not is_unit(marker.unit):
            found.add(
                Severity.ERROR, "unknown-unit", f"{shown(marker.unit)} is no unit known here", file=place,
                column=f"{where} markers",
            )  # fmt: skip
        elif measured is not None:
            check_analyte(
                marker.analyte, marker.unit, measured, place, f"{where} markers", found,
                then="this marker is left out",
            )  # fmt: skip
    outcome = question.outcome
    if (
        outcome is not None
        and outcome.time is None
        and outcome.column is None
        and ("events" not in study.tables)
    ):
        found.add(
            Severity.ERROR, "table-needed", "the outcome is found in the events table: give tables.events",
            file=place, column=f"{where} outcome",
        )  # fmt: skip
    if "measurements" not in study.tables:
        found.add(
            Severity.ERROR, "table-needed", "a change is found in the measurements table: give "
            "tables.measurements", file=place, column=where,
        )  # fmt: skip
    elif measurements is not None and question.occasions is not None:
        _check_occasions(question, measurements, place, where, found)


def _check_occasions(
    question: ChangeQuestion, measurements: tuple[str, pd.DataFrame], place: str, where: str, found: Findings
) -> None:
    file, frame = measurements
    there = [str(o) for o in frame["occasion"].dropna().unique()]
    for name in question.occasions or ():
        if name not in there:
            found.add(
                Severity.WARNING,
                "occasion-absent",
                f"{file} has no row of occasion {shown(name)}; it has: {', '.join(sorted(there)) or 'none'}",
                file=place,
                column=f"{where} occasions",
            )
