"""Reporting many bad rows at once: the first ones by row, the rest by their number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from troughline.issues import Findings, Severity

MAX_ROWS_REPORTED = 20
MAX_ROWS_NAMED = 10


def add_rows(
    found: Findings,
    severity: Severity,
    code: str,
    rows: NDArray[np.int64],
    bad: NDArray[np.bool_],
    message: Callable[[int], str],
    *,
    file: str,
    column: str | None = None,
) -> None:
    """One finding for each of the first rows where `bad` is true, and one that counts the others.

    `rows` holds the spreadsheet row of each record, `bad` a flag for each, both of shape (n_records,);
    `message` is called with the position of the record.
    """
    positions = np.flatnonzero(bad)
    for position in positions[:MAX_ROWS_REPORTED]:
        found.add(severity, code, message(int(position)), file=file, row=int(rows[position]), column=column)
    left = len(positions) - MAX_ROWS_REPORTED
    if left > 0:
        found.add(
            severity,
            code,
            f"{left} more rows have the same kind of finding; only the first {MAX_ROWS_REPORTED} are listed",
            file=file,
            column=column,
        )


def name_rows(rows: Sequence[int] | NDArray[np.int64]) -> str:
    """`row 4` or `rows 4, 7, 9` or `rows 4, 7, … (12 in all)`."""
    numbers = [int(row) for row in rows]
    if len(numbers) == 1:
        return f"row {numbers[0]}"
    listed = ", ".join(map(str, numbers[:MAX_ROWS_NAMED]))
    more = f", … ({len(numbers)} in all)" if len(numbers) > MAX_ROWS_NAMED else ""
    return f"rows {listed}{more}"


def shown(text: object) -> str:
    """A cell as a message shows it: quoted, on one line, cut at 40 characters."""
    flat = " ".join(str(text).split())
    return repr(flat if len(flat) <= 40 else flat[:39] + "…")
