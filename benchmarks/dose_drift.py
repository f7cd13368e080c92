"""How often does the drift check find what is there, and what is not?

Patients on 400 mg twice daily are simulated from `sorafenib/hcc`, typical values uncertain, one level an
occasion with the model's error, before a dose. Exposure at the same dose then changes by so many percent in
30 days beyond what the model says of time. `python -m benchmarks.dose_drift --patients 1000` prints, for each
schedule and drift, the share of patients in whom p < 0.05 (without a drift the size, else the power), with
its standard error, and the median of the estimated change.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.dose_patients import base_patient
from troughline.dosing.belief import Working
from troughline.dosing.drift import drift_of
from troughline.dosing.model_choice import choose_models
from troughline.dosing.patient import DosePatient
from troughline.dosing.records import patient_records
from troughline.dosing.uncertain_model import with_uncertain_parameters
from troughline.issues import Findings
from troughline.pk.posterior import draw_normal, generator_of

Floats = NDArray[np.float64]

SCHEDULES = {
    "3 levels, 4 weeks apart": (27.98, 55.98, 83.98),
    "4 levels, 4 weeks apart": (27.98, 55.98, 83.98, 111.98),
}
CHANGES = (0.0, -20.0, -40.0)
"""Percent in 30 days."""


def main() -> None:
    """Print size and power."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=23)
    given = parser.parse_args()
    print("schedule                  change in 30 days   found   SE   median estimate   without an estimate")
    for name, days in SCHEDULES.items():
        base = base_patient(days, now=days[-1] + 1.02, limit=0.001)
        (chosen,) = choose_models(base, Findings())
        working = Working(chosen=chosen, model=with_uncertain_parameters(chosen.model))
        levels, sd = _levels(base, working, given.patients, given.seed)
        for change in CHANGES:
            factor = (1 + change / 100.0) ** ((np.array(days) - days[0]) / 30.0)
            # The error on the log scale is taken as that without a drift: its additive part is 0.001 mg/L.
            found, estimated = [], []
            for i, (row, noise) in enumerate(zip(levels * factor, sd, strict=True)):
                drawn = row * np.exp(noise)
                own = tuple(replace(v, value=float(y)) for v, y in zip(base.levels, drawn, strict=True))
                drift = drift_of(replace(base, id=f"d{i}", levels=own), working, level=0.9)
                if drift.p_value is None or drift.change_percent_per_30_days is None:
                    continue
                found.append(bool(drift.detected))
                estimated.append(drift.change_percent_per_30_days.median)
            share = float(np.mean(found))
            error = np.sqrt(share * (1 - share) / len(found))
            print(
                f"{name:26s} {change:8.0f} %        {share:6.3f}  {error:.3f}  "
                f"{np.median(np.array(estimated, dtype=np.float64)):8.1f} %        "
                f"{given.patients - len(found)}",
                flush=True,
            )


def _levels(base: DosePatient, working: Working, n: int, seed: int) -> tuple[Floats, Floats]:
    """True levels (n, levels) without a drift, and the errors of measurement on the log scale."""
    model = working.model
    records = patient_records(base, working.chosen, model)
    at = np.flatnonzero(records.observed)
    between, within = model.spec.covariance("subject"), model.spec.covariance("occasion")
    levels, noise = np.empty((n, len(at))), np.empty((n, len(at)))
    for i in range(n):
        rng = generator_of(seed, f"d{i}", "drift")
        effects = np.concatenate([draw_normal(between, 1, rng)[0], draw_normal(within, len(at), rng).ravel()])
        f = model.predict(records, effects=effects[None, :])
        levels[i] = f.value[at]
        sd = np.hypot(f.error[at, 1], f.error[at, 0] / f.value[at])
        noise[i] = sd * rng.standard_normal(len(at))
    return levels, noise


if __name__ == "__main__":
    main()
