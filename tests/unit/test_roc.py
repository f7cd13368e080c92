"""The ROC curve, its cuts and the Mann–Whitney test, on examples small enough to count by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from troughline.response.roc import mann_whitney, roc_curve
from troughline.response.thresholds import operating_point, optimal_threshold

VALUES = np.array([1.0, 2.0, 3.0, 3.0, 4.0, 5.0])
IS_CASE = np.array([False, False, True, False, False, True])


def test_curve_of_six_patients_counted_by_hand() -> None:
    curve = roc_curve(VALUES, IS_CASE)
    np.testing.assert_array_equal(curve.thresholds, [-np.inf, 1.5, 2.5, 3.5, 4.5, np.inf])
    np.testing.assert_array_equal(curve.true_positives, [2, 2, 2, 1, 1, 0])
    np.testing.assert_array_equal(curve.false_positives, [4, 3, 2, 1, 0, 0])
    # Of the 8 pairs the case is higher in 6 (2 + 4), and one is a tie.
    assert curve.auc == 6.5 / 8
    assert (curve.n_cases, curve.n_controls) == (2, 4)


def test_direction_is_never_chosen_by_the_data() -> None:
    up, down = roc_curve(VALUES, IS_CASE), roc_curve(VALUES, IS_CASE, higher_is_case=False)
    assert down.auc == 1.0 - up.auc < 0.5
    np.testing.assert_array_equal(down.thresholds, up.thresholds[::-1])
    np.testing.assert_array_equal(down.sensitivity, 1.0 - up.sensitivity[::-1])


def test_cut_between_neighbouring_floats_separates_them() -> None:
    low = 1.0
    high = math.nextafter(low, 2.0)
    for higher_is_case in (True, False):
        curve = roc_curve([low, high], [not higher_is_case, higher_is_case], higher_is_case=higher_is_case)
        cut = optimal_threshold(curve).threshold
        point = operating_point(
            [low, high], [not higher_is_case, higher_is_case], cut, higher_is_case=higher_is_case
        )
        assert point.youden == 1.0


@pytest.mark.parametrize(
    ("values", "is_case", "message"),
    [
        ([1.0, math.nan, 2.0], [True, False, False], "1 of 3 values are not finite, the first at 1"),
        ([1.0, math.inf], [True, False], "not finite"),
        ([1.0, 2.0], [True, True], "2 cases among 2 patients"),
        ([1.0, 2.0], [False, False], "0 cases among 2 patients"),
        ([1.0, 2.0], [0, 2], "neither true nor false"),
        ([1.0, 2.0], [True], "not two equal columns"),
        ([], [], "0 cases among 0 patients"),
    ],
)
def test_unusable_input_is_refused_with_the_reason(
    values: list[float], is_case: list[bool], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        roc_curve(values, is_case)


def test_mann_whitney_is_exact_without_ties() -> None:
    # Both cases above all three controls: 1 of 10 arrangements, and its mirror image.
    test = mann_whitney([1.0, 2.0, 3.0, 4.0, 5.0], [False, False, False, True, True])
    assert test.exact
    assert test.statistic == 6.0
    assert test.p_value == pytest.approx(2 / 10, abs=1e-12)


def test_mann_whitney_says_when_it_is_approximate() -> None:
    test = mann_whitney(VALUES, IS_CASE)
    assert not test.exact
    assert test.statistic == 6.5


def test_mann_whitney_of_one_value_is_refused() -> None:
    with pytest.raises(ValueError, match="all 4 values are equal"):
        mann_whitney([1.0] * 4, [True, False, True, False])
