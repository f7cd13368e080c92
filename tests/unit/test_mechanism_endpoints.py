"""Endpoints, targets and weights of virtual trials against the survival floor and closed forms."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from tests.unit.mechanism_sample import patients, runner
from troughline.evidence.store import load_publication
from troughline.mechanism.endpoints import (
    TimeToEvent,
    doubling_days,
    growth_mm_per_day,
    kaplan_meier,
    log_hazard_ratio,
    median_between_visits,
    median_day,
    survival_at,
)
from troughline.mechanism.parameters import ParameterSet, read_potency, read_sets
from troughline.mechanism.population import Drawn, draw_patients, individual_values, read_populations
from troughline.mechanism.predictions import doubling, sorafenib_arm, two_arms
from troughline.mechanism.targets import read_targets, squares
from troughline.mechanism.treatment import six_weekly, sorafenib_levels
from troughline.mechanism.weights import balance
from troughline.survival.cox import fit_cox
from troughline.survival.kaplan_meier import kaplan_meier as curves


def times(seed: int, scale: float, n: int = 150) -> TimeToEvent:
    """Exponential times rounded up to visits of 42 days, some censored."""
    rng = np.random.default_rng(seed)
    day = 42.0 * np.ceil(rng.exponential(scale, n) / 42.0)
    return TimeToEvent(day=day, event=rng.random(n) < 0.8, weight=np.ones(n))


def test_the_curve_and_its_median_are_kaplan_and_meiers() -> None:
    """Equal weights: the survival floor's curve, point by point."""
    one = times(1, 200.0)
    reference = curves(one.day, one.event)[0]
    day, survival = kaplan_meier(one)
    np.testing.assert_allclose(reference.at(day).survival, survival, rtol=1e-12)
    assert median_day(one) == reference.median
    assert survival_at(one, 100.0) == pytest.approx(float(reference.at([100.0]).survival[0]))


def test_a_weight_of_two_is_a_patient_twice() -> None:
    """Weighted survival equals that of a file with the patient repeated."""
    one = times(2, 150.0, 30)
    twice = TimeToEvent(
        day=np.append(one.day, one.day[0]), event=np.append(one.event, one.event[0]), weight=np.ones(31)
    )
    w = np.ones(30)
    w[0] = 2.0
    weighted = TimeToEvent(day=one.day, event=one.event, weight=w)
    np.testing.assert_allclose(kaplan_meier(weighted)[1], kaplan_meier(twice)[1], rtol=1e-12)


def test_the_median_between_visits_lies_before_the_printed_one() -> None:
    """The visit at which the curve passes one half, and the time before it on the straight line."""
    one = times(3, 180.0)
    printed, between = median_day(one), median_between_visits(one)
    assert printed - 42.0 <= between <= printed


def test_the_hazard_ratio_is_coxs() -> None:
    """One term, Efron's ties: the survival floor's estimate, up to its steps for many ties."""
    a, b = times(4, 300.0), times(5, 180.0)
    day, event = np.concatenate([a.day, b.day]), np.concatenate([a.event, b.event])
    x = np.concatenate([np.ones(150), np.zeros(150)])[:, None]
    fit = fit_cox(day, event, x, ["arm"])
    beta, error = log_hazard_ratio(a, b)
    assert beta == pytest.approx(np.log(fit.terms[0].hazard_ratio), abs=2e-3)
    assert error == pytest.approx(fit.terms[0].standard_error, rel=0.01)
    assert log_hazard_ratio(b, a)[0] == pytest.approx(-beta, abs=1e-9)


def test_an_arm_without_events_has_no_hazard_ratio() -> None:
    """Nothing is made up where nobody died."""
    a = times(4, 300.0)
    none = TimeToEvent(day=a.day, event=np.zeros(150, dtype=bool), weight=a.weight)
    with pytest.raises(ValueError, match="an event in both arms"):
        log_hazard_ratio(a, none)


