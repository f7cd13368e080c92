"""A report is written whole or not at all, over an earlier one or not, and never over anything else."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.report_sample import sample, small_sample
from troughline.report import write
from troughline.report.tables import question_table_file, table_files
from troughline.report.write import check_writable, report_files, write_report


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_report_has_page_results_tables_and_figures(tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    out = tmp_path / "a" / "b"
    written = write_report(sample(), out, progress=lambda *step: steps.append(step))
    names = {str(p.relative_to(out)) for p in written}
    assert names == set(_tree(out))
    assert {
        "report.html",
        "results.json",
        "tables/table1.csv",
        "tables/estimates.csv",
        "tables/guards.csv",
    } < names
    assert {"figures/window.svg", "figures/window.png", "tables/window-patients.csv"} < names
    assert json.loads((out / "results.json").read_text("utf-8")) == sample()
    assert (out / "results.json").read_text("utf-8").endswith("}\n")
    assert steps[-1] == ("report written", 12, 12)
    assert [p.name for p in tmp_path.rglob(".*")] == []


def test_the_same_results_give_the_same_bytes() -> None:
    assert report_files(sample()) == report_files(sample())


def test_only_the_time_stamp_depends_on_when_it_is_made() -> None:
    later = small_sample()
    later["provenance"]["created"] = "2031-12-24T18:00:00Z"
    before, after = report_files(small_sample()), report_files(later)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"report.html", "results.json"}
    page = after["report.html"].decode().replace("2031-12-24T18:00:00Z", "2026-01-15T09:30:00Z")
    assert page.replace("2031-12-24", "2026-01-15").encode() == before["report.html"]


def test_a_second_report_replaces_the_first_and_leaves_other_files_alone(tmp_path: Path) -> None:
    write_report(small_sample(), tmp_path)
    (tmp_path / "tables" / "my-own.csv").write_text("a\n1\n")
    (tmp_path / "study.toml").write_text("x = 1\n")
    shorter = small_sample()
    shorter["questions"] = shorter["questions"][1:]
    written = {str(p.relative_to(tmp_path)) for p in write_report(shorter, tmp_path)}
    assert set(_tree(tmp_path)) == written | {"tables/my-own.csv", "study.toml"}
    assert "tables/window-patients.csv" not in written


def test_a_failure_while_drawing_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("drawing failed")

    monkeypatch.setattr("troughline.report.figures.plan.draw_figures", fails)
    with pytest.raises(RuntimeError, match="drawing failed"):
        write_report(small_sample(), tmp_path / "new" / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("nth", [1, 2, 3, 7])
def test_a_failure_while_moving_restores_the_earlier_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    write_report(small_sample(), tmp_path)
    before = _tree(tmp_path)
    changed = small_sample()
    changed["study"]["title"] = "Another title"
    changed["questions"][0]["id"] = "renamed"
    calls = 0
    replace = Path.replace

    def fails_once(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fails_once)
    with pytest.raises(OSError, match="No space left"):
        write_report(changed, tmp_path)
    assert _tree(tmp_path) == before


def test_a_failure_in_a_new_folder_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(OSError, match="No space left"):
        write_report(small_sample(), tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_said_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "report_files", lambda *_, **__: pytest.fail("drew before checking"))
    file = tmp_path / "file"
    file.write_text("x")
    for out in (file, file / "below" / "it"):
        with pytest.raises(OSError, match=r"cannot write to .*: .*file is not a folder"):
            write_report({}, out)

    def refuses(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuses)
    with pytest.raises(PermissionError, match=r"cannot write to .*: Permission denied"):
        check_writable(tmp_path / "out")


def test_checking_a_folder_creates_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b" / "c")
    check_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_json_cannot_hold_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    results = small_sample()
    results["study"]["level"] = float("nan")
    with pytest.raises(ValueError, match=r"results\.json"):
        write_report(results, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_tables_hold_full_numbers_and_say_that_data_are_simulated() -> None:
    tables = table_files(sample())
    rows = list(csv.DictReader(io.StringIO(tables["estimates.csv"])))
    assert {r["simulated"] for r in rows} == {"yes"}
    first = sample()["questions"][0]["estimates"][1]
    assert float(rows[1]["value"]) == first["value"]
    assert len(list(csv.reader(io.StringIO(tables["window-patients.csv"])))) == 27
    real = sample()
    real["study"]["simulated"] = False
    assert "simulated" not in table_files(real)["estimates.csv"].splitlines()[0]


def test_text_that_a_spreadsheet_would_run_is_disarmed() -> None:
    results = {"questions": [{"id": "q", "tables": {"t": [{"patient": "=HYPERLINK(1)", "change": -1.5}]}}]}
    assert table_files(results)["q-t.csv"] == "patient,change\n'=HYPERLINK(1),-1.5\n"


def test_tables_of_one_name_get_files_of_their_own() -> None:
    question = {"id": "q", "tables": {"a b": [{"x": 1}], "a-b": [{"x": 2}], "../a": [{"x": 3}]}}
    names = [n for n in table_files({"questions": [question]}) if n.startswith("q-")]
    assert names == ["q-a-b.csv", "q-a-b-2.csv", "q-a.csv"]
    assert question_table_file(question, "../../etc/passwd") == "q-etc-passwd.csv"
