"""Exposure of a cohort from samples at random times, against the truth that they were simulated from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from benchmarks import modelled
from benchmarks.simulated_records import Records

from troughline.cohort.cohort import Cohort
from troughline.cohort.exposure import Sample, exposure_of
from troughline.model.model import Model, load_model
from troughline.pk.cohort_exposure import ModelExposure, cohort_exposure, discrepancy_test, reliability

N = 80


def _cohort(rows: Records, **changes: Any) -> Cohort:
    asked = {
        "id": "toxicity", "kind": "threshold", "predictor": modelled.predictor(modelled.PRECISE, **changes),
        "outcome": {"event": "adverse event", "grade": ">=3"},
    }  # fmt: skip
    covariates = {"albi": {"unit": "1"}, "weight": {"unit": "kg"}}
    held = {name for values in rows.patients.values() for name in values}
    return rows.cohort([asked], covariates={name: covariates[name] for name in covariates if name in held})


def _eligible(cohort: Cohort) -> dict[str, Sample]:
    exposure = exposure_of(
        cohort, cohort.study.question[0].predictor, steady_state_days=7, trough_min_hours=10
    )
    return {p: e.samples[0] for p, e in exposure.guarded.items()}


def _exposures(cohort: Cohort, model: Model, **changes: Any) -> dict[str, ModelExposure]:
    options: dict[str, Any] = {"analyte": "sorafenib", "seed": 7, **changes}
    return cohort_exposure(cohort, model, options.pop("samples", None) or _eligible(cohort), **options)


def _same(one: Mapping[str, ModelExposure], other: Mapping[str, ModelExposure], patients: Any = None) -> None:
    for patient in patients or one:
        a, b = one[patient], other[patient]
        assert np.array_equal(a.draws, b.draws)
        assert (a.median, a.low, a.high, a.log_sd, a.status) == (b.median, b.low, b.high, b.log_sd, b.status)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(modelled.PRECISE)


@pytest.fixture(scope="module")
def simulated() -> tuple[modelled.Truth, Records]:
    rng = np.random.default_rng(20)
    truth = modelled.draw_truth(N, rng)
    return truth, modelled.sampled_records(truth, rng, sd=modelled.RESIDUAL_SD[modelled.PRECISE])


@pytest.fixture(scope="module")
def predicted(simulated: tuple[modelled.Truth, Records], model: Model) -> dict[str, ModelExposure]:
    return _exposures(_cohort(simulated[1]), model)


def _few(n: int = 4) -> Records:
    """Four patients with a level 6 h after the dose on day 14."""
    rows = Records()
    for i in range(n):
        patient = f"P{i + 1}"
        rows.patients[patient] = {"albi": -2.0}
        rows.dose(patient, 0.0, 400.0)
        rows.level(patient, 14.0, 2.0 + i, unit="mg/L", hours=6.0)
    return rows


def test_intervals_hold_the_true_trough_as_often_as_they_say(
    simulated: tuple[modelled.Truth, Records], predicted: dict[str, ModelExposure]
) -> None:
    """90 % intervals over 80 patients: 0.80 to 1 is within three standard errors (0.034)."""
    truth = simulated[0].trough
    inside = [e.low <= t <= e.high for e, t in zip(predicted.values(), truth, strict=True)]
    assert len(inside) == N
    assert 0.80 <= np.mean(inside) <= 1.0


def test_predictions_err_less_than_the_raw_levels(
    simulated: tuple[modelled.Truth, Records], predicted: dict[str, ModelExposure]
) -> None:
    """Root mean square log error against the true trough, a level at a random time taken as the trough."""
    truth = np.log(simulated[0].trough)
    raw = np.log([s.value for s in _eligible(_cohort(simulated[1])).values()])
    median = np.log([e.median for e in predicted.values()])
    assert np.sqrt(np.mean((median - truth) ** 2)) < 0.85 * np.sqrt(np.mean((raw - truth) ** 2))


def test_the_uncertainty_is_as_large_as_the_errors(
    simulated: tuple[modelled.Truth, Records], predicted: dict[str, ModelExposure]
) -> None:
    """Errors over the posterior SD have a variance of about 1 (80 patients: 0.6 to 1.5)."""
    truth = np.log(simulated[0].trough)
    z = [(math.log(e.median) - t) / e.log_sd for e, t in zip(predicted.values(), truth, strict=True)]
    assert 0.6 < np.var(z) < 1.5


def test_the_reliability_ratio_is_the_share_of_variance_that_is_known(
    simulated: tuple[modelled.Truth, Records], predicted: dict[str, ModelExposure]
) -> None:
    """It comes near the squared correlation with the truth (within 0.1), and is 1 without uncertainty."""
    median = np.log([e.median for e in predicted.values()])
    r2 = np.corrcoef(median, np.log(simulated[0].trough))[0, 1] ** 2
    assert reliability(predicted) == pytest.approx(r2, abs=0.1)
    assert reliability({p: replace(e, log_sd=0.0) for p, e in predicted.items()}) == 1.0
    assert math.isnan(reliability(dict(list(predicted.items())[:1])))


def test_samples_of_the_model_itself_pass_its_discrepancy_test(predicted: dict[str, ModelExposure]) -> None:
    """Uniform by Kolmogorov–Smirnov (p > 0.01), mean 0.5 (standard error 0.032), typical ratio near 1."""
    test = discrepancy_test(predicted)
    assert test is not None
    assert test.n == N
    assert test.p_value > 0.01
    assert test.mean == pytest.approx(0.5, abs=0.1)
    assert test.ratio == pytest.approx(1.0, rel=0.25)
    assert discrepancy_test(dict(list(predicted.items())[:4])) is None


def test_what_follows_the_sample_changes_nothing(model: Model) -> None:
    """Later levels, doses and covariates (which the model carries back): the same to the last bit."""
    alone = _few()
    later = _few()
    for i in range(4):
        patient = f"P{i + 1}"
        later.level(patient, 30.0, 50.0, unit="mg/L", hours=3.0)
        later.level(patient, 14.0, 40.0, unit="mg/L", hours=9.0)
        later.dose(patient, 20.0, 800.0)
        later.level(patient, 25.0, 140.0, unit="kg", analyte="weight")
    for rows in (alone, later):
        for i in range(4):
            rows.patients[f"P{i + 1}"]["weight"] = 60.0
    before = _exposures(_cohort(alone), model)
    after = _exposures(_cohort(later), model, samples=_eligible(_cohort(alone)))
    _same(before, after)
    assert all(e.n_samples == 1 for e in after.values())


def test_what_precedes_the_sample_counts(model: Model) -> None:
    """A level before steady state is no eligible sample, yet tells of the patient."""
    rows = _few()
    rows.level("P1", 3.0, 9.0, unit="mg/L", hours=6.0)
    before, after = _exposures(_cohort(_few()), model), _exposures(_cohort(rows), model)
    assert after["P1"].n_samples == 2
    assert after["P1"].median > before["P1"].median
    assert after["P1"].log_sd < before["P1"].log_sd
    _same(before, after, ["P2", "P3", "P4"])


def test_company_order_threads_and_memory_change_nothing(model: Model) -> None:
    cohort = _cohort(_few())
    samples = _eligible(cohort)
    kept: dict[bytes, ModelExposure] = {}
    whole = _exposures(cohort, model, threads=1, kept=kept)
    assert len(kept) == 4
    _same(whole, _exposures(cohort, model, threads=2, kept=kept))
    assert len(kept) == 4
    two = {p: samples[p] for p in ("P4", "P2")}
    part = _exposures(cohort, model, samples=two)
    assert list(part) == ["P2", "P4"]
    _same(part, whole)
    assert not np.array_equal(part["P2"].draws, _exposures(cohort, model, samples=two, seed=8)["P2"].draws)


def test_metrics_of_one_interval_agree_with_one_another(model: Model) -> None:
    """Average = area / 12 h in each draw (1e-9); trough < average < peak."""
    cohort = _cohort(_few(2))
    by = {
        metric: _exposures(cohort, model, metric=metric, unit=unit)["P1"]
        for metric, unit in (("trough", "mg/L"), ("auc", "mg*h/L"), ("average", "mg/L"), ("cmax", "mg/L"))
    }
    assert by["average"].draws == pytest.approx(by["auc"].draws / 12.0, rel=1e-9)
    assert (by["trough"].draws < by["average"].draws).all()
    assert (by["average"].draws < by["cmax"].draws).all()


def test_the_unit_scales_and_nothing_else(model: Model) -> None:
    cohort = _cohort(_few(2))
    one, other = (_exposures(cohort, model, unit=unit) for unit in ("mg/L", "ng/mL"))
    assert other["P1"].median == pytest.approx(1000 * one["P1"].median, rel=1e-12)
    assert other["P1"].log_sd == one["P1"].log_sd
    with pytest.raises(ValueError, match="convert"):
        _exposures(cohort, model, unit="mg*h/L")
    with pytest.raises(ValueError, match="does not predict 'lenvatinib'; it predicts sorafenib"):
        _exposures(cohort, model, analyte="lenvatinib")


def test_the_trough_follows_the_dose_in_force(model: Model) -> None:
    """On 800 mg the same level means a patient with half the exposure per mg: clearance is known better."""
    rows = _few(2)
    rows.doses = [r for r in rows.doses if r["patient"] != "P2"]
    rows.dose("P2", 0.0, 800.0)
    rows.dose("P2", 8.0, 200.0, interval_h=24.0)
    made = _exposures(_cohort(rows, metric="trough"), model, samples=_eligible(_cohort(_few(2))))
    assert (made["P1"].dose_mg, made["P1"].interval_h) == (400.0, 12.0)
    assert (made["P2"].dose_mg, made["P2"].interval_h) == (200.0, 24.0)
    assert made["P2"].time_after_dose_h == 6.0


def test_a_level_below_the_limit_is_taken_as_such(model: Model) -> None:
    rows = _few(2)
    rows.measurements = [r for r in rows.measurements if r["patient"] != "P2"]
    rows.level("P2", 14.0, math.nan, unit="mg/L", hours=6.0, limit=0.8, below=True)
    made = _exposures(_cohort(rows), model)
    assert made["P2"].usable
    assert made["P2"].median < 0.8
    assert math.isfinite(made["P2"].discrepancy)


def test_a_covariate_out_of_range_costs_one_patient_his_exposure(model: Model) -> None:
    rows = _few(2)
    rows.patients["P1"]["weight"], rows.patients["P2"]["weight"] = 300.0, 80.0
    made = _exposures(_cohort(rows), model)
    assert made["P1"].status == "weight 300 lies outside the range in which the model holds"
    _same(made, _exposures(_cohort(_few(2)), model), ["P2"])


def test_a_patient_without_an_exposure_is_told_why(model: Model) -> None:
    """No dose, no interval, a sample in a hold; the others have theirs."""
    rows = _few(4)
    rows.doses = [r for r in rows.doses if r["patient"] == "P4"]
    rows.dose("P2", 14.0, 400.0, interval_h=math.nan)
    rows.dose("P3", 0.0, 400.0)
    rows.dose("P3", 13.0, 0.0)
    made = _exposures(_cohort(rows), model, samples=_eligible(_cohort(_few(4))))
    assert made["P1"].status == "no dose is recorded"
    assert made["P2"].status == "the dosing interval is not known: interval_h is empty"
    assert made["P3"].status.startswith("in no dosing interval: drawn ")
    assert not made["P1"].usable
    assert math.isnan(made["P1"].median)
    assert made["P4"].usable


def test_an_interval_that_the_table_lacks_is_the_time_since_the_dose_before(model: Model) -> None:
    rows = _few(1)
    rows.doses = []
    for k in range(40):
        rows.dose("P1", k / 2, 400.0, interval_h=math.nan)
    made = _exposures(_cohort(rows), model)["P1"]
    assert (made.interval_h, made.time_after_dose_h) == (12.0, pytest.approx(6.0))
    assert made.median == pytest.approx(_exposures(_cohort(_few(1)), model)["P1"].median, rel=1e-6)


def test_doubts_about_a_sample_are_flagged_and_not_hidden(model: Model) -> None:
    """An outlying level, no recorded time, and a time that the doses contradict."""
    rows = _few(3)
    for row, change in zip(
        rows.measurements,
        ({"value": 90.0}, {"time_after_dose_h": math.nan}, {"time_after_dose_h": 40.0}),
        strict=True,
    ):
        row.update(change)
    made = _exposures(_cohort(rows), model)
    assert made["P1"].flags[0].startswith("outlying sample")
    assert "above what the model predicts" in made["P1"].flags[0]
    assert made["P2"].flags == ("time after the dose not recorded: taken as 12 h",)
    assert made["P3"].flags == ("recorded 40 h after the dose, 12 h after it by the tables",)
    assert all(e.usable for e in made.values())
