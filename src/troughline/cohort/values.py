"""Text cells to numbers, flags, texts and categories; every cell that is none of these is named."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.reporting import add_rows, name_rows, shown
from troughline.cohort.schema import Table
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    import pandas as pd

MISSING_WORD = "NA"
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
_COMMA_NUMBER = r"[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d{1,3})?"
_MAYBE_THOUSANDS = r"[+-]?[1-9]\d{0,2},\d{3}"
_SEPARATED = r"[+-]?\d{1,3}(?:[., '\u00a0\u202f]\d{3})+(?:[.,]\d+)?|[+-]?[\d.,]*[.,][\d.,]*[.,][\d.,]*"
_NOT_FINITE = {"nan", "inf", "infinity", "-inf", "+inf", "-infinity", "+infinity", "#n/a", "#div/0!", "#num!"}
TRUE_WORDS = ("1", "true", "yes")
FALSE_WORDS = ("0", "false", "no")


def matches(text: pd.Series[str], pattern: str) -> NDArray[np.bool_]:
    """Which cells match a pattern as a whole, shape (n_records,)."""
    found: Any = text.str.fullmatch(f"(?:{pattern})")
    return np.array(found, dtype=bool)


def is_missing(text: pd.Series[str]) -> NDArray[np.bool_]:
    """Which cells hold nothing, or `NA`."""
    return np.array((text == "") | (text == MISSING_WORD), dtype=bool)


def note_missing_words(table: Table, found: Findings) -> None:
    """One note that counts the cells written `NA`, which are read as missing."""
    count = sum(int((table.column(name) == MISSING_WORD).sum()) for name in sorted(table.present))
    if count:
        found.add(
            Severity.NOTE,
            "na-is-missing",
            f"{count} cells {MISSING_WORD!r} are read as missing",
            file=table.file,
        )


def comparable(value: object) -> str:
    """A cell in the form in which two cells are compared: `Yes` is `yes`, `1.0` is `1`; empty where missing.

    `value` is text, a number, or what stands for a missing one (None, NaN, blank text).
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = " ".join(str(value).casefold().split())
    # Adding zero turns -0 into 0.
    return repr(float(text) + 0.0) if re.fullmatch(NUMBER, text) else text


def texts(table: Table, name: str) -> NDArray[np.object_]:
    """A text column; None where missing."""
    column = table.column(name)
    values = column.to_numpy(dtype=object).copy()
    values[is_missing(column)] = None
    return values


def required_texts(table: Table, name: str, found: Findings) -> NDArray[np.object_]:
    """A text column in which nothing may be missing."""
    values = texts(table, name)
    missing = is_missing(table.column(name))
    add_rows(
        found,
        Severity.ERROR,
        "missing-value",
        table.rows,
        missing,
        lambda _: "is empty and is needed in every row",
        file=table.file,
        column=table.called(name),
    )
    return values


def numbers(
    table: Table, name: str, found: Findings, *, text: pd.Series[str] | None = None
) -> NDArray[np.float64]:
    """A number column: NaN where missing and where a finding says what is wrong.

    `text` stands in for the column's cells where they were changed before (a `<` taken off).
    A decimal comma is read where no cell of the column leaves a doubt about it.
    """
    cells = table.column(name) if text is None else text
    values = np.full(len(cells), np.nan)
    missing = is_missing(cells)
    plain = matches(cells, NUMBER)
    values[plain] = _floats(cells, plain)
    rest = ~(plain | missing)
    if rest.any():
        comma = rest & matches(cells, _COMMA_NUMBER)
        if comma.any() and _commas_are_decimal(table, name, cells, plain, comma, found):
            values[comma] = _floats(cells.str.replace(",", ".", regex=False), comma)
        _report_no_numbers(table, name, cells, rest & ~comma, found)
    overflow = np.isinf(values)
    add_rows(
        found,
        Severity.ERROR,
        "not-finite",
        table.rows,
        overflow,
        lambda i: f"{shown(cells.iloc[i])} is too large; a number must be finite",
        file=table.file,
        column=table.called(name),
    )
    values[overflow] = np.nan
    return values


def require_range(
    table: Table,
    name: str,
    values: NDArray[np.float64],
    found: Findings,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    low_open: bool = False,
    whole: bool = False,
    code: str = "out-of-range",
) -> None:
    """Errors for the numbers outside `low`–`high` (without `low` itself where `low_open`) or not whole."""
    with np.errstate(invalid="ignore"):
        below = values <= low if low_open else values < low
        bad = np.isfinite(values) & (below | (values > high))
        if whole:
            bad |= np.isfinite(values) & (values != np.round(values))
    limit = f"above {low:g}" if low_open else f"at least {low:g}"
    if np.isfinite(high):
        limit = f"between {low:g} and {high:g}"
    kind = "a whole number " if whole else ""
    add_rows(
        found,
        Severity.ERROR,
        code,
        table.rows,
        bad,
        lambda i: f"{values[i]:g} is not allowed: it must be {kind}{limit}",
        file=table.file,
        column=table.called(name),
    )
    values[bad] = np.nan


