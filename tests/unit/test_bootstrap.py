"""The vectorised bootstrap against a plain loop, and the corrections for choosing a cut."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from troughline.response.bootstrap import bootstrap_roc, percentile_interval, roc_band
from troughline.response.optimism import corrected_youden
from troughline.response.roc import roc_curve
from troughline.response.thresholds import operating_point, optimal_threshold

RNG = np.random.default_rng(12)
VALUES = np.round(np.exp(np.concatenate([RNG.normal(1.3, 0.6, 15), RNG.normal(0.8, 0.6, 22)])), 1)
IS_CASE = np.arange(37) < 15


@pytest.mark.parametrize("criterion", ["youden", "closest-corner"])
@pytest.mark.parametrize("higher_is_case", [True, False])
def test_replicates_are_distributed_as_a_plain_loop_would_have_them(criterion, higher_is_case) -> None:
    """3,000 replicates each: means within five Monte Carlo standard errors of the difference."""
    sign = 1.0 if higher_is_case else -1.0
    values = sign * VALUES
    fast = bootstrap_roc(
        values,
        IS_CASE,
        n_replicates=3000,
        rng=np.random.default_rng(1),
        criterion=criterion,
        higher_is_case=higher_is_case,
    )
    rng = np.random.default_rng(2)
    slow = []
    for _ in range(3000):
        cases, controls = rng.choice(values[IS_CASE], 15), rng.choice(values[~IS_CASE], 22)
        resample = np.concatenate([cases, controls])
        curve = roc_curve(resample, IS_CASE, higher_is_case=higher_is_case)
        cut = rng.choice(optimal_threshold(curve, criterion).ties)
        inside = operating_point(resample, IS_CASE, cut, higher_is_case=higher_is_case)
        original = operating_point(values, IS_CASE, cut, higher_is_case=higher_is_case)
        slow.append(
            (
                curve.auc,
                cut,
                inside.sensitivity.value,
                inside.specificity.value,
                original.sensitivity.value,
                original.specificity.value,
            )
        )
    expected = np.array(slow)
    found = np.column_stack(
        [
            fast.auc,
            fast.threshold,
            fast.sensitivity,
            fast.specificity,
            fast.sensitivity_original,
            fast.specificity_original,
        ]
    )
    assert np.isfinite(found).all()
    error = np.sqrt((expected.var(axis=0) + found.var(axis=0)) / 3000)
    assert (np.abs(found.mean(axis=0) - expected.mean(axis=0)) < 5.0 * error).all()
    np.testing.assert_allclose(found.std(axis=0), expected.std(axis=0), rtol=0.12)


def test_each_threshold_does_in_the_patients_what_is_reported() -> None:
    replicates = bootstrap_roc(VALUES, IS_CASE, n_replicates=50, rng=np.random.default_rng(4))
    for k in range(50):
        point = operating_point(VALUES, IS_CASE, replicates.threshold[k])
        assert point.sensitivity.value == pytest.approx(replicates.sensitivity_original[k], abs=1e-12)
        assert point.specificity.value == pytest.approx(replicates.specificity_original[k], abs=1e-12)


def test_the_same_seed_gives_the_same_replicates() -> None:
    first, second = (bootstrap_roc(VALUES, IS_CASE, rng=np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(first.threshold, second.threshold)
    np.testing.assert_array_equal(first.auc, second.auc)


def test_memory_does_not_grow_with_the_replicates() -> None:
    """5,000 patients: 300 replicates at once would hold 12 MB an array, and 2,000 of them 80 MB."""
    values, is_case = np.arange(5000.0), np.arange(5000) % 3 == 0
    tracemalloc.start()
    bootstrap_roc(values, is_case, n_replicates=300, rng=np.random.default_rng(1))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 40e6


def test_percentiles_take_infinite_replicates_as_they_are() -> None:
    replicates = np.array([-math.inf] * 5 + [1.0] * 90 + [math.inf] * 5)
    assert percentile_interval(replicates) == (-math.inf, math.inf)
    assert percentile_interval(np.arange(101.0), level=0.9) == pytest.approx((5.0, 95.0))
    with pytest.raises(ValueError, match="all of them numbers"):
        percentile_interval(np.array([math.nan, 1.0]))


def test_no_replicates_and_one_class_are_refused() -> None:
    with pytest.raises(ValueError, match="0 bootstrap replicates"):
        bootstrap_roc(VALUES, IS_CASE, n_replicates=0, rng=np.random.default_rng(1))
    with pytest.raises(ValueError, match="both classes"):
        bootstrap_roc(VALUES, np.ones(37, dtype=bool), rng=np.random.default_rng(1))


def test_band_holds_the_curve_and_has_width_without_overlap() -> None:
    band = roc_band(VALUES, IS_CASE, n_replicates=300, rng=np.random.default_rng(3))
    assert (band.low <= band.sensitivity).all()
    assert (band.sensitivity <= band.high).all()
    assert (band.sensitivity[0], band.low[0], band.high[0]) == (1.0, 1.0, 1.0)
    separated = roc_band(
        np.arange(26.0),
        np.arange(26) >= 13,
        specificities=[0.5],
        n_replicates=50,
        rng=np.random.default_rng(3),
    )
    assert separated.sensitivity[0] == 1.0
    assert separated.low[0] < 0.8
    with pytest.raises(ValueError, match="outside 0 to 1"):
        roc_band(VALUES, IS_CASE, specificities=[1.2], rng=np.random.default_rng(3))


def test_a_fixed_direction_leaves_the_area_alone() -> None:
    fixed = corrected_youden(VALUES, IS_CASE, n_replicates=200, rng=np.random.default_rng(5))
    assert fixed.auc_corrected == fixed.auc_apparent == roc_curve(VALUES, IS_CASE).auc
    assert fixed.flipped_share == 0.0


def test_a_direction_chosen_by_the_data_mirrors_and_costs_area() -> None:
    free = corrected_youden(
        -VALUES, IS_CASE, n_replicates=500, rng=np.random.default_rng(5), direction="auto"
    )
    up = optimal_threshold(roc_curve(VALUES, IS_CASE))
    assert not free.higher_is_case
    assert free.threshold == -up.threshold
    assert free.auc_apparent == roc_curve(VALUES, IS_CASE).auc
    assert free.auc_corrected < free.auc_apparent


def test_a_resample_that_leaves_nobody_out_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cases and 36 controls"):
        corrected_youden(VALUES, np.arange(37) == 0, rng=np.random.default_rng(5))


@pytest.mark.parametrize(("shift", "expected", "apparent"), [(0.9098, 0.309, 0.488), (0.0, 0.0, 0.21)])
def test_correction_finds_what_the_cut_does_in_new_patients(shift, expected, apparent) -> None:
    """13 + 13, 300 cohorts: mean within 0.03 of the true index of the chosen cut (standard error 0.01)."""
    rng = np.random.default_rng(13)
    is_case = np.arange(26) < 13
    found = [
        corrected_youden(rng.normal(0.0, 1.0, 26) + shift * is_case, is_case, n_replicates=200, rng=rng)
        for _ in range(300)
    ]
    assert np.mean([c.youden_apparent for c in found]) == pytest.approx(apparent, abs=0.03)
    assert np.mean([c.youden_corrected for c in found]) == pytest.approx(expected, abs=0.03)
