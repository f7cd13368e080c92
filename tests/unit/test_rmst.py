"""Restricted mean survival time: by hand, and refused where the curve is not known."""

from __future__ import annotations

import math

import pytest

from troughline.survival.rmst import restricted_mean_difference, restricted_mean_survival


def test_restricted_mean_is_the_area_under_the_steps() -> None:
    # S = 1 to 1, 2/3 to 2, 1/3 to 3: the area to 2.5 is 1 + 2/3 + 1/6.
    (mean,) = restricted_mean_survival([1.0, 2.0, 3.0], [1, 1, 0], tau=2.5)
    assert mean.value == pytest.approx(1 + 2 / 3 + 1 / 6, rel=1e-14)
    # Areas after 1 and 2 are 5/6 and 1/6; Greenwood weights 1/(3·2) and 1/(2·1).
    assert mean.standard_error == pytest.approx(math.sqrt((5 / 6) ** 2 / 6 + (1 / 6) ** 2 / 2), rel=1e-12)
    assert (mean.n, mean.n_events_by_tau) == (3, 2)


def test_a_horizon_beyond_the_smaller_group_is_refused_naming_both() -> None:
    with pytest.raises(ValueError, match="tau = 6 lies beyond the longest follow-up of group 'b', 5"):
        restricted_mean_survival([4.0, 9.0, 3.0, 5.0], [1, 1, 1, 0], ["a", "a", "b", "b"], tau=6)
    for tau in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="is not a time above 0"):
            restricted_mean_survival([4.0], [1], tau=tau)


def test_a_group_without_events_has_a_mean_but_no_interval_and_no_test() -> None:
    means = restricted_mean_survival([4.0, 9.0, 5.0, 5.0], [1, 1, 0, 0], ["a", "a", "b", "b"], tau=5)
    assert means[1].value == 5.0
    assert math.isnan(means[1].low)
    difference = restricted_mean_difference(means[1], means[0])
    assert difference.value == pytest.approx(0.5)
    assert math.isnan(difference.low)
    assert math.isnan(difference.high)
    assert math.isnan(difference.p_value)


def test_a_group_of_one_patient_is_no_exception() -> None:
    means = restricted_mean_survival([4.0, 9.0, 7.0], [1, 1, 1], ["a", "a", "b"], tau=5)
    assert [m.n for m in means] == [2, 1]
    assert means[1].value == 5.0


def test_two_horizons_are_not_compared() -> None:
    (five,) = restricted_mean_survival([4.0, 9.0], [1, 1], tau=5)
    (six,) = restricted_mean_survival([4.0, 9.0], [1, 1], tau=6)
    with pytest.raises(ValueError, match="horizons differ: 5 and 6"):
        restricted_mean_difference(five, six)
