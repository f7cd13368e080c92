"""Scores beside the main effects, trials drawn without interaction, and powers chosen for it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from troughline.biomarker.endpoint import Endpoint, EndpointError
from troughline.biomarker.fractional_polynomials import polynomial_interaction
from troughline.biomarker.largest_score import largest_score, prognosis
from troughline.biomarker.main_effects import main_effects
from troughline.biomarker.null_trials import null_trials
from troughline.biomarker.polynomial_selection import Flexibility, Rules, choose

RNG = np.random.default_rng


def trial(kind: str, n: int, seed: int, *, effect: Any = lambda z: -0.4 * z) -> tuple[Endpoint, Any, Any]:
    """Treatment effect −0.3 + effect(z) on the linear predictor, prognosis 0.3 z; marker 2^z; tied times."""
    rng = RNG(seed)
    treated, z = np.asarray(rng.permutation(np.arange(n) % 2 == 0), np.bool_), rng.standard_normal(n)
    eta = treated * (-0.3 + effect(z)) + 0.3 * z
    if kind == "survival":
        time, end = rng.exponential(np.exp(-eta)), rng.uniform(0.5, 3.0, n)
        seen = np.ceil(np.minimum(time, end) * 20) / 20
        return Endpoint(kind="survival", time=seen, event=time <= end), treated, np.exp2(z)
    if kind == "binary":
        return Endpoint(kind="binary", event=rng.random(n) < 1 / (1 + np.exp(-eta))), treated, np.exp2(z)
    return Endpoint(kind="continuous", value=eta + rng.standard_normal(n)), treated, np.exp2(z)


@pytest.mark.parametrize("kind", ["survival", "binary", "continuous"])
def test_the_fit_of_the_main_effects_is_that_of_the_regression(kind: str) -> None:
    """Coefficients and inverse information of `Endpoint.regress` (Efron's ties, logistic, linear) to 1e-6."""
    endpoint, treated, marker = trial(kind, 150, 1)
    base = np.column_stack((treated.astype(float), np.log(marker)))
    found = main_effects(endpoint, base, base[:, :0])
    fit = endpoint.regress(base, ("a", "m"))
    scale = 1.0
    if endpoint.value is not None:
        residual = endpoint.value - endpoint.value.mean() - (base - base.mean(axis=0)) @ fit.coefficients
        scale = float(np.sqrt(residual @ residual / (150 - 3)))
    assert np.allclose(found.base * scale, fit.coefficients, rtol=1e-6)
    assert np.allclose(np.linalg.inv(found.information) * scale**2, fit.covariance, rtol=1e-6)


@pytest.mark.parametrize("kind", ["survival", "continuous"])
def test_the_score_of_one_interaction_agrees_with_its_wald_and_likelihood_ratio_tests(kind: str) -> None:
    """A small interaction in 2,000 patients: the three classical tests agree to a tenth of a unit."""
    endpoint, treated, marker = trial(kind, 2000, 2, effect=lambda z: -0.08 * z)
    high = marker > 1
    smooth = prognosis(marker)
    found = largest_score(endpoint, treated, marker, high[:, np.newaxis], rng=RNG(1), draws=50)
    product = (treated - treated.mean()) * high
    x = np.column_stack((treated, smooth, product)).astype(float)
    names = [f"x{k}" for k in range(x.shape[1])]
    wald = endpoint.regress(x, names).effect(np.eye(x.shape[1])[-1])
    assert abs(found.z[0]) == pytest.approx(abs(wald.value / wald.standard_error), abs=0.1)


def test_drawn_trials_have_the_hazard_ratios_and_the_follow_up_they_were_drawn_from() -> None:
    """Mean of 400 fits within 4 standard errors of the fit; the share of events to a hundredth."""
    endpoint, treated, marker = trial("survival", 300, 3)
    base = np.column_stack((treated.astype(float), np.log2(marker)))
    fit = main_effects(endpoint, base, base[:, :0])
    drawn = null_trials(endpoint, treated, base, base[:, :0], fit, rng=RNG(4), draws=400)
    error = drawn.base.std(axis=0) / math.sqrt(400)
    assert np.all(np.abs(drawn.base.mean(axis=0) - fit.base) < 4 * error + 0.01 * np.abs(fit.base))
    assert np.allclose(np.sqrt(np.diag(np.linalg.inv(fit.information))), drawn.base.std(axis=0), rtol=0.15)


def test_a_prognostic_marker_without_interaction_is_not_significant_too_often() -> None:
    """300 trials of 100 patients, a strong prognosis (1 a doubling): at most 5 % + 3 errors below 0.05."""
    low = 0
    for seed in range(300):
        endpoint, treated, marker = trial("continuous", 100, 1000 + seed, effect=lambda z: 0.0 * z)
        assert endpoint.value is not None
        endpoint = Endpoint(kind="continuous", value=endpoint.value + np.log2(marker))
        members = marker[:, np.newaxis] >= np.quantile(marker, (0.25, 0.5, 0.75))
        low += largest_score(endpoint, treated, marker, members, rng=RNG(seed), draws=100).p_value < 0.05
    assert low / 300 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize("flexibility", [2, 3, 4])
def test_powers_chosen_for_the_interaction_follow_its_shape(flexibility: Flexibility) -> None:
    """The effect rises with the square of the marker, which has no effect without treatment: not the log."""
    rng = RNG(5)
    treated = np.asarray(rng.permutation(np.arange(1500) % 2 == 0), np.bool_)
    marker = rng.uniform(0.3, 3.0, 1500)
    endpoint = Endpoint(kind="continuous", value=treated * marker**2 + rng.standard_normal(1500))
    found = polynomial_interaction(
        endpoint, treated, marker, rng=RNG(6), flexibility=flexibility, draws=100, degree=None
    )
    assert found.p_value == pytest.approx(1 / 101)
    assert np.all((found.low <= found.marker**2 + 0.35) & (found.high >= found.marker**2 - 0.35))
    assert 2.0 in found.powers or len(found.powers) == 2


def test_the_first_flexibility_takes_the_powers_of_the_main_effect_and_the_second_its_own() -> None:
    """Hand-made likelihoods: the main effect is best with −2, the interaction with 1."""
    powers = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)
    mains = {(p,): np.array([5.0 if p == -2 else 0.0]) for p in powers}
    pairs = {((p,), (p,)): np.array([9.0 if p == 1 else 6.0 if p == -2 else 1.0]) for p in powers}
    expected = {1: ((-2.0,), 2.0), 2: ((1.0,), 18.0), 3: ((1.0,), 8.0)}
    for flexibility, (chosen, statistic) in expected.items():
        rules = Rules(simple=0.0, degrees=(1,), flexibility=flexibility, forced=False)  # type: ignore[arg-type]
        found = choose(rules, mains, pairs)
        assert rules.pairs[int(found.pair[0])][1] == chosen
        assert found.statistic[0] == pytest.approx(statistic)


def test_what_has_no_answer_is_refused_in_words() -> None:
    endpoint, treated, marker = trial("survival", 80, 7)
    twice = np.column_stack((marker, marker))
    with pytest.raises(EndpointError, match="collinear"):
        main_effects(endpoint, twice, twice[:, :0])
    with pytest.raises(EndpointError, match="no group has information"):
        largest_score(endpoint, treated, marker, np.zeros((80, 2), bool), rng=RNG(1), draws=50)
    with pytest.raises(EndpointError, match="times its median: no power of it"):
        polynomial_interaction(endpoint, treated, np.append(marker[1:], 1e300), rng=RNG(1))
    with pytest.raises(EndpointError, match="the same in every patient"):
        polynomial_interaction(endpoint, treated, np.ones(80), rng=RNG(1))
