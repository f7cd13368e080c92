"""`troughline dose --simulate` as a user meets it: files, statuses, mistakes, nothing by halves."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.run import troughline

EXAMPLE = Path(__file__).resolve().parents[2] / "src" / "troughline" / "examples" / "dose" / "policy.toml"


def _file(folder: Path, **changes: str) -> Path:
    """The example with 8 patients and few visits; `changes`: one text of it for another."""
    text = EXAMPLE.read_text(encoding="utf-8")
    changes = {"n = 1000": "n = 8", "days = [14, 28, 56, 84, 112, 140]": "days = [14, 28]",
               "horizon_day = 168": "horizon_day = 42", **changes}  # fmt: skip
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_file_is_written_and_the_same_twice(tmp_path: Path) -> None:
    """Page, numbers, patients and figures; a second run into the same folder gives the same numbers."""
    out = tmp_path / "new" / "out"
    contents: list[dict[str, Any]] = []
    printed = ""
    for _ in range(2):
        done = troughline("dose", "--simulate", _file(tmp_path), "--out", out)
        assert done.returncode == 0, done.stderr
        printed = done.stdout
        contents.append(json.loads((out / "policy.json").read_text(encoding="utf-8")))
        contents[-1]["provenance"].pop("created")
    assert contents[0] == contents[1]
    assert printed.startswith("Of 5 policies over the same 8 virtual patients")
    assert "SIMULATED DATA" in printed
    names = sorted(str(f.relative_to(out)) for f in out.rglob("*") if f.is_file())
    assert names[-3:] == ["patients.csv", "policy.json", "report.html"]
    assert "figures/overview.svg" in names
    with (out / "patients.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * 8
    assert {r["simulated"] for r in rows} == {"yes"}
    assert {r["policy"] for r in rows} == {"fixed", "label", "threshold", "model", "dose"}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "SIMULATED DATA" in page
    assert "not a medical device" in page


def test_another_seed_gives_other_patients_and_no_report_no_page(tmp_path: Path) -> None:
    """`--seed` instead of the file's; without the page its files go."""
    out = tmp_path / "out"
    first = troughline("dose", "--simulate", _file(tmp_path), "--out", out)
    assert first.returncode == 0, first.stderr
    other = troughline("dose", "--simulate", _file(tmp_path), "--out", out, "--seed", "5", "--no-report")
    assert other.returncode == 0, other.stderr
    assert sorted(f.name for f in out.rglob("*") if f.is_file()) == ["patients.csv", "policy.json"]
    assert json.loads((out / "policy.json").read_text(encoding="utf-8"))["provenance"]["seed"] == 5


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('kind = "threshold"', 'kind = "treshold"', "did you mean threshold"),
        ("n = 8", "n = -8", "population.n: must be above 0, not -8"),
        ('[target]\npublished = "noda-2020/window"\nmetric = "trough"\n', "",
         "target: is needed and missing"),
        ('model = "sorafenib/hcc"', 'model = "sorafenib/hccc"', "is no model"),
        ("low = 40\n", "low = 120\n", "the population cannot be drawn"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_nothing_is_written(tmp_path: Path, old: str, new: str, words: str) -> None:
    """Unknown policy, negative n, no target, unknown model, a population that cannot be drawn: status 3."""
    out = tmp_path / "out"
    done = troughline("dose", "--simulate", _file(tmp_path, **{old: new}), "--out", out)
    assert done.returncode == 3
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert words.replace("did you mean threshold", "did you mean 'threshold'?") in lines[0]
    assert not out.exists()
    checked = troughline("check", _file(tmp_path, **{old: new}))
    assert checked.returncode == 3
    assert checked.stderr.splitlines()[0] == lines[0]


def test_a_file_that_is_not_there_or_no_toml(tmp_path: Path) -> None:
    """Status 3 and one line; a patient and a policy at once, or neither, as well."""
    missing = troughline("dose", "--simulate", tmp_path / "none.toml", "--out", tmp_path / "out")
    broken = tmp_path / "broken.toml"
    broken.write_text("[evaluation\n", encoding="utf-8")
    wrong = troughline("dose", "--simulate", broken, "--out", tmp_path / "out")
    neither = troughline("dose", "--out", tmp_path / "out")
    both = troughline("dose", broken, "--simulate", broken, "--out", tmp_path / "out")
    for done, words in (
        (missing, "cannot be read"), (wrong, "not valid TOML"), (neither, "--simulate POLICY.toml"),
        (both, "--simulate POLICY.toml"),
    ):  # fmt: skip
        assert done.returncode == 3
        assert len(done.stderr.strip().splitlines()) == 1
        assert words in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_said_before_any_work(tmp_path: Path) -> None:
    """A file where the folder should be."""
    taken = tmp_path / "taken"
    taken.write_text("mine", encoding="utf-8")
    done = troughline("dose", "--simulate", _file(tmp_path), "--out", taken)
    assert done.returncode == 3
    assert "is not a folder" in done.stderr
    assert taken.read_text(encoding="utf-8") == "mine"
