"""Models of a few lines, their predictions and their derivatives, for tests of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from
from troughline.model.engine import Tolerance
from troughline.model.model import Model, load_model
from troughline.model.read import read_model

ZOO = Path(__file__).parent / "models" / "zoo"


@cache
def zoo(name: str) -> Model:
    return load_model(ZOO / f"{name}.toml")


@cache
def model_of(text: str) -> Model:
    spec, found = read_model(HEAD + text, file="accuracy.toml")
    assert spec is not None, [str(f) for f in found.items]
    return Model(spec)


HEAD = """
[model]
id = "tests/accuracy"
title = "Accuracy"
drug = "tests"
revision = 1
description = "A structure to be integrated by other means."
population = "none"
source = "here"
[sources.here]
citation = "Numbers chosen for this test; no published model"
"""


def predict(
    model: Model,
    doses: Sequence[DoseEvent],
    times: Sequence[float],
    *,
    output: str | None = None,
    effects: dict[str, float] | None = None,
    tolerance: Tolerance | None = None,
) -> np.ndarray:
    """Canonical predictions at times (in rising order)."""
    samples = [Sample(time_h=t, output=output or model.spec.outputs[0].name) for t in times]
    records = records_from([PatientRecord(patient="P", doses=doses, samples=samples)], model.spec)
    eta = _effects(model, effects)
    return model.predict(records, effects=eta, tolerance=tolerance).value[records.observed]


def check_derivatives(
    model: Model,
    doses: Sequence[DoseEvent],
    times: Sequence[float],
    *,
    tolerance: Tolerance | None = None,
    within: float = 1e-7,
    floor: float = 1e-12,
) -> None:
    """Derivatives by every effect against five-point differences.

    `within` is relative to the largest derivative and the value at that time, or to the share `floor` of the
    output's largest value.
    """
    samples = [Sample(time_h=t, output=o.name) for t in times for o in model.spec.outputs]
    records = records_from([PatientRecord(patient="P", doses=doses, samples=samples)], model.spec)
    seen = records.observed
    eta = _effects(model, {n: 0.03 * (k + 1) for k, n in enumerate(effect_names(model))})
    exact = model.predict(records, effects=eta, tangents=True, tolerance=tolerance)
    assert exact.jacobian is not None
    largest = np.abs(exact.value[seen]).reshape(len(times), -1).max(axis=0)
    scale = np.abs(exact.jacobian[seen]).max(axis=1) + np.abs(exact.value[seen])
    scale += np.tile(floor * largest + 1e-300, len(times))
    h = 2e-4
    for k in range(eta.shape[1]):
        f = {}
        for step in (-2, -1, 1, 2):
            moved = eta.copy()
            moved[0, k] += step * h
            f[step] = model.predict(records, effects=moved, tolerance=tolerance).value[seen]
        difference = (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * h)
        apart = np.abs(exact.jacobian[seen, k] - difference) / scale
        assert apart.max() <= within, (
            effect_names(model)[k],
            times[int(apart.argmax()) // len(model.spec.outputs)],
        )


def effect_names(model: Model) -> tuple[str, ...]:
    return (*model.spec.subject_effects, *model.spec.occasion_effects)


def _effects(model: Model, effects: dict[str, float] | None) -> np.ndarray:
    return np.array([[(effects or {}).get(n, 0.0) for n in effect_names(model)]])


def dose(time_h: float, amount_mg: float, **more) -> DoseEvent:
    return DoseEvent(time_h=time_h, amount_mg=amount_mg, **more)


def constant_infusion(model: Model, rate: float, times: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and derivatives from a record on with AMT 0, II 0, SS 1 into `central`."""
    samples = [Sample(time_h=t) for t in times]
    state = [s.name for s in model.spec.states].index("central")
    first = dose(times[0] - 1e-9, 0.0, compartment="central")
    records = records_from([PatientRecord(patient="P", doses=[first], samples=samples)], model.spec)
    given = records.event == 1
    records = replace(
        records,
        rate_mg_per_h=np.where(given, rate, records.rate_mg_per_h),
        steady_state=np.where(given, 1, records.steady_state),
        compartment=np.where(given, state, records.compartment),
        time_h=np.where(given, times[0], records.time_h),
    )
    found = model.predict(records, tangents=True)
    assert found.jacobian is not None
    return found.value[records.observed], found.jacobian[records.observed]
