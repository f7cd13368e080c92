"""The restricted cubic spline: its shape, its reference, and what it says of straight and bent truths."""

from __future__ import annotations

import numpy as np
import pytest

from troughline.response.spline import fit_spline_cox, harrell_knots, restricted_cubic_basis
from troughline.survival.cox import SeparationError


def cohort(n: int, seed: int, bend: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Survival whose log hazard is 0.5 u + bend · u² in u, the standardised log exposure."""
    rng = np.random.default_rng(seed)
    u = rng.normal(size=n)
    time = rng.exponential(np.exp(-0.5 * u - bend * u**2))
    return np.minimum(time, 3.0), time <= 3.0, 2.9 * np.exp(0.62 * u)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_basis_is_smooth_inside_and_straight_outside_the_knots(count: int) -> None:
    knots = harrell_knots(np.linspace(0.0, 1.0, 101), count)
    step = 1e-3
    grid = np.arange(-1.0, 2.0, step)
    basis = restricted_cubic_basis(grid, knots)
    assert basis.shape == (grid.size, count - 1)
    assert np.array_equal(basis[:, 0], grid)
    curvature = np.diff(basis, 2, axis=0) / step**2
    outside = (grid[1:-1] < knots[0] - step) | (grid[1:-1] > knots[-1] + step)
    assert np.abs(curvature[outside]).max() < 1e-6
    assert np.abs(curvature[~outside, 1:]).max() > 0.1
    # A cubic spline's second derivative has no jump.
    assert np.abs(np.diff(curvature, axis=0)).max() < 20 * step * np.abs(curvature).max()


def test_knots_stand_at_the_usual_quantiles() -> None:
    values = np.linspace(0.0, 1000.0, 1001)
    assert harrell_knots(values, 3).tolist() == [100.0, 500.0, 900.0]
    assert harrell_knots(values, 4).tolist() == pytest.approx([50.0, 350.0, 650.0, 950.0])
    assert harrell_knots(values, 5).tolist() == pytest.approx([50.0, 275.0, 500.0, 725.0, 950.0])


def test_knots_that_cannot_be_placed_are_errors() -> None:
    with pytest.raises(ValueError, match="6 knots: 3, 4 or 5"):
        harrell_knots([1.0, 2.0, 3.0], 6)
    with pytest.raises(ValueError, match="do not rise; too few different values"):
        harrell_knots([1.0, 1.0, 1.0, 1.0, 2.0], 4)
    with pytest.raises(ValueError, match="2 knots; a restricted cubic spline needs three"):
        restricted_cubic_basis([1.0], [0.0, 1.0])


def test_hazard_ratio_is_exactly_one_at_the_reference() -> None:
    time, event, exposure = cohort(200, 1, 0.0)
    fit = fit_spline_cox(time, event, exposure, reference_exposure=3.0)
    curve = fit.hazard_ratio([3.0, 6.0])
    assert curve.hazard_ratio[0] == curve.low[0] == curve.high[0] == 1.0
    assert curve.low[1] < curve.hazard_ratio[1] < curve.high[1]
    again = fit.hazard_ratio([3.0], reference_exposure=6.0)
    assert again.hazard_ratio[0] == pytest.approx(1 / curve.hazard_ratio[1], rel=1e-12)


def test_reference_is_the_median_unless_named() -> None:
    time, event, exposure = cohort(101, 2, 0.0)
    assert fit_spline_cox(time, event, exposure).reference_exposure == np.median(exposure)


def test_unit_of_exposure_changes_nothing_but_the_knots() -> None:
    time, event, exposure = cohort(150, 3, 0.2)
    in_mg, in_ng = fit_spline_cox(time, event, exposure), fit_spline_cox(time, event, 1000 * exposure)
    assert in_ng.knots == pytest.approx(1000 * in_mg.knots, rel=1e-12)
    assert in_ng.overall.statistic == pytest.approx(in_mg.overall.statistic, rel=1e-8)
    assert in_ng.hazard_ratio([5000.0]).hazard_ratio == pytest.approx(in_mg.hazard_ratio([5.0]).hazard_ratio)


def test_nonlinearity_is_found_where_it_is_and_seldom_where_it_is_not() -> None:
    bent = [fit_spline_cox(*cohort(200, s, 0.5)).nonlinearity.p_value < 0.05 for s in range(40)]
    straight = [fit_spline_cox(*cohort(200, 100 + s, 0.0)).nonlinearity.p_value < 0.05 for s in range(100)]
    assert np.mean(bent) > 0.8
    # 5 of 100 expected; 13 or more happen by chance once in a thousand.
    assert sum(straight) <= 13


def test_twenty_six_patients_give_a_curve() -> None:
    time, event, exposure = cohort(26, 7, 0.0)
    curve = fit_spline_cox(time, event, exposure).hazard_ratio([1.4, 3.45])
    assert np.all(np.isfinite(curve.hazard_ratio))
    assert np.all((curve.low < curve.hazard_ratio) & (curve.hazard_ratio < curve.high))


def test_exposures_that_have_no_logarithm_are_errors_that_name_the_index() -> None:
    with pytest.raises(ValueError, match=r"exposure\[1\] = 0 is not a finite number above 0"):
        fit_spline_cox([1.0, 2.0], [1, 1], [1.0, 0.0])
    time, event, exposure = cohort(60, 1, 0.0)
    with pytest.raises(ValueError, match=r"exposure\[0\] = -1"):
        fit_spline_cox(time, event, exposure).hazard_ratio([-1.0])


def test_a_curve_without_a_finite_maximum_is_refused() -> None:
    # The higher the exposure the earlier the death, without exception.
    exposure = np.linspace(1.0, 9.0, 20)
    with pytest.raises(SeparationError) as raised:
        fit_spline_cox(20.0 - np.arange(20.0), np.ones(20), exposure)
    assert "log exposure" in raised.value.terms
