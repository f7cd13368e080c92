"""The calibration of sorafenib/hcc: its targets have sources, and its page says what its model file gives.

The values on the page are recomputed here from the parameters of the model file with the independent curve of
tools/sorafenib_curve.py, not with the engine. Tolerances: the page prints three digits.
"""

from __future__ import annotations

import re
import sys
import tomllib
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from troughline.model.read import read_model as read_spec

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from sorafenib_curve import LIBRARY, Sorafenib, read_model  # noqa: E402
from sorafenib_page import achieved_values, jain_correlation  # noqa: E402
from sorafenib_targets import (  # noqa: E402
    TARGETS,
    available_at_reference,
    predict_spread,
    read_spread,
    read_targets,
    trough_slopes,
)

PAGE = (ROOT / "docs" / "models" / "sorafenib-hcc.md").read_text(encoding="utf-8")
MODEL = (LIBRARY / "sorafenib" / "hcc.toml").read_text(encoding="utf-8")
CALIBRATION = read_targets()
HALF_OF_THE_LAST_DIGIT = 6e-3  # of three digits, relative


@pytest.fixture(scope="module")
def typical() -> Sorafenib:
    """The typical patient, Child-Pugh A."""
    return read_model("sorafenib/hcc")


@pytest.fixture(scope="module")
def achieved() -> dict[str, float]:
    """What the model file gives for each target."""
    return achieved_values(CALIBRATION)


def _raw() -> list[dict[str, Any]]:
    return tomllib.loads(TARGETS.read_text(encoding="utf-8"))["target"]


def test_every_target_has_a_source_with_an_address() -> None:
    """Each number names a source of the file, and the source a DOI or an address."""
    for target in _raw():
        source = CALIBRATION.sources[target["source"]]
        assert source.get("doi") or source.get("url"), target["id"]
        assert target["read"] in ("abstract", "label", "transcription"), target["id"]


def test_nothing_unverified_is_calibrated_to() -> None:
    """A number that was not read in its source may be shown, never fitted."""
    for target in CALIBRATION.targets:
        assert target.verified or not target.used, target.id


def test_what_a_source_does_not_say_is_named() -> None:
    """A target at an assumed day, dose or window says so."""
    for name in (
        "noda-trough",
        "soramic-trough",
        "mir-auc",
        "boudou-auc",
        "arrondeau-fall",
        "hornecker-2000",
    ):
        assert CALIBRATION.target(name).get("assumed"), name


def test_target_ids_are_unique() -> None:
    """One id, one number."""
    ids = [t["id"] for t in _raw()]
    assert len(ids) == len(set(ids))


def test_the_model_file_says_that_it_is_calibrated_to_aggregates() -> None:
    """In the flag, the title, the description and the notes; and the reader finds nothing wrong with it."""
    spec, findings = read_spec(MODEL, file="hcc.toml")
    assert spec is not None
    assert not findings.items
    assert spec.calibrated
    for text in (spec.title, spec.description, spec.notes[0]):
        assert "aggregate" in text
    assert "not fitted to patients" in spec.title


@pytest.mark.parametrize("target_id", [t["id"] for t in _raw()])
def test_the_page_prints_what_the_model_file_gives(target_id: str, achieved: dict[str, float]) -> None:
    """Published value and achieved value stand on the page as recomputed from the model file."""
    (row,) = re.findall(rf"^\| `{target_id}` \|(.*)\|$", PAGE.split("## Targets")[1], flags=re.M)
    cells = [cell.strip() for cell in row.split("|")]
    target = CALIBRATION.target(target_id)
    assert cells[0] == target.shown_value
    assert float(cells[7]) == pytest.approx(achieved[target_id], rel=HALF_OF_THE_LAST_DIGIT)
    if target.used:
        assert float(cells[6]) == pytest.approx(CALIBRATION.weight(target), abs=0.051)
    else:
        assert cells[6] == "shown only"


def test_targets_of_the_calibration_are_met_within_the_spread_of_the_sources(
    achieved: dict[str, float],
) -> None:
    """No calibrated target is missed by more than 1.4 times; all together are unbiased to 5 %."""
    misses = np.array([log(achieved[t.id] / t.value) for t in CALIBRATION.targets if t.used and t.value])
    weights = np.array([CALIBRATION.weight(t) for t in CALIBRATION.targets if t.used and t.value])
    assert np.abs(misses).max() < log(1.42)
    assert abs(np.average(misses, weights=weights)) < 0.05


def test_bioavailability_falls_with_the_dose_and_the_amount_absorbed_rises(typical: Sorafenib) -> None:
    """Saturation: F falls at every step of the dose, F·dose rises and stays below F·(D50 + 400) at 400 mg."""
    doses = np.arange(50.0, 1300.0, 50.0)
    available = np.array([typical.bioavailability(d, typical.reference_h) for d in doses])
    assert np.all(np.diff(available) < 0.0)
    assert np.all(np.diff(available * doses) > 0.0)
    assert typical.half_dose_mg is not None
    assert np.all(available * doses < typical.half_dose_mg + 400.0)
    assert typical.bioavailability(400.0, typical.reference_h) == pytest.approx(1.0, rel=1e-12)


