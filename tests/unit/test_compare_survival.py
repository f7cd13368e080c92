"""Curves and test in one step, the order of times, and the counted kernels against the survival library."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from troughline.survival.compare_survival import compare_survival
from troughline.survival.kaplan_meier import kaplan_meier
from troughline.survival.log_rank import log_rank
from troughline.survival.times import checked_times, coded_groups, time_order

surv_analysis: Any = import_module("survival.surv_analysis")
validation: Any = import_module("survival.validation")


def test_one_step_gives_what_two_give() -> None:
    rng = np.random.default_rng(1)
    time, event, group = rng.exponential(5, 90), rng.uniform(size=90) < 0.6, rng.integers(0, 3, 90)
    both = compare_survival(time, event, group, level=0.9)
    curves = kaplan_meier(time, event, group, level=0.9)
    for one, other in zip(both.curves, curves, strict=True):
        np.testing.assert_array_equal(one.survival, other.survival)
        np.testing.assert_array_equal(one.low, other.low)
    assert both.test.statistic == log_rank(time, event, group).statistic


@pytest.mark.parametrize("interval", ["log-log", "log", "plain"])
@pytest.mark.parametrize("delayed", [False, True])
def test_curves_are_those_of_the_survival_library(interval: Any, delayed: bool) -> None:
    """100 small cohorts with ties, some ending at 0: survival, limits, numbers at risk, median, to 1e-12."""
    rng = np.random.default_rng(2)
    for _ in range(100):
        n = int(rng.integers(2, 50))
        time, event = np.ceil(rng.exponential(10, n)), rng.uniform(size=n) < rng.choice([0.3, 0.7, 1.0])
        entry = np.minimum(np.floor(time * rng.uniform(size=n)), time - 1) if delayed else None
        (ours,) = kaplan_meier(time, event, entry=entry, interval=interval)
        theirs = surv_analysis.survfitkm(
            time, event.astype(int), start=entry, conf_int=0.95, conf_type=interval, timefix=False
        )
        table = surv_analysis.survmean(theirs, rmean="none")
        for mine, other in (
            (ours.time, theirs.time),
            (ours.survival, theirs.surv),
            (ours.low, theirs.lower),
            (ours.high, theirs.upper),
            (ours.n_at_risk, theirs.n_risk),
            (ours.n_events, theirs.n_event),
            ([ours.median], [table.median[0]]),
            ([ours.median_low], [table.lower[0]]),
            ([ours.median_high], [table.upper[0]]),
        ):
            np.testing.assert_allclose(
                np.asarray(mine, float), np.asarray(other, float), rtol=1e-12, atol=1e-12
            )


@pytest.mark.parametrize(("delayed", "layered"), [(False, False), (True, False), (False, True), (True, True)])
def test_tests_are_those_of_the_survival_library(delayed: bool, layered: bool) -> None:
    """Three groups, entries and strata: expected events, covariance and statistic, to 1e-9."""
    rng = np.random.default_rng(3)
    compared = 0
    for _ in range(100):
        n = int(rng.integers(10, 60))
        time, event = np.ceil(rng.exponential(10, n)), rng.uniform(size=n) < 0.7
        entry = np.minimum(np.floor(time * rng.uniform(size=n)), time - 1) if delayed else None
        group, strata = rng.permutation(np.arange(n) % 3), rng.integers(0, 2, n) if layered else None
        try:
            theirs = validation.logrank_test(
                time, event.astype(int), group, strata=strata, entry_times=entry, timefix=False
            )
        except RuntimeError:
            continue
        ours = log_rank(time, event, group, entry=entry, strata=strata)
        np.testing.assert_allclose(ours.expected, theirs.expected, atol=1e-9)
        np.testing.assert_allclose(ours.covariance, theirs.variance, atol=1e-9)
        assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-9)
        compared += 1
    assert compared > 80


def test_groups_never_at_risk_together_are_not_compared() -> None:
    """The first group is gone when the second enters: no statistic, no division by zero."""
    test = log_rank([1, 2, 5, 6], [1, 1, 1, 1], ["a", "a", "b", "b"], entry=[0, 0, 3, 3])
    assert np.isnan(test.statistic)
    assert test.degrees_of_freedom == 0
    np.testing.assert_array_equal(test.observed, [2, 2])


def test_whole_numbers_are_ordered_like_any_other() -> None:
    rng = np.random.default_rng(4)
    for values in (
        rng.integers(0, 65_535, 1000).astype(float),
        rng.integers(0, 70_000, 1000).astype(float),
        rng.normal(size=1000),
        np.array([0.0, 65_535.0, 1.0]),
    ):
        assert np.all(np.diff(values[time_order(values)]) >= 0)


def test_ties_split_by_rounding_are_put_together_among_many() -> None:
    """3 × 0.1 and 0.3 tie; 1,000 different times stay different."""
    rng = np.random.default_rng(5)
    time = np.concatenate(([3 * 0.1, 0.3], rng.uniform(1, 2, 1000)))
    merged = checked_times(time, np.ones(1002)).time
    assert merged[0] == merged[1]
    assert np.unique(merged).size == np.unique(merged[2:]).size + 1
    np.testing.assert_array_equal(merged[2:], time[2:])


@pytest.mark.parametrize(
    "group",
    [
        np.array([2, -1, 2]),
        np.array([True, False, True]),
        np.array([10**12, 3, 10**12]),
        np.array([2, 10, 2], np.uint8),
    ],
)
def test_groups_given_as_numbers_have_the_labels_of_their_text(group: np.ndarray) -> None:
    """Sorted as text, as the same labels in a list are."""
    codes, labels = coded_groups(group, 3)
    slow_codes, slow_labels = coded_groups([str(g) for g in group.tolist()], 3)
    assert labels == slow_labels
    np.testing.assert_array_equal(codes, slow_codes)
