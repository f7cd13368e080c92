"""What must hold for any effects: order does not count, precision adds up, posteriors lie between."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from troughline.evidence.borrowing import borrow, published_prior
from troughline.evidence.effects import Effect, on_scale
from troughline.evidence.heterogeneity import (
    cochran_q,
    restricted_log_likelihood,
    tau_squared,
    tau_squared_at,
)
from troughline.evidence.network import Contrast, fit_network
from troughline.evidence.pooling import pool
from troughline.evidence.replication import Agreement, Rules, compare

LOGS = st.floats(-2.0, 2.0)
ERRORS = st.floats(0.05, 1.0)
ROWS = st.lists(st.tuples(LOGS, ERRORS), min_size=2, max_size=12)


def effects(rows: list[tuple[float, float]]) -> list[Effect]:
    return [Effect(label=str(k), value=math.exp(y), se=s) for k, (y, s) in enumerate(rows)]


@settings(deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_studies_changes_nothing(rows: list[tuple[float, float]], random) -> None:
    turned = random.sample(rows, len(rows))
    for method in ("REML", "PM", "DL"):
        first, second = pool(effects(rows), tau2=method), pool(effects(turned), tau2=method)
        assert first.tau2 == pytest.approx(second.tau2, rel=1e-6, abs=1e-9)
        assert first.common.centre == pytest.approx(second.common.centre, abs=1e-9)
        assert first.random.centre == pytest.approx(second.random.centre, abs=1e-6)


@given(ROWS)
def test_precision_adds_up_in_the_common_effect(rows: list[tuple[float, float]]) -> None:
    found = pool(effects(rows))
    assert found.common.se**-2 == pytest.approx(sum(s**-2 for _, s in rows), rel=1e-9)
    assert min(y for y, _ in rows) - 1e-9 <= found.common.centre <= max(y for y, _ in rows) + 1e-9
    assert sum(found.weights) == pytest.approx(1.0, rel=1e-9)


@given(ROWS, st.floats(-1.0, 1.0))
def test_a_common_factor_moves_everything_alike(rows: list[tuple[float, float]], shift: float) -> None:
    first, second = pool(effects(rows)), pool(effects([(y + shift, s) for y, s in rows]))
    assert second.random.centre - first.random.centre == pytest.approx(shift, abs=1e-6)
    assert first.random.se == pytest.approx(second.random.se, rel=1e-5, abs=1e-9)


@given(ROWS)
def test_no_tau_has_a_higher_restricted_likelihood(rows: list[tuple[float, float]]) -> None:
    y, s = np.array(rows).T
    found = tau_squared(y, s**2)
    best = restricted_log_likelihood(y, s**2, found)
    others = np.concatenate([[0.0], np.geomspace(1e-8, 30.0, 400)])
    for tau2 in others:
        assert restricted_log_likelihood(y, s**2, np.asarray(tau2)) <= best + 1e-9


@given(ROWS, st.floats(0.1, 30.0))
def test_q_is_met_where_it_can_be(rows: list[tuple[float, float]], target: float) -> None:
    y, s = np.array(rows).T
    found = float(tau_squared_at(y, s**2, target))
    if float(cochran_q(y, s**2)) <= target:
        assert found == 0.0
    else:
        assert float(cochran_q(y, s**2, found)) == pytest.approx(target, rel=1e-6)


@given(LOGS, ERRORS, LOGS, ERRORS, st.sampled_from(["as is", "discounted", "power", "robust mixture"]))
def test_the_posterior_lies_between_prior_and_data(
    centre: float, se: float, value: float, error: float, kind
) -> None:
    prior = published_prior(centre, se, kind=kind, tau=0.1, weight=0.5, vague_sd=4.0)
    found = borrow(prior, value, error)
    assert min(centre, value) - 1e-9 <= found.mean <= max(centre, value) + 1e-9
    assert found.low < found.mean < found.high
    assert sum(found.weights) == pytest.approx(1.0, rel=1e-12)
    assert 0.0 <= found.conflict_p <= 1.0
    if kind != "robust mixture":
        assert found.sd < min(error, prior.sd)


@settings(max_examples=200)
@given(ROWS, LOGS, ERRORS)
def test_consistent_never_comes_from_a_result_that_allows_no_effect(
    rows: list[tuple[float, float]], value: float, error: float
) -> None:
    """Called consistent, the new result alone excludes the null at the one-sided level."""
    new = Effect(label="new", value=math.exp(value), se=error)
    found = compare(new, effects(rows), Rules(null=1.0))
    if found.agreement is Agreement.CONSISTENT:
        assert abs(on_scale(new).value) > 1.6448 * error


@given(ROWS)
def test_a_network_of_two_treatments_is_the_pooled_estimate(rows: list[tuple[float, float]]) -> None:
    network = fit_network(
        [
            Contrast(study=str(k), treatment="b", reference="a", value=y, se=s)
            for k, (y, s) in enumerate(rows)
        ],
        random=False,
    )
    common = pool(effects(rows)).common
    assert network.estimate("b", "a") == pytest.approx((common.centre, common.se), rel=1e-7, abs=1e-9)
