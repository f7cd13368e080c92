"""The maximally selected log-rank statistic: what the search does to p, and that the corrections undo it."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest

from troughline.survival.maxstat import log_rank_scores, maximally_selected_log_rank


def null_cohort(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Survival that has nothing to do with the marker, about 30 % censored."""
    survival, censored = rng.exponential(1.0, n), rng.exponential(2.3, n)
    return np.minimum(survival, censored), survival <= censored, rng.lognormal(1.0, 0.62, n)


def test_scores_sum_to_zero_without_ties_and_follow_the_definition() -> None:
    time, event = np.array([3.0, 1.0, 2.0, 4.0]), np.array([True, True, False, True])
    by_hand = [1 - 1 / 4 - 1 / 2, 1 - 1 / 4, -1 / 4, 1 - 1 / 4 - 1 / 2 - 1]
    assert log_rank_scores(time, event) == pytest.approx(by_hand)
    assert log_rank_scores(time, event).sum() == pytest.approx(0, abs=1e-15)


def test_a_real_cut_is_found_where_it_is() -> None:
    rng = np.random.default_rng(5)
    marker = rng.lognormal(1.0, 0.62, 200)
    time = rng.exponential(np.where(marker > 3.0, 0.25, 1.0))
    found = maximally_selected_log_rank(time, np.ones(200), marker, rng=rng, permutations=999)
    assert found.cut == pytest.approx(3.0, rel=0.1)
    assert found.n_low == int((marker <= found.cut).sum())
    assert found.n_low + found.n_high == 200
    assert found.statistics.max() == found.statistic
    assert found.p_permutation == pytest.approx(1 / 1000)


def test_the_naive_p_is_wrong_by_the_known_amount_and_every_correction_holds_its_level() -> None:
    # `min-p logrank type I n=60` in shared/reference/guard-simulations.json: 44.5 % (SE 2.5 points).
    rng = np.random.default_rng(227)
    rates = np.zeros(4)
    cohorts = 400
    for _ in range(cohorts):
        found = maximally_selected_log_rank(*null_cohort(60, rng), rng=rng, permutations=199)
        rates += (
            np.array([found.p_naive, found.p_lausen_1992, found.p_lausen_1994, found.p_permutation]) <= 0.05
        )
    naive, lausen_1992, lausen_1994, permutation = rates / cohorts
    assert 0.33 < naive < 0.55
    # Three standard errors above 5 % in 400 cohorts: 8.3 %.
    assert max(lausen_1992, lausen_1994, permutation) < 0.083
    # The permutation test is exact, so it is not merely conservative either.
    assert permutation > 0.02


def test_9999_permutations_of_227_patients_take_less_than_two_seconds() -> None:
    rng = np.random.default_rng(1)
    patients = null_cohort(227, rng)
    begun = perf_counter()
    maximally_selected_log_rank(*patients, rng=rng, permutations=9999)
    assert perf_counter() - begun < 2.0


def test_the_same_generator_gives_the_same_p() -> None:
    patients = null_cohort(40, np.random.default_rng(3))
    first, second = (
        maximally_selected_log_rank(*patients, rng=np.random.default_rng(9), permutations=499)
        for _ in range(2)
    )
    assert first.p_permutation == second.p_permutation


def test_cuts_leave_at_least_the_share_asked_for_on_either_side() -> None:
    time, event, marker = null_cohort(50, np.random.default_rng(8))
    found = maximally_selected_log_rank(time, event, marker, smallest_share=0.2, largest_share=0.8)
    below = (marker[:, np.newaxis] <= found.cuts).sum(axis=0)
    assert below.min() == 10
    assert below.max() == 40


def test_a_marker_with_few_values_is_cut_between_them() -> None:
    time, event, _ = null_cohort(30, np.random.default_rng(2))
    marker = np.repeat([1.0, 2.0, 3.0], 10)
    found = maximally_selected_log_rank(time, event, marker)
    assert found.cuts.tolist() == [1.0, 2.0]


def test_what_cannot_be_searched_is_an_error() -> None:
    time, event, marker = null_cohort(20, np.random.default_rng(2))
    with pytest.raises(ValueError, match="no event among these patients"):
        maximally_selected_log_rank(time, np.zeros(20), marker)
    with pytest.raises(ValueError, match="no value of the marker leaves 10% to 90% of 20 patients"):
        maximally_selected_log_rank(time, event, np.ones(20))
    with pytest.raises(ValueError, match=r"marker\[0\] = nan is not finite"):
        maximally_selected_log_rank(time, event, np.where(np.arange(20) == 0, np.nan, marker))
    with pytest.raises(ValueError, match="do not rise"):
        maximally_selected_log_rank(time, event, marker, smallest_share=0.9, largest_share=0.1)
