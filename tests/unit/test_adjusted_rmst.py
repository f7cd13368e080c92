"""Adjusted differences in restricted mean survival time."""

from __future__ import annotations

import numpy as np
import pytest

from troughline.survival.adjusted_rmst import adjusted_restricted_mean
from troughline.survival.rmst import restricted_mean_difference, restricted_mean_survival


def trial(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A trial in which a covariate matters and treatment adds; a third censored; times with ties."""
    rng = np.random.default_rng(seed)
    arm, x = rng.integers(0, 2, n), rng.normal(size=n)
    dies = rng.exponential(10 * np.exp(0.3 * arm + 0.6 * x))
    lost = rng.uniform(2, 30, n)
    return np.ceil(10 * np.minimum(dies, lost)) / 10, dies <= lost, arm, x


def test_without_covariates_it_is_the_difference_of_the_areas() -> None:
    """Weighting by the Kaplan–Meier curve of censoring gives back Kaplan–Meier, ties and all."""
    time, event, arm, _ = trial(150, 1)
    found = adjusted_restricted_mean(time, event, arm, np.zeros((150, 0)), [], tau=12)
    zero, one = restricted_mean_survival(time, event, arm, tau=12)
    plain = restricted_mean_difference(one, zero)
    assert found.difference.value == pytest.approx(plain.value, rel=1e-12)
    assert found.intercept.value == pytest.approx(zero.value, rel=1e-12)
    assert found.difference.standard_error == pytest.approx(plain.standard_error, rel=0.02)


def test_the_errors_are_those_of_the_jackknife() -> None:
    time, event, arm, x = trial(150, 2)
    found = adjusted_restricted_mean(time, event, arm, x, ["x"], tau=12)
    left: list[list[float]] = []
    for i in range(150):
        kept = np.arange(150) != i
        again = adjusted_restricted_mean(time[kept], event[kept], arm[kept], x[kept], ["x"], tau=12)
        left.append([again.difference.value, again.terms[0].value])
    errors = np.sqrt(149 * np.var(left, axis=0))
    np.testing.assert_allclose(
        [found.difference.standard_error, found.terms[0].standard_error], errors, rtol=0.05
    )


def test_adjustment_covers_the_truth_and_narrows_the_interval() -> None:
    """Randomised, so adjusted and unadjusted differences have one truth: 150 trials of 120."""
    time, _, arm, _ = trial(200_000, 3)
    rng = np.random.default_rng(3)
    arm, x = rng.integers(0, 2, 400_000), rng.normal(size=400_000)
    lived = np.minimum(rng.exponential(10 * np.exp(0.3 * arm + 0.6 * x)), 12)
    truth = lived[arm == 1].mean() - lived[arm == 0].mean()
    inside, narrower = 0, 0
    for seed in range(150):
        time, event, arm, x = trial(120, 100 + seed)
        adjusted = adjusted_restricted_mean(time, event, arm, x, ["x"], tau=12).difference
        zero, one = restricted_mean_survival(time, event, arm, tau=12)
        inside += adjusted.low <= truth + 0.05 and adjusted.high >= truth - 0.05
        narrower += adjusted.standard_error < restricted_mean_difference(one, zero).standard_error
    assert inside >= 133  # a binomial of 150 and 0.95: 0.1 % below
    assert narrower > 130


def test_what_cannot_be_compared_is_refused() -> None:
    time, event, arm, x = trial(60, 4)
    with pytest.raises(ValueError, match="needs two groups; there are 1"):
        adjusted_restricted_mean(time, event, np.zeros(60), x, ["x"], tau=5)
    with pytest.raises(ValueError, match="beyond the longest follow-up of group '0'"):
        adjusted_restricted_mean(np.where(arm == 0, 1.0, time), event, arm, x, ["x"], tau=5)
    with pytest.raises(ValueError, match="collinear"):
        adjusted_restricted_mean(time, event, arm, arm, ["x"], tau=5)
