"""Severe toxicity: the dose at which it is booked, what is offered while it lasts, what the answer says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dose_sample import sample_patient, table
from troughline.dosing.candidates import feasible_regimens
from troughline.dosing.checks import basis_of
from troughline.dosing.dose import dose
from troughline.dosing.patient import DosePatient
from troughline.dosing.patient_file import patient_from
from troughline.dosing.tolerance import severe_toxicities, with_toxicity
from troughline.issues import Findings, Severity


def sick(**toxicity: Any) -> dict[str, Any]:
    return {"toxicity": [{"time": 27, "term": "hepatitis", "grade": 4, **toxicity}]}


def warnings_of(patient: DosePatient) -> list[str]:
    found = Findings()
    basis_of(patient, found)
    return [f.code for f in found if f.severity is Severity.WARNING]


def test_a_toxicity_in_a_hold_is_booked_at_the_dose_before_it() -> None:
    """400 mg twice daily until day 20, toxicity on day 25: nothing was taken in the four days before."""
    patient = sample_patient(
        hold=[{"start": 20}], sample=[{"time": 19.98, "value": 6.0, "unit": "ug/mL"}], **sick(time=25)
    )
    (had,) = severe_toxicities(patient)
    assert had.daily_dose_mg == 800
    assert had.words == "grade 4 hepatitis on day 25 at 800 mg a day, 6 days after the last dose"


def test_missed_doses_do_not_lower_the_dose_that_a_toxicity_is_booked_at() -> None:
    missed = [{"start": 0, "amount": 400, "missed": [25.0, 25.5, 26.0, 26.5]}]
    (had,) = severe_toxicities(sample_patient(dose=missed, **sick()))
    assert had.daily_dose_mg == 800


def test_the_dose_of_a_cycle_is_its_average_and_months_later_there_is_none() -> None:
    cycle = [{"start": 0, "until": 6, "amounts": [200, 400], "interval_h": 24}]
    assert severe_toxicities(sample_patient(dose=cycle, **sick(time=6)))[0].daily_dose_mg == 300
    patient = sample_patient(dose=cycle, patient={"now": 90}, **sick(time=60))
    assert severe_toxicities(patient)[0].daily_dose_mg == 0


def test_while_a_severe_toxicity_lasts_only_a_hold_is_offered_and_the_answer_begins_with_it() -> None:
    result = dose(sample_patient(options={"draws": 200, "next_sample": False}, **sick()))
    assert result.sentence.startswith(
        "Hold the drug: by this file the grade 4 hepatitis on day 27 at 800 mg a day is not over"
    )
    assert "label" in result.sentence
    again = any(c in result.sentence for c in ("400 mg twice daily", "then 400 mg twice"))
    assert ("no lower than one" in result.sentence) == again
    assert all(r.regimen.hold_days == 7 for r in result.regimens)
    assert any("hold of 7 days" in f.message for f in result.findings)


@pytest.mark.parametrize(("until", "holds"), [(None, True), (27.9, False), (14, False)])
def test_a_toxicity_lasts_until_its_end(until: float | None, holds: bool) -> None:
    end = {} if until is None else {"until": until}
    patient = sample_patient(**sick(time=10, **end))
    regimens = feasible_regimens(patient, Findings())
    assert all(r.hold_h > 0 for r in regimens) == holds
    said = with_toxicity("Stay.", patient, regimens)
    assert (
        said.startswith("Hold the drug: ") if holds else said.startswith("Stay. But the patient had grade 4")
    )


LATER: dict[str, dict[str, Any]] = {
    "the dose was reduced": {
        "dose": [{"start": 0, "amount": 400}, {"start": 12, "amount": 200}], "patient": {"now": 28},
    },
    "it was held and begun again": {
        "dose": [{"start": 0, "amount": 400, "until": 10}, {"start": 17, "amount": 400}],
        "sample": [{"time": 27.98, "value": 3.0, "unit": "ug/mL"}], "patient": {"now": 28},
    },
    "doses went on for 28 days": {"dose": [{"start": 0, "amount": 400}], "patient": {"now": 45}},
    "it began before treatment": {"time": -20},
}  # fmt: skip


@pytest.mark.parametrize("what", LATER)
def test_without_an_end_what_was_done_since_says_whether_it_is_over(what: str) -> None:
    """Nobody is told to hold a drug that was held, reduced or taken on since; the file's gap is a warning."""
    changes = dict(LATER[what])
    patient = sample_patient(**sick(grade=3, time=changes.pop("time", 10)), **changes)
    (had,) = severe_toxicities(patient)
    assert not had.ongoing
    found = Findings()
    regimens = feasible_regimens(patient, found)
    assert all(r.hold_h == 0 for r in regimens)
    basis_of(patient, found)
    assert any("no end is given" in f.message for f in found if f.severity is Severity.WARNING)


def test_nobody_goes_back_up_to_the_dose_at_which_a_severe_toxicity_came() -> None:
    reduced = [{"start": 0, "amount": 400}, {"start": 12, "amount": 400, "interval_h": 24}]
    patient = sample_patient(dose=reduced, **sick(grade=3, time=10, until=12))
    found = Findings()
    offered = {r.id for r in feasible_regimens(patient, found)}
    assert "400-bid" not in offered
    assert "400-qd" in offered
    assert any(f.code == "toxic-dose" and "400 mg twice daily" in f.message for f in found)
    allowed = sample_patient(
        dose=reduced, tolerance={"largest_daily_dose_mg": 800}, **sick(grade=3, time=10, until=12)
    )
    assert "400-bid" in {r.id for r in feasible_regimens(allowed, Findings())}


@pytest.mark.parametrize(("grade", "stays"), [(3, True), (4, False)])
def test_only_after_grade_4_the_dose_in_force_is_ruled_out_too(grade: int, stays: bool) -> None:
    patient = sample_patient(**sick(grade=grade, time=10, until=12))
    assert ("400-bid" in {r.id for r in feasible_regimens(patient, Findings())}) == stays


@pytest.mark.parametrize(
    ("most", "code"),
    [(None, "toxic-dose"), (800, "severe-toxicity"), (799, None), (1200, "severe-toxicity")],
)
def test_a_tolerance_that_allows_the_toxic_dose_does_not_silence_the_warning(
    most: float | None, code: str | None
) -> None:
    more = {} if most is None else {"tolerance": {"largest_daily_dose_mg": most}}
    codes = {"toxic-dose", "severe-toxicity"} & set(warnings_of(sample_patient(**sick(until=27.5), **more)))
    assert codes == ({code} if code else set())


def test_after_grade_4_the_answer_says_that_the_label_may_ask_to_stop() -> None:
    patient = sample_patient(**sick(until=27.5))
    assert "may ask to stop for good" in with_toxicity("Change.", patient, [])


def test_grade_5_is_an_error() -> None:
    patient, found = patient_from(table(**sick(grade=5)))
    assert patient is None
    assert any("grade 5 is death" in f.message and "toxicity.1.grade" in f.line() for f in found.errors)
