"""A marker below its limit in an interaction question: a group of its own, never half the limit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from benchmarks.interaction_cohorts import asked, predictive, rows_of

from troughline.biomarker.endpoint import Endpoint
from troughline.biomarker.treatment_by_marker import treatment_by_marker
from troughline.response.study import answer
from troughline.results import Estimate, GuardFinding, GuardSeverity, QuestionResult

N, LIMIT = 240, 80.0
MARKER = {"analyte": "ligand", "metric": "level", "unit": "pg/mL", "summary": "first"}


def cohort(limit: float, *, substituted: float | None = None, **changes: Any) -> QuestionResult:
    """The ligand before treatment; below `limit` as such, or with `substituted` written in its place."""
    rng = np.random.default_rng(5)
    trial = predictive(N, rng)
    rows = rows_of(trial, rng)
    for i, patient in enumerate(rows.patients):
        value = 100 * 2 ** float(trial.doublings[i])
        low = value < limit
        if low and substituted is not None:
            value = substituted
        below = low and substituted is None
        rows.level(patient, 0, value, unit="pg/mL", analyte="ligand", limit=limit, below=below)
    return answer(asked(rows, predictor=MARKER, **changes)).questions[0]


def guarded(result: QuestionResult, name: str) -> list[Estimate]:
    return [e for e in result.estimates if e.name == name and e.method.startswith("guarded")]


def fired(result: QuestionResult) -> GuardFinding | None:
    return next((g for g in result.guards if g.id == "marker-below-limit"), None)


def test_the_guarded_answer_does_not_depend_on_what_stands_for_a_level_below_the_limit() -> None:
    """The slope is that of the quantified levels, the rest a group: as the regression by hand has them."""
    rng = np.random.default_rng(5)
    trial = predictive(N, rng)
    result = cohort(LIMIT)
    low = 100 * 2**trial.doublings < LIMIT
    x = np.where(low, trial.doublings[~low].mean(), trial.doublings)
    by_hand = treatment_by_marker(
        Endpoint(kind="survival", time=trial.day, event=trial.died), trial.treated,
        np.column_stack((x, low)).astype(float), ("x", "low"),
    )  # fmt: skip
    slope, group = guarded(result, "interaction_ratio")
    assert slope.value == pytest.approx(math.exp(by_hand.interaction[0].value), rel=1e-6)
    assert group.value == pytest.approx(math.exp(by_hand.interaction[1].value), rel=1e-6)
    assert group.label.endswith("below its limit (80.0 pg/mL) against the mean level quantified")
    (test,) = guarded(result, "interaction_test")
    assert test.label == "slope and below its limit, 2 degrees of freedom"
    assert test.p_value == pytest.approx(by_hand.p_value, rel=1e-6)
    assert "slope and below its limit, 2 degrees of freedom, p" in result.summary


def test_no_effect_is_stated_at_half_the_limit() -> None:
    result = cohort(LIMIT)
    labels = [e.label for e in guarded(result, "treatment_hazard_ratio")]
    assert labels[0] == "ligand level below its limit (80.0 pg/mL)"
    assert all("where quantified" in label for label in labels[1:])
    quantified = result.estimate("stepp_test").n
    assert quantified is not None
    assert quantified < N
    assert min(result.series["stepp"]["start"]) >= LIMIT
    assert min(result.series["polynomial"]["marker"]) >= LIMIT
    assert len(guarded(result, "rmst_interaction")) == 2


def test_the_guard_says_how_many_and_the_methods_how() -> None:
    found = fired(cohort(LIMIT))
    assert found is not None
    assert found.severity is GuardSeverity.CAUTION
    assert "lie below its limit (80.0 pg/mL)" in found.finding
    assert "a group of their own in the models" in found.effect


def test_the_guard_is_silent_where_every_level_is_quantified() -> None:
    assert fired(cohort(0.1)) is None


def test_a_few_below_the_limit_are_left_out_and_listed() -> None:
    rng = np.random.default_rng(5)
    levels = np.sort(100 * 2 ** predictive(N, rng).doublings)
    result = cohort(float(levels[4]) * 1.0001)
    found = fired(result)
    assert found is not None
    assert found.severity is GuardSeverity.NOTE
    assert "they are left out" in found.effect
    reasons = [r["reason"] for r in result.tables["left-out"]]
    assert len(reasons) == 5
    assert all(r.startswith("the level is below its limit") for r in reasons)
    assert len(guarded(result, "interaction_ratio")) == 1


def test_a_marker_quantified_in_few_is_compared_as_two_groups() -> None:
    rng = np.random.default_rng(5)
    levels = np.sort(100 * 2 ** predictive(N, rng).doublings)
    result = cohort(float(levels[-6]))
    found = fired(result)
    assert found is not None
    assert "two groups" in found.effect
    (ratio,) = guarded(result, "interaction_ratio")
    assert "quantified against below its limit" in ratio.label


def test_a_median_that_is_half_the_limit_parts_at_the_limit() -> None:
    result = cohort(130.0)
    halves = [e.label for e in result.estimates if e.method.startswith("as-published")]
    assert halves == ["ligand level below its limit", "ligand level quantified"]


def test_without_a_control_arm_the_prognostic_answer_has_the_group_too() -> None:
    rng = np.random.default_rng(5)
    trial = predictive(N, rng)
    rows = rows_of(trial, rng)
    for i, patient in enumerate(rows.patients):
        value = 100 * 2 ** float(trial.doublings[i])
        rows.patients[patient]["arm"] = "sorafenib"
        rows.level(patient, 0, value, unit="pg/mL", analyte="ligand", limit=LIMIT, below=value < LIMIT)
    result = answer(asked(rows, predictor=MARKER, control=None, treated=None)).questions[0]
    assert len(guarded(result, "prognostic_hazard_ratio")) == 2
    assert fired(result) is not None


def test_an_all_quantified_marker_is_answered_as_before() -> None:
    """Half the limit written as if measured is another answer: the guard cannot know it."""
    whole, written = cohort(0.1), cohort(LIMIT, substituted=LIMIT / 2)
    assert len(guarded(whole, "interaction_ratio")) == len(guarded(written, "interaction_ratio")) == 1
    assert (
        guarded(written, "interaction_ratio")[0].value != guarded(cohort(LIMIT), "interaction_ratio")[0].value
    )
