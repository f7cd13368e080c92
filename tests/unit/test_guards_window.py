"""Guards about windows: cuts that cross, and bounds too wide to be two numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from benchmarks.cohorts import clean_cohort, cohort_with_trap, draw_truth, judge, question, records

from troughline.response.case import Case, Interval
from troughline.response.guards import REGISTRY
from troughline.response.guards.registry import Fired
from troughline.results import GuardFinding, GuardSeverity, QuestionResult


@cache
def judged(which: str) -> tuple[QuestionResult, Case]:
    """Each window is fitted once; the tests read different things in it."""
    rng = np.random.default_rng(2)
    makers: dict[str, Callable[[], object]] = {
        "clean": lambda: clean_cohort(74, rng, "window"),
        "crossed": lambda: cohort_with_trap("incoherent-window", 74, rng),
        "open": lambda: cohort_with_trap("wide-window", 74, rng),
    }
    return judge(makers[which]())  # type: ignore[arg-type]


def finding(which: str, guard_id: str) -> GuardFinding | None:
    return next((g for g in judged(which)[0].guards if g.id == guard_id), None)


def rule(guard_id: str, **measured: object) -> Fired | None:
    """The rule alone, on a window whose numbers are set by hand."""
    _, case = judged("clean")
    before = {name: getattr(case.measured, name) for name in measured}
    try:
        for name, value in measured.items():
            setattr(case.measured, name, value)
        return REGISTRY[guard_id].rule(case)
    finally:
        for name, value in before.items():
            setattr(case.measured, name, value)


def between(low: float | None, high: float | None) -> Interval:
    return Interval(value=2.0, low=low, high=high)


def test_incoherent_window_fires_with_both_cuts() -> None:
    found = finding("crossed", "incoherent-window")
    measured = judged("crossed")[1].measured
    assert found is not None
    assert measured.window_lower_published is not None
    assert measured.window_upper_published is not None
    assert measured.window_lower_published >= measured.window_upper_published
    assert f"cut for benefit ({measured.window_lower_published:.2f})" in found.finding
    assert f"cut for toxicity ({measured.window_upper_published:.2f})" in found.finding


def test_incoherent_window_is_silent_where_the_lower_cut_is_lower() -> None:
    assert finding("clean", "incoherent-window") is None
    assert rule("incoherent-window", window_lower_published=1.4, window_upper_published=3.45) is None


def test_wide_window_fires_for_an_open_bound() -> None:
    found = finding("open", "wide-window")
    bound = judged("open")[0].estimate("window_lower")
    assert found is not None
    assert bound.low is None
    assert "unbounded below" in found.finding


def test_wide_window_fires_and_refuses_where_a_window_probably_does_not_exist() -> None:
    result, case = judged("crossed")
    found = finding("crossed", "wide-window")
    assert found is not None
    assert case.measured.p_window_exists is not None
    assert case.measured.p_window_exists < 0.5
    assert found.severity is GuardSeverity.REFUSAL
    assert result.verdict == "refused"


def test_wide_window_is_silent_where_both_bounds_are_known_within_a_factor_of_two() -> None:
    measured = judged("clean")[1].measured
    assert finding("clean", "wide-window") is None
    for bound in (measured.window_lower, measured.window_upper):
        assert bound is not None
        assert bound.ratio is not None
        assert bound.ratio <= 2


@pytest.mark.parametrize(
    ("lower", "upper", "exists", "severity"),
    [
        (between(1.5, 2.9), between(3.0, 5.9), 0.99, None),
        (between(1.5, 3.1), between(3.0, 5.9), 0.99, GuardSeverity.CAUTION),
        (between(1.5, 2.9), between(3.0, None), 0.99, GuardSeverity.CAUTION),
        (between(1.5, 2.9), between(3.0, 5.9), 0.94, GuardSeverity.CAUTION),
        (between(1.5, 2.9), between(3.0, 5.9), 0.49, GuardSeverity.REFUSAL),
    ],
)
def test_a_factor_of_two_and_a_probability_of_95_are_the_limits(
    lower: Interval, upper: Interval, exists: float, severity: GuardSeverity | None
) -> None:
    fired = rule("wide-window", window_lower=lower, window_upper=upper, p_window_exists=exists)
    assert (fired.severity if fired else None) == severity


def test_a_window_of_26_patients_is_wide_and_says_how_many_would_halve_it() -> None:
    """At n = 26 the interval of the upper bound spans a factor of 7.6 at these slopes (simulated)."""
    rng = np.random.default_rng(26)
    limits = {"benefit_at_least": 0.5, "toxicity_at_most": 0.4}
    truth = draw_truth(26, rng, benefit_even=1.8, toxicity_even=3.2)
    cohort = records(truth, rng).cohort([question("window", limits=limits, adjust=[])])
    result, case = judge(cohort)
    found = next(g for g in result.guards if g.id == "wide-window")
    assert found.severity is not GuardSeverity.NOTE
    assert result.verdict in ("answered with caution", "refused")
    assert case.measured.n_to_halve is None or case.measured.n_to_halve > 26