def test_growth_is_the_slope_on_treatment() -> None:
    """A sum that grows by 0.1 mm a day has that slope, whatever is measured after progression or a stop."""
    r, few = runner(), patients(3)
    c = r.run(few, sorafenib_arm(), six_weekly(6), threads=1)
    visits = np.array([42.0, 84.0, 126.0, 168.0])
    c.seen[:] = 50.0 + 0.1 * visits
    c.progressed[:] = False
    c.stop_day[:] = np.nan
    np.testing.assert_allclose(growth_mm_per_day(c, tuple(visits), np.full(3, 50.0)), 0.1)
    c.progressed[0], c.progression_day[0] = True, 84.0
    c.seen[0, 2:] = 500.0
    np.testing.assert_allclose(growth_mm_per_day(c, tuple(visits), np.full(3, 50.0)), 0.1)
    c.stop_day[1], c.stop_day[2] = 90.0, 20.0
    c.seen[1, 2:] = 500.0
    slopes = growth_mm_per_day(c, tuple(visits), np.full(3, 50.0))
    np.testing.assert_allclose(slopes[:2], 0.1)
    assert np.isnan(slopes[2])


def test_a_sum_doubles_in_its_start_over_its_slope() -> None:
    """50 mm at 0.1 mm a day: 500 days; never where it shrinks."""
    days = doubling_days(np.array([0.1, -0.1, 0.0, np.nan]), np.full(4, 50.0))
    np.testing.assert_allclose(days, [500.0, np.inf, np.inf, np.nan])


def test_doubling_times_are_those_of_the_patients_drawn() -> None:
    """Shares and median of the individual doubling times, within the population's bounds (An 2015).

    The law that growth is drawn from has more slow tumours than the patients who are accepted.
    """
    r, chosen = runner(), read_sets(reading="Kd")[0]
    sharp = read_populations()["sharp"]
    some = draw_patients(r.mechanism, r.kinetics, sharp, n=2000, seed=3, sd=chosen.sd, values=chosen.values)
    days = individual_values(r.mechanism, ["doubling_time"], some, chosen.values)["doubling_time"] / 24.0
    assert 11.0 <= days.min() <= days.max() <= 851.0
    found = doubling(r, some, chosen)
    assert found["doubling-slow"] == pytest.approx(100.0 * np.mean(days > 9.0 * 30.4375))
    assert found["doubling-fast"] == pytest.approx(100.0 * np.mean(days < 3.0 * 30.4375))
    assert found["doubling-mean"] == pytest.approx(np.median(days) / 30.4375)
    law = NormalDist(math.log(chosen.values["doubling"]), chosen.sd["eta_growth"])
    assert found["doubling-slow"] < 100.0 * (1.0 - law.cdf(math.log(9.0 * 30.4375))) - 1.0


def test_balancing_reaches_its_averages_with_few_weights_moved() -> None:
    """Weights sum to n, give the wanted averages, and cost no more than they must."""
    rng = np.random.default_rng(6)
    g = np.column_stack([rng.random(500) < 0.4, rng.standard_normal(500)]).astype(np.float64)
    made = balance(g, np.array([0.5, 0.1]))
    np.testing.assert_allclose(np.average(g, axis=0, weights=made.weight), [0.5, 0.1], atol=1e-6)
    assert made.weight.sum() == pytest.approx(500.0)
    assert 440.0 < made.effective < 500.0
    nothing = balance(g, g.mean(axis=0))
    assert nothing.effective == pytest.approx(500.0)
    with pytest.raises(ValueError, match="outside what the patients span"):
        balance(g, np.array([1.5, 0.0]))


def test_a_distribution_keeps_to_its_bounds_and_its_median() -> None:
    """Draws between the bounds; half of a log-normal's below its median where the bounds are far."""
    from scipy.special import ndtri

    u = (np.arange(2000) + 0.5) / 2000
    size = Drawn(kind="log-normal", center=90.0, spread=0.5, low=20.0, high=200.0).value(ndtri(u))
    assert size.min() >= 20.0
    assert size.max() <= 200.0
    wide = Drawn(kind="log-normal", center=90.0, spread=0.5).value(ndtri(u))
    assert np.median(wide) == pytest.approx(90.0, rel=1e-3)
    levels = Drawn(kind="levels", shares=(0.2, 0.3, 0.5)).value(ndtri(u))
    assert np.bincount(levels.astype(int)).tolist() == [400, 600, 1000]


