"""Rules of the question runners: what decides an outcome, what a level may follow, what the columns hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.cohorts import COVARIATES, draw_truth, question, records
from benchmarks.simulated_records import Records

from troughline.cohort.outcomes import response_outcome
from troughline.response.study import answer as answer_study
from troughline.results import Estimate, QuestionResult

RESPONSE = {"response": ["CR", "PR"], "or_stable_for_days": 90}


def base(seed: int = 1, n: int = 60) -> Records:
    rng = np.random.default_rng(seed)
    return records(draw_truth(n, rng), rng)


def answer(rows: Records, kind: str, **changes: Any) -> QuestionResult:
    return answer_study(rows.cohort([question(kind, **changes)], covariates=COVARIATES)).questions[0]


def all_of(result: QuestionResult, name: str, start: str) -> list[Estimate]:
    return [e for e in result.estimates if e.name == name and e.method.startswith(start)]


def test_a_response_after_progression_does_not_count_and_is_reported() -> None:
    rows = Records()
    for patient in ("A", "B"):
        rows.patients[patient] = {"albi": -2.0}
    for patient, first, second in (("A", "PD", "PR"), ("B", "PR", "PD")):
        rows.event(patient, 30, "response", response=first, criterion="mRECIST")
        rows.event(patient, 200, "response", response=second, criterion="mRECIST")
        rows.event(patient, 400, "last contact")
    cohort = rows.cohort([question("threshold")], covariates=COVARIATES)
    found = response_outcome(cohort, ("CR", "PR"), 90.0)
    assert found.happened == {"A": False, "B": True}
    assert found.decided_day == {"A": 30.0, "B": 30.0}
    assert found.notes == ("A response recorded after progression does not count (1 patients).",)


def test_a_level_drawn_after_progression_is_not_used_for_the_response() -> None:
    """The non-responders progress on day 10; their only level is drawn on day 14."""
    rows = base()
    benefit = {e["patient"] for e in rows.events if e["response"] == "PR"}
    for patient in rows.patients:
        if patient not in benefit:
            rows.event(patient, 10, "progression")
    rows.events = [e for e in rows.events if e["response"] != "SD"]
    result = answer(rows, "threshold", outcome=RESPONSE)
    # None of the non-responders has a level from before: there is nothing to tell apart.
    assert result.verdict == "not analysable"
    assert "and 0 without" in result.summary


def test_guarded_incidence_counts_from_the_landmark_and_has_no_interval_at_its_ends() -> None:
    rows = base(n=80)
    for i, patient in enumerate(rows.patients):
        if i % 3 == 0:
            rows.event(patient, 40 + i, "progression")
    result = answer(
        rows, "survival", predictor={"bands": [2.0, 4.0], "bands_from": "elsewhere"},
        outcome={"event": "progression"}, competing="death", landmark_days=30,
    )  # fmt: skip
    guarded = all_of(result, "cumulative_incidence", "guarded")
    assert guarded
    for e in guarded:
        assert "landmark on day 30" in e.method
        assert "death competing" in e.method
        assert (e.low is None) == (e.value in (0.0, 1.0))
    assert all("1 − Kaplan–Meier" in e.method for e in all_of(result, "cumulative_incidence", "as-published"))
    assert result.series["cumulative_incidence"]["origin"] == "the landmark on day 30"


def test_nothing_left_after_the_landmark_is_not_analysable_but_shows_the_published_column() -> None:
    rows = base(n=40)
    last = sorted(e["day"] for e in rows.events if e["event"] == "death")[-2]
    result = answer(rows, "survival", predictor={"response": ["CR", "PR"]}, landmark_days=last)
    assert result.verdict == "not analysable"
    assert result.summary.startswith("Not analysable: ")
    assert all_of(result, "hazard_ratio", "as-published")


def test_dose_in_force_can_be_adjusted_for() -> None:
    rows = base(n=100)
    for dose in rows.doses[::2]:
        dose["amount_mg"] = 200.0
    result = answer(rows, "curve", adjust=["albi", "dose"])
    adjusted = [e for e in all_of(result, "odds_ratio", "guarded") if "adjusted" in e.label]
    assert [e.label for e in adjusted] == ["per doubling, adjusted for ALBI score, dose"]


def test_a_covariate_that_does_not_vary_is_left_out_and_named() -> None:
    rows = base(n=100)
    for row in rows.patients.values():
        row["site"] = 1.0
    cohort = rows.cohort(
        [question("curve", adjust=["albi", "site"])], covariates={**COVARIATES, "site": {"unit": "1"}}
    )
    result = answer_study(cohort).questions[0]
    assert "Adjustment: site does not vary here and is left out." in result.methods


def test_patients_without_a_covariate_are_listed_with_that_reason() -> None:
    rows = base(n=100)
    for patient in list(rows.patients)[:10]:
        rows.patients[patient]["albi"] = np.nan
    result = answer(rows, "curve", adjust=["albi"])
    left_out = {r["patient"]: r["reason"] for r in result.tables["left-out"]}
    assert len(left_out) == 10
    assert set(left_out.values()) == {"an adjusting covariate is missing"}


@pytest.mark.parametrize(("every", "there"), [(2, True), (8, False)])
def test_a_level_that_changes_over_time_needs_repeated_samples(every: int, there: bool) -> None:
    """One patient in two has a second trough, then one in eight: under the fifth that is asked for."""
    rows = base(n=80)
    rng = np.random.default_rng(4)
    for i, level in enumerate(list(rows.measurements)):
        if i % every == 0:
            rows.level(level["patient"], 60, level["value"] * np.exp(0.3 * rng.standard_normal()))
    result = answer(rows, "survival")
    found = [e for e in all_of(result, "hazard_ratio", "guarded") if "current level" in e.label]
    assert bool(found) is there


def test_a_refused_cut_has_no_value_anywhere_in_the_guarded_column() -> None:
    result = answer(base(seed=3, n=30), "threshold", optimise=True, at=[])
    assert result.verdict == "refused"
    guarded = all_of(result, "threshold", "guarded")
    assert len(guarded) == 3
    assert [e.value for e in guarded] == [None, None, None]


def test_searched_bands_headline_the_continuous_ratio_and_mark_the_groups() -> None:
    result = answer(base(seed=2, n=74), "survival", predictor={"bands": "optimal"})
    grouped = [e for e in all_of(result, "hazard_ratio", "guarded") if " vs " in e.label]
    assert grouped
    assert all("searched in these data" in e.method for e in grouped)
    assert "per doubling" in result.summary
    corrected = next(e for e in all_of(result, "threshold", "guarded") if e.p_value is not None)
    dipping = next(g for g in result.guards if g.id == "double-dipping")
    assert corrected.p_value is not None
    assert f"p = {corrected.p_value:.2g}" in dipping.effect


def test_a_predictor_that_is_the_same_in_everybody_is_not_analysable() -> None:
    rows = base(n=40)
    for level in rows.measurements:
        level["value"] = 2.5
    for kind in ("threshold", "survival"):
        assert answer(rows, kind).verdict == "not analysable"


def test_a_question_that_fails_to_compute_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ArithmeticError("the ground gave way")

    monkeypatch.setattr("troughline.response.curve.fit_curve", fail)
    cohort = base().cohort([question("curve"), question("survival")], covariates=COVARIATES)
    curve, survival = answer_study(cohort).questions
    assert curve.verdict == "not analysable"
    assert "the ground gave way" in curve.summary
    assert survival.verdict == "answered"
