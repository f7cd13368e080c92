"""The joined mechanism as SBML in libRoadRunner, every dose an event, against the exact run: to 1e-4."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.unit.mechanism_sample import patients, runner
from troughline.mechanism.compose import compose
from troughline.mechanism.exact import exact_course
from troughline.mechanism.runner import MECHANISM
from troughline.mechanism.source import DRIVEN, HAZARDS
from troughline.model.library import model_path
from troughline.model.read import read_model
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


@pytest.mark.usefixtures("quick_compiler")
def test_libroadrunner_runs_the_joined_model_to_the_exact_runs_numbers() -> None:
    """A virtual patient, 400 mg twice daily for four days: every output to 1e-4."""
    r, one = runner(), patients(1)
    text = compose(
        MECHANISM.read_text(encoding="utf-8"), model_path("sorafenib/hcc").read_text(encoding="utf-8")
    )
    spec, _ = read_model(text, file="joined.toml")
    assert spec is not None
    covariates = {c.name: float(v) for c, v in zip(r.mechanism.covariates, one.covariates[0], strict=True)}
    covariates |= {c.name: float(v) for c, v in zip(r.kinetics.covariates, one.pk_covariates[0], strict=True)}
    covariates |= dict.fromkeys(DRIVEN, 0.0)
    del covariates["sorafenib"]
    effects = dict(zip(r.mechanism.subject_effects, one.effects[0].tolist(), strict=True))
    names = (*r.kinetics.subject_effects, *r.kinetics.occasion_effects)
    effects |= dict(zip(names, one.pk_effects[0].tolist(), strict=True))
    simulator = roadrunner.RoadRunner(to_sbml(spec, covariates=covariates, effects=effects))
    settings = {"dose_amount": 400.0, "dose_interval": 12.0, "n_doses": 8.0, "next_dose_time": 0.0}
    for name, value in settings.items():
        simulator[f"init({name})"] = value
    simulator.resetAll()
    simulator.integrator.relative_tolerance = 1e-8
    simulator.integrator.absolute_tolerance = 1e-10
    simulator.integrator.maximum_num_steps = 1_000_000
    simulator.integrator.maximum_time_step = 2.0
    simulator.timeCourseSelections = ["time", *(f"output_{n}" for n in r.output_names)]
    theirs = np.asarray(simulator.simulate(times=[0.0, 48.0, 96.0]))[1:, 1:]
    ours = exact_course(
        r,
        covariates=one.covariates[0],
        pk_covariates=one.pk_covariates[0],
        effects=one.effects[0],
        pk_effects=one.pk_effects[0],
        doses=[(12.0 * k, 400.0) for k in range(8)],
        sample_days=[2.0, 4.0],
    )[:, :-1]
    hazards = [r.output_names.index(n) for n in HAZARDS]
    ours[:, hazards] *= 24.0
    np.testing.assert_allclose(theirs, ours, rtol=TOLERANCE)
