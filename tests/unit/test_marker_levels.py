"""Levels with several limits: their quantiles, and whether groups started from the same ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from troughline.biomarker.censored import Censored, Pairs, exactly
from troughline.biomarker.change_tests import baseline_difference
from troughline.biomarker.marker_levels import Level, quantile_words


def level(text: str) -> Level:
    number = float(text.lstrip("<>"))
    below, above = text.startswith("<"), text.startswith(">")
    return Level(
        patient="P1", occasion=0, day=0.0, value=math.nan if below or above else number, below=below,
        above=above, limit=number if below or above else math.nan, assay="", batch="", row=2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("levels", "share", "says"),
    [
        ("3 5 20 30", 0.5, "12.5"),
        ("<0.15 <0.15 0.2 0.4 0.9", 0.5, "0.2"),
        ("<0.15 <0.15 0.2 0.4 0.9", 0.25, "< 0.15"),
        # A level below 10 may lie on either side of 3 and of 5: the median is one of 5 to 10.
        ("<10 3 5 20 30", 0.5, "5 to 10"),
        ("<10 3", 0.0, "≤ 3"),
        ("3 5 >40 >40", 0.75, "> 40"),
        ("<2 >40", 0.5, "not known"),
    ],
)
def test_a_quantile_is_given_as_far_as_the_limits_let_it_be_known(
    levels: str, share: float, says: str
) -> None:
    assert quantile_words([level(v) for v in levels.split()], share) == says


def test_without_limits_it_is_numpys_quantile_and_kruskals_test() -> None:
    rng = np.random.default_rng(1)
    values, group = rng.integers(1, 9, 40).astype(float), (np.arange(40) % 3).astype(np.intp)
    assert quantile_words([level(str(v)) for v in values], 0.3) == f"{np.quantile(values, 0.3):.3g}"
    pairs = Pairs(before=exactly(values), after=exactly(values))
    expected = stats.kruskal(*[values[group == g] for g in range(3)]).pvalue
    assert baseline_difference(pairs, group) == pytest.approx(expected)


def test_groups_looked_at_through_different_limits_do_not_differ_for_it() -> None:
    """400 cohorts of one law, the second group through a limit at its median: about 5 % have p < 0.05.

    With every level below a limit taken as lowest of all, most of them would.
    """
    rng = np.random.default_rng(2)
    group = np.repeat([0, 1], 25).astype(np.intp)
    found = lowest = 0
    for _ in range(400):
        x = rng.normal(size=50)
        limit = np.where(group == 1, 0.0, -1.5)
        below = x < limit
        known = Censored(np.where(below, -np.inf, x), np.where(below, limit, x))
        found += baseline_difference(Pairs(before=known, after=known), group) < 0.05
        tied = np.where(below, -1e300, x)
        lowest += stats.kruskal(tied[group == 0], tied[group == 1]).pvalue < 0.05
    assert 0.02 <= found / 400 <= 0.085
    assert lowest / 400 > 2 * found / 400


def test_levels_that_cannot_be_told_apart_do_not_differ() -> None:
    group = np.array([0, 0, 1, 1], dtype=np.intp)
    same = exactly(np.full(4, 5.0))
    assert baseline_difference(Pairs(before=same, after=same), group) == 1.0
    never = Censored(np.full(4, -np.inf), np.array([1.0, 2.0, 3.0, 4.0]))
    assert baseline_difference(Pairs(before=never, after=same), group) == 1.0
    apart = exactly(np.array([1.0, 1.1, 5.0, 5.1, 1.2, 5.2]))
    groups = np.array([0, 0, 1, 1, 0, 1], dtype=np.intp)
    assert baseline_difference(Pairs(before=apart, after=apart), groups) < 0.05
