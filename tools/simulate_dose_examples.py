"""Draw the levels of the example patients from the model, and write them into their files.

The patients' effects are chosen so that each shows what its title says; error of measurement and
between-occasion effects are drawn. Nothing else of a file changes: `python tools/simulate_dose_examples.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from troughline.dosing.model_choice import choose_models
from troughline.dosing.patient_file import load_patient
from troughline.dosing.records import occasion_ends, patient_records
from troughline.issues import Findings
from troughline.pk.posterior import generator_of

FOLDER = Path(__file__).resolve().parents[1] / "src" / "troughline" / "examples" / "dose"
EFFECTS = {
    "patient": {"eta_CL": -0.62, "eta_V": -0.40},
    "low": {"eta_CL": 0.45, "eta_V": 0.35},
    "unreached": {"eta_CL": 0.80, "eta_V": 0.60},
}
SEED = 7


def levels(name: str) -> list[float]:
    """The levels (mg/L) of an example at the times of its samples, two significant digits."""
    patient, _ = load_patient(FOLDER / f"{name}.toml")
    (chosen,) = choose_models(patient, Findings())
    model = chosen.model
    records = patient_records(patient, chosen, model)
    rng = generator_of(SEED, patient.id, "example")
    spec = model.spec
    subject = [EFFECTS[name].get(effect, 0.0) for effect in spec.subject_effects]
    spread = np.sqrt(spec.covariance("occasion")[0, 0])
    occasions = rng.standard_normal(len(occasion_ends(patient))) * spread
    made = model.predict(records, effects=np.array([[*subject, *occasions]]))
    at = np.flatnonzero(records.observed)
    error = np.hypot(made.error[at, 1], made.error[at, 0] / made.value[at])
    measured = made.value[at] * np.exp(error * rng.standard_normal(len(at)))
    return [float(f"{value:.2g}") for value in measured]


def main() -> None:
    """Write the levels into the example files."""
    for name in EFFECTS:
        drawn = iter(levels(name))
        file = FOLDER / f"{name}.toml"
        text = file.read_text(encoding="utf-8")
        head, *samples = re.split(r"(?=^\[\[sample\]\]$)", text, flags=re.MULTILINE)
        samples = [
            re.sub(r"^value = .*$", f"value = {next(drawn):g}", s, count=1, flags=re.M) for s in samples
        ]
        file.write_text(head + "".join(samples), encoding="utf-8")


if __name__ == "__main__":
    main()
