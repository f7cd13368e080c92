"""Simulated cohorts sampled at random times after the dose, from a model in closed form.

One compartment with first-order absorption, 400 mg every 12 h; its file for the engine stands in `models/`.
The levels here are computed without the engine, so that what it makes of them can be held against them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated_records import DRUG, Json, Records

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MODELS = Path(__file__).resolve().parent / "models"
PRECISE, IMPRECISE = MODELS / "one-compartment-precise.toml", MODELS / "one-compartment-imprecise.toml"
RESIDUAL_SD = {PRECISE: 0.2, IMPRECISE: 0.8}
CLEARANCE_L_PER_H, VOLUME_L, ABSORPTION_PER_H = 8.0, 200.0, 0.6
VARIANCE = (0.30, 0.10)
DOSE_MG, INTERVAL_H = 400.0, 12.0
SAMPLE_DAY = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the simulation knows of each patient; all `(n,)`, clearance in L/h, volume in L."""

    clearance: Floats
    volume: Floats

    def level(self, hours: Floats | float, day: float = SAMPLE_DAY) -> Floats:
        """mg/L at `hours` (0 to 12) after the dose given at the begin of a study day.

        All doses so far add up: Σ D ka/(V (ka − k)) (e^{−k s} − e^{−ka s}) over the times s since each dose.
        """
        k, ka = self.clearance / self.volume, ABSORPTION_PER_H
        n = round(day * 24 / INTERVAL_H) + 1
        scale = DOSE_MG * ka / (self.volume * (ka - k))

        def summed(rate: Floats) -> Floats:
            return (
                np.exp(-rate * hours)
                * (1 - np.exp(-n * rate * INTERVAL_H))
                / (1 - np.exp(-rate * INTERVAL_H))
            )

        return scale * (summed(k) - summed(np.full_like(k, ka)))

    @property
    def trough(self) -> Floats:
        """mg/L at the end of the interval that begins with the sample's day."""
        return self.level(INTERVAL_H)


def draw_truth(n: int, rng: np.random.Generator, *, clearance_factor: float = 1.0) -> Truth:
    """Clearance and volume of `n` patients; `clearance_factor` moves the clearance off the model's."""
    eta = rng.standard_normal((n, 2)) * np.sqrt(VARIANCE)
    return Truth(
        clearance=clearance_factor * CLEARANCE_L_PER_H * np.exp(eta[:, 0]),
        volume=VOLUME_L * np.exp(eta[:, 1]),
    )


def toxicity(truth: Truth, rng: np.random.Generator, *, slope: float = 1.6) -> Flags:
    """P = 1/(1 + exp(−slope · log(trough / median trough)))."""
    middle = float(np.median(truth.trough))
    return rng.random(len(truth.clearance)) < 1 / (1 + np.exp(-slope * np.log(truth.trough / middle)))


def sampled_records(truth: Truth, rng: np.random.Generator, *, sd: float, slope: float = 1.6) -> Records:
    """One level a patient on day 14, 1 to 11 h after the dose, and toxicity that follows the true trough."""
    rows = Records()
    n = len(truth.clearance)
    hours = rng.uniform(1.0, 11.0, n)
    measured = truth.level(hours) * np.exp(sd * rng.standard_normal(n))
    toxic = toxicity(truth, rng, slope=slope)
    for i in range(n):
        patient = f"P{i + 1:04d}"
        rows.patients[patient] = {"albi": float(rng.normal(-2.3, 0.4))}
        rows.dose(patient, 0.0, DOSE_MG, INTERVAL_H)
        rows.level(patient, SAMPLE_DAY, measured[i], unit="mg/L", hours=float(hours[i]))
        rows.event(
            patient, float(rng.integers(20, 80)), "adverse event", term="hand-foot skin reaction",
            grade=3.0 if toxic[i] else 1.0,
        )  # fmt: skip
        rows.event(patient, float(math.ceil(rng.uniform(300.0, 900.0))), "last contact")
    return rows


def predictor(model: Path, **changes: object) -> Json:
    """The trough that a model predicts, as a study file asks for it."""
    return {"analyte": DRUG, "metric": "trough", "unit": "mg/L", "exposure": f"model:{model}", **changes}
