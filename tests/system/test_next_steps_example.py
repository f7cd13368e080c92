"""The example `next-steps`: its tables are what its script draws, and its study finds what was put in."""

from __future__ import annotations

import csv
import importlib
import io
import sys
from pathlib import Path

import pytest

from troughline.cohort.studyfile import load_study
from troughline.report.figures.plan import plan_figures
from troughline.response.study import StudyResult, run_study

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "src" / "troughline" / "examples" / "next-steps"


@pytest.fixture(scope="module")
def found() -> StudyResult:
    return run_study(load_study(EXAMPLE / "study.toml"))


def test_the_tables_are_what_the_script_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte, from the one seed of the script."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    sys.modules.pop("simulate_next_steps", None)
    drawn = importlib.import_module("simulate_next_steps").simulate()
    for table, rows in drawn.items():
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        assert (EXAMPLE / f"{table}.csv").read_text("utf-8") == text.getvalue()


def test_the_predictive_marker_is_found_and_the_prognostic_one_is_not_called_predictive(
    found: StudyResult,
) -> None:
    """What was put in: a log ratio of −0.5 a doubling (0.61) for the score, of 0 for the ligand."""
    score, ligand = found.question("target-score"), found.question("ligand")
    ratio = score.estimate("interaction_ratio")
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low < 0.61 < ratio.high < 1
    assert "(predictive)" in score.summary
    assert "(not shown to be prognostic)" in score.summary
    same = ligand.estimate("interaction_ratio")
    assert same.low is not None
    assert same.high is not None
    assert same.low < 1 < same.high
    assert "(predictive)" not in ligand.summary
    assert "(prognostic)" in ligand.summary
    assert [g.id for g in ligand.guards] == ["one-subgroup-significant", "multiplicity"]


def test_its_report_has_the_figures_of_an_interaction(found: StudyResult) -> None:
    names = {p.name for p in plan_figures(found.contents)}
    assert {"target-score-stepp", "target-score-subgroups", "signature-decision-curve"} <= names
    assert found.contents["study"]["simulated"] is True
    assert [str(v) for v in found.verdicts.values()].count("not analysable") == 0


def test_the_readme_prints_what_the_study_finds(found: StudyResult) -> None:
    text = (EXAMPLE / "README.md").read_text("utf-8")
    for question, name in (
        ("target-score", "interaction_ratio"),
        ("target-score", "prognostic_hazard_ratio"),
        ("ligand", "interaction_ratio"),
        ("ligand", "prognostic_hazard_ratio"),
        ("signature", "concordance"),
    ):
        e = found.question(question).estimate(name)
        assert e.value is not None
        assert e.low is not None
        assert e.high is not None
        assert f"{e.value:.2f} ({e.low:.2f}–{e.high:.2f})" in text, (question, name)
