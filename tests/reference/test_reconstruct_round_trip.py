"""Simulated trials, printed and reconstructed: a small version of `benchmarks/reconstruction.py`.

The true values are those of the simulated patients; the rival is the algorithm of Guyot et al. 2012 (doi
10.1186/1471-2288-12-9) as published, on the same clicks. The issue's limits: events exact, median within one
reading step, |log HR error| ≤ 0.02 in the median.
"""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.reconstruction import Tally, measure, ours, published

TRIALS, STEP = 25, 0.005


@pytest.fixture(scope="module")
def tally() -> Tally:
    made = Tally()
    measure(made, ours, TRIALS, step=STEP, with_events=True)
    return made


def test_every_trial_is_reconstructed_with_its_counts(tally: Tally) -> None:
    assert tally.failures == 0
    assert len(tally.events) == 2 * TRIALS
    assert max(tally.events) == 0
    assert max(tally.at_risk) == 0


def test_the_hazard_ratio_comes_back(tally: Tally) -> None:
    assert np.median(tally.log_hazard_ratio) < 0.008
    assert max(tally.log_hazard_ratio) < 0.04


def test_medians_come_back_within_one_reading_step(tally: Tally) -> None:
    assert np.mean(np.asarray(tally.median) > 1e-9) <= 0.02


def test_the_published_algorithm_misses_counts_and_hazard_ratio_by_more(tally: Tally) -> None:
    rival = Tally()
    measure(rival, published, TRIALS, step=STEP, with_events=True)
    assert np.mean(np.asarray(rival.events) > 0) > 0.2
    assert np.mean(np.asarray(rival.at_risk) > 0) > 0.5
    assert np.median(tally.log_hazard_ratio) < np.median(rival.log_hazard_ratio)
