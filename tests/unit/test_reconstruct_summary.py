"""Patients from a printed summary: what is printed comes back, and contradictions are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from troughline.evidence.reconstruct.summary import (
    ArmSummary,
    Printed,
    Summary,
    SummaryError,
    reconstruct_summary,
)
from troughline.survival.cox import fit_cox


def summary(**changes: Any) -> Summary:
    """Two invented arms of 200; the medians and the ratio are those of a Weibull of shape 1.25."""
    values: dict[str, Any] = {
        "arms": (
            ArmSummary(name="control", n=200, median=Printed(value=8.0, half=0.05)),
            ArmSummary(name="treated", n=200, median=Printed(value=11.0, half=0.05)),
        ),
        "hazard_ratio": Printed(value=0.67, half=0.005),
        "events": 250,
    }
    return Summary(**{**values, **changes})


def test_medians_hazard_ratio_and_events_come_back_as_printed() -> None:
    made = reconstruct_summary(summary(accrual=12.0))
    assert all(misses <= 1 for misses in made.misses.values())
    assert sum(int(e.sum()) for e in made.events) == 250
    assert [t.size for t in made.times] == [200, 200]
    assert made.hazard_ratio is not None
    assert round(made.hazard_ratio.hazard_ratio, 2) == 0.67
    assert [round(c.median, 1) for c in made.curves] == [8.0, 11.0]
    assert all(np.all(t > 0) for t in made.times)
    assert made.shape == pytest.approx(np.log(1 / 0.67) / np.log(11 / 8), rel=0.05)


def test_nothing_is_random() -> None:
    first, again = reconstruct_summary(summary()), reconstruct_summary(summary())
    assert all(a.tolist() == b.tolist() for a, b in zip(first.times, again.times, strict=True))


def test_time_in_another_unit_changes_nothing_else() -> None:
    months = reconstruct_summary(summary(accrual=12.0))
    factor = 30.4375
    arms = tuple(
        ArmSummary(
            name=a.name, n=a.n, median=Printed(value=a.median.value * factor, half=a.median.half * factor)
        )
        for a in summary().arms
    )
    days = reconstruct_summary(summary(arms=arms, accrual=12.0 * factor))
    for a, b, e, f in zip(months.times, days.times, months.events, days.events, strict=True):
        assert b == pytest.approx(a * factor, rel=1e-6)
        assert e.tolist() == f.tolist()


def test_events_follow_from_the_interval_where_they_are_not_printed() -> None:
    """Printed from data with 250 events; the interval alone must bring back about as many."""
    true = reconstruct_summary(summary(accrual=12.0))
    term = true.hazard_ratio
    assert term is not None
    printed = Printed(
        value=round(term.hazard_ratio, 2), half=0.005, low=round(term.low, 2), high=round(term.high, 2)
    )
    made = reconstruct_summary(summary(hazard_ratio=printed, events=None, accrual=12.0))
    assert made.events_from == "interval"
    assert sum(int(e.sum()) for e in made.events) == pytest.approx(250, rel=0.06)
    assert all(misses <= 1.5 for misses in made.misses.values())
    assert any("interval implies" in words for words in made.assumptions)


def test_events_of_each_arm_are_met() -> None:
    arms = (
        ArmSummary(name="a", n=150, median=Printed(value=5.0, half=0.05), events=120),
        ArmSummary(name="b", n=100, median=Printed(value=7.0, half=0.05), events=70),
    )
    made = reconstruct_summary(summary(arms=arms, events=None, hazard_ratio=Printed(value=0.7, half=0.005)))
    assert [int(e.sum()) for e in made.events] == [120, 70]


def test_follow_up_without_accrual_is_kept() -> None:
    made = reconstruct_summary(summary(follow_up=20.0))
    assert made.follow_up == 20.0
    assert max(float(t.max()) for t in made.times) <= 20.0
    assert 0 < made.accrual < 20.0


def test_one_arm_is_an_exponential_with_its_median() -> None:
    one = Summary(arms=(ArmSummary(name="a", n=80, median=Printed(value=6.3, half=0.05)),), events=60)
    made = reconstruct_summary(one)
    assert made.hazard_ratio is None
    assert made.shape == 1.0
    assert round(made.curves[0].median, 1) == 6.3
    assert int(made.events[0].sum()) == 60


def test_a_hazard_ratio_above_one_goes_with_a_shorter_median() -> None:
    turned = tuple(reversed(summary().arms))
    made = reconstruct_summary(summary(arms=turned, hazard_ratio=Printed(value=1.49, half=0.005)))
    assert made.misses["hazard ratio"] <= 1
    code = np.repeat([0.0, 1.0], 200)[:, np.newaxis]
    fit = fit_cox(np.concatenate(made.times), np.concatenate(made.events), code, ["arm"])
    assert fit.terms[0].hazard_ratio == pytest.approx(1.49, abs=0.005)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"events": 401}, "401 events among 400 patients"),
        ({"hazard_ratio": Printed(value=1.4, half=0.05)}, "contradict each other"),
        ({"hazard_ratio": Printed(value=0.1, half=0.005)}, "Weibull shape of 7.2"),
        ({"events": None}, "number of events is needed"),
        (
            {"events": None, "hazard_ratio": Printed(value=0.67, half=0.005, low=0.62, high=0.72)},
            "400 patients",
        ),
        ({"hazard_ratio": Printed(value=0.67, half=0.005, low=0.7, high=0.9)}, "does not lie within"),
        ({"hazard_ratio": Printed(value=0.0, half=0.005)}, "must be above 0"),
        ({"hazard_ratio": None}, "need a hazard ratio"),
        ({"events": 20, "accrual": 30.0}, "have happened when accrual"),
        ({"accrual": 30.0, "follow_up": 20.0}, "exceeds follow_up"),
        ({"accrual": -1.0}, "accrual is -1"),
        ({"events": 390, "follow_up": 10.0}, "do not fit a follow_up of 10"),
    ],
)
def test_a_contradictory_summary_is_refused_in_one_line(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SummaryError, match=words) as caught:
        reconstruct_summary(summary(**changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("ratio", "words"), [(0.8, "Weibull shape of inf"), (0.9, "hazard ratio is missed by")]
)
def test_equal_medians_with_another_hazard_are_refused(ratio: float, words: str) -> None:
    arms = tuple(ArmSummary(name=name, n=100, median=Printed(value=5.0, half=0.05)) for name in "ab")
    with pytest.raises(SummaryError, match=words):
        reconstruct_summary(summary(arms=arms, events=150, hazard_ratio=Printed(value=ratio, half=0.005)))


def test_more_events_in_an_arm_than_patients_are_refused() -> None:
    arms = (ArmSummary(name="a", n=10, median=Printed(value=5.0, half=0.05), events=12),)
    with pytest.raises(SummaryError, match="'a': 12 events among 10 patients"):
        reconstruct_summary(Summary(arms=arms))
