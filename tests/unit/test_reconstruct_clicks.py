"""Clicks and numbers at risk: what is mended within the reading step, and one finding for what is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from troughline.evidence.reconstruct.clicks import CurveReading, ReadingStep, falling, read_clicks
from troughline.evidence.reconstruct.risk_table import RiskTable, intervals, read_risk_table
from troughline.issues import Findings, Severity

STEP = ReadingStep(survival=0.01, time=0.1)


def read(time: list[float], survival: list[float]) -> tuple[CurveReading | None, Findings]:
    found = Findings()
    rows = np.arange(2, len(time) + 2)
    return read_clicks(time, survival, step=STEP, found=found, file="clicks.csv", rows=rows), found


def codes(found: Findings, severity: Severity) -> list[str]:
    return [f.code for f in found if f.severity is severity]


def test_clicks_that_rise_within_a_step_are_pooled_and_said() -> None:
    curve, found = read([0, 1, 2, 3], [1.0, 0.800, 0.808, 0.6])
    assert curve is not None
    assert curve.survival.tolist() == pytest.approx([0.804, 0.804, 0.6])
    assert codes(found, Severity.NOTE) == ["clicks-pooled"]


def test_clicks_that_rise_by_more_are_one_error_with_row_and_values() -> None:
    curve, found = read([0, 1, 2, 3], [1.0, 0.80, 0.85, 0.6])
    assert curve is None
    (finding,) = found.errors
    assert (finding.code, finding.file, finding.row) == ("clicks-rise", "clicks.csv", 4)
    assert "0.8 at time 1 to 0.85 at time 2" in finding.message
    assert "0.01" in finding.message


def test_two_clicks_of_one_drop_in_the_wrong_order_are_put_right() -> None:
    curve, found = read([0, 1.00, 1.05, 3], [1.0, 0.80, 0.95, 0.6])
    assert curve is not None
    assert curve.survival.tolist() == [0.95, 0.80, 0.6]
    assert "drop-order" in codes(found, Severity.NOTE)


def test_a_missing_start_is_added_with_a_warning() -> None:
    curve, found = read([1, 2], [0.9, 0.8])
    assert curve is not None
    assert curve.time.tolist() == [1, 2]
    (warning,) = [f for f in found if f.severity is Severity.WARNING]
    assert warning.code == "start-added"
    assert "(0, 1)" in warning.message


def test_clicks_just_before_time_zero_count_as_its_drop() -> None:
    curve, found = read([-0.05, 1, 2], [0.97, 0.95, 0.8])
    assert curve is not None
    # The drop at the start lies half a reading step of time after it.
    assert curve.time[0] == pytest.approx(0.05)
    assert curve.survival[0] == pytest.approx(0.97)
    assert codes(found, Severity.WARNING) == ["start-added"]


@pytest.mark.parametrize(
    ("time", "survival", "code", "words"),
    [
        ([0, 1], [1.0, 1.2], "above-one", "cannot exceed 1"),
        ([0, 1, 2], [100.0, 90.0, 80.0], "above-one", "percent"),
        ([0, 1], [1.0, -0.2], "below-zero", "cannot be below 0"),
        ([-1.0, 1], [1.0, 0.9], "before-zero", "before time zero"),
        ([0, 1], [0.6, 0.5], "start-below-one", "starts at 1"),
        ([0, 1], [1.0, np.nan], "not-finite", "finite"),
        ([0], [1.0], "too-few-clicks", "at least 2"),
        ([], [], "too-few-clicks", "at least 2"),
        ([0, 0], [1.0, 0.95], "no-time", "after time zero"),
    ],
)
def test_what_cannot_be_a_curve_is_one_clear_finding(
    time: list[float], survival: list[float], code: str, words: str
) -> None:
    curve, found = read(time, survival)
    assert curve is None
    assert {f.code for f in found.errors} == {code}
    assert any(words in f.message for f in found.errors)


def test_many_bad_clicks_are_counted_not_listed() -> None:
    _, found = read([float(i) for i in range(50)], [1.0] + [2.0] * 49)
    assert len(found.errors) == 6
    assert "44 more" in found.errors[-1].message


def test_noise_on_a_flat_end_is_levelled() -> None:
    rng = np.random.default_rng(1)
    time = np.linspace(0, 20, 41)
    survival = np.maximum(1 - 0.06 * time, 0.4)
    survival[time > 11] += 0.004 * rng.uniform(-1, 1, int((time > 11).sum()))
    curve, _ = read(time.tolist(), survival.tolist())
    assert curve is not None
    assert np.ptp(curve.survival[curve.time > 11]) == 0


def test_falling_is_the_least_squares_fit() -> None:
    # Barlow 1972: the pooled value is the weighted mean of the block.
    fitted = falling(np.array([0.9, 0.5, 0.7, 0.6]), np.array([1.0, 3.0, 1.0, 1.0]))
    assert fitted.tolist() == pytest.approx([0.9, 0.56, 0.56, 0.56])


@pytest.mark.parametrize("step", [0.0, 0.3, -1.0])
def test_a_reading_step_has_limits(step: float) -> None:
    with pytest.raises(ValueError, match="reading step of survival"):
        ReadingStep(survival=step, time=1.0)


def table(time: list[Any], at_risk: list[Any], n: int | None = None) -> tuple[RiskTable | None, Findings]:
    found = Findings()
    rows = np.arange(2, len(time) + 2)
    return read_risk_table(time, at_risk, n=n, found=found, file="risk.csv", rows=rows), found


@pytest.mark.parametrize(
    ("time", "at_risk", "n", "code"),
    [
        ([0, 10], [50, 60], None, "risk-grows"),
        ([5, 10], [60, 50], 40, "risk-grows"),
        ([0, 10], [50, 40.5], None, "risk-count"),
        ([0, 10], [50, -1], None, "risk-count"),
        ([0, 0], [50, 40], None, "risk-order"),
        ([-1, 10], [50, 40], None, "risk-time"),
        ([5, 10], [50, 40], None, "risk-start"),
        ([0, 10], [50, 40], 60, "risk-n"),
        ([], [], None, "no-patients"),
        ([0, 10], [0, 0], None, "no-patients"),
    ],
)
def test_what_is_no_risk_table_is_one_clear_finding(
    time: list[Any], at_risk: list[Any], n: int | None, code: str
) -> None:
    made, found = table(time, at_risk, n)
    assert made is None
    assert [f.code for f in found.errors] == [code]


def test_a_risk_table_that_grows_names_its_row() -> None:
    _, found = table([0, 6, 12], [50, 30, 31])
    assert found.errors[0].row == 4
    assert "31 at risk at time 12 after 30 at time 6" in found.errors[0].message


def test_intervals_end_with_an_open_one_unless_nobody_is_left() -> None:
    made, _ = table([6, 12], [30, 20], 50)
    assert made is not None
    assert [(i.start, i.end, i.leaving, i.open) for i in intervals(made, 15.0)] == [
        (0, 6, 20, False), (6, 12, 10, False), (12, 15, 20, True),
    ]  # fmt: skip
    ended, _ = table([0, 12], [30, 0])
    assert ended is not None
    assert [i.open for i in intervals(ended, 15.0)] == [False]
