"""What a policy does: steps, caps, reductions, doses in slots, records, the preferred regimen."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.policy_sample import TOXICITY, setup
from troughline.dosing.limits import Limits
from troughline.dosing.policy.course import HELD, STOPPED, Course
from troughline.dosing.policy.dose_rules import chosen_as_dose
from troughline.dosing.policy.doses import course_records, occasion_of_slot, occasion_of_time, prescribe
from troughline.dosing.policy.informed import POINTS, preferred, probabilities, sequence
from troughline.dosing.policy.outcomes import outcomes_of
from troughline.dosing.policy.population import draw_patients
from troughline.dosing.policy.rules import stepped
from troughline.dosing.policy.truth import daily_metric
from troughline.dosing.regimen import Regimen


def _regimen(identifier: str, *amounts: float, interval_h: float) -> Regimen:
    return Regimen(id=identifier, label=identifier, amounts_mg=amounts, interval_h=interval_h)


TWICE, DAILY = _regimen("twice", 400.0, interval_h=12.0), _regimen("daily", 400.0, interval_h=24.0)
RARE, MIXED = _regimen("rare", 400.0, interval_h=48.0), _regimen("mixed", 400.0, 200.0, interval_h=12.0)
HOLD = 7
LADDER = (RARE, DAILY, MIXED, TWICE)


def test_regimens_fill_the_slots_of_half_a_day() -> None:
    """400 mg every other day from slot 2, 400 and 200 mg in turn from slot 1; what lies before stays."""
    amounts = np.full((2, 8), 7.0)
    prescribe(amounts, np.array([0]), RARE, np.array([2]))
    prescribe(amounts, np.array([1]), MIXED, np.array([1]))
    assert amounts[0].tolist() == [7, 7, 400, 0, 0, 0, 400, 0]
    assert amounts[1].tolist() == [7, 400, 200, 400, 200, 400, 200, 400]
    prescribe(amounts, np.array([0, 1]), None, np.array([4, 6]))
    assert amounts[0].tolist() == [7, 7, 400, 0, 0, 0, 0, 0]
    assert amounts[1].tolist() == [7, 400, 200, 400, 200, 400, 0, 0]


def test_an_occasion_ends_with_the_night_after_its_visit() -> None:
    """Visit on day 2: slots of days 0 to 2 are the first occasion; the morning after still shows it."""
    assert occasion_of_slot((2,), 8).tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    assert occasion_of_time((2,), np.array([48.0, 72.0, 72.1])).tolist() == [0, 0, 1]


def test_a_level_at_the_time_of_a_dose_is_that_before_it() -> None:
    """Records are in order of time, observations before doses; doses from the last moment on are left out."""
    records, places = course_records(
        ["a", "b"], np.array([[400.0, 0.0, 400.0], [0.0, 200.0, 400.0]]), 24.0,
        np.array([[0.0, 24.0], [24.0, np.nan]]), visit_days=(5,), covariates=np.zeros((2, 1)), output=0,
    )  # fmt: skip
    assert records.first.tolist() == [0, 3, 5]
    assert records.time_h.tolist() == [0.0, 0.0, 24.0, 12.0, 24.0]
    assert records.event.tolist() == [0, 1, 0, 1, 0]
    assert records.amount_mg.tolist() == [0.0, 400.0, 0.0, 200.0, 0.0]
    assert places.tolist() == [[0, 2], [4, -1]]


@pytest.mark.parametrize(
    ("level", "cap", "directions", "expected"),
    [
        (1.0, np.inf, "both", TWICE), (2.0, np.inf, "both", MIXED), (9.0, np.inf, "both", DAILY),
        (1.0, 600.0, "both", MIXED), (1.0, np.inf, "down", MIXED), (9.0, np.inf, "up", MIXED),
        (np.nan, np.inf, "both", MIXED),
    ],
)  # fmt: skip
def test_a_threshold_policy_takes_one_step(
    level: float, cap: float, directions: str, expected: Regimen
) -> None:
    """From 600 mg daily: up below 1.4, down above 3.45, not above a cap, and only where it may."""
    made = stepped(
        np.array([level]), np.array([2]), np.array([cap]), low=1.4, high=3.45, ladder=LADDER,
        regimens=LADDER, directions=directions,
    )  # fmt: skip
    assert LADDER[made[0]] is expected


def test_steps_end_at_the_ends_of_the_ladder() -> None:
    """No step above the highest dose, none below the lowest."""
    made = stepped(
        np.array([0.1, 9.0]), np.array([3, 0]), np.full(2, np.inf), low=1.4, high=3.45, ladder=LADDER,
        regimens=LADDER, directions="both",
    )  # fmt: skip
    assert made.tolist() == [3, 0]


def test_the_preferred_regimen_has_the_best_score_within_the_cap() -> None:
    """It moves for a gain of 0.05, stays for less, and leaves a regimen above the cap in any case."""
    score = np.array([[0.1, 0.3, 0.5, 0.4], [0.1, 0.3, 0.43, 0.4], [0.1, 0.2, 0.9, 0.9]])
    chosen, p_in = preferred(
        score, score, np.full(3, 800.0), np.array([np.inf, np.inf, 500.0]), LADDER, current=[TWICE] * 3,
        least_gain=0.05,
    )  # fmt: skip
    assert chosen.tolist() == [2, -1, 1]
    assert p_in.tolist() == [0.5, 0.4, 0.2]
    other, nobody = _regimen("other", 300.0, interval_h=12.0), np.full(1, 100.0)
    chosen, _ = preferred(
        score[:1], score[:1], np.full(1, 600.0), np.full(1, np.inf), LADDER, current=[other], least_gain=0.05
    )
    assert chosen.tolist() == [2]
    chosen, p_in = preferred(score[:1], score[:1], nobody, nobody, LADDER, current=[other], least_gain=0.05)
    assert chosen.tolist() == [-1]
    assert np.isnan(p_in).all()


def test_probabilities_are_those_of_the_lognormal() -> None:
    """Values at the sequence's points of a log-normal give its own P(below) and P(above), within 0.02."""
    from scipy.stats import norm

    points = sequence(3)
    assert points.shape == (POINTS, 3)
    values = np.exp(0.7 + 0.5 * points[:, 1])[None, None, :]
    below, inside, above = probabilities(values, 1.4, 3.45)
    assert below[0, 0] == pytest.approx(norm.cdf((np.log(1.4) - 0.7) / 0.5), abs=0.02)
    assert above[0, 0] == pytest.approx(norm.sf((np.log(3.45) - 0.7) / 0.5), abs=0.02)
    assert below + inside + above == pytest.approx(1.0)
    open_below, _, open_above = probabilities(values, 0.0, np.inf)
    assert open_below[0, 0] == open_above[0, 0] == 0.0


