"""Table files (CSV, TSV, XLSX, Parquet) to text cells that still know their spreadsheet row."""

from __future__ import annotations

import hashlib
import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.delimited import read_delimited
from troughline.cohort.reporting import shown
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    import pandas as pd

MAX_TABLE_MB = 100.0
MAX_TABLE_MB_SETTING = "TROUGHLINE_MAX_TABLE_MB"
_XLSX_EXPANSION = 20
_BLANK = " \t\r\n\u00a0\ufeff"

DELIMITED_SUFFIXES = (".csv", ".tsv", ".txt")
XLSX_SUFFIXES = (".xlsx", ".xlsm")
PARQUET_SUFFIXES = (".parquet", ".pq")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTable:
    """A table as text: nothing interpreted yet.

    `cells`: one text column for each named header cell, surrounding blanks removed, empty text where there
    is nothing; `rows`: the spreadsheet row of each record, shape (n_records,); `decimal_comma`: whether a
    comma in a number can be a decimal sign (it cannot where it also separates the cells).
    """

    file: str
    cells: pd.DataFrame
    rows: NDArray[np.int64]
    decimal_comma: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The header, without unnamed empty columns."""
        return tuple(str(c) for c in self.cells.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """A table where it could be read, and the SHA-256 of the file where there is one."""

    table: RawTable | None
    sha256: str | None


def read_table(location: str, folder: Path, found: Findings) -> ReadResult:
    """Read one table file; everything wrong with it goes to `found`.

    `location` is the path in the study file, relative to `folder`, with `#Sheet name` after an XLSX path
    for another sheet than the first.
    """
    name, _, sheet = location.partition("#")
    path = folder / name
    file = Path(name).name or location
    data = _read_bytes(path, file, found)
    if data is None:
        return ReadResult(table=None, sha256=None)
    sha256 = hashlib.sha256(data).hexdigest()
    suffix = path.suffix.lower()
    if sheet and suffix not in XLSX_SUFFIXES:
        found.add(Severity.ERROR, "sheet", f"only an XLSX file has sheets; '#{sheet}' names one", file=file)
        return ReadResult(table=None, sha256=sha256)
    if suffix in DELIMITED_SUFFIXES:
        table = _delimited_table(data, file, found)
    elif suffix in XLSX_SUFFIXES:
        table = _xlsx_table(data, sheet, file, found)
    elif suffix in PARQUET_SUFFIXES:
        table = _parquet_table(data, file, found)
    else:
        kinds = ", ".join((*DELIMITED_SUFFIXES, *XLSX_SUFFIXES, *PARQUET_SUFFIXES))
        found.add(Severity.ERROR, "file-kind", f"ends in {suffix!r}; tables are read from {kinds}", file=file)
        table = None
    return ReadResult(table=table, sha256=sha256)


def max_table_mb() -> float:
    """The largest table file that is read, in megabytes (10⁶ bytes); `TROUGHLINE_MAX_TABLE_MB` sets it.

    Raises `ValueError` where the setting is no positive number.
    """
    text = os.environ.get(MAX_TABLE_MB_SETTING)
    if text is None:
        return MAX_TABLE_MB
    try:
        limit = float(text)
    except ValueError:
        limit = float("nan")
    if not (np.isfinite(limit) and limit > 0):
        raise ValueError(f"{MAX_TABLE_MB_SETTING} must be a positive number of megabytes, not {text!r}")
    return limit


def _read_bytes(path: Path, file: str, found: Findings) -> bytes | None:
    try:
        limit_mb = max_table_mb()
        size = path.stat().st_size
        if path.is_dir():
            found.add(Severity.ERROR, "file-unreadable", "is a folder, not a table file", file=file)
            return None
        if size > limit_mb * 1e6:
            found.add(
                Severity.ERROR,
                "file-too-large",
                f"is {size / 1e6:.1f} MB; the limit is {limit_mb:g} MB (setting {MAX_TABLE_MB_SETTING})",
                file=file,
            )
            return None
        return path.read_bytes()
    except FileNotFoundError:
        found.add(Severity.ERROR, "file-missing", f"there is no such file ({path})", file=file)
    except OSError as error:
        found.add(Severity.ERROR, "file-unreadable", f"cannot be read: {error.strerror}", file=file)
    except ValueError as error:
        found.add(Severity.ERROR, "setting", str(error), file=file)
    return None


def _delimited_table(data: bytes, file: str, found: Findings) -> RawTable | None:
    read = read_delimited(data, file=file, found=found)
    if read is None:
        return None
    header, frame, rows, delimiter = read
    return _assemble(header, frame, rows, file, found, decimal_comma=delimiter != ",")


def _xlsx_table(data: bytes, sheet: str, file: str, found: Findings) -> RawTable | None:
    import io
    import warnings
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            expanded = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        found.add(
            Severity.ERROR,
            "not-xlsx",
            "is no XLSX file (an old .xls or an encrypted file under this name?); save it as XLSX or CSV",
            file=file,
        )
        return None
    limit_mb = max_table_mb() * _XLSX_EXPANSION
    if expanded > limit_mb * 1e6:
        found.add(
            Severity.ERROR,
            "file-too-large",
            f"unpacks to {expanded / 1e6:.0f} MB; the limit is {limit_mb:g} MB, {_XLSX_EXPANSION} times the "
            f"setting {MAX_TABLE_MB_SETTING}",
            file=file,
        )
        return None
    with warnings.catch_warnings():
        # openpyxl warns about styles and validations that it drops; none of them is a cell.
        warnings.simplefilter("ignore")
        return _xlsx_cells(data, sheet, file, found)


def _xlsx_cells(data: bytes, sheet: str, file: str, found: Findings) -> RawTable | None:
    import io

    import openpyxl
    import pandas as pd

    try:
        book: Any = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        if sheet and sheet not in book.sheetnames:
            there = ", ".join(book.sheetnames)
            found.add(Severity.ERROR, "sheet", f"has no sheet {sheet!r}; it has: {there}", file=file)
            return None
        page: Any = book[sheet] if sheet else book.worksheets[0]
        page.reset_dimensions()
        records = [[_xlsx_text(cell) for cell in row] for row in page.iter_rows(values_only=True)]
    except Exception as error:  # openpyxl lets errors of zip, XML and its own descriptors through
        found.add(Severity.ERROR, "not-xlsx", f"cannot be read as XLSX: {shown(error)}", file=file)
        return None
    if not any(any(record) for record in records):
        found.add(Severity.ERROR, "empty-file", "is empty: it needs a header row and records", file=file)
        return None
    header = records[0]
    while header and not header[-1].strip(_BLANK):
        header = header[:-1]
    if not header:
        found.add(
            Severity.ERROR, "no-header", "the first row is blank; the header must be row 1", file=file, row=1
        )
        return None
    width = len(header)
    for row, record in enumerate(records[1:], start=2):
        if any(cell.strip(_BLANK) for cell in record[width:]):
            found.add(
                Severity.ERROR,
                "ragged-row",
                f"a cell lies right of the {width} header cells",
                file=file,
                row=row,
            )
            return None
    body = [(record + [""] * width)[:width] for record in records[1:]]
    frame = pd.DataFrame(body, columns=[f"f{i}" for i in range(width)], dtype="str")
    return _assemble(
        header, frame, np.arange(2, len(body) + 2, dtype=np.int64), file, found, decimal_comma=True
    )


def _xlsx_text(cell: Any) -> str:
    import datetime as dt

    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, (dt.datetime, dt.date, dt.time)):
        return cell.isoformat()
    return str(cell)


def _parquet_table(data: bytes, file: str, found: Findings) -> RawTable | None:
    import io

    # Imported by name: pyarrow ships no annotations, and what it returns is text from here on.
    pa: Any = importlib.import_module("pyarrow")
    compute: Any = importlib.import_module("pyarrow.compute")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    try:
        table: Any = parquet.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        found.add(Severity.ERROR, "not-parquet", f"cannot be read as Parquet: {shown(error)}", file=file)
        return None
    if table.nbytes > max_table_mb() * _XLSX_EXPANSION * 1e6:
        found.add(
            Severity.ERROR,
            "file-too-large",
            f"unpacks to {table.nbytes / 1e6:.0f} MB, more than {_XLSX_EXPANSION} times the setting "
            f"{MAX_TABLE_MB_SETTING}",
            file=file,
        )
        return None
    header = [str(name) for name in table.column_names]
    texts: list[Any] = []
    for name, column in zip(header, table.columns, strict=True):
        try:
            if pa.types.is_boolean(column.type):
                column = column.cast(pa.int8())
            texts.append(compute.fill_null(column.cast(pa.large_string()), ""))
        except pa.ArrowException:
            found.add(
                Severity.ERROR,
                "column-type",
                f"holds {column.type} values, which have no text form",
                file=file,
                column=name,
            )
            return None
    frame: pd.DataFrame = pa.table(texts, names=[f"f{i}" for i in range(len(header))]).to_pandas()
    return _assemble(
        header, frame, np.arange(2, len(frame) + 2, dtype=np.int64), file, found, decimal_comma=True
    )


def _stripped(column: pd.Series[str]) -> pd.Series[str]:
    return column.str.strip(_BLANK)


def _assemble(
    header: list[str],
    frame: pd.DataFrame,
    rows: NDArray[np.int64],
    file: str,
    found: Findings,
    *,
    decimal_comma: bool,
) -> RawTable | None:
    """Names on the columns, blanks off the cells, blank rows out."""
    names = [name.strip(_BLANK) for name in header]
    cells = frame.apply(_stripped)
    empty = cells == ""
    errors_before = len(found.errors)
    for position, name in enumerate(names):
        if not name and not empty.iloc[:, position].all():
            found.add(
                Severity.ERROR, "header", f"column {position + 1} has values but no name", file=file, row=1
            )
    for name in sorted({n for n in names if n and names.count(n) > 1}):
        places = ", ".join(str(i + 1) for i, n in enumerate(names) if n == name)
        found.add(
            Severity.ERROR, "header", f"the name stands over columns {places}", file=file, row=1, column=name
        )
    if len(found.errors) > errors_before:
        return None
    kept = [i for i, name in enumerate(names) if name]
    filled = ~empty.all(axis=1).to_numpy(dtype=bool)
    if not filled.any():
        found.add(Severity.ERROR, "no-records", "has a header and no records", file=file)
        return None
    cells = cells.iloc[filled.nonzero()[0], kept].reset_index(drop=True)
    cells.columns = [names[i] for i in kept]
    return RawTable(file=file, cells=cells, rows=rows[filled], decimal_comma=decimal_comma)
