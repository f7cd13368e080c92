"""The mechanism as SBML in libRoadRunner, to 1e-4.

Joined with the kinetics, every dose an event: against the exact run. Alone, at one level for a year: against
the ordinary engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.unit.mechanism_sample import patients, runner
from troughline.mechanism.compose import join_models
from troughline.mechanism.exact import exact_course
from troughline.mechanism.runner import KINETICS, MECHANISM
from troughline.mechanism.source import DRIVEN, HAZARDS
from troughline.model.build import CovariateValues, PatientRecord, Sample, records_from
from troughline.model.model import load_model
from troughline.model.sbml import to_sbml

roadrunner: Any = pytest.importorskip("roadrunner", reason="libroadrunner is not installed")
TOLERANCE = 1e-4


@pytest.fixture
def quick_compiler() -> Iterator[None]:
    """Rules that use rules compile in seconds only if each is computed once; put back afterwards."""
    config = roadrunner.Config
    keys = (config.LLVM_SYMBOL_CACHE, config.LLVM_BACKEND, config.LLJIT_OPTIMIZATION_LEVEL)
    before = [config.getValue(k) for k in keys]
    for key, value in zip(keys, (True, config.LLJIT, config.NONE), strict=True):
        config.setValue(key, value)
    yield
    for key, value in zip(keys, before, strict=True):
        config.setValue(key, value)


def simulated(text: str, outputs: list[str], times: list[float], settings: dict[str, float]) -> Any:
    """The outputs at `times`, h, of a document whose initial values are set (n_times, n_outputs)."""
    simulator = roadrunner.RoadRunner(text)
    for name, value in settings.items():
        simulator[f"init({name})"] = value
    simulator.resetAll()
    simulator.integrator.relative_tolerance = 1e-8
    simulator.integrator.absolute_tolerance = 1e-10
    simulator.integrator.maximum_num_steps = 1_000_000
    simulator.integrator.maximum_time_step = 2.0
    simulator.timeCourseSelections = ["time", *(f"output_{n}" for n in outputs)]
    return np.asarray(simulator.simulate(times=[0.0, *times]))[1:, 1:]


@pytest.mark.usefixtures("quick_compiler")
@pytest.mark.parametrize("level", [0.0, 4.0])
def test_libroadrunner_runs_the_mechanism_alone_to_the_engines_numbers(level: float) -> None:
    """A year untreated, and at 4 mg/L: every output to 1e-4."""
    one, times = load_model(MECHANISM), [672.0, 8736.0]
    outputs = {o.name: float(o.factor) for o in one.spec.outputs}
    record = PatientRecord(
        patient="one",
        samples=[Sample(time_h=t, output=name) for t in times for name in outputs],
        covariates={"sorafenib": level},
        changes=[CovariateValues(time_h=0.0, values={"sorafenib": level})],
    )
    records = records_from([record], one.spec)
    ours = one.predict(records).value[records.observed].reshape(2, -1) / list(outputs.values())
    text = to_sbml(one.spec, covariates={"sorafenib": level})
    theirs = simulated(text, list(outputs), times, {})
    np.testing.assert_allclose(theirs, ours, rtol=TOLERANCE, atol=1e-9)


@pytest.mark.usefixtures("quick_compiler")
def test_libroadrunner_runs_the_joined_model_to_the_exact_runs_numbers() -> None:
    """A virtual patient, 400 mg twice daily for four days: every output to 1e-4."""
    r, one = runner(), patients(1)
    spec = join_models(MECHANISM, KINETICS).spec
    covariates = {c.name: float(v) for c, v in zip(r.mechanism.covariates, one.covariates[0], strict=True)}
    covariates |= {c.name: float(v) for c, v in zip(r.kinetics.covariates, one.pk_covariates[0], strict=True)}
    covariates |= dict.fromkeys(DRIVEN, 0.0)
    del covariates["sorafenib"]
    effects = dict(zip(r.mechanism.subject_effects, one.effects[0].tolist(), strict=True))
    names = (*r.kinetics.subject_effects, *r.kinetics.occasion_effects)
    effects |= dict(zip(names, one.pk_effects[0].tolist(), strict=True))
    settings = {"dose_amount": 400.0, "dose_interval": 12.0, "n_doses": 8.0, "next_dose_time": 0.0}
    text = to_sbml(spec, covariates=covariates, effects=effects)
    theirs = simulated(text, list(r.output_names), [48.0, 96.0], settings)
    ours = exact_course(
        r,
        **one.row(0),
        doses=[(12.0 * k, 400.0) for k in range(8)],
        sample_days=[2.0, 4.0],
    )[:, :-1]
    hazards = [r.output_names.index(n) for n in HAZARDS]
    ours[:, hazards] *= 24.0
    np.testing.assert_allclose(theirs, ours, rtol=TOLERANCE)
