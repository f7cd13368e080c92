"""The question of kind `change`: what it answers, and what of bad input it says in one line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.change_cohorts import CHANGE_QUESTION, change_cohort, change_records
from benchmarks.cohorts import judge

from tests.small_study import table, write_study
from troughline.cohort.studyfile import load_study
from troughline.issues import InputError
from troughline.response.predictor import NotAnalysable
from troughline.response.study import answer, run_study
from troughline.results import Verdict

HEADER = '[study]\ntitle = "Markers"\nsimulated = true\n'
TABLES = '[tables]\npatients = "patients.csv"\nmeasurements = "measurements.csv"\n'
QUESTION = """
[[question]]
id = "change"
kind = "change"
markers = [{ analyte = "IL-6", unit = "pg/mL" }]
occasions = ["before", "after"]
randomised = true
permutations = 999
"""


def study(folder: Path, rows: list[str], *, question: str = QUESTION, header: str = "") -> Path:
    """Twelve patients; `rows` are those of the measurements table."""
    patients = table("patient,group", [f"P{i},{'A' if i < 6 else 'B'}" for i in range(12)])
    columns = header or "patient,time,analyte,value,unit,below_limit,limit,occasion"
    files: dict[str, str | bytes] = {"patients.csv": patients, "measurements.csv": table(columns, rows)}
    return write_study(folder, header=HEADER, tables=TABLES, covariates="", question=question, files=files)


def pair(i: int, before: str, after: str) -> list[str]:
    return [f"P{i},0,IL-6,{before},before", f"P{i},28,IL-6,{after},after"]


def rises() -> list[str]:
    """Each patient rises by 20 to 42 %."""
    return [
        r
        for i in range(12)
        for r in pair(i, f"{5 + i},pg/mL,0,1", f"{(5 + i) * (1.2 + 0.02 * i):.3f},pg/mL,0,1")
    ]


def test_a_rise_is_found_with_its_ratio(tmp_path: Path) -> None:
    """The Hodges–Lehmann ratio is the middle of the pairwise means of the log ratios, about 1.31."""
    result = run_study(load_study(study(tmp_path, rises()))).question("change")
    found = result.estimate("change_ratio")
    logs = np.log(1.2 + 0.02 * np.arange(12))
    means = [(logs[i] + logs[k]) / 2 for i in range(12) for k in range(i, 12)]
    assert found.value == pytest.approx(math.exp(float(np.median(means))), rel=1e-3)
    assert found.p_value == pytest.approx(2 / 999, abs=0.002)
    assert result.estimate("mean_change", method="as-published").n == 12


def test_the_same_run_gives_the_same_contents_and_another_seed_other_draws(tmp_path: Path) -> None:
    path = study(tmp_path, rises())
    first, second = (run_study(load_study(path)).contents["questions"] for _ in range(2))
    assert first == second


def test_levels_above_a_limit_are_taken_as_such(tmp_path: Path) -> None:
    """Written >40: all but two patients end above it, so only a lower end is known."""
    rows = [r for i in range(12) for r in pair(i, f"{5 + i},pg/mL,0,1", ">40,pg/mL,0,")]
    result = run_study(load_study(study(tmp_path, rows)))
    question = result.question("change")
    found = question.estimate("change_ratio")
    assert found.high is None
    assert found.low is not None
    assert found.low > 2
    assert question.tables["levels"][1]["above limit"] == 12
    assert any(f["code"] == "above-limit" for f in result.contents["issues"])


def test_a_unit_is_converted(tmp_path: Path) -> None:
    rows = [r.replace("pg/mL", "ng/mL") if r.startswith(("P1,", "P2,")) else r for r in rises()]
    result = run_study(load_study(study(tmp_path, rows))).question("change")
    assert result.estimate("change_ratio").value == pytest.approx(1.31, abs=0.01)


def test_days_define_occasions(tmp_path: Path) -> None:
    question = QUESTION.replace('occasions = ["before", "after"]', "days = [[-7, 0], [21, 35]]")
    result = run_study(load_study(study(tmp_path, rises(), question=question))).question("change")
    assert result.estimate("change_ratio").n == 12


def test_three_occasions_are_each_held_against_the_first(tmp_path: Path) -> None:
    late = [f"P{i},56,IL-6,{5 + i + (0.1 if i % 2 else -0.1)},pg/mL,0,1,late" for i in range(12)]
    question = QUESTION.replace('"after"]', '"after", "late"]')
    result = run_study(load_study(study(tmp_path, rises() + late, question=question))).question("change")
    labels = [e.label for e in result.estimates if e.name == "change_ratio"]
    assert labels == ["IL-6, after", "IL-6, late"]
    assert result.estimate("change_ratio", label="IL-6, late").value == pytest.approx(1.0, abs=0.02)


def test_an_occasion_that_repeats_another_costs_nothing_under_westfall_young(tmp_path: Path) -> None:
    """The levels of `after` again as `late`: the corrected p-value is that of one test; Holm doubles."""
    late = [r.replace(",28,", ",56,").replace(",after", ",late") for r in rises() if r.endswith(",after")]
    alone = run_study(load_study(study(tmp_path / "a", rises()))).question("change")
    three = QUESTION.replace('"after"]', '"after", "late"]')
    both = run_study(load_study(study(tmp_path / "b", rises() + late, question=three))).question("change")
    held = three.replace("permutations", 'correction = "holm"\npermutations')
    holm = run_study(load_study(study(tmp_path / "c", rises() + late, question=held))).question("change")
    p = alone.estimate("change_ratio").p_value
    assert p is not None
    for name in ("after", "late"):
        assert both.estimate("change_ratio", label=f"IL-6, {name}").p_value == pytest.approx(p, abs=0.003)
    assert holm.tables["within-groups"][0]["corrected_p"] == pytest.approx(
        2 * holm.tables["within-groups"][0]["signed_rank_p"]
    )


def test_differences_have_the_unit_of_the_marker(tmp_path: Path) -> None:
    question = QUESTION + 'scale = "difference"\n'
    result = run_study(load_study(study(tmp_path, rises(), question=question))).question("change")
    found = result.estimate("change_difference")
    assert found.unit == "pg/mL"
    assert found.value == pytest.approx(3.2, abs=0.6)


@pytest.mark.parametrize("test", ["prentice-wilcoxon", "sign", "tobit"])
@pytest.mark.parametrize("correction", ["holm", "benjamini-hochberg"])
def test_each_test_and_correction_answers(tmp_path: Path, test: str, correction: str) -> None:
    question = QUESTION + f'test = "{test}"\ncorrection = "{correction}"\ngroup = "group"\n'
    result = run_study(load_study(study(tmp_path, rises(), question=question))).question("change")
    assert result.estimate("change_ratio", label="IL-6, A").p_value is not None


def test_a_marker_always_below_its_limit_is_not_analysable_and_still_says_something(tmp_path: Path) -> None:
    rows = [r for i in range(12) for r in pair(i, ",pg/mL,1,0.5", ",pg/mL,1,0.5")]
    markers = QUESTION.replace('unit = "pg/mL" }]', 'unit = "pg/mL" }, { analyte = "IL-8", unit = "pg/mL" }]')
    both = rows + [r.replace("IL-6", "IL-8") for r in rises()]
    result = run_study(load_study(study(tmp_path, both, question=markers))).question("change")
    assert result.verdict is Verdict.CAUTION
    assert "IL-6 is not analysable: all 24 levels lie below the limit" in result.summary
    assert "never above 0.50 pg/mL in 24 samples of 12 patients" in result.summary
    bound = result.estimate("share_above_limit")
    assert bound.high == pytest.approx(1 - 0.05 ** (1 / 12))


def alone(rows: list[str], says: str) -> Any:
    return pytest.param(rows, says, id=says[:30])


BELOW = [r for i in range(12) for r in pair(i, ",pg/mL,1,0.5", ",pg/mL,1,0.5")]
ONE_OCCASION = [f"P{i},0,IL-6,{5 + i},pg/mL,0,1,before" for i in range(12)]
NO_PAIR = ["P0,0,IL-6,5,pg/mL,0,1,before", "P1,28,IL-6,6,pg/mL,0,1,after"]
CONSTANT = [r for i in range(12) for r in pair(i, "5,pg/mL,0,1", "5,pg/mL,0,1")]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        alone(BELOW, "all 24 levels lie below"),
        alone(ONE_OCCASION, "at one occasion only (“before”)"),
        alone(NO_PAIR, "no patient has a level at both"),
        alone(CONSTANT, "the same (5) in every sample"),
        alone(pair(3, "5,pg/mL,0,1", "6,pg/mL,0,1"), "one pair"),
        alone([r.replace("IL-6", "IL-8") for r in rises()], "no measurement of 'IL-6'"),
    ],
)
def test_what_cannot_be_answered_is_said_in_one_verdict(tmp_path: Path, rows: list[str], says: str) -> None:
    result = run_study(load_study(study(tmp_path, rows))).question("change")
    assert result.verdict is Verdict.NOT_ANALYSABLE
    assert says in result.summary
    assert "\n" not in result.summary


def test_a_group_of_one_is_named_and_the_others_are_answered() -> None:
    rows = change_records((30, 2), np.random.default_rng(1))
    rows.measurements = [r for r in rows.measurements if r["patient"] != "P0031"]
    result, case = judge(change_cohort(rows))
    assert case.change is not None
    assert case.change.too_small == ["sTNF-alpha, B: one pair"]
    assert "Not tested: sTNF-alpha, B: one pair." in result.summary


def test_a_limit_above_its_value_is_one_finding(tmp_path: Path) -> None:
    rows = rises()
    rows[1] = "P0,28,IL-6,6,pg/mL,0,9,after"
    result = run_study(load_study(study(tmp_path, rows)))
    found = [f for f in result.contents["issues"] if f["row"] == 3]
    assert [f["code"] for f in found] == ["value-below-limit"]
    assert "6 is under the limit 9" in found[0]["message"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("P0,28,IL-6,50,pg/mL,0,40,1,after", None),
        ("P0,28,IL-6,30,pg/mL,0,40,1,after", "30 is below the limit 40, and above_limit is 1"),
        ("P0,28,IL-6,,pg/mL,1,40,1,after", "both below and above"),
        ("P0,28,IL-6,,pg/mL,0,,1,after", "above a limit and no limit is given"),
    ],
)
def test_contradictions_about_an_upper_limit_are_errors(tmp_path: Path, row: str, says: str | None) -> None:
    header = "patient,time,analyte,value,unit,below_limit,limit,above_limit,occasion"
    rows = [r.replace(",before", ",0,before").replace(",after", ",0,after") for r in rises()]
    rows[1] = row
    path = study(tmp_path, rows, header=header)
    if says is None:
        assert run_study(load_study(path)).question("change").verdict is not Verdict.NOT_ANALYSABLE
        return
    with pytest.raises(InputError, match=says):
        run_study(load_study(path))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('occasions = ["before", "after"]', "", "exactly one of occasions"),
        ('"before", "after"', '"before", "before"', "each name once"),
        ('occasions = ["before", "after"]', "days = [[0, 7], [3, 9]]", "range 2 begins before range 1 ends"),
        ('occasions = ["before", "after"]', "days = [[7, 0], [8, 9]]", "range 1 runs from 7 down to 0"),
        ("permutations = 999", 'dose = "dose"', "give group as well"),
        ("permutations = 999", 'test = "tobit"', 'correction = "holm" with test = "tobit"'),
        ("permutations = 999", "counted_from = 'second sample'", "counted_from goes with outcome"),
        ("permutations = 999", "responder = { percent = 20 }", "responder goes with outcome"),
        (
            "permutations = 999",
            'outcome = { event = "death" }\nresponder = { percent = 100 }',
            "no level falls by",
        ),
        (
            "permutations = 999",
            'outcome = { event = "death" }\ncounted_from = "second sample"',
            "goes with an outcome in columns",
        ),
        ("permutations = 999", 'outcome = { time = "days" }', "time and status go together"),
        ("permutations = 999", 'predictor = { covariate = "age" }', "give its analyte"),
        ("permutations = 999", 'group = "centre"', "'centre' is not declared under \\[covariates\\]"),
        ('unit = "pg/mL"', 'unit = "spoon"', "is no unit known here"),
        ("permutations = 999", "permutation = 999", "did you mean 'permutations'"),
    ],
)
def test_one_mistake_in_the_question_is_one_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in QUESTION
    path = study(tmp_path, rises(), question=QUESTION.replace(old, new))
    with pytest.raises(InputError, match=says) as raised:
        run_study(load_study(path))
    assert len(str(raised.value).splitlines()) == 1


def test_an_occasion_that_no_row_has_is_a_warning(tmp_path: Path) -> None:
    path = study(tmp_path, rises(), question=QUESTION.replace('"after"', '"week 4"'))
    result = run_study(load_study(path))
    assert any(f["code"] == "occasion-absent" for f in result.contents["issues"])
    assert result.question("change").verdict is Verdict.NOT_ANALYSABLE


def test_a_cohort_without_groups_is_one_group() -> None:
    rows = change_records((20, 20), np.random.default_rng(6))
    question = {k: v for k, v in CHANGE_QUESTION.items() if k != "group"}
    result = answer(rows.cohort([question])).question("change")
    assert [e.label for e in result.estimates if e.name == "change_ratio"] == ["sTNF-alpha"]


def test_an_unknown_group_column_says_so() -> None:
    rows = change_records((6, 6), np.random.default_rng(7))
    with pytest.raises(NotAnalysable, match="no column 'arm'"):
        judge(change_cohort(rows, group="arm"))


def test_a_model_without_a_maximum_is_said_and_the_tests_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search stopped after one step: no Tobit estimate, the reason in the table, rank tests as before."""
    cohort = change_cohort(change_records((20, 18), np.random.default_rng(4)))
    before = answer(cohort).question("change")
    assert any(e.name == "change_ratio_tobit" for e in before.estimates)
    monkeypatch.setattr("troughline.biomarker.maximum.MOST_STEPS", 1)
    after = answer(cohort).question("change")
    assert not any(e.name in ("change_ratio_tobit", "group_by_time") for e in after.estimates)
    assert "did not converge" in after.tables["between-groups"][0]["not computed"]
    first, second = (q.estimate("change_ratio", label="sTNF-alpha, A").p_value for q in (before, after))
    assert first == second


