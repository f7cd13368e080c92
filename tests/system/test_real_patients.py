"""`troughline study` on real, public HCC patients kept beside the checkout."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.shared_data import shared
from tests.system.run import troughline

STUDIES = Path(__file__).resolve().parent / "studies"


def _estimate(question: dict[str, Any], name: str, method: str, label: str = "") -> dict[str, Any]:
    for e in question["estimates"]:
        if e["name"] == name and e["method"].startswith(method) and e["label"].startswith(label):
            return e
    raise AssertionError(f"no {method} {name} {label}")


@pytest.fixture(scope="module")
def hepatocellular(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """The study of 227 resected HCC patients, run once."""
    data = shared("data/hcc/hepatocellular_asaur.csv")
    folder = tmp_path_factory.mktemp("hepatocellular")
    shutil.copy(data, folder)
    study = shutil.copy(STUDIES / "hepatocellular.toml", folder)
    out = folder / "out"
    done = troughline("study", study, "--out", out)
    # The searched cuts of death and of recurrence are refused; the other questions are answered.
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    return {q["id"]: q for q in results["questions"]} | {"": results}, out


def test_best_cut_agrees_with_maxstat_and_survdiff(hepatocellular: Any) -> None:
    """R maxstat 0.7.25 (condMC p 0.0093) and survival 3.5 (log-rank at the cut p 0.000242).

    The permutation p has a Monte-Carlo error of about 0.001 with 9,999 permutations on either side: three
    of them are allowed.
    """
    reference = json.loads(shared("reference/survival-and-roc.json").read_text())["hepatocellular"]
    question = hepatocellular[0]["death-by-best-cut"]
    naive = _estimate(question, "log_rank", "as-published")
    assert naive["value"] == pytest.approx(reference["naive_p_at_maxstat_cut"]["chisq"], rel=1e-8)
    assert naive["p_value"] == pytest.approx(reference["naive_p_at_maxstat_cut"]["p"], rel=1e-6)
    corrected = _estimate(question, "threshold", "guarded")
    assert corrected["p_value"] == pytest.approx(reference["maxstat_CXCL17T"]["condMC"]["p"], abs=0.003)
    assert {"optimal-cutpoint", "double-dipping"} <= {g["id"] for g in question["guards"]}


def test_log_rank_by_stage_agrees_with_r(hepatocellular: Any) -> None:
    """R survival 3.5: log-rank by BCLC on death."""
    reference = json.loads(shared("reference/survival-and-roc.json").read_text())["hepatocellular"]
    found = _estimate(hepatocellular[0]["death-by-bclc"], "log_rank", "as-published")
    assert found["value"] == pytest.approx(reference["logrank_BCLC"]["chisq"], rel=1e-9)
    assert found["p_value"] == pytest.approx(reference["logrank_BCLC"]["p"], rel=1e-6)


def test_missing_markers_are_counted_and_named(hepatocellular: Any) -> None:
    """126 of 227 have no CD8 measurement; the guard says so."""
    question = hepatocellular[0]["missing-marker"]
    finding = next(g["finding"] for g in question["guards"] if g["id"] == "missing-data")
    assert "126 of 227" in finding


def test_direction_chosen_by_the_data_is_reported(hepatocellular: Any) -> None:
    """`direction = "auto"` fires its guard."""
    question = hepatocellular[0]["recurrence-threshold"]
    assert "direction-from-data" in {g["id"] for g in question["guards"]}


def test_the_report_is_complete_and_needs_no_network(hepatocellular: Any) -> None:
    """One page, no external resource, each question in it, a figure for each Kaplan–Meier."""
    _, out = hepatocellular
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    for attribute in ('src="http', 'href="http://', "@import", "url(http"):
        assert attribute not in page
    assert "CXCL17" in page
    assert len(list((out / "figures").glob("*.svg"))) >= 5
    assert len(list((out / "figures").glob("*.png"))) == len(list((out / "figures").glob("*.svg")))
    assert (out / "tables" / "estimates.csv").exists()


def test_one_year_survival_in_165_patients(tmp_path: Path) -> None:
    """The UCI set: about 10 % missing values, an outcome as a column, liver scores computed.

    The file has no patient number; the test adds the row number as one.
    """
    source = shared("data/hcc/hcc_survival_uci165_NAs.csv")
    with source.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))
    with (tmp_path / "uci.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["patient", *rows[0]])
        writer.writerows([str(i), *row] for i, row in enumerate(rows[1:], start=1))
    shutil.copy(STUDIES / "uci.toml", tmp_path)
    done = troughline("study", tmp_path / "uci.toml", "--out", tmp_path / "out")
    assert done.returncode in (0, 1), done.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert results["study"]["n_patients"] == 165
    assert any("ALBI score" in row[0] for row in results["table1"]["rows"])
    questions = {q["id"]: q for q in results["questions"]}
    # Independent count: 63 of the 165 died within a year, 5 of them without a bilirubin.
    curve = questions["bilirubin-curve"]
    known = [r for r in rows[1:] if r[rows[0].index("Total_Bil")]]
    odds = _estimate(curve, "odds_ratio", "as-published")
    assert odds["n"] == len(known) == 160
    assert odds["low"] > 1
    risks = [_estimate(curve, "probability", "guarded", f"at {b} mg/dL") for b in ("1.00", "2.00", "3.00")]
    assert [r["value"] for r in risks] == sorted(r["value"] for r in risks)
