"""Real data through the questions themselves, against the stored values of R: atrazine, bilirubin, a trend.

The kernels are held against the same values in `test_change_matches_r.py`; here the tables are written as a
user would write them, read, and asked.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.shared_data import shared
from troughline.cohort.studyfile import load_study
from troughline.response.study import run_study
from troughline.results import QuestionResult


def stored() -> dict[str, Any]:
    return json.loads(shared("reference/survival-and-roc.json").read_text())


def asked(folder: Path, question: str, *, covariates: str = "", measurements: bool = True) -> QuestionResult:
    tables = 'patients = "patients.csv"\n' + 'measurements = "measurements.csv"\n' * measurements
    (folder / "study.toml").write_text(
        f'[study]\ntitle = "Real data"\n[tables]\n{tables}[covariates]\n{covariates}'
        f'[[question]]\nid = "asked"\n{question}',
        encoding="utf-8",
    )
    return run_study(load_study(folder / "study.toml")).question("asked")


@pytest.fixture(scope="module")
def atrazine(tmp_path_factory: pytest.TempPathFactory) -> QuestionResult:
    """24 wells, September as the first occasion and June as the later, as the stored June − September."""
    folder = tmp_path_factory.mktemp("atrazine")
    wells = list(csv.DictReader(shared("data/survival/nada2_atrazine.csv").read_text().splitlines()))
    names = [f"W{i:02d}" for i in range(len(wells))]
    (folder / "patients.csv").write_text("patient\n" + "\n".join(names) + "\n")
    rows = ["patient,time,analyte,value,unit,below_limit,limit,occasion"]
    for name, well in zip(names, wells, strict=True):
        for month, day in (("Sept", 0), ("June", 90)):
            below = well[f"{month}Cen"] == "TRUE"
            value, limit = ("", well[month]) if below else (well[month], "")
            rows.append(f"{name},{day},atrazine,{value},ug/L,{int(below)},{limit},{month}")
    (folder / "measurements.csv").write_text("\n".join(rows) + "\n")
    return asked(
        folder,
        'kind = "change"\nmarkers = [{ analyte = "atrazine", unit = "ug/L" }]\noccasions = ["Sept", "June"]\n'
        'scale = "difference"\ntest = "signed-rank"\ncorrection = "holm"\n',
    )


def row(result: QuestionResult) -> dict[str, Any]:
    return result.tables["within-groups"][0]


def test_atrazine_s_sign_test_is_that_of_r(atrazine: QuestionResult) -> None:
    """3 rose, 16 fell, 5 tied. The stored p .0044 is the plain binomial one; the table has its mid-p value
    beside Fong's .0896, which NADA2 prints."""
    from scipy.stats import binom

    reference, printed = stored()["atrazine"]["sign"], " ".join(stored()["nada2_atrazine"]["sign"])
    found = row(atrazine)
    counts = (found["rose"], found["fell"], found["not known"])
    assert counts == (reference["pos"], reference["neg"], reference["tie"])
    assert found["sign_test_p"] == pytest.approx(reference["p"] - binom.pmf(16, 19, 0.5), abs=1e-10)
    assert f"p-value = {found['sign_test_with_ties_p']:.4g}" in printed


def test_atrazine_s_rank_tests_are_those_of_nada2(atrazine: QuestionResult) -> None:
    """19 pairs tell a direction: beyond 16 the normal law serves, as in NADA2. Z −3.319, p .0009033 and
    Z −3.046, p .002321, as printed there; one test alone is not corrected by Holm."""
    printed = stored()["nada2_atrazine"]
    found = row(atrazine)
    assert f"p.value = {found['signed_rank_p']:.4g}" in " ".join(printed["signedrank"])
    assert f"p-value = {found['prentice_wilcoxon_p']:.4g}" in " ".join(printed["ppw"])
    ratio = atrazine.estimate("change_difference")
    assert ratio.p_value == found["signed_rank_p"]


def test_atrazine_s_paired_normal_test_goes_with_r_s(atrazine: QuestionResult) -> None:
    """R's z test gives p .2747; the report reads the same likelihood as a t: .24 to .31."""
    reference = stored()["atrazine"]["paired_censored_t"]["p"]["(Intercept)"]
    assert row(atrazine)["paired_normal_p"] == pytest.approx(reference, abs=0.04)
    assert reference == pytest.approx(0.2747, abs=5e-5)


def test_a_trend_over_small_stages_is_exact_as_in_clinfun(tmp_path: Path) -> None:
    """jt_small_exact as an association: JT 68, one-sided p .043; ours two-sided."""
    reference = stored()["jt_small_exact"]
    lines = [f"P{i:02d},{x},{g}" for i, (x, g) in enumerate(zip(reference["x"], reference["g"], strict=True))]
    (tmp_path / "patients.csv").write_text("patient,marker,stage\n" + "\n".join(lines) + "\n")
    result = asked(
        tmp_path, 'kind = "association"\nmarkers = { covariate = "marker" }\ncharacteristics = "stage"\n',
        covariates='marker = { unit = "1" }\nstage = { levels = ["1", "2", "3"], ordered = true }\n',
        measurements=False,
    )  # fmt: skip
    found = result.estimate("association_test", method="guarded")
    assert found.method == "guarded: Jonckheere–Terpstra, exact"
    assert found.p_value == pytest.approx(2 * reference["p"], abs=1e-9)


def test_bilirubin_over_the_stages_of_biliary_cholangitis_is_as_in_r(tmp_path: Path) -> None:
    """jt_pbc_bili_by_stage: 312 randomised patients, z 6.9477, p 3.7e-12, tau-b .3049."""
    reference = stored()["jt_pbc_bili_by_stage"]
    rows = list(csv.DictReader(shared("data/survival/survival_pbc.csv").read_text().splitlines()))
    rows = rows[: reference["n"]]
    lines = [f"P{i:03d},{r['bili']},{r['stage']}" for i, r in enumerate(rows)]
    (tmp_path / "patients.csv").write_text("patient,bili,stage\n" + "\n".join(lines) + "\n")
    result = asked(
        tmp_path, 'kind = "association"\nmarkers = { covariate = "bili" }\ncharacteristics = "stage"\n',
        covariates='bili = { unit = "mg/dL" }\nstage = { levels = ["1", "2", "3", "4"], ordered = true }\n',
        measurements=False,
    )  # fmt: skip
    found = result.estimate("association_test", method="guarded")
    assert found.n == reference["n"]
    assert found.value == pytest.approx(reference["kendall_z_tie_corrected"], abs=1e-8)
    assert found.p_value == pytest.approx(reference["kendall_p"], rel=1e-6)
    assert result.estimate("kendall_tau").value == pytest.approx(reference["kendall_tau_b"], abs=1e-9)
