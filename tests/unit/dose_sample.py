"""A small patient file as a table, for the tests of dosing."""

from __future__ import annotations

import copy
from typing import Any

from troughline.dosing.patient import DosePatient
from troughline.dosing.patient_file import patient_from

BASE: dict[str, Any] = {
    "patient": {"id": "sample-1", "drug": "sorafenib", "simulated": True, "time": "day", "now": 29.0},
    "covariate": [
        {"name": "weight", "value": 70, "unit": "kg"},
        {"name": "child_pugh_class", "value": "A"},
        {"name": "treated_before", "value": 0, "unit": "day"},
    ],
    "dose": [{"start": 0, "amount": 400, "interval_h": 12}],
    "sample": [
        {"time": 13.98, "value": 6.6, "unit": "ug/mL", "limit": 0.05},
        {"time": 27.98, "value": 6.1, "unit": "ug/mL", "limit": 0.05},
    ],
    "target": {"low": 1.4, "high": 3.45, "unit": "ug/mL", "source": "chosen for a test"},
    "model": [{"id": "sorafenib/hcc"}],
}


def table(**changes: Any) -> dict[str, Any]:
    """The sample's table with some of its sections changed; None takes a section out."""
    made = copy.deepcopy(BASE)
    for name, value in changes.items():
        if value is None:
            made.pop(name, None)
        elif isinstance(value, dict) and name in ("patient", "options"):
            made[name] = {**made.get(name, {}), **value}
        else:
            made[name] = value
    return made


def sample_patient(**changes: Any) -> DosePatient:
    """The sample as a patient; its findings must hold no error."""
    patient, found = patient_from(table(**changes))
    assert patient is not None, [f.line() for f in found]
    return patient
