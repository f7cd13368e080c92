"""Curves, log-rank tests and incidence where patients are few: no exception, and no invented number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from troughline.survival.competing import cumulative_incidence, one_minus_kaplan_meier
from troughline.survival.kaplan_meier import kaplan_meier
from troughline.survival.log_rank import log_rank, log_rank_trend


def test_twenty_six_patients_in_three_bands_with_one_empty_of_events() -> None:
    rng = np.random.default_rng(26)
    band = np.repeat(["<1.40", "1.40-3.45", ">3.45"], [6, 12, 8])
    time = rng.exponential(12.0, 26)
    event = (band != ">3.45") & (rng.random(26) < 0.8)
    order = ["<1.40", "1.40-3.45", ">3.45"]
    curves = kaplan_meier(time, event, band, order=order)
    assert [c.group for c in curves] == order
    assert [c.n for c in curves] == [6, 12, 8]
    assert np.all(curves[2].survival == 1)
    assert math.isnan(curves[2].median)
    test = log_rank(time, event, band, order=order)
    assert test.degrees_of_freedom == 2
    assert 0 < log_rank_trend(test).p_value < 1


def test_a_group_of_one_patient() -> None:
    one, rest = kaplan_meier([5.0, 3.0, 8.0], [1, 1, 0], ["a", "b", "b"])
    assert (one.n, one.median) == (1, 5.0)
    assert math.isnan(one.median_low)
    assert math.isnan(one.median_high)
    assert math.isnan(one.low[-1])
    # The curve of "b" stays at exactly one half from 3 to the end of follow-up at 8.
    assert rest.median == 3.0
    assert math.isfinite(log_rank([5.0, 3.0, 8.0], [1, 1, 0], ["a", "b", "b"]).p_value)


def test_all_censored_gives_a_flat_curve_and_no_test() -> None:
    (curve,) = kaplan_meier([5.0, 3.0, 8.0], [0, 0, 0])
    assert np.all(curve.survival == 1)
    assert math.isnan(curve.median)
    test = log_rank([5.0, 3.0, 8.0], [0, 0, 0], ["a", "b", "b"])
    assert test.degrees_of_freedom == 0
    assert math.isnan(test.statistic)
    assert math.isnan(test.p_value)
    assert math.isnan(log_rank_trend(test).p_value)
    curves = cumulative_incidence([5.0, 3.0], [None, None], causes=["death", "tace"])
    assert [c.probability.tolist() for c in curves] == [[0, 0], [0, 0]]


def test_ties_between_deaths_and_censorings_count_the_censored_as_at_risk() -> None:
    (curve,) = kaplan_meier([2.0, 2.0, 2.0, 3.0], [1, 1, 0, 1])
    assert curve.survival.tolist() == [0.5, 0.0]
    assert curve.n_at_risk.tolist() == [4, 1]
    assert (curve.n_events.tolist(), curve.n_censored.tolist()) == ([2, 1], [1, 0])


def test_a_tie_split_by_rounding_is_a_tie() -> None:
    months = np.array([30.4, 30.4, 60.8]) / 30.4
    split = months * np.array([1.0, 1.0 + 4e-16, 1.0])
    (curve,) = kaplan_meier(split, [1, 1, 1])
    assert curve.time.size == 2
    assert curve.n_events.tolist() == [2, 1]


def test_survival_is_not_read_off_beyond_the_longest_follow_up() -> None:
    (curve,) = kaplan_meier([2.0, 5.0, 6.0], [1, 1, 0])
    read = curve.at([0.0, 1.0, 2.0, 6.0, 7.0])
    assert read.survival[:4].tolist() == pytest.approx([1, 1, 2 / 3, 1 / 3])
    assert math.isnan(read.survival[4])
    assert read.n_at_risk.tolist() == [3, 3, 3, 1, 0]
    (dead,) = kaplan_meier([2.0, 5.0], [1, 1])
    assert dead.at(7.0).survival.tolist() == [0.0]


def test_number_at_risk_grows_with_delayed_entry() -> None:
    (curve,) = kaplan_meier([5.0, 6.0, 7.0], [1, 1, 1], entry=[0.0, 2.0, 4.0])
    assert curve.at_risk([0.0, 1.0, 2.0, 3.0, 5.0, 6.0]).tolist() == [1, 1, 1, 2, 3, 2]


def test_trend_scores_are_as_many_as_the_groups_and_differ() -> None:
    test = log_rank([1.0, 2.0, 3.0, 4.0], [1, 1, 1, 1], ["a", "a", "b", "b"])
    assert log_rank_trend(test).statistic == pytest.approx(test.statistic)
    with pytest.raises(ValueError, match="3 scores for 2 groups"):
        log_rank_trend(test, [0, 1, 2])
    with pytest.raises(ValueError, match="all the same"):
        log_rank_trend(test, [1, 1])


def test_labels_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match="group has 1 labels where time has 2"):
        kaplan_meier([1.0, 2.0], [1, 1], ["a"])
    with pytest.raises(ValueError, match="group 'b' is not among the groups in order: a"):
        kaplan_meier([1.0, 2.0], [1, 1], ["a", "b"], order=["a"])
    with pytest.raises(ValueError, match="every patient is in 'a'"):
        log_rank([1.0, 2.0], [1, 1], ["a", "a"])
    with pytest.raises(ValueError, match="level = 95 is not between 0 and 1"):
        kaplan_meier([1.0], [1], level=95)
    with pytest.raises(ValueError, match="no patient"):
        kaplan_meier([], [])
    with pytest.raises(ValueError, match="cause 'tace' is not among"):
        cumulative_incidence([1.0, 2.0], ["death", "tace"], causes=["death"])
    with pytest.raises(ValueError, match="every patient is censored and no cause is named"):
        cumulative_incidence([1.0], [None])


def test_the_naive_curve_equals_the_incidence_where_nothing_competes() -> None:
    time, cause = [1.0, 2.0, 3.0, 4.0, 5.0], ["tace", None, "tace", "tace", None]
    (right,) = cumulative_incidence(time, cause)
    (naive,) = one_minus_kaplan_meier(time, cause, "tace")
    assert naive.probability == pytest.approx(right.probability)
    assert right.at([0.5, 6.0]).probability[0] == 0
    assert math.isnan(right.at([0.5, 6.0]).probability[1])