def test_a_unit_that_does_not_convert_leaves_out_its_marker_alone(tmp_path: Path) -> None:
    """IL-6 in pg/mL is answered; IL-8 in IU/mL is left out, and only that is said; so with a predictor."""
    other = [r.replace("IL-6", "IL-8").replace("pg/mL", "IU/mL") for r in rises()]
    both = QUESTION.replace('unit = "pg/mL" }]', 'unit = "pg/mL" }, { analyte = "IL-8", unit = "pg/mL" }]')
    result = run_study(load_study(study(tmp_path, rises() + other, question=both)))
    said = [f for f in result.contents["issues"] if f["code"] == "unit-not-convertible"]
    assert len(said) == 1
    assert said[0]["message"].endswith("does not convert to the question's pg/mL: this marker is left out")
    assert said[0]["column"] == "question change markers"
    question = result.question("change")
    assert question.estimate("change_ratio").n == 12
    assert [r["marker"] for r in question.tables["not-analysable"]] == ["IL-8"]
    held = QUESTION + 'predictor = { analyte = "IL-8", metric = "level", unit = "pg/mL" }\n'
    alone = run_study(load_study(study(tmp_path, rises() + other, question=held)))
    messages = [f["message"] for f in alone.contents["issues"] if f["code"] == "unit-not-convertible"]
    assert len(messages) == 1
    assert messages[0].endswith("no change is held against it")
    assert alone.question("change").estimate("change_ratio").n == 12
    assert "No exposure up to the later level: IL-6." in alone.question("change").summary


