"""What must hold of treatment × marker in any trial (Hypothesis)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from troughline.biomarker.absolute_interaction import restricted_mean_interaction, risk_interaction
from troughline.biomarker.competing_interaction import competing_interaction
from troughline.biomarker.endpoint import Endpoint, Flags, Floats
from troughline.biomarker.fractional_polynomials import polynomial_interaction
from troughline.biomarker.largest_score import largest_score
from troughline.biomarker.shrinkage import shrink
from troughline.biomarker.stepp import sliding_windows, stepp
from troughline.biomarker.treatment_by_marker import treatment_by_marker

KINDS = st.sampled_from(["survival", "binary", "continuous"])
SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=25)
Trial = tuple[Endpoint, Flags, Floats]


def trial(kind: str, seed: int, n: int = 120) -> Trial:
    """Two arms and a marker above 0 that is prognostic and predictive; times without ties."""
    rng = np.random.default_rng(seed)
    treated = np.asarray(rng.permutation(np.arange(n) % 2 == 0), dtype=np.bool_)
    z = rng.standard_normal(n)
    eta = treated * (-0.3 - 0.3 * z) + 0.3 * z
    if kind == "survival":
        time, end = rng.exponential(np.exp(-eta)), rng.uniform(0.5, 3.0, n)
        endpoint = Endpoint(kind="survival", time=np.minimum(time, end), event=time <= end)
    elif kind == "binary":
        endpoint = Endpoint(kind="binary", event=rng.random(n) < 1 / (1 + np.exp(-eta)))
    else:
        endpoint = Endpoint(kind="continuous", value=eta + rng.standard_normal(n))
    return endpoint, treated, 100 * np.exp2(z)


def members_of(marker: Floats) -> Flags:
    members = np.zeros((marker.size, 0), dtype=np.bool_)
    for rows in sliding_windows(marker, 40, 12):
        inside = np.zeros((marker.size, 1), dtype=np.bool_)
        inside[rows] = True
        members = np.hstack((members, inside))
    return members


@given(KINDS, SEEDS)
@FEW
def test_exchanging_the_arms_turns_the_interaction_round(kind: str, seed: int) -> None:
    """δ and its interval change sign, the test stays; what was prognostic in one arm is so in the other."""
    endpoint, treated, marker = trial(kind, seed)
    here = treatment_by_marker(endpoint, treated, np.log2(marker), ("m",))
    turned = treatment_by_marker(endpoint, ~treated, np.log2(marker), ("m",))
    assert turned.interaction[0].value == pytest.approx(-here.interaction[0].value, abs=1e-7)
    assert turned.interaction[0].low == pytest.approx(-here.interaction[0].high, abs=1e-6)
    assert turned.p_value == pytest.approx(here.p_value, abs=1e-7)
    assert turned.prognostic[0].value == pytest.approx(here.in_treated[0].value, abs=1e-7)


@given(KINDS, SEEDS)
@FEW
def test_exchanging_the_arms_turns_every_score_and_window_round(kind: str, seed: int) -> None:
    endpoint, treated, marker = trial(kind, seed)
    members = members_of(marker)
    here, turned = (
        largest_score(endpoint, arm, marker, members, rng=np.random.default_rng(1), draws=50).z
        for arm in (treated, ~treated)
    )
    assert np.allclose(turned, -here, atol=1e-7)
    one, other = (
        stepp(endpoint, arm, marker, rng=np.random.default_rng(1), draws=50) for arm in (treated, ~treated)
    )
    assert np.allclose(other.value, -one.value, atol=1e-7)
    assert np.allclose(other.low, -one.high, atol=1e-6)


@given(KINDS, SEEDS, st.floats(1e-4, 1e4))
@FEW
def test_the_unit_of_the_marker_changes_nothing(kind: str, seed: int, factor: float) -> None:
    """A ratio per doubling, the windows, the powers and every p-value are the same in pg/mL and ng/L."""
    endpoint, treated, marker = trial(kind, seed)
    values: list[list[float]] = []
    for level in (marker, marker * factor):
        fit = treatment_by_marker(endpoint, treated, np.log2(level), ("m",))
        windows = stepp(endpoint, treated, level, rng=np.random.default_rng(1), draws=50)
        curve = polynomial_interaction(endpoint, treated, level, rng=np.random.default_rng(2), draws=50)
        values.append(
            [fit.interaction[0].value, fit.p_value, windows.p_value, curve.p_value, curve.statistic,
             *windows.value, *curve.value, *curve.powers]
        )  # fmt: skip
    assert values[0] == pytest.approx(values[1], abs=1e-6)


@given(SEEDS, st.floats(1e-3, 1e3))
@FEW
def test_the_unit_of_time_changes_no_ratio_and_scales_the_restricted_mean(seed: int, factor: float) -> None:
    endpoint, treated, marker = trial("survival", seed)
    assert endpoint.time is not None
    other = replace(endpoint, time=endpoint.time * factor)
    z = np.log2(marker)
    here, there = (treatment_by_marker(e, treated, z, ("m",)).interaction[0] for e in (endpoint, other))
    assert there.value == pytest.approx(here.value, abs=1e-8)
    area, scaled = (
        restricted_mean_interaction(e, treated, z, tau=tau)[0]
        for e, tau in ((endpoint, 0.7), (other, 0.7 * factor))
    )
    assert scaled.value == pytest.approx(area.value * factor, rel=1e-6)
    assert scaled.p_value == pytest.approx(area.p_value, rel=1e-6)
    p, q = (
        stepp(e, treated, marker, rng=np.random.default_rng(1), draws=50).p_value for e in (endpoint, other)
    )
    assert p == q


@given(KINDS, SEEDS)
@FEW
def test_the_order_of_the_patients_changes_nothing(kind: str, seed: int) -> None:
    """Not even what is drawn: draws go by marker and arm, not by row."""
    endpoint, treated, marker = trial(kind, seed)
    order = np.random.default_rng(seed + 1).permutation(marker.size)
    here, there = (
        [
            treatment_by_marker(e, a, np.log2(m), ("m",)).p_value,
            stepp(e, a, m, rng=np.random.default_rng(1), draws=50).p_value,
            polynomial_interaction(e, a, m, rng=np.random.default_rng(2), draws=50).p_value,
        ]
        for e, a, m in ((endpoint, treated, marker), (endpoint.of(order), treated[order], marker[order]))
    )
    assert here == pytest.approx(there, abs=1e-9)


@given(KINDS, SEEDS)
@FEW
def test_windows_and_their_test_see_the_order_of_the_marker_alone(kind: str, seed: int) -> None:
    endpoint, treated, marker = trial(kind, seed)
    here, there = (
        stepp(endpoint, treated, m, rng=np.random.default_rng(1), draws=50)
        for m in (marker, np.log(marker) ** 3)
    )
    assert np.array_equal(here.value, there.value)
    assert here.p_value == there.p_value


@given(SEEDS, st.floats(-5, 5), st.floats(0.1, 10))
@FEW
def test_a_number_in_another_unit_has_the_same_test_and_a_difference_in_that_unit(
    seed: int, shift: float, factor: float
) -> None:
    endpoint, treated, marker = trial("continuous", seed)
    assert endpoint.value is not None
    other = replace(endpoint, value=shift + factor * endpoint.value)
    z = np.log2(marker)
    here, there = (treatment_by_marker(e, treated, z, ("m",)).interaction[0] for e in (endpoint, other))
    assert there.value == pytest.approx(factor * here.value, rel=1e-6)
    assert there.p_value == pytest.approx(here.p_value, rel=1e-6)
    curves = [
        polynomial_interaction(e, treated, marker, rng=np.random.default_rng(2), draws=50)
        for e in (endpoint, other)
    ]
    assert curves[0].p_value == pytest.approx(curves[1].p_value, abs=1e-9)
    assert np.allclose(curves[1].value, factor * curves[0].value, rtol=1e-6, atol=1e-7)


@given(SEEDS)
@FEW
def test_yes_for_no_turns_the_difference_of_risks_and_the_odds_round(seed: int) -> None:
    endpoint, treated, marker = trial("binary", seed)
    assert endpoint.event is not None
    other = replace(endpoint, event=~endpoint.event)
    z = np.log2(marker)
    here, there = (risk_interaction(e, treated, z)[0].value for e in (endpoint, other))
    assert there == pytest.approx(-here, abs=1e-10)
    here, there = (treatment_by_marker(e, treated, z, ("m",)).interaction[0].value for e in (endpoint, other))
    assert there == pytest.approx(-here, abs=1e-6)


@given(SEEDS)
@FEW
def test_exchanging_arms_or_classes_turns_the_competing_interaction_round(seed: int) -> None:
    endpoint, treated, marker = trial("survival", seed, n=200)
    assert endpoint.time is not None
    assert endpoint.event is not None
    rng = np.random.default_rng(seed)
    rival = rng.random(200) < 0.3
    cause = [
        None if not e else "liver" if r else "tumour" for e, r in zip(endpoint.event, rival, strict=True)
    ]
    level_of = ["B" if m > 100 else "A" for m in marker]
    for scale in ("subdistribution", "cause-specific"):
        values = [
            competing_interaction(
                endpoint.time, cause, "tumour", arm, level_of, levels, scale=scale,  # type: ignore[arg-type]
            ).interaction[0].value
            for arm, levels in ((treated, "AB"), (~treated, "AB"), (treated, "BA"))
        ]  # fmt: skip
        assert values[1:] == pytest.approx([-values[0]] * 2, abs=1e-6)


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(0.05, 1.0)), min_size=2, max_size=6))
@FEW
def test_shrunken_subgroups_lie_between_the_raw_ones_and_keep_their_sign_symmetry(
    groups: list[tuple[float, float]],
) -> None:
    y, variance = (np.array(c) for c in zip(*groups, strict=True))
    design = np.column_stack((np.ones(y.size), np.eye(y.size)))
    found = shrink(y, np.diag(variance), design, design, scale=0.5)
    turned = shrink(-y, np.diag(variance), design, design, scale=0.5)
    assert np.all(found.mean <= y.max() + 1e-6)
    assert np.all(found.mean >= y.min() - 1e-6)
    assert np.allclose(turned.mean, -found.mean, atol=1e-6)
    assert math.isfinite(float(found.mean.sum()))
