"""Landmark, delayed entry and the time-dependent group: who is compared, from when, and what that cures."""

from __future__ import annotations

import numpy as np
import pytest

from troughline.survival.cox import fit_cox
from troughline.survival.kaplan_meier import kaplan_meier
from troughline.survival.landmark import delayed_entry, landmark
from troughline.survival.time_dependent import time_dependent_cox, time_dependent_group


def test_landmark_keeps_those_followed_beyond_it_and_counts_the_others() -> None:
    kept = landmark([2.0, 5.0, 5.0, 6.0, 9.0, 9.0], [1, 1, 0, 1, 0, 1], 5.0, entry=[0, 0, 0, 0, 0, 6.0])
    assert kept.kept.tolist() == [False, False, False, True, True, False]
    assert kept.time.tolist() == [1.0, 4.0]
    assert kept.event.tolist() == [True, False]
    assert (kept.n_event_by_landmark, kept.n_censored_by_landmark, kept.n_not_yet_entered) == (2, 1, 1)
    assert kept.n_left_out == 4


def test_landmark_beyond_everybody_is_an_error_that_names_both_times() -> None:
    with pytest.raises(ValueError, match=r"nobody is at risk after the landmark at 10; .* ends at 9"):
        landmark([3.0, 9.0], [1, 0], 10.0)
    with pytest.raises(ValueError, match="at = -1 is not"):
        landmark([3.0], [1], -1.0)


def test_times_that_are_not_above_zero_are_errors_that_name_the_index() -> None:
    with pytest.raises(ValueError, match=r"time\[1\] = 0 is not above 0"):
        landmark([3.0, 0.0], [1, 0], 1.0)
    with pytest.raises(ValueError, match=r"entry\[0\] = 3 is not before time\[0\] = 3"):
        landmark([3.0, 4.0], [1, 0], 1.0, entry=[3.0, 0.0])
    with pytest.raises(ValueError, match=r"event\[1\] = 2 is neither 0 nor 1"):
        landmark([3.0, 4.0], [1, 2], 1.0)
    with pytest.raises(ValueError, match=r"time\[0\] = nan is not finite"):
        landmark([np.nan, 4.0], [1, 0], 1.0)


def test_delayed_entry_leaves_out_whoever_was_never_seen_at_risk() -> None:
    kept = delayed_entry([5.0, 5.0, 5.0, 5.0], [1, 0, 1, 1], [2.0, 5.0, np.nan, 7.0])
    assert kept.kept.tolist() == [True, False, False, False]
    assert (kept.n_event_by_entry, kept.n_censored_by_entry, kept.n_never_entered) == (1, 1, 1)
    assert (kept.entry.tolist(), kept.time.tolist(), kept.event.tolist()) == ([2.0], [5.0], [True])
    with pytest.raises(ValueError, match="nobody is at risk"):
        delayed_entry([5.0], [1], [5.0])


def test_rows_are_cut_at_the_change_and_only_while_at_risk() -> None:
    rows = time_dependent_group(
        [10.0, 10.0, 10.0, 10.0], [1, 1, 1, 1], [4.0, np.nan, 10.0, 0.0], entry=[0.0, 0.0, 0.0, 2.0]
    )
    assert rows.patient.tolist() == [0, 0, 1, 2, 3]
    assert rows.start.tolist() == [0, 4, 0, 0, 2]
    assert rows.stop.tolist() == [4, 10, 10, 10, 10]
    assert rows.event.tolist() == [False, True, True, True, True]
    assert rows.changed.tolist() == [False, True, False, False, True]


def immortal_cohort(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """100 patients; response comes at 1 to 5 months to half of those still alive, and changes nothing."""
    survival = rng.exponential(10.0, 100)
    time = np.minimum(survival, 24.0)
    response = np.where(rng.random(100) < 0.5, rng.uniform(1.0, 5.0, 100), np.nan)
    return time, survival <= 24.0, np.where(response < time, response, np.nan)


def test_immortal_time_is_cured_by_the_landmark_and_by_the_time_dependent_group() -> None:
    # `immortal time responder` in shared/reference/guard-simulations.json, no effect: 0.55 and 1.03.
    rng = np.random.default_rng(4)
    naive, marked, dependent = [], [], []
    for _ in range(150):
        time, event, change = immortal_cohort(rng)
        naive.append(fit_cox(time, event, ~np.isnan(change), ["responder"]).coefficients[0])
        kept = landmark(time, event, 3.0)
        by_landmark = (change <= 3.0)[kept.kept]
        marked.append(fit_cox(kept.time, kept.event, by_landmark, ["responder"]).coefficients[0])
        dependent.append(time_dependent_cox(time, event, change).coefficients[0])
    # Standard error of each mean of 150 log hazard ratios: about 0.02.
    assert np.exp(np.mean(naive)) < 0.75
    assert np.exp(np.mean(marked)) == pytest.approx(1, abs=0.07)
    assert np.exp(np.mean(dependent)) == pytest.approx(1, abs=0.07)


def test_survivor_only_sampling_is_cured_by_delayed_entry() -> None:
    # A level is drawn at week 0 to 12, so only those who live to the draw are in the data.
    rng = np.random.default_rng(20)
    survival, draw = rng.exponential(10.0, 20_000), rng.uniform(0.0, 12.0, 20_000)
    seen = delayed_entry(survival, np.ones(survival.size), draw)
    truth = 10.0 * np.log(2.0)
    (naive,) = kaplan_meier(seen.time, seen.event)
    (right,) = kaplan_meier(seen.time, seen.event, entry=seen.entry)
    assert naive.median > 1.4 * truth
    assert right.median == pytest.approx(truth, rel=0.04)
