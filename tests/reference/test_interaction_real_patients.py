"""Predictive and prognostic markers in real, public patients kept beside the checkout.

Sources of the expected values: the shared file `survival-and-roc.json` (R 4.2.2, survival 3.5.3, eleven
digits), sums and odds counted in the test itself, and `fit_cox` on rows that the test chooses (held to R's
`coxph` elsewhere).
"""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.reference.r_reference import close, table
from tests.shared_data import shared
from troughline.biomarker.endpoint import Endpoint
from troughline.biomarker.treatment_by_marker import treatment_by_marker
from troughline.cohort.studyfile import load_study
from troughline.response.study import run_study
from troughline.results import Estimate, QuestionResult, Verdict
from troughline.survival.cox import fit_cox
from troughline.survival.kaplan_meier import kaplan_meier
from troughline.survival.landmark import landmark
from troughline.survival.log_rank import log_rank

YEAR = 365.25


def reference(name: str) -> dict[str, Any]:
    return json.loads(shared("reference/survival-and-roc.json").read_text("utf-8"))[name]


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def answers(folder: Path, study: str) -> dict[str, QuestionResult]:
    (folder / "study.toml").write_text(study, encoding="utf-8")
    return {q.id: q for q in run_study(load_study(folder / "study.toml")).questions}


def guarded(question: QuestionResult, name: str, words: str = "") -> Estimate:
    return next(
        e for e in question.estimates
        if e.name == name and e.method.startswith("guarded") and words in f"{e.label} {e.method}"
    )  # fmt: skip


def test_treatment_by_bilirubin_in_pbc_agrees_with_coxph() -> None:
    """R: `coxph(Surv(time, status == 2) ~ trt * log(bili), pbc)`, trt 1 D-penicillamine, 2 placebo.

    Ours holds the treated against placebo: the interaction changes its sign, the marker in the placebo arm is
    R's slope and twice its interaction.
    """
    expected = {t["term"]: t for t in reference("pbc")["interaction_trt_bili"]["coef"]}
    rows = table("data/survival/survival_pbc.csv")
    known = np.isfinite(rows["trt"])
    endpoint = Endpoint(kind="survival", time=rows["time"][known], event=rows["status"][known] == 2)
    fit = treatment_by_marker(endpoint, rows["trt"][known] == 1, np.log(rows["bili"][known]), ("bili",))
    product = expected["trt:log(bili)"]
    close(-fit.interaction[0].value, product["coef"], 1e-7)
    close(fit.interaction[0].standard_error, product["se(coef)"], 1e-7)
    close(fit.p_value, product["Pr(>|z|)"], 1e-7)
    close(fit.prognostic[0].value, expected["log(bili)"]["coef"] + 2 * product["coef"], 1e-7)
    alone = endpoint.regress(
        np.column_stack((rows["trt"][known] == 1, np.log(rows["bili"][known]))).astype(float), ("a", "m")
    )
    close(
        2 * (fit.fit.log_likelihood - alone.log_likelihood),
        reference("pbc")["interaction_trt_bili"]["lrt"],
        1e-6,
    )


HEPATOCELLULAR = """
[study]
title = "Stage and CD8 cells after resection of HCC"
[tables]
patients = "hepatocellular_asaur.csv"
[columns.patients]
patient = "Number"
age = "Age"
sex = "Gender"
hbsag = "HBsAg"
cirrhosis_coded = "Cirrhosis"
afp_coded = "AFP"
size_coded = "Tumorsize"
invasion = "Vascularinvasion"
stage = "BCLC"
cd8 = "CD8T"
[covariates]
age = { unit = "year" }
sex = { levels = ["0", "1"] }
hbsag = { levels = ["0", "1"] }
cirrhosis_coded = { levels = ["0", "1"] }
afp_coded = { levels = ["1", "2"] }
size_coded = { levels = ["1", "2"] }
invasion = { levels = ["0", "1"] }
stage = { levels = ["1", "2"], ordered = true }
cd8 = { unit = "1" }
[[question]]
id = "stage"
kind = "interaction"
predictor = { covariate = "stage" }
outcome = { time = "OS", status = "Death", unit = "month" }
adjust = ["age", "sex", "hbsag", "cirrhosis_coded", "afp_coded", "size_coded", "invasion"]
[[question]]
id = "cd8"
kind = "interaction"
predictor = { covariate = "cd8", log = false }
outcome = { time = "OS", status = "Death", unit = "month" }
"""


