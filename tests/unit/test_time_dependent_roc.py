"""Time-dependent ROC areas, curves, landmarks and Brier scores: identities, coverage and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from troughline.survival.prediction_error import brier_score
from troughline.survival.time_dependent_roc import (
    landmark_area,
    time_dependent_area,
    time_dependent_roc,
)


def followed(
    n: int, seed: int, *, censored: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times, events, rivals and a marker that raises the hazard of the event."""
    rng = np.random.default_rng(seed)
    marker = rng.normal(size=n)
    event, rival = rng.exponential(np.exp(1.5 - marker)), rng.exponential(12, n)
    lost = rng.uniform(0.5, 12, n) if censored else np.full(n, 1e6)
    time = np.minimum(np.minimum(event, rival), lost)
    return time, time == event, time == rival, marker


def counted(case: np.ndarray, control: np.ndarray) -> float:
    """The share of pairs in which the case is higher, ties half."""
    return float(np.mean((case[:, None] > control) + 0.5 * (case[:, None] == control)))


def test_without_censoring_the_area_is_the_share_of_pairs() -> None:
    """Both definitions of controls, with ties in the marker."""
    time, event, rival, marker = followed(200, 1, censored=False)
    marker = np.round(marker, 1)
    definitions: Any
    for at in (1.0, 4.0):
        case = (time <= at) & event
        definitions = (("everyone else", ~case), ("event-free", time > at))
        for controls, those in definitions:
            (area,) = time_dependent_area(time, event, marker, [at], rival=rival, controls=controls)
            assert area.value == pytest.approx(counted(marker[case], marker[those]), rel=1e-12)
            assert area.n_controls == those.sum()


@pytest.mark.parametrize("controls", ["everyone else", "event-free"])
def test_the_error_is_that_of_the_jackknife(controls: Any) -> None:
    """The influence function, the censoring curve's estimation included, against leaving patients out: 3
    %.
    """
    time, event, rival, marker = followed(250, 2)
    options = {"rival": rival, "controls": controls}
    area = time_dependent_area(time, event, marker, [3.0], **options)[0]
    left: list[float] = []
    for i in range(250):
        kept = np.arange(250) != i
        again = time_dependent_area(
            time[kept], event[kept], marker[kept], [3.0], rival=rival[kept], controls=controls
        )
        left.append(again[0].value)
    assert area.standard_error == pytest.approx(np.sqrt(249 * np.var(left)), rel=0.03)


def test_the_interval_covers_the_truth() -> None:
    """250 cohorts of 150 with a quarter censored by then; the truth from 200,000 uncensored patients."""
    time, event, rival, marker = followed(200_000, 3, censored=False)
    (truth,) = time_dependent_area(time, event, marker, [3.0], rival=rival)
    inside = 0
    for seed in range(250):
        time, event, rival, marker = followed(150, 100 + seed)
        (area,) = time_dependent_area(time, event, marker, [3.0], rival=rival)
        inside += area.low <= truth.value <= area.high
    assert inside >= 226  # a binomial of 250 and 0.95: 0.2 % below


def test_the_area_is_that_under_the_curve() -> None:
    time, event, rival, marker = followed(120, 4)
    for controls in ("everyone else", "event-free"):
        (area,) = time_dependent_area(time, event, marker, [4.0], rival=rival, controls=controls)
        curve = time_dependent_roc(time, event, marker, 4.0, rival=rival, controls=controls)
        under = np.trapezoid(curve.sensitivity, 1 - curve.specificity)
        assert under == pytest.approx(area.value, rel=1e-12)
        assert (curve.sensitivity[0], curve.specificity[0]) == (0, 1)
        assert curve.sensitivity[-1] == pytest.approx(1)
        assert np.all(np.diff(curve.threshold) < 0)


def test_a_landmark_compares_those_still_at_risk_with_the_marker_known_then() -> None:
    """By hand: shift the times, keep the living with a value."""
    time, event, rival, marker = followed(200, 5)
    known = np.stack((marker, np.where(np.arange(200) % 4 == 0, np.nan, marker + 0.1)), axis=1)
    found = landmark_area(time, event, known, [0.0, 1.5], 2.0, rival=rival)
    assert (found[0].at, found[0].n) == (0.0, 200)
    kept = (time > 1.5) & ~np.isnan(known[:, 1])
    (by_hand,) = time_dependent_area(time[kept] - 1.5, event[kept], known[kept, 1], [2.0], rival=rival[kept])
    assert (found[1].value, found[1].standard_error) == (by_hand.value, by_hand.standard_error)
    assert found[1].n == kept.sum()


def test_nobody_had_the_event_yet() -> None:
    (area,) = time_dependent_area([1, 2, 3, 4], [0, 1, 1, 0], [1, 2, 3, 4], [1.5])
    assert np.isnan([area.value, area.low, area.high]).all()
    assert (area.n_cases, area.n_controls, area.n_censored) == (0, 3, 1)
    with pytest.raises(ValueError, match="no case or no control"):
        time_dependent_roc([1, 2, 3, 4], [0, 1, 1, 0], [1, 2, 3, 4], 1.5)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="at = 9 is not inside follow-up, which ends at 4"):
        time_dependent_area([1, 2, 4], [1, 1, 0], [1, 2, 3], [9])
    with pytest.raises(ValueError, match=r"marker\[1\] = nan"):
        time_dependent_area([1, 2, 4], [1, 1, 0], [1, np.nan, 3], [3])
    with pytest.raises(ValueError, match=r"rival\[0\] and event\[0\] are both true"):
        time_dependent_area([1, 2, 4], [1, 1, 0], [1, 2, 3], [3], rival=[1, 0, 0])
    with pytest.raises(ValueError, match=r"risk\[2\] = 1.2"):
        brier_score([1, 2, 4], [1, 1, 0], [0.1, 0.5, 1.2], 3)


def test_brier_without_censoring_is_the_mean_square_and_the_shared_risk_the_share() -> None:
    time, event, rival, marker = followed(300, 6, censored=False)
    risk = 1 / (1 + np.exp(-marker))
    had = (time <= 3) & event
    score = brier_score(time, event, risk, 3.0, rival=rival)
    assert score.value == pytest.approx(np.mean((had - risk) ** 2), rel=1e-12)
    assert score.null_risk == pytest.approx(had.mean(), rel=1e-12)
    assert score.of_null == pytest.approx(had.mean() * (1 - had.mean()), rel=1e-12)
    assert score.accuracy == pytest.approx(1 - score.value / score.of_null)
    assert score.standard_error == pytest.approx(np.std((had - risk) ** 2, ddof=1) / np.sqrt(300), rel=1e-9)
