"""`troughline reconstruct` as a user runs it: files, exit statuses, and a study that reads the patients."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.system.run import troughline

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "reconstruct"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "reconstruct"))


def test_a_summary_becomes_a_table_a_json_and_a_picture(example: Path) -> None:
    done = troughline("reconstruct", example / "sharp.toml", "--out", example / "out" / "sharp.csv")
    assert done.returncode == 0, done.stderr
    assert "APPROXIMATE" in done.stdout
    assert sorted(p.name for p in (example / "out").iterdir()) == ["sharp.csv", "sharp.json", "sharp.svg"]
    with (example / "out" / "sharp.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 602
    assert {row["approximate"] for row in rows} == {"1"}
    contents = json.loads((example / "out" / "sharp.json").read_text())
    assert contents["comparisons"][0]["hazard_ratio"] == pytest.approx(0.69, abs=0.005)
    assert "Approximate" in (example / "out" / "sharp.svg").read_text()


def test_clicks_become_patients_with_a_stated_error(example: Path) -> None:
    done = troughline("reconstruct", example / "clicks.toml", "--out", example / "made.csv")
    assert done.returncode == 0, done.stderr
    assert "distance from clicks" in done.stdout
    assert "SIMULATED" in done.stdout
    contents = json.loads((example / "made.json").read_text())
    for arm in contents["arms"]:
        assert arm["at_risk"]["printed"] == arm["at_risk"]["reconstructed"]
        assert arm["events"] == arm["events_printed"]


def test_a_study_reads_the_patients(example: Path) -> None:
    """The study file of the example, on the table that the command writes."""
    made = troughline("reconstruct", example / "sharp.toml", "--out", example / "sharp.csv")
    assert made.returncode == 0
    done = troughline("study", example / "study-of-sharp.toml", "--out", example / "report")
    assert done.returncode == 0, done.stderr
    assert "0.69 (0.55–0.86)" in done.stdout
    assert "321 of 602" in done.stdout
    results = json.loads((example / "report" / "results.json").read_text())
    assert (results["study"]["approximate"], results["study"]["reconstructed_from"]) == (True, ["sharp-2008"])
    ratio = results["questions"][0]["replication"][0]
    # The arms are matched by their names, SHARP itself is not counted again, and nothing is combined.
    assert [p["label"] for p in ratio["published"] if p["used"]] == ["Asia-Pacific 2009"]
    assert any("not compared with SHARP 2008" in flag for flag in ratio["flags"])
    assert ratio["posterior"] is None
    late = troughline(
        "evidence", "compare", example / "report" / "results.json", "--metric", "none", "--out",
        example / "late", "--published", "survival-by-arm=sharp-2008/survival",
    )  # fmt: skip
    assert late.returncode == 0, late.stderr
    again = json.loads((example / "late" / "results.json").read_text())["questions"][0]["replication"][0]
    assert again["sentence"] == ratio["sentence"]


def test_check_finds_without_computing(example: Path) -> None:
    done = troughline("check", example / "clicks.toml")
    assert (done.returncode, "no error" in done.stdout) == (0, True)
    (example / "clicks-control.csv").write_text("time,survival\n0,100\n1,50\n2,90\n")
    bad = troughline("check", example / "clicks.toml")
    assert bad.returncode == 4
    assert "clicks-control.csv row 4" in bad.stderr
    assert "never rises" in bad.stderr


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (("clicks-control.csv", "clicks-nowhere.csv"), 4, "there is no such file"),
        (('time_unit = "month"', 'time_unit = "moon"'), 3, "must be one of"),
        (("[curve]", "[curve"), 3, "not valid TOML"),
    ],
)
def test_mistakes_end_in_one_line_and_leave_no_file(
    example: Path, change: tuple[str, str], status: int, words: str
) -> None:
    path = example / "clicks.toml"
    path.write_text(path.read_text().replace(*change))
    done = troughline("reconstruct", path, "--out", example / "out" / "x.csv")
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (example / "out").exists()


def test_the_output_has_an_ending_and_never_replaces_an_input(example: Path) -> None:
    wrong = troughline("reconstruct", example / "sharp.toml", "--out", example / "sharp.xlsx")
    assert wrong.returncode == 3
    assert ".csv" in wrong.stderr
    over = troughline("reconstruct", example / "clicks.toml", "--out", example / "clicks-control.csv")
    assert over.returncode == 3
    assert "would be read" in over.stderr
    missing = troughline("reconstruct", example / "nowhere.toml", "--out", example / "x.csv")
    assert missing.returncode == 3
    assert "Traceback" not in missing.stderr
