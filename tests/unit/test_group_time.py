"""The Tobit mixed model and the censored analysis of covariance against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from troughline.biomarker.ancova import ancova
from troughline.biomarker.censored import Censored, Pairs
from troughline.biomarker.group_time import GroupTime
from troughline.biomarker.paired_tobit import Records, fit_tobit

SIZES = (10, 37, 10)
GROUPS = np.repeat(np.arange(3), SIZES).astype(np.intp)
N = len(GROUPS)


def pairs(limit: float = -math.inf, *, seed: int = 5, change: float = 0.3) -> Pairs:
    rng = np.random.default_rng(seed)
    patient = rng.normal(size=N)
    before, after = (patient + 0.7 * rng.normal(size=N) + c for c in (0.0, change))

    def cut(x: np.ndarray) -> Censored:
        below = x < limit
        return Censored(np.where(below, -np.inf, x), np.where(below, limit, x))

    return Pairs(before=cut(before), after=cut(after), floor=np.full((2, N), limit))


def test_without_censoring_group_by_time_is_the_analysis_of_variance_of_the_changes() -> None:
    """F and p to 1e-6; each interval is Student's with the pooled variance, to 1e-3 of its width."""
    data = pairs()
    change = data.change.low
    model = GroupTime(data, GROUPS)
    anova = stats.f_oneway(*[change[g == GROUPS] for g in range(3)])
    same = model.same_change()
    assert (same.f, same.p_value) == pytest.approx((anova.statistic, anova.pvalue), rel=1e-6)
    pooled = sum(((change[g == GROUPS] - change[g == GROUPS].mean()) ** 2).sum() for g in range(3)) / (N - 3)
    for g, n in enumerate(SIZES):
        own, mean = model.change(g), change[g == GROUPS].mean()
        half = stats.t.ppf(0.975, N - 3) * math.sqrt(pooled / n)
        assert own.value == pytest.approx(mean, abs=1e-4)
        assert (own.low, own.high) == pytest.approx((mean - half, mean + half), abs=2e-3 * half)


def test_without_censoring_the_analysis_of_covariance_is_least_squares() -> None:
    data = pairs()
    x, y, member = data.before.low, data.after.low, np.eye(3)[GROUPS]

    def residual(design: np.ndarray) -> float:
        return float(np.linalg.lstsq(design, y, rcond=None)[1][0])

    full = residual(np.c_[member, x])
    f = (residual(np.c_[np.ones(N), x]) - full) / 2 / (full / (N - 4))
    ours = ancova(data, GROUPS)
    assert ours.same is not None
    assert ours.same.f == pytest.approx(f, rel=1e-5)
    assert ours.baseline_slope == pytest.approx(
        np.linalg.lstsq(np.c_[member, x], y, rcond=None)[0][3], abs=1e-5
    )


@pytest.mark.parametrize("limit", [-0.6, 0.1, 1.0])
def test_the_likelihood_of_censored_pairs_is_that_of_the_bivariate_normal(limit: float) -> None:
    """A quarter to four fifths below the limit: SciPy's bivariate normal law, each pair, to 1e-6."""
    data = pairs(limit)
    design = np.zeros((2 * N, 2))
    design[:N, 0], design[N:, 1] = 1, 1
    level = Censored(np.r_[data.before.low, data.after.low], np.r_[data.before.high, data.after.high])
    fit = fit_tobit(Records(level, np.r_[np.arange(N), np.arange(N)]), design)
    within, between = fit.within_sd**2, fit.between_sd**2
    cov = np.array([[within + between, between], [between, within + between]])
    mu = fit.coefficients
    total = 0.0
    for i in range(N):
        exact = [bool(data.before.exact[i]), bool(data.after.exact[i])]
        value = [data.before.low[i], data.after.low[i]]
        if all(exact):
            total += stats.multivariate_normal(mu, cov).logpdf(value)
        elif not any(exact):
            total += math.log(stats.multivariate_normal(mu, cov).cdf([limit, limit]))
        else:
            j = exact.index(True)
            total += stats.norm(mu[j], math.sqrt(cov[j, j])).logpdf(value[j])
            mean = mu[1 - j] + cov[0, 1] / cov[j, j] * (value[j] - mu[j])
            total += stats.norm(mean, math.sqrt(cov[1, 1] - cov[0, 1] ** 2 / cov[j, j])).logcdf(limit)
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(total, abs=1e-6)


def test_a_third_occasion_is_as_good_as_two() -> None:
    """Three levels a patient, none censored: the closed form of the random-intercept model."""
    rng = np.random.default_rng(8)
    n = 40
    y = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, 3)) + np.array([0.0, 0.2, 0.4])
    design = np.kron(np.eye(3), np.ones((n, 1)))
    level = y.T.ravel()
    fit = fit_tobit(Records(Censored(level, level), np.tile(np.arange(n), 3)), design)
    cov = fit.between_sd**2 * np.ones((3, 3)) + fit.within_sd**2 * np.eye(3)
    total = stats.multivariate_normal(fit.coefficients, cov).logpdf(y).sum()
    assert fit.log_likelihood == pytest.approx(float(total), abs=1e-8)
    assert fit.coefficients == pytest.approx(y.mean(axis=0), abs=1e-4)