@pytest.fixture(scope="module")
def hepatocellular(tmp_path_factory: pytest.TempPathFactory) -> dict[str, QuestionResult]:
    folder = tmp_path_factory.mktemp("hepatocellular")
    data = shared("data/hcc/hepatocellular_asaur.csv")
    (folder / data.name).write_bytes(data.read_bytes())
    return answers(folder, HEPATOCELLULAR)


def test_stage_after_resection_is_prognostic_as_coxph_says_and_not_called_predictive(
    hepatocellular: dict[str, QuestionResult],
) -> None:
    """R: `coxph` of eight clinical covariates, its line BCLC (`cox_clin`). All were resected: one arm."""
    found = hepatocellular["stage"]
    assert found.verdict is Verdict.REFUSED
    assert "no-control-arm" in {g.id for g in found.guards}
    expected = next(t for t in reference("hepatocellular")["cox_clin"]["coef"] if t["term"] == "BCLC")
    ratio = guarded(found, "prognostic_hazard_ratio")
    assert ratio.n == 227
    close(ratio.value, expected["exp(coef)"], 1e-6)
    close(ratio.p_value, expected["Pr(>|z|)"], 1e-5)
    assert ratio.low is not None
    close(math.log(ratio.value or 1) - math.log(ratio.low), 1.959963985 * expected["se(coef)"], 1e-6)


def test_a_marker_missing_in_126_of_227_is_said_and_fitted_in_the_rest(
    hepatocellular: dict[str, QuestionResult],
) -> None:
    """The count is R's (`missing`); the hazard ratio that of `fit_cox` in the 101 with CD8, per SD."""
    found = hepatocellular["cd8"]
    missing = reference("hepatocellular")["missing"]["CD8T"]
    assert missing == 126
    finding = next(g for g in found.guards if g.id == "marker-partly-measured")
    assert finding.finding == "The marker is known in 101 of 227 patients."
    rows = table("data/hcc/hepatocellular_asaur.csv")
    known = np.isfinite(rows["CD8T"])
    said = re.fullmatch(
        r"By ([\d.]+) months (\d+) % of those measured had the event, (\d+) % of the others "
        r"\(Kaplan–Meier, log-rank p = ([\d.]+)\)\.",
        finding.effect,
    )
    assert said is not None, finding.effect
    at, one, other, p = (float(number) for number in said.groups())
    risks = [
        100 * (1 - float(kaplan_meier(rows["OS"][k], rows["Death"][k] == 1)[0].at([at]).survival[0]))
        for k in (known, ~known)
    ]
    assert [one, other] == [round(risk) for risk in risks]
    assert p == round(log_rank(rows["OS"], rows["Death"] == 1, known.astype(str)).p_value, 2)
    ratio = guarded(found, "prognostic_hazard_ratio")
    marker = rows["CD8T"][known]
    fit = fit_cox(
        rows["OS"][known], rows["Death"][known] == 1, (marker - marker.mean()) / marker.std(ddof=1), ("cd8",)
    )
    assert ratio.n == 101
    close(ratio.value, fit.terms[0].hazard_ratio, 1e-6)


UCI = """
[study]
title = "Child-Pugh class and one-year death in HCC"
[tables]
patients = "uci.csv"
[covariates]
bilirubin = { unit = "mg/dL" }
albumin = { unit = "g/dL" }
inr = { unit = "1" }
ascites = { levels = ["none", "mild", "moderate"], ordered = true }
encephalopathy = { levels = ["none", "grade 1-2", "grade 3-4"], ordered = true }
[[question]]
id = "class"
kind = "interaction"
predictor = { covariate = "child_pugh_class" }
outcome = { column = "survival", equals = 0 }
"""


