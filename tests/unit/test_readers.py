"""Reading table files: encodings, delimiters, rows as a spreadsheet numbers them, what is refused."""

from __future__ import annotations

import datetime as dt
import time
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from troughline.cohort.readers import RawTable, read_table
from troughline.issues import Findings, Severity


def read(folder: Path, name: str, content: bytes | None = None) -> tuple[RawTable | None, Findings]:
    """Read one file, written first where `content` is given."""
    if content is not None:
        (folder / name.partition("#")[0]).write_bytes(content)
    found = Findings()
    return read_table(name, folder, found).table, found


def good(folder: Path, name: str, content: bytes) -> RawTable:
    table, found = read(folder, name, content)
    assert table is not None, [f.line() for f in found]
    assert not found.errors
    return table


def only_error(folder: Path, name: str, content: bytes | None) -> str:
    table, found = read(folder, name, content)
    assert table is None
    assert len(found.errors) == 1
    return found.errors[0].line()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
def test_encodings_and_delimiters_are_found(tmp_path: Path, delimiter: str, encoding: str) -> None:
    text = f"patient{delimiter}unit\nP1{delimiter}µg/mL\nÅsa{delimiter}mg/L\n"
    data = {
        "utf-16-le-bom": b"\xff\xfe" + text.encode("utf-16-le"),
        "utf-16-be-bom": b"\xfe\xff" + text.encode("utf-16-be"),
    }.get(encoding) or text.encode(encoding)
    table = good(tmp_path, "x.csv", data)
    assert table.columns == ("patient", "unit")
    assert table.cells.to_numpy().tolist() == [["P1", "µg/mL"], ["Åsa", "mg/L"]]
    assert table.decimal_comma is (delimiter != ",")


def test_windows_text_is_read_with_a_warning(tmp_path: Path) -> None:
    table, found = read(tmp_path, "x.csv", "unit\nmg/L\nµg/mL\n".encode("cp1252"))
    assert table is not None
    assert table.cells["unit"].tolist() == ["mg/L", "µg/mL"]
    assert [(f.severity, f.code, f.row) for f in found] == [(Severity.WARNING, "encoding", 3)]


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    # Row 2 holds a line break, row 3 is blank, row 5 has only delimiters: each is one spreadsheet row.
    data = b'a,b\n"x\ny",1\n\nz,2\n,\r\n w , 3 \n'
    table = good(tmp_path, "x.csv", data)
    assert table.rows.tolist() == [2, 4, 6]
    assert table.cells.to_numpy().tolist() == [["x\ny", "1"], ["z", "2"], ["w", "3"]]


def test_quotes_delimiters_and_breaks_inside_cells_survive(tmp_path: Path) -> None:
    table = good(tmp_path, "x.csv", b'"a;x";"b\ny"\r\n"1;2";"say ""yes"""\r\n3;5" wide\r\n')
    assert table.columns == ("a;x", "b\ny")
    assert table.cells.to_numpy().tolist() == [["1;2", 'say "yes"'], ["3", '5" wide']]


def test_ragged_rows_are_named_and_the_others_read(tmp_path: Path) -> None:
    table, found = read(tmp_path, "x.csv", b"a,b,c\n1,2,3\n4,5\n6,7,8\n9,9,9,9\n")
    assert table is not None
    assert table.rows.tolist() == [2, 4]
    assert [(f.code, f.row) for f in found.errors] == [("ragged-row", 3), ("ragged-row", 5)]
    assert "2 cells where the header has 3" in found.errors[0].message


def test_at_most_twenty_rows_of_a_kind_are_listed(tmp_path: Path) -> None:
    _, found = read(tmp_path, "x.csv", b"a,b\n1,2\n" + b"1\n" * 50)
    assert len(found.errors) == 21
    assert found.errors[-1].row is None
    assert found.errors[-1].message.startswith("30 more rows")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "error: x.csv: is empty"),
        (b"\xef\xbb\xbf", "error: x.csv: is empty"),
        (b" \n\n", "error: x.csv: is empty"),
        (b"a,b\n", "error: x.csv: has a header and no records"),
        (b"a,b\n\n,\n", "error: x.csv: has a header and no records"),
        (b"\n\na,b\n1,2\n", "error: x.csv row 1: the first row is blank"),
        (b"a,b,a\n1,2,3\n", "error: x.csv row 1 column a: the name stands over columns 1, 3"),
        (b"a,,b\n1,2,3\n", "error: x.csv row 1: column 2 has values but no name"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "error: x.csv row 3: a quote opens and never closes"),
        ("a,b\n1,2\n".encode("utf-16-le"), "error: x.csv: holds zero bytes"),
        (b"\xff\xfe\x00", "error: x.csv: starts like UTF-16"),
        (b"a,b\n\x81,2\n", "error: x.csv row 2: is neither UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    assert only_error(tmp_path, "x.csv", content).startswith(message)


def test_an_unnamed_empty_column_is_left_out(tmp_path: Path) -> None:
    assert good(tmp_path, "x.csv", b"a,b,\n1,2,\n").columns == ("a", "b")


def test_missing_files_folders_and_unknown_kinds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    assert "there is no such file" in only_error(tmp_path, "none.csv", None)
    assert "is a folder" in only_error(tmp_path, "folder.csv", None)
    assert "ends in '.xls'" in only_error(tmp_path, "old.xls", b"x")
    assert "only an XLSX file has sheets" in only_error(tmp_path, "x.csv#Sheet 1", b"a\n1\n")


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "big.csv").open("wb") as file:
        file.truncate(100_000_001)
    started = time.perf_counter()
    line = only_error(tmp_path, "big.csv", None)
    assert time.perf_counter() - started < 1.0
    assert line == "error: big.csv: is 100.0 MB; the limit is 100 MB (setting TROUGHLINE_MAX_TABLE_MB)"
    monkeypatch.setenv("TROUGHLINE_MAX_TABLE_MB", "0.00001")
    assert "the limit is 1e-05 MB" in only_error(tmp_path, "small.csv", b"a,b\n1,2\n3,4\n")
    monkeypatch.setenv("TROUGHLINE_MAX_TABLE_MB", "lots")
    assert "must be a positive number" in only_error(tmp_path, "small.csv", None)


