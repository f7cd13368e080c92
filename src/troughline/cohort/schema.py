"""The four tables: which columns they have, and which column of a file is which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.readers import RawTable
from troughline.cohort.reporting import shown
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    import pandas as pd

    from troughline.cohort.studyfile import Outcome, Study

TableName = Literal["patients", "doses", "measurements", "events"]
Kind = Literal["text", "number", "flag", "time"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its standard name, what it holds, and whether a file must have it."""

    name: str
    kind: Kind
    required: bool = False


SCHEMA: Mapping[TableName, tuple[Column, ...]] = {
    "patients": (
        Column("patient", "text", required=True),
        Column("start", "time"),
        Column("group", "text"),
        Column("arm", "text"),
        Column("approximate", "flag"),
        Column("published_study", "text"),
    ),
    "doses": (
        Column("patient", "text", required=True),
        Column("time", "time", required=True),
        Column("amount", "number", required=True),
        Column("unit", "text", required=True),
        Column("interval_h", "number"),
        Column("additional", "number"),
        Column("steady_state", "flag"),
    ),
    "measurements": (
        Column("patient", "text", required=True),
        Column("time", "time", required=True),
        Column("analyte", "text", required=True),
        Column("value", "number", required=True),
        Column("unit", "text", required=True),
        Column("below_limit", "flag"),
        Column("limit", "number"),
        Column("above_limit", "flag"),
        Column("assay", "text"),
        Column("batch", "text"),
        Column("time_after_dose_h", "number"),
        Column("occasion", "text"),
    ),
    "events": (
        Column("patient", "text", required=True),
        Column("time", "time", required=True),
        Column("event", "text", required=True),
        Column("term", "text"),
        Column("grade", "number"),
        Column("version", "text"),
        Column("response", "text"),
        Column("criterion", "text"),
        Column("lesion_sum_mm", "number"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A raw table under its standard column names.

    `text`: one Series of text a standard column, of length n_records; empty text where the file has no such
    column. `names`: the name that the file uses, for findings; `present`: the columns the file has.
    """

    file: str
    rows: NDArray[np.int64]
    text: Mapping[str, pd.Series[str]]
    names: Mapping[str, str]
    present: frozenset[str]
    decimal_comma: bool

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> pd.Series[str]:
        """The text cells of a standard column."""
        return self.text[name]

    def called(self, name: str) -> str:
        """What the file calls a standard column."""
        return self.names.get(name, name)


def question_columns(study: Study) -> dict[str, str]:
    """The columns of the patients table that questions name as outcomes, each with the question's id."""
    named: dict[str, str] = {}
    for identifier, outcome in question_outcomes(study):
        for name in (outcome.time, outcome.status, outcome.column):
            if name is not None:
                named.setdefault(name, identifier)
    return named


def question_time_columns(study: Study) -> frozenset[str]:
    """The columns of the patients table that hold a time to an event, which are numbers."""
    return frozenset(o.time for _, o in question_outcomes(study) if o.time is not None)


def question_outcomes(study: Study) -> list[tuple[str, Outcome]]:
    """Every outcome of every question, with the question's id."""
    from troughline.cohort.studyfile import Outcome

    fields = [(q.id, getattr(q, field)) for q in study.question for field in type(q).model_fields]
    return [(identifier, value) for identifier, value in fields if isinstance(value, Outcome)]


def standard_table(raw: RawTable, table: TableName, study: Study, found: Findings) -> Table | None:
    """The raw table under its standard names; None where a column that is needed is missing."""
    columns = list(SCHEMA[table])
    if table == "patients":
        clock = study.study.time == "clock"
        columns = [Column(c.name, c.kind, c.required or (clock and c.name == "start")) for c in columns]
        known = {c.name for c in columns}
        for name in (*study.covariates, *question_columns(study)):
            if name not in known:
                known.add(name)
                columns.append(Column(name, "text", required=True))
    mapping = dict(study.columns.get(table, {}))
    complete = _check_mapping(mapping, columns, raw, table, study, found)
    names = {c.name: mapping.get(c.name, c.name) for c in columns}
    there = set(raw.columns)
    missing = [c for c in columns if c.required and names[c.name] not in there and c.name not in mapping]
    for c in missing:
        found.add(
            Severity.ERROR,
            "missing-column",
            f"the {table} table needs this column; the file has: {', '.join(raw.columns)}",
            file=raw.file,
            row=1,
            column=names[c.name],
        )
    unread = [name for name in raw.columns if name not in names.values()]
    if len(unread) == 1:
        found.add(
            Severity.NOTE, "column-not-declared", "not declared, not read", file=raw.file, column=unread[0]
        )
    elif unread:
        found.add(
            Severity.NOTE,
            "column-not-declared",
            f"{len(unread)} columns are not declared and not read: {', '.join(unread)}",
            file=raw.file,
        )
    if missing or not complete:
        return None
    return _select(raw, columns, names)


def _select(raw: RawTable, columns: list[Column], names: dict[str, str]) -> Table:
    import pandas as pd

    there = set(raw.columns)
    blank: pd.Series[str] = pd.Series([""] * len(raw.rows), dtype="str")
    return Table(
        file=raw.file,
        rows=raw.rows,
        text={c.name: raw.cells[names[c.name]] if names[c.name] in there else blank for c in columns},
        names=names,
        present=frozenset(c.name for c in columns if names[c.name] in there),
        decimal_comma=raw.decimal_comma,
    )


def _check_mapping(
    mapping: dict[str, str],
    columns: list[Column],
    raw: RawTable,
    table: str,
    study: Study,
    found: Findings,
) -> bool:
    known = [c.name for c in columns]
    good = True
    for standard, name in mapping.items():
        where = f"columns.{table}.{standard}"
        if standard not in known:
            good = False
            found.add(
                Severity.ERROR,
                "column-mapping",
                f"is no column of the {table} table; its columns are: {', '.join(known)}",
                file=study.path.name,
                column=where,
            )
        elif name not in raw.columns:
            good = False
            found.add(
                Severity.ERROR,
                "missing-column",
                f"{shown(name)} is not in the file, which has: {', '.join(raw.columns)}",
                file=raw.file,
                row=1,
                column=name,
            )
    used = list(mapping.values())
    for name in sorted({n for n in used if used.count(n) > 1}):
        good = False
        found.add(
            Severity.ERROR,
            "column-mapping",
            f"{shown(name)} is given for more than one column",
            file=study.path.name,
            column=f"columns.{table}",
        )
    return good
