"""The patients table: one row a patient, covariates typed as the study file declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.reporting import add_rows, name_rows, shown
from troughline.cohort.schema import Table, question_columns, question_time_columns
from troughline.cohort.times import Days, days_since, instants, study_days
from troughline.cohort.values import (
    categories,
    flags,
    frame_of,
    is_missing,
    numbers,
    require_range,
    required_texts,
    texts,
)
from troughline.issues import Findings, Severity
from troughline.units import is_dimensionless, is_unit

if TYPE_CHECKING:
    import pandas as pd

    from troughline.cohort.studyfile import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Who is in the study, and when each patient's time zero is (None where times are study days).

    `row_of`: the spreadsheet row of each patient in the file `file`.
    """

    file: str
    row_of: dict[str, int]
    start: pd.Series[Any] | None
    zone: str | None

    def known(self, table: Table, patients: NDArray[np.object_], found: Findings) -> NDArray[np.bool_]:
        """Which records belong to a patient of the study; an error for each that does not."""
        there = np.array([p in self.row_of for p in patients], dtype=bool)
        named = np.array([p is not None for p in patients], dtype=bool)
        add_rows(
            found,
            Severity.ERROR,
            "unknown-patient",
            table.rows,
            named & ~there,
            lambda i: f"patient {shown(patients[i])} is not in {self.file}",
            file=table.file,
            column=table.called("patient"),
        )
        return there

    def days(self, table: Table, patients: NDArray[np.object_], found: Findings) -> Days:
        """The `time` column of a table as days since each patient's first dose."""
        if self.start is None:
            return study_days(table, "time", found)
        at, only_date = instants(table, "time", self.zone, found)
        start: Any = self.start.reindex([p if p in self.row_of else None for p in patients])
        return days_since(start, at, only_date)


def patient_roster(table: Table, study: Study, found: Findings) -> Roster:
    """The patients of the study; errors for empty and repeated identifiers and unusable start times."""
    import pandas as pd

    patients = required_texts(table, "patient", found)
    row_of: dict[str, int] = {}
    repeated = np.zeros(len(patients), dtype=bool)
    for i, patient in enumerate(patients):
        if patient is None:
            continue
        repeated[i] = patient in row_of
        row_of.setdefault(str(patient), int(table.rows[i]))
    add_rows(
        found,
        Severity.ERROR,
        "duplicate-patient",
        table.rows,
        repeated,
        lambda i: f"patient {shown(patients[i])} stands in row {row_of[str(patients[i])]} already",
        file=table.file,
        column=table.called("patient"),
    )
    start: pd.Series[Any] | None = None
    if study.study.time == "clock":
        at, _ = instants(table, "start", study.study.timezone, found)
        at.index = pd.Index(patients, dtype=object)
        first = np.array([p is not None for p in patients], dtype=bool) & ~repeated
        start = at[first]
    return Roster(file=table.file, row_of=row_of, start=start, zone=study.study.timezone)


def patient_frame(table: Table, study: Study, found: Findings) -> pd.DataFrame:
    """The patients with their group, arm, covariates and the columns that questions name."""
    import pandas as pd

    patients = texts(table, "patient")
    index = pd.Index(patients, dtype=object, name="patient")
    columns: dict[str, NDArray[Any]] = {}
    for name in ("group", "arm"):
        if name in table.present and name not in study.covariates:
            columns[name] = texts(table, name)
    for name in study.covariates:
        columns[name] = _covariate(table, name, study, found)
    times = question_time_columns(study)
    for name in question_columns(study):
        if name not in columns and name != "patient":
            columns[name] = _times_as_text(table, name, found) if name in times else texts(table, name)
    columns.update(_reconstructed(table, columns, found))
    columns["row"] = table.rows
    frame = frame_of(columns, index)
    return frame[[p is not None for p in patients]]


def _reconstructed(table: Table, taken: Mapping[str, Any], found: Findings) -> dict[str, NDArray[Any]]:
    """What `troughline reconstruct` says of its patients: whether approximate, and of which study."""
    columns: dict[str, NDArray[Any]] = {}
    if "approximate" in table.present and "approximate" not in taken:
        made = flags(table, "approximate", found)
        columns["approximate"] = made
        if made.any():
            message = (
                f"{int(made.sum())} of {len(made)} patients were made from a printed summary: approximate, "
                "not patients"
            )
            found.add(Severity.WARNING, "approximate-patients", message, file=table.file)
    if "published_study" in table.present and "published_study" not in taken:
        from troughline.evidence.store import list_publications

        named = columns["published_study"] = texts(table, "published_study")
        known = list_publications()
        unknown = sorted({str(s) for s in named.tolist() if s is not None and s not in known})
        if unknown:
            message = (
                f"{', '.join(map(repr, unknown))} is no study of the evidence base: these patients may be "
                "held against the study they were made from"
            )
            called = table.called("published_study")
            found.add(Severity.WARNING, "unknown-published-study", message, file=table.file, column=called)
    return columns


_RESERVED = ("patient", "row", "start")


def check_declarations(study: Study, found: Findings) -> None:
    """An error for each covariate or outcome column under a reserved name, and for each unknown unit."""
    named = {name: f"covariates.{name}" for name in study.covariates}
    named.update({name: f"question {where}" for name, where in question_columns(study).items()})
    for name, where in named.items():
        if name in _RESERVED:
            found.add(
                Severity.ERROR,
                "reserved-name",
                f"{shown(name)} has its own meaning in the patients table; map the column to another name",
                file=study.path.name,
                column=where,
            )
    for name, spec in study.covariates.items():
        if spec.unit is not None and not is_unit(spec.unit):
            found.add(
                Severity.ERROR,
                "unknown-unit",
                f"{shown(spec.unit)} is no unit known here ('1' for a number without one)",
                file=study.path.name,
                column=f"covariates.{name}.unit",
            )


def _covariate(table: Table, name: str, study: Study, found: Findings) -> NDArray[Any]:
    spec = study.covariates[name]
    missing = is_missing(table.column(name))
    if spec.levels is not None:
        read: NDArray[Any] = categories(table, name, spec.levels, found)
        missing &= np.array([value is None for value in read], dtype=bool)
    else:
        read = numbers(table, name, found)
        _report_negative(table, name, read, spec.unit or "1", found)
    if missing.any():
        found.add(
            Severity.NOTE,
            "covariate-missing",
            f"missing in {int(missing.sum())} of {len(table)} patients ({name_rows(table.rows[missing])})",
            file=table.file,
            column=table.called(name),
        )
    return read


def _times_as_text(table: Table, name: str, found: Findings) -> NDArray[np.object_]:
    """A column of times to an event: checked as numbers, kept as text with a decimal point."""
    time = numbers(table, name, found)
    require_range(table, name, time, found, low=0.0, code="negative-value")
    values = texts(table, name)
    known = np.isfinite(time)
    values[known] = [str(v).replace(",", ".") for v in values[known]]
    return values


def _report_negative(
    table: Table, name: str, values: NDArray[np.float64], unit: str, found: Findings
) -> None:
    if is_dimensionless(unit):
        return
    with np.errstate(invalid="ignore"):
        negative = values < 0
    add_rows(
        found,
        Severity.ERROR,
        "negative-value",
        table.rows,
        negative,
        lambda i: f"{values[i]:g} {unit} is negative; the smallest possible value is 0",
        file=table.file,
        column=table.called(name),
    )
    values[negative] = np.nan
