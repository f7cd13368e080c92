"""Guards of interaction questions: each with its trap, and silent without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.cohorts import cohort_with_trap, judge
from benchmarks.interaction_cohorts import COVARIATES, QUESTION, asked, clean, predictive, rows_of

from troughline.cohort.cohort import Cohort
from troughline.response.guards.inference import holm
from troughline.response.guards.wording import p_value
from troughline.response.study import StudyResult, answer
from troughline.results import GuardFinding, GuardSeverity

N = 120


def finding(cohort: Cohort, guard_id: str) -> GuardFinding | None:
    return next((g for g in judge(cohort)[0].guards if g.id == guard_id), None)


def trap(guard_id: str, seed: int = 1) -> GuardFinding:
    found = finding(cohort_with_trap(guard_id, N, np.random.default_rng(seed)), guard_id)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def silent() -> set[str]:
    """Every guard that fires in the clean cohort: none."""
    return {g.id for g in judge(clean(N, np.random.default_rng(1)))[0].guards}


def drawn(**changes: Any) -> Cohort:
    rng = np.random.default_rng(2)
    return asked(rows_of(predictive(N, rng), rng), **changes)


def test_no_control_arm_fires_and_refuses_the_word_predictive() -> None:
    cohort = cohort_with_trap("no-control-arm", N, np.random.default_rng(1))
    result, _ = judge(cohort)
    assert result.verdict == "refused"
    assert "predictive" not in result.summary
    assert "prognostic answer" in result.summary
    assert result.estimate("prognostic_hazard_ratio").value is not None
    assert not [e for e in result.estimates if e.name == "interaction_ratio"]


def test_no_control_arm_is_silent_with_two_arms(silent: set[str]) -> None:
    assert "no-control-arm" not in silent


def test_one_subgroup_significant_fires_and_says_how_often_chance_does_it() -> None:
    found = trap("one-subgroup-significant")
    assert "The interaction has p = " in found.effect
    assert "% of studies" in found.effect


def test_one_subgroup_significant_is_silent_where_the_interaction_is_significant(silent: set[str]) -> None:
    assert "one-subgroup-significant" not in silent


def test_predictive_cut_searched_fires_with_the_corrected_p() -> None:
    assert "repeated in trials drawn without one" in trap("predictive-cut-searched").effect


def test_predictive_cut_searched_is_silent_at_a_cut_given_beforehand() -> None:
    cohort = drawn(predictor={"covariate": "score", "bands": [100.0], "bands_from": "elsewhere"})
    assert finding(cohort, "predictive-cut-searched") is None


def test_many_subgroups_fires_at_three_and_corrects() -> None:
    found = trap("many-subgroups")
    assert found.finding.startswith(
        "3 subgroupings were tested: by chance alone at least one is significant in 14 %"
    )
    assert "corrected for all" in found.effect


def test_many_subgroups_is_silent_with_two() -> None:
    assert finding(drawn(subgroups=["sex", "region"]), "many-subgroups") is None


def test_interaction_power_fires_with_what_could_have_been_seen() -> None:
    found = trap("interaction-power")
    assert "With 80 % power this study sees a ratio of" in found.finding


def test_interaction_power_is_silent_where_the_interaction_was_seen(silent: set[str]) -> None:
    assert "interaction-power" not in silent


def test_post_baseline_marker_fires_and_refuses() -> None:
    found = trap("post-baseline-marker")
    assert found.severity is GuardSeverity.REFUSAL
    assert "on day 28 (median)" in found.finding
    rng = np.random.default_rng(2)
    rows = rows_of(predictive(N, rng), rng)
    for patient in list(rows.patients)[::3]:
        rows.event(patient, 20, "dose reduction")
    group = finding(asked(rows, predictor={"event": "dose reduction"}), "post-baseline-marker")
    assert group is not None
    assert group.finding.startswith("The group “dose reduction” was known on day 20 (median)")


def test_post_baseline_marker_is_silent_for_a_sample_before_treatment() -> None:
    rng = np.random.default_rng(2)
    trial = predictive(N, rng)
    rows = rows_of(trial, rng)
    for i, patient in enumerate(rows.patients):
        for day, factor in ((0, 1.0), (28, 1.5)):
            level = 100 * factor * 2 ** float(trial.doublings[i])
            rows.level(patient, day, level, unit="pg/mL", analyte="ligand")
    marker = {"analyte": "ligand", "metric": "level", "unit": "pg/mL", "summary": "first"}
    assert finding(asked(rows, predictor=marker), "post-baseline-marker") is None


def test_arms_not_randomised_fires_and_names_what_differs() -> None:
    assert trap("arms-not-randomised").finding.startswith("The arms were not randomised.")
    rng = np.random.default_rng(3)
    trial = predictive(N, rng)
    rows = rows_of(trial, rng)
    for row in rows.patients.values():
        row["sex"] = "male" if row["arm"] == "sorafenib" else str(rng.choice(["female", "male"]))
    found = finding(asked(rows, randomised=None, adjust=["sex"]), "arms-not-randomised")
    assert found is not None
    assert "does not say whether" in found.finding
    assert "sex (" in found.finding
    assert found.severity is GuardSeverity.CAUTION
    assert ", adjusted " in found.effect


def test_arms_not_randomised_is_silent_where_they_were(silent: set[str]) -> None:
    assert "arms-not-randomised" not in silent


def test_arm_without_events_fires() -> None:
    assert trap("arm-without-events").finding == "Nobody in the arm sorafenib had the event."


def test_arm_without_events_is_silent_with_events_in_both(silent: set[str]) -> None:
    assert "arm-without-events" not in silent


def test_marker_partly_measured_fires_and_compares_those_without() -> None:
    found = trap("marker-partly-measured")
    assert "% of those measured had the event" in found.effect


def test_marker_partly_measured_is_silent_where_all_have_it(silent: set[str]) -> None:
    assert silent == set()


def test_joint_model_extrapolated_fires_with_both_days() -> None:
    found = trap("joint-model-extrapolated")
    assert found.effect.startswith("Median last sample day 21, median event day ")


def test_joint_model_extrapolated_is_silent_where_the_marker_was_followed() -> None:
    rng = np.random.default_rng(3)
    trial = predictive(N, rng)
    rows = rows_of(trial, rng)
    for i, patient in enumerate(rows.patients):
        for day in (0, 20, 40, 60, 90, 120, 160, 220, 300, 400, 600, 800):
            level = 100 * 2 ** float(trial.doublings[i]) * np.exp(0.2 * rng.normal())
            if day <= trial.day[i]:
                rows.level(patient, day, float(level), unit="pg/mL", analyte="ligand")
    marker = {"analyte": "ligand", "metric": "level", "unit": "pg/mL", "summary": "first"}
    result = judge(asked(rows, predictor=marker, over_time="joint"))[0]
    assert [e for e in result.estimates if e.method == "guarded: joint model"]
    assert "joint-model-extrapolated" not in {g.id for g in result.guards}


def with_questions(*markers: dict[str, Any], **changes: Any) -> StudyResult:
    """One trial of 120 patients with an interaction question a marker."""
    rng = np.random.default_rng(3)
    made = rows_of(predictive(N, rng), rng)
    asked_of = [
        {k: v for k, v in {**QUESTION, "id": f"q{i}", "predictor": m, **changes}.items() if v is not None}
        for i, m in enumerate(markers)
    ]
    return answer(made.cohort(asked_of, covariates=COVARIATES))


def test_multiplicity_counts_the_interaction_of_each_question_and_corrects_it_by_holm() -> None:
    """A number, its cut searched (the corrected p counts), and a category: three tests of one study."""
    study = with_questions(
        {"covariate": "score"}, {"covariate": "score", "bands": "optimal"}, {"covariate": "sex"}
    )
    names = {"q0": "interaction_ratio", "q1": "interaction_cut_p", "q2": "interaction_ratio"}
    p = {q: study.question(q).estimate(name).p_value or 0.0 for q, name in names.items()}
    corrected = holm(p)
    for question_id in names:
        found = next(g for g in study.question(question_id).guards if g.id == "multiplicity")
        assert found.finding.startswith("This study has 3 questions with a test each")
        assert p_value(corrected[question_id]) in found.effect
        lost = p[question_id] < 0.05 <= corrected[question_id]
        assert found.severity is (GuardSeverity.CAUTION if lost else GuardSeverity.NOTE)


def test_multiplicity_is_silent_for_two_interactions_and_counts_none_without_a_control_arm() -> None:
    two = with_questions({"covariate": "score"}, {"covariate": "sex"})
    assert all(g.id != "multiplicity" for q in two.questions for g in q.guards)
    rng = np.random.default_rng(3)
    made = rows_of(predictive(N, rng), rng)
    for row in made.patients.values():
        row["arm"] = "sorafenib"
    questions = [
        {**QUESTION, "id": f"q{i}", "predictor": {"covariate": m}}
        for i, m in enumerate(("score", "sex", "region"))
    ]
    for q in questions:
        del q["control"]
    one_arm = answer(made.cohort(questions, covariates=COVARIATES))
    assert all(g.id != "multiplicity" for q in one_arm.questions for g in q.guards)
