"""libRoadRunner, given a model as SBML, draws the curve that our engine predicts.

The reference is CVODE (libRoadRunner) at a relative tolerance of 1e-10. Every difference is held to 1e-5 of
the prediction, or of a millionth of the curve's maximum where that is more.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from
from troughline.model.library import list_models
from troughline.model.model import Model, load_model
from troughline.model.sbml import to_sbml
from troughline.model.spec import Covariate, ModelSpec

roadrunner = pytest.importorskip("roadrunner", reason="libroadrunner is not installed")

# A model that takes no dose, the mechanism, has its own file of tests.
DOSED = [model_id for model_id in list_models() if load_model(model_id).spec.inputs]
ZOO = sorted((Path(__file__).parent / "models" / "zoo").glob("*.toml"))
TOLERANCE, SMALLEST = 1e-5, 1e-6
FIVE_DAYS_H, TAIL_H = 120.0, 48.0
# Dense on the first day, and never at the moment of a dose, where a curve has two values.
TIMES_H = np.unique(
    np.concatenate([np.arange(0.05, 24.0, 0.31), np.arange(0.21, FIVE_DAYS_H + TAIL_H, 1.37)])
)
Floats = NDArray[np.float64]

HEADER = """
[model]
id = "sbml/{name}"
title = "{name}"
drug = "none"
revision = 1
[units]
time = "h"
amount = "mg"
"""

OVERLAP = """
[parameters]
CL_pop = { value = 6, unit = "L/h" }
V = { value = 40, unit = "L" }
ka = { value = 0.4, unit = "1/h" }
fade = { value = 60, unit = "h" }
dose_amount = { value = 300, unit = "mg" }
[[random]]
level = "subject"
effects = ["eta_CL"]
variance = [0.1]
[individual]
CL = "CL_pop * exp(eta_CL)"
falls = "exp(-t / fade) * dose_amount / (dose + interval * 1[mg/h])"
[compartments]
depot = {}
central = {}
[[flows]]
from = "depot"
to = "central"
rate = "ka"
[[flows]]
from = "central"
rate = "CL / V"
[[doses]]
compartment = "depot"
bioavailability = "0.5 * falls"
lag = "30[h] + 0.02*t"
[[doses]]
compartment = "depot"
bioavailability = "0.1"
[[doses]]
compartment = "central"
bioavailability = "0.2 * falls"
duration = "31[h]"
[[doses]]
compartment = "central"
bioavailability = "0.1"
lag = "24[h]"
duration = "17[h]"
[[doses]]
compartment = "depot"
bioavailability = "0.1 * falls"
rate = "0.5[mg/h]"
[outputs.plasma]
prediction = "central / V"
unit = "mg/L"
error = { kind = "proportional", proportional = "0.1" }
"""
"""Lags, durations and rates that outlast two dosing intervals and a bioavailability that changes; two inputs
into one state; a parameter with the name of a quantity of the document."""

GATES = """
[parameters]
CL = { value = 6, unit = "L/h" }
V = { value = 40, unit = "L" }
k = { value = 3, unit = "1/h" }
length = { value = 7, unit = "h" }
[gates.night]
kind = "clock"
at = [3, 9.5, 20]
length = "length - 1[h]"
clock_origin = 11.25
[gates.at_once]
kind = "after-dose"
start = "0[h]"
length = "1.5[h]"
[gates.until_next]
kind = "after-dose"
start = "2.5[h]"
[gates.never]
kind = "after-dose"
start = "12[h]"
length = "1[h]"
[compartments]
central = {}
bile = {}
[[flows]]
from = "central"
rate = "CL / V"
[[flows]]
from = "central"
to = "bile"
rate = "0.2[1/h] * (0.2 + at_once)"
[[flows]]
from = "bile"
to = "central"
rate = "k * night + 0.1[1/h] * until_next + 5[1/h] * never"
[[doses]]
compartment = "central"
[outputs.plasma]
prediction = "central / V"
unit = "ng/mL"
error = { kind = "proportional", proportional = "0.1" }
"""
"""Gates that are open at time 0, at midnight, from the dose on, until the next dose, and after the next dose
would have come."""

FUNCTIONS = """
[parameters]
CL = { value = 6, unit = "L/h" }
V = { value = 40, unit = "L" }
shape = 0.00001
share = 0.3
[covariates.age]
unit = "year"
default = 50
[covariates.sex]
levels = ["male", "female"]
default = "female"
[[random]]
level = "subject"
effects = ["eta"]
variance = [0.1]
[individual]
a = "exp(boxcox(eta, shape)) + boxcox(eta, 0.5) + expit(logit(share) + eta)"
least = "min(abs(eta - 1), 2, 3) + max(tanh(eta), sqrt(share))"
b = "least + sin(share)^2 + cos(share) + log10(share) + log(3)"
c = '(1 < b < 20) * a + (not sex == "male" and age >= 50[year] or a > 100) - 0.5e-3'
wave = "1 + 0.5 * sin(2 * 3.14159 * t / 24[h])"
[compartments]
central = { initial = "a * 10[mg]" }
effect = { initial = "1", unit = "1" }
[variables]
C = "central / V"
[derivatives]
central = "-CL * C * c / (1 + C / 2[mg/L])"
effect = "0.1[1/h] * (wave * b - effect * (1 if C < 0.9[mg/L] else 2))"
[[doses]]
compartment = "central"
[outputs.plasma]
prediction = "C"
unit = "ng/mL"
error = { kind = "proportional", proportional = "0.1" }
[outputs.effect]
prediction = "effect"
unit = "1"
error = { kind = "none" }
"""
"""Every function of the language but `phi`, an initial value, a comparison used as a number."""

STRUCTURES = {"overlap": OVERLAP, "gates": GATES, "functions": FUNCTIONS}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No log lines: CVODE remarks on steps below the last digit of the time, right after a dose."""
    monkeypatch.setenv("SUNLOGGER_WARNING_FILENAME", os.devnull)
    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_ERROR)


