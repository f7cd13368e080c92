"""What stands before any regimen: a level that hardly any patient has, and another drug that goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dose_sample import sample_patient
from troughline.dosing.dose import dose
from troughline.dosing.doubt import sentence_in_doubt, with_interactions

FEW: dict[str, Any] = {"draws": 200, "next_sample": False}
LOW: list[dict[str, Any]] = [{"time": 27.98, "value": 0.17, "unit": "ug/mL", "limit": 0.05}]


def test_a_level_that_hardly_anyone_has_names_no_regimen() -> None:
    """0.17 mg/L, some 20 times below what is expected: no dose is chosen by it, and it is said why."""
    result = dose(sample_patient(sample=LOW, options=FEW))
    assert result.recommendation.answer == "level in doubt"
    assert result.recommendation.regimen == "400-bid"
    assert result.recommendation.among == ()
    assert result.sentence.startswith("A level is in doubt: 0.17 ug/mL is ")
    assert "Doses were probably not all taken, or the unit is wrong" in result.sentence
    assert "no regimen is named, and nothing speaks for leaving 400 mg twice daily" in result.sentence


def test_no_further_level_is_valued_by_one_in_doubt() -> None:
    """A posterior that the odd level has bent says nothing of what another one is worth."""
    assert dose(sample_patient(sample=LOW, options={"draws": 200})).next_sample is None


def test_the_drug_that_may_be_the_cause_stands_before_a_level_in_doubt() -> None:
    """Rifampicin and a level far too low: both are told."""
    rifampicin = [{"name": "rifampicin", "kind": "cyp3a4 inducer", "start": 10}]
    result = dose(sample_patient(sample=LOW, with_drug=rifampicin, options=FEW))
    assert result.sentence.startswith("Rifampicin is taken, which lowers the exposure: ")
    assert " A level is in doubt: " in result.sentence


def test_a_level_far_too_high_asks_for_unit_time_and_doses() -> None:
    """Ten times too high is no error, and no dose is chosen by it."""
    odd = "40 ug/mL is 10 times above the 4 mg/L expected at these doses"
    told = (f"{odd}; in ng/mL it would fit: is the unit right?",)
    said = sentence_in_doubt(sample_patient(), told)
    assert "Either the unit is wrong (in ng/mL it would fit), or the time or the doses before it are." in said


def test_a_level_may_be_trusted_all_the_same() -> None:
    """`trust_levels`: the regimens are judged by it, and the warning stays."""
    result = dose(sample_patient(sample=LOW, options={**FEW, "trust_levels": True}))
    assert result.recommendation.answer == "target not reached"
    assert any(f.code == "level-implausible" for f in result.findings)


def test_a_drug_that_goes_on_stands_in_the_sentence() -> None:
    """Rifampicin since day 20 comes before the answer, which holds only while it is taken."""
    rifampicin = [{"name": "rifampicin", "kind": "cyp3a4 inducer", "start": 10}]
    level = [{"time": 27.98, "value": 0.9, "unit": "ug/mL"}]
    result = dose(sample_patient(sample=level, with_drug=rifampicin, options=FEW))
    assert result.sentence.startswith(
        "Rifampicin is taken, which lowers the exposure: the answer holds while it goes on. "
    )


@pytest.mark.parametrize(
    ("drug", "begins"),
    [
        (
            {"name": "rifampicin", "start": 28.5},
            "Rifampicin is taken, which lowers the exposure: no level",
        ),
        ({"name": "rifampicin", "start": 5, "until": 20}, "Answer."),
        ({"name": "ketoconazole", "start": 5}, "Answer."),
        ({"name": "metformin", "start": 5}, "Answer."),
    ],
)
def test_only_a_drug_taken_now_that_changes_the_exposure_does(drug: dict[str, Any], begins: str) -> None:
    """After the last level: none shows its effect. Ended, without effect, or not on file: nothing."""
    assert with_interactions("Answer.", sample_patient(with_drug=[drug])).startswith(begins)