def test_individual_quantities_are_those_of_the_file() -> None:
    """The doubling time by hand: the typical one over etiology, times exp(−eta)."""
    r, some = runner(), patients(40)
    made = individual_values(r.mechanism, ["doubling_time"], some, {"doubling": 100.0})["doubling_time"]
    code = some.covariates[:, [c.name for c in r.mechanism.covariates].index("etiology")].astype(int)
    factor = np.array([1.35, 1 / 1.35, 1.0])[code]
    np.testing.assert_allclose(made, 2400.0 / factor * np.exp(-some.effects[:, 0]), rtol=1e-12)


def test_targets_have_sources_and_the_held_out_do_not_enter_the_fit() -> None:
    """Every target says whose number it is; the sum of squares is blind to what is held out."""
    targets = read_targets()
    assert all(t.source for t in targets)
    assert len({t.id for t in targets}) == len(targets)
    assert all(t.low <= t.high for t in targets)
    assert all(t.verified for t in targets if t.use == "calibrated")
    predicted = {t.quantity: t.value for t in targets}
    base = squares(targets, predicted)
    for t in targets:
        moved = squares(targets, {**predicted, t.quantity: 3.0 * t.value + 300.0})
        assert (moved != base) == (t.use == "calibrated"), t.id


def test_printed_errors_are_those_of_the_printed_intervals() -> None:
    """Where the fit's width is narrower than what SHARP's numbers leave open, the file holds the latter too.

    Of hazard ratios and medians the printed 95 % interval, of stable disease the binomial error of 299
    and 303 patients.
    """
    study = load_publication("sharp-2008")
    numbers = {
        "sharp-os-hr": "survival-hazard-ratio",
        "sharp-ttp-hr": "progression-hazard-ratio",
        "sharp-os-placebo": "survival-placebo",
        "sharp-os-sorafenib": "survival-sorafenib",
    }
    narrow = {t.id: t for t in read_targets() if t.narrowing != 1.0}
    assert set(narrow) == {*numbers, "sharp-sd-sorafenib", "sharp-sd-placebo"}
    for name, n in (("sharp-sd-sorafenib", 299), ("sharp-sd-placebo", 303)):
        share = narrow[name].value / 100.0
        binomial = 100.0 * math.sqrt(share * (1.0 - share) / n)
        assert narrow[name].printed_sd == pytest.approx(binomial, abs=0.06)
    for name, number in numbers.items():
        printed = study.sourced(number)
        assert printed.low is not None
        assert printed.high is not None
        error = math.log(printed.high / printed.low) / (2 * 1.96)
        assert narrow[name].printed_sd == pytest.approx(error, abs=6e-4)
        assert narrow[name].narrowing == narrow[name].sd / narrow[name].printed_sd < 1.0


def test_potency_is_the_evidence_records() -> None:
    """Both readings come from the drug's record: Davis 2011 and Wilhelm 2004."""
    readings = read_potency()
    assert readings["Kd"]["Kd_vegfr"] == 59.0
    assert readings["IC50"]["Kd_raf"] == 6.0
    assert readings["IC50"]["Kd_ret"] == readings["Kd"]["Kd_ret"]


def test_the_labels_levels_are_the_drug_records() -> None:
    """400 mg twice daily, daily, every other day."""
    assert [(x.dose_mg, x.interval_h) for x in sorafenib_levels()] == [
        (400.0, 12.0),
        (400.0, 24.0),
        (400.0, 48.0),
    ]


def test_stored_sets_name_what_the_mechanism_has() -> None:
    """Each stored set runs, and both readings are there."""
    r = runner()
    sets = read_sets()
    assert {s.reading for s in sets} == {"Kd", "IC50"}
    for chosen in sets:
        r.theta(chosen.values)
        assert set(chosen.sd) <= set(r.mechanism.subject_effects)
    with pytest.raises(ValueError, match="no parameter set of the reading"):
        read_sets(reading="EC50")


def test_the_same_patients_stand_in_both_arms() -> None:
    """Without an effect of the drug the two arms are one, up to where the steps fall."""
    r, some = runner(), patients(60)
    null = ParameterSet(
        id="null", values={"site_potency": 1e-9, "limiting": 0.0, "severe_drug": 0.0, "liver_toxicity": 0.0}
    )
    both = two_arms(r, some, null, months=12.0)
    np.testing.assert_allclose(both.sorafenib.death_day, both.placebo.death_day, rtol=1e-3)
    assert np.array_equal(both.sorafenib.best, both.placebo.best)
