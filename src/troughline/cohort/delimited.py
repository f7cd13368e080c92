"""Delimited text (CSV, TSV) to cells: encoding, delimiter, quoting, ragged rows."""

from __future__ import annotations

import codecs
import csv
import importlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.reporting import add_rows, shown
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    import pandas as pd

DELIMITERS = (",", ";", "\t", "|")
_DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_MAX_HEADER_BYTES = 1_000_000


def read_delimited(
    data: bytes, *, file: str, found: Findings
) -> tuple[list[str], pd.DataFrame, NDArray[np.int64], str] | None:
    """The header, the cells (text, one column a header cell), their spreadsheet rows, and the delimiter.

    `data` is the whole file. Findings go to `found`; None where the file cannot be read as a table.
    Blank lines are skipped but counted, so that a row number is the one a spreadsheet shows.
    """
    text = _as_utf8(data, file=file, found=found)
    if text is None:
        return None
    if not text.strip():
        found.add(Severity.ERROR, "empty-file", "is empty: it needs a header row and records", file=file)
        return None
    first_line = _first_line(text)
    if not first_line.strip():
        found.add(
            Severity.ERROR, "no-header", "the first row is blank; the header must be row 1", file=file, row=1
        )
        return None
    delimiter = _delimiter(first_line)
    header = next(csv.reader([first_line], delimiter=delimiter))
    cells = _parse(text, header, delimiter, file=file, found=found)
    if cells is None:
        return None
    frame, rows = cells
    return header, frame, rows, delimiter


def _as_utf8(data: bytes, *, file: str, found: Findings) -> bytes | None:
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16").encode("utf-8")
        except UnicodeDecodeError as error:
            found.add(
                Severity.ERROR,
                "encoding",
                f"starts like UTF-16 but is not valid UTF-16 at byte {error.start}",
                file=file,
            )
            return None
    if b"\x00" in data:
        found.add(
            Severity.ERROR,
            "encoding",
            "holds zero bytes, so it is no UTF-8 text (UTF-16 without its mark?); save it as UTF-8",
            file=file,
        )
        return None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _from_cp1252(data, error.start, file=file, found=found)
    return data


def _from_cp1252(data: bytes, position: int, *, file: str, found: Findings) -> bytes | None:
    row = data.count(b"\n", 0, position) + 1
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        found.add(
            Severity.ERROR,
            "encoding",
            f"is neither UTF-8 (byte {position} is not valid) nor Windows-1252 text; save it as UTF-8",
            file=file,
            row=row,
        )
        return None
    found.add(
        Severity.WARNING,
        "encoding",
        f"is not UTF-8 (byte {position} is not valid) and was read as Windows-1252: check the letters",
        file=file,
        row=row,
    )
    return text.encode("utf-8")


def _first_line(text: bytes) -> str:
    """The header record, which may hold quoted line breaks."""
    start = text[:_MAX_HEADER_BYTES].decode("utf-8", errors="ignore")
    end, quoted = len(start), False
    for position, character in enumerate(start):
        if character == '"':
            quoted = not quoted
        elif character in "\r\n" and not quoted:
            end = position
            break
    return start[:end]


def _delimiter(line: str) -> str:
    """The delimiter that occurs most in the header line outside quotes; a comma where none does."""
    outside = "".join(line.split('"')[::2])
    counts = {d: outside.count(d) for d in DELIMITERS}
    best = max(DELIMITERS, key=lambda d: counts[d])
    return best if counts[best] else ","


def _parse(
    text: bytes, header: list[str], delimiter: str, *, file: str, found: Findings
) -> tuple[pd.DataFrame, NDArray[np.int64]] | None:
    # Imported by name: pyarrow ships no annotations, and what it returns is text from here on.
    pa: Any = importlib.import_module("pyarrow")
    arrow: Any = importlib.import_module("pyarrow.csv")

    width = len(header)
    ragged: list[tuple[int, int, str]] = []

    def note_ragged(row: Any) -> str:
        ragged.append((int(row.number), int(row.actual_columns), str(row.text)))
        return "skip"

    # pyarrow numbers only the rows it hands to the handler, and only on one thread.
    try:
        table: Any = arrow.read_csv(
            io.BytesIO(text),
            read_options=arrow.ReadOptions(
                autogenerate_column_names=True,
                use_threads=False,
                block_size=min(max(len(text) + 1, 1 << 16), 1 << 30),
            ),
            parse_options=arrow.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=note_ragged,
            ),
            convert_options=arrow.ConvertOptions(
                column_types={f"f{i}": pa.large_string() for i in range(width)}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        found.add(Severity.ERROR, "not-a-table", f"cannot be read as a table: {_short(error)}", file=file)
        return None
    if not _quotes_closed(text, table, ragged, file=file, found=found):
        return None
    number_of_records = table.num_rows + len(ragged)
    skipped = np.array([number for number, _, _ in ragged], dtype=np.int64)
    rows = np.setdiff1d(np.arange(1, number_of_records + 1, dtype=np.int64), skipped, assume_unique=True)
    bad = [(row, width_there) for row, width_there, line in ragged if line.strip(" \t\r\n")]
    numbers = np.array([row for row, _ in bad], dtype=np.int64)
    add_rows(
        found,
        Severity.ERROR,
        "ragged-row",
        numbers,
        np.ones(len(bad), dtype=bool),
        lambda i: f"{bad[i][1]} cells where the header has {width} ({_DELIMITER_NAMES[delimiter]}-separated)",
        file=file,
    )
    frame: pd.DataFrame = table.to_pandas()
    return frame.iloc[1:].reset_index(drop=True), rows[1:]


def _quotes_closed(
    text: bytes, table: Any, ragged: list[tuple[int, int, str]], *, file: str, found: Findings
) -> bool:
    """Whether no quoted field runs on to the end of the file, over the line breaks that follow it."""
    if text.count(b'"') % 2 == 0:
        return True
    records = table.num_rows + len(ragged)
    if ragged and ragged[-1][0] == records:
        last = [ragged[-1][2].rstrip("\r\n")]
    else:
        last = [str(column[-1].as_py()) for column in table.columns]
    if not any("\n" in cell for cell in last):
        return True
    found.add(Severity.ERROR, "open-quote", "a quote opens and never closes", file=file, row=records)
    return False


def _short(error: Exception) -> str:
    return shown(str(error).splitlines()[0] if str(error) else type(error).__name__)
