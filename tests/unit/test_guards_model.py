"""Guards about exposure that a population model predicts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from benchmarks import modelled
from benchmarks.cohorts import COVARIATES, judge, question

from troughline.cohort.cohort import Cohort
from troughline.results import GuardFinding, GuardSeverity


def _cohort(model: Any, *, n: int = 40, clearance_factor: float = 1.0, **changes: Any) -> Cohort:
    rng = np.random.default_rng(8)
    truth = modelled.draw_truth(n, rng, clearance_factor=clearance_factor)
    rows = modelled.sampled_records(truth, rng, sd=modelled.RESIDUAL_SD.get(model, 0.2))
    for number, change in changes.items():
        rows.measurements[int(number.removeprefix("m"))].update(change)
    return rows.cohort([question("threshold", predictor=modelled.predictor(model))], covariates=COVARIATES)


def _fired(cohort: Cohort) -> dict[str, GuardFinding]:
    return {g.id: g for g in judge(cohort)[0].guards}


def test_model_exposure_fires_where_predictions_are_unreliable() -> None:
    """With a residual SD of 0.8 on the log scale one sample leaves two thirds of the variance unknown."""
    found = _fired(_cohort(modelled.IMPRECISE))["model-exposure"]
    assert found.severity is GuardSeverity.CAUTION
    assert "one-compartment-imprecise, with a reliability ratio of 0." in found.finding
    assert "attenuated" in found.effect
    assert "regression dilution" in found.remedy


def test_model_exposure_fires_on_an_outlying_sample_and_one_without_a_time() -> None:
    """Both are named, and their patients stay in the analysis."""
    cohort = _cohort(modelled.PRECISE, m0={"value": 300.0}, m1={"time_after_dose_h": math.nan})
    result, case = judge(cohort)
    found = {g.id: g for g in result.guards}["model-exposure"]
    assert found.severity is GuardSeverity.NOTE
    assert "1 patient with an outlying sample (P0001)" in found.finding
    assert "1 patient with a sample whose time after the dose is not recorded (P0002)" in found.finding
    assert {"P0001", "P0002"} <= set(case.analysed)


@pytest.mark.parametrize(
    ("change", "severity", "words"),
    [
        ({"calibrated": True}, GuardSeverity.CAUTION, "calibrated to aggregate data, not fitted to patients"),
        ({"n_unverified": 2}, GuardSeverity.NOTE, "2 of its 7 numbers not read in their source"),
    ],
)
def test_model_exposure_fires_on_what_is_known_of_the_model(
    change: dict[str, Any], severity: GuardSeverity, words: str
) -> None:
    from troughline.response.guards import check

    case = judge(_cohort(modelled.PRECISE))[1]
    model = case.predictor.model
    assert model is not None
    case.predictor = replace(case.predictor, model=replace(model, **change))
    found = {g.id: g for g in check(case)}["model-exposure"]
    assert (found.severity, words in found.finding) == (severity, True)


def test_model_exposure_is_silent_with_a_reliable_model_and_without_one() -> None:
    """Verified numbers, a residual SD of 0.2, samples with their times: a reliability ratio above 0.7."""
    result, case = judge(_cohort(modelled.PRECISE))
    assert {g.id for g in result.guards if g.id.startswith("model")} == set()
    assert case.predictor.model is not None
    assert case.predictor.model.reliability is not None
    assert case.predictor.model.reliability > 0.7


def test_model_misfit_fires_in_patients_whom_the_model_does_not_predict() -> None:
    """Clearance at two fifths of the model's: levels more than twice as high as predicted."""
    found = _fired(_cohort(modelled.PRECISE, clearance_factor=0.4))["model-misfit"]
    assert found.severity is GuardSeverity.CAUTION
    assert "mean prediction discrepancy is 0.8" in found.finding
    assert "Levels are 2." in found.effect


def test_model_misfit_is_silent_in_patients_from_the_model() -> None:
    assert "model-misfit" not in _fired(_cohort(modelled.PRECISE))


def test_a_level_at_any_time_is_no_missed_trough_where_a_model_predicts_it() -> None:
    """The guard `not-a-trough` leaves levels 1 to 11 h after the dose alone."""
    result, case = judge(_cohort(modelled.PRECISE))
    assert "not-a-trough" not in {g.id for g in result.guards}
    assert len(case.analysed) == 40
