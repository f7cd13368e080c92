"""Maximum likelihood says where it has no answer, and Firth's penalty gives one."""

from __future__ import annotations

import numpy as np
import pytest

from troughline.response.firth import fit_firth
from troughline.response.logistic import SeparationError, fit_logistic


def with_intercept(x: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(x)), x])


def noisy(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return with_intercept(x), rng.random(n) < 1 / (1 + np.exp(-(0.3 + 1.2 * x)))


def test_complete_separation_is_an_error_under_maximum_likelihood() -> None:
    x = np.linspace(-1, 1, 10)
    with pytest.raises(SeparationError, match=r"separate the 5 patients with the outcome from the 5 without"):
        fit_logistic(with_intercept(x), x > 0)


def test_quasi_complete_separation_is_an_error_under_maximum_likelihood() -> None:
    x = np.array([0.0, 0, 0, 0, 1, 1, 1])
    y = np.array([True, False, True, False, True, True, True])
    with pytest.raises(SeparationError):
        fit_logistic(with_intercept(x), y)


@pytest.mark.parametrize("value", [True, False])
def test_a_single_class_is_separation(value: bool) -> None:
    with pytest.raises(SeparationError):
        fit_logistic(with_intercept(np.linspace(-1, 1, 8)), np.full(8, value))


def test_overlapping_outcomes_are_not_mistaken_for_separation() -> None:
    # One patient out of place is enough for a finite, if steep, estimate.
    x = np.linspace(-1, 1, 30)
    y = x > 0
    y[[13, 16]] = [True, False]
    fit = fit_logistic(with_intercept(x), y)
    assert 3 < fit.coefficients[1] < 60


def test_firth_is_finite_under_separation_with_an_interval_that_excludes_no_effect() -> None:
    x = np.linspace(-1, 1, 10)
    fit = fit_firth(with_intercept(x), x > 0)
    assert np.isfinite([fit.low, fit.high, fit.coefficients]).all()
    assert fit.low[1] > 0
    assert fit.p_values[1] < 0.05


def test_firth_test_and_interval_agree() -> None:
    for seed in range(12):
        design, y = noisy(25, seed)
        fit = fit_firth(design, y)
        excluded = (fit.low > 0) | (fit.high < 0)
        assert ((fit.p_values < 0.05) == excluded).all()
        assert ((fit.low < fit.coefficients) & (fit.coefficients < fit.high)).all()


def test_firth_does_not_depend_on_the_unit_of_a_predictor() -> None:
    design, y = noisy(30, 4)
    here, there = fit_firth(design, y), fit_firth(design * [1.0, 1000.0], y)
    assert there.coefficients[1] * 1000 == pytest.approx(here.coefficients[1], rel=1e-6)
    assert there.low[1] * 1000 == pytest.approx(here.low[1], rel=1e-5)
    assert there.p_values == pytest.approx(here.p_values, rel=1e-5)


def test_firth_is_less_biased_than_maximum_likelihood_at_n_30() -> None:
    # True slope 1.2; over 60 cohorts the mean error of Firth's slope is the smaller one.
    pairs = []
    for seed in range(100, 160):
        design, y = noisy(30, seed)
        pairs.append((fit_firth(design, y).coefficients[1], fit_logistic(design, y).coefficients[1]))
    firth, likelihood = np.mean(pairs, axis=0)
    assert abs(firth - 1.2) < abs(likelihood - 1.2)


def test_with_many_patients_firth_and_maximum_likelihood_agree() -> None:
    design, y = noisy(5000, 1)
    assert fit_firth(design, y).coefficients == pytest.approx(fit_logistic(design, y).coefficients, abs=0.002)


def test_bad_designs_are_refused_by_name() -> None:
    x = np.linspace(-1, 1, 8)
    y = np.arange(8) % 2 == 0
    with pytest.raises(ValueError, match="linearly dependent"):
        fit_logistic(np.column_stack([np.ones(8), x, 2 * x]), y)
    with pytest.raises(ValueError, match=r"patient 3 \(counted from 0\)"):
        fit_firth(with_intercept(np.where(np.arange(8) == 3, np.nan, x)), y)
    with pytest.raises(ValueError, match="boolean"):
        fit_firth(with_intercept(x), y.astype(float))
    with pytest.raises(ValueError, match="8 patients"):
        fit_logistic(with_intercept(x), y[:-1])
