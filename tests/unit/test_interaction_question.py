"""The interaction question through its runner: both columns, three endpoints, bad input as one sentence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from benchmarks.interaction_cohorts import QUESTION, asked, predictive, rows_of
from benchmarks.simulated_records import Records
from pydantic import ValidationError

from troughline.cohort.cohort import Cohort
from troughline.cohort.question_interaction import InteractionQuestion
from troughline.response.study import answer
from troughline.results import QuestionResult, Verdict

N = 160


def rows(seed: int = 1) -> Records:
    rng = np.random.default_rng(seed)
    return rows_of(predictive(N, rng), rng)


def result(cohort: Cohort) -> QuestionResult:
    return answer(cohort).questions[0]


def test_both_columns_stand_beside_one_another() -> None:
    """As published: two halves with a p each; guarded: the interaction, absolute too, STEPP, polynomial."""
    found = result(asked(rows(), subgroups=["sex", "region"]))
    halves = [
        e
        for e in found.estimates
        if e.method.startswith("as-published") and e.name == "treatment_hazard_ratio"
    ]
    assert len(halves) == 2
    assert all(e.p_value is not None for e in halves)
    assert found.estimate("interaction_ratio").value is not None
    for name in ("rmst_interaction", "stepp_test", "polynomial_interaction_test", "prognostic_hazard_ratio"):
        assert found.estimate(name)
    assert "(predictive)" in found.summary
    assert {r["factor"] for r in found.tables["subgroups"]} == {"sex", "region"}
    raw, shrunken = ([math.log(r[k]) for r in found.tables["subgroups"]] for k in ("raw", "shrunken"))
    assert np.ptp(shrunken) < np.ptp(raw)


def test_the_same_cohort_gives_the_same_bytes_whatever_stands_before_it() -> None:
    made = rows()
    one = result(asked(made))
    other = made.cohort(
        [{**QUESTION, "id": "first", "draws": 300}, QUESTION],
        covariates={k: v.model_dump(exclude_none=True) for k, v in asked(made).covariates.items()},
    )
    again = answer(other).questions[1]
    assert again.estimates == one.estimates


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"outcome": {"event": "death", "within_days": 200}}, "interaction_ratio"),
        ({"outcome": None, "value": "shrinkage"}, "interaction_difference"),
    ],
)
def test_a_yes_no_outcome_and_a_number_are_endpoints_too(changes: dict[str, Any], name: str) -> None:
    made = rows()
    rng = np.random.default_rng(2)
    for row in made.patients.values():
        row["shrinkage"] = float(rng.normal())
    question = {k: v for k, v in {**QUESTION, **changes}.items() if v is not None}
    cohort = made.cohort(
        [question],
        covariates={"score": {"unit": "1"}, "shrinkage": {"unit": "1"}},
    )
    found = result(cohort)
    assert found.estimate(name).value is not None
    assert found.series["stepp"]["scale"] in ("risk difference", "difference")


def test_a_category_of_three_levels_is_tested_at_once() -> None:
    made = rows()
    for k, row in enumerate(made.patients.values()):
        row["stage"] = "ABC"[k % 3]
    cohort = made.cohort(
        [{**QUESTION, "predictor": {"covariate": "stage"}}], covariates={"stage": {"levels": ["A", "B", "C"]}}
    )
    found = result(cohort)
    assert found.estimate("interaction_test").label == "all levels, 2 degrees of freedom"
    assert len([e for e in found.estimates if e.name == "interaction_ratio"]) == 2


def test_a_marker_over_time_is_prognostic_by_landmark_and_by_joint_model() -> None:
    rng = np.random.default_rng(3)
    trial = predictive(N, rng)
    made = rows_of(trial, rng)
    for i, patient in enumerate(made.patients):
        for day in (0, 15, 30):
            level = 100 * 2 ** float(trial.doublings[i]) * math.exp(0.2 * rng.normal())
            made.level(patient, day, level, unit="pg/mL", analyte="ligand")
    marker = {"analyte": "ligand", "metric": "level", "unit": "pg/mL"}
    by_landmark = result(asked(made, predictor=marker, over_time="landmark", landmark_days=30))
    labels = {e.label for e in by_landmark.estimates if "landmark" in e.method}
    assert labels == {"change by day 30, per doubling", "first value, per doubling"}
    joint = result(asked(made, predictor=marker, over_time="joint"))
    assert [e for e in joint.estimates if e.method == "guarded: joint model"], joint.methods


def test_deaths_of_another_cause_compete_within_the_class() -> None:
    made = rows()
    rng = np.random.default_rng(4)
    for row in made.events:
        if row["event"] == "death":
            row["term"] = str(rng.choice(["tumour", "liver"], p=[0.7, 0.3]))
    cohort = asked(
        made, outcome={"event": "death", "term": "tumour"}, competing="death", liver_class="invasion",
        horizon_days=365,
    )  # fmt: skip
    found = result(cohort)
    assert {r["cause"] for r in found.tables["incidence-by-class"]} == {"tumour", "death: liver"}
    for label in ("invasion no", "invasion yes"):
        for name in ("treatment_hazard_ratio", "treatment_subdistribution_ratio"):
            assert [
                e for e in found.estimates if e.name == name and e.label == label and "within" in e.method
            ]
    for name in ("subdistribution_interaction_ratio", "cause_specific_interaction_ratio"):
        ratio = found.estimate(name)
        assert ratio.label == "invasion yes against no"
        assert ratio.low is not None
        assert ratio.high is not None
        assert ratio.value is not None
        assert ratio.low < ratio.value < ratio.high
        assert ratio.p_value is not None
    both = {(e.label, e.method[:2]): e.value for e in found.estimates if e.name == "cumulative_incidence"}
    for (label, column), value in both.items():
        if column == "gu":
            naive = both[label, "as"]
            assert value is not None
            assert naive is not None
            assert naive >= value - 1e-12


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown control": (
        {"control": "nothing"},
        "control = 'nothing' is no arm of the patients table; its arms are: placebo, sorafenib",
    ),
    "unknown treated": ({"treated": "regorafenib"}, "treated = 'regorafenib' is no arm"),
    "control not named": ({"control": None}, "the arms are placebo, sorafenib: name the one to compare with"),
    "subgroup not a category": ({"subgroups": ["score"]}, "subgroups: 'score' is no covariate with levels"),
    "outcome that never happens": ({"outcome": {"event": "progression"}}, "no patient had"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_verdict_with_one_sentence(case: str) -> None:
    changes, words = BAD[case]
    found = result(asked(rows(), **changes))
    assert found.verdict is Verdict.NOT_ANALYSABLE
    assert words in found.summary


def test_a_constant_marker_is_not_analysable() -> None:
    made = rows()
    for row in made.patients.values():
        row["score"] = 3.0
    found = result(asked(made))
    assert found.verdict is Verdict.NOT_ANALYSABLE
    assert "score is the same in every patient" in found.summary


def test_one_arm_named_as_control_says_which_arms_there_are() -> None:
    made = rows()
    for row in made.patients.values():
        row["arm"] = "sorafenib"
    found = result(asked(made))
    assert found.verdict is Verdict.NOT_ANALYSABLE
    assert "control = 'placebo' is no arm of the patients table; its arms are: sorafenib" in found.summary


def test_an_arm_without_events_is_not_analysable_and_the_halves_still_show() -> None:
    made = rows()
    for row in made.events:
        if made.patients[row["patient"]]["arm"] == "sorafenib":
            row["event"] = "last contact"
    found = result(asked(made))
    assert found.verdict is Verdict.NOT_ANALYSABLE
    assert "nobody in the arm sorafenib had “death”" in found.summary
    assert [g.id for g in found.guards] == ["arm-without-events"]


def test_a_cut_that_cannot_be_searched_is_said_and_the_median_shown() -> None:
    """Nobody treated has the event: treatment has no finite estimate, so no cut is better than another."""
    made = rows()
    for row in made.events:
        if made.patients[row["patient"]]["arm"] == "sorafenib":
            row["event"] = "last contact"
    found = result(asked(made, predictor={"covariate": "score", "bands": "optimal"}))
    assert found.verdict is Verdict.NOT_ANALYSABLE
    assert "nobody in the arm sorafenib had “death”" in found.summary
    assert not [e for e in found.estimates if e.name == "interaction_cut_p"]
    assert any(m.startswith("The cut could not be searched (") for m in found.methods)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outcome": None}, "exactly one of outcome"),
        ({"value": "score"}, "exactly one of outcome"),
        ({"control": "sorafenib"}, "name two arms"),
        ({"over_time": "joint"}, "give the predictor as an analyte"),
        ({"landmark_days": 30}, "landmark_days goes with"),
        ({"signature": ["score"]}, "two covariates or more"),
        ({"liver_class": "child_pugh_class"}, "needs competing"),
        ({"competing": "death"}, "cannot compete with itself"),
        ({"predictor": {"covariate": "score", "bands": "tertiles"}}, "splits at one cut"),
        ({"outcome": {"column": "x", "equals": "1"}, "rmst_days": 100}, "needs a time to an event"),
    ],
)  # fmt: skip
def test_a_question_that_contradicts_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    question = {k: v for k, v in {**QUESTION, **changes}.items() if v is not None}
    with pytest.raises(ValidationError, match=words):
        InteractionQuestion.model_validate(question)
