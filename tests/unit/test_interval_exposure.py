"""Exposure of dosing intervals against closed forms and against the exposure of single patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.estimate_sample import CL, OMEGA_CL, V, records_from, small_model
from troughline.pk.dosing_intervals import reported_intervals
from troughline.pk.exposure import ExposureQuery, exposure_draws
from troughline.pk.individual import estimate_individuals
from troughline.pk.interval_exposure import exposure_of_intervals, peak_of

HEADER = "ID,TIME,EVID,AMT,RATE,II,ADDL,SS,DV"
Z95 = 1.6448536269514722


def test_the_area_of_an_interval_at_steady_state_is_the_dose_over_the_clearance(tmp_path: Path) -> None:
    """Without samples log(area) is normal with the prior's variance of log CL: exact to first order, 1e-6."""
    model = small_model()
    records = records_from(tmp_path, model, HEADER, "1,0,1,100,0,12,0,1,.")
    found = exposure_of_intervals(
        model, records, estimate_individuals(model, records), reported_intervals(records)
    )
    area = 100 / CL
    factor = np.exp(Z95 * np.sqrt(OMEGA_CL))
    assert found.median[0, 0, 2] == pytest.approx(area, rel=1e-6)
    assert found.median[0, 0, 3] == pytest.approx(area / 12, rel=1e-6)
    assert found.low[0, 0, 2] == pytest.approx(area / factor, rel=1e-6)
    assert found.high[0, 0, 2] == pytest.approx(area * factor, rel=1e-6)
    k = CL / V
    assert found.median[0, 0, 1] == pytest.approx(100 / V / (1 - np.exp(-12 * k)), rel=1e-6)
    assert found.median[0, 0, 0] == pytest.approx(100 / V * np.exp(-12 * k) / (1 - np.exp(-12 * k)), rel=1e-6)


def test_an_area_ends_before_a_dose_that_brings_its_own_steady_state(tmp_path: Path) -> None:
    """A bolus, then SS = 1 after 12 h: the area of the first interval by its closed form, 1e-6."""
    model = small_model()
    records = records_from(
        tmp_path, model, HEADER, "1,0,1,100,0,12,0,0,.", "1,5,0,.,.,.,.,.,1", "1,12,1,100,0,12,0,1,."
    )
    individuals = estimate_individuals(model, records)
    found = exposure_of_intervals(model, records, individuals, reported_intervals(records))
    cl, v = CL * np.exp(individuals.effects[0, 0]), V * np.exp(individuals.effects[0, 1])
    assert found.median[0, 0, 2] == pytest.approx(100 / cl * (1 - np.exp(-12 * cl / v)), rel=1e-6)


def test_the_peak_of_an_infusion_is_at_its_end(tmp_path: Path) -> None:
    """An hour and a bit of infusion: the end is one of the times that are looked at, 1e-9."""
    model = small_model()
    records = records_from(tmp_path, model, HEADER, "1,0,1,100,90,24,0,0,.")
    found = exposure_of_intervals(
        model, records, estimate_individuals(model, records), reported_intervals(records)
    )
    hours, k = 100 / 90, CL / V
    assert found.median[0, 0, 1] == pytest.approx(90 / CL * (1 - np.exp(-k * hours)), rel=1e-9)


def test_draws_give_what_the_exposure_of_one_patient_gives(tmp_path: Path) -> None:
    """Trough, peak, area and average of two intervals over occasions: medians and bounds agree to 1e-5."""
    model = small_model(occasions=True)
    records = records_from(
        tmp_path, model, HEADER + ",OCC",
        "1,0,1,100,30,12,0,0,.,1", "1,7,0,.,.,.,.,.,1,1", "1,12,1,100,0,12,3,0,.,1",
        "1,40,0,.,.,.,.,.,1,2",
    )  # fmt: skip
    intervals = reported_intervals(records)
    draws = np.random.default_rng(1).normal(0, 0.2, (1, 300, 4))
    draws[0, :150] = draws[0, 150:]
    found = exposure_of_intervals(
        model, records, estimate_individuals(model, records), intervals, draws=draws
    )
    queries = [
        ExposureQuery(quantity=quantity, start=start, end=end)
        for start, end in zip(intervals.start_h, intervals.end_h, strict=True)
        for quantity in ("trough", "cmax", "auc", "average")
    ]
    alone = exposure_draws(model, records, 0, draws[0], queries).reshape(300, 2, 4)
    for values, share in ((found.low, 0.05), (found.median, 0.5), (found.high, 0.95)):
        assert values[:, 0] == pytest.approx(np.quantile(alone, share, axis=0), rel=1e-5)


def test_a_patient_without_an_estimate_has_no_exposure(tmp_path: Path) -> None:
    """Draws that are NaN, or a status without a likelihood: NaN, and the other patient is as alone."""
    model = small_model(kind="proportional")
    rows = ("1,0,0,.,.,.,.,.,1", "1,1,1,100,0,12,0,0,.", "2,0,1,100,0,12,0,0,.", "2,5,0,.,.,.,.,.,1")
    records = records_from(tmp_path, model, HEADER, *rows)
    individuals = estimate_individuals(model, records)
    assert individuals.status.tolist() == [2, 0]
    intervals = reported_intervals(records)
    for draws in (None, np.where(np.arange(2)[:, None, None] == 0, np.nan, np.zeros((2, 5, 2)))):
        found = exposure_of_intervals(model, records, individuals, intervals, draws=draws)
        assert np.isnan(found.median[0]).all()
        assert np.isfinite(found.median[1]).all()


def test_threads_and_company_change_nothing(tmp_path: Path) -> None:
    """A patient's numbers are the same alone, among others, and on four threads: to the last bit."""
    model = small_model()
    rows = [
        f"{i},{t},{e}" for i in range(1, 31) for t, e in ((0, f"1,{50 + i},0,12,0,0,."), (5, "0,.,.,.,.,.,1"))
    ]
    records = records_from(tmp_path, model, HEADER, *rows)
    draws = np.random.default_rng(2).normal(0, 0.2, (30, 40, 2))
    individuals = estimate_individuals(model, records)
    intervals = reported_intervals(records)
    one, four = (
        exposure_of_intervals(model, records, individuals, intervals, draws=draws, threads=n) for n in (1, 4)
    )
    assert np.array_equal(one.high, four.high)
    alone = records_from(tmp_path, model, HEADER, *rows[:2])
    single = exposure_of_intervals(
        model, alone, estimate_individuals(model, alone), reported_intervals(alone), draws=draws[:1]
    )
    assert np.array_equal(single.median[0], one.median[0])


def test_a_parabola_is_found_exactly() -> None:
    """Its top lies between unequal times: height and moment to 1e-12; at an edge the level itself."""
    time = np.array([0.0, 1.0, 2.5, 3.0, 5.0])
    height, moment = peak_of(time[None], (7 - (time - 2.2) ** 2)[None])
    assert height[0] == pytest.approx(7, abs=1e-12)
    assert moment[0] == pytest.approx(2.2, abs=1e-12)
    height, moment = peak_of(time[None], (-time)[None])
    assert (height[0], moment[0]) == (0, 0)
