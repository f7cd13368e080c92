"""Correlations, ordinal and censored regression, printed tests and corrections of association questions."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize

from troughline.biomarker.family import family_of
from troughline.biomarker.proportional_odds import NoOrdinalEstimate, brant_test, fit_proportional_odds
from troughline.biomarker.published_tests import chi_square, correlation_test, difference_test
from troughline.biomarker.rank_correlation import partial_spearman, spearman, tau_b, tied_beyond
from troughline.biomarker.tobit import NoCensoredEstimate, fit_tobit
from troughline.biomarker.trend import comparisons
from troughline.response.proportions import wilson

ORACLE = Path(__file__).resolve().parents[1] / "reference" / "ordinal_statsmodels.json"


def sample(n: int = 60, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    return z + rng.normal(size=n), np.round(0.8 * z + rng.normal(size=n)), z


def test_tau_b_and_spearman_agree_with_scipy() -> None:
    x, y, _ = sample()
    tau, theirs = tau_b(comparisons(x), comparisons(y)), stats.kendalltau(x, y, method="asymptotic")
    assert (tau.value, tau.p_value) == (pytest.approx(theirs.statistic), pytest.approx(theirs.pvalue))
    rho, r = spearman(x, y), stats.spearmanr(x, y)
    assert (rho.value, rho.p_value) == (pytest.approx(r.statistic), pytest.approx(r.pvalue))
    assert rho.low < rho.value < rho.high


def test_the_jackknife_leaves_one_out() -> None:
    """The interval of tau-b from its definition: each patient left out, t distribution on Fisher's scale."""
    x, y, _ = sample(25)
    keep = [np.arange(25) != i for i in range(25)]
    z = np.arctanh([stats.kendalltau(x[k], y[k]).statistic for k in keep])
    error = math.sqrt(24 / 25 * float(((z - z.mean()) ** 2).sum()))
    half = float(stats.t.ppf(0.975, 23)) * error
    found = tau_b(comparisons(x), comparisons(y))
    assert math.atanh(found.high) - math.atanh(found.value) == pytest.approx(half, rel=1e-10)
    z = np.arctanh([stats.spearmanr(x[k], y[k]).statistic for k in keep])
    error = math.sqrt(24 / 25 * float(((z - z.mean()) ** 2).sum()))
    rho = spearman(x, y)
    assert math.atanh(rho.high) - math.atanh(rho.value) == pytest.approx(
        float(stats.t.ppf(0.975, 23)) * error, rel=1e-10
    )


def test_partial_spearman_is_the_textbook_formula() -> None:
    """(r_xy − r_xz r_yz) / √((1 − r_xz²)(1 − r_yz²)), and p from t with n − 3 degrees of freedom."""
    x, y, z = sample()
    r = stats.spearmanr(np.column_stack([x, y, z])).statistic
    expected = (r[0, 1] - r[0, 2] * r[1, 2]) / math.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    found = partial_spearman(x, y, z[:, None])
    assert found.value == pytest.approx(expected, rel=1e-12)
    t = expected * math.sqrt(57 / (1 - expected**2))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(t), 57), rel=1e-9)


def test_an_association_that_a_covariate_explains_is_gone_after_adjustment() -> None:
    """x and y both follow z and nothing else: 2,000 patients, partial correlation within 0.06 of 0."""
    x, y, z = sample(2000, 3)
    assert abs(spearman(x, y).value) > 0.3
    assert abs(partial_spearman(x, y, z[:, None]).value) < 0.06


def test_a_covariate_that_determines_a_column_is_refused() -> None:
    x, _, z = sample()
    with pytest.raises(ValueError, match="nothing is left"):
        partial_spearman(x, z, z[:, None] ** 3)


def test_values_under_the_highest_limit_are_tied() -> None:
    assert tied_beyond([1.0, 5.0, 2.0, 3.0], [True, False, False, True]).tolist() == [
        -math.inf, 5.0, -math.inf, -math.inf,
    ]  # fmt: skip


