"""Exposure of one compartment against its closed form: levels, peaks, areas, time in a range, any time.

Areas within 1e-8, peaks within 1e-4, times inside a range within 1e-3, all relative unless said otherwise.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq

from troughline.model.build import CovariateValues, DoseEvent, PatientRecord, Sample, records_from
from troughline.model.model import Model
from troughline.model.read import read_model
from troughline.model.records import Records
from troughline.pk.exposure import ExposureQuery, exposure_draws, summarise, with_queries

Floats = NDArray[np.float64]
KA, CL, V, K = 1.1, 6.0, 50.0, 0.12
FM, KM, VM = 0.4, 0.3, 20.0
TEXT = """
[model]
id = "test/exposure"
title = "One compartment, oral or bolus, with a metabolite"
drug = "test"
revision = 1
source = "here"
[sources.here]
citation = "Numbers chosen for this test"
[parameters]
ka = { value = 1.1, unit = "1/h" }
CL_pop = { value = 6, unit = "L/h" }
V = { value = 50, unit = "L" }
fm = 0.4
km = { value = 0.3, unit = "1/h" }
VM = { value = 20, unit = "L" }
[covariates.weight]
unit = "kg"
default = 70
carry = "next"
[covariates.state]
levels = ["well", "ill"]
default = "well"
carry = "last"
[[random]]
level = "subject"
effects = ["eta"]
variance = [0.09]
[[random]]
level = "occasion"
effects = ["kappa_CL", "kappa_F"]
variance = [0.04, 0.04]
[individual]
CL = "CL_pop * (weight / 70[kg]) * (0.5 if state == \\"ill\\" else 1) * exp(eta + kappa_CL)"
F = "exp(kappa_F)"
[compartments]
depot = {}
central = {}
other = {}
[[flows]]
from = "depot"
to = "central"
rate = "ka"
[[flows]]
from = "central"
to = "other"
rate = "fm * CL / V"
[[flows]]
from = "central"
rate = "(1 - fm) * CL / V"
[[flows]]
from = "other"
rate = "km"
[[doses]]
compartment = "depot"
bioavailability = "F"
[outputs.parent]
prediction = "central / V"
unit = "mg/L"
error = { kind = "proportional", proportional = "0.2" }
[outputs.metabolite]
prediction = "other / VM"
unit = "ug/L"
error = { kind = "proportional", proportional = "0.2" }
"""


@cache
def model() -> Model:
    spec, found = read_model(TEXT, file="exposure.toml")
    assert spec is not None, [str(f) for f in found.items]
    return Model(spec)


def records_of(*doses: DoseEvent, **more: Any) -> Records:
    return records_from([PatientRecord(patient="P", doses=doses, **more)], model().spec)


def at(time_h: float) -> Sample:
    """A sample of the parent."""
    return Sample(time_h=time_h, value=1.0, output="parent")


def answer(records: Records, quantity: Any, *, effects: Any = None, **more: Any) -> float:
    """The quantity at the given effects, all of them 0 by default."""
    draws = np.zeros((1, 9)) if effects is None else np.array([effects], dtype=float)
    return float(exposure_draws(model(), records, 0, draws, [ExposureQuery(quantity=quantity, **more)])[0, 0])


def bolus(time_h: float, dose: float = 100.0, k: float = K) -> float:
    return dose / V * math.exp(-k * time_h)


def oral(time_h: float, dose: float = 100.0, k: float = K) -> float:
    """The level after one oral dose, 0 before it."""
    if time_h < 0:
        return 0.0
    return dose * KA / V / (KA - k) * (math.exp(-k * time_h) - math.exp(-KA * time_h))


def oral_area(time_h: float, dose: float = 100.0, k: float = K) -> float:
    """∫ of `oral` from 0."""
    if time_h < 0:
        return 0.0
    return dose * KA / V / (KA - k) * (-math.expm1(-k * time_h) / k + math.expm1(-KA * time_h) / KA)


ORAL = DoseEvent(time_h=0, amount_mg=100)
BOLUS = DoseEvent(time_h=0, amount_mg=100, compartment="central")
TWICE_DAILY = DoseEvent(time_h=0, amount_mg=100, interval_h=12, additional=60)


def test_a_level_at_any_time() -> None:
    """Past, future, before the dose, and at the time of one: after it, with its trough just before."""
    records = records_of(TWICE_DAILY, samples=(at(100.0),))
    for time_h in (0.0, 7.3, 100.0, 731.5, 900.0):
        expected = sum(oral(time_h - 12 * j) for j in range(61))
        assert answer(records, "at", end=time_h) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert answer(records, "at", end=-5.0) == 0.0
    central = records_of(replace(BOLUS, interval_h=12, additional=3))
    assert answer(central, "at", end=24.0) == pytest.approx(sum(bolus(12 * j) for j in range(3)), rel=1e-9)
    assert answer(central, "trough", end=24.0) == pytest.approx(bolus(12) + bolus(24), rel=1e-7)


def test_peak_of_an_oral_dose_and_its_time() -> None:
    """t = ln(ka/k)/(ka − k) for one dose; 1e-4 and 0.01 h."""
    moment = math.log(KA / K) / (KA - K)
    records = records_of(ORAL)
    for end in (12.0, 24.0, 48.0):
        assert answer(records, "cmax", end=end) == pytest.approx(oral(moment), rel=1e-4)
        assert answer(records, "tmax", end=end) == pytest.approx(moment, abs=0.01)
    assert answer(records, "cmax", start=6, end=12) == pytest.approx(oral(6), rel=1e-9)
    assert answer(records, "tmax", start=6, end=12) == 6.0


def test_peak_over_many_doses_lies_after_the_last() -> None:
    """28 days: the peak of the last interval, as accurate as over one."""
    records = records_of(TWICE_DAILY)
    grid = np.linspace(660, 672, 100_001)
    level = sum(np.array([oral(t) for t in grid - 12 * j]) for j in range(30, 56))
    peak = float(np.max(level))
    assert answer(records, "cmax", end=672.0) == pytest.approx(peak, rel=1e-4)
    assert answer(records, "cmax", start=660, end=672.0) == pytest.approx(peak, rel=1e-4)
    assert answer(records, "tmax", start=660, end=672.0) == pytest.approx(grid[np.argmax(level)], abs=0.01)


def test_peak_of_a_bolus_and_of_an_infusion_are_their_own_moments() -> None:
    """A jump and a corner are no smooth curve: the level there, also in the middle of an interval."""
    records = records_of(replace(BOLUS, time_h=5.0), replace(BOLUS, time_h=17.3))
    assert answer(records, "cmax", end=24) == pytest.approx(bolus(0) + bolus(12.3), rel=1e-9)
    assert answer(records, "tmax", end=24) == pytest.approx(17.3, abs=1e-9)
    infused = records_of(replace(BOLUS, duration_h=3.7))
    assert answer(infused, "tmax", end=24) == pytest.approx(3.7, abs=1e-6)
    expected = 100 / 3.7 / CL * -math.expm1(-K * 3.7)
    assert answer(infused, "cmax", end=24) == pytest.approx(expected, rel=1e-6)


def test_lowest_level() -> None:
    """The trough between two doses; the start where the level rises."""
    records = records_of(TWICE_DAILY)
    grid = np.linspace(12, 24, 20_001)
    lowest = min(float(oral(t) + oral(t - 12)) for t in grid)
    assert answer(records, "cmin", start=12, end=24) == pytest.approx(lowest, rel=1e-4)
    assert answer(records, "cmin", start=0, end=24) == 0.0


def test_areas() -> None:
    """Over one and many doses, from the middle, past and to come; the average is the area over the time."""
    records = records_of(TWICE_DAILY, samples=(at(100.0),))
    for start, end in ((0.0, 12.0), (3.3, 40.1), (96.0, 108.0), (600.0, 900.0), (-10.0, 20.0)):
        expected = sum(oral_area(end - 12 * j) - oral_area(start - 12 * j) for j in range(61))
        assert answer(records, "auc", start=start, end=end) == pytest.approx(expected, rel=1e-8)
        average = answer(records, "average", start=start, end=end)
        assert average == pytest.approx(expected / (end - start), rel=1e-8)


def test_the_area_at_steady_state_is_dose_over_clearance() -> None:
    """Also where the interval holds the record of the steady state, and on top of what was there (SS 2)."""
    steady = DoseEvent(time_h=50, amount_mg=100, interval_h=12, additional=10, steady_state=1)
    records = records_of(ORAL, steady)
    assert answer(records, "auc", start=50, end=62) == pytest.approx(100 / CL, rel=1e-8)
    assert answer(records, "auc", start=98, end=110) == pytest.approx(100 / CL, rel=1e-8)
    before = oral_area(50) - oral_area(40)
    assert answer(records, "auc", start=40, end=62) == pytest.approx(before + 100 / CL, rel=1e-8)
    added = records_of(ORAL, replace(steady, steady_state=2))
    extra = oral_area(62) - oral_area(40)
    assert answer(added, "auc", start=40, end=62) == pytest.approx(extra + 100 / CL, rel=1e-8)
    assert answer(records, "trough", end=62) == pytest.approx(
        KA * 2 / (KA - K) * (1 / math.expm1(12 * K) - 1 / math.expm1(12 * KA)), rel=1e-6
    )


def test_the_area_goes_on_through_resets() -> None:
    """Resets empty the body, not the area: what lies before and between them counts."""
    records = records_of(ORAL, DoseEvent(time_h=20, amount_mg=60), resets=(10.0, 20.0, 30.0))
    assert answer(records, "auc", end=25) == pytest.approx(oral_area(10) + oral_area(5, 60), rel=1e-8)
    assert answer(records, "auc", start=5, end=10) == pytest.approx(oral_area(10) - oral_area(5), rel=1e-8)
    assert answer(records, "auc", start=20, end=40) == pytest.approx(oral_area(10, 60), rel=1e-8)
    assert answer(records, "auc", start=12, end=18) == pytest.approx(0.0, abs=1e-9)
    assert answer(records, "cmax", start=0, end=40) == pytest.approx(
        oral(math.log(KA / K) / (KA - K)), rel=1e-4
    )


def test_time_inside_a_range() -> None:
    """Between the two moments at which an oral dose's curve crosses the bounds; 1e-3 of the time."""
    peak = math.log(KA / K) / (KA - K)
    up = float(brentq(lambda t: oral(t) - 0.8, 0, peak))
    down = float(brentq(lambda t: oral(t) - 0.8, peak, 40))
    records = records_of(ORAL)
    assert answer(records, "time_in_range", end=24, low=0.8) == pytest.approx((down - up) / 24, abs=1e-3)
    assert answer(records, "time_in_range", end=24, high=0.8) == pytest.approx(1 - (down - up) / 24, abs=1e-3)
    assert answer(records, "time_in_range", end=24, low=0.8, high=0.8) == pytest.approx(0, abs=1e-9)
    assert answer(records, "time_in_range", end=24) == 1.0
    jump = records_of(BOLUS, replace(BOLUS, time_h=12.0))
    above = 12 + (math.log((bolus(12) + bolus(0)) / 1.0) / K)
    share = (math.log(2.0) / K + (24 - 12 if above > 24 else above - 12)) / 24
    assert answer(jump, "time_in_range", end=24, low=1.0) == pytest.approx(share, abs=1e-3)


