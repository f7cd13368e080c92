"""Every printed count is met exactly, no death is invented, and what contradicts is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.printed_curves import printed_arm, simulated_trial
from numpy.typing import ArrayLike

from troughline.evidence.reconstruct.algorithm import ArmPatients, ReconstructionError, reconstruct_arm
from troughline.evidence.reconstruct.clicks import CurveReading, ReadingStep, read_clicks
from troughline.evidence.reconstruct.error import read_again, reading_error
from troughline.evidence.reconstruct.risk_table import RiskTable, read_risk_table
from troughline.issues import Findings
from troughline.survival.kaplan_meier import kaplan_meier


def curve_of(time: ArrayLike, survival: ArrayLike, step: float = 0.005) -> CurveReading:
    found = Findings()
    longest = float(np.max(np.asarray(time)))
    steps = ReadingStep(survival=step, time=step * longest)
    curve = read_clicks(time, survival, step=steps, found=found)
    assert curve is not None, [f.line() for f in found]
    return curve


def table_of(time: ArrayLike, at_risk: ArrayLike) -> RiskTable:
    table = read_risk_table(time, at_risk, n=None, found=Findings())
    assert table is not None
    return table


def at_risk(patients: ArmPatients, times: ArrayLike) -> list[int]:
    return kaplan_meier(patients.time, patients.event)[0].at_risk(times).tolist()


def flat_tail() -> tuple[CurveReading, RiskTable]:
    """60 of 100 die by 12; nobody after; the others are censored up to 40. Read with noise."""
    rng = np.random.default_rng(3)
    time = np.concatenate([np.linspace(0.2, 12, 60), np.linspace(14, 40, 40)])
    event = np.arange(100) < 60
    (true,) = kaplan_meier(time, event)
    at = np.concatenate([[0], np.linspace(0.2, 12, 60), np.linspace(13, 40, 40)])
    survival = np.append(1.0, true.survival)[np.searchsorted(true.time, at, side="right")]
    noisy = survival + 0.002 * rng.uniform(-1, 1, at.size) * (survival < 1)
    risk = [0, 5, 10, 15, 20, 30, 40]
    return curve_of(at, noisy), table_of(risk, true.at_risk(risk))


@pytest.mark.parametrize("total", [None, 60])
def test_no_death_is_invented_on_a_flat_censored_tail(total: int | None) -> None:
    """Where the last clicks are level, nobody dies, whether the number of deaths is printed or not."""
    curve, table = flat_tail()
    made = reconstruct_arm(curve, table, total_events=total)
    assert made.time[made.event].max() < 12.5
    assert made.n_events == 60
    assert at_risk(made, table.time) == table.at_risk.tolist()


@pytest.mark.parametrize("total", [58, 59, 60, 61])
def test_events_and_numbers_at_risk_are_those_printed(total: int) -> None:
    curve, table = flat_tail()
    made = reconstruct_arm(curve, table, total_events=total)
    assert made.n_events == total
    assert made.time.size == 100
    assert at_risk(made, table.time) == table.at_risk.tolist()
    assert sum(made.events_by_interval) == total


@pytest.mark.parametrize("total", [30, 90])
def test_a_contradictory_number_of_events_is_refused_with_what_is_possible(total: int) -> None:
    curve, table = flat_tail()
    with pytest.raises(ReconstructionError, match=rf"^events = {total} c") as caught:
        reconstruct_arm(curve, table, total_events=total)
    assert any(str(possible) in str(caught.value) for possible in (59, 60, 61))


def test_a_total_that_one_interval_alone_can_meet_is_found() -> None:
    """The open interval has room for one death, so the closed one must take all that the curve leaves out.

    Found by a property test: 22 patients of whom 20 died, read to 0.001 and taken as read to 0.01.
    """
    fall = [1, 0.955, 0.909, 0.864, 0.818, 0.773, 0.727, 0.682, 0.636, 0.591, 0.545, 0.5, 0.455, 0.409, 0.364]
    fall += [0.318, 0.265, 0.212, 0.159, 0.08, 0, 0]
    when = [0, 0.05, 0.05, 0.2, 0.3, 0.6, 0.75, 0.75, 0.85, 1.3, 1.55, 1.7, 2.05, 2.45, 2.65, 2.8, 4.8, 5.35]
    when += [5.7, 5.85, 7.95, 7.95]
    curve = read_clicks(when, fall, step=ReadingStep(survival=0.01, time=0.05), found=Findings())
    assert curve is not None
    made = reconstruct_arm(curve, table_of([0, 6], [22, 1]), total_events=20)
    assert made.n_events == 20
    assert at_risk(made, [0, 6]) == [22, 1]


def test_more_events_than_patients_are_refused() -> None:
    curve, table = flat_tail()
    with pytest.raises(ReconstructionError, match="there are 100 patients"):
        reconstruct_arm(curve, table, total_events=101)


def test_patients_come_back_exactly_from_an_exact_curve() -> None:
    """Step heights to 1e-6 and the table alone determine every death and, where they fall, the censorings."""
    rng = np.random.default_rng(8)
    death, lost = rng.exponential(10, 80), rng.uniform(2, 20, 80)
    time, event = np.minimum(death, lost), death <= lost
    arm = printed_arm(time, event, step=1e-6, step_time=1e-6, every=4.0)
    made = reconstruct_arm(
        curve_of(arm.click_time, arm.click_survival, 1e-5), table_of(arm.risk_time, arm.at_risk)
    )
    assert made.time[made.event] == pytest.approx(np.sort(time[event]), abs=1e-6)
    (true,), (got,) = kaplan_meier(time, event), kaplan_meier(made.time, made.event)
    at_deaths = np.sort(time[event]) - 1e-5
    assert got.at_risk(at_deaths).tolist() == true.at_risk(at_deaths).tolist()


def test_censorings_lie_at_the_printed_ticks() -> None:
    time = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    event = np.array([1, 0, 1, 0, 1, 1, 0, 1, 0, 0], dtype=bool)
    (true,) = kaplan_meier(time, event)
    made = reconstruct_arm(
        curve_of(np.append(0, true.time), np.append(1, true.survival)),
        table_of([0, 4, 8], true.at_risk([0, 4, 8])),
        ticks=time[~event].tolist(),
    )
    assert made.time.tolist() == time.tolist()
    assert made.event.tolist() == event.tolist()


def test_more_ticks_than_leaving_patients_are_refused() -> None:
    curve = curve_of([0, 2, 8, 10], [1.0, 0.9, 0.8, 0.8])
    with pytest.raises(ReconstructionError, match="censoring ticks between 0 and 5"):
        reconstruct_arm(curve, table_of([0, 5], [10, 9]), ticks=[1.0, 2.0, 3.0])


def test_everybody_dies_where_the_curve_reaches_zero() -> None:
    curve = curve_of([0, 1, 2, 3, 4, 5], [1, 0.8, 0.6, 0.4, 0.2, 0.0])
    made = reconstruct_arm(curve, table_of([0], [5]))
    assert made.time.tolist() == [1, 2, 3, 4, 5]
    assert made.event.all()


def test_a_curve_that_never_falls_has_no_deaths() -> None:
    made = reconstruct_arm(curve_of([0, 10], [1.0, 1.0]), table_of([0, 5], [20, 11]))
    assert made.n_events == 0
    assert at_risk(made, [0, 5]) == [20, 11]


def test_without_a_risk_table_the_events_shape_the_censoring() -> None:
    """Fewer events for the same curve mean earlier censoring; both are met."""
    curve = curve_of(np.linspace(0, 10, 41), np.exp(-0.1 * np.linspace(0, 10, 41)))
    followed: list[float] = []
    for total in (35, 55):
        made = reconstruct_arm(curve, table_of([0], [100]), total_events=total)
        assert made.n_events == total
        # Nowhere farther from the clicks than a reading step and half the step of one death.
        assert made.worst < 1
        followed.append(float(made.time.mean()))
    assert followed[0] < followed[1]


def test_the_error_is_the_distance_from_the_clicks_as_given() -> None:
    curve = curve_of([0, 1, 2, 3], [1.0, 0.9, 0.8, 0.8])
    patients: dict[str, Any] = {"click_survival": np.empty(0), "worst": 0.0, "worst_interval": None}
    made = ArmPatients(
        time=np.array([1.0] + [3.0] * 9),
        event=np.array([True] + [False] * 9),
        events_by_interval=(1,),
        **patients,
    )
    error = reading_error(curve, made)
    assert (error.largest, error.at_time) == (pytest.approx(0.1), 2.0)
    assert error.mean == pytest.approx(0.05)


def test_reading_again_is_keyed_and_stays_within_half_a_step() -> None:
    arm = simulated_trial(4)[0]
    curve = curve_of(arm.click_time, arm.click_survival)
    first, again = (read_again(curve, np.random.default_rng((7, 0, 0))) for _ in range(2))
    assert first.survival.tolist() == again.survival.tolist()
    assert np.all(np.diff(first.survival) <= 0)
    assert np.abs(np.interp(curve.time, first.time, first.survival) - curve.survival).max() < 0.05
    other = read_again(curve, np.random.default_rng((7, 1, 0)))
    assert first.survival.tolist() != other.survival.tolist()
