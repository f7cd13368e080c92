"""Levels near zero, implausible doses, and the moment from which levels are steady."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from tests.unit.dose_sample import sample_patient, table
from troughline.dosing.belief import believe, working_models
from troughline.dosing.candidates import drug_regimens
from troughline.dosing.checks import basis_of
from troughline.dosing.dose import dose
from troughline.dosing.forecast import asked, days_to_steady, next_dose_h
from troughline.dosing.level_prediction import log_density, with_error
from troughline.dosing.patient_file import patient_from
from troughline.issues import Findings
from troughline.pk.exposure import ExposureQuery


def test_an_error_of_the_logarithm_has_bounds_far_below_the_limit() -> None:
    """log-combined error: SD of the logarithm = √(b² + (a/f)²); at f = 1e-6 and a = 1e-3 it is 1000."""
    level, z = np.full((4, 1), 1e-6), np.array([[-3.0], [0.0], [1.0], [3.0]])
    sd = np.hypot(0.27, 1e-3 / level)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = with_error(level, sd, z, on_log=np.full((4, 1), True))
        dense = log_density(level, sd, np.array([2e-3]), np.array([np.nan]), on_log=True)
    assert made[:, 0] == pytest.approx([0.0, 1e-6, 1e-3, 3e-3], rel=2e-3)
    # A normal density 1.999 standard deviations away; of the logarithm of the value, that times the value.
    normal = np.exp(-0.5 * 1.999**2) / np.sqrt(2 * np.pi) / 1e-3
    assert np.exp(dense[0, 0]) == pytest.approx(normal * 2e-3, rel=1e-3)


def test_a_level_under_the_limit_long_after_the_last_dose_gives_an_answer_without_warnings() -> None:
    """Sixty days without a dose: what is left is far below any limit, and arithmetic must stand it."""
    patient = sample_patient(
        patient={"now": 60}, dose=[{"start": 0, "amount": 400, "until": 20}],
        sample=[
            {"time": 19.98, "value": 3.0, "unit": "ug/mL"},
            {"time": 59.98, "below_limit": True, "limit": 0.05, "unit": "ug/mL"},
        ],
        options={"draws": 200},
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = dose(patient)
    assert result.next_sample is not None
    assert all(np.isfinite(c.gain) for c in result.next_sample.candidates)


@pytest.mark.parametrize(
    ("entry", "code", "refused"),
    [
        ({"amount": 4000}, "implausible-dose", True),
        ({"amount": 400, "interval_h": 1}, "implausible-dose", True),
        ({"amount": 800}, "dose-above-file", False),
        ({"amount": 400}, "", False),
    ],
)
def test_a_dose_far_above_every_regimen_is_a_slip(entry: dict[str, Any], code: str, refused: bool) -> None:
    patient, found = patient_from(table(dose=[{"start": 0, **entry}]))
    assert (patient is None) == refused
    codes = {f.code for f in found} & {"implausible-dose", "dose-above-file"}
    assert codes == ({code} if code else set())


@pytest.mark.parametrize("regimen", ["400-qd", "400-bid"])
def test_at_the_stated_day_levels_are_steady_and_a_cycle_before_they_were_not(regimen: str) -> None:
    """Against troughs computed here: at that day they lie within 10 % of the steady ones, before it not."""
    patient = sample_patient(options={"draws": 200})
    basis = basis_of(patient, Findings())
    assert basis is not None
    belief = believe(patient, working_models(basis.models, parameter_uncertainty=True), draws=200, seed=1)
    start = next_dose_h(patient)
    (chosen,) = [r for r in drug_regimens("sorafenib") if r.id == regimen]
    days = days_to_steady(patient, belief, chosen, start_h=start)
    period = chosen.period_h
    cycles = np.rint(days * 24.0 / period).astype(int)
    assert cycles.min() >= 1
    times = [start + k * period for k in range(1, int(cycles.max()) + 1)]
    queries = [ExposureQuery(quantity="trough", end=t) for t in times]
    real, steady = (
        asked(
            patient, belief, chosen, queries, start_h=start, end_h=times[-1] + 1.0, new_occasion=-1,
            draws=60, from_steady=given,
        )
        for given in (False, True)
    )  # fmt: skip
    off = np.abs(real / steady - 1)
    rows = np.arange(len(days))
    assert (off[rows, cycles - 1] <= 0.10).all()
    late = cycles > 1
    assert (off[rows[late], cycles[late] - 2] > 0.10).all()