def test_child_pugh_class_from_its_parts_is_prognostic_in_165_patients(tmp_path: Path) -> None:
    """Points of Pugh 1973 and odds of death within a year, both counted here; no arm, so never predictive."""
    with shared("data/hcc/hcc_survival_uci165_NAs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    words = {
        "Ascites": ["none", "mild", "moderate"], "Encephalopathy": ["none", "grade 1-2", "grade 3-4"],
    }  # fmt: skip
    made: list[dict[str, Any]] = []
    died: dict[str, list[bool]] = {"A": [], "B": [], "C": []}
    for number, row in enumerate(rows, start=1):
        made.append(
            {
                "patient": number, "bilirubin": row["Total_Bil"], "albumin": row["Albumin"],
                "inr": row["INR"], "survival": row["survival"],
                **{k.lower(): words[k][int(row[k]) - 1] if row[k] else "" for k in words},
            }
        )  # fmt: skip
        if not all(row[k] for k in ("Total_Bil", "Albumin", "INR", "Ascites", "Encephalopathy")):
            continue
        bilirubin, albumin, inr = (float(row[k]) for k in ("Total_Bil", "Albumin", "INR"))
        points = int(row["Ascites"]) + int(row["Encephalopathy"])
        points += 1 + (bilirubin >= 2) + (bilirubin > 3)
        points += 1 + (albumin <= 3.5) + (albumin < 2.8)
        points += 1 + (inr >= 1.7) + (inr > 2.3)
        died["A" if points <= 6 else "B" if points <= 9 else "C"].append(row["survival"] == "0")
    write(tmp_path, "uci.csv", made)
    found = answers(tmp_path, UCI)["class"]
    assert found.verdict is Verdict.REFUSED
    assert "predictive" not in found.summary
    odds = {k: sum(v) / (len(v) - sum(v)) for k, v in died.items()}
    for level in "BC":
        ratio = guarded(found, "prognostic_odds_ratio", f"{level} against A")
        close(ratio.value, odds[level] / odds["A"], 1e-6)
        assert ratio.n == sum(len(v) for v in died.values())
    assert odds["A"] < odds["B"] < odds["C"]


PROTHRO = """
[study]
title = "Prothrombin over time and death in cirrhosis"
time = "day"
[tables]
patients = "patients.csv"
measurements = "measurements.csv"
events = "events.csv"
{questions}
"""
PROTHRO_QUESTION = """
[[question]]
id = "{id}"
kind = "interaction"
predictor = {{ analyte = "prothrombin index", metric = "level", unit = "{unit}", log = false }}
outcome = {{ event = "death" }}
treated = "prednisone"
control = "placebo"
randomised = true
draws = 200
{more}
"""


@pytest.fixture(scope="module")
def prothro(tmp_path_factory: pytest.TempPathFactory) -> dict[str, QuestionResult]:
    """488 patients of a trial of prednisone in cirrhosis (R package JM), 2,968 prothrombin indices."""
    folder = tmp_path_factory.mktemp("prothro")
    with shared("data/survival/jm_prothros.csv").open(encoding="utf-8") as file:
        patients = list(csv.DictReader(file))
    with shared("data/survival/jm_prothro.csv").open(encoding="utf-8") as file:
        samples = list(csv.DictReader(file))
    write(folder, "patients.csv", [{"patient": p["id"], "arm": p["treat"]} for p in patients])
    write(
        folder, "events.csv",
        [
            {"patient": p["id"], "time": float(p["Time"]) * YEAR,
             "event": "death" if p["death"] == "1" else "last contact"}
            for p in patients
        ],
    )  # fmt: skip
    write(
        folder, "measurements.csv",
        [
            {"patient": s["id"], "time": float(s["time"]) * YEAR, "analyte": "prothrombin index",
             "value": s["pro"], "unit": "ug/mL"}
            for s in samples
        ],
    )  # fmt: skip
    questions = "".join(
        PROTHRO_QUESTION.format(id=name, unit="ug/mL", more=more)
        for name, more in (
            ("landmark", 'over_time = "landmark"\nlandmark_days = 365.25\nlandmark_window_days = 365.25'),
            ("joint", 'over_time = "joint"'),
        )
    )  # fmt: skip
    return answers(folder, PROTHRO.replace("{questions}", questions))


