"""Covariates and occasions that change between records, against SciPy and differences."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference.engine_checks import model_of
from tests.reference.integrated import Entry, course
from troughline.model.build import CovariateValues, DoseEvent, PatientRecord, Sample, records_from

TEXT = """
[parameters]
ka = { value = 0.9, unit = "1/h" }
CL_pop = { value = 4, unit = "L/h" }
V = { value = 35, unit = "L" }
[covariates.weight]
unit = "kg"
default = 70
carry = "next"
[covariates.food]
unit = "1"
default = 0
carry = "last"
[[random]]
level = "subject"
effects = ["eta_V"]
variance = [0.1]
[[random]]
level = "occasion"
effects = ["kappa_CL", "kappa_F", "kappa_lag"]
variance = [0.1, 0.1, 0.1]
[individual]
CL = "CL_pop * (weight / 70[kg])^0.75 * exp(kappa_CL)"
[compartments]
depot = {}
central = {}
[[flows]]
from = "depot"
to = "central"
rate = "ka * (1 - 0.5 * food)"
[[flows]]
from = "central"
rate = "CL / (V * exp(eta_V))"
[[doses]]
compartment = "depot"
bioavailability = "0.8 * exp(kappa_F) * (1 - 0.2 * food)"
lag = "2[h] * exp(kappa_lag) * (1 + food)"
[[doses]]
compartment = "central"
bioavailability = "0.2"
duration = "7[h] * weight / 70[kg]"
[outputs.plasma]
prediction = "central / V"
unit = "mg/L"
error = { kind = "proportional", proportional = "0.1" }
"""
TIMES = (1.0, 5.0, 9.0, 13.0, 16.5, 20.0, 26.0, 33.0, 40.0, 47.0)
EFFECTS = np.array([[0.1, 0.2, -0.1, 0.15, -0.2, 0.1, -0.1]])
"""eta_V, then CL, F and lag of the first occasion and of the second."""
SECOND, OCCASION_FROM = 24.0, 20.0
"""The second occasion begins at 24 h; like every condition it holds since the record before, at 20 h."""
GIVEN = ((0.0, 0, 70, 0.0), (12.0, 0, 70, 0.0), (24.0, 1, 90, 1.0), (36.0, 1, 90, 1.0))
"""Time, occasion, weight and food of each dose; a repeated one keeps those of its record."""


def patient() -> PatientRecord:
    """Doses at 0, 12, 24 and 36 h; the second occasion begins at 24 h, while a dose is on its way."""
    return PatientRecord(
        patient="P",
        doses=[
            DoseEvent(time_h=0, amount_mg=100, interval_h=12, additional=1, occasion=0),
            DoseEvent(time_h=SECOND, amount_mg=100, interval_h=12, additional=1, occasion=1),
        ],
        samples=[Sample(time_h=t) for t in TIMES],
        changes=[
            CovariateValues(time_h=0, values={"weight": 70, "food": 0}),
            CovariateValues(time_h=15, values={"weight": 60, "food": 1}),
            CovariateValues(time_h=30, values={"weight": 90, "food": 0}),
        ],
    )


def weight(t: float) -> float:
    """Carried back: the value of 15 h holds since the record at 0 h, that of 30 h since 15 h and for good."""
    return 60.0 if t < 15 else 90.0


def food(t: float) -> float:
    """Carried on: from 15 h to 30 h."""
    return 1.0 if 15 < t < 30 else 0.0


def test_conditions_hold_as_they_are_carried_and_a_dose_keeps_those_of_its_record() -> None:
    model = model_of(TEXT)
    records = records_from([patient()], model.spec)
    found = model.predict(records, effects=EFFECTS).value[records.observed]
    eta, cl, f, lag = EFFECTS[0, 0], EFFECTS[0, [1, 4]], EFFECTS[0, [2, 5]], EFFECTS[0, [3, 6]]

    def rates(t, tad, x, middle):
        clearance = 4 * (weight(middle) / 70) ** 0.75 * np.exp(cl[int(middle > OCCASION_FROM)])
        absorbed = 0.9 * (1 - 0.5 * food(middle)) * x[0]
        return [-absorbed, absorbed - clearance / (35 * np.exp(eta)) * x[1]]

    entries = []
    for time, occasion, kg, fed in GIVEN:
        late = 2 * np.exp(lag[occasion]) * (1 + fed)
        entries.append(Entry(time + late, 0, 80 * np.exp(f[occasion]) * (1 - 0.2 * fed)))
        entries.append(Entry(time, 1, 20.0, 7 * kg / 70))
    x = course(rates, 2, entries, TIMES, breaks=[15, 30, OCCASION_FROM], begin=0.0)
    assert found == pytest.approx(x[:, 1] / 35, rel=1e-9)


def test_derivatives_by_the_effects_of_every_occasion_are_those_of_differences() -> None:
    model = model_of(TEXT)
    records = records_from([patient()], model.spec)
    seen = records.observed
    exact = model.predict(records, effects=EFFECTS, tangents=True)
    assert exact.jacobian is not None
    scale = np.abs(exact.jacobian[seen]).max(axis=1) + exact.value[seen]
    for k in range(EFFECTS.shape[1]):
        f = {}
        for step in (-2, -1, 1, 2):
            moved = EFFECTS.copy()
            moved[0, k] += step * 2e-4
            f[step] = model.predict(records, effects=moved).value[seen]
        difference = (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * 2e-4)
        assert np.all(np.abs(exact.jacobian[seen, k] - difference) <= 1e-7 * scale), k
    before = records.time_h[seen] < SECOND - 4
    assert np.all(exact.jacobian[seen][before, 4:] == 0)
