"""Treatment × marker statistics: invariants, closed forms, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from troughline.biomarker.absolute_interaction import risk_interaction
from troughline.biomarker.decision_curve import decision_curve, net_benefit
from troughline.biomarker.endpoint import Endpoint, EndpointError
from troughline.biomarker.fractional_polynomials import polynomial_columns, polynomial_interaction
from troughline.biomarker.penalised_cox import penalised_cox_path
from troughline.biomarker.shrinkage import shrink
from troughline.biomarker.signature import folds, nested_signature
from troughline.biomarker.stepp import sliding_windows, stepp
from troughline.biomarker.treatment_by_marker import detectable, one_significant_only, treatment_by_marker

RNG = np.random.default_rng


def trial(n: int, seed: int, interaction: float = -0.5) -> tuple[Endpoint, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    rng = RNG(seed)
    treated, marker = rng.permutation(np.arange(n) % 2 == 0), rng.standard_normal(n)
    time = rng.exponential(1 / np.exp(treated * (-0.3 + interaction * marker) + 0.3 * marker))
    end = rng.uniform(0.5, 3.0, n)
    return Endpoint(kind="survival", time=np.minimum(time, end), event=time <= end), treated, marker


def test_the_interaction_does_not_change_with_the_origin_of_the_marker() -> None:
    """Moving the marker moves the main effects and leaves the interaction, its error and its test."""
    endpoint, treated, marker = trial(200, 1)
    here, moved = (treatment_by_marker(endpoint, treated, marker + c, ("m",)) for c in (0.0, 7.0))
    assert here.interaction[0].value == pytest.approx(moved.interaction[0].value, rel=1e-8)
    assert here.p_value == pytest.approx(moved.p_value, rel=1e-7)
    at = here.treatment_at(np.array([1.0])).value
    assert at == pytest.approx(moved.treatment_at(np.array([8.0])).value, rel=1e-8)


def test_the_binary_interaction_of_four_cells_is_the_log_ratio_of_their_odds_ratios() -> None:
    """ln[(a d / b c)₁ / (a d / b c)₀] with error √Σ 1/cell (Woolf), by hand."""
    cells = {(1, 1): (20, 10), (0, 1): (8, 24), (1, 0): (15, 18), (0, 0): (12, 16)}
    treated, marker, event = [], [], []
    for (a, m), (yes, no) in cells.items():
        treated += [a] * (yes + no)
        marker += [m] * (yes + no)
        event += [True] * yes + [False] * no
    fit = treatment_by_marker(
        Endpoint(kind="binary", event=np.array(event)),
        np.array(treated) == 1,
        np.array(marker, float),
        ("m",),
    )
    odds = {k: yes / no for k, (yes, no) in cells.items()}
    expected = math.log(odds[1, 1] / odds[0, 1] / (odds[1, 0] / odds[0, 0]))
    error = math.sqrt(sum(1 / y + 1 / n for y, n in cells.values()))
    assert fit.interaction[0].value == pytest.approx(expected, abs=1e-7)
    assert fit.interaction[0].standard_error == pytest.approx(error, rel=1e-6)
    risk = {k: yes / (yes + no) for k, (yes, no) in cells.items()}
    (absolute,) = risk_interaction(
        Endpoint(kind="binary", event=np.array(event)), np.array(treated) == 1, np.array(marker, float)
    )
    assert absolute.value == pytest.approx(risk[1, 1] - risk[0, 1] - (risk[1, 0] - risk[0, 0]), abs=1e-10)


def test_the_continuous_interaction_of_four_cells_is_the_difference_of_differences() -> None:
    rng = RNG(3)
    treated, marker = np.tile([True, False], 40), np.repeat([0.0, 1.0], 40)
    value = rng.standard_normal(80)
    fit = treatment_by_marker(Endpoint(kind="continuous", value=value), treated, marker, ("m",))
    mean = {(a, m): value[(treated == a) & (marker == m)].mean() for a in (True, False) for m in (0, 1)}
    expected = mean[True, 1] - mean[False, 1] - (mean[True, 0] - mean[False, 0])
    assert fit.interaction[0].value == pytest.approx(float(expected), abs=1e-10)


@pytest.mark.parametrize(
    ("treated", "marker", "words"),
    [
        (np.ones(30, bool), np.arange(30.0), "only one arm"),
        (np.arange(30) % 2 == 0, np.ones(30), "the marker is the same in every patient"),
    ],
)
def test_an_interaction_that_does_not_exist_is_refused(treated: object, marker: object, words: str) -> None:
    endpoint = Endpoint(kind="survival", time=np.arange(1.0, 31.0), event=np.ones(30, bool))
    with pytest.raises(EndpointError, match=words):
        treatment_by_marker(endpoint, treated, marker, ("m",))  # type: ignore[arg-type]


def test_a_separated_interaction_has_firths_finite_estimate() -> None:
    """No event among the treated with the marker: ordinary likelihood has no maximum."""
    rng = RNG(4)
    treated, marker = np.tile([True, False], 60), np.repeat([0.0, 1.0], 60)
    event = (rng.random(120) < 0.6) & ~(treated & (marker == 1))
    fit = treatment_by_marker(Endpoint(kind="binary", event=event), treated, marker, ("m",))
    assert fit.fit.penalised
    assert math.isfinite(fit.interaction[0].value)
    assert fit.interaction[0].low < fit.interaction[0].value < fit.interaction[0].high


def test_windows_hold_everybody_overlap_and_never_part_equal_values() -> None:
    marker = np.repeat(np.arange(40.0), 3)
    windows = sliding_windows(marker, 30, 6)
    assert set(np.concatenate(windows).tolist()) == set(range(120))
    assert all(rows.size >= 30 for rows in windows)
    for rows in windows:
        inside = set(rows.tolist())
        for value in {float(marker[r]) for r in rows}:
            assert set(np.flatnonzero(marker == value).tolist()) <= inside
    starts = [float(marker[rows].min()) for rows in windows]
    assert starts == sorted(set(starts))
    with pytest.raises(ValueError, match="impossible"):
        sliding_windows(marker, 200, 6)


def test_stepp_finds_what_is_there_and_is_the_same_at_the_same_seed() -> None:
    endpoint, treated, marker = trial(400, 5, interaction=-0.8)
    one, two = (stepp(endpoint, treated, marker, rng=RNG(9), draws=200) for _ in range(2))
    assert one.p_value == two.p_value == pytest.approx(1 / 201)
    assert np.array_equal(one.band_low, two.band_low)
    assert np.all(one.band_low <= one.low)
    assert np.all(one.band_high >= one.high)
    assert one.value[0] > one.overall > one.value[-1]


def test_a_fractional_polynomial_has_the_columns_of_its_definition() -> None:
    """Royston and Altman 1994: power 0 is the logarithm, a repeated power p is xᵖ ln x."""
    x = np.array([0.5, 2.0, 3.0])
    assert np.allclose(polynomial_columns(x, (0.0, 0.0)), np.column_stack((np.log(x), np.log(x) ** 2)))
    assert np.allclose(polynomial_columns(x, (-2.0, 0.5)), np.column_stack((x**-2, np.sqrt(x))))


def test_the_polynomial_interaction_of_a_logarithm_is_the_linear_one_on_the_log_scale() -> None:
    """Where the logarithm is kept the likelihood ratio agrees with that of the linear model to 1e-8."""
    endpoint, treated, marker = trial(300, 6)
    found = polynomial_interaction(endpoint, treated, np.exp(marker), rng=RNG(1), flexibility=1)
    assert found.powers == (0.0,)
    x = np.column_stack((treated, marker, treated * marker)).astype(float)
    full = endpoint.regress(x, ("a", "m", "am")).log_likelihood
    without = endpoint.regress(x[:, :2], ("a", "m")).log_likelihood
    from scipy.stats import chi2

    assert found.p_value == pytest.approx(float(chi2.sf(2 * (full - without), 1)), rel=1e-6)
    slope = (found.value[-1] - found.value[0]) / np.log(found.marker[-1] / found.marker[0])
    assert slope == pytest.approx(endpoint.regress(x, ("a", "m", "am")).coefficients[2], rel=1e-6)


def test_shrunken_effects_agree_with_draws_from_the_model() -> None:
    """Two subgroups, importance sampling of (τ, μ, u) with 400,000 draws; means within 0.004."""
    y, variance, scale = np.array([-0.6, 0.2]), np.array([0.04, 0.09]), 0.5
    design = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    found = shrink(y, np.diag(variance), design, design, scale=scale)
    rng = RNG(7)
    tau = np.abs(rng.normal(0, scale, 400_000))
    mu = rng.uniform(-4, 4, tau.size)
    theta = mu[:, np.newaxis] + tau[:, np.newaxis] * rng.standard_normal((tau.size, 2))
    weight = np.exp(-0.5 * ((y - theta) ** 2 / variance).sum(axis=1))
    expected = (weight[:, np.newaxis] * theta).sum(axis=0) / weight.sum()
    assert np.allclose(found.mean, expected, atol=0.01)
    assert -0.6 < found.mean[0] < found.mean[1] < 0.2


def test_a_tight_prior_pools_and_a_wide_one_leaves_the_raw_effects() -> None:
    y, variance = np.array([-0.6, 0.2]), np.diag([0.04, 0.09])
    design = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    tight = shrink(y, variance, design, design, scale=1e-4)
    pooled = (-0.6 / 0.04 + 0.2 / 0.09) / (1 / 0.04 + 1 / 0.09)
    assert np.allclose(tight.mean, pooled, atol=1e-5)
    wide = shrink(y, variance, design, design, scale=100.0)
    assert np.allclose(wide.mean, y, atol=0.02)
    with pytest.raises(ValueError, match="not above 0"):
        shrink(y, variance, design, design, scale=0.0)


def test_net_benefit_without_censoring_is_counted_by_hand() -> None:
    """10 patients, 4 events by the horizon, threshold ¼: acting on 5, of whom 3 have the event."""
    time = np.array([1, 1, 1, 1, 9, 9, 9, 9, 9, 9.0])
    event = np.array([True] * 4 + [False] * 6)
    risk = np.array([0.9, 0.8, 0.7, 0.1, 0.6, 0.5, 0.1, 0.1, 0.1, 0.1])
    model, everybody = net_benefit(time, event, risk, horizon=5.0, thresholds=np.array([0.25]))
    assert model[0] == pytest.approx(3 / 10 - 2 / 10 / 3)
    assert everybody[0] == pytest.approx(4 / 10 - 6 / 10 / 3)
    curve = decision_curve(
        time, event, risk, horizon=5.0, thresholds=np.array([0.25]), rng=RNG(1), resamples=200
    )
    assert curve.low[0] <= curve.model[0] <= curve.high[0]
    with pytest.raises(ValueError, match="between 0 and 1"):
        net_benefit(time, event, risk, horizon=5.0, thresholds=np.array([1.0]))


def test_a_signature_of_noise_is_worth_nothing_outside_and_something_inside() -> None:
    """Twelve columns of noise: the apparent concordance flatters, the nested one does not."""
    rng = RNG(8)
    time, event = rng.exponential(1, 150), rng.random(150) < 0.7
    found = nested_signature(
        time, event, rng.standard_normal((150, 12)), penalty="ridge", horizon=0.5, rng=rng
    )
    assert found.concordance < found.concordance_apparent
    assert found.concordance_low < 0.5 or math.isnan(found.concordance_low)
    assert np.all((found.risk > 0) & (found.risk < 1))


def test_a_signature_of_signal_keeps_it_outside_with_a_slope_near_one() -> None:
    rng = RNG(10)
    x = rng.standard_normal((400, 6))
    time = rng.exponential(1 / np.exp(x[:, 0] - 0.7 * x[:, 1]))
    end = rng.uniform(0.5, 3, 400)
    found = nested_signature(np.minimum(time, end), time <= end, x, penalty="lasso", horizon=0.7, rng=rng)
    assert found.concordance > 0.7
    assert found.slope == pytest.approx(1.0, abs=0.25)
    assert found.coefficients[0] > 0.6
    assert found.coefficients[1] < -0.4
    for group in found.calibration:
        assert group.low - 0.05 <= group.predicted <= group.high + 0.05


def test_folds_spread_events_and_bad_signatures_are_refused() -> None:
    event = np.arange(53) % 3 == 0
    fold = folds(event, 5, RNG(1))
    counts = np.bincount(fold[event], minlength=5)
    assert counts.max() - counts.min() <= 1
    with pytest.raises(ValueError, match="at least 20 are needed"):
        nested_signature(
            np.arange(1.0, 54), np.zeros(53, bool), np.ones((53, 2)), penalty="ridge", horizon=9.0, rng=RNG(1)
        )
    with pytest.raises(ValueError, match="the same in every patient"):
        penalised_cox_path(np.arange(1.0, 54), event, np.ones((53, 1)), mixing=0.5)
    with pytest.raises(ValueError, match="no event"):
        penalised_cox_path(np.arange(1.0, 54), np.zeros(53, bool), np.ones((53, 1)), mixing=0.5)


def test_what_could_have_been_seen_and_how_often_one_half_alone_is_significant() -> None:
    """1.96 + 0.84 standard errors; equal effects with power ½ in each half: half of the studies."""
    assert detectable(1.0) == pytest.approx(2.8016, abs=1e-4)
    assert one_significant_only(1.959964, (1.0, 1.0)) == pytest.approx(0.5, abs=1e-3)
    assert one_significant_only(0.0, (1.0, 1.0)) == pytest.approx(2 * 0.05 * 0.95, abs=1e-4)
