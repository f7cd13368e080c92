"""`troughline dose` on the bundled patients, as a user meets it: answers, files, bytes, mistakes."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.system.run import troughline
from tests.unit.report_sample import Page

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "dose"
Runs = dict[str, tuple[Path, subprocess.CompletedProcess[str]]]
FIGURES = ("course", "regimens", "prior", "targets", "next-sample")
TABLES = ("regimens", "parameters", "samples", "targets", "causes", "next-sample", "curve")


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory,
) -> Runs:
    """Each bundled patient's folder and what was printed."""
    folder = tmp_path_factory.mktemp("dose")
    return {
        file.stem: (folder / file.stem, troughline("dose", file, "--out", folder / file.stem))
        for file in sorted(EXAMPLES.glob("*.toml"))
        if "\n[patient]\n" in file.read_text(encoding="utf-8")
    }


def _result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def test_every_answer_ends_with_status_0_and_says_its_sentence_first(
    runs: Runs,
) -> None:
    """Also "no feasible regimen reaches the target" is an answer."""
    assert set(runs) == {"patient", "low", "unreached"}
    for folder, done in runs.values():
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0] == _result(folder)["sentence"]
        assert "SIMULATED DATA" in done.stdout
    assert _result(runs["unreached"][0])["recommendation"]["answer"] == "target not reached"
    assert runs["unreached"][1].stdout.startswith("No feasible regimen reaches the target")


def test_all_files_are_there(runs: Runs) -> None:
    for folder, _ in runs.values():
        names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
        assert {"report.html", "summary.html", "result.json"} <= names
        assert {f"tables/{t}.csv" for t in TABLES} <= names
        assert {
            f"figures/{f}.svg" for f in ("course", "regimens", "prior", "targets", "next-sample")
        } <= names
        page = Page((folder / "report.html").read_text(encoding="utf-8"))
        linked = {h for h in page.values("href") if not h.startswith(("#", "https://doi.org/"))}
        assert linked <= names


def test_probabilities_add_up_and_unknown_ones_are_null(runs: Runs) -> None:
    """Without a curve P(toxicity), P(benefit) and the utility are not known, which is said, and never 0."""
    for name, (folder, done) in runs.items():
        results = _result(folder)
        known = name == "patient"
        text = " ".join(Page((folder / "report.html").read_text(encoding="utf-8")).text.split())
        assert ("not known: no curve is named" in done.stdout) is not known
        assert ("not known: no curve is named" in text) is not known
        assert [c["available"] for c in results["curves"]] == [known, known]
        for row in results["regimens"]:
            assert row["p_below"] + row["p_in"] + row["p_above"] == pytest.approx(1.0, abs=1e-9)
            assert row["trough"]["low"] <= row["trough"]["median"] <= row["trough"]["high"]
            for key in ("p_toxicity", "p_benefit", "utility"):
                assert (row[key] is not None) is known
                if known:
                    assert row[f"{key}_low"] <= row[key] <= row[f"{key}_high"]


def test_the_table_on_disk_is_that_of_the_result(
    runs: Runs,
) -> None:
    for folder, _ in runs.values():
        frame = pd.read_csv(folder / "tables" / "regimens.csv").set_index("id")
        assert set(frame["simulated"]) == {"yes"}
        for row in _result(folder)["regimens"]:
            line = frame.loc[row["regimen"]["id"]]
            assert line["trough"] == row["trough"]["median"]
            assert line["p_in"] == row["p_in"]
            assert line["p_best"] == row["p_best"]
            assert pd.isna(line["p_toxicity"]) == (row["p_toxicity"] is None)


def test_the_pages_need_no_network_and_say_what_is_simulated(
    runs: Runs,
) -> None:
    for folder, _ in runs.values():
        for name in ("report.html", "summary.html"):
            html = (folder / name).read_text(encoding="utf-8")
            page = Page(html)
            assert [page.count(tag) for tag in ("script", "link", "img", "iframe")] == [0, 0, 0, 0]
            assert not re.search(r"@import|url\(\s*['\"]?https?:", html)
            assert "SIMULATED DATA" in page.text
            assert "Research software, not a medical device" in page.text


def test_the_same_run_twice_gives_the_same_bytes(runs: Runs, tmp_path: Path) -> None:
    """With the time stamp fixed (SOURCE_DATE_EPOCH) every file is equal."""
    first = runs["patient"][0]
    troughline("dose", EXAMPLES / "patient.toml", "--out", tmp_path / "again")
    again = tmp_path / "again"
    one = {p.relative_to(first): p.read_bytes() for p in first.rglob("*") if p.is_file()}
    other = {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()}
    assert set(one) == set(other)
    assert [str(name) for name in one if one[name] != other[name]] == []


def test_seed_draws_and_no_report(tmp_path: Path) -> None:
    """The options replace the file's; the page of an earlier run goes with `--no-report`."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine\n")
    options = ("--draws", "200", "--seed", "7")
    assert troughline("dose", EXAMPLES / "unreached.toml", "--out", out, *options).returncode == 0
    assert (out / "report.html").exists()
    done = troughline("dose", EXAMPLES / "unreached.toml", "--out", out, *options, "--no-report")
    assert done.returncode == 0, done.stderr
    assert _result(out)["provenance"]["seed"] == 7
    names = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
    assert "notes.txt" in names
    assert "result.json" in names
    assert not {n for n in names if n.endswith((".html", ".svg"))}


BASE = """
[patient]
id = "made-up"
drug = "sorafenib"
simulated = true
now = 62

