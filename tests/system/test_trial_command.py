"""`troughline trial` as a user meets it: files, statuses, mistakes, nothing by halves."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import troughline as package
from tests.system.run import troughline

SMALL = """
[trial]
title = "Small"
replicates = 2
horizon_months = 8
seed = 5

[model]
reading = "Kd"
sets = "best"

[markers]
days = [0, 28]

[[arm]]
id = "placebo"
n = 60
sorafenib = "none"

[[arm]]
id = "sorafenib"
label = "sorafenib 400 mg twice daily"
n = 60

[[target]]
id = "os-hr"
quantity = "os_hr"
arm = "sorafenib"
control = "placebo"
value = 9.0
unit = "1"
low = 8.5
high = 9.5
use = "held out"
source = "made up for this test"
"""


def _file(folder: Path, old: str = "", new: str = "") -> Path:
    assert old in SMALL
    path = folder / "trial.toml"
    path.write_text(SMALL.replace(old, new, 1) if old else SMALL, encoding="utf-8")
    return path


def test_every_file_is_written_and_workers_change_nothing(tmp_path: Path) -> None:
    """Page, numbers, tables, figures, patients; one worker and two give the same; a miss is printed."""
    out = tmp_path / "new" / "out"
    contents: list[dict[str, Any]] = []
    printed = ""
    for workers in ("1", "2"):
        done = troughline("trial", _file(tmp_path), "--out", out, "--workers", workers)
        assert done.returncode == 0, done.stderr
        assert "fewer than 40 virtual trials (2 in all)" in done.stderr
        assert done.stderr.count("\n") == 1
        printed = done.stdout
        contents.append(json.loads((out / "results.json").read_text(encoding="utf-8")))
        contents[-1]["provenance"].pop("created")
    assert contents[0] == contents[1]
    assert printed.startswith(contents[0]["sentence"])
    assert "VIRTUAL PATIENTS" in printed
    assert "MISS (held out)" in printed
    names = {str(f.relative_to(out)) for f in out.rglob("*") if f.is_file()}
    assert {"report.html", "results.json", "patients.parquet", "tables/arms.csv", "figures/os.svg"} <= names
    assert not [f for f in (tmp_path / "new").iterdir() if f.name.startswith(".")]
    patients = pd.read_parquet(out / "patients.parquet")
    assert len(patients) == 2 * 2 * 60
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "VIRTUAL PATIENTS" in page
    assert ">MISS<" in page
    assert "not a medical device" in page
    with (out / "tables" / "targets.csv").open(encoding="utf-8") as file:
        assert [row["inside"] for row in csv.DictReader(file)] == ["no"]


def test_python_gives_the_tables_of_the_command(tmp_path: Path) -> None:
    """`troughline.trial`: DataFrames; `write` the same files; options replace the file's."""
    result = package.trial(_file(tmp_path), n=30, replicates=1, seed=9)
    assert set(result.arms["arm"]) == {"placebo", "sorafenib"}
    assert result.contents["provenance"]["seed"] == 9
    assert result.contents["setup"]["patients_per_trial"] == 60
    assert not result.curves.empty
    assert result.combinations.empty
    package.write(result, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8")) == result.contents
    with pytest.raises(ValueError, match="replicates must be at least 1"):
        package.trial(_file(tmp_path), replicates=0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("n = 60\n\n[[target]]", 'n = 60\nsecond = [{ drug = "aspirin" }]\n\n[[target]]',
         "no second drug with a target"),
        ("n = 60\n\n[[target]]", "n = 60\nsorafenib = { dose_mg = -400 }\n\n[[target]]", "-400"),
        ("[markers]", "[population]\naccept = { albumin = [1, 2] }\n\n[markers]", "nobody"),
        ("[markers]", "[visits]\ndays = [42, 400]\n\n[markers]", "past the horizon"),
        ("[markers]",
         "[population]\ntumour_mm = { median = 60, spread = 0.5, low = 0, high = 300 }\n\n[markers]",
         "population.tumour_mm.low: 0 lies outside 10 to 600 mm"),
        ("[markers]", "[population.match_placebo]\nttp_day = 1\nos_months = 120\nsource = 'x'\n\n[markers]",
         "population.match_placebo: no growth and hazard within"),
        ("n = 60\n\n[[target]]",
         'n = 60\nsecond = [{ drug = "erlotinib" }, { drug = "erlotinib" }]\n\n[[target]]',
         "'erlotinib' is given twice"),
        ("[[arm]]\n", '[[arm]]\nlabel = """two\nlines"""\n', "has a line break"),
        ("replicates = 2", "replicates = true", "trial.replicates: is true"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_nothing_is_written(tmp_path: Path, old: str, new: str, words: str) -> None:
    """No target, a negative dose, a population nobody satisfies, a visit past the horizon: status 3."""
    out = tmp_path / "out"
    done = troughline("trial", _file(tmp_path, old, new), "--out", out)
    assert done.returncode == 3
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: trial.toml")
    assert words in lines[0]
    assert not out.exists()


def test_check_says_what_the_command_would_say(tmp_path: Path) -> None:
    """A good file has status 0, a bad one 3, and neither runs a trial."""
    good = troughline("check", _file(tmp_path))
    assert good.returncode == 0, good.stderr
    assert "no error" in good.stdout
    bad = troughline("check", _file(tmp_path, "replicates = 2", "replicates = 0"))
    assert bad.returncode == 3
    assert "trial.replicates" in bad.stderr


def test_a_folder_that_cannot_be_written_is_said_before_any_work(tmp_path: Path) -> None:
    """A file where the folder should be; a file that is not there."""
    taken = tmp_path / "taken"
    taken.write_text("mine", encoding="utf-8")
    done = troughline("trial", _file(tmp_path), "--out", taken)
    assert done.returncode == 3
    assert "is not a folder" in done.stderr
    assert taken.read_text(encoding="utf-8") == "mine"
    missing = troughline("trial", tmp_path / "none.toml", "--out", tmp_path / "out")
    assert missing.returncode == 3
    assert len(missing.stderr.strip().splitlines()) == 1
