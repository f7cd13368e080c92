"""The curve of one outcome over exposure: its posterior, its average, its adjusted form, its refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from troughline.response.curve import CurveFit, fit_curve, sample_margin
from troughline.response.curve_draws import CurveDraws, curve_draws
from troughline.response.exposure_models import EMAX, LOGISTIC, exposure_data
from troughline.response.margin import log_posterior
from troughline.response.priors import Priors


def cohort(n: int, seed: int, slope: float = 1.6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    exposure = 2.91 * np.exp(rng.normal(0, 0.62, n))
    return exposure, rng.random(n) < 1 / (1 + np.exp(-(-0.4 + slope * np.log(exposure / 3.2))))


def weighted_quantile(value: np.ndarray, weight: np.ndarray, at: list[float]) -> np.ndarray:
    order = np.argsort(value)
    return np.interp(at, np.cumsum(weight[order]) / weight.sum(), value[order])


@pytest.mark.parametrize("monotone", [True, False])
@pytest.mark.parametrize("n", [26, 74])
def test_the_logistic_posterior_agrees_with_integration_on_a_grid(n: int, monotone: bool) -> None:
    exposure, outcome = cohort(n, 5)
    data, priors = exposure_data(exposure), Priors(monotone=monotone)
    a, s = np.linspace(-5, 4, 301), np.linspace(0.0 if monotone else -4.0, 9, 401)
    height = np.empty((a.size, s.size))
    signs = np.where(outcome, 1.0, -1.0)
    for i, intercept in enumerate(a):
        eta = intercept + s[:, None] * data.log_exposure
        height[i] = (
            -np.logaddexp(0, -signs * eta).sum(axis=1)
            - 0.5 * (intercept / priors.intercept_sd) ** 2
            - 0.5 * (s / priors.slope_sd) ** 2
        )
    weight = np.exp(height - height.max()).ravel()
    grid_a, grid_s = np.repeat(a, s.size), np.tile(s, a.size)
    sample = sample_margin(LOGISTIC, data, outcome, priors, rng=np.random.default_rng(1), n_draws=20_000)
    curve = curve_draws([(LOGISTIC, sample.draws)], data.covariates, monotone=monotone)
    w = np.exp(sample.log_weights)
    levels = [0.025, 0.25, 0.5, 0.75, 0.975]
    # 25,000 effective draws leave errors of about 0.01 standard deviations in the middle, 0.03 in the tails.
    for name, exact, drawn in (("a", grid_a, curve.intercept), ("s", grid_s, curve.slope)):
        spread = np.sqrt(np.cov(drawn, aweights=w))
        found = weighted_quantile(drawn, w, levels)
        assert found == pytest.approx(weighted_quantile(exact, weight, levels), abs=0.06 * spread), name


def test_the_emax_posterior_agrees_with_integration_on_a_grid() -> None:
    exposure, outcome = cohort(26, 5)
    data, priors = exposure_data(exposure), Priors()
    a, s, k = np.linspace(-4.5, 3.5, 61), np.linspace(0.02, 8, 81), np.linspace(-4.5, 4.5, 46)
    grid = np.stack([g.ravel() for g in np.meshgrid(a, s, k, indexing="ij")], axis=1)
    c, half = np.exp(data.log_exposure), np.exp(grid[:, 2])
    signs = np.where(outcome, 1.0, -1.0)
    height = -0.5 * ((grid / [priors.intercept_sd, priors.slope_sd, priors.half_effect_sd]) ** 2).sum(axis=1)
    for x, sign in zip(c, signs, strict=True):
        eta = grid[:, 0] + grid[:, 1] * (1 + half) * (x - 1) / (x + half)
        height -= np.logaddexp(0, -sign * eta)
    weight = np.exp(height - height.max())
    sample = sample_margin(EMAX, data, outcome, priors, rng=np.random.default_rng(1), n_draws=20_000)
    w = np.exp(sample.log_weights)
    curve = curve_draws([(EMAX, sample.draws)], data.covariates, monotone=True)
    at = np.log(np.array([1.4, 3.45, 8.0]) / data.reference)
    exact = grid[:, [0]] + grid[:, [1]] * (1 + half[:, None]) * (np.exp(at) - 1) / (
        np.exp(at) + half[:, None]
    )
    drawn = curve.log_odds(at)
    for j in range(at.size):
        found = weighted_quantile(drawn[:, j], w, [0.025, 0.5, 0.975])
        expected = weighted_quantile(exact[:, j], weight, [0.025, 0.5, 0.975])
        assert found == pytest.approx(expected, abs=0.06 * np.sqrt(np.cov(drawn[:, j], aweights=w)))


def test_gradients_match_differences_of_the_log_posterior() -> None:
    exposure, outcome = cohort(30, 2)
    z = np.random.default_rng(0).normal(size=(30, 2))
    data = exposure_data(exposure, z, ("u", "v"))
    for model in (LOGISTIC, EMAX):
        for priors in (Priors(), Priors(monotone=False)):
            for v in (-2.0, -0.4, 0.9):
                at = np.array([0.3, v, 0.4, 0.2, -0.1]) if model is EMAX else np.array([0.3, v, 0.2, -0.1])
                step = 1e-5 * np.eye(at.size)
                up = log_posterior(model, at + step, data, outcome, priors)
                down = log_posterior(model, at - step, data, outcome, priors)
                gradient = model.log_posterior_gradient(at, data, outcome, priors)
                assert gradient == pytest.approx((up - down) / 2e-5, abs=1e-6)


def test_an_emax_curve_is_the_textbook_formula() -> None:
    # E0 = -3, Emax = 6, EC50 = 4 at reference 2: half effect 2, slope Emax k / (1 + k)^2, height at C = 2.
    k = 4 / 2
    draws = CurveDraws(
        intercept=np.array([-3 + 6 * 2 / (4 + 2)]),
        slope=np.array([6 * k / (1 + k) ** 2]),
        half_effect=np.array([k]),
    )
    concentration = np.array([0.1, 1.0, 2.0, 4.0, 50.0])
    textbook = -3 + 6 * concentration / (4 + concentration)
    assert draws.log_odds(np.log(concentration / 2))[0] == pytest.approx(textbook)
    # It passes P = 1/2 where the log odds are 0, at C = 4, and never reaches log odds above 3.
    assert 2 * np.exp(draws.crossing(0.5)[0]) == pytest.approx(4)
    assert draws.crossing(0.96)[0] == np.inf
    assert draws.crossing(0.04)[0] == -np.inf


def test_models_are_weighed_and_sampled_well() -> None:
    fit = fit_curve(*cohort(60, 1), rng=np.random.default_rng(0))
    assert [m.model for m in fit.models] == ["logistic", "emax"]
    assert sum(m.weight for m in fit.models) == pytest.approx(1)
    assert all(m.status == "good" and m.effective_draws > 2000 for m in fit.models)
    assert len(fit.draws) == 4000
    assert np.isnan(fit.draws.half_effect).mean() == pytest.approx(fit.models[0].weight, abs=0.001)
    assert "pseudo-BMA+" in fit.methods()[0]


def test_a_monotone_curve_rises_and_its_band_holds_its_mean() -> None:
    fit = fit_curve(*cohort(26, 3), rng=np.random.default_rng(0))
    curve = fit.probability(fit.grid())
    assert (np.diff(curve.mean) > 0).all()
    assert ((curve.low <= curve.mean) & (curve.mean <= curve.high)).all()
    assert fit.slope().low > 0


def test_separated_outcomes_and_a_single_class_still_give_a_curve() -> None:
    exposure = np.array([0.74, 1.1, 1.3, 1.39, 1.5, 2.2, 2.9, 3.5, 4.1, 8.8])
    apart = fit_curve(exposure, exposure > 1.4, rng=np.random.default_rng(0))
    bound = apart.exposure_at(0.5)
    assert bound.low is not None
    assert bound.high is not None
    assert bound.low < 1.45 < bound.high
    none = fit_curve(exposure, np.zeros(10, dtype=bool), rng=np.random.default_rng(0))
    assert none.events == 0
    assert none.exposure_at(0.5).high is None
    assert "not reached in the studied exposures" in none.exposure_at(0.5).note


def test_data_against_the_direction_are_noticed() -> None:
    exposure, outcome = cohort(80, 8, slope=-2.0)
    fit = fit_curve(exposure, outcome, rng=np.random.default_rng(0))
    assert fit.p_slope_negative > 0.99
    assert fit_curve(*cohort(80, 8, slope=2.0), rng=np.random.default_rng(0)).p_slope_negative < 0.01
    both_ways = fit_curve(exposure, outcome, rng=np.random.default_rng(0), monotone=False)
    assert both_ways.slope().high < 0


def adjusted(n: int) -> tuple[CurveFit, np.ndarray]:
    rng = np.random.default_rng(12)
    exposure = 2.91 * np.exp(rng.normal(0, 0.62, n))
    albumin = rng.normal(35, 5, n)
    eta = -0.4 + 1.6 * np.log(exposure / 3.2) - 0.2 * (albumin - 35)
    fit = fit_curve(
        exposure,
        rng.random(n) < 1 / (1 + np.exp(-eta)),
        rng=rng,
        covariates=albumin[:, None],
        covariate_names=("albumin",),
    )
    return fit, albumin


def test_the_adjusted_curve_averages_over_the_covariates_of_the_cohort() -> None:
    fit, albumin = adjusted(300)
    assert fit.draws.offsets is not None
    assert fit.draws.offsets.shape == (4000, 300)
    at = np.array([1.4, 3.45, 6.0])
    truth = [(1 / (1 + np.exp(-(-0.4 + 1.6 * np.log(c / 3.2) - 0.2 * (albumin - 35))))).mean() for c in at]
    curve = fit.probability(at)
    assert ((curve.low <= truth) & (truth <= curve.high)).all()
    # A bound of the averaged curve is where the averaged curve passes the level.
    crossing = fit.draws.crossing(0.4)
    one = fit.draws.take(np.arange(5))
    for j in range(5):
        assert one.probability(crossing[[j]])[j, 0] == pytest.approx(0.4, abs=1e-6)


def test_many_exposures_are_interpolated_without_visible_error() -> None:
    fit, _ = adjusted(60)
    at = np.geomspace(0.5, 15, 501)
    many = fit.probability(at).mean
    assert many[::10] == pytest.approx(fit.probability(at[::10]).mean, abs=2e-4)


def test_four_hundred_patients_stand_for_a_large_cohort() -> None:
    fit, albumin = adjusted(1500)
    assert fit.draws.offsets is not None
    assert fit.draws.offsets.shape == (4000, 400)
    coefficient = fit.draws.offsets.std(axis=1).mean()
    assert coefficient == pytest.approx(0.2 * albumin.std(), abs=0.2)


def test_the_fit_depends_on_nothing_but_data_and_generator() -> None:
    first, second = (fit_curve(*cohort(26, 3), rng=np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(first.draws.slope, second.draws.slope)


def test_callers_mistakes_are_named() -> None:
    exposure, outcome = cohort(26, 3)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"patient 2 \(counted from 0\) is -1.0"):
        fit_curve(np.where(np.arange(26) == 2, -1.0, exposure), outcome, rng=rng)
    with pytest.raises(ValueError, match="two different exposures"):
        fit_curve(np.full(26, 2.0), outcome, rng=rng)
    with pytest.raises(ValueError, match="boolean"):
        fit_curve(exposure, outcome.astype(float), rng=rng)
    with pytest.raises(ValueError, match="there are 26 exposures"):
        fit_curve(exposure, outcome[:-1], rng=rng)
    z = np.where(np.arange(26) == 0, np.nan, 1.0 * np.arange(26))[:, None]
    with pytest.raises(ValueError, match="covariate albumin is missing or infinite in 1 patients"):
        fit_curve(exposure, outcome, rng=rng, covariates=z, covariate_names=("albumin",))
    with pytest.raises(ValueError, match="the same in all 26 patients"):
        fit_curve(exposure, outcome, rng=rng, covariates=np.ones((26, 1)))
    with pytest.raises(ValueError, match="at least 400"):
        fit_curve(exposure, outcome, rng=rng, n_draws=10)
    with pytest.raises(ValueError, match="slope_sd is -1"):
        replace(Priors(), slope_sd=-1.0)


def test_priors_are_stated_in_words() -> None:
    text = " ".join(Priors().sentences(joint=True, covariates=True))
    assert "exposure does not lower the chance of an effect it causes" in text
    assert f"Normal(0, {Priors().slope_sd:g})" in text
    assert "either sign" in " ".join(Priors(monotone=False).sentences())
