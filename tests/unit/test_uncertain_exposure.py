"""Curves and windows over exposures that are uncertain: integrated out, not taken as known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from troughline.response.curve import fit_curve
from troughline.response.exposure_models import LOGISTIC, exposure_data
from troughline.response.joint import JointModel, paired_outcomes
from troughline.response.margin import pointwise_log_likelihood
from troughline.response.window import fit_window

SLOPE, TRUE_SD, ERROR_SD = 2.2, 0.6, 0.6
DRAWS = np.array([[0.3, 0.8], [-0.4, 1.9]])


def _cohort(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted exposures with their nodes, and an outcome that follows the true log exposure.

    x ~ N(0, 0.6²), y = x + N(0, 0.6²): x given y is normal with mean y/2 and variance 0.18.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(0.0, TRUE_SD, n)
    share = TRUE_SD**2 / (TRUE_SD**2 + ERROR_SD**2)
    middle = share * (x + rng.normal(0.0, ERROR_SD, n))
    spread = TRUE_SD * np.sqrt(1 - share) * norm.ppf((np.arange(40) + 0.5) / 40)
    outcome = rng.random(n) < 1 / (1 + np.exp(-SLOPE * x))
    return np.exp(middle), np.exp(middle[:, None] + spread), outcome


def test_the_likelihood_is_the_mean_over_the_nodes() -> None:
    """log (1/k) Σ p, against the sum written out (1e-12); equal nodes are a known exposure."""
    exposure, nodes = np.array([1.0, 2.0, 4.0]), np.array([[0.5, 2.0], [2.0, 2.0], [1.0, 9.0]])
    y = np.array([True, False, True])
    data = exposure_data(exposure, nodes=nodes)
    got = pointwise_log_likelihood(LOGISTIC, DRAWS, data, y, monotone=False)
    eta = DRAWS[:, :1, None] + DRAWS[:, 1:, None] * np.log(nodes / data.reference)
    p = 1 / (1 + np.exp(np.where(y[:, None], -eta, eta)))
    assert got == pytest.approx(np.log(p.mean(axis=2)), rel=1e-12)
    known = pointwise_log_likelihood(LOGISTIC, DRAWS, data.certain, y, monotone=False)
    assert got[:, 1] == pytest.approx(known[:, 1], rel=1e-12)


def test_both_outcomes_of_a_patient_share_one_exposure() -> None:
    """The cell of the table is averaged, not each margin: with odds ratio 1 it is no product of averages."""
    nodes = np.array([[0.2, 5.0], [1.0, 1.5]])
    data = exposure_data(np.array([1.0, 1.2]), nodes=nodes)
    model = JointModel(LOGISTIC, LOGISTIC)
    draws = np.array([[0.0, 2.0, 0.0, 2.0, 0.0]])
    yes = np.array([True, True])
    got = model.pointwise_log_likelihood(draws, data, paired_outcomes(yes, yes, 2), monotone=False)
    p = 1 / (1 + np.exp(-2.0 * np.log(nodes / data.reference)))
    assert got[0] == pytest.approx(np.log((p**2).mean(axis=1)), rel=1e-9)
    assert got[0, 0] > np.log(p[0].mean() ** 2) + 0.1


def test_a_patient_with_one_outcome_is_averaged_too() -> None:
    nodes = np.array([[0.2, 5.0], [1.0, 1.5]])
    data = exposure_data(np.array([1.0, 1.2]), nodes=nodes)
    outcomes = paired_outcomes(np.array([1.0, np.nan]), np.array([np.nan, 0.0]), 2)
    draws = np.array([[0.0, 2.0, 0.5, 1.0, 0.3]])
    got = JointModel(LOGISTIC, LOGISTIC).pointwise_log_likelihood(draws, data, outcomes, monotone=False)
    x = np.log(nodes / data.reference)
    expected = [(1 / (1 + np.exp(-2.0 * x[0]))).mean(), (1 / (1 + np.exp(0.5 + x[1]))).mean()]
    assert got[0] == pytest.approx(np.log(expected), rel=1e-9)


def test_a_curve_over_uncertain_exposures_is_steeper_than_over_their_medians() -> None:
    """Mean slope over six cohorts of 300: the medians fall short of 2.2, the nodes do not (SE about 0.15)."""
    slopes = {False: list[float](), True: list[float]()}
    for seed in range(6):
        exposure, nodes, outcome = _cohort(300, seed)
        for uncertain, kept in slopes.items():
            fit = fit_curve(
                exposure, outcome, rng=np.random.default_rng(1), n_draws=1000,
                exposure_nodes=nodes[:, ::3] if uncertain else None,
            )  # fmt: skip
            assert all(m.status == "good" for m in fit.models)
            kept.append(fit.slope().mean)
    assert np.mean(slopes[True]) > np.mean(slopes[False]) + 0.2
    assert np.mean(slopes[True]) == pytest.approx(SLOPE, abs=0.5)


def test_a_window_over_uncertain_exposures_is_well_sampled() -> None:
    exposure, nodes, toxicity = _cohort(120, 3)
    benefit = np.random.default_rng(4).random(120) < 1 / (1 + np.exp(-1.5 * np.log(exposure) - 0.5))
    fit = fit_window(
        exposure, benefit, toxicity, benefit_at_least=0.5, toxicity_at_most=0.5,
        rng=np.random.default_rng(1), exposure_nodes=nodes[:, ::4], n_draws=1000,
    )  # fmt: skip
    assert all(m.status == "good" for m in fit.models)
    assert fit.lower.value is not None
    assert fit.upper.value is not None


@pytest.mark.parametrize(
    "nodes", [np.ones((2, 3)), np.ones(3), np.array([[1.0], [0.0], [1.0]]), np.full((3, 2), np.nan)]
)
def test_nodes_that_do_not_fit_are_refused(nodes: np.ndarray) -> None:
    with pytest.raises(ValueError, match="exposure nodes have shape"):
        exposure_data(np.array([1.0, 2.0, 4.0]), nodes=nodes)