def test_prothrombin_before_treatment_is_prognostic_and_not_predictive(
    prothro: dict[str, QuestionResult],
) -> None:
    """`fit_cox` of arm, first index per SD and their product in 488 patients."""
    found = prothro["landmark"]
    patients, samples = table("data/survival/jm_prothros.csv"), table("data/survival/jm_prothro.csv")
    first = {i: v for i, v, t in zip(samples["id"], samples["pro"], samples["time"], strict=True) if t == 0}
    marker = np.array([first[i] for i in patients["id"]])
    marker = (marker - marker.mean()) / marker.std(ddof=1)
    treated = patients["treat"] == "prednisone"
    x = np.column_stack((treated, marker, treated * marker)).astype(float)
    fit = fit_cox(patients["Time"], patients["death"] == 1, x, ("a", "m", "am"))
    ratio = guarded(found, "interaction_ratio")
    assert ratio.n == 488
    close(ratio.value, fit.terms[2].hazard_ratio, 1e-5)
    close(ratio.p_value, fit.terms[2].p_value, 1e-4)
    close(guarded(found, "prognostic_hazard_ratio", "in placebo").value, fit.terms[1].hazard_ratio, 1e-5)


def test_the_change_of_prothrombin_by_one_year_from_a_landmark_is_that_of_cox(
    prothro: dict[str, QuestionResult],
) -> None:
    """Rows chosen here: alive after a year, a first index, and the last later one within the year."""
    patients, samples = table("data/survival/jm_prothros.csv"), table("data/survival/jm_prothro.csv")
    rows: list[tuple[float, float, float, float, float]] = []
    for i, time, death, arm in zip(
        patients["id"], patients["Time"], patients["death"], patients["treat"], strict=True
    ):
        mine = samples["id"] == i
        at, value = samples["time"][mine], samples["pro"][mine]
        later = value[(at > 0) & (at * YEAR <= YEAR)]
        if later.size:
            rows.append((time, death, later[-1] - value[at == 0][0], value[at == 0][0], arm == "prednisone"))
    time, death, *columns = (np.array(c, float) for c in zip(*rows, strict=True))
    kept = landmark(time, death == 1, 1.0)
    fit = fit_cox(kept.time, kept.event, np.column_stack(columns)[kept.kept], ("change", "first", "treated"))
    found = guarded(prothro["landmark"], "prognostic_hazard_ratio", "change by day")
    assert found.n == fit.n
    close(found.value, fit.terms[0].hazard_ratio, 1e-6)
    close(found.p_value, fit.terms[0].p_value, 1e-4)
    assert found.value is not None
    assert found.value < 1


def test_the_joint_model_of_prothrombin_is_steeper_than_cox_on_the_values_as_measured(
    prothro: dict[str, QuestionResult],
) -> None:
    """Cox on JM's own rows (start, stop, event) takes the last value as it is; its error flattens the slope.

    Both say that a higher index means a lower hazard. The treatment's hazard ratio, the marker's course held,
    agrees to a third of its standard error.
    """
    rows = table("data/survival/jm_prothro.csv")
    x = np.column_stack((rows["pro"], rows["treat"] == "prednisone")).astype(float)
    fit = fit_cox(rows["stop"], rows["event"] == 1, x, ("pro", "treated"), entry=rows["start"])
    found = guarded(prothro["joint"], "prognostic_hazard_ratio", "joint model")
    assert found.value is not None
    assert found.high is not None
    assert found.value < fit.terms[0].hazard_ratio < 1
    assert found.high < 1
    assert found.note == f"{rows['id'].size} measurements, {int(rows['event'].sum())} events"
    treatment = guarded(prothro["joint"], "treatment_hazard_ratio", "marker's course held")
    assert treatment.value is not None
    apart = math.log(treatment.value) - fit.terms[1].coefficient
    assert abs(apart) < fit.terms[1].standard_error / 3
