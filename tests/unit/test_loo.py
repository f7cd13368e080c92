"""Leave-one-out prediction without refitting agrees with refitting; model weights behave."""

from __future__ import annotations

import numpy as np
import pytest

from troughline.response.averaging import loo_of_sample
from troughline.response.curve import sample_margin
from troughline.response.exposure_models import EMAX, LOGISTIC, ExposureModel, exposure_data
from troughline.response.joint import rows
from troughline.response.loo import leave_one_out, model_weights
from troughline.response.margin import pointwise_log_likelihood
from troughline.response.pareto import log_sum_exp
from troughline.response.priors import Priors


@pytest.mark.parametrize("model", [LOGISTIC, EMAX], ids=["logistic", "emax"])
def test_it_agrees_with_leaving_each_patient_out(model: ExposureModel) -> None:
    rng = np.random.default_rng(11)
    exposure = np.exp(rng.normal(1, 0.62, 14))
    outcome = rng.random(14) < 1 / (1 + np.exp(-1.6 * np.log(exposure / 2.9)))
    data, priors = exposure_data(exposure), Priors()
    sample = sample_margin(model, data, outcome, priors, rng=rng, n_draws=6000)
    possible = np.isfinite(sample.log_weights)
    log_likelihood = pointwise_log_likelihood(model, sample.draws[possible], data, outcome, monotone=True)
    quick = leave_one_out(log_likelihood, sample.log_weights[possible])
    thinned = loo_of_sample(
        sample, lambda d: pointwise_log_likelihood(model, d, data, outcome, monotone=True), 14
    )
    exact = []
    for i in range(14):
        others = np.delete(np.arange(14), i)
        without = sample_margin(model, rows(data, others), outcome[others], priors, rng=rng, n_draws=4000)
        seen = pointwise_log_likelihood(
            model, without.draws, rows(data, np.array([i])), outcome[[i]], monotone=True
        )
        possible = np.isfinite(without.log_weights)
        exact.append(float(log_sum_exp(without.log_weights[possible] + seen[possible, 0])))
    # Over repeated runs the Monte-Carlo errors of both sides together are 0.017 for the hardest patient, and
    # 0.04 where 1,000 of the draws enter; the mean difference was below 0.005.
    assert quick.pointwise == pytest.approx(np.array(exact), abs=0.07)
    assert thinned.pointwise == pytest.approx(np.array(exact), abs=0.16)
    assert quick.total == pytest.approx(sum(exact), abs=0.1)


def test_a_patient_that_no_draw_predicts_is_pointed_out() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(0, 0.3, 2000)
    values = np.append(rng.normal(0, 1, 20), 30.0)
    log_likelihood = -0.5 * (values[None, :] - draws[:, None]) ** 2
    loo = leave_one_out(log_likelihood, np.zeros(2000))
    assert loo.poor_patients == 1
    assert loo.largest_pareto_k > 0.7


def test_alike_models_share_the_weight_and_a_hopeless_one_gets_none() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(-0.6, 0.3, 26)
    weights = model_weights([base, base + rng.normal(0, 0.01, 26), base - 1.0], rng=rng)
    assert weights.sum() == pytest.approx(1)
    assert weights[:2] == pytest.approx([0.5, 0.5], abs=0.1)
    assert weights[2] < 1e-6