def write_book(path: Path) -> None:
    book = openpyxl.Workbook()
    first = book.active
    first.append(["patient", "time", "value", None])
    first.append(["P1", dt.datetime(2024, 3, 1, 8, 30), 3.45])
    first.append([None, None, None])
    first.append([2, dt.date(2024, 3, 2), 4])
    first.append(["P3", True, "  <0.1 "])
    second = book.create_sheet("Follow up")
    second.append(["patient"])
    second.append(["P9"])
    book.save(path)


def test_xlsx_cells_become_text_and_dates_iso(tmp_path: Path) -> None:
    write_book(tmp_path / "x.xlsx")
    table, found = read(tmp_path, "x.xlsx")
    assert table is not None
    assert not found.errors
    assert table.rows.tolist() == [2, 4, 5]
    assert table.cells.to_numpy().tolist() == [
        ["P1", "2024-03-01T08:30:00", "3.45"],
        ["2", "2024-03-02T00:00:00", "4"],
        ["P3", "1", "<0.1"],
    ]


def test_xlsx_sheets_are_chosen_by_name(tmp_path: Path) -> None:
    write_book(tmp_path / "x.xlsx")
    table, _ = read(tmp_path, "x.xlsx#Follow up")
    assert table is not None
    assert table.cells["patient"].tolist() == ["P9"]
    assert "it has: Sheet, Follow up" in only_error(tmp_path, "x.xlsx#Nope", None)


def test_bad_xlsx_is_refused(tmp_path: Path) -> None:
    assert "is no XLSX file" in only_error(tmp_path, "x.xlsx", b"not a book")
    with zipfile.ZipFile(tmp_path / "y.xlsx", "w") as archive:
        archive.writestr("nothing.txt", "x")
    assert "cannot be read as XLSX" in only_error(tmp_path, "y.xlsx", None)
    book = openpyxl.Workbook()
    book.save(tmp_path / "empty.xlsx")
    assert "is empty" in only_error(tmp_path, "empty.xlsx", None)
    book.active.append(["a", "b"])
    book.active.append([1, 2, 3])
    book.save(tmp_path / "wide.xlsx")
    assert "right of the 2 header cells" in only_error(tmp_path, "wide.xlsx", None)


def test_an_xlsx_that_unpacks_to_far_more_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TROUGHLINE_MAX_TABLE_MB", "0.1")
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 10_000_000)
    assert "unpacks to 10 MB; the limit is 2 MB" in only_error(tmp_path, "bomb.xlsx", None)


def test_parquet_columns_of_any_type_become_text(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "patient": ["P1", "P2", None],
            "value": [3.45, np.nan, 2.0],
            "below_limit": [False, True, False],
            "time": pd.to_datetime(["2024-03-01T08:30", "2024-03-02T00:00", "2024-03-03T00:00"]).tz_localize(
                "UTC"
            ),
            "group": pd.Categorical(["a", "b", "a"]),
        }
    )
    frame.to_parquet(tmp_path / "x.parquet")
    table, found = read(tmp_path, "x.parquet")
    assert table is not None
    assert not found.errors
    assert table.rows.tolist() == [2, 3, 4]
    assert table.cells["patient"].tolist() == ["P1", "P2", ""]
    assert table.cells["value"].tolist() == ["3.45", "", "2"]
    assert table.cells["below_limit"].tolist() == ["0", "1", "0"]
    assert table.cells["time"].tolist()[0].startswith("2024-03-01 08:30:00")
    assert table.cells["group"].tolist() == ["a", "b", "a"]


def test_bad_parquet_is_refused(tmp_path: Path) -> None:
    assert "cannot be read as Parquet" in only_error(tmp_path, "x.parquet", b"PAR1 or not")
    pd.DataFrame({"a": [[1, 2], [3]]}).to_parquet(tmp_path / "nested.parquet")
    assert "which have no text form" in only_error(tmp_path, "nested.parquet", None)


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    import hashlib

    data = b"a,b\n1,2\n"
    (tmp_path / "x.csv").write_bytes(data)
    assert read_table("x.csv", tmp_path, Findings()).sha256 == hashlib.sha256(data).hexdigest()


def test_thirty_megabytes_are_read_in_seconds(tmp_path: Path) -> None:
    line = b"P%06d,28,sorafenib,3.45,ug/mL\n" % 12
    (tmp_path / "x.csv").write_bytes(b"patient,time,analyte,value,unit\n" + line * (30_000_000 // len(line)))
    started = time.perf_counter()
    table, _ = read(tmp_path, "x.csv")
    # 0.5 s on two idle cores; the bound leaves room for a loaded machine and catches a quadratic loop.
    assert time.perf_counter() - started < 10.0
    assert table is not None
    assert len(table.rows) == 30_000_000 // len(line)