def test_values_over_the_lowest_upper_limit_are_tied_too() -> None:
    assert tied_beyond([1.0, 5.0, 9.0, 3.0, 7.0], [True, *[False] * 4], [False] * 4 + [True]).tolist() == [
        -math.inf, 5.0, math.inf, 3.0, math.inf,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="leave no order"):
        tied_beyond([4.0, 2.0], [True, False], [False, True])


def test_proportional_odds_agree_with_statsmodels() -> None:
    """statsmodels 0.15.0, OrderedModel with logit; slopes, thresholds, errors and likelihood to 1e-5."""
    stored = json.loads(ORACLE.read_text(encoding="utf-8"))
    found = fit_proportional_odds(np.array(stored["y"]), np.array(stored["x"]))
    assert found.slopes == pytest.approx(stored["slopes"], rel=1e-5)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(stored["se"], rel=1e-5)
    assert found.thresholds == pytest.approx(stored["thresholds"], rel=1e-4)
    assert found.log_likelihood == pytest.approx(stored["log_likelihood"], abs=1e-8)


def test_two_stages_are_a_logistic_regression() -> None:
    from troughline.response.logistic import fit_logistic

    x, y, _ = sample()
    high = y > 0
    plain = fit_logistic(np.column_stack([np.ones(x.size), x]), high)
    found = fit_proportional_odds(high.astype(int), x[:, None])
    assert found.slopes[0] == pytest.approx(plain.coefficients[1], rel=1e-7)
    assert found.covariance[0, 0] == pytest.approx(plain.covariance[1, 1], rel=1e-6)


def test_brant_sees_odds_that_turn_round_and_not_those_that_are_one() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=400)
    stage = np.digitize(x + rng.logistic(size=400), [-1.0, 0.5, 2.0])
    assert brant_test(stage, x[:, None]).p_value > 0.05
    bent = np.digitize(np.abs(x) * np.sign(rng.random(400) - 0.5) + 0.3 * rng.normal(size=400), [-1, 0, 1])
    assert brant_test(bent, x[:, None] ** 2).p_value < 0.001


def test_separated_stages_have_no_odds_ratio() -> None:
    x = np.arange(12.0)
    with pytest.raises(NoOrdinalEstimate):
        fit_proportional_odds(np.repeat([0, 1, 2], 4), x[:, None])
    with pytest.raises(NoOrdinalEstimate):
        brant_test(np.repeat([0, 1, 2], 4), x[:, None])


def test_a_stage_without_patients_is_an_error() -> None:
    with pytest.raises(ValueError, match="each with a patient"):
        fit_proportional_odds(np.array([0, 2, 2, 0]), np.arange(4.0)[:, None])


def test_tobit_without_limits_is_least_squares() -> None:
    x, y, z = sample()
    design = np.column_stack([np.ones(60), y, z])
    found = fit_tobit(x, np.zeros(60, dtype=bool), design)
    solution, rest, *_ = np.linalg.lstsq(design, x, rcond=None)
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * rest[0] / 57)
    assert found.coefficients == pytest.approx(solution, rel=1e-9)
    assert found.standard_errors == pytest.approx(errors, rel=1e-7)
    assert found.p_value(2) == pytest.approx(2 * stats.t.sf(abs(solution[2] / errors[2]), 57), rel=1e-6)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_tobit_is_the_maximum_of_its_likelihood(share: float) -> None:
    """Against a general optimiser on the likelihood written down again."""
    x, y, _ = sample(80, 4)
    limit = float(np.quantile(x, share))
    below, value = x < limit, np.maximum(x, limit)
    design = np.column_stack([np.ones(80), y])

    def loss(q: np.ndarray) -> float:
        mean, sd = design @ q[:2], math.exp(q[2])
        seen = stats.norm.logpdf(value[~below], mean[~below], sd).sum()
        return -float(seen + stats.norm.logcdf(value[below], mean[below], sd).sum())

    best = minimize(loss, np.zeros(3), method="BFGS")
    found = fit_tobit(value, below, design)
    assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-6)
    assert found.log_likelihood >= -best.fun - 1e-9
    assert found.coefficients == pytest.approx(best.x[:2], abs=1e-3)
    assert found.n_below == int(below.sum())


