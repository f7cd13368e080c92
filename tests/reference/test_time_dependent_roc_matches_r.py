"""Time-dependent ROC areas and Brier scores agree with R's riskRegression.

Sources: `tests/reference/r/time_dependent_roc.json` (riskRegression 2022.11.28, the script beside it) and the
shared file. Areas and scores agree to 1e-10; standard errors to 2e-6 (areas) and 2e-5 (scores), where the
influence of the estimated censoring curve is summed at slightly different points. riskRegression's error of a
competing-risks area is right for the first cause only (with the cause coded 2 it is three times ours; the
jackknife gives ours to 1 %), so that the transplant, coded 1, is compared.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.reference.r_reference import PRINTED, close, from_r, table
from tests.shared_data import shared
from troughline.survival.prediction_error import brier_score
from troughline.survival.time_dependent_roc import time_dependent_area, time_dependent_area_difference

AT = (365.0, 1095.0, 1825.0)
EXACT = 1e-10


@pytest.fixture(scope="module")
def pbc() -> dict[str, np.ndarray]:
    return table("data/survival/survival_pbc.csv")


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return from_r("time_dependent_roc")


def test_area_matches_the_shared_values(pbc: dict[str, np.ndarray]) -> None:
    """Bilirubin and death or transplantation: area, error and interval at three times (eleven digits)."""
    stored = json.loads(shared("reference/survival-and-roc.json").read_text())
    areas = time_dependent_area(pbc["time"], pbc["status"] > 0, pbc["bili"], AT)
    for area, line in zip(areas, stored["pbc_time_dependent_roc_bili_riskRegression"], strict=True):
        assert area.at == line["times"]
        close(area.value, line["AUC"], PRINTED)
        close(area.standard_error, line["se"], 1e-6)
        close([area.low, area.high], [line["lower"], line["upper"]], 1e-6)


def test_two_markers_and_their_difference_match(pbc: dict[str, np.ndarray], expected: dict[str, Any]) -> None:
    markers = {"bili": pbc["bili"], "albumin": -pbc["albumin"]}
    for k, (name, marker) in enumerate(markers.items()):
        lines = expected["two"]["auc"][3 * k : 3 * k + 3]
        for area, line in zip(
            time_dependent_area(pbc["time"], pbc["status"] == 2, marker, AT), lines, strict=True
        ):
            assert line["model"] == name
            close(area.value, line["AUC"], EXACT)
            close(area.standard_error, line["se"], 2e-6)
    found = time_dependent_area_difference(
        pbc["time"], pbc["status"] == 2, markers["albumin"], markers["bili"], AT
    )
    for difference, line in zip(found, expected["two"]["difference"], strict=True):
        close(difference.value, line["delta.AUC"], EXACT)
        close(difference.standard_error, line["se"], 2e-6)
        close(difference.p_value, line["p"], 1e-5)


def test_area_with_competing_events_matches(pbc: dict[str, np.ndarray], expected: dict[str, Any]) -> None:
    """Controls are all without the event, riskRegression's definition."""
    death = time_dependent_area(pbc["time"], pbc["status"] == 2, pbc["bili"], AT, rival=pbc["status"] == 1)
    for area, line in zip(death, expected["competing"]["auc"], strict=True):
        close(area.value, line["AUC"], EXACT)
    transplant = time_dependent_area(
        pbc["time"], pbc["status"] == 1, pbc["bili"], AT, rival=pbc["status"] == 2
    )
    # Nobody was transplanted in the first year.
    assert np.isnan(transplant[0].value)
    assert transplant[0].n_cases == 0
    for area, line in zip(transplant[1:], expected["transplant"][1:], strict=True):
        close(area.value, line["AUC"], EXACT)
        close(area.standard_error, line["se"], 5e-6)


@pytest.mark.parametrize("key", ["alone", "competing"])
def test_brier_score_matches(pbc: dict[str, np.ndarray], expected: dict[str, Any], key: str) -> None:
    """Given risks, and the risk everybody shares."""
    rival = pbc["status"] == 1 if key == "competing" else None
    for k, at in enumerate(AT):
        risk = 1 / (1 + np.exp(2.5 - expected["risk_shift"][k] - 0.9 * np.log(pbc["bili"])))
        score = brier_score(pbc["time"], pbc["status"] == 2, risk, at, rival=rival)
        line = expected[key]["brier"][k]
        close(score.value, line["Brier"], EXACT)
        close(score.standard_error, line["se"], 2e-5)
        close(score.of_null, expected[key]["null"][k]["Brier"], EXACT)
