"""Residuals, shrinkage, NPDE and VPC: right under the model, loud under another, exact where by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from troughline.pk.diagnostics import (
    decorrelate,
    effect_shrinkage,
    individual_residuals,
    population_residuals,
    residual_shrinkage,
)
from troughline.pk.npde import npde, npde_tests
from troughline.pk.vpc import prediction_corrected_vpc, time_bins

Floats = NDArray[np.float64]
TIMES = np.array([1.0, 4.0, 8.0, 24.0])
N_PATIENTS, N_SIMULATIONS = 150, 1000


@dataclass(frozen=True)
class Design:
    """A one-compartment bolus model with log-normal CL and V, four samples a patient, dose by patient."""

    patient: Floats
    time: Floats
    dose: Floats

    def typical(self, clearance: float = 4.0) -> Floats:
        return self.dose / 70.0 * np.exp(-clearance / 70.0 * self.time)

    def draw(self, rng: np.random.Generator, n: int, *, clearance: float = 4.0, cv: float = 0.3) -> Floats:
        n_patients = int(self.patient.max()) + 1
        eta = rng.normal(0.0, cv, (n, n_patients, 2))[:, self.patient.astype(int)]
        volume = 70.0 * np.exp(eta[..., 1])
        level = self.dose / volume * np.exp(-clearance * np.exp(eta[..., 0]) / volume * self.time)
        return level * (1 + rng.normal(0.0, 0.15, level.shape))


@pytest.fixture(scope="module")
def design() -> Design:
    patient = np.repeat(np.arange(N_PATIENTS), TIMES.size)
    dose = np.where(patient % 2 == 0, 100.0, 400.0)
    return Design(patient=patient, time=np.tile(TIMES, N_PATIENTS), dose=dose)


@pytest.fixture(scope="module")
def simulated(design: Design) -> Floats:
    return design.draw(np.random.default_rng(1), N_SIMULATIONS)


def test_iwres_by_hand() -> None:
    found = individual_residuals(
        [3.0, 1.0, 2.0, 5.0], [2.0, 2.0, 2.0, 2.0], [0.5, 2.0, 1.0, 0.0], [0, 0, 1, 0]
    )
    np.testing.assert_allclose(found, [2.0, -0.5, np.nan, np.nan])


def test_shrinkage_by_hand() -> None:
    """SD of (−1, 0, 1) about its mean with n − 1 is 1, of (0, 2) it is √2."""
    found = effect_shrinkage([[-1.0, 0.0], [0.0, 2.0], [1.0, np.nan]], [2.0, np.sqrt(2.0)])
    np.testing.assert_allclose(found.sd, [0.5, 0.0], atol=1e-15)
    np.testing.assert_allclose(found.variance, [0.75, 0.0], atol=1e-15)
    assert found.n.tolist() == [3, 2]
    epsilon = residual_shrinkage([0.5, -0.5, np.nan, 1.0], [0, 0, 0, 1], n_outputs=3)
    np.testing.assert_allclose(epsilon.sd, [1 - np.sqrt(0.5), np.nan, np.nan])
    assert epsilon.n.tolist() == [2, 1, 0]


def test_shrinkage_of_an_effect_that_the_model_does_not_have_is_no_number() -> None:
    assert np.isnan(effect_shrinkage([[0.1], [0.2]], [0.0]).sd[0])
    with pytest.raises(ValueError, match="do not fit"):
        effect_shrinkage([[0.1, 0.2]], [1.0])


def test_npde_of_the_model_s_own_data_are_standard_normal(design: Design, simulated: Floats) -> None:
    """Mean over 40 data sets within three standard errors of 0 and 1; every p of KS above 1e-4."""
    moments: list[tuple[float, float]] = []
    for k in range(40):
        observed = design.draw(np.random.default_rng(100 + k), 1)[0]
        found = npde(observed, simulated, design.patient, rng=np.random.default_rng(k))
        assert stats.kstest(found.npde, "norm").pvalue > 1e-4
        moments.append((float(found.npde.mean()), float(found.npde.var(ddof=1))))
    means, variances = np.array(moments).T
    assert abs(means.mean()) < 3 * means.std(ddof=1) / np.sqrt(40)
    assert variances.mean() == pytest.approx(1.0, abs=0.03)


def test_tests_reject_the_true_model_as_often_as_they_say(design: Design, simulated: Floats) -> None:
    """Global test at 5 % over 100 data sets: at most 12 rejections (binomial 99.9 %)."""
    rejected = 0
    for k in range(100):
        observed = design.draw(np.random.default_rng(500 + k), 1)[0]
        found = npde(observed, simulated, design.patient, rng=np.random.default_rng(k))
        rejected += npde_tests(found.npde).global_p < 0.05
    assert rejected <= 12


@pytest.mark.parametrize(("clearance", "cv", "which"), [(6.0, 0.3, "mean_p"), (4.0, 0.6, "variance_p")])
def test_a_wrong_model_is_detected(
    design: Design, simulated: Floats, clearance: float, cv: float, which: str
) -> None:
    observed = design.draw(np.random.default_rng(7), 1, clearance=clearance, cv=cv)[0]
    tests = npde_tests(npde(observed, simulated, design.patient, rng=np.random.default_rng(2)).npde)
    assert getattr(tests, which) < 1e-3
    assert tests.global_p == min(1.0, 3 * min(tests.mean_p, tests.variance_p, tests.normality_p))


def test_decorrelation_removes_the_correlation_within_patients(design: Design, simulated: Floats) -> None:
    """Correlation of neighbouring records over 600 draws: high before, within 4/√600 of 0 after."""
    few = Design(design.patient[:4], design.time[:4], design.dose[:4])
    observed = few.draw(np.random.default_rng(3), 600)
    raw = np.corrcoef(observed.T)
    assert raw[0, 1] > 0.5
    after = np.array([decorrelate(y, simulated[:, :4], few.patient).observed for y in observed])
    found = np.corrcoef(after.T)
    assert np.all(np.abs(found[~np.eye(4, dtype=bool)]) < 4 / np.sqrt(600))
    np.testing.assert_allclose(after.var(axis=0), 1.0, atol=0.25)


def test_an_early_record_is_judged_without_the_later_ones(design: Design, simulated: Floats) -> None:
    """What the Cholesky factor is chosen for."""
    observed = design.draw(np.random.default_rng(4), 1)[0]
    whole = decorrelate(observed, simulated, design.patient).observed
    first = decorrelate(observed[::4], simulated[:, ::4], design.patient[::4]).observed
    np.testing.assert_allclose(whole[::4], first, rtol=1e-12)


def test_population_residuals_are_the_decorrelated_distances(design: Design, simulated: Floats) -> None:
    """One record a patient: (y − mean)/SD of its simulations, and the root of 1 + 1/n for a new value."""
    observed = design.draw(np.random.default_rng(5), 1)[0][::4]
    sims = simulated[:, ::4]
    found = population_residuals(observed, sims, design.patient[::4], np.zeros(observed.size))
    expected = (observed - sims.mean(0)) / (sims.std(0, ddof=1) * np.sqrt(1 + 1 / N_SIMULATIONS))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_few_simulations_do_not_spread_the_residuals() -> None:
    """Variance 1 at each of 8 correlated normal records with 40 simulations: 4,000 draws, within 0.1.

    Without the factor for a new observation the last would have 1.5.
    """
    rng = np.random.default_rng(0)
    root = np.linalg.cholesky(0.5 * np.eye(8) + 0.5)
    draws = rng.normal(size=(4000, 41, 8)) @ root.T
    whose = np.zeros(8, dtype=int)
    found = np.array([decorrelate(d[0], d[1:], whose).observed for d in draws])
    np.testing.assert_allclose(found.var(axis=0), 1.0, atol=0.1)


def test_a_record_that_repeats_another_is_reported_not_divided_by_zero() -> None:
    sims = np.random.default_rng(0).normal(size=(50, 3))
    sims[:, 1] = sims[:, 0]
    found = npde([0.1, 0.1, 0.3], sims, [0, 0, 1], rng=np.random.default_rng(1))
    assert found.failed == (0,)
    assert np.isnan(found.npde[:2]).all()
    assert np.isfinite(found.npde[2])
    assert np.isfinite(found.normalised_discrepancy).all()


def test_shares_of_none_and_all_are_half_a_step_from_the_edge() -> None:
    """pd 0 → 1/(2K), 1 → 1 − 1/(2K) (doi 10.1007/s11095-006-9067-5)."""
    sims = np.linspace(1, 2, 20)[:, None] * np.ones((1, 3))
    found = npde([0.0, 1.5, 9.0], sims, [0, 1, 2], rng=np.random.default_rng(1))
    np.testing.assert_allclose(found.discrepancy, [0.025, 0.5, 0.975])
    np.testing.assert_allclose(found.npde, stats.norm.ppf([0.025, 0.5, 0.975]), rtol=1e-12, atol=1e-12)


def test_smoothed_shares_are_all_different_and_within_their_step() -> None:
    sims = np.linspace(1, 2, 10)[:, None] * np.ones((1, 200))
    found = npde(np.full(200, 1.5), sims, np.arange(200), rng=np.random.default_rng(1), smooth=True)
    assert np.unique(found.discrepancy).size == 200
    assert found.discrepancy.min() > 0.5 - 1e-12
    assert found.discrepancy.max() < 0.6


@pytest.mark.parametrize("log", [False, True])
def test_npde_with_levels_below_the_limit_are_standard_normal(
    design: Design, simulated: Floats, log: bool
) -> None:
    """About a fifth below the limit; KS p above 1e-3 in each of 20 data sets, a wrong model below 1e-3."""
    limit = 0.8
    convert = (lambda x: np.log(np.maximum(x, 1e-6))) if log else (lambda x: x)

    def errors(clearance: float, seed: int) -> Floats:
        observed = design.draw(np.random.default_rng(seed), 1, clearance=clearance)[0]
        below = observed < limit
        assert 0.1 < below.mean() < 0.5
        observed = np.where(below, np.nan, observed)
        return npde(
            convert(observed), convert(simulated), design.patient, below.astype(int), convert(limit),
            rng=np.random.default_rng(seed),
        ).npde  # fmt: skip

    ps = [stats.kstest(errors(4.0, seed), "norm").pvalue for seed in range(20)]
    assert min(ps) > 1e-3
    assert npde_tests(errors(6.5, 0)).global_p < 1e-3


def test_a_level_below_the_limit_has_its_pd_below_the_share_there() -> None:
    sims = np.arange(1.0, 101.0)[:, None] * np.ones((1, 400))
    low = npde(np.full(400, np.nan), sims, np.arange(400), np.ones(400), 30.5, rng=np.random.default_rng(0))
    assert low.discrepancy.min() > 0
    assert low.discrepancy.max() < 0.30
    assert stats.kstest(low.discrepancy / 0.30, "uniform").pvalue > 0.001
    high = npde(
        np.full(400, np.nan), sims, np.arange(400), np.full(400, 2), 90.5, rng=np.random.default_rng(0)
    )
    assert high.discrepancy.min() > 0.90
    with pytest.raises(ValueError, match="no limit"):
        npde([np.nan], sims[:, :1], [0], [1], rng=np.random.default_rng(0))


def test_missing_observations_stay_missing(design: Design, simulated: Floats) -> None:
    observed = design.draw(np.random.default_rng(9), 1)[0]
    codes = np.zeros(observed.size, int)
    codes[5] = 3
    found = npde(observed, simulated, design.patient, codes, rng=np.random.default_rng(1))
    assert np.flatnonzero(np.isnan(found.npde)).tolist() == [5]


def test_too_few_errors_have_no_p_value() -> None:
    tests = npde_tests([0.3, np.nan, -0.2])
    assert tests.n == 2
    assert np.isnan(tests.global_p)


def test_npde_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        npde([1.0, 2.0], np.ones((5, 3)), [0, 0], rng=np.random.default_rng(0))


def test_vpc_intervals_cover_what_they_say(design: Design, simulated: Floats) -> None:
    """95 % intervals of 12 percentiles in 60 data sets: 720 of which 91–98 % are inside."""
    inside: list[float] = []
    for k in range(60):
        observed = design.draw(np.random.default_rng(900 + k), 1)[0]
        vpc = prediction_corrected_vpc(
            design.time, observed, simulated, design.typical(), edges=time_bins(design.time)
        )
        inside.append(float(np.mean((vpc.observed >= vpc.low) & (vpc.observed <= vpc.high))))
    assert 0.91 < np.mean(inside) < 0.98


def test_vpc_shows_a_wrong_model(design: Design, simulated: Floats) -> None:
    observed = design.draw(np.random.default_rng(3), 1, clearance=6.5)[0]
    edges = time_bins(design.time)
    vpc = prediction_corrected_vpc(design.time, observed, simulated, design.typical(), edges=edges)
    assert vpc.observed[-1, 1] < vpc.low[-1, 1]


def test_prediction_correction_takes_the_dose_out(design: Design, simulated: Floats) -> None:
    """Levels proportional to the dose: corrected with the typical prediction, doses no longer differ."""
    scaled = design.typical() * 1.2
    edges = time_bins(design.time)
    vpc = prediction_corrected_vpc(design.time, scaled, simulated, design.typical(), edges=edges)
    expected = 1.2 * np.array([np.median(design.typical()[design.time == t]) for t in TIMES])
    np.testing.assert_allclose(vpc.observed, np.repeat(expected[:, None], 3, axis=1), rtol=1e-12)
    logged = prediction_corrected_vpc(
        design.time,
        np.log(scaled),
        np.log(np.abs(simulated)),
        np.log(design.typical()),
        edges=edges,
        log=True,
    )
    np.testing.assert_allclose(np.ptp(logged.observed, axis=1), 0.0, atol=1e-12)
    plain = prediction_corrected_vpc(design.time, scaled, simulated, None, edges=edges)
    assert np.all(np.ptp(plain.observed, axis=1) > 0)


def test_vpc_percentiles_equal_numpy_s_where_nothing_is_censored(design: Design, simulated: Floats) -> None:
    observed = design.draw(np.random.default_rng(8), 1)[0]
    vpc = prediction_corrected_vpc(design.time, observed, simulated, None, edges=time_bins(design.time))
    at = design.time == 8.0
    np.testing.assert_allclose(vpc.observed[2], np.percentile(observed[at], [5, 50, 95]), rtol=1e-12)
    drawn = np.percentile(simulated[:, at], 5, axis=1)
    np.testing.assert_allclose(vpc.low[2, 0], np.percentile(drawn, 2.5), rtol=1e-12)
    assert vpc.n.tolist() == [N_PATIENTS] * 4


def test_vpc_counts_what_is_below_the_limit_and_hides_percentiles_there(
    design: Design, simulated: Floats
) -> None:
    observed = design.draw(np.random.default_rng(8), 1)[0]
    limit = 0.6
    below = observed < limit
    vpc = prediction_corrected_vpc(
        design.time, np.where(below, np.nan, observed), simulated, design.typical(),
        edges=time_bins(design.time), censoring=below.astype(int), limit=limit,
    )  # fmt: skip
    shares = np.array([below[design.time == t].mean() for t in TIMES])
    np.testing.assert_allclose(vpc.below, shares)
    assert np.all((vpc.below >= vpc.below_low) & (vpc.below <= vpc.below_high))
    assert np.isnan(vpc.observed[-1, 0])
    assert np.isfinite(vpc.observed[-1, 2])
    assert np.isnan(vpc.corrected[below]).all()
    assert np.isfinite(vpc.corrected[~below]).all()


def test_records_without_a_positive_prediction_are_left_out_and_counted() -> None:
    sims = np.random.default_rng(0).lognormal(size=(50, 4))
    vpc = prediction_corrected_vpc(
        [0.0, 1.0, 1.0, 1.0], [0.1, 1.0, 2.0, 3.0], sims, [0.0, 1.0, 1.0, 1.0], edges=[0.0, 0.5, 2.0]
    )
    assert vpc.n_left_out == 1
    assert vpc.n.tolist() == [3]
    np.testing.assert_allclose(vpc.edges, [0.5, 2.0])


def test_bins_around_nominal_times_and_by_quantiles() -> None:
    np.testing.assert_allclose(
        time_bins([0.9, 1.1, 4.2, 23.0], nominal=[1, 4, 8, 24]), [0.9, 2.5, 14.0, 24.0]
    )
    np.testing.assert_allclose(time_bins([1, 1, 4, 8]), [1.0, 2.5, 6.0, 8.0])
    time = np.random.default_rng(0).uniform(0, 24, 800)
    counts = np.histogram(time, time_bins(time, n_bins=8))[0]
    assert counts.size == 8
    assert np.all(np.abs(counts - 100) <= 1)
    with pytest.raises(ValueError, match="no times"):
        time_bins([])
