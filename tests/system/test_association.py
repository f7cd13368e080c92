"""`troughline study` with association questions: real patients, bad input, the report."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import kendalltau

from tests.shared_data import shared
from tests.system.run import troughline

HEADER = '[study]\ntitle = "Markers and stage"\n[tables]\npatients = "patients.csv"\n'
COVARIATES = """
[covariates]
marker = { unit = "pg/mL" }
stage = { levels = ["0", "A", "B"], ordered = true }
size = { unit = "cm" }
"""
QUESTION = """
[[question]]
id = "association"
kind = "association"
markers = [{ covariate = "marker" }]
characteristics = ["stage", "size"]
"""


def rows(**columns: list[Any]) -> str:
    lines = [",".join(columns)]
    lines += [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines) + "\n"


def good(**changes: list[Any]) -> dict[str, list[Any]]:
    n = 12
    return {
        "patient": [f"P{i}" for i in range(n)],
        "marker": [5.0 + (7 * i) % 11 for i in range(n)],
        "stage": ["0", "A", "B"] * 4,
        "size": [1.0 + (5 * i) % 7 for i in range(n)],
        **changes,
    }


def run(
    folder: Path, patients: dict[str, list[Any]], *, question: str = QUESTION, tables: str = "", **files: str
) -> tuple[int, str, dict[str, Any]]:
    """Exit status, standard error and the question's result (empty where nothing was written)."""
    (folder / "patients.csv").write_text(rows(**patients), encoding="utf-8")
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    (folder / "study.toml").write_text(HEADER + tables + COVARIATES + question, encoding="utf-8")
    done = troughline("study", folder / "study.toml", "--out", folder / "out")
    assert "Traceback" not in done.stderr
    written = folder / "out" / "results.json"
    found = json.loads(written.read_text(encoding="utf-8"))["questions"][0] if written.exists() else {}
    return done.returncode, done.stderr, found


def estimate(question: dict[str, Any], name: str, method: str, label: str) -> dict[str, Any]:
    return next(
        e
        for e in question["estimates"]
        if e["name"] == name and e["method"].startswith(method) and e["label"] == label
    )


def test_a_small_study_is_answered_and_drawn(tmp_path: Path) -> None:
    status, _, question = run(tmp_path, good())
    assert status == 0
    assert estimate(question, "association_test", "guarded", "Marker × Stage")["p_value"] is not None
    names = {p.name for p in (tmp_path / "out" / "figures").glob("*.svg")}
    assert {"association-stage.svg", "association-correlations.svg"} <= names
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Odds ratio of a higher stage" in page


def test_one_stage_only_is_not_analysable_and_the_rest_is_answered(tmp_path: Path) -> None:
    status, _, question = run(tmp_path, good(stage=["B"] * 12))
    assert status == 0
    reasons = [r["reason"] for r in question["tables"]["not-analysable"]]
    assert reasons == ["Stage is B in all 12 patients: there is nothing to compare"]
    assert "Not analysable: Marker and Stage" in question["summary"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"marker": [3.0] * 12}, "Marker does not vary in 12 patients"),
        ({"marker": [3.0] * 3 + [""] * 9}, "3 patients have both Marker and Stage; 5 are needed"),
    ],
)
def test_a_question_without_any_pair_is_not_analysable(
    tmp_path: Path, changes: dict[str, list[Any]], words: str
) -> None:
    status, _, question = run(tmp_path, good(**changes))
    assert status == 2
    assert question["verdict"] == "not analysable"
    assert words in question["summary"]


def test_a_stage_of_one_is_said_and_tested_with_the_others(tmp_path: Path) -> None:
    status, _, question = run(tmp_path, good(stage=["0"] * 5 + ["A"] * 6 + ["B"]))
    assert status == 0
    finding = next(g["finding"] for g in question["guards"] if g["id"] == "small-stage")
    assert finding == "Few patients: Stage B: 1."


def test_an_unknown_stage_is_an_error_with_its_row(tmp_path: Path) -> None:
    status, stderr, _ = run(tmp_path, good(stage=["0", "A", "E", *["B"] * 9]))
    assert status == 4
    assert "patients.csv" in stderr
    assert "row 4" in stderr
    assert "none of: 0, A, B" in stderr


@pytest.mark.parametrize(("limit", "place", "share"), [(500, "above", 1.0), (1, "below", 0.0)])
def test_a_reference_limit_beyond_every_value_is_said(
    tmp_path: Path, limit: float, place: str, share: float
) -> None:
    reference = f"{{ limit = {limit}, origin = 'manufacturer' }}"
    asked = QUESTION.replace("markers = [{", f"markers = [{{ reference = {reference},")
    status, _, question = run(tmp_path, good(), question=asked)
    assert status == 0
    found = next(
        e
        for e in question["estimates"]
        if e["name"] == "proportion_beyond_limit" and e["method"].startswith("guarded")
    )
    assert found["value"] == share
    assert f"the limit lies {place} every value" in found["note"]


MEASURED = QUESTION.replace('{ covariate = "marker" }', '{ analyte = "IL-2", unit = "pg/mL" }')


