"""The digitised trial of the package IPDfromKM, reconstructed from its clicks and numbers at risk.

Source: `shared/data/survival/ipdfromkm_radiation_*` and, for what the R package makes of them,
`shared/reference/survival-and-roc.json`, key `ipd_radiation`. No number of events is given to either.

Numbers of events and at risk must be the same. The hazard ratio and its interval may differ by 0.003: both
follow the same clicks, with deaths at other clicks and censorings elsewhere in each interval. The medians may
differ by the clicks that stand at one half to within a reading step (24.6 to 25.6 months read 50.0 or 49.5).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.shared_data import shared
from troughline.evidence.reconstruct.algorithm import ArmPatients, reconstruct_arm
from troughline.evidence.reconstruct.clicks import CurveReading, ReadingStep, read_clicks
from troughline.evidence.reconstruct.error import reading_error
from troughline.evidence.reconstruct.result import compare
from troughline.evidence.reconstruct.risk_table import RiskTable, read_risk_table
from troughline.issues import Findings
from troughline.survival.kaplan_meier import kaplan_meier

ARMS = ("radio", "radioplus")
HAZARD_RATIO_TOLERANCE = 0.003


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return json.loads(shared("reference/survival-and-roc.json").read_text())["ipd_radiation"]


@pytest.fixture(scope="module")
def made() -> dict[str, tuple[CurveReading, RiskTable, ArmPatients]]:
    times = np.loadtxt(shared("data/survival/ipdfromkm_radiation_trisk.txt"))
    out: dict[str, tuple[CurveReading, RiskTable, ArmPatients]] = {}
    for arm in ARMS:
        clicks = np.loadtxt(shared(f"data/survival/ipdfromkm_radiation_{arm}.csv"), delimiter=",", skiprows=1)
        at_risk = np.loadtxt(shared(f"data/survival/ipdfromkm_radiation_nrisk.{arm}.txt"))
        found = Findings()
        step = ReadingStep(survival=0.005, time=0.6)
        curve = read_clicks(clicks[:, 0], clicks[:, 1] / 100, step=step, found=found)
        table = read_risk_table(times[: at_risk.size], at_risk, n=None, found=found)
        assert curve is not None
        assert table is not None
        out[arm] = (curve, table, reconstruct_arm(curve, table))
    return out


def test_events_are_those_of_ipdfromkm(made: dict[str, Any], reference: dict[str, Any]) -> None:
    assert (
        {arm: made[arm][2].n_events for arm in ARMS}
        == reference["events"]
        == {"radio": 134, "radioplus": 110}
    )
    assert [made[arm][2].time.size for arm in ARMS] == reference["n"] == [213, 211]


def test_numbers_at_risk_are_met_exactly(made: dict[str, Any]) -> None:
    for _, table, patients in made.values():
        (curve,) = kaplan_meier(patients.time, patients.event)
        assert curve.at_risk(table.time).tolist() == table.at_risk.tolist()


def test_the_hazard_ratio_is_that_of_ipdfromkm(made: dict[str, Any], reference: dict[str, Any]) -> None:
    (pair,) = compare([(arm, made[arm][2].time, made[arm][2].event) for arm in ARMS], level=0.95)
    (line,) = reference["hr"]
    assert line["exp(coef)"] == pytest.approx(0.717, abs=0.0005)
    for ours, theirs in (
        (pair.hazard_ratio, line["exp(coef)"]), (pair.low, line["lower .95"]), (pair.high, line["upper .95"]),
    ):  # fmt: skip
        assert ours == pytest.approx(theirs, abs=HAZARD_RATIO_TOLERANCE)


def test_medians_lie_among_the_clicks_at_one_half(made: dict[str, Any], reference: dict[str, Any]) -> None:
    for arm, line in zip(ARMS, reference["km"], strict=True):
        curve, _, patients = made[arm]
        near = curve.time[np.abs(curve.survival - 0.5) <= curve.step.survival]
        median = kaplan_meier(patients.time, patients.event)[0].median
        for value in (median, line["median"]):
            assert near.min() - curve.step.time <= value <= near.max() + curve.step.time
    first = made["radio"][2]
    assert kaplan_meier(first.time, first.event)[0].median == reference["km"][0]["median"]


def test_the_stated_error_is_half_a_death_at_most(made: dict[str, Any]) -> None:
    """One death among the last ten at risk makes a step of 0.03: no curve can lie nearer everywhere."""
    for curve, _, patients in made.values():
        error = reading_error(curve, patients)
        assert patients.worst < 1
        assert error.largest < 0.02
        assert error.mean < curve.step.survival
