"""Compile the engine once, for all that run after: `python -m troughline.model.warm`.

A model of each structure is loaded and predicted with derivatives. What that compiles is kept in the
user's cache folder, so that processes that start together later do not all compile the same.
"""

from __future__ import annotations

import sys
import time

from troughline.issues import InputError
from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from
from troughline.model.model import Model, load_model
from troughline.model.read import read_model
from troughline.model.spec import ModelSpec

LINEAR = "cabozantinib/nguyen-2019"
VARYING = "sorafenib/jain-2011"
NONLINEAR = """
doses = [{ compartment = "central" }]
[model]
id = "warm/saturable"
title = "Saturable elimination"
drug = "warm"
revision = 1
[parameters]
VMAX_pop = { value = 30, unit = "mg/h" }
KM = { value = 4, unit = "mg/L" }
V = { value = 50, unit = "L" }
[[random]]
level = "subject"
effects = ["eta_VMAX"]
variance = [0.1]
[individual]
VMAX = "VMAX_pop * exp(eta_VMAX)"
[compartments]
central = {}
[derivatives]
central = "-VMAX * central / (KM * V + central)"
[outputs.plasma]
prediction = "central / V"
unit = "mg/L"
error = { kind = "proportional", proportional = "0.1" }
"""


def warm_models() -> tuple[Model, ...]:
    """A model of each structure: linear between events, linear and varying in time, nonlinear."""
    spec, found = read_model(NONLINEAR, file="warm.toml")
    if spec is None:
        raise InputError(found, configuration=True)
    return load_model(LINEAR), load_model(VARYING), Model(spec)


def warm(model: Model) -> None:
    """Predict with derivatives after single doses, an infusion and at steady state."""
    spec = model.spec
    samples = [
        Sample(time_h=hour, output=output.name) for hour in (1.0, 8.0, 24.0, 30.0) for output in spec.outputs
    ]
    patients = [
        PatientRecord(patient="steady", samples=samples, doses=[_dose(interval_h=12.0, steady_state=1)]),
        PatientRecord(patient="repeated", samples=samples, doses=[_dose(interval_h=12.0, additional=3)]),
        PatientRecord(
            patient="infusion",
            samples=samples,
            doses=[_dose(duration_h=2.0, compartment=_infused(spec))],
        ),
    ]
    model.predict(records_from(patients, spec), tangents=True)


def _infused(spec: ModelSpec) -> str:
    """A state that an infusion can enter: its doses have no bioavailability of the model's own."""
    taken = {i.compartment for i in spec.inputs if i.bioavailability is not None}
    return next(state.name for state in spec.states if state.name not in taken)


def _dose(
    *,
    interval_h: float = 0.0,
    steady_state: int = 0,
    additional: int = 0,
    duration_h: float = 0.0,
    compartment: str | None = None,
) -> DoseEvent:
    return DoseEvent(
        time_h=0.0,
        amount_mg=100.0,
        interval_h=interval_h,
        steady_state=steady_state,
        additional=additional,
        duration_h=duration_h,
        compartment=compartment,
    )


def main() -> None:
    """Warm the engine and say how long each structure took."""
    for model in warm_models():
        begun = time.perf_counter()
        warm(model)
        sys.stdout.write(f"{model.compiled.structure}: ready in {time.perf_counter() - begun:.1f} s\n")


if __name__ == "__main__":
    main()