def test_tobit_above_a_limit_is_tobit_below_it_in_the_mirror() -> None:
    x, y, _ = sample(80, 5)
    limit = float(np.quantile(x, 0.7))
    above, design = x > limit, np.column_stack([np.ones(80), y])
    value, none = np.minimum(x, limit), np.zeros(80, dtype=bool)
    ours, mirror = fit_tobit(value, none, design, above=above), fit_tobit(-value, above, design)
    assert ours.coefficients == pytest.approx(-mirror.coefficients, rel=1e-9)
    assert ours.standard_errors == pytest.approx(mirror.standard_errors, rel=1e-9)
    assert (ours.n_below, ours.n_above) == (0, int(above.sum()))


def test_tobit_with_limits_on_both_sides_is_the_maximum_of_its_likelihood() -> None:
    """Against a general optimiser on the likelihood written down again."""
    x, y, _ = sample(80, 6)
    low, high = (float(q) for q in np.quantile(x, [0.25, 0.8]))
    below, above, value = x < low, x > high, np.clip(x, low, high)
    design, seen = np.column_stack([np.ones(80), y]), (x >= low) & (x <= high)

    def loss(q: np.ndarray) -> float:
        mean, sd = design @ q[:2], math.exp(q[2])
        known = stats.norm.logpdf(value[seen], mean[seen], sd).sum()
        known += stats.norm.logcdf(value[below], mean[below], sd).sum()
        return -float(known + stats.norm.logsf(value[above], mean[above], sd).sum())

    best = minimize(loss, np.zeros(3), method="BFGS")
    found = fit_tobit(value, below, design, above=above)
    assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-6)
    assert found.coefficients == pytest.approx(best.x[:2], abs=1e-3)


def test_tobit_with_next_to_nothing_measured_says_so() -> None:
    with pytest.raises(NoCensoredEstimate, match="2 measured values"):
        fit_tobit(np.arange(10.0), np.arange(10) > 1, np.column_stack([np.ones(10), np.arange(10.0)]))


def test_printed_tests_agree_with_scipy() -> None:
    x, y, _ = sample()
    two, three = (y > 0).astype(float), np.clip(y, -1, 1)
    groups = [x[three == g] for g in np.unique(three)]
    assert difference_test(x, two, "means").p_value == pytest.approx(
        stats.ttest_ind(x[two == 1], x[two == 0]).pvalue
    )
    assert difference_test(x, three, "means").p_value == pytest.approx(stats.f_oneway(*groups).pvalue)
    assert difference_test(x, three, "ranks").p_value == pytest.approx(stats.kruskal(*groups).pvalue)
    assert correlation_test(x, y, "means").p_value == pytest.approx(stats.pearsonr(x, y).pvalue)
    table = np.array([[int(((x < 0) & (three == g)).sum()), int(((x >= 0) & (three == g)).sum())]
                      for g in np.unique(three)])  # fmt: skip
    assert chi_square(x < 0, three).p_value == pytest.approx(
        stats.chi2_contingency(table, correction=False).pvalue
    )


def test_a_family_is_corrected_as_in_the_textbook() -> None:
    """Holm by hand; Benjamini–Hochberg against SciPy."""
    p = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}
    found = family_of(p)
    assert found.holm == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})
    theirs = stats.false_discovery_control(list(p.values()))
    assert [found.bh[k] for k in p] == pytest.approx(list(theirs))
    with pytest.raises(ValueError, match="no p-value"):
        family_of({"a": math.nan})


def test_the_printed_share_of_huy_has_the_wilson_interval_of_the_recipes() -> None:
    """54 of 86: 62.8 %, 52.3 to 72.3 %."""
    share = wilson(54, 86)
    assert [round(100 * v, 1) for v in (share.value, share.low, share.high)] == [62.8, 52.2, 72.3]