def measured(values: list[str]) -> str:
    lines = "".join(f"P{i},0,IL-2,{v},pg/mL\n" for i, v in enumerate(values))
    return f"patient,time,analyte,value,unit\n{lines}"


def test_a_marker_all_below_its_limit_is_not_analysable(tmp_path: Path) -> None:
    status, _, question = run(
        tmp_path, good(), question=MEASURED, tables='measurements = "measurements.csv"\n',
        measurements=measured(["<0.5"] * 12),
    )  # fmt: skip
    assert status == 2
    assert "IL-2: all 12 levels lie below the limit of quantification" in question["summary"]
    assert "never above 0.50 pg/mL in 12 samples of 12 patients; at most 22.1 %" in question["summary"]


TWO = MEASURED.replace("markers = [", 'markers = [{ analyte = "IL-8", unit = "pg/mL" }, ')


@pytest.mark.parametrize(
    ("cell", "side", "other"),
    [("<0.5", "below the limit", "above"), (">90", "above the upper limit", "below")],
)
def test_a_marker_all_beyond_a_limit_leaves_the_others_answered_and_says_what_can_be_said(
    tmp_path: Path, cell: str, side: str, other: str
) -> None:
    """12 patients, none on the other side: at most 1 − 0.05^(1/12) = 22 %."""
    values = [f"{v}" for v in (1.1, 0.9, 1.4, 2.1, 0.6, 1.9, 1.2, 3.0, 2.2, 0.8, 1.7, 2.5)]
    rows = measured(values) + "".join(f"P{i},0,IL-8,{cell},pg/mL\n" for i in range(12))
    status, _, question = run(
        tmp_path, good(), question=TWO, tables='measurements = "measurements.csv"\n', measurements=rows
    )
    assert status == 0
    assert [r["marker"] for r in question["tables"]["not-analysable"]] == ["IL-8"]
    assert f"all 12 levels lie {side}" in question["tables"]["not-analysable"][0]["reason"]
    bound = next(e for e in question["estimates"] if e["name"] == f"share_{other}_limit")
    assert bound["high"] == pytest.approx(1 - 0.05 ** (1 / 12))
    assert "all-below-limit" in [g["id"] for g in question["guards"]]


def test_values_above_an_upper_limit_are_taken_as_such(tmp_path: Path) -> None:
    """Four of twelve above 40, in the highest stage: ranked highest, shown as above, the median unbounded."""
    values = ["3", "5", "4", "9", "12", "8", "15", "14", ">40", ">40", ">40", ">40"]
    status, _, question = run(
        tmp_path, good(stage=["0"] * 4 + ["A"] * 4 + ["B"] * 4), question=MEASURED,
        tables='measurements = "measurements.csv"\n', measurements=measured(values),
    )  # fmt: skip
    assert status == 0
    share = next(e for e in question["estimates"] if e["name"] == "share_above_quantification")
    assert share["value"] == pytest.approx(4 / 12)
    tau = next(e for e in question["estimates"] if e["name"] == "kendall_tau" and "Stage" in e["label"])
    assert tau["value"] > 0.8
    top = next(r for r in question["tables"]["by-stage"] if r["stage"] == "B")
    assert (top["median"], top["n_above_quantification"]) == (None, 4)
    found = next(g for g in question["guards"] if g["id"] == "marker-below-limit")
    assert found["finding"] == "Above the upper limit: IL-2 4 of 12 (33 %)."


def test_limits_of_several_sizes_are_kept_apart(tmp_path: Path) -> None:
    values = ["<0.5", "<1.5", "0.8", "2.1", "0.6", "1.9", "1.2", "3.0", "<0.5", "0.9", "1.1", "2.5"]
    status, _, question = run(
        tmp_path, good(), question=MEASURED, tables='measurements = "measurements.csv"\n',
        measurements=measured(values),
    )  # fmt: skip
    assert status == 0
    below = next(e for e in question["estimates"] if e["name"] == "share_below_quantification")
    assert below["value"] == pytest.approx(3 / 12)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"stage", "size"]', '"stage", "weight"]', "'weight' is not declared"),
        ('"stage", "size"]', '"stage", "stage"]', "characteristic given twice: stage"),
        ('"stage", "size"]', '"stage", { covariate = "stage", log = true }]', "given twice"),
        ('"stage", "size"]', '"marker"]', "is a marker and a characteristic"),
        ('{ covariate = "marker" }', '{ covariate = "stage" }', "a marker is a number"),
        ("kind =", 'published = "huy-undated/interleukin-2"\nkind =', "name the study alone"),
        ("kind =", 'published = "huy-2099"\nkind =', "no study 'huy-2099'"),
        ('{ covariate = "marker" }', '{ analyte = "IL-2" }', "an analyte needs its unit"),
        ('{ covariate = "marker" }', '{ covariate = "marker", reference = { limit = -1 } }', "above 0"),
    ],
)
def test_a_wrong_question_is_one_plain_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    status, stderr, _ = run(tmp_path, good(), question=QUESTION.replace(old, new))
    assert status == 3
    assert words in stderr
    assert not (tmp_path / "out").exists()


