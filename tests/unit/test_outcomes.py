"""Outcomes: who had the event or the response, when it was known, what cannot be told, and follow-up."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.simulated_records import Records

from troughline.cohort.cohort import Cohort
from troughline.cohort.outcomes import (
    DAYS_PER_MONTH,
    BinaryOutcome,
    TimeToEvent,
    binary_outcome,
    describe,
    events_by_patient,
    group_after_start,
    last_seen,
    time_to_event,
)
from troughline.cohort.studyfile import Outcome, Predictor


def made(rows: Records) -> Cohort:
    for row in (*rows.measurements, *rows.events):
        rows.patients.setdefault(row["patient"], {})
    question = {
        "id": "q", "kind": "threshold", "predictor": {"analyte": "sorafenib", "unit": "ug/mL"},
        "outcome": {"event": "adverse event"},
    }  # fmt: skip
    return rows.cohort([question])


def binary(rows: Records, **outcome: Any) -> BinaryOutcome:
    return binary_outcome(made(rows), Outcome.model_validate(outcome))


def timed(rows: Records, competing: tuple[str, ...] = (), **outcome: Any) -> TimeToEvent:
    return time_to_event(made(rows), Outcome.model_validate(outcome), competing)


def days(found: TimeToEvent, patient: str) -> float:
    return found.time[patient] * found.days_per_unit


TOXICITY = {"event": "adverse event", "grade": ">=3"}


def test_an_event_counts_from_its_first_row_that_meets_the_grade() -> None:
    rows = Records()
    rows.event("A", 50, "adverse event", grade=4)
    rows.event("A", 20, "adverse event", grade=3)
    rows.event("A", 10, "adverse event", grade=2)
    rows.event("B", 20, "adverse event", grade=2)
    rows.event("C", 20, "adverse event")
    found = binary(rows, **TOXICITY)
    assert found.happened == {"A": True, "B": False, "C": False}
    assert found.day == {"A": 20.0}
    assert found.label == "adverse event grade ≥ 3"


@pytest.mark.parametrize(
    ("rule", "grades"),
    [(">=3", {3, 4, 5}), (">3", {4, 5}), ("=3", {3}), ("<=2", {1, 2}), ("<2", {1}), (2, {2})],
)
def test_every_form_of_a_grade_rule(rule: str | int, grades: set[int]) -> None:
    rows = Records()
    for grade in range(1, 6):
        rows.event(str(grade), 10, "adverse event", grade=grade)
    found = binary(rows, event="adverse event", grade=rule)
    assert {int(p) for p, yes in found.happened.items() if yes} == grades


def test_a_term_is_matched_whatever_its_case() -> None:
    rows = Records()
    rows.event("A", 10, "adverse event", term="Hypertension", grade=3)
    rows.event("B", 10, "adverse event", term="diarrhoea", grade=3)
    found = binary(rows, **TOXICITY, term="hypertension")
    assert found.happened == {"A": True, "B": False}
    assert found.label == "hypertension grade ≥ 3"


def test_any_of_several_events_counts() -> None:
    rows = Records()
    rows.event("A", 10, "tace")
    rows.event("B", 12, "ablation")
    rows.event("C", 12, "last contact")
    found = binary(rows, event=["tace", "ablation"])
    assert found.happened == {"A": True, "B": True, "C": False}


def test_within_a_time_a_short_follow_up_cannot_tell() -> None:
    rows = Records()
    rows.event("late", 40, "adverse event", grade=3)
    rows.event("on the day", 30, "adverse event", grade=3)
    rows.event("left", 20, "last contact")
    rows.event("stayed", 30, "last contact")
    rows.event("died", 25, "death")
    rows.event("died after", 35, "death")
    found = binary(rows, **TOXICITY, within_days=30)
    assert found.happened == {
        "late": False, "on the day": True, "left": None, "stayed": False, "died": False, "died after": False,
    }  # fmt: skip
    assert found.unknown == {"left": "followed for less than 30 days"}
    assert found.died_before == {"died"}
    assert found.label == "adverse event grade ≥ 3 within 30 days"


def test_a_patient_without_a_row_cannot_be_told() -> None:
    rows = Records()
    rows.level("A", 14, 2.0)
    rows.event("B", 14, "adverse event", grade=1)
    found = binary(rows, **TOXICITY)
    assert found.happened == {"A": None, "B": False}
    assert found.unknown == {"A": "no row in the events table"}


def test_a_death_that_is_itself_the_outcome_is_no_competing_death() -> None:
    rows = Records()
    rows.event("A", 50, "death")
    rows.event("B", 50, "last contact")
    found = binary(rows, event="death")
    assert found.happened == {"A": True, "B": False}
    assert found.died_before == frozenset()


def test_the_best_response_counts_from_the_first_day_it_was_seen() -> None:
    rows = Records()
    rows.event("A", 56, "response", response="SD")
    rows.event("A", 112, "response", response="PR")
    rows.event("A", 168, "response", response="CR")
    rows.event("B", 56, "response", response="PD")
    rows.event("C", 56, "last contact")
    found = binary(rows, response=["CR", "PR"])
    assert found.happened == {"A": True, "B": False, "C": None}
    assert found.day == {"A": 112.0}
    assert found.unknown == {"C": "no tumour assessment"}
    assert found.label == "CR/PR"


def test_only_the_named_criterion_counts() -> None:
    rows = Records()
    rows.event("A", 56, "response", response="PR", criterion="mRECIST")
    rows.event("A", 56, "response", response="SD", criterion="RECIST 1.1")
    rows.event("B", 56, "response", response="PR")
    for criterion, a in (("mRECIST", True), ("RECIST 1.1", False)):
        found = binary(rows, response=["CR", "PR"], criterion=criterion)
        assert found.happened == {"A": a, "B": True}


STABLE = {"response": ["CR", "PR"], "or_stable_for_days": 90}


def test_a_responder_by_stability_is_known_only_when_the_time_is_up() -> None:
    rows = Records()
    rows.event("stable", 56, "response", response="SD")
    rows.event("stable", 200, "last contact")
    rows.event("early response", 42, "response", response="PR")
    rows.event("early response", 200, "last contact")
    rows.event("late response", 56, "response", response="SD")
    rows.event("late response", 140, "response", response="PR")
    found = binary(rows, **STABLE)
    assert set(found.happened.values()) == {True}
    assert found.day == {"stable": 90.0, "early response": 42.0, "late response": 90.0}
    assert found.label == "CR/PR or stable for 90 days"


@pytest.mark.parametrize(
    ("event", "response", "day"),
    [("progression", None, 80), ("response", "PD", 80), ("death", None, 80), ("progression", None, 90)],
)
def test_progression_or_death_by_then_is_no_response(event: str, response: str | None, day: float) -> None:
    rows = Records()
    rows.event("A", 42, "response", response="SD")
    rows.event("A", day, event, response=response)
    rows.event("A", 200, "last contact")
    found = binary(rows, **STABLE)
    assert found.happened == {"A": False}
    assert found.died_before == ({"A"} if event == "death" else frozenset())


def test_progression_after_the_time_does_not_undo_stability() -> None:
    rows = Records()
    rows.event("A", 42, "response", response="SD")
    rows.event("A", 91, "progression")
    assert binary(rows, **STABLE).happened == {"A": True}


def test_stability_without_an_assessment_or_without_the_follow_up_cannot_be_told() -> None:
    rows = Records()
    rows.event("never assessed", 200, "last contact")
    rows.event("left", 42, "response", response="SD")
    rows.event("left", 70, "last contact")
    found = binary(rows, **STABLE)
    assert found.happened == {"never assessed": None, "left": None}
    assert found.unknown == {
        "never assessed": "no tumour assessment", "left": "followed for less than 90 days",
    }  # fmt: skip


def test_a_column_of_the_patients_table_decides_and_an_empty_cell_cannot() -> None:
    rows = Records()
    rows.patients = {
        "A": {"toxic": "yes"}, "B": {"toxic": "no"}, "C": {"toxic": None}, "D": {"toxic": " yes "},
    }  # fmt: skip
    found = binary(rows, column="toxic", equals="yes")
    assert found.happened == {"A": True, "B": False, "C": None, "D": True}
    assert found.unknown == {"C": "toxic is missing"}
    assert found.label == "toxic = yes"
    with pytest.raises(ValueError, match="no column 'other'"):
        binary(rows, column="other", equals="yes")


@pytest.mark.parametrize(
    ("cell", "equals", "happened"),
    [
        ("Yes", "yes", True), ("yes", "YES", True), (" Yes ", "yes", True), ("No", "yes", False),
        ("1.0", "1", True), ("1", "1.0", True), (1.0, "1", True), ("01", "1", True), ("-0", "0", True),
        ("10", "1", False), ("1.0000001", "1", False), ("dead of  disease", "Dead of disease", True),
        ("", "yes", None), (float("nan"), "1", None),
    ],
)  # fmt: skip
def test_values_are_compared_without_regard_to_case_or_to_how_a_number_is_written(
    cell: Any, equals: str, happened: bool | None
) -> None:
    rows = Records(patients={"A": {"toxic": cell}, "B": {"toxic": "other"}})
    assert binary(rows, column="toxic", equals=equals).happened["A"] is happened
    if happened is not None:
        rows = Records(patients={"A": {"t": "5", "s": cell}})
        assert timed(rows, time="t", status="s", status_value=equals).status == {"A": int(happened)}


def test_a_time_is_no_yes_or_no() -> None:
    with pytest.raises(ValueError, match="use a survival question"):
        binary(Records(patients={"A": {}}), time="t", status="s")


def test_a_group_defined_by_an_event_is_known_on_its_day_and_everyone_else_is_not_in_it() -> None:
    rows = Records()
    rows.event("A", 40, "dose reduction")
    rows.event("A", 30, "dose hold")
    rows.level("B", 14, 2.0)
    found = group_after_start(made(rows), Predictor(event=("dose reduction", "dose hold")))
    assert found.happened == {"A": True, "B": False}
    assert found.day == {"A": 30.0}
    assert found.label == "dose reduction or dose hold"


def test_time_runs_to_the_event_or_is_censored_at_the_last_contact() -> None:
    rows = Records()
    rows.event("died", 300, "death")
    rows.event("alive", 400, "last contact")
    rows.event("alive", 20, "adverse event", grade=1)
    found = timed(rows, event="death")
    assert (found.unit, found.days_per_unit) == ("month", DAYS_PER_MONTH)
    assert days(found, "died") == pytest.approx(300)
    assert days(found, "alive") == pytest.approx(400)
    assert found.status == {"died": 1, "alive": 0}
    assert found.follow_up_from_last_record == frozenset()


def test_without_a_last_contact_the_last_record_of_any_kind_counts_and_the_patient_is_listed() -> None:
    rows = Records()
    rows.event("A", 50, "adverse event", grade=1)
    rows.level("A", 83, 2.0)
    rows.event("B", 50, "last contact")
    rows.level("B", 83, 2.0)
    found = timed(rows, event="death")
    assert days(found, "A") == pytest.approx(83)
    assert days(found, "B") == pytest.approx(50)
    assert found.follow_up_from_last_record == {"A"}
    assert last_seen(made(rows)) == ({"A": 83.0, "B": 50.0}, frozenset({"A"}))


def test_progression_is_an_event_or_a_response_of_pd_and_pfs_counts_death_too() -> None:
    rows = Records()
    rows.event("progressed", 100, "progression")
    rows.event("progressed", 80, "response", response="PD")
    rows.event("progressed", 300, "death")
    rows.event("died", 200, "death")
    rows.event("neither", 250, "last contact")
    to_progression = timed(rows, event="progression")
    assert days(to_progression, "progressed") == pytest.approx(80)
    assert to_progression.status == {"progressed": 1, "died": 0, "neither": 0}
    either = timed(rows, event=["progression", "death"])
    assert either.status == {"progressed": 1, "died": 1, "neither": 0}
    assert days(either, "died") == pytest.approx(200)


def test_a_competing_death_has_its_own_status_unless_the_event_came_first_or_death_is_the_outcome() -> None:
    rows = Records()
    rows.event("both", 100, "progression")
    rows.event("both", 300, "death")
    rows.event("died", 200, "death")
    found = timed(rows, ("death",), event="progression")
    assert found.status == {"both": 1, "died": 2}
    assert found.competing_label == "death"
    assert timed(rows, ("death",), event="death").status == {"both": 1, "died": 1}


def test_within_a_time_later_events_are_censored_there() -> None:
    rows = Records()
    rows.event("A", 300, "death")
    rows.event("B", 100, "death")
    found = timed(rows, event="death", within_days=180)
    assert found.status == {"A": 0, "B": 1}
    assert days(found, "A") == pytest.approx(180)


def test_who_has_no_follow_up_is_named_and_not_counted() -> None:
    rows = Records(patients={"nothing": {}})
    rows.event("same day", 0, "last contact")
    rows.event("fine", 10, "last contact")
    found = timed(rows, event="death")
    assert set(found.time) == {"fine"}
    assert found.unknown == {"nothing": "no follow-up recorded", "same day": "follow-up of 0 days"}


def test_times_from_columns_keep_their_unit_and_missing_ones_are_named() -> None:
    rows = Records()
    rows.patients = {
        "A": {"t": "12.5", "dead": "1"}, "B": {"t": "30", "dead": "0"}, "C": {"t": None, "dead": "1"},
        "D": {"t": "0", "dead": "1"}, "E": {"t": "4", "dead": None},
    }  # fmt: skip
    found = timed(rows, time="t", status="dead", unit="month")
    assert found.time == {"A": 12.5, "B": 30.0}
    assert found.status == {"A": 1, "B": 0}
    assert found.days_per_unit == pytest.approx(DAYS_PER_MONTH)
    assert found.unknown == {
        "C": "time or status is missing", "D": "follow-up of 0 month", "E": "time or status is missing",
    }  # fmt: skip


def test_another_status_value_may_mean_the_event() -> None:
    rows = Records()
    rows.patients = {"A": {"t": "5", "s": "2"}, "B": {"t": "5", "s": "1"}}
    assert timed(rows, time="t", status="s", status_value="2").status == {"A": 1, "B": 0}


def test_a_time_that_is_no_number_names_the_patient_and_a_missing_column_its_name() -> None:
    rows = Records(patients={"A": {"t": "soon", "s": "1"}})
    with pytest.raises(ValueError, match="patient A: t = 'soon' is not a number"):
        timed(rows, time="t", status="s")
    with pytest.raises(ValueError, match="no column 'u'"):
        timed(rows, time="u", status="s")
    with pytest.raises(ValueError, match=r"needs event = .* or time and status"):
        timed(rows, response=["CR"])


def test_events_come_in_time_order_whatever_the_order_of_the_file() -> None:
    rows = Records()
    for day in (30, 10, 20):
        rows.event("A", day, "adverse event", grade=1)
    assert [e.day for e in events_by_patient(made(rows))["A"]] == [10, 20, 30]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ({"event": ["progression", "death"]}, "progression or death"),
        ({"event": "adverse event", "grade": "<=2"}, "adverse event grade ≤ 2"),
        ({"response": ["CR"]}, "CR"),
        ({"time": "t", "status": "dead"}, "dead"),
    ],
)
def test_an_outcome_is_described_in_words(outcome: dict[str, Any], words: str) -> None:
    assert describe(Outcome.model_validate(outcome)) == words
