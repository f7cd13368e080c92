"""What must hold for any marker: order alone counts, directions mirror, intervals hold their estimates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from troughline.response.auc_interval import auc_interval, delong
from troughline.response.bootstrap import bootstrap_roc
from troughline.response.proportions import clopper_pearson, wilson
from troughline.response.roc import mann_whitney, roc_curve
from troughline.response.threshold_interval import threshold_interval
from troughline.response.thresholds import operating_point, optimal_threshold


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Tied and untied markers of 4 to 40 patients, two of each class at least."""
    n = draw(st.integers(4, 40))
    values = draw(hnp.arrays(np.float64, n, elements=st.integers(-8, 8).map(float) | st.floats(-1e6, 1e6)))
    order = draw(st.permutations(range(n)))
    n_cases = draw(st.integers(2, n - 2))
    is_case = np.zeros(n, dtype=bool)
    is_case[list(order[:n_cases])] = True
    return values, is_case


@given(cohorts())
def test_area_is_the_share_of_ordered_pairs(cohort) -> None:
    values, is_case = cohort
    cases, controls = values[is_case][:, None], values[~is_case][None, :]
    pairs = ((cases > controls) + 0.5 * (cases == controls)).mean()
    assert roc_curve(values, is_case).auc == pytest.approx(pairs, abs=1e-12)


@given(cohorts())
def test_area_is_the_trapezium_under_the_curve(cohort) -> None:
    curve = roc_curve(*cohort)
    area = np.trapezoid(curve.sensitivity[::-1], 1.0 - curve.specificity[::-1])
    assert curve.auc == pytest.approx(area, abs=1e-12)


@given(cohorts())
def test_only_the_order_of_the_values_counts(cohort) -> None:
    values, is_case = cohort
    ranks = np.unique(values, return_inverse=True)[1].astype(float)
    first, second = roc_curve(values, is_case), roc_curve(ranks, is_case)
    np.testing.assert_array_equal(first.true_positives, second.true_positives)
    np.testing.assert_array_equal(first.false_positives, second.false_positives)
    assert auc_interval(values, is_case) == auc_interval(ranks, is_case)


@given(cohorts())
def test_negating_the_values_mirrors_the_direction(cohort) -> None:
    values, is_case = cohort
    up, down = roc_curve(values, is_case), roc_curve(-values, is_case, higher_is_case=False)
    assert up.auc == down.auc
    np.testing.assert_array_equal(up.thresholds, -down.thresholds)
    assert roc_curve(values, ~is_case).auc == pytest.approx(1.0 - up.auc, abs=1e-12)


@given(cohorts())
def test_every_cut_of_the_curve_classifies_as_it_says(cohort) -> None:
    values, is_case = cohort
    curve = roc_curve(values, is_case)
    assert (np.diff(curve.thresholds) > 0).all()
    for k, threshold in enumerate(curve.thresholds):
        point = operating_point(values, is_case, float(threshold))
        assert point.true_positives == curve.true_positives[k]
        assert point.false_positives == curve.false_positives[k]


@given(cohorts(), st.sampled_from(["youden", "closest-corner"]))
def test_no_cut_is_better_than_the_chosen_one(cohort, criterion) -> None:
    curve = roc_curve(*cohort)
    point = optimal_threshold(curve, criterion)
    if criterion == "youden":
        assert point.youden == pytest.approx((curve.sensitivity + curve.specificity).max() - 1.0, abs=1e-12)
    else:
        distance = (1.0 - curve.sensitivity) ** 2 + (1.0 - curve.specificity) ** 2
        chosen = (1.0 - point.sensitivity) ** 2 + (1.0 - point.specificity) ** 2
        assert chosen == pytest.approx(distance.min(), abs=1e-12)
    assert point.ties[0] == point.threshold


@given(cohorts(), st.floats(0.5, 0.99))
def test_auc_intervals_hold_the_estimate_and_the_guarded_one_has_width(cohort, level) -> None:
    values, is_case = cohort
    usual, guarded = delong(values, is_case, level=level), auc_interval(values, is_case, level=level)
    for estimate in (usual, guarded):
        assert 0.0 <= estimate.low <= estimate.value <= estimate.high <= 1.0
    assert guarded.low < guarded.value or guarded.value == 0.0
    assert guarded.high > guarded.value or guarded.value == 1.0


@given(cohorts())
def test_mann_whitney_counts_the_same_pairs_as_the_area(cohort) -> None:
    values, is_case = cohort
    if np.unique(values).size == 1:
        return
    curve, test = roc_curve(values, is_case), mann_whitney(values, is_case)
    assert test.statistic == pytest.approx(curve.auc * curve.n_cases * curve.n_controls, abs=1e-9)
    assert 0.0 <= test.p_value <= 1.0


@settings(max_examples=40, deadline=None)
@given(cohorts(), st.integers(0, 2**32 - 1))
def test_replicates_stay_possible_and_cut_at_least_as_well_as_chance(cohort, seed) -> None:
    values, is_case = cohort
    replicates = bootstrap_roc(values, is_case, n_replicates=20, rng=np.random.default_rng(seed))
    for shares in (replicates.auc, replicates.sensitivity, replicates.specificity):
        assert ((shares >= 0.0) & (shares <= 1.0)).all()
    assert (replicates.youden >= -1e-12).all()
    assert (replicates.youden_original <= optimal_threshold(roc_curve(values, is_case)).youden + 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(cohorts())
def test_threshold_interval_holds_every_tied_threshold(cohort) -> None:
    values, is_case = cohort
    interval = threshold_interval(values, is_case, n_replicates=5, rng=np.random.default_rng(1))
    ties = optimal_threshold(roc_curve(values, is_case)).ties
    assert interval.low <= min(ties)
    assert max(ties) <= interval.high


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_intervals_of_a_share_hold_it_and_mirror(counts, level) -> None:
    successes, trials = counts
    for interval in (wilson, clopper_pearson):
        found, mirrored = (
            interval(successes, trials, level=level),
            interval(trials - successes, trials, level=level),
        )
        assert 0.0 <= found.low <= found.value <= found.high <= 1.0
        assert found.low == pytest.approx(1.0 - mirrored.high, abs=1e-9)
