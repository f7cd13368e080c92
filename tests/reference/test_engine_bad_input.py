"""What the engine says where it cannot predict, and what it takes without complaint."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.reference.engine_checks import dose, model_of, predict, zoo
from tests.reference.test_engine_accuracy import CLOCK, INPUTS
from tests.reference.test_nonlinear_accuracy import ORAL
from troughline.model.build import PatientRecord, Sample, records_from
from troughline.model.engine import PredictionError, Tolerance
from troughline.model.model import load_model
from troughline.model.records import Records

CHAIN = "transit-chain"


def one_patient() -> Records:
    """A dose and a sample of one patient, for the transit chain."""
    patient = PatientRecord(patient="P7", doses=[dose(0, 400)], samples=[Sample(time_h=3)])
    return records_from([patient], zoo(CHAIN).spec)


def test_the_step_limit_is_an_error_that_names_the_patient_and_the_reason() -> None:
    with pytest.raises(PredictionError, match="P: the solver reached its step limit") as caught:
        predict(model_of(ORAL), [dose(0, 400)], (5.0,), tolerance=Tolerance(max_steps=3))
    assert caught.value.failed == {"P": 1}


def test_the_step_limit_holds_for_rates_that_vary_in_time_too() -> None:
    with pytest.raises(PredictionError, match="P: the solver reached its step limit"):
        predict(load_model("sorafenib/jain-2011"), [dose(0, 400)], (5.0,), tolerance=Tolerance(max_steps=3))


def test_one_patient_who_cannot_be_predicted_spoils_no_other() -> None:
    model = model_of(ORAL.replace("CL = { value = 0.4", "CL = { value = 0"))
    patients = [
        PatientRecord(
            patient=name, doses=[dose(0, a, interval_h=12, steady_state=1)], samples=[Sample(time_h=1)]
        )
        for name, a in (("A", 100), ("B", 1000), ("C", 200))
    ]
    records = records_from(patients, model.spec)
    with pytest.raises(PredictionError, match=r"1 patient\(s\) .*\(B: there is no steady state\)"):
        model.predict(records)
    found = model.predict(records, check=False)
    assert found.status.tolist() == [0, 3, 0]
    assert np.isnan(found.value[records.observed]).tolist() == [False, True, False]


FAULTS: dict[str, tuple[str, Callable[[Records], Records]]] = {
    "compartment": ("compartment does not exist", lambda r: replace(r, compartment=r.compartment * 0 + 9)),
    "output": ("output does not exist", lambda r: replace(r, output=r.output + 1)),
    "event": ("event is none of 0 to 4", lambda r: replace(r, event=r.event + 7)),
    "time": ("time is not finite", lambda r: replace(r, time_h=r.time_h * np.nan)),
    "endless": ("time is not finite", lambda r: replace(r, time_h=r.time_h + np.inf)),
    "amount": ("amount is not finite", lambda r: replace(r, amount_mg=r.amount_mg + np.inf)),
    "rate": ("rate is neither", lambda r: replace(r, rate_mg_per_h=r.rate_mg_per_h - 5)),
    "interval": ("interval is no number", lambda r: replace(r, interval_h=r.interval_h - 1)),
    "repeats": ("additional doses need an interval", lambda r: replace(r, additional=r.additional + 1)),
    "steady": ("steady state is none", lambda r: replace(r, steady_state=r.steady_state + 3)),
    "occasion": ("occasion is negative", lambda r: replace(r, occasion=r.occasion - 1)),
    "covariates": ("the model needs", lambda r: replace(r, covariates=np.zeros((2, 3)))),
    "first": ("first must rise", lambda r: replace(r, first=np.array([0, 1]))),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_records_that_do_not_fit_the_model_are_refused_before_anything_is_computed(fault: str) -> None:
    message, spoil = FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        zoo(CHAIN).predict(spoil(one_patient()))


def test_the_refusal_names_patient_and_time() -> None:
    with pytest.raises(ValueError, match="patient 'P7', record 0 at 0 h: its compartment does not exist"):
        zoo(CHAIN).predict(FAULTS["compartment"][1](one_patient()))


def test_time_that_runs_backwards_is_an_error() -> None:
    records = one_patient()
    with pytest.raises(PredictionError, match=r"P7: .*step of time is negative"):
        zoo(CHAIN).predict(replace(records, time_h=np.array([5.0, 3.0])))


def test_a_negative_lag_or_length_is_an_error() -> None:
    lagged = model_of(INPUTS.replace("LAG", "-1.0").replace("OVER", "1.0"))
    with pytest.raises(PredictionError, match="a lag, a duration"):
        predict(lagged, [dose(0, 100)], (1.0,))
    gated = model_of(CLOCK.replace("value = 2.5", "value = -2.5"))
    with pytest.raises(PredictionError, match="length of a gate"):
        predict(gated, [dose(0, 100)], (1.0,))


def test_a_steady_state_that_has_no_period_is_refused() -> None:
    """Meals come every 24 h; an interval of π h shares no period with them, nor does clearance that grows."""
    with pytest.raises(PredictionError, match="no period in common"):
        predict(model_of(CLOCK), [dose(0, 100, interval_h=np.pi, steady_state=1)], (1.0,))
    with pytest.raises(PredictionError, match="rates that follow the time itself"):
        predict(zoo("time-dependent-clearance"), [dose(0, 100, interval_h=12, steady_state=1)], (1.0,))


def test_nothing_eliminated_has_no_steady_state() -> None:
    closed = model_of(
        INPUTS.replace("LAG", "1.0").replace("OVER", "1.0").replace("CL = { value = 5", "CL = { value = 0")
    )
    with pytest.raises(PredictionError, match="there is no steady state"):
        predict(closed, [dose(0, 100, interval_h=12, steady_state=1)], (1.0,))


@pytest.mark.parametrize("repeated", [False, True])
def test_ten_thousand_doses_take_less_than_a_second(repeated: bool) -> None:
    """As rows and as one row with 9999 additional doses; both give the sum of the geometric series."""
    model = zoo(CHAIN)
    doses = (
        [dose(0, 400, interval_h=12, additional=9999)]
        if repeated
        else [dose(12.0 * k, 400) for k in range(10_000)]
    )
    records = records_from(
        [PatientRecord(patient="P", doses=doses, samples=[Sample(time_h=12.0 * 10_000)])], model.spec
    )
    model.predict(records, tangents=True)
    begun = time.perf_counter()
    level = model.predict(records, tangents=True).value[records.observed]
    assert time.perf_counter() - begun < 1.0
    steady = predict(model, [dose(0, 400, interval_h=12, steady_state=1)], (12.0,))
    assert level == pytest.approx(steady, rel=1e-10)


def test_more_than_512_doses_under_way_is_a_status() -> None:
    """A lag of 1000 h: 512 hourly doses can wait, 600 cannot, given one by one or at steady state."""
    model = model_of(INPUTS.replace("LAG", "1000.0").replace("OVER", "0.0"))
    assert predict(model, [dose(float(k), 1, compartment="depot") for k in range(512)], (1e4,))[0] > 0
    for doses in (
        [dose(float(k), 1, compartment="depot") for k in range(600)],
        [dose(0.0, 1, interval_h=1.0, steady_state=1, compartment="depot")],
        [dose(0.0, 1, interval_h=1e-9, steady_state=1, compartment="depot")],
    ):
        with pytest.raises(PredictionError, match="more than 512 doses are under way at once"):
            predict(model, doses, (1e4,))


@pytest.mark.parametrize("text", [INPUTS.replace("LAG", "0.0").replace("OVER", "1.0"), CLOCK, ORAL])
def test_what_is_eliminated_for_ever_is_zero_without_a_word(text: str) -> None:
    """After 1e6 h the level is 0 or next to it, never below, never NaN, and nothing warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = model_of(text)
        records = records_from(
            [PatientRecord(patient="P", doses=[dose(0, 100)], samples=[Sample(time_h=1e6)])], model.spec
        )
        found = model.predict(records, tangents=True)
    assert found.jacobian is not None
    assert abs(found.value[records.observed][0]) < 1e-10
    assert np.all(np.abs(found.jacobian[records.observed]) < 1e-10)
    if text is not ORAL:
        assert found.value[records.observed][0] == 0.0


def test_an_underflowing_level_is_an_exact_zero_between_two_doses() -> None:
    found = predict(zoo(CHAIN), [dose(0, 400), dose(1e6, 400)], (1.0, 1e5, 1e6, 1e6 + 1.0))
    assert found[1:3].tolist() == [0.0, 0.0]
    assert found[3] == pytest.approx(found[0], rel=1e-9)


def test_no_samples_no_doses_and_no_patients_are_no_error() -> None:
    model = zoo(CHAIN)
    silent = records_from([PatientRecord(patient="P", doses=[dose(0, 400)])], model.spec)
    assert np.isnan(model.predict(silent, tangents=True).value).all()
    untreated = records_from([PatientRecord(patient="P", samples=[Sample(time_h=1)])], model.spec)
    assert model.predict(untreated).value.tolist() == [0.0]
    empty = records_from([PatientRecord(patient="P")], model.spec)
    assert len(model.predict(empty).value) == 0
    nobody = records_from([], model.spec)
    assert model.predict(nobody).status.tolist() == []