@pytest.mark.parametrize(
    ("limit", "n", "says"),
    [
        ("", 11, "row 2 (patient P0, 0) is left out, as no limit is stated"),
        ("1", 12, "row 2 (patient P0, 0) counts as below its limit of 1"),
    ],
)
def test_a_level_of_0_is_one_patients_trouble(tmp_path: Path, limit: str, n: int, says: str) -> None:
    """A reading of 0 at the first occasion of one patient: the other eleven are answered either way."""
    rows = rises()
    rows[0] = f"P0,0,IL-6,0,pg/mL,0,{limit},before"
    result = run_study(load_study(study(tmp_path, rows)))
    question = result.question("change")
    assert question.estimate("change_ratio").n == n
    assert any(f"IL-6: a level of 0 or less has no logarithm: {says}" in line for line in question.methods)
    assert any(f["code"] == "zero-value" and f["row"] == 2 for f in result.contents["issues"])
    if n == 11:
        assert {"patient": "P0", "reason": "a level of 0 has no logarithm: row 2"} in question.tables[
            "left-out"
        ]


def test_a_level_of_0_is_a_level_where_differences_are_asked_for(tmp_path: Path) -> None:
    rows = rises()
    rows[0] = "P0,0,IL-6,0,pg/mL,0,,before"
    path = study(tmp_path, rows, question=QUESTION + 'scale = "difference"\n')
    question = run_study(load_study(path)).question("change")
    assert question.estimate("change_difference").n == 12
    assert not any("no logarithm" in line for line in question.methods)