def test_the_truth_is_recovered_with_half_the_levels_below_the_limit() -> None:
    """600 patients: error of the change about .04, of the standard deviations .04."""
    rng = np.random.default_rng(2)
    n = 600
    patient = rng.normal(size=n)
    limit = 0.2
    seen = []
    for change in (0.0, 0.4):
        x = patient + 0.7 * rng.normal(size=n) + change
        seen.append(Censored(np.where(x < limit, -np.inf, x), np.where(x < limit, limit, x)))
    model = GroupTime(Pairs(before=seen[0], after=seen[1]), np.zeros(n, dtype=np.intp))
    assert model.full.coefficients == pytest.approx([0.0, 0.4], abs=0.15)
    assert (model.full.within_sd, model.full.between_sd) == pytest.approx((0.7, 1.0), abs=0.12)


def test_a_group_that_vanishes_below_the_limit_has_a_change_without_lower_end() -> None:
    data = pairs(-0.2, seed=6)
    gone = GROUPS == 0
    after = Censored(np.where(gone, -np.inf, data.after.low), np.where(gone, -0.2, data.after.high))
    model = GroupTime(Pairs(before=data.before, after=after), GROUPS)
    change = model.change(0)
    assert change.value is None
    assert change.low == -math.inf
    assert change.high < 0
    assert model.p_of(0, change.high) == pytest.approx(0.05, abs=0.002)
    assert change.p_value < 0.05


def test_the_trend_over_dose_finds_a_change_that_grows_with_it() -> None:
    rng = np.random.default_rng(3)
    dose = np.array([0.0, 1.0, 2.0])
    before = rng.normal(size=N)
    after = before + 0.5 * dose[GROUPS] + 0.3 * rng.normal(size=N)
    data = Pairs(before=Censored(before, before), after=Censored(after, after))
    slope, test = GroupTime(data, GROUPS).trend(dose)
    assert slope == pytest.approx(0.5, abs=0.15)
    assert test.p_value < 1e-6


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda d: GroupTime(d[np.arange(2)], np.array([0, 1], dtype=np.intp)), "groups: nothing is left"),
        (lambda d: GroupTime(d, GROUPS).trend(np.ones(3)), "same dose"),
        (lambda d: GroupTime(d, np.zeros(N, dtype=np.intp)).same_change(), "one group"),
        (lambda d: ancova(d[np.arange(3)], np.array([0, 1, 1], dtype=np.intp)), "too few"),
    ],
)
def test_what_leaves_nothing_to_estimate_is_said(build: object, says: str) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match=says):
        build(pairs())


def test_a_search_that_was_stopped_is_no_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a single step neither a p-value nor an interval is given; left alone, both are."""
    data = pairs(-0.5)
    records = Records(data.before, np.arange(N))
    assert fit_tobit(records, np.ones((N, 1))).converged
    model = GroupTime(data, GROUPS)
    assert model.change(1).p_value < 1
    monkeypatch.setattr("troughline.biomarker.maximum.MOST_STEPS", 1)
    assert not fit_tobit(records, np.ones((N, 1))).converged
    for compute in (lambda: model.change(1), model.same_change, model.common_change):
        with pytest.raises(ValueError, match="did not converge"):
            compute()
    with pytest.raises(ValueError, match="did not converge"):
        GroupTime(data, GROUPS)
    with pytest.raises(ValueError, match="did not converge"):
        ancova(data, GROUPS)


def test_a_search_that_rounding_ended_at_its_maximum_counts() -> None:
    """A parabola whose values are rounded to 1e-7: the line search gives up, the gradient is near 0."""
    from troughline.biomarker.maximum import maximise

    def rough(theta: np.ndarray) -> tuple[float, np.ndarray]:
        x = theta - 1.0
        return 1e6 + float((x**2).sum()) + 1e-6 * math.sin(1e9 * float(x[0])), 2 * x + 1e-4

    found = maximise(rough, np.array([3.0, -2.0]), [(-9.0, 9.0)] * 2, np.ones(2))
    assert found.converged
    assert found.at == pytest.approx([1.0, 1.0], abs=1e-3)
    steep = maximise(lambda t: (float(t[0]), np.array([-1.0])), np.array([0.0]), [(-5.0, 5.0)], np.ones(1))
    assert not steep.converged


def test_a_start_from_which_nothing_is_reached_is_given_up_for_the_levels_themselves() -> None:
    """A set of the benchmark at 80 % below: one group has no quantified first level, its mean runs away.

    From there the search for the model without a change ended at a log-likelihood of −140; from the levels it
    ends at −60.58, which any start near them finds.
    """
    from benchmarks.change_operating_characteristics import draw

    (data,) = draw(0.8, 0.7, np.random.default_rng([1, 80, 70, 813]))
    model = GroupTime(data, GROUPS)
    assert model.full.log_likelihood == pytest.approx(-52.384, abs=0.01)
    ratio = model._held_at(1, 0.0).likelihood_ratio  # pyright: ignore[reportPrivateUsage]
    assert ratio == pytest.approx(2 * (60.583 - 52.384), abs=0.02)
    assert model.p_of(1, 0.7) == pytest.approx(model.p_of(1, 0.7001), rel=0.01)
