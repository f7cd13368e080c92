"""Guards about the change of a marker held against an outcome, each with its trap and without."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.change_cohorts import change_cohort, change_records, halves, outcome_records
from benchmarks.cohorts import cohort_with_trap, judge

from troughline.results import GuardFinding, GuardSeverity

N = 60
DEATH = {"event": "death"}


def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def fired(cohort: object, guard_id: str) -> GuardFinding | None:
    result, _ = judge(cohort)  # pyright: ignore[reportArgumentType]
    return next((g for g in result.guards if g.id == guard_id), None)


def test_immortal_change_fires_and_counts_who_could_not_respond() -> None:
    found = fired(cohort_with_trap("immortal-change", N, rng()), "immortal-change")
    assert found is not None
    assert "known on day 28 (median)" in found.finding
    assert "10 patients of 60 had the event (10)" in found.finding
    assert "from the first dose" in found.effect
    assert found.severity is GuardSeverity.CAUTION


def test_immortal_change_fires_as_a_note_where_nobody_was_lost() -> None:
    found = fired(change_cohort(outcome_records(N, rng()), outcome=DEATH), "immortal-change")
    assert found is not None
    assert found.severity is GuardSeverity.NOTE
    assert "none of them could have the event" in found.finding


def test_immortal_change_is_silent_where_the_outcome_counts_from_the_second_sample() -> None:
    assert fired(cohort_with_trap("few-events-change", N, rng()), "immortal-change") is None


def test_immortal_change_is_silent_where_both_samples_precede_the_first_dose() -> None:
    rows = outcome_records(N, rng())
    rows.measurements = [{**r, "day": r["day"] - 30.0} for r in rows.measurements]
    assert fired(change_cohort(rows, outcome=DEATH), "immortal-change") is None


def test_immortal_change_is_silent_without_an_outcome() -> None:
    assert fired(change_cohort(change_records(halves(N), rng())), "immortal-change") is None


@pytest.mark.parametrize("early", [0.25])
def test_immortal_time_makes_a_change_look_protective_and_the_landmark_does_not(early: float) -> None:
    """No change has to do with death; a quarter dies before the second sample. Over 40 cohorts the mean log
    hazard ratio of responders is clearly below 0 as published and within 3 standard errors of 0 guarded."""
    generator = rng()
    published: list[float] = []
    guarded: list[float] = []
    for _ in range(40):
        _, case = judge(change_cohort(outcome_records(N, generator, early=early), outcome=DEATH))
        assert case.change is not None
        assert case.change.link is not None
        one = case.change.link.findings[0]
        assert one.published is not None
        assert one.same_groups is not None
        published.append(one.published.value)
        guarded.append(one.same_groups.value)
    assert np.mean(published) < -0.4
    assert abs(float(np.mean(guarded))) < 3 * float(np.std(guarded)) / np.sqrt(40)


def test_few_events_change_fires_with_events_and_parameters() -> None:
    found = fired(cohort_with_trap("few-events-change", N, rng()), "few-events-change")
    assert found is not None
    assert found.finding == "Events after the second sample: sTNF-alpha 5 for 2 parameters."
    assert "per doubling of the change: sTNF-alpha" in found.effect


def test_few_events_change_is_silent_with_enough_events() -> None:
    assert fired(change_cohort(outcome_records(N, rng()), outcome=DEATH), "few-events-change") is None


def test_few_events_change_is_silent_without_an_outcome() -> None:
    assert fired(change_cohort(change_records(halves(N), rng())), "few-events-change") is None