def test_the_trough_of_a_rare_regimen_is_that_before_its_dose() -> None:
    """Mornings 2, 1, 2, 1 of 400 mg every other day: the trough is 1 on each day, the peak 5."""
    morning, peak = np.array([[2.0, 1.0, 2.0, 1.0]]), np.array([[2.0, 5.0, 2.0, 5.0]])
    rare, daily = np.full((1, 4), 48.0), np.full((1, 4), 24.0)
    assert daily_metric(morning, peak, rare, "trough").tolist() == [[1, 1, 1, 1]]
    assert daily_metric(morning, peak, rare, "cmax").tolist() == [[5, 5, 5, 5]]
    assert daily_metric(morning, peak, daily, "trough").tolist() == morning.tolist()


def _course(kind: str, **changes: object) -> Course:
    made = setup(toxicity=TOXICITY, policy=[{"id": kind, "kind": kind, **changes}])
    return Course(made, draw_patients(made), made.policies[0])


def test_severe_toxicity_holds_then_takes_the_labels_next_dose() -> None:
    """400 mg twice daily → held 7 days → 400 mg daily → every other day → stopped; never above again."""
    course = _course("label")
    row = np.array([0])
    for day, after in ((10, "400-qd"), (30, "400-qod")):
        course.toxicity(row, np.array([day]), np.array([5.0]), hold_days=HOLD)
        assert course.day_regimen[0, day : day + 7].tolist() == [HELD] * 7
        assert course.regimens[course.current[0]].id == after
        assert course.amounts[0, 2 * day : 2 * (day + 7)].sum() == 0
        assert course.cap_mg[0] == course.daily[course.current[0]]
        assert 0 not in course.open_at(day + 6)
        assert 0 in course.open_at(day + 7)
    course.toxicity(row, np.array([50]), np.array([5.0]), hold_days=HOLD)
    assert course.stopped[0]
    assert course.day_regimen[0, 50:].tolist() == [STOPPED] * 35
    assert course.amounts[0, 100:].sum() == 0
    assert course.reduced[0] == 2
    assert course.event_day[0, :3].tolist() == [10, 30, 50]


def test_a_fixed_policy_holds_and_takes_the_same_dose_again() -> None:
    """`fixed` is not reduced."""
    course = _course("fixed")
    course.toxicity(np.array([0]), np.array([10]), np.array([5.0]), hold_days=HOLD)
    assert course.regimens[course.current[0]].id == "400-bid"
    assert course.amounts[0, 20:34].sum() == 0
    assert course.amounts[0, 34] == 400.0
    assert course.cap_mg[0] == np.inf


def test_reductions_may_be_those_of_practice() -> None:
    """Own reductions instead of the label's, highest first."""
    course = _course("label", reductions=["200-bid", "400-200"])
    course.toxicity(np.array([0]), np.array([10]), np.array([5.0]), hold_days=HOLD)
    assert course.regimens[course.current[0]].id == "400-200"