def test_hepatocellular_markers_with_126_missing_by_bclc(tmp_path: Path) -> None:
    """227 resected patients (asaur): CXCL17 in all, CD8 and CD68 in 101, against BCLC and size as coded.

    Kendall's tau-b and its tie-corrected p of the table itself, by SciPy.
    """
    source = shared("data/hcc/hepatocellular_asaur.csv")
    (tmp_path / "patients.csv").write_bytes(source.read_bytes())
    (tmp_path / "study.toml").write_text(
        """
[study]
title = "Immune markers by stage"
[tables]
patients = "patients.csv"
[columns.patients]
patient = "Number"
cxcl17 = "CXCL17T"
cd8 = "CD8T"
cd68 = "CD68T"
bclc_coded = "BCLC"
size_coded = "Tumorsize"
age = "Age"
[covariates]
cxcl17 = { unit = "1" }
cd8 = { unit = "1" }
cd68 = { unit = "1" }
bclc_coded = { levels = ["1", "2", "3"], ordered = true }
size_coded = { levels = ["1", "2"], ordered = true }
age = { unit = "year" }
[[question]]
id = "markers"
kind = "association"
markers = [{ covariate = "cxcl17" }, { covariate = "cd8" }, { covariate = "cd68" }]
characteristics = ["bclc_coded", "size_coded", "age"]
adjust = ["size_coded"]
""",
        encoding="utf-8",
    )
    done = troughline("study", tmp_path / "study.toml", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    question = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["questions"][0]
    with source.open(encoding="utf-8", newline="") as handle:
        table = list(csv.DictReader(handle))
    for name, column, n in (("Cxcl17", "CXCL17T", 227), ("Cd8", "CD8T", 101)):
        known = [r for r in table if r[column] not in ("NA", "")]
        theirs = kendalltau(
            [float(r[column]) for r in known], [int(r["BCLC"]) for r in known], method="asymptotic"
        )
        found = estimate(question, "kendall_tau", "guarded", f"{name} × Bclc coded")
        assert found["n"] == n == len(known)
        assert found["value"] == pytest.approx(theirs.statistic, rel=1e-8)
        assert found["p_value"] == pytest.approx(theirs.pvalue, rel=1e-6)
    missing = next(g for g in question["guards"] if g["id"] == "missing-marker")
    assert "Cd8 in 126 of 227" in missing["finding"]


def test_uci_child_pugh_from_its_parts_goes_with_afp(tmp_path: Path) -> None:
    """165 patients (UCI 423): Child-Pugh computed from bilirubin, albumin, INR, ascites and encephalopathy.

    The file codes ascites and encephalopathy as points 1 to 3; the test writes them as words.
    """
    source = shared("data/hcc/hcc_survival_uci165_NAs.csv")
    words = {"Ascites": ("none", "mild", "moderate"), "Encephalopathy": ("none", "grade 1-2", "grade 3-4")}
    with source.open(encoding="utf-8", newline="") as handle:
        table = list(csv.DictReader(handle))
    kept = ("Total_Bil", "Albumin", "INR", "AFP", "Major_Dim", "Ascites", "Encephalopathy")
    lines = ["patient," + ",".join(kept)]
    for i, row in enumerate(table):
        cells = [words[k][int(float(row[k])) - 1] if k in words and row[k] else row[k] for k in kept]
        lines.append(f"{i + 1}," + ",".join(cells))
    (tmp_path / "patients.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "study.toml").write_text(
        """
[study]
title = "AFP and liver function"
[tables]
patients = "patients.csv"
[columns.patients]
bilirubin = "Total_Bil"
albumin = "Albumin"
inr = "INR"
afp = "AFP"
tumour_size = "Major_Dim"
ascites = "Ascites"
encephalopathy = "Encephalopathy"
[covariates]
bilirubin = { unit = "mg/dL" }
albumin = { unit = "g/dL" }
inr = { unit = "1" }
afp = { unit = "ng/mL" }
tumour_size = { unit = "cm" }
ascites = { levels = ["none", "mild", "moderate"], ordered = true }
encephalopathy = { levels = ["none", "grade 1-2", "grade 3-4"], ordered = true }
[[question]]
id = "afp"
kind = "association"
markers = [{ covariate = "afp" }]
characteristics = ["child_pugh_score", "child_pugh_class", "tumour_size"]
adjust = ["tumour_size"]
""",
        encoding="utf-8",
    )
    done = troughline("study", tmp_path / "study.toml", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    question = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["questions"][0]
    by_class = [r for r in question["tables"]["by-stage"] if r["characteristic"] == "Child-Pugh class"]
    assert [r["stage"] for r in by_class] == ["A", "B", "C"]
    assert sum(r["n"] for r in by_class) > 130
    close = next(g["finding"] for g in question["guards"] if g["id"] == "one-construct")
    assert "Child-Pugh score and Child-Pugh class" in close
    assert estimate(question, "partial_correlation", "guarded", "AFP × Child-Pugh score")["n"] > 100
