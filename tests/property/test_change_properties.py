"""Censored pairs: what exchanging, shifting and correcting must do, whatever the levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from troughline.biomarker.censored import Censored, Pairs
from troughline.biomarker.multiplicity import westfall_young
from troughline.biomarker.paired_tests import (
    prentice_wilcoxon_test,
    sign_test,
    signed_rank_scores,
    signed_rank_test,
)
from troughline.biomarker.shift import hodges_lehmann
from troughline.response.multiplicity import benjamini_hochberg, holm

LEVELS = st.lists(
    st.tuples(st.integers(-40, 40), st.integers(-40, 40)).map(lambda t: (t[0] / 8, t[1] / 8)),
    min_size=3,
    max_size=12,
)


def pairs(values: list[tuple[float, float]], limit: float) -> Pairs:
    x = np.array(values)
    below = x < limit
    low, high = np.where(below, -np.inf, x), np.where(below, limit, x)
    n = len(values)
    return Pairs(
        before=Censored(low[:, 0], high[:, 0]), after=Censored(low[:, 1], high[:, 1]),
        floor=np.full((2, n), limit),
    )  # fmt: skip


def exchanged(data: Pairs) -> Pairs:
    return Pairs(before=data.after, after=data.before, floor=data.floor)


@given(LEVELS, st.sampled_from([-9.0, -1.0, 0.5]))
@settings(max_examples=60, deadline=None)
def test_exchanging_before_and_after_turns_every_test_and_keeps_its_p(
    values: list[tuple[float, float]], limit: float
) -> None:
    data = pairs(values, limit)
    for test in (signed_rank_test, prentice_wilcoxon_test):
        one, other = test(data), test(exchanged(data))
        assert other.z == pytest.approx(-one.z, abs=1e-9)
        assert other.p_value == pytest.approx(one.p_value, abs=1e-12)
    assert (sign_test(data).n_up, sign_test(data).n_down) == (
        sign_test(exchanged(data)).n_down,
        sign_test(exchanged(data)).n_up,
    )


@given(LEVELS, st.sampled_from([-9.0, -1.0, 0.5]))
@settings(max_examples=25, deadline=None)
def test_the_interval_of_a_shift_holds_its_value_and_exactly_what_the_test_accepts(
    values: list[tuple[float, float]], limit: float
) -> None:
    data = pairs(values, limit)
    shift = hodges_lehmann(data)
    assert shift.low <= shift.high
    if np.isfinite(shift.value):
        assert shift.low <= shift.value <= shift.high
    no_change = signed_rank_test(data).p_value > 0.05
    strictly_inside = shift.low < -1e-9 and shift.high > 1e-9
    strictly_outside = shift.low > 1e-9 or shift.high < -1e-9
    assert not (strictly_inside and not no_change)
    assert not (strictly_outside and no_change)


@given(LEVELS, st.sampled_from([-9.0, 0.5]), st.floats(-3, 3), st.floats(0, 2))
@settings(max_examples=60, deadline=None)
def test_the_sum_of_signed_ranks_never_rises_with_the_shift(
    values: list[tuple[float, float]], limit: float, start: float, step: float
) -> None:
    data = pairs(values, limit)
    assert signed_rank_scores(data, start + step).sum() <= signed_rank_scores(data, start).sum() + 1e-9


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrected_p_values_are_no_smaller_and_keep_their_order(values: list[float]) -> None:
    p = np.array(values)
    order = np.argsort(p, kind="stable")
    for correct in (holm, benjamini_hochberg):
        adjusted = correct(p)
        assert (adjusted >= p - 1e-12).all()
        assert (adjusted <= 1).all()
        assert (np.diff(adjusted[order]) >= -1e-12).all()
    assert (benjamini_hochberg(p) <= holm(p) + 1e-12).all()


@given(st.integers(0, 1000), st.integers(2, 6), st.sampled_from(["min-p", "max-t"]))
@settings(max_examples=20, deadline=None)
def test_westfall_young_does_not_depend_on_the_order_of_the_tests(seed: int, m: int, method: str) -> None:
    scores = np.random.default_rng(seed).normal(size=(9, m))
    draws = [
        westfall_young(s, np.random.default_rng(1), permutations=199, method=method)  # pyright: ignore[reportArgumentType]
        for s in (scores, scores[:, ::-1])
    ]
    assert draws[1][::-1] == pytest.approx(draws[0])