[[covariate]]
name = "weight"
value = 97
unit = "kg"

[[covariate]]
name = "child_pugh_class"
value = "A"

[[dose]]
start = 0
amount = 400
interval_h = 24

[[sample]]
time = 61.96
value = 0.6
unit = "ug/mL"
limit = 0.05

[target]
published = "guchelaar-2022/trough-target"

[[model]]
id = "sorafenib/hcc"
"""

MISTAKES: dict[str, tuple[tuple[str, str], int, str]] = {
    "an unknown key": (("[target]", "[goal]"), 3, "goal"),
    "no target": (('[target]\npublished = "guchelaar-2022/trough-target"\n', ""), 3, "there is no [target]"),
    "an unknown target": (("guchelaar-2022/trough-target", "guchelaar-2022/window"), 3, "guchelaar-2022"),
    "a clinic-visit level as target": (
        ("guchelaar-2022/trough-target", "fukudo-2014/hypertension-threshold"), 3, "clinic visits",
    ),
    "no doses": (("[[dose]]\nstart = 0\namount = 400\ninterval_h = 24\n", ""), 3, "there is no [[dose]]"),
    "a sample before the first dose": (("time = 61.96", "time = -2"), 3, "before the first dose"),
    "a sample after the decision": (("time = 61.96", "time = 63"), 3, "after the decision"),
    "a level a hundred times too high": (("value = 0.6", "value = 600"), 4, "ng/mL"),
    "a weight in the wrong unit": (("value = 97", "value = 97000"), 3, "weight"),
    "a drug without tablets on file": (('drug = "sorafenib"', 'drug = "nothing"'), 3, "nothing"),
    "a model that is not there": (('id = "sorafenib/hcc"', 'id = "sorafenib/none"'), 3, "sorafenib/none"),
    "no TOML": (("[patient]", "[patient"), 3, "not valid TOML"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_in_one_line_and_leaves_nothing(tmp_path: Path, mistake: str) -> None:
    """Errors in one line each, with the file; no traceback, no partial output; `check` finds the same."""
    (old, new), status, words = MISTAKES[mistake]
    assert old in BASE
    file = tmp_path / "patient.toml"
    file.write_text(BASE.replace(old, new), encoding="utf-8")
    done = troughline("dose", file, "--out", tmp_path / "out")
    checked = troughline("check", file)
    for one in (done, checked):
        assert one.returncode == status, one.stderr
        assert "Traceback" not in one.stderr
        lines = one.stderr.strip().splitlines()
        assert all(line.startswith(("error: ", "warning: ", "note: ")) for line in lines), one.stderr
        assert any(line.startswith("error: patient.toml") and words in line for line in lines), one.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["patient.toml"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("dose",),
        ("dose", "missing.toml", "--out", "x"),
        ("dose", "missing.toml", "--out", "x", "--draws", "5"),
    ],
)
def test_mistakes_of_the_command_line_end_with_3(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = troughline(*arguments, cwd=tmp_path)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_said_before_anything_is_computed(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    done = troughline("dose", EXAMPLES / "patient.toml", "--out", tmp_path / "out")
    assert done.returncode == 3
    assert "cannot write to" in done.stderr


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine\n")
    done = troughline("dose", EXAMPLES / "patient.toml", "--out", tmp_path / "out")
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1
    assert (tmp_path / "out").read_text() == "mine\n"


def test_check_knows_a_patient_file_from_a_model_file(tmp_path: Path) -> None:
    """A patient file has sections [[model]] too."""
    done = troughline("check", EXAMPLES / "patient.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no error" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_patient_file_may_be_json(tmp_path: Path) -> None:
    import tomllib

    contents = tomllib.loads((EXAMPLES / "unreached.toml").read_text(encoding="utf-8"))
    file = tmp_path / "patient.json"
    file.write_text(json.dumps(contents), encoding="utf-8")
    done = troughline("dose", file, "--out", tmp_path / "out", "--no-report", "--draws", "200")
    assert done.returncode == 0, done.stderr
    assert troughline("check", file).returncode == 0


def test_the_python_interface_mirrors_the_command(runs: Runs, tmp_path: Path) -> None:
    """`troughline.dose` gives the same answer; its tables are DataFrames; it writes the same files."""
    import troughline as package

    result = package.dose(EXAMPLES / "unreached.toml")
    written = _result(runs["unreached"][0])
    assert result.sentence == written["sentence"]
    assert list(result.regimens["id"]) == [r["regimen"]["id"] for r in written["regimens"]]
    assert list(result.regimens["p_in"]) == [r["p_in"] for r in written["regimens"]]
    assert len(result.samples) == 1
    assert len(result.earlier) == 0
    assert {"curve", "day", "median", "low", "high"} <= set(result.curve.columns)
    package.write(result, tmp_path / "out")
    assert (tmp_path / "out" / "summary.html").exists()
    with pytest.raises(ValueError, match="draws must be between"):
        package.dose(EXAMPLES / "unreached.toml", draws=5)
