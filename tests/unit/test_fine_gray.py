"""Fine–Gray regression and Gray's test: identities, refusals and odd data."""

from __future__ import annotations

import math

import numpy as np
import pytest

from troughline.survival.competing import cumulative_incidence
from troughline.survival.cox import CoxFitError, fit_cox
from troughline.survival.fine_gray import fit_fine_gray
from troughline.survival.gray_test import gray_test
from troughline.survival.log_rank import log_rank


def competing(n: int, seed: int, *, effect: float = 0.7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, causes "relapse", "death" or "" (censored), and a covariate that raises the hazard of
    relapse.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    relapse, death = rng.exponential(10 * np.exp(-effect * x)), rng.exponential(15, n)
    lost = rng.uniform(1, 25, n)
    time = np.minimum(np.minimum(relapse, death), lost)
    return time, np.where(time == lost, "", np.where(time == relapse, "relapse", "death")), x


def test_without_rivals_fine_gray_is_cox() -> None:
    """Nobody is weighted: same coefficient, and the robust variance of a Cox model with a cluster a
    patient.
    """
    time, cause, x = competing(200, 1)
    cause = np.where(cause == "death", "", cause)
    fit = fit_fine_gray(time, cause, "relapse", x, ["x"])
    cox = fit_cox(time, cause == "relapse", x, ["x"], cluster=np.arange(200))
    np.testing.assert_allclose(fit.coefficients, cox.coefficients, rtol=1e-8)
    np.testing.assert_allclose(fit.covariance, cox.covariance, rtol=1e-8)


def test_without_censoring_fine_gray_is_cox_with_rivals_followed_for_ever() -> None:
    time, cause, x = competing(200, 2)
    cause = np.where(cause == "", "death", cause)
    fit = fit_fine_gray(time, cause, "relapse", x, ["x"])
    for_ever = np.where(cause == "death", 1e3, time)
    np.testing.assert_allclose(
        fit.coefficients, fit_cox(for_ever, cause == "relapse", x, ["x"]).coefficients, rtol=1e-8
    )


def test_prediction_with_two_groups_lies_on_aalen_johansen() -> None:
    """A saturated model predicts what Aalen–Johansen counts, nearly: the groups' ratio is forced to be
    constant.
    """
    time, cause, x = competing(3000, 3)
    group = x > 0
    fit = fit_fine_gray(time, cause, "relapse", group.astype(float), ["high"])
    for value, curve in zip(
        (0.0, 1.0),
        (c for c in cumulative_incidence(time, cause, group) if c.cause == "relapse"),
        strict=True,
    ):
        np.testing.assert_allclose(
            fit.incidence([[value]], [3, 8, 15])[0], curve.at([3, 8, 15]).probability, atol=0.03
        )


def test_the_interval_covers_the_subdistribution_hazard_ratio() -> None:
    """Fine and Gray's own simulation (1999, section 5): their model true, 200 cohorts of 150; 95 %
    intervals.
    """
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(200):
        z = rng.integers(0, 2, 150).astype(float)
        share, ratio = 0.4, math.exp(0.5)
        of_interest = rng.uniform(size=150) < 1 - (1 - share) ** (ratio**z)
        u = rng.uniform(size=150)
        mass = 1 - (1 - share) ** (ratio**z)
        inner = (1 - (1 - u * mass) ** (1 / ratio**z)) / share
        time = np.where(of_interest, -np.log(1 - inner), rng.exponential(1, 150))
        lost = rng.uniform(0.5, 3, 150)
        cause = np.where(time > lost, "", np.where(of_interest, "a", "b"))
        term = fit_fine_gray(np.minimum(time, lost), cause, "a", z, ["z"]).terms[0]
        covered += term.low <= ratio <= term.high
    # A binomial of 200 and 0.95: 0.1 % below 178.
    assert covered >= 178


def test_units_of_a_covariate_change_nothing_but_its_coefficient() -> None:
    time, cause, x = competing(120, 5)
    one = fit_fine_gray(time, cause, "relapse", x, ["x"])
    other = fit_fine_gray(time, cause, "relapse", 1e4 * x + 3e5, ["x"])
    assert other.coefficients[0] * 1e4 == pytest.approx(one.coefficients[0], rel=1e-9)
    np.testing.assert_allclose(
        one.incidence([[1.0]], [5.0]), other.incidence([[1e4 + 3e5]], [5.0]), rtol=1e-8
    )


def test_what_has_no_estimate_is_refused() -> None:
    time, cause, x = competing(60, 6)
    with pytest.raises(CoxFitError, match="nobody had the cause 'fever'"):
        fit_fine_gray(time, cause, "fever", x, ["x"])
    with pytest.raises(CoxFitError, match="the same value in every patient"):
        fit_fine_gray(time, cause, "relapse", np.ones(60), ["x"])
    with pytest.raises(CoxFitError, match="no separate information"):
        fit_fine_gray(time, cause, "relapse", np.stack((x, 2 * x), axis=1), ["x", "twice"])
    first = (cause == "relapse").astype(float)
    with pytest.raises(CoxFitError, match=r"infinity|separate"):
        fit_fine_gray(time, cause, "relapse", first, ["had it"])
    with pytest.raises(ValueError, match="row 3: nan is not finite"):
        fit_fine_gray(time, cause, "relapse", np.where(np.arange(60) == 3, np.nan, x), ["x"])


def test_a_stratum_must_be_named_to_predict() -> None:
    time, cause, x = competing(80, 7)
    fit = fit_fine_gray(time, cause, "relapse", x, ["x"], strata=np.arange(80) % 2)
    assert fit.strata == ("0", "1")
    with pytest.raises(ValueError, match="name one of 0, 1"):
        fit.incidence([[0.0]], [5.0])
    with pytest.raises(ValueError, match="'2' is not one of"):
        fit.incidence([[0.0]], [5.0], stratum="2")
    assert 0 < fit.incidence([[0.0]], [5.0], stratum="1")[0, 0] < 1


def test_without_rivals_gray_compares_what_the_log_rank_compares() -> None:
    """Same score; its variance is estimated in another way and close."""
    time, cause, x = competing(400, 8)
    cause = np.where(cause == "death", "", cause)
    gray = gray_test(time, cause, "relapse", x > 0)
    plain = log_rank(time, cause == "relapse", x > 0)
    np.testing.assert_allclose(gray.score, plain.observed - plain.expected, rtol=1e-9)
    assert gray.statistic == pytest.approx(plain.statistic, rel=0.1)


def test_gray_is_uniform_where_nothing_differs() -> None:
    """400 cohorts of 60 in three groups without a difference: 5 % of the p values below 0.05."""
    rng = np.random.default_rng(9)
    low = 0
    for seed in range(400):
        time, cause, _ = competing(60, 1000 + seed)
        low += gray_test(time, cause, "relapse", rng.integers(0, 3, 60)).p_value < 0.05
    # A binomial of 400 and 0.05: 99.8 % within 8 to 34.
    assert 8 <= low <= 34


def test_gray_says_nothing_where_nothing_can_be_compared() -> None:
    test = gray_test([1, 2, 3, 4], ["death", "", "death", ""], "relapse", ["a", "a", "b", "b"])
    assert math.isnan(test.statistic)
    assert (test.degrees_of_freedom, test.n_events) == (0, (0, 0))
    with pytest.raises(ValueError, match="needs two groups"):
        gray_test([1, 2], ["relapse", ""], "relapse", ["a", "a"])
    with pytest.raises(ValueError, match="rho = -1"):
        gray_test([1, 2], ["relapse", ""], "relapse", ["a", "b"], rho=-1)


def test_a_group_that_leaves_early_does_not_stop_the_test() -> None:
    """Everybody of a group gone, one of them by the last event at risk: a finite answer."""
    time = [1, 2, 3, 4, 5, 6, 7, 8]
    cause = ["relapse", "death", "relapse", "relapse", "", "relapse", "death", "relapse"]
    test = gray_test(time, cause, "relapse", ["a", "a", "a", "b", "b", "b", "b", "b"])
    assert math.isfinite(test.statistic)
    assert 0 < test.p_value <= 1