def test_another_output_has_its_own_level_and_area() -> None:
    """A metabolite formed by fm·k and lost by km: AUC∞ = fm·D/(V_M·km); canonical units, not the file's."""
    records = records_of(BOLUS)
    level = 100 * FM * K / VM / (KM - K) * (math.exp(-K * 7) - math.exp(-KM * 7))
    assert answer(records, "at", end=7.0, output=1) == pytest.approx(level, rel=1e-9)
    assert answer(records, "auc", end=400.0, output=1) == pytest.approx(FM * 100 / VM / KM, rel=1e-8)
    assert answer(records, "auc", end=400.0) == pytest.approx(100 / CL, rel=1e-8)


def test_a_new_occasion_begins_after_the_last_record() -> None:
    """With its own clearance and, for the doses from then on, its own bioavailability."""
    records = records_of(TWICE_DAILY, samples=(at(28.0),))
    effects = [0.0, 0.0, 0.0, 0.5, -0.3]
    k, dose = K * math.exp(0.5), 100 * math.exp(-0.3)
    depot = sum(100 * math.exp(-KA * (28 - 12 * j)) for j in range(3))
    level = sum(oral(28 - 12 * j) for j in range(3))

    def after(time_h: float) -> float:
        since = time_h - 28
        kept = level * math.exp(-k * since) + depot / 100 * oral(since, 100, k)
        return kept + sum(oral(since - 8 - 12 * j, dose, k) for j in range(58))

    for time_h in (30.0, 36.5, 100.0, 400.0):
        got = answer(records, "at", end=time_h, occasion="new", effects=effects)
        assert got == pytest.approx(after(time_h), rel=1e-9)
        assert answer(records, "at", end=time_h, occasion=1, effects=effects) == got
        old = sum(oral(time_h - 12 * j) for j in range(61))
        assert answer(records, "at", end=time_h, effects=effects) == pytest.approx(old, rel=1e-9)
    assert answer(records, "auc", start=400, end=412, occasion="new", effects=effects) == pytest.approx(
        dose / V / k, rel=1e-6
    )


