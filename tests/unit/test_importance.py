"""Importance sampling recovers known distributions, and says so when it does not."""

from __future__ import annotations

import numpy as np
import pytest

from troughline.response.averaging import Average, average_models
from troughline.response.importance import (
    PosteriorError,
    StudentT,
    sample_posterior,
    systematic_resample,
)
from troughline.response.loo import leave_one_out
from troughline.response.pareto import pareto_smoothed


def moments(draws: np.ndarray, log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weight = np.exp(log_weights)
    mean = weight @ draws
    return mean, ((draws - mean).T * weight) @ (draws - mean)


def test_the_proposal_density_integrates_to_one() -> None:
    proposal = StudentT(np.array([0.4]), np.array([[0.7]]))
    x = np.linspace(-60, 60, 400_001)
    total = np.exp(proposal.log_density(x[:, None])).sum() * (x[1] - x[0])
    assert total == pytest.approx(1, abs=1e-5)


def test_a_correlated_normal_is_recovered_from_a_poor_start() -> None:
    precision = np.linalg.inv(np.array([[1.0, 0.9], [0.9, 1.0]]))
    centre = np.array([3.0, -2.0])

    def log_density(x: np.ndarray) -> np.ndarray:
        return -0.5 * np.einsum("ij,jk,ik->i", x - centre, precision, x - centre)

    sample = sample_posterior(
        log_density, StudentT(np.zeros(2), np.eye(2)), rng=np.random.default_rng(1), n_draws=4000
    )
    mean, covariance = moments(sample.draws, sample.log_weights)
    assert sample.status == "good"
    assert sample.effective_draws > 1500
    # Four standard errors at 1,500 effective draws are 0.10.
    assert mean == pytest.approx(centre, abs=0.1)
    assert covariance == pytest.approx(np.array([[1.0, 0.9], [0.9, 1.0]]), abs=0.12)


def test_a_sample_that_misses_its_limits_is_poor_and_no_average_is_made_of_it() -> None:
    sample = sample_posterior(
        lambda x: -0.5 * (x**2).sum(axis=1),
        StudentT(np.zeros(1), np.eye(1)),
        rng=np.random.default_rng(1),
        n_draws=500,
        least_effective_draws=1e6,
    )
    assert sample.status == "poor"
    loo = leave_one_out(np.zeros((sample.draws.shape[0], 5)), np.zeros(sample.draws.shape[0]))

    def average(allow_poor: bool) -> Average:
        return average_models(
            ["only"], [sample], [loo], rng=np.random.default_rng(2), n_draws=400, allow_poor=allow_poor
        )

    with pytest.raises(PosteriorError, match="'only' was sampled poorly"):
        average(allow_poor=False)
    assert average(allow_poor=True).reports[0].status == "poor"


def test_a_density_that_is_zero_everywhere_is_refused() -> None:
    with pytest.raises(ValueError, match="finite at no draw"):
        sample_posterior(
            lambda x: np.full(x.shape[0], -np.inf),
            StudentT(np.zeros(1), np.eye(1)),
            rng=np.random.default_rng(1),
            n_draws=500,
        )


def test_the_same_generator_gives_the_same_draws() -> None:
    def draw() -> np.ndarray:
        return sample_posterior(
            lambda x: -0.5 * (x**2).sum(axis=1),
            StudentT(np.zeros(3), np.eye(3)),
            rng=np.random.default_rng(7),
            n_draws=500,
        ).draws

    assert np.array_equal(draw(), draw())


@pytest.mark.parametrize("k", [0.25, 0.5, 0.9])
def test_the_tail_shape_of_pareto_weights_is_found(k: float) -> None:
    # Weights with survival function w^(-1/k) have tail shape k; the estimate's SD at 20,000 draws is 0.05.
    u = np.random.default_rng(3).random(20_000)
    _, shape = pareto_smoothed((-k * np.log(u))[None, :])
    assert shape[0] == pytest.approx(k, abs=0.15)


def test_equal_weights_stay_equal() -> None:
    log_weights, k = pareto_smoothed(np.full((2, 300), 5.0))
    assert np.exp(log_weights) == pytest.approx(np.full((2, 300), 1 / 300))
    assert np.isneginf(k).all()


def test_smoothed_weights_sum_to_one_and_keep_their_order() -> None:
    ratios = np.random.default_rng(0).normal(0, 2, (4, 1000))
    log_weights, _ = pareto_smoothed(ratios)
    assert np.exp(log_weights).sum(axis=1) == pytest.approx(np.ones(4))
    order = np.argsort(ratios, axis=1)
    assert (np.diff(np.take_along_axis(log_weights, order, axis=1), axis=1) >= -1e-9).all()


def test_resampling_gives_each_draw_its_share_to_within_one() -> None:
    weight = np.random.default_rng(2).dirichlet(np.ones(50))
    index = systematic_resample(np.log(weight), 1000, np.random.default_rng(3))
    counts = np.bincount(index, minlength=50)
    assert (np.abs(counts - 1000 * weight) < 1).all()
