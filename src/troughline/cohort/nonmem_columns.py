"""The columns of a NONMEM-style file: which is which, and their cells as numbers and codes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.readers import RawTable
from troughline.cohort.reporting import add_rows, name_rows, shown
from troughline.cohort.schema import Table
from troughline.cohort.values import MISSING_WORD, numbers
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    import pandas as pd

    from troughline.model.spec import ModelSpec

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STANDARD = (
    "ID", "TIME", "DATE", "AMT", "RATE", "DUR", "EVID", "MDV", "CMT", "II", "ADDL", "SS",
    "DV", "LDV", "DVID", "OCC", "BLQ", "CENS", "LIMIT", "LLOQ",
)  # fmt: skip
REQUIRED = ("ID", "TIME")
_ALSO_CALLED = {"LDV": ("LNDV",)}
_MISSING_MARKS = (".", MISSING_WORD)


@dataclass(frozen=True, slots=True)
class Reading:
    """A NONMEM-style table under standard names, with the model it is read for and what was found so far."""

    table: Table
    spec: ModelSpec
    found: Findings

    def __len__(self) -> int:
        return len(self.table)

    def has(self, name: str) -> bool:
        """Whether the file has a column."""
        return name in self.table.present

    def number(self, name: str) -> Floats:
        """A column as numbers (n_records,); NaN where missing, wrong or without such a column."""
        if not self.has(name):
            return np.full(len(self), np.nan)
        fast = _all_numbers(self.table.column(name))
        return numbers(self.table, name, self.found) if fast is None else fast

    def code(self, name: str, parse: Callable[[str], float | None]) -> tuple[Floats, Flags]:
        """A column with few different cells as numbers, and which cells `parse` could not read.

        `parse` is called once for each different cell that is not missing; missing ones are NaN.
        """
        import pandas as pd

        if not self.has(name):
            return np.full(len(self), np.nan), np.zeros(len(self), dtype=bool)
        codes, different = pd.factorize(self.table.column(name))
        parsed = [np.nan if cell == "" else parse(str(cell)) for cell in different]
        numbers_of = np.array([np.nan if p is None else p for p in parsed], dtype=np.float64)
        unread = np.array([p is None for p in parsed], dtype=bool)
        return numbers_of[codes], unread[codes]

    def report(
        self, severity: Severity, code: str, bad: Flags, message: Callable[[int], str], column: str
    ) -> None:
        """A finding for each of the first records where `bad` is true, and one that counts the others."""
        add_rows(
            self.found, severity, code, self.table.rows, bad, message,
            file=self.table.file, column=self.table.called(column),
        )  # fmt: skip

    def error(self, code: str, bad: Flags, message: Callable[[int], str], column: str) -> None:
        """An error for each record where `bad` is true."""
        self.report(Severity.ERROR, code, bad, message, column)

    def once(self, severity: Severity, code: str, which: Flags, message: str, column: str) -> None:
        """One finding about all records where `which` is true, which names their rows."""
        if which.any():
            rows = self.table.rows[which]
            self.found.add(
                severity, code, f"{message} ({name_rows(rows)})",
                file=self.table.file, column=self.table.called(column),
            )  # fmt: skip

    def say(self, severity: Severity, code: str, message: str, column: str | None = None) -> None:
        """A finding about the whole file or a whole column."""
        called = None if column is None else self.table.called(column)
        self.found.add(severity, code, message, file=self.table.file, column=called)

    def cell(self, name: str, i: int) -> str:
        """A cell as a message shows it."""
        return shown(self.table.column(name).iloc[i])


def standard_columns(
    raw: RawTable, spec: ModelSpec, columns: Mapping[str, str | None], found: Findings
) -> Reading | None:
    """The file's columns under their standard names and the model's covariate names.

    Case does not matter. `columns` gives other names ({"DV": "cp", "weight": "WT"}), or None for a column
    that is not to be read. None is returned where a column that is needed is missing.
    """
    known = (*STANDARD, *(c.name for c in spec.covariates))
    names = _names(raw, known, columns, found)
    missing = [name for name in REQUIRED if name not in names]
    for name in missing:
        found.add(
            Severity.ERROR,
            "missing-column",
            f"a NONMEM-style file needs this column; the file has: {', '.join(raw.columns)}",
            file=raw.file,
            row=1,
            column=name,
        )
    unread = [name for name in raw.columns if name not in names.values()]
    if unread:
        found.add(
            Severity.NOTE,
            "column-not-read",
            f"neither a NONMEM column nor a covariate of {spec.id}, not read: {', '.join(unread)}",
            file=raw.file,
        )
    if missing:
        return None
    text = {name: _without_marks(raw.cells[column]) for name, column in names.items()}
    return Reading(
        Table(
            file=raw.file,
            rows=raw.rows,
            text=text,
            names=names,
            present=frozenset(names),
            decimal_comma=raw.decimal_comma,
        ),
        spec,
        found,
    )


def _names(
    raw: RawTable, known: tuple[str, ...], columns: Mapping[str, str | None], found: Findings
) -> dict[str, str]:
    """For each standard name the column of the file, where there is one."""
    by_case: dict[str, list[str]] = {}
    for column in raw.columns:
        by_case.setdefault(column.lstrip("#").casefold(), []).append(column)
    given = {name.casefold(): column for name, column in columns.items()}
    for name in columns:
        if name.casefold() not in {k.casefold() for k in known}:
            found.add(
                Severity.ERROR,
                "column-mapping",
                f"{shown(name)} is no column that is read here: {', '.join(known)}",
                file=raw.file,
            )
    names: dict[str, str] = {}
    for name in known:
        wanted = given.get(name.casefold(), name)
        if wanted is None:
            continue
        there = by_case.get(wanted.casefold(), [])
        for other in _ALSO_CALLED.get(name, ()):
            there = there or by_case.get(other.casefold(), [])
        there = [wanted] if wanted in there else there
        if len(there) == 1:
            names[name] = there[0]
        elif there:
            found.add(
                Severity.ERROR,
                "ambiguous-column",
                f"{', '.join(there)} differ in case alone: {name} could be any of them",
                file=raw.file,
                row=1,
            )
        elif name.casefold() in given:
            found.add(
                Severity.ERROR,
                "missing-column",
                f"{shown(wanted)} is not in the file, which has: {', '.join(raw.columns)}",
                file=raw.file,
                row=1,
                column=wanted,
            )
    return names


def _without_marks(cells: pd.Series[str]) -> pd.Series[str]:
    """The cells, with '.' and 'NA' (both: missing) made empty."""
    marked = cells.isin(list(_MISSING_MARKS))
    return cells.mask(marked, "") if marked.any() else cells


def _all_numbers(cells: pd.Series[str]) -> Floats | None:
    """A column in which every cell is a plain finite number or empty; None where one is neither."""
    # Imported by name: pyarrow ships no annotations.
    pa: Any = importlib.import_module("pyarrow")
    compute: Any = importlib.import_module("pyarrow.compute")
    text: Any = pa.array(cells, type=pa.large_string())
    empty: Any = compute.equal(text, "")
    try:
        read: Any = compute.if_else(empty, None, text).cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    values = np.array(read.to_numpy(zero_copy_only=False), dtype=np.float64)
    there = ~np.asarray(empty.to_numpy(zero_copy_only=False), dtype=bool)
    return values if np.isfinite(values[there]).all() else None
