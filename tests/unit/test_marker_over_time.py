"""A marker followed over time: everybody counted at the landmark, the joint model with every sample."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from benchmarks.interaction_cohorts import QUESTION, Trial, asked, draw, rows_of
from benchmarks.simulated_records import Records
from pydantic import ValidationError

from troughline.cohort.question_interaction import InteractionQuestion
from troughline.response.study import answer
from troughline.results import QuestionResult

N = 160
MARKER = {"analyte": "ligand", "metric": "level", "unit": "pg/mL", "summary": "first"}


def measured(days: tuple[float, ...], *, early_deaths: int = 0) -> tuple[Records, Trial]:
    """A trial with the ligand on `days`, as long as the patient lives; the first ones die on day 10."""
    rng = np.random.default_rng(3)
    trial = draw(N, rng, interaction=0.0)
    trial.day[:early_deaths] = 10.0
    trial.died[:early_deaths] = True
    rows = rows_of(trial, rng)
    for i, patient in enumerate(rows.patients):
        for day in days:
            level = 100 * 2 ** float(trial.doublings[i]) * math.exp(0.2 * rng.normal())
            if day < trial.day[i]:
                rows.level(patient, day, level, unit="pg/mL", analyte="ligand")
    return rows, trial


def by_landmark(rows: Records, **changes: Any) -> QuestionResult:
    cohort = asked(rows, predictor=MARKER, over_time="landmark", landmark_days=28, **changes)
    return answer(cohort).questions[0]


def said(result: QuestionResult) -> str:
    return " ".join(result.methods)


def test_who_died_before_the_later_sample_is_counted_as_dead() -> None:
    rows, _ = measured((0, 28), early_deaths=20)
    result = by_landmark(rows)
    (change,) = [e for e in result.estimates if e.label.startswith("change by day 28")]
    assert change.n == N - 20
    assert change.note == "20 had the event before"
    assert f"Of {N} patients 20 had the event by day 28, 0 were last seen by then" in said(result)


def test_who_has_no_later_sample_is_counted_alive() -> None:
    rows, _ = measured((0, 28))
    rows.measurements = [m for m in rows.measurements if not (m["patient"] <= "I0007" and m["day"] == 28)]
    assert "7 none from day 21 to 28" in said(by_landmark(rows))


def test_an_early_sample_is_no_change_by_the_landmark() -> None:
    rows, _ = measured((0, 1))
    result = by_landmark(rows)
    assert not [e for e in result.estimates if "landmark" in e.method]
    assert f"{N} none from day 21 to 28" in said(result)
    widened = by_landmark(rows, landmark_window_days=27)
    assert [e for e in widened.estimates if "landmark" in e.method]


def test_a_change_with_a_level_below_its_limit_is_left_out_and_counted() -> None:
    rows, trial = measured((0, 28))
    for row in rows.measurements:
        row["limit"] = 60.0
        if row["value"] < 60:
            row["below_limit"], row["value"] = True, math.nan
    patients = {m["patient"] for m in rows.measurements if m["below_limit"]}
    result = by_landmark(rows)
    assert f"{len(patients)} a level below its limit; {N - len(patients)} are compared" in said(result)
    (guard,) = [g for g in result.guards if g.id == "marker-below-limit"]
    assert f"{len(patients)} changes by the landmark have a level below its limit" in guard.finding
    assert trial.day.min() > 28


def joint(rows: Records, **changes: Any) -> QuestionResult:
    return answer(asked(rows, predictor=MARKER, over_time="joint", **changes)).questions[0]


def test_a_sample_before_day_0_stays_in_the_joint_model() -> None:
    rows, trial = measured((-3, 14, 28))
    (found,) = [e for e in joint(rows).estimates if e.label.startswith("current true value")]
    assert f"{3 * N} measurements" in found.note
    assert trial.day.min() > 28
    two, _ = measured((-3, 28))
    assert [e for e in joint(two).estimates if e.method == "guarded: joint model"]


def test_the_joint_model_does_not_deny_samples_that_exist() -> None:
    rows, _ = measured((0,))
    for patient in list(rows.patients)[:9]:
        rows.level(patient, 5000, 100.0, unit="pg/mL", analyte="ligand")
    text = said(joint(rows))
    assert f"{N} samples of {N} patients up to the end of follow-up, no two of one; 9 later samples" in text
    assert "nobody was measured twice" not in text


def test_a_joint_model_is_refused_where_levels_lie_below_the_limit() -> None:
    rows, _ = measured((0, 14, 28))
    for row in rows.measurements:
        if row["value"] < 60:
            row["below_limit"], row["limit"], row["value"] = True, 60.0, math.nan
    assert "samples lie below the limit; a joint model needs levels" in said(joint(rows))


def test_a_window_without_a_landmark_is_refused() -> None:
    with pytest.raises(ValidationError, match="landmark_window_days goes with landmark_days"):
        InteractionQuestion.model_validate({**QUESTION, "landmark_window_days": 7})
