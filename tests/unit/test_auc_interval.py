"""Intervals of the area under the curve: where DeLong's breaks, the guarded one must not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtri

from troughline.response.auc_interval import auc_interval, delong, delong_test, hanley_mcneil

SEPARATED = np.array([0.7, 0.9, 1.1, 1.2, 1.3, 1.5, 2.0, 2.5, 3.0, 3.3, 4.1, 5.0, 8.8])
SEPARATED_CASE = SEPARATED > 1.25


def test_perfect_separation_gives_delong_no_width_and_the_guarded_interval_some() -> None:
    naive, guarded = delong(SEPARATED, SEPARATED_CASE), auc_interval(SEPARATED, SEPARATED_CASE)
    assert naive.low == naive.value == naive.high == 1.0
    assert guarded.value == guarded.high == 1.0
    assert guarded.low < 0.95


def test_wrong_way_separation_mirrors_the_interval() -> None:
    up = auc_interval(SEPARATED, SEPARATED_CASE)
    down = auc_interval(SEPARATED, SEPARATED_CASE, higher_is_case=False)
    assert (down.value, down.low) == (0.0, 0.0)
    assert down.high == pytest.approx(1.0 - up.low, abs=1e-12)


def test_limits_solve_the_score_equation() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(1.0, 1.0, 13), rng.normal(0.0, 1.0, 13)])
    is_case = np.arange(26) < 13
    estimate = auc_interval(values, is_case)

    def newcombe(theta: float) -> float:
        return theta * (1 - theta) * (1 + 12 * (1 - theta) / (2 - theta) + 12 * theta / (1 + theta)) / 169

    shrunk = (estimate.value * 169 + 0.5) / 170
    inflation = max(1.0, delong(values, is_case).variance / newcombe(shrunk))
    for limit in (estimate.low, estimate.high):
        distance = abs(estimate.value - limit) / math.sqrt(inflation * newcombe(limit))
        assert distance == pytest.approx(1.959963984540054, abs=1e-9)


def test_a_higher_level_is_wider() -> None:
    narrow = auc_interval(SEPARATED, np.arange(13) % 2 == 0, level=0.8)
    wide = auc_interval(SEPARATED, np.arange(13) % 2 == 0, level=0.99)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


@pytest.mark.parametrize("n_cases", [1, 2, 4])
def test_few_cases_fall_back_to_the_largest_possible_variance(n_cases: int) -> None:
    estimate = auc_interval(np.arange(26.0), np.arange(26) >= 26 - n_cases)
    # The lower root of (1 − θ)² = z² θ (1 − θ) / n is the Wilson limit n / (n + z²).
    assert estimate.low == pytest.approx(n_cases / (n_cases + 1.959963984540054**2), abs=1e-12)
    assert "distribution-free" in estimate.method


def test_delong_refuses_a_single_case() -> None:
    with pytest.raises(ValueError, match="1 cases and 12 controls"):
        delong(SEPARATED, np.arange(13) == 3)


def test_delong_flags_a_limit_that_was_cut_off() -> None:
    is_case = SEPARATED_CASE.copy()
    is_case[3] = True
    is_case[4] = False
    estimate = delong(SEPARATED, is_case)
    assert estimate.clipped
    assert estimate.high == 1.0
    assert not delong(np.arange(40.0), np.arange(40) % 3 == 0).clipped


def test_two_markers_that_order_alike_have_nothing_to_test() -> None:
    with pytest.raises(ValueError, match="no variance"):
        delong_test(SEPARATED, np.log(SEPARATED), np.arange(13) % 2 == 0)


def test_hanley_mcneil_flags_its_cut_and_refuses_the_impossible() -> None:
    assert hanley_mcneil(0.97, 13, 13).clipped
    with pytest.raises(ValueError, match="not possible"):
        hanley_mcneil(1.2, 13, 13)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_an_impossible_level_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="does not lie between 0 and 1"):
        auc_interval(SEPARATED, SEPARATED_CASE, level=level)


@pytest.mark.parametrize(("area", "n_cases", "n_controls"), [(0.97, 20, 6), (0.97, 13, 13), (0.74, 6, 20)])
def test_guarded_interval_covers_where_delong_does_not(area: float, n_cases: int, n_controls: int) -> None:
    """600 binormal cohorts: at least 93 % less two Monte Carlo standard errors (2 × 1.04 points)."""
    rng = np.random.default_rng(20200615)
    shift = float(ndtri(area)) * math.sqrt(2.0)
    is_case = np.arange(n_cases + n_controls) < n_cases
    covered, naive = 0, 0
    for _ in range(600):
        values = rng.normal(0.0, 1.0, is_case.size) + shift * is_case
        guarded, usual = auc_interval(values, is_case), delong(values, is_case)
        covered += guarded.low <= area <= guarded.high
        naive += usual.low <= area <= usual.high
    assert covered >= 0.909 * 600
    assert naive <= 0.92 * 600
