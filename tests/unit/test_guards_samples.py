"""Guards about samples: troughs that are none, repeats, units and assays, limits, missing patients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks.cohorts import (
    COVARIATES,
    clean_cohort,
    cohort_with_trap,
    draw_truth,
    judge,
    question,
    records,
)
from benchmarks.simulated_records import Records
from scipy.stats import norm

from troughline.cohort.cohort import Cohort
from troughline.cohort.studyfile import ThresholdQuestion
from troughline.evidence.store import load_drug
from troughline.response.auc_interval import auc_interval, delong
from troughline.response.questions.parts import pair
from troughline.response.questions.setup import numeric_predictor, outcome_of
from troughline.response.questions.threshold import as_published_pairs
from troughline.results import GuardFinding, GuardSeverity


def finding(cohort: Cohort, guard_id: str) -> GuardFinding | None:
    result, _ = judge(cohort)
    return next((g for g in result.guards if g.id == guard_id), None)


def base(seed: int = 1, n: int = 74) -> Records:
    rng = np.random.default_rng(seed)
    return records(draw_truth(n, rng), rng)


def asked(rows: Records, **changes: object) -> Cohort:
    return rows.cohort([question("threshold", **changes)], covariates=COVARIATES)


def test_timing_unknown_fires_for_a_drug_level_in_the_patients_table() -> None:
    result, case = judge(cohort_with_trap("timing-unknown", 74, np.random.default_rng(1)))
    assert case.predictor.is_drug_level
    found = next(g for g in result.guards if g.id == "timing-unknown")
    assert found.finding.startswith("The drug level “trough” comes without the day")


def test_timing_unknown_is_silent_for_measured_levels_and_other_covariates() -> None:
    assert finding(clean_cohort(74, np.random.default_rng(1), "threshold"), "timing-unknown") is None
    other = base().cohort([question("threshold", predictor={"covariate": "albi"})], covariates=COVARIATES)
    assert finding(other, "timing-unknown") is None


def test_not_a_trough_fires_with_the_number_and_the_hours() -> None:
    rows = base()
    for row in rows.measurements[:2]:
        row["time_after_dose_h"] = 3.5
    found = finding(asked(rows), "not-a-trough")
    assert found is not None
    assert found.severity is GuardSeverity.CAUTION
    assert found.finding == "2 samples called a trough drawn too soon after the dose (3.5 h, 3.5 h)."


def test_not_a_trough_fires_as_a_note_where_the_time_was_not_recorded() -> None:
    rows = base()
    for row in rows.measurements[:5]:
        row["time_after_dose_h"] = math.nan
    result, _ = judge(asked(rows))
    found = next(g for g in result.guards if g.id == "not-a-trough")
    assert found.severity is GuardSeverity.NOTE
    assert found.finding == "5 samples without a recorded time after the dose."
    assert result.verdict == "answered"


@pytest.mark.parametrize(("metric", "hours"), [("trough", 10.0), ("clinic-visit", 2.0)])
def test_not_a_trough_is_silent_ten_hours_after_the_dose_and_for_clinic_visits(
    metric: str, hours: float
) -> None:
    rows = base()
    for row in rows.measurements:
        row["time_after_dose_h"] = hours
    assert finding(asked(rows, predictor={"metric": metric}), "not-a-trough") is None


def test_repeated_samples_fires_with_samples_and_patients() -> None:
    found = finding(cohort_with_trap("repeated-samples", 74, np.random.default_rng(1)), "repeated-samples")
    assert found is not None
    assert found.finding == "296 samples of 74 patients were taken as 296 patients."


def test_repeated_samples_fires_for_the_maximum_of_unequal_numbers() -> None:
    rows = base()
    first = rows.measurements[0]["patient"]
    rows.level(first, 15, 9.0)
    rows.level(first, 16, 1.0)
    found = finding(asked(rows, predictor={"summary": "max"}), "repeated-samples")
    assert found is not None
    assert found.finding.startswith("The highest of 1 to 3 samples was taken")


@pytest.mark.parametrize("summary", ["mean", "first", "median"])
def test_repeated_samples_is_silent_for_one_value_a_patient(summary: str) -> None:
    rows = base()
    for row in list(rows.measurements):
        rows.level(row["patient"], 15, row["value"])
    assert finding(asked(rows, predictor={"summary": summary}), "repeated-samples") is None


def test_repeated_samples_is_silent_for_the_maximum_of_equal_numbers_and_for_single_samples() -> None:
    rows = base()
    assert finding(asked(rows, predictor={"summary": "every"}), "repeated-samples") is None
    for row in list(rows.measurements):
        rows.level(row["patient"], 15, row["value"])
    assert finding(asked(rows, predictor={"summary": "max"}), "repeated-samples") is None


def test_the_interval_that_takes_samples_for_patients_is_too_narrow_and_the_guarded_one_covers() -> None:
    """20 + 20 patients, four troughs each, log-SD 0.62 between and 0.3 within patients, AUC of a sample .75.

    Four nearly equal samples make DeLong's interval about half as wide as it should be. 200 cohorts: error
    3.4 points for the naive coverage, 1.5 for the guarded one.
    """
    rng = np.random.default_rng(15)
    drug, truth, n = load_drug("sorafenib"), 0.75, 200
    shift = math.sqrt(2) * math.hypot(0.62, 0.3) * float(norm.ppf(truth))
    naive, guarded = 0, 0
    for _ in range(n):
        rows = Records()
        for i in range(40):
            patient, toxic = f"P{i}", i < 20
            rows.patients[patient] = {"albi": -2.3}
            log = rng.normal(shift if toxic else 0.0, 0.62)
            for day in (14, 15, 16, 17):
                rows.level(patient, day, 2.91 * math.exp(log + rng.normal(0.0, 0.3)))
            rows.event(patient, 40, "adverse event", grade=3.0 if toxic else 1.0)
        cohort = asked(rows, predictor={"summary": "every"})
        (one,) = cohort.study.question
        assert isinstance(one, ThresholdQuestion)
        outcome = outcome_of(cohort, one.outcome)
        values = numeric_predictor(cohort, one.predictor, drug, {"outcome": outcome})
        samples, patients = as_published_pairs(values, outcome), pair(values.guarded, outcome)
        assert (len(samples.patients), len(patients.patients)) == (160, 40)
        published = delong(samples.values, samples.happened)
        naive += published.low <= truth <= published.high
        covered = auc_interval(patients.values, patients.happened)
        guarded += covered.low <= truth <= covered.high
    assert naive / n < 0.80
    assert guarded / n >= 0.92


def test_mixed_units_or_assays_fires_with_each_unit_and_assay_and_converts() -> None:
    cohort = cohort_with_trap("mixed-units-or-assays", 74, np.random.default_rng(1))
    result, case = judge(cohort)
    found = next(g for g in result.guards if g.id == "mixed-units-or-assays")
    assert "units: ng/mL (37), ug/mL (37)" in found.finding
    assert "assays: LC-MS/MS (37), immunoassay (37)" in found.finding
    assert 0.5 < np.median(list(case.predictor.guarded.values())) < 10


def test_mixed_units_or_assays_is_silent_for_one_of_each() -> None:
    found = finding(clean_cohort(74, np.random.default_rng(1), "threshold"), "mixed-units-or-assays")
    assert found is None


@pytest.mark.parametrize(("below", "severity"), [(2, GuardSeverity.NOTE), (15, GuardSeverity.CAUTION)])
def test_below_limit_fires_with_the_share(below: int, severity: GuardSeverity) -> None:
    rows = base()
    for row in rows.measurements[:below]:
        row.update(value=math.nan, below_limit=True, limit=0.4)
    result, case = judge(asked(rows))
    found = next(g for g in result.guards if g.id == "below-limit")
    assert found.severity is severity
    assert found.finding.startswith(f"{below} of 74 samples ({100 * below / 74:.0f} %)")
    assert case.predictor.guarded[rows.measurements[0]["patient"]] == 0.2


def test_below_limit_is_silent_where_every_level_was_quantified() -> None:
    assert finding(clean_cohort(74, np.random.default_rng(1), "threshold"), "below-limit") is None


def test_missing_data_fires_with_the_reasons_and_who_had_the_event() -> None:
    """Five without a sample, three sampled before steady state; the toxic ones among them are counted."""
    rows = base()
    patients = list(rows.patients)
    rows.drop(set(patients[:5]), "measurements")
    for row in rows.measurements[:3]:
        row["day"] = 3.0
    toxic = {e["patient"] for e in rows.events if e["grade"] == 3}
    found = finding(asked(rows), "missing-data")
    assert found is not None
    assert found.finding == (
        "8 of 74 patients (11 %) are not in the guarded analysis: 5 no sample; 3 before steady state."
    )
    assert found.effect.startswith(f"{len(toxic & set(patients[:8]))} of those left out had an outcome")


@pytest.mark.parametrize(("missing", "fires"), [(3, False), (4, True)])
def test_missing_data_is_silent_up_to_a_twentieth(missing: int, fires: bool) -> None:
    """3 of 74 are 4.1 %, 4 are 5.4 %; the limit is 5 %."""
    rows = base()
    rows.drop(set(list(rows.patients)[:missing]), "measurements")
    assert (finding(asked(rows), "missing-data") is not None) is fires