@cache
def model(reference: str) -> Model:
    return load_model(reference)


def other(covariate: Covariate) -> float:
    """A value that is not the default: another level, or a number within the hard range."""
    assert covariate.default is not None
    if covariate.levels is not None:
        return float((covariate.default + 1) % len(covariate.levels))
    return 1.1 * covariate.default + 1.0


def patient(spec: ModelSpec) -> tuple[dict[str, float], dict[str, float]]:
    """Covariates and random effects, none of them at its default."""
    names = (*spec.subject_effects, *spec.occasion_effects)
    effects = {name: 0.2 * (-1) ** i * (1 + i / 20) for i, name in enumerate(names)}
    return {c.name: other(c) for c in spec.covariates}, effects


def roadrunner_curves(text: str, outputs: list[str], dose_mg: float, every_h: float, count: int) -> Floats:
    """Every output at TIMES_H, by libRoadRunner (n_times, n_outputs)."""
    simulator: Any = roadrunner.RoadRunner(text)
    settings = {
        "dose_amount": dose_mg, "dose_interval": every_h, "n_doses": count, "next_dose_time": 0.0
    }  # fmt: skip
    for name, value in settings.items():
        # `dose_amount` is a parameter of one of the models here; the document's own then has another id.
        identifier = f"{name}_" if f'id="{name}_"' in text else name
        simulator[f"init({identifier})"] = float(value)
    simulator.resetAll()
    simulator.integrator.relative_tolerance = 1e-10
    simulator.integrator.absolute_tolerance = 1e-11
    simulator.integrator.maximum_num_steps = 1_000_000
    simulator.integrator.maximum_time_step = 0.1
    simulator.timeCourseSelections = ["time", *(f"output_{name}" for name in outputs)]
    rows = np.asarray(simulator.simulate(times=[0.0, *TIMES_H.tolist()]))
    assert np.array_equal(rows[1:, 0], TIMES_H)
    return rows[1:, 1:]


def our_curves(
    one: Model,
    covariates: dict[str, float],
    effects: dict[str, float],
    dose_mg: float,
    every_h: float,
    count: int,
) -> Floats:
    """Every output at TIMES_H in its unit, by our engine (n_times, n_outputs)."""
    columns = list[Floats]()
    for output in one.spec.outputs:
        record = PatientRecord(
            patient="1",
            doses=(DoseEvent(time_h=0, amount_mg=dose_mg, interval_h=every_h, additional=count - 1),),
            samples=tuple(Sample(time_h=float(t), output=output.name) for t in TIMES_H),
            covariates=covariates,
        )
        records = records_from([record], one.spec)
        predicted = one.predict(records, effects=np.array([list(effects.values())]))
        columns.append(predicted.value[records.observed] / float(output.factor))
    return np.column_stack(columns)


def compare(one: Model, covariates: dict[str, float], effects: dict[str, float], every_h: float) -> None:
    names = [o.name for o in one.spec.outputs]
    count = round(FIVE_DAYS_H / every_h)
    text = to_sbml(one.spec, covariates=covariates, effects=effects)
    theirs = roadrunner_curves(text, names, 200.0, every_h, count)
    ours = our_curves(one, covariates, effects, 200.0, every_h, count)
    assert np.isfinite(ours).all()
    assert ours.max() > 0
    size = np.maximum(np.abs(ours), SMALLEST * np.abs(ours).max(axis=0))
    assert np.max(np.abs(ours - theirs) / size) <= TOLERANCE


@pytest.mark.parametrize("every_h", [12.0, 24.0])
@pytest.mark.parametrize("model_id", DOSED)
def test_a_typical_patient_of_the_library(model_id: str, every_h: float) -> None:
    """Each model of the library, twice or once daily for five days, with the file's own values."""
    one = model(model_id)
    compare(one, {}, dict.fromkeys((*one.spec.subject_effects, *one.spec.occasion_effects), 0.0), every_h)


@pytest.mark.parametrize("every_h", [12.0, 24.0])
@pytest.mark.parametrize("model_id", DOSED)
def test_another_patient_of_the_library(model_id: str, every_h: float) -> None:
    """The same with other covariates, all random effects and with them every individual quantity changed."""
    one = model(model_id)
    compare(one, *patient(one.spec), every_h)


@pytest.mark.parametrize("path", ZOO, ids=lambda p: p.stem)
def test_every_structure_of_the_zoo(path: Path) -> None:
    """Each structure of the language that the test models have, twice daily for five days."""
    one = model(str(path))
    compare(one, *patient(one.spec), 12.0)


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_that_strain_the_format(name: str, tmp_path: Path) -> None:
    """What overlaps, gates at awkward moments, and every function."""
    path = tmp_path / f"{name}.toml"
    path.write_text(HEADER.replace("{name}", name) + STRUCTURES[name], encoding="utf-8")
    one = load_model(path)
    compare(one, *patient(one.spec), 12.0)