def flags(table: Table, name: str, found: Findings) -> NDArray[np.bool_]:
    """A yes/no column (1/0, true/false, yes/no); false where missing."""
    cells = table.column(name)
    lower = cells.str.lower()
    true = np.asarray(lower.isin(TRUE_WORDS), dtype=bool)
    good = true | np.asarray(lower.isin(FALSE_WORDS), dtype=bool) | is_missing(cells)
    add_rows(
        found,
        Severity.ERROR,
        "not-a-flag",
        table.rows,
        ~good,
        lambda i: f"{shown(cells.iloc[i])} is not 0 or 1 (true/false and yes/no are read too)",
        file=table.file,
        column=table.called(name),
    )
    return true


def categories(
    table: Table, name: str, levels: Sequence[str], found: Findings, *, ignore_case: bool = False
) -> NDArray[np.object_]:
    """A column whose texts must be among `levels`; None where missing or wrong."""
    values = texts(table, name)
    known = {level.casefold() if ignore_case else level: level for level in levels}
    cells = table.column(name)
    # A level called NA is a level: only then is the missing word read as itself.
    if MISSING_WORD in known:
        values[np.asarray(cells == MISSING_WORD, dtype=bool)] = MISSING_WORD
    read = np.array(
        [None if v is None else known.get(v.casefold() if ignore_case else v) for v in values], dtype=object
    )
    bad = np.array([v is not None and r is None for v, r in zip(values, read, strict=True)], dtype=bool)
    add_rows(
        found,
        Severity.ERROR,
        "unknown-level",
        table.rows,
        bad,
        lambda i: f"{shown(values[i])} is none of: {', '.join(levels)}",
        file=table.file,
        column=table.called(name),
    )
    return read


def frame_of(columns: Mapping[str, NDArray[Any]], index: pd.Index[Any] | None = None) -> pd.DataFrame:
    """A frame whose text columns stay columns of Python objects, missing is None, on every pandas version."""
    import pandas as pd

    held = {
        name: pd.Series(values, index=index, dtype=object if values.dtype == object else None)
        for name, values in columns.items()
    }
    return pd.DataFrame(held, index=index)


def _floats(cells: pd.Series[str], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    return cells.to_numpy(dtype=object)[where].astype(np.float64)


def _commas_are_decimal(
    table: Table,
    name: str,
    cells: pd.Series[str],
    plain: NDArray[np.bool_],
    comma: NDArray[np.bool_],
    found: Findings,
) -> bool:
    column = table.called(name)
    first = int(np.flatnonzero(comma)[0])
    cell = shown(cells.iloc[first])

    def refuse(message: str) -> bool:
        found.add(
            Severity.ERROR,
            "decimal-comma",
            message,
            file=table.file,
            row=int(table.rows[first]),
            column=column,
        )
        return False

    if not table.decimal_comma:
        return refuse(
            f"{cell} has a comma in a comma-separated file ({name_rows(table.rows[comma])}): "
            "write a point, or separate the cells by semicolons"
        )
    pointed = plain & np.asarray(cells.str.contains(".", regex=False), dtype=bool)
    if pointed.any():
        return refuse(
            f"{cell} has a decimal comma and row {int(table.rows[pointed][0])} a decimal point "
            f"({shown(cells[pointed].iloc[0])}): use one of them in the whole column"
        )
    if (~comma | matches(cells, _MAYBE_THOUSANDS)).all():
        return refuse(
            f"{cell} can be read with a decimal comma or a thousands separator "
            f"({name_rows(table.rows[comma])}): write a decimal point"
        )
    return True


def _report_no_numbers(
    table: Table, name: str, cells: pd.Series[str], bad: NDArray[np.bool_], found: Findings
) -> None:
    if not bad.any():
        return
    lower = cells.str.lower()
    infinite = bad & np.asarray(lower.isin(list(_NOT_FINITE)), dtype=bool)
    separated = bad & ~infinite & matches(cells, _SEPARATED)
    for code, which, message in (
        ("not-finite", infinite, "is not a finite number (leave the cell empty where nothing was measured)"),
        (
            "thousands",
            separated,
            "has thousands separators or several decimal signs",
        ),
        ("not-a-number", bad & ~infinite & ~separated, "is not a number"),
    ):
        add_rows(
            found,
            Severity.ERROR,
            code,
            table.rows,
            which,
            lambda i, message=message: f"{shown(cells.iloc[i])} {message}",
            file=table.file,
            column=table.called(name),
        )
