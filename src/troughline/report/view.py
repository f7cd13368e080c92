"""What the page shows of a result: estimates in two columns, cards, tables and findings, all as text."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from troughline.report.names import EstimateName, estimate_name, is_named
from troughline.report.numbers import (
    NO_VALUE,
    count,
    interval,
    micro,
    number,
    p_value,
    percent,
    range_text,
    styled,
    unit_text,
)
from troughline.report.reading import entries

Json = dict[str, Any]
Column = Literal["as_published", "guarded"]

MOST_ROWS = 30
UNFOLDED_ROWS = 12
LEFT_OUT = "left-out"
MOST_FINDINGS = 8
_SENTENCE_END = re.compile(r"(?<!\bal\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<=[.!?])\s+(?=[A-Z0-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One estimate as text; `single` where the value is one number, not a range and not a missing one.

    `how` is the method and what is particular to this estimate, which is `particular`.
    """

    value: str
    single: bool
    interval: str
    p: str
    how: str
    note: str
    method: str
    particular: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One quantity in both columns."""

    name: str
    label: str
    as_published: tuple[Cell, ...]
    guarded: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """A table as text; `numeric` tells which columns stand right, `wordy` which need room.

    `extent` says which of the rows are shown where not all are. A `folded` table of `n_rows` is closed at
    first.
    """

    title: str
    file: str
    header: tuple[str, ...]
    numeric: tuple[bool, ...]
    wordy: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    extent: str
    n_rows: int
    folded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingGroup:
    """Findings about the input of one kind."""

    severity: str
    code: str
    number: int
    lines: tuple[tuple[str, str], ...]
    left_out: int


def first_sentence(text: str) -> str:
    """The first sentence of a paragraph."""
    return _SENTENCE_END.split(text.strip(), maxsplit=1)[0]


def pairs(question: Json, study: Json) -> list[Pair]:
    """The estimates of a question, those of one name (or row) and label beside one another, as they came."""
    found: dict[tuple[str, str], dict[Column, list[Cell]]] = {}
    for estimate in entries(question, "estimates"):
        name = str(estimate.get("name"))
        key = (estimate_name(name).row or name, str(estimate.get("label") or ""))
        columns = found.setdefault(key, {"as_published": [], "guarded": []})
        side: Column = "guarded" if str(estimate.get("method", "")).startswith("guarded") else "as_published"
        columns[side].append(cell(estimate, study))
    order = {name: k for k, name in enumerate(dict.fromkeys(name for name, _ in found))}
    return _without_repeats(
        [
            Pair(
                name=estimate_name(name).label,
                label=micro(label),
                as_published=tuple(columns["as_published"]),
                guarded=tuple(columns["guarded"]),
            )
            for (name, label), columns in sorted(found.items(), key=lambda item: order[item[0][0]])
        ]
    )


def _without_repeats(listed: list[Pair]) -> list[Pair]:
    """The same pairs; a method that is that of the row above, under the same name, is not said again; what
    is particular to a cell (its n, a statistic) is."""
    shortened: list[Pair] = []
    for before, pair in zip([None, *listed], listed, strict=False):
        if before is not None and before.name == pair.name:
            pair = replace(
                pair,
                as_published=_silent(pair.as_published, before.as_published),
                guarded=_silent(pair.guarded, before.guarded),
            )
        shortened.append(pair)
    return shortened


def _silent(cells: tuple[Cell, ...], before: tuple[Cell, ...]) -> tuple[Cell, ...]:
    same = [c.method for c in cells] == [c.method for c in before]
    return tuple(replace(c, how=c.particular) for c in cells) if same else cells


def cell(estimate: Json, study: Json) -> Cell:
    """One estimate as text; n and level are said only where they differ from the study's."""
    name = estimate_name(str(estimate.get("name")))
    value, span = value_and_interval(estimate, name)
    method = re.sub(r"^(as-published|guarded)\s*[:,]?\s*", "", str(estimate.get("method", ""))).strip(" ,")
    particular: list[str] = []
    level, n = estimate.get("level"), estimate.get("n")
    if span and level is not None and level != study.get("level", 0.95):
        particular.append(f"{percent(level)} interval")
    if n is not None and n != study.get("n_patients"):
        particular.append(f"n = {n}")
    p = estimate.get("p_value")
    if name.style == "test" and p is not None:
        p = None
        if estimate.get("value") is not None:
            particular.append(f"statistic {number(estimate['value'])}")
    first = [f"{name.short}: {method}" if method else name.short] if name.row else [method]
    return Cell(
        value=value,
        single=is_single(estimate, name),
        interval=span,
        p=p_value(p) if p is not None else "",
        how=micro(", ".join(filter(None, [*first, *particular]))),
        note=micro(str(estimate.get("note") or "")),
        method=micro(method),
        particular=micro(", ".join([*([name.short] if name.row else []), *particular])),
    )