def test_queries_of_several_occasions_are_answered_together() -> None:
    records = records_of(TWICE_DAILY)
    draws = np.random.default_rng(1).normal(0, 0.2, (20, 7))
    queries = [
        ExposureQuery(quantity="auc", start=300, end=312, occasion=occasion) for occasion in (None, "new", 2)
    ]
    together = exposure_draws(model(), records, 0, draws, queries)
    for k, query in enumerate(queries):
        np.testing.assert_array_equal(
            exposure_draws(model(), records, 0, draws, [query])[:, 0], together[:, k]
        )
    with pytest.raises(ValueError, match="records of their own"):
        with_queries(model(), records, 0, queries)


def test_equal_draws_have_equal_answers_and_missing_ones_none() -> None:
    """Draws that are resampled come again; a patient without a posterior has NaN."""
    draws = np.array([[0.1, 0, 0], [np.nan, 0, 0], [0.1, 0, 0], [-0.1, 0, 0]])
    found = exposure_draws(model(), records_of(ORAL), 0, draws, [ExposureQuery(quantity="at", end=6)])[:, 0]
    assert np.isnan(found).tolist() == [False, True, False, False]
    assert found[0] == found[2] != found[3]


def busy() -> Records:
    """Doses, covariates of either rule and occasions that change, samples at the times of doses."""
    return records_of(
        DoseEvent(time_h=0, amount_mg=100, interval_h=12, additional=9, occasion=0),
        DoseEvent(time_h=120, amount_mg=200, interval_h=24, additional=4, occasion=1),
        DoseEvent(time_h=130, amount_mg=50, duration_h=2, compartment="central"),
        samples=tuple(at(t) for t in (11.0, 36.0, 121.0, 144.0, 170.0)),
        covariates={"weight": 60, "state": "well"},
        changes=(
            CovariateValues(time_h=40, values={"weight": 80, "state": "ill"}),
            CovariateValues(time_h=125, values={"weight": 75}),
            CovariateValues(time_h=144, values={"state": "well"}),
        ),
    )


