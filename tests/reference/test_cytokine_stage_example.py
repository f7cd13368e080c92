"""The bundled cytokine-stage example: matched to the printed summary of Huy, byte for byte, and answered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from troughline.cohort.studyfile import load_study
from troughline.evidence.store import load_publication
from troughline.response.study import StudyResult, run_study

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "src" / "troughline" / "examples" / "cytokine-stage"


@pytest.fixture(scope="module")
def result() -> StudyResult:
    return run_study(load_study(EXAMPLE / "study.toml"))


def test_the_tables_are_those_of_the_script(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(ROOT / "tools" / "simulate_cytokine_stage.py"), "--out", str(tmp_path)],
        check=True,
    )
    for name in ("patients.csv", "measurements.csv"):
        assert (tmp_path / name).read_bytes() == (EXAMPLE / name).read_bytes()


def test_the_printed_summary_is_met() -> None:
    """Evidence file huy-undated: n, mean and SD, share below the limit (54 of 86)."""
    study = load_publication("huy-undated")
    table = pd.read_csv(EXAMPLE / "measurements.csv")
    il2 = table.loc[table["analyte"] == "IL-2", "value"]
    printed, low = study.sourced("il-2-mean"), study.sourced("il-2-low")
    cut = next(b.cutoff for b in study.biomarker if b.id == "il-2-cut")
    assert len(il2) == study.n
    assert (round(il2.mean(), 1), round(il2.std(), 1)) == (printed.value, printed.sd)
    assert round(100 * (il2 < cut).mean(), 1) == low.value


def test_it_is_labelled_as_simulated(result: StudyResult) -> None:
    assert result.contents["study"]["simulated"] is True
    assert "(simulated, matched to Huy)" in result.contents["study"]["title"]


def test_the_report_says_what_the_paper_could_not(result: StudyResult) -> None:
    """Receptor instead of IL-2, size and volume one thing, no direction, limit of unknown origin."""
    question = result.question("cytokines-by-stage")
    fired = {g.id for g in question.guards}
    assert {"assay-sanity", "one-construct", "cross-sectional", "chosen-reference-limit"} <= fired
    assert question.verdict == "answered with caution"
    assert "IL-2 is lower with higher BCLC stage" in question.summary
    assert "For TNF-alpha none holds" in question.summary


def test_what_was_printed_stands_beside_what_was_found(result: StudyResult) -> None:
    """Mean, share below 391 U/mL, and what was said of stage, for IL-2; no relation of TNF-alpha."""
    rows = result.question("cytokines-by-stage").tables["printed"]
    assert [r["marker"] for r in rows] == ["IL-2"] * 4 + ["TNF-alpha"]
    assert rows[0]["printed"] == rows[0]["here"] == "356 U/mL (SD 137)"
    assert (rows[1]["printed"], rows[1]["here"]) == ("62.8 %", "62.8 % (54 of 86)")
    assert rows[2]["here"] == "< 391 U/mL: 62.8 % (54 of 86)"
    assert "BCLC stage lower" in rows[3]["here"]
    assert "lower" not in rows[4]["here"]


def test_the_share_below_the_limit_has_its_wilson_interval(result: StudyResult) -> None:
    """54 of 86: 62.8 % (52.2 to 72.3 %)."""
    share = result.question("cytokines-by-stage").estimate("proportion_beyond_limit")
    assert share.value == pytest.approx(54 / 86)
    assert share.low == pytest.approx(0.522, abs=0.001)
    assert share.high == pytest.approx(0.723, abs=0.001)


def test_tnf_alpha_is_associated_with_nothing_in_either_column(result: StudyResult) -> None:
    tests = [
        e
        for e in result.question("cytokines-by-stage").estimates
        if e.name == "association_test" and e.label.startswith("TNF-alpha")
    ]
    assert len(tests) == 8
    assert min(e.p_value or 0.0 for e in tests) > 0.05


def test_the_same_study_gives_the_same_contents(result: StudyResult) -> None:
    again = run_study(load_study(EXAMPLE / "study.toml")).contents
    first = result.contents
    assert again["questions"] == first["questions"]
