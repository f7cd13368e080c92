"""Following a patient: what counts as having followed an earlier result, and whose drift it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dose_sample import table
from troughline.dosing.belief import believe, working_models
from troughline.dosing.checks import basis_of
from troughline.dosing.following import follow
from troughline.dosing.patient import DosePatient
from troughline.dosing.patient_file import load_patient
from troughline.dosing.result import Following
from troughline.issues import Findings


def _earlier(*, named: str | None = "400-qd", among: tuple[str, ...] = ("400-qd",)) -> dict[str, Any]:
    """A result of day 29 that predicts 2 mg/L on 400 mg daily and 6 mg/L on 400 mg twice daily."""
    days = [29.5, 57.5]

    def band(level: float) -> dict[str, list[float]]:
        return {"day": days, "median": [level] * 2, "low": [level / 2] * 2, "high": [2 * level] * 2}

    cards = [
        {"id": i, "amounts_mg": [400.0], "interval_h": h, "hold_days": 0}
        for i, h in (("400-bid", 12.0), ("400-qd", 24.0))
    ]
    return {
        "patient": "sample-1", "drug": "sorafenib", "level": 0.9,
        "decision": {"time_h": 29 * 24.0, "residual_sd": 0.2},
        "recommendation": {"regimen": named, "among": list(among)},
        "curve": {"forecast": {"400-bid": band(6.0), "400-qd": band(2.0)}},
        "regimens": [{"regimen": card} for card in cards],
    }  # fmt: skip


def _patient(
    folder: Path, result: dict[str, Any], *, change: float, sample: float, **more: Any
) -> DosePatient:
    """400 mg twice daily until day `change`, then once daily, with a level on day `sample`."""
    (folder / "earlier.json").write_text(json.dumps(result), encoding="utf-8")
    doses = [
        {"start": 0, "amount": 400, "interval_h": 12},
        {"start": change, "amount": 400, "interval_h": 24},
    ]
    first = table()["sample"]
    last = {"time": sample, "value": 2.1, "unit": "ug/mL", "limit": 0.05}
    contents = table(
        patient={"now": 58.0}, dose=doses, sample=[*first, last], earlier=["earlier.json"], **more
    )
    file = folder / "patient.json"
    file.write_text(json.dumps(contents), encoding="utf-8")
    patient, found = load_patient(file)
    assert not found.errors
    return patient


def _followed(patient: DosePatient, found: Findings | None = None) -> Following:
    found = Findings() if found is None else found
    basis = basis_of(patient, found)
    assert basis is not None
    models = working_models(basis.models, parameter_uncertainty=False)
    return follow(patient, believe(patient, models, draws=100, seed=1), found, level=0.9)


@pytest.mark.parametrize(("change", "late"), [(29.0, 0.0), (29.5, 0.5), (32.0, 3.0), (36.0, 7.0)])
def test_a_regimen_that_begins_a_little_late_was_still_followed(
    tmp_path: Path, change: float, late: float
) -> None:
    """One last dose of the old regimen, a switch after three days or a week: held against the forecast."""
    (one,) = _followed(_patient(tmp_path, _earlier(), change=change, sample=56.9)).earlier
    assert (one.taken, one.followed) == ("400-qd", True)
    assert one.late_days == pytest.approx(late)
    assert one.predicted.median == pytest.approx(2.0)
    assert one.error_percent == pytest.approx(5.0)


@pytest.mark.parametrize(("change", "sample"), [(38.0, 56.9), (33.0, 38.9)])
def test_what_cannot_be_held_against_a_forecast_is_said(tmp_path: Path, change: float, sample: float) -> None:
    """Begun nine days late, or a level six days after a late switch: named, but not comparable."""
    found = Findings()
    made = _followed(_patient(tmp_path, _earlier(), change=change, sample=sample), found)
    assert made.earlier == ()
    assert made.text.startswith("An earlier result is named, but no level can be held against")
    assert any("begun within 7 days and taken until levels were steady" in f.message for f in found)


def test_without_an_earlier_result_that_is_said(tmp_path: Path) -> None:
    """The sentence of a file that names none."""
    patient = _patient(tmp_path, _earlier(), change=29.0, sample=56.9)
    assert patient.file is not None
    bare = patient.file.model_copy(update={"earlier": ()})
    from dataclasses import replace

    assert _followed(replace(patient, file=bare)).text.startswith("No earlier result is named")


def test_one_of_several_that_were_not_told_apart_was_followed(tmp_path: Path) -> None:
    """`recommended` is null then, `among` names them, and taking one of them is following."""
    result = _earlier(named=None, among=("400-qd", "200-bid"))
    (one,) = _followed(_patient(tmp_path, result, change=29.0, sample=56.9)).earlier
    assert one.recommended is None
    assert one.among == ("400-qd", "200-bid")
    assert one.followed is True
    result = _earlier(named=None, among=("200-bid", "200-qd"))
    (one,) = _followed(_patient(tmp_path, result, change=29.0, sample=56.9)).earlier
    assert one.followed is False


def test_a_drift_is_that_of_the_weightiest_model(tmp_path: Path) -> None:
    """jain-2011 stands first in the file and has less weight after the levels: hcc tests the drift."""
    models = [{"id": "sorafenib/jain-2011", "weight": 0.5}, {"id": "sorafenib/hcc", "weight": 0.5}]
    made = _followed(_patient(tmp_path, _earlier(), change=29.0, sample=56.9, model=models))
    assert made.drift.text.startswith("By sorafenib/hcc, weight ")
    alone = _followed(_patient(tmp_path, _earlier(), change=29.0, sample=56.9))
    assert made.drift.p_value == pytest.approx(alone.drift.p_value, rel=1e-6)
