"""Targets from a study's results: which limit, its interval, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dose_sample import table
from troughline.dosing.limits import Limits
from troughline.dosing.patient_file import patient_from
from troughline.dosing.result import TargetResult
from troughline.dosing.target import target_of
from troughline.issues import Findings


def estimate(name: str, method: str, value: Any, low: Any = None, high: Any = None) -> dict[str, Any]:
    return {
        "name": name, "method": method, "value": value, "low": low, "high": high, "unit": "ug/mL", "n": 60,
    }  # fmt: skip


def question(kind: str, label: str = "sorafenib trough", outcome: str = "grade 3 or more") -> dict[str, Any]:
    """A question of each kind: a window of 1.5 to 3, a cut of 3 (2 to 4), a curve from 0.1 to 0.9."""
    line = {
        "label": label, "outcome_label": outcome, "unit": "ug/mL", "exposure": [1.0, 2.0, 3.0, 4.0, 5.0],
        "mean": [0.1, 0.3, 0.5, 0.7, 0.9], "low": [0.0, 0.1, 0.3, 0.5, 0.7],
        "high": [0.3, 0.5, 0.7, 0.9, 1.0],
    }  # fmt: skip
    series: dict[str, Any] = {"label": label}
    estimates: list[dict[str, Any]] = []
    cuts = "guarded: cuts within sampling error of the largest Youden index"
    if kind == "curve":
        series = {"curve": line}
    if kind == "threshold":
        series = {"distribution": line}
        estimates = [
            estimate("threshold", "as-published: youden", 3.0),
            estimate("threshold", cuts, None, 2, 4),
        ]
    if kind == "window":
        estimates = [
            estimate("window_lower", "guarded: joint posterior", 1.5, 1.0, 2.0),
            estimate("window_upper", "guarded: joint posterior", 3.0, 2.5, 4.0),
            estimate("p_window_exists", "guarded: joint posterior", 0.8),
        ]
    return {"id": "q", "kind": kind, "verdict": "answered", "series": series, "estimates": estimates}


def read(
    folder: Path, contents: dict[str, Any], *, drug: str = "sorafenib", **entry: Any
) -> tuple[tuple[Limits, TargetResult] | None, Findings]:
    study = {"title": "A study", "drug": drug, "simulated": False, "level": 0.95}
    file = folder / "results.json"
    file.write_text(json.dumps({"study": study, "questions": [contents]}), encoding="utf-8")
    patient, found = patient_from(table(target={"study": str(file), "question": "q", **entry}))
    assert patient is not None, [f.line() for f in found]
    found = Findings()
    return target_of(patient, found), found


def test_a_window_keeps_its_intervals_and_says_how_probable_it_is(tmp_path: Path) -> None:
    made, found = read(tmp_path, question("window"))
    assert made is not None
    assert (made[0].low, made[0].high) == (1.5, 3.0)
    assert made[0].low_interval == (1.0, 2.0)
    assert any(f.code == "uncertain-window" and "0.80" in f.message for f in found)


@pytest.mark.parametrize(
    ("outcome", "entry", "low", "high"),
    [
        ("grade 3 or more", {}, None, 3.0),
        ("response (CR, PR)", {}, 3.0, None),
        ("who knows", {"side": "upper"}, None, 3.0),
    ],
)
def test_a_threshold_is_a_limit_on_the_side_of_its_outcome(
    tmp_path: Path, outcome: str, entry: dict[str, Any], low: float | None, high: float | None
) -> None:
    made, _ = read(tmp_path, question("threshold", outcome=outcome), **entry)
    assert made is not None
    assert (made[0].low, made[0].high) == (low, high)
    assert (made[0].low_interval or made[0].high_interval) == (2.0, 4.0)


def test_a_curve_gives_the_exposure_at_a_probability_and_its_bands_the_interval(tmp_path: Path) -> None:
    """By hand: the mean is 0.4 half way between 2 and 3; the upper band at 1.5, the lower one at 3.5."""
    made, _ = read(tmp_path, question("curve"), at_probability=0.4)
    assert made is not None
    assert made[0].high == pytest.approx(2.5)
    assert made[0].high_interval == (pytest.approx(1.5), pytest.approx(3.5))
    assert made[0].low is None


def test_a_band_that_never_gets_there_ends_where_the_exposures_studied_end(tmp_path: Path) -> None:
    made, _ = read(tmp_path, question("curve"), at_probability=0.8)
    assert made is not None
    assert made[0].high_interval == (pytest.approx(3.5), 5.0)


@pytest.mark.parametrize(
    ("contents", "more", "said"),
    [
        (question("curve"), {}, "at_probability says at what probability"),
        (question("curve"), {"at_probability": 0.95}, "does not cross 0.95"),
        (question("threshold", outcome="who knows"), {}, 'side = "upper"'),
        (question("window", label="sorafenib cmax"), {}, "neither a trough nor an area"),
        (question("window"), {"drug": "lenvatinib"}, "is of lenvatinib, the patient takes sorafenib"),
        (question("survival"), {}, "not window or threshold or curve"),
    ],
)
def test_what_is_no_limit_of_a_trough_of_the_drug_is_refused(
    tmp_path: Path, contents: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    made, found = read(tmp_path, contents, **more)
    assert made is None
    assert any(said in f.message for f in found.errors), [f.line() for f in found]