def value_and_interval(estimate: Json, name: EstimateName) -> tuple[str, str]:
    """The value with its unit, and its interval; an interval without a value reads as a range.

    Without a value and without both ends it reads as not bounded by the data, but for an estimate that has
    no interval by its nature (no `level`) and one whose note says that there is none.
    """
    value, low, high = estimate.get("value"), estimate.get("low"), estimate.get("high")
    bare = unit_text(estimate.get("unit"))
    unit = f" {bare}" if bare else ""
    if name.style == "p":
        return p_value(value), ""
    if name.style == "test" and estimate.get("p_value") is not None:
        return p_value(estimate["p_value"]), ""
    span = interval(low, high, name.style, value=value)
    counted = bare in {"day", "month", "year", "week", "hour"}
    plural = f"{unit}s" if counted and value != 1 else unit
    if value is None:
        failed = estimate.get("level", 0.95) is None or "no estimate" in str(estimate.get("note") or "")
        if not span and failed:
            return NO_VALUE, ""
        return range_text(low, high, name.style, plural.strip()), (
            "" if low is None or high is None else "range"
        )
    return styled(value, name.style) + plural, span


def is_single(estimate: Json, name: EstimateName) -> bool:
    by_p = name.style == "test" and estimate.get("p_value") is not None
    return by_p or estimate.get("value") is not None


def table_view(title: str, file: str, rows: list[Json]) -> TableView:
    """A table of a question as text, columns named and styled as estimates are.

    Of more than 30 rows the first 30 are shown, or, where every cell is a number (a curve), every so many;
    of the patients left out, all are. These, and every table of more than 12 rows, are folded.
    """
    left_out = title == LEFT_OUT
    header: list[str] = []
    for row in rows:
        header += [key for key in row if key not in header]
    numeric = tuple(
        all(
            isinstance(row.get(k), (int, float, type(None))) and not isinstance(row.get(k), bool)
            for row in rows
        )
        for k in header
    )
    shown, extent = rows[:MOST_ROWS], ""
    if left_out:
        shown = rows
    elif len(rows) > MOST_ROWS and all(numeric):
        step = math.ceil(len(rows) / (MOST_ROWS / 2))
        shown, extent = rows[::step], f"One in {step} of {len(rows)} rows."
    elif len(rows) > MOST_ROWS:
        extent = f"The first {MOST_ROWS} of {len(rows)} rows."
    return TableView(
        title="Patients left out"
        if left_out
        else micro(title.replace("_", " ").replace("-", " ").strip().capitalize()),
        file=file,
        header=tuple(_column_name(k) for k in header),
        numeric=numeric,
        wordy=tuple(any(len(str(row.get(k) or "")) > 24 for row in shown) for k in header),
        rows=tuple(tuple(cell_text(row.get(k), k) for k in header) for row in shown),
        extent=extent,
        n_rows=len(rows),
        folded=left_out or len(shown) > UNFOLDED_ROWS,
    )


def cell_text(value: Any, column: str = "") -> str:
    """A table's cell as text; fractions in a column named like a probability are percentages."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        style = estimate_name(column).style if column else "number"
        if (style == "percent" or column.startswith("P(")) and 0.0 <= value <= 1.0:
            return percent(value)
        if style == "p" and 0.0 <= value <= 1.0:
            return p_value(value).removeprefix("p ").removeprefix("= ")
        return number(value)
    if isinstance(value, list):
        return ", ".join(cell_text(v, column) for v in value)  # pyright: ignore[reportUnknownVariableType]
    return micro(str(value))


def finding_groups(issues: list[Json]) -> list[FindingGroup]:
    """Findings about the input, those of one severity and code together, errors first."""
    rank = {"error": 0, "warning": 1, "note": 2}
    groups: dict[tuple[str, str], list[Json]] = {}
    for issue in issues:
        groups.setdefault((str(issue.get("severity")), str(issue.get("code"))), []).append(issue)
    return [
        FindingGroup(
            severity=severity,
            code=code.replace("-", " "),
            number=len(members),
            lines=tuple((micro(message), places) for message, places in _merged(members)[:MOST_FINDINGS]),
            left_out=max(0, len(_merged(members)) - MOST_FINDINGS),
        )
        for (severity, code), members in sorted(groups.items(), key=lambda g: rank.get(g[0][0], 3))
    ]


def _merged(issues: list[Json]) -> list[tuple[str, str]]:
    """One line a message; its places listed: `measurements.csv, column value, rows 4, 9, 17`."""
    places: dict[tuple[str, str, str], list[int]] = {}
    for issue in issues:
        key = (str(issue.get("message", "")), str(issue.get("file") or ""), str(issue.get("column") or ""))
        rows = places.setdefault(key, [])
        if issue.get("row") is not None:
            rows.append(int(issue["row"]))
    merged: list[tuple[str, str]] = []
    for (message, file, column), rows in places.items():
        parts = [file] if file else []
        if column:
            parts.append(f"column {column}")
        if rows:
            listed = ", ".join(map(str, rows[:20])) + (
                f" and {len(rows) - 20} more" if len(rows) > 20 else ""
            )
            parts.append(f"row{'s' if len(rows) > 1 else ''} {listed}")
        merged.append((message, ", ".join(parts)))
    return merged


def _column_name(key: str) -> str:
    if is_named(key):
        return estimate_name(key).short
    words = micro(key.replace("_", " ").strip())
    return words[:1].upper() + words[1:]
