"""Cuts and what they do to the patients: ties, directions and empty denominators."""

from __future__ import annotations

import math

import numpy as np
import pytest

from troughline.response.proportions import clopper_pearson, wilson
from troughline.response.roc import roc_curve
from troughline.response.threshold_interval import critical_value, threshold_interval
from troughline.response.thresholds import operating_point, optimal_threshold

VALUES = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
IS_CASE = np.array([False, True, False, True, False, True])


def test_all_tied_cuts_are_told_and_the_lowest_comes_first() -> None:
    point = optimal_threshold(roc_curve(VALUES, IS_CASE))
    assert point.ties == (1.5, 3.5, 5.5)
    assert point.threshold == 1.5
    assert point.youden == pytest.approx(1 / 3, abs=1e-15)


def test_criteria_may_choose_different_cuts() -> None:
    point = optimal_threshold(roc_curve(VALUES, IS_CASE), "closest-corner")
    assert point.ties == (3.5,)


def test_a_marker_that_points_the_other_way_has_no_finite_cut() -> None:
    point = optimal_threshold(roc_curve(VALUES, IS_CASE, higher_is_case=False))
    assert point.threshold == math.inf
    assert point.youden == 0.0


def test_an_unknown_criterion_is_refused() -> None:
    with pytest.raises(ValueError, match="'cost'"):
        optimal_threshold(roc_curve(VALUES, IS_CASE), "cost")


def test_a_patient_at_the_threshold_is_positive() -> None:
    point = operating_point(VALUES, IS_CASE, 4.0)
    assert (point.true_positives, point.false_positives) == (2, 1)
    assert (point.true_negatives, point.false_negatives) == (2, 1)
    low = operating_point(VALUES, IS_CASE, 4.0, higher_is_case=False)
    assert (low.true_positives, low.false_positives) == (2, 2)


def test_a_predictive_value_of_nobody_is_unknown() -> None:
    point = operating_point(VALUES, IS_CASE, 7.0)
    assert math.isnan(point.positive_predictive_value.value)
    assert (point.positive_predictive_value.low, point.positive_predictive_value.high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="not a number"):
        operating_point(VALUES, IS_CASE, math.nan)


def test_wilson_matches_newcombes_table() -> None:
    """Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I."""
    for successes, trials, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        interval = wilson(successes, trials)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 20).low == 0.0
    assert wilson(0, 20).high == pytest.approx(0.1611, abs=5e-5)


def test_clopper_pearson_has_its_closed_form_at_the_ends() -> None:
    assert clopper_pearson(0, 20).high == pytest.approx(1.0 - 0.025 ** (1 / 20), abs=1e-12)
    assert clopper_pearson(20, 20).low == pytest.approx(0.025 ** (1 / 20), abs=1e-12)
    with pytest.raises(ValueError, match="5 successes out of 3"):
        clopper_pearson(5, 3)


def test_threshold_interval_holds_its_threshold_and_widens_with_the_level() -> None:
    rng = np.random.default_rng(8)
    values = np.exp(np.concatenate([rng.normal(1.3, 0.6, 40), rng.normal(0.7, 0.6, 60)]))
    is_case = np.arange(100) < 40
    narrow = threshold_interval(values, is_case, rng=rng, level=0.8, n_replicates=200)
    wide = threshold_interval(values, is_case, rng=rng, level=0.95, n_replicates=200)
    assert narrow.threshold == optimal_threshold(roc_curve(values, is_case)).threshold
    assert wide.low <= narrow.low <= narrow.threshold <= narrow.high <= wide.high
    assert wide.ratio == wide.high / wide.low > 1.0


def test_threshold_interval_lies_between_the_same_patients_on_any_scale() -> None:
    rng = np.random.default_rng(8)
    logs = np.concatenate([rng.normal(1.3, 0.6, 13), rng.normal(0.7, 0.6, 13)])
    is_case = np.arange(26) < 13
    on_logs = threshold_interval(logs, is_case, rng=rng, n_replicates=50)
    raw = threshold_interval(np.exp(logs), is_case, rng=rng, n_replicates=50)
    below_raw = [int((np.exp(logs) < limit).sum()) for limit in (raw.low, raw.high)]
    below_logs = [int((logs < limit).sum()) for limit in (on_logs.low, on_logs.high)]
    assert below_raw == below_logs
    assert 0 < below_raw[0] < below_raw[1] < 26


def test_a_marker_without_information_bounds_nothing() -> None:
    rng = np.random.default_rng(1)
    interval = threshold_interval(np.arange(1.0, 27.0), np.arange(26) % 2 == 0, rng=rng, n_replicates=100)
    assert (interval.low, interval.high, interval.ratio) == (-math.inf, math.inf, math.inf)


def test_threshold_interval_mirrors_with_the_direction() -> None:
    rng = np.random.default_rng(5)
    values = np.concatenate([rng.normal(1.0, 1.0, 20), rng.normal(0.0, 1.0, 20)])
    is_case = np.arange(40) < 20
    up = threshold_interval(values, is_case, rng=rng, n_replicates=50)
    down = threshold_interval(-values, is_case, rng=rng, n_replicates=50, higher_is_case=False)
    assert (down.low, down.high) == (-up.high, -up.low)


def test_a_level_beyond_the_simulated_law_is_refused() -> None:
    assert critical_value(0.9) < critical_value(0.95) < critical_value(0.99)
    with pytest.raises(ValueError, match=r"outside 0.5 to 0.99"):
        critical_value(0.999)


def test_threshold_interval_covers_the_population_optimum_at_26_patients() -> None:
    """500 log-normal cohorts, 13 + 13, AUC 0.74: at least 93 % less two standard errors (2 × 1.1 points)."""
    rng = np.random.default_rng(26)
    is_case = np.arange(26) < 13
    shift = 0.62 * 0.909835  # Φ(0.909835 / √2) = 0.74
    covered = 0
    for _ in range(500):
        values = np.exp(rng.normal(0.0, 0.62, 26) + shift * is_case)
        interval = threshold_interval(values, is_case, rng=rng, n_replicates=1)
        covered += interval.low <= math.exp(shift / 2) <= interval.high
    assert covered >= 0.907 * 500


def test_ratio_is_not_a_number_where_it_has_no_meaning() -> None:
    rng = np.random.default_rng(5)
    logs = np.concatenate([rng.normal(0.5, 0.5, 40), rng.normal(-0.5, 0.5, 40)])
    interval = threshold_interval(logs, np.arange(80) < 40, rng=rng, n_replicates=50)
    assert interval.low < 0.0
    assert math.isnan(interval.ratio)