def test_questions_change_no_prediction_of_the_records() -> None:
    """Every quantity at times between and at records: the records' own predictions stay what they are."""
    records = busy()
    effects = np.array([[0.2, 0.3, -0.2, -0.4, 0.1]])
    plain = model().predict(records, effects=effects).value
    own = records.observed
    queries = [
        ExposureQuery(quantity="cmax", start=5, end=160),
        ExposureQuery(quantity="trough", end=120),
        ExposureQuery(quantity="at", end=144),
        *(
            ExposureQuery(quantity="at", end=t)
            for t in (11.0, 36.0, 37.3, 40.0, 119.0, 125.0, 133.3, 144.0, 170.0)
        ),
    ]
    merged, places = with_queries(model(), records, 0, queries)
    asked = np.concatenate(places)
    whole = model().predict(merged, effects=effects).value
    kept = np.setdiff1d(np.flatnonzero(merged.observed), asked)
    np.testing.assert_allclose(whole[kept], plain[own], rtol=1e-10)
    assert (np.diff(merged.time_h) >= 0).all()
    for query, place in zip(queries[2:], places[2:], strict=True):
        assert merged.time_h[place].tolist() == [query.end]
    # At the time of a sample that is not a dose's, the level is the sample's prediction.
    at_11 = whole[places[3]][0]
    assert at_11 == pytest.approx(plain[own][0], rel=1e-10)