def test_exposure_falls_as_published(typical: Sorafenib) -> None:
    """From day 15 to 120 as 102 to 63 (Boudou-Rouquette 2012) within 5 %, and to what `fall` leaves."""
    areas = np.array([typical.steady_state_auc(400.0, 24.0 * day) for day in (0, 15, 28, 60, 120, 365, 3650)])
    assert np.all(np.diff(areas) < 0.0)
    assert areas[4] / areas[1] == pytest.approx(63.0 / 102.0, rel=0.05)
    assert typical.fall is not None
    assert areas[-1] / areas[0] == pytest.approx(1.0 - typical.fall, rel=1e-9)


def test_the_area_of_the_curve_is_the_closed_form(typical: Sorafenib) -> None:
    """AUC over an interval at steady state = F·dose / ((1 - Fent)·CL), to 1e-9 (Magnus steps)."""
    for dose in (200.0, 400.0):
        month = typical.reference_h
        assert typical.steady_state(dose, month).auc() == pytest.approx(
            typical.steady_state_auc(dose, month), rel=1e-9
        )


def test_the_curve_reproduces_jain() -> None:
    """Steady state, 400 mg twice daily, 80 kg, by LSODA at 1e-9: AUC 98.009, Cmax 8.642, C12 7.873."""
    one = read_model("sorafenib/jain-2011").steady_state(400.0, points=1201)
    assert one.auc() == pytest.approx(98.009, abs=1e-3)
    assert one.peak == pytest.approx(8.642, abs=1e-3)
    assert one.peak_h == pytest.approx(3.01, abs=0.011)
    assert one.trough == pytest.approx(7.873, abs=1e-3)


def test_typical_troughs_in_hcc_are_far_below_jain(typical: Sorafenib) -> None:
    """From day 60 on within 12 % of Noda's median 2.91 mg/L; never near Jain's 7.9."""
    troughs = [typical.interval(400.0, day, points=2).trough for day in (7, 28, 60, 120, 175)]
    assert max(troughs) < 7.873 / 1.4
    assert troughs[2:] == pytest.approx([2.91] * 3, rel=0.12)


def test_a_dose_takes_the_bioavailability_of_its_day(typical: Sorafenib) -> None:
    """The curve of two doses is the sum of two single curves, each with the F of its own time and amount."""
    doses, times = [(0.0, 400.0), (600.0, 200.0)], [3.0, 24.0, 599.0, 606.0, 640.0]
    both, _ = typical.curve(doses, times)
    first, _ = typical.curve(doses[:1], times)
    late = np.array([t - 600.0 for t in times if t > 600.0])
    share = typical.bioavailability(200.0, 600.0) * 200.0 / (typical.bioavailability(400.0) * 400.0)
    second, _ = typical.curve([(0.0, 400.0)], late.tolist())
    # The gate restarts at the second dose: what is left of the first by then (1e-5) is no plain sum.
    assert both[:3] == pytest.approx(first[:3], rel=1e-9)
    assert both[3] == pytest.approx(first[3] + share * second[0], rel=2e-3)


def test_child_pugh_b_is_uncertain(typical: Sorafenib) -> None:
    """The factor's interval includes 1, and the area goes with 1 / factor."""
    factor = tomllib.loads(MODEL)["parameters"]["CL_CPB"]
    assert factor["low"] < 1.0 < factor["high"]
    ratio = read_model("sorafenib/hcc", "B").steady_state_auc(400.0) / typical.steady_state_auc(400.0)
    assert ratio == pytest.approx(1.0 / factor["value"], rel=1e-12)


def test_the_variation_of_troughs_is_that_of_soramic(typical: Sorafenib) -> None:
    """CV 65 % and quartile range of the trough (n = 74), by simulating 40 000 patients, fixed seed."""
    spread, rng = read_spread(), np.random.default_rng(1)
    slopes = trough_slopes(typical)
    between = rng.multivariate_normal(
        [0.0, 0.0],
        [
            [spread.between, spread.correlation * np.sqrt(spread.between * spread.volume)],
            [spread.correlation * np.sqrt(spread.between * spread.volume), spread.volume],
        ],
        40_000,
    )
    logs = between @ [slopes.clearance, slopes.volume]
    logs = logs + slopes.clearance * np.sqrt(spread.occasion) * rng.standard_normal(40_000)
    logs = logs + slopes.absorption * np.sqrt(spread.absorption) * rng.standard_normal(40_000)
    logs = logs + spread.residual * rng.standard_normal(40_000)
    assert np.std(logs) == pytest.approx(predict_spread("spread-trough", slopes, spread), rel=0.02)
    quartiles = np.quantile(logs, [0.25, 0.75])
    assert exp(quartiles[1] - quartiles[0]) == pytest.approx(4.526 / 2.166, rel=0.10)
    assert np.std(np.exp(logs)) / np.mean(np.exp(logs)) == pytest.approx(0.65, rel=0.08)
    assert spread.correlation == pytest.approx(jain_correlation(), abs=1e-3)


def test_the_height_of_hornecker_is_not_part_of_the_model(typical: Sorafenib) -> None:
    """The best absolute bioavailability at 400 mg lies beside Hornecker's median there, 0.316."""
    assert available_at_reference(CALIBRATION, typical) == pytest.approx(0.316, rel=0.06)
