"""Markers of several levels, stated cuts, who is measured: every level named, nothing put in its place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from benchmarks.interaction_cohorts import QUESTION, asked, draw, predictive, rows_of

from troughline.biomarker.endpoint import Endpoint
from troughline.biomarker.treatment_by_marker import detectable, treatment_by_marker
from troughline.report.cards import card_numbers
from troughline.response.study import answer
from troughline.results import QuestionResult

N = 240
STAGES: dict[str, Any] = {"stage": {"levels": ["A", "B", "C"], "ordered": True}, "score": {"unit": "1"}}


def staged(*, ordered: bool = True, rare: bool = False, interaction: float = 0.0) -> QuestionResult:
    """A trial with a stage of three levels, cut from the marker; C holds one in twelve where `rare`."""
    rng = np.random.default_rng(8)
    trial = draw(N, rng, interaction=interaction)
    rows = rows_of(trial, rng)
    edges = np.quantile(trial.doublings, [0.5, 11 / 12] if rare else [1 / 3, 2 / 3])
    for row, x in zip(rows.patients.values(), trial.doublings.tolist(), strict=True):
        row["stage"] = "ABC"[int(np.digitize(x, edges))]
    covariates = {**STAGES, "stage": {**STAGES["stage"], "ordered": ordered}}
    cohort = rows.cohort([{**QUESTION, "predictor": {"covariate": "stage"}}], covariates=covariates)
    return answer(cohort).questions[0]


def test_the_answer_names_the_joint_test_and_every_contrast() -> None:
    summary = staged().summary
    assert "stage: all levels, 2 degrees of freedom, p = " in summary
    assert "(B against A)" in summary
    assert "(C against A)" in summary
    assert "prognostic: all levels, 2 degrees of freedom, p " in summary


def test_the_card_shows_the_joint_test_and_no_single_contrast() -> None:
    from dataclasses import asdict

    result = asdict(staged())
    names = [n.name for n in card_numbers(result)]
    assert any("all levels" in n for n in names)
    assert not any("against" in n for n in names)


def test_ordered_levels_have_a_trend_of_one_degree_of_freedom() -> None:
    """The same as a regression on the ranks 0, 1, 2."""
    result = staged(interaction=-0.6)
    rng = np.random.default_rng(8)
    trial = draw(N, rng, interaction=-0.6)
    rank = np.digitize(trial.doublings, np.quantile(trial.doublings, [1 / 3, 2 / 3])).astype(float)
    endpoint = Endpoint(kind="survival", time=trial.day, event=trial.died)
    by_hand = treatment_by_marker(endpoint, trial.treated, rank, ("rank",))
    trend = result.estimate("interaction_trend")
    assert trend.value == pytest.approx(math.exp(by_hand.interaction[0].value), rel=1e-6)
    assert trend.label == "per step of A < B < C"
    assert "trend" in result.summary
    assert not [e for e in staged(ordered=False).estimates if e.name == "interaction_trend"]


def test_prognosis_is_tested_for_all_levels_at_once_as_the_likelihood_ratio_has_it() -> None:
    from scipy.stats import chi2

    rng = np.random.default_rng(9)
    trial = draw(N, rng, interaction=0.3)
    endpoint = Endpoint(kind="survival", time=trial.day, event=trial.died)
    code = np.digitize(trial.doublings, [-0.5, 0.5])
    m = np.column_stack((code == 1, code == 2)).astype(float)
    a = trial.treated.astype(float)[:, np.newaxis]
    full = endpoint.regress(np.column_stack((a, m, a * m)), list("abcde")).log_likelihood
    less = endpoint.regress(np.column_stack((a, a * m)), list("abc")).log_likelihood
    found = treatment_by_marker(endpoint, trial.treated, m, ("B", "C"))
    assert found.p_prognostic == pytest.approx(float(chi2.sf(2 * (full - less), 2)), rel=1e-9)


def test_power_is_that_of_the_level_hardest_to_tell_apart() -> None:
    result = staged(rare=True)
    (guard,) = [g for g in result.guards if g.id == "interaction-power"]
    assert "between stage C and A" in guard.finding
    ratio = [e for e in result.estimates if e.name == "interaction_ratio"][1]
    assert ratio.value is not None
    assert ratio.low is not None
    assert ratio.high is not None
    error = math.log(ratio.high / ratio.low) / (2 * 1.959964)
    assert f"a ratio of {math.exp(detectable(error)):.2f}" in guard.finding
    assert f"{ratio.value:.2f} (" in guard.effect


def test_power_of_levels_is_silent_where_the_interaction_was_seen() -> None:
    result = staged(interaction=-1.2)
    assert not [g for g in result.guards if g.id == "interaction-power"]


def test_a_stated_cut_with_everybody_on_one_side_is_said_and_not_replaced() -> None:
    rng = np.random.default_rng(2)
    rows = rows_of(predictive(N, rng), rng)
    for cut, where in ((100_000.0, "below"), (0.001, "at or above")):
        bands = {"covariate": "score", "bands": [cut], "bands_from": "elsewhere"}
        result = answer(asked(rows, predictor=bands)).questions[0]
        assert not [e for e in result.estimates if e.method.startswith("as-published")]
        assert f"all {N} patients lie {where} the stated cut" in " ".join(result.methods)
        assert result.estimate("interaction_ratio").value is not None


def test_those_without_the_marker_are_compared_at_one_time_with_a_log_rank_test() -> None:
    """Without the marker everybody was followed half as long at the same hazard: the risks agree."""
    rng = np.random.default_rng(4)
    trial = predictive(600, rng)
    unmeasured = np.arange(600) % 3 == 0
    short = unmeasured & (trial.day > 120)
    trial.day[short], trial.died[short] = 120.0, False
    rows = rows_of(trial, rng)
    for lost, row in zip(unmeasured.tolist(), rows.patients.values(), strict=True):
        row["score"] = math.nan if lost else row["score"]
    result = answer(asked(rows)).questions[0]
    (guard,) = [g for g in result.guards if g.id == "marker-partly-measured"]
    assert guard.effect.startswith("By 3.94 months ")
    assert "(Kaplan–Meier, log-rank p = " in guard.effect
    one, other = (int(w) for w in guard.effect.split() if w.isdigit())
    assert abs(one - other) <= 6
    crude = [float(trial.died[rows].mean()) for rows in (~unmeasured, unmeasured)]
    assert crude[0] - crude[1] > 0.3


def test_later_samples_in_the_as_published_value_are_noted() -> None:
    rng = np.random.default_rng(2)
    trial = predictive(N, rng)
    rows = rows_of(trial, rng)
    for i, patient in enumerate(rows.patients):
        for day in (0, 28):
            rows.level(patient, day, 100 * 2 ** float(trial.doublings[i]), unit="pg/mL", analyte="ligand")
    marker = {"analyte": "ligand", "metric": "level", "unit": "pg/mL"}
    (found,) = [
        g for g in answer(asked(rows, predictor=marker)).questions[0].guards if g.id == "post-baseline-marker"
    ]
    assert found.severity == "note"
    assert f"drawn after treatment began in {N} patients" in found.finding
    first = answer(asked(rows, predictor={**marker, "summary": "first"})).questions[0]
    assert "post-baseline-marker" not in {g.id for g in first.guards}