@pytest.mark.parametrize("quantity", ["auc", "average", "cmax", "tmax", "cmin", "time_in_range"])
def test_an_empty_interval_is_refused(quantity: Any) -> None:
    with pytest.raises(ValueError, match="is empty"):
        answer(records_of(ORAL), quantity, start=12, end=12)


def test_what_cannot_be_asked_is_refused() -> None:
    records = records_of(TWICE_DAILY, samples=(at(100.0),))
    with pytest.raises(ValueError, match="after the last record, at 100 h"):
        answer(records, "at", end=50, occasion="new")
    with pytest.raises(ValueError, match="none with index 2"):
        answer(records, "at", end=50, output=2)
    with pytest.raises(ValueError, match="finite"):
        answer(records, "at", end=math.nan)
    with pytest.raises(ValueError, match="hold 3 effects; these records need 5"):
        answer(records, "at", end=110, occasion="new", effects=[0, 0, 0])
    with pytest.raises(ValueError, match="level"):
        summarise(np.zeros(3), level=1.0)


def test_the_clock_that_begins_anew_is_the_one_that_is_meant() -> None:
    """NONMEM's EVID 4 may set time back: 6 h is then after the second dose of 60 mg."""
    first = records_of(ORAL, samples=(at(30.0),))
    second = records_of(DoseEvent(time_h=2, amount_mg=60, reset=True), samples=(at(9.0),))
    both = replace(
        first,
        first=np.array([0, 4]),
        **{
            name: np.concatenate([getattr(first, name), getattr(second, name)])
            for name in first.__dataclass_fields__
            if name not in ("patients", "first")
        },
    )
    assert answer(both, "at", end=6.0) == pytest.approx(oral(4, 60), rel=1e-9)
    assert answer(both, "auc", start=3.0, end=6.0) == pytest.approx(
        oral_area(4, 60) - oral_area(1, 60), rel=1e-8
    )
    with pytest.raises(ValueError, match="begin at 2 h"):
        answer(both, "at", end=1.0)


def test_a_summary_is_of_the_draws() -> None:
    """Median, mean, SD and the central 90 % of 1 … 101."""
    found = summarise(np.arange(1.0, 102.0))
    assert [found.median, found.mean, found.low, found.high] == pytest.approx([51, 51, 6, 96])
    assert found.sd == pytest.approx(np.std(np.arange(101), ddof=1))
