"""Jonckheere–Terpstra and Kendall: exact, permuted and normal, with ties and censored values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from troughline.biomarker.censored import Censored, exactly
from troughline.biomarker.trend import trend_test

RNG = np.random.default_rng(9)


def test_the_exact_law_is_that_of_every_assignment() -> None:
    """Eight patients in groups of 3, 2, 3: all 560 assignments."""
    x = np.array([1.0, 1, 1, 2, 2, 3, 3, 3])
    y = RNG.normal(size=8)
    ours = trend_test(x, exactly(y))
    assignments = set(itertools.permutations(x.tolist()))
    assert len(assignments) == 560
    j = [
        sum(y[i] < y[k] for i in range(8) for k in range(8) if a[i] < a[k]) for a in assignments
    ]  # fmt: skip
    at = ours.jonckheere
    p = 2 * min(np.mean(np.array(j) <= at), np.mean(np.array(j) >= at))
    assert ours.p_value == pytest.approx(min(1.0, p), abs=1e-12)


def test_over_an_exposure_it_is_kendall_s_exact_test() -> None:
    x, y = RNG.normal(size=12), RNG.normal(size=12)
    theirs = stats.kendalltau(x, y, method="exact")
    ours = trend_test(x, exactly(y))
    assert (ours.tau, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-10)


def test_with_ties_the_permutation_variance_is_kendall_s() -> None:
    x, y = RNG.integers(0, 3, 25).astype(float), np.round(RNG.normal(size=25), 1)
    assert trend_test(x, exactly(y)).p_normal == pytest.approx(
        stats.kendalltau(x, y, method="asymptotic").pvalue, rel=1e-9
    )


@pytest.mark.parametrize("exposure", [False, True])
def test_censored_changes_are_permuted_to_about_the_normal_p(exposure: bool) -> None:
    """40 patients, a third known on one side: 10,000 permutations, error .005 at p = .5."""
    n = 40
    x = RNG.normal(size=n) if exposure else np.repeat([1.0, 2.0, 4.0], (12, 16, 12))
    y = RNG.normal(size=n)
    low = np.where(np.arange(n) % 3 == 0, -np.inf, y)
    test = trend_test(x, Censored(low, y), rng=np.random.default_rng(1))
    assert test.law == "permutation"
    assert test.p_value == pytest.approx(test.p_normal, abs=0.03)
    assert test.p_value == trend_test(x, Censored(low, y), rng=np.random.default_rng(1)).p_value


def test_overlapping_intervals_have_no_order() -> None:
    """(−∞, 1) and 0.5: not known; (−∞, 1) and 1: higher. So two of three pairs count."""
    y = Censored(np.array([-np.inf, 0.5, 1.0]), np.array([1.0, 0.5, 1.0]))
    assert trend_test(np.array([1.0, 2.0, 3.0]), y).statistic == 2.0


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (np.ones(5), exactly(np.arange(5.0)), "x is the same"),
        (np.arange(5.0), exactly(np.ones(5)), "order of no two"),
        (np.arange(2.0), exactly(np.arange(2.0)), "three or more"),
    ],
)
def test_no_order_no_trend(x: np.ndarray, y: Censored, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        trend_test(x, y)