def _at_lowest(lowest: str) -> Course:
    """A model policy that a level has brought to 400 mg every other day, then the first severe toxicity."""
    course = _course("model", lowest=lowest)
    row = np.array([0])
    place = next(k for k, r in enumerate(course.regimens) if r.id == "400-qod")
    course.change(row, np.array([place]), 15)
    course.toxicity(row, np.array([30]), np.array([5.0]), hold_days=7)
    return course


def test_steps_count_from_the_dose_in_force() -> None:
    """Brought to the label's last step by level, the first severe toxicity ends treatment."""
    course = _at_lowest("stop")
    assert course.stopped[0]
    assert course.reduced[0] == 0
    found = outcomes_of(course)
    assert (found.stopped[0], found.stopped_first[0]) == (1.0, 1.0)


def test_on_the_lowest_dose_treatment_may_be_held_and_resumed() -> None:
    """`lowest = "hold"`: seven days without a dose, then the same one; no reduction is counted."""
    course = _at_lowest("hold")
    assert not course.stopped[0]
    assert course.reduced[0] == 0
    assert course.amounts[0, 60:74].sum() == 0
    assert course.regimens[course.current[0]].id == "400-qod"
    assert course.amounts[0, 74] == 400.0
    assert outcomes_of(course).stopped_first[0] == 0.0


def _as_dose(values: list[float], current: Regimen, cap: float = np.inf, limits: Limits | None = None) -> int:
    spread = np.exp(0.4 * sequence(1)[:, 0])
    one = np.array(values)[None, :, None] * spread
    given = limits or Limits(metric="trough", low=1.4, high=3.45)
    return int(chosen_as_dose(one, given, LADDER, current=[current], cap_mg=np.array([cap]))[0])


def test_the_rules_of_dose_leave_what_is_not_told_apart() -> None:
    """Medians of 2.2 and 2.0 mg/L do equally well, so either stays; one far above is left for the best."""
    assert _as_dose([0.6, 1.1, 2.0, 2.2], TWICE) == -1
    assert _as_dose([0.6, 1.1, 2.0, 2.2], MIXED) == -1
    assert _as_dose([0.6, 2.2, 4.5, 6.0], TWICE) == 1


def test_the_rules_of_dose_take_the_nearest_where_nothing_reaches() -> None:
    """All far above: the lowest; all far below: the highest that a cap leaves."""
    assert _as_dose([9.0, 12.0, 18.0, 24.0], TWICE) == 0
    assert _as_dose([0.1, 0.2, 0.3, 0.4], DAILY) == 3
    assert _as_dose([0.1, 0.2, 0.3, 0.4], DAILY, cap=600.0) == 2


def test_uncertain_limits_move_less() -> None:
    """A lead that exact limits show is none where each limit is uncertain by a factor of two."""
    exact = Limits(metric="trough", low=1.4, high=3.45)
    loose = Limits(metric="trough", low=1.4, high=3.45, low_interval=(0.7, 2.8), high_interval=(1.725, 6.9))
    values = [0.6, 2.1, 2.8, 3.0]
    assert _as_dose(values, TWICE, limits=exact) == 1
    assert _as_dose(values, TWICE, limits=loose) == -1


def test_a_published_window_is_as_uncertain_as_for_one_patient() -> None:
    """The policy `dose` takes Noda's limits with the intervals that `troughline dose` gives them."""
    made = setup(policy=[{"id": "dose", "kind": "model", "criterion": "dose"}])
    assert made.limits.low == pytest.approx(made.low_mg_per_l)
    low, high = made.limits.low_interval, made.limits.high_interval
    assert low is not None
    assert high is not None
    assert low[0] < 1.4 < low[1]
    assert high[0] < 3.45 < high[1]
    assert setup(target={"low": 1, "high": 2, "unit": "mg/L", "source": "x"}).limits.uncertain is False
    world = Course(made, draw_patients(made), made.policies[0]).world
    assert len(world.spec.subject_effects) > len(made.truth.spec.subject_effects)


def test_points_without_a_steady_state_are_left_out() -> None:
    """Two of 32 points unknown: probabilities and the choice are those of the other 30."""
    values = np.array([2.2, 4.5, 6.0, 8.0])[None, :, None] * np.exp(0.4 * sequence(1)[:, 0])
    holed = values.copy()
    holed[0, 2, 5] = holed[0, 0, 9] = np.nan
    rest = np.delete(values, [5, 9], axis=2)
    limits = Limits(metric="trough", low=1.4, high=3.45)
    whole, part = (
        chosen_as_dose(v, limits, LADDER, current=[TWICE], cap_mg=np.full(1, np.inf)) for v in (rest, holed)
    )
    assert whole.tolist() == part.tolist() == [0]
    assert probabilities(holed, 1.4, 3.45)[1][0, 1] == pytest.approx(
        probabilities(values, 1.4, 3.45)[1][0, 1]
    )
    one = np.delete(values, 5, axis=2)
    assert probabilities(holed, 1.4, 3.45)[1][0, 2] == pytest.approx(probabilities(one, 1.4, 3.45)[1][0, 2])
