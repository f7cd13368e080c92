"""The tables of a report as CSV: one file a table, plain numbers, and whether the data are simulated."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from troughline.report.figures.plan import slug
from troughline.report.reading import entries, part

Json = dict[str, Any]

ESTIMATE_COLUMNS = (
    "question",
    "name",
    "label",
    "method",
    "value",
    "low",
    "high",
    "level",
    "unit",
    "n",
    "p_value",
    "note",
)
GUARD_COLUMNS = ("question", "id", "severity", "finding", "effect", "remedy", "reference")


def table_files(results: Json) -> dict[str, str]:
    """The content of every CSV file by its name, in the order of the report.

    Where the study is simulated, each table has a last column `simulated` that says `yes`. Text that a
    spreadsheet would run as a formula (it starts with `=`, `+`, `@`, a tab or a line break) gets an
    apostrophe in front.
    """
    simulated = bool(part(results, "study").get("simulated"))
    questions: list[Json] = entries(results, "questions")
    written: dict[str, str] = {}
    table1: Json = part(results, "table1")
    if table1.get("rows"):
        header = [str(c) or "characteristic" for c in entries(table1, "columns")]
        written["table1.csv"] = _csv(header, table1["rows"], simulated)
    samples: list[Json] = entries(part(results, "exposure"), "samples")
    if samples:
        written["exposure.csv"] = csv_of_dicts(samples, simulated)
    written["estimates.csv"] = _csv(
        ESTIMATE_COLUMNS,
        (
            [q.get("id"), *(e.get(c) for c in ESTIMATE_COLUMNS[1:])]
            for q in questions
            for e in entries(q, "estimates")
        ),
        simulated,
    )
    written["guards.csv"] = _csv(
        GUARD_COLUMNS,
        (
            [q.get("id"), *(g.get(c) for c in GUARD_COLUMNS[1:])]
            for q in questions
            for g in entries(q, "guards")
        ),
        simulated,
    )
    for question in questions:
        for name, rows in part(question, "tables").items():
            if rows:
                written[question_table_file(question, name, written)] = csv_of_dicts(rows, simulated)
    return written


def question_table_file(question: Json, name: str, taken: Iterable[str] = ()) -> str:
    """The file name of a question's table: `<question>-<table>.csv`, numbered on where it is taken."""
    stem = f"{slug(str(question.get('id', 'question')))}-{slug(name)}"
    file, k = f"{stem}.csv", 2
    while file in set(taken):
        file, k = f"{stem}-{k}.csv", k + 1
    return file


def csv_of_dicts(rows: Sequence[Json], simulated: bool) -> str:
    """Rows as CSV, a column for every key in order; `simulated` adds a column that says so."""
    header: list[str] = []
    for row in rows:
        header += [key for key in row if key not in header]
    return _csv(header, ([row.get(key) for key in header] for row in rows), simulated)


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]], simulated: bool) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*map(_cell, header), "simulated"] if simulated else list(map(_cell, header)))
    for row in rows:
        writer.writerow([*map(_cell, row), "yes"] if simulated else list(map(_cell, row)))
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "; ".join(_cell(v) for v in value)  # pyright: ignore[reportUnknownVariableType]
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "@", "\t", "\r", "\n")) else text
