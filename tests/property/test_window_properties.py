"""What holds for every window: coherent cell probabilities, monotone bounds, no dependence on the unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from troughline.response.curve import fit_curve
from troughline.response.exposure_models import positive_slope
from troughline.response.joint import both_probability
from troughline.response.window import WindowFit, fit_window

probability = st.floats(1e-6, 1 - 1e-6)
log_odds_ratio = st.floats(-8, 8)


@given(probability, probability, log_odds_ratio)
def test_cells_are_probabilities_with_the_given_margins_and_odds_ratio(
    first: float, second: float, association: float
) -> None:
    psi = np.exp(association)
    p11, p10, p01, p00 = (
        float(both_probability(np.array(a), np.array(b), np.array(odds)))
        for a, b, odds in (
            (first, second, psi),
            (first, 1 - second, 1 / psi),
            (1 - first, second, 1 / psi),
            (1 - first, 1 - second, psi),
        )
    )
    assert min(p11, p10, p01, p00) > 0
    assert p11 + p10 + p01 + p00 == pytest.approx(1, abs=1e-12)
    assert p11 + p10 == pytest.approx(first, abs=1e-12)
    assert p11 + p01 == pytest.approx(second, abs=1e-12)
    assert np.log(p11) + np.log(p00) - np.log(p10) - np.log(p01) == pytest.approx(association, abs=1e-5)


@given(st.floats(-6, 6))
def test_the_slope_transformation_rises_and_states_its_own_derivative(v: float) -> None:
    slope, log_rate = positive_slope(np.array([v - 1e-5, v, v + 1e-5]))
    assert slope[1] > 0
    assert (slope[2] - slope[0]) / 2e-5 == pytest.approx(np.exp(log_rate[1]), rel=1e-5)


def simulated(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    exposure = 2.91 * np.exp(rng.normal(0, 0.62, n))
    benefit = rng.random(n) < 1 / (1 + np.exp(-2.2 * np.log(exposure / 1.8)))
    toxicity = rng.random(n) < 1 / (1 + np.exp(-(-0.4 + 1.6 * np.log(exposure / 3.2))))
    return exposure, benefit, toxicity


def window(seed: int, n: int, benefit: float, toxicity: float, unit: float = 1.0) -> WindowFit:
    exposure, y_b, y_t = simulated(seed, n)
    return fit_window(
        exposure * unit,
        y_b,
        y_t,
        benefit_at_least=benefit,
        toxicity_at_most=toxicity,
        rng=np.random.default_rng(seed),
        n_draws=1000,
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, 60), st.floats(0.1, 0.8), st.floats(0.02, 0.15))
def test_stricter_limits_narrow_the_window(seed: int, n: int, level: float, more: float) -> None:
    here = window(seed, n, level, 0.9 - level)
    stricter_benefit = window(seed, n, level + more, 0.9 - level)
    looser_toxicity = window(seed, n, level, 0.9 - level + min(more, 0.09))
    for loose, strict in (
        (here.benefit.crossing(level), stricter_benefit.benefit.crossing(level + more)),
        (
            here.toxicity.crossing(0.9 - level),
            looser_toxicity.toxicity.crossing(0.9 - level + min(more, 0.09)),
        ),
    ):
        assert (loose <= strict).all()
    if here.lower.value is not None and stricter_benefit.lower.value is not None:
        assert here.lower.value <= stricter_benefit.lower.value
    if here.upper.value is not None and looser_toxicity.upper.value is not None:
        assert here.upper.value <= looser_toxicity.upper.value
    assert stricter_benefit.p_exists <= here.p_exists <= looser_toxicity.p_exists
    at = here.exposure
    assert (stricter_benefit.p_inside(at) <= here.p_inside(at)).all()
    assert (here.p_inside(at) <= looser_toxicity.p_inside(at)).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(12, 60), st.sampled_from([1000.0, 0.001, 464.8]))
def test_the_unit_of_exposure_scales_the_bounds_and_changes_nothing_else(
    seed: int, n: int, unit: float
) -> None:
    here, there = window(seed, n, 0.5, 0.4), window(seed, n, 0.5, 0.4, unit)
    for a, b in ((here.lower, there.lower), (here.upper, there.upper)):
        for name in ("value", "low", "high"):
            x, y = getattr(a, name), getattr(b, name)
            assert (x is None) == (y is None)
            # The log exposures differ in their last digits, and with them the draws.
            assert x is None or y == pytest.approx(x * unit, rel=1e-4)
    assert there.p_exists == pytest.approx(here.p_exists, abs=0.003)
    assert there.p_inside_patients() == pytest.approx(here.p_inside_patients(), abs=0.005)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 40), st.floats(0.05, 0.95))
def test_any_cohort_gives_a_rising_curve_within_zero_and_one(seed: int, n: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    exposure = np.exp(rng.normal(0, 1.0, n))
    fit = fit_curve(exposure, rng.random(n) < share, rng=rng, n_draws=1000)
    curve = fit.probability(fit.grid(31))
    assert (np.diff(curve.mean) >= 0).all()
    assert ((curve.low >= 0) & (curve.low <= curve.mean) & (curve.mean <= curve.high)).all()
    assert (curve.high <= 1).all()
