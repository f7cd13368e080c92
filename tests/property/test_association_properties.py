"""What must hold of trends, correlations and corrections for any data (Hypothesis)."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from troughline.biomarker.family import family_of
from troughline.biomarker.rank_correlation import spearman, tau_b
from troughline.biomarker.trend import comparisons, exact_counts, jonckheere_terpstra

Rows = list[tuple[float, int, bool]]
ROWS = st.lists(
    st.tuples(st.integers(1, 12).map(float), st.integers(0, 3), st.booleans()), min_size=6, max_size=25
)


def columns(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    value, group, below = (np.array(c) for c in zip(*rows, strict=True))
    assume(len(set(group.tolist())) > 1)
    assume(bool(comparisons(value, below).any()))
    return value, group.astype(float), below


@given(ROWS)
def test_a_trend_sees_order_alone(rows: Rows) -> None:
    """Any rising change of the values or of the names of the groups leaves the test as it is."""
    value, group, below = columns(rows)
    plain = jonckheere_terpstra(value, group, below=below, exact=False)
    changed = jonckheere_terpstra(np.exp(value), group**3, below=below, exact=False)
    assert (changed.statistic, changed.z) == (plain.statistic, pytest.approx(plain.z, abs=1e-12))


@given(ROWS)
def test_turning_the_scale_round_turns_the_trend_round(rows: Rows) -> None:
    value, group, below = columns(rows)
    plain = jonckheere_terpstra(value, group, below=below, exact=False)
    turned = jonckheere_terpstra(value, -group, below=below, exact=False)
    assert turned.z == pytest.approx(-plain.z, abs=1e-12)
    assert turned.concordance == pytest.approx(1 - plain.concordance, abs=1e-12)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_patients_does_not_matter(rows: Rows, random: object) -> None:
    value, group, below = columns(rows)
    order = np.array(sorted(range(len(rows)), key=lambda _: random.random()))  # type: ignore[attr-defined]
    plain = jonckheere_terpstra(value, group, below=below, exact=False)
    again = jonckheere_terpstra(value[order], group[order], below=below[order], exact=False)
    assert again.statistic == plain.statistic
    assert again.z == pytest.approx(plain.z, abs=1e-12)


@given(ROWS)
def test_correlations_lie_within_one_and_inside_their_interval(rows: Rows) -> None:
    value, group, below = columns(rows)
    assume(len(set(value.tolist())) > 1)
    for found in (tau_b(comparisons(value, below), comparisons(group)), spearman(value, group)):
        assert -1 - 1e-12 <= found.value <= 1 + 1e-12
        if not math.isnan(found.low):
            assert -1 <= found.low <= found.value <= found.high <= 1


@given(st.lists(st.integers(1, 6), min_size=2, max_size=4))
def test_the_exact_distribution_is_one_and_symmetric(sizes: list[int]) -> None:
    chance = exact_counts(tuple(sizes))
    assert chance.sum() == pytest.approx(1.0, abs=1e-12)
    assert chance == pytest.approx(chance[::-1], abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_correction_never_lowers_a_p_value_nor_changes_the_order(p: list[float]) -> None:
    found = family_of(dict(enumerate(p)))
    for k, raw in enumerate(p):
        assert raw <= found.bh[k] + 1e-15
        assert found.bh[k] <= found.holm[k] + 1e-12
        assert found.holm[k] <= min(1.0, len(p) * raw) + 1e-12
    order = sorted(range(len(p)), key=lambda k: p[k])
    assert all(found.holm[a] <= found.holm[b] for a, b in itertools.pairwise(order))
