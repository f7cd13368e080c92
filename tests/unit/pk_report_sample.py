"""A sample of estimates that the tests of their figures and page draw: an oral one-compartment model."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from troughline.pk.diagnostics import individual_residuals, population_residuals
from troughline.pk.npde import npde, npde_tests
from troughline.pk.vpc import prediction_corrected_vpc, time_bins

Json = dict[str, Any]
Floats = NDArray[np.float64]
LIMIT, SD = 0.4, 0.25
KA, CLEARANCE, VOLUME = 1.2, 8.1, 213.0


def level(time_h: Any, dose_mg: Any, clearance: Any, volume: Any) -> Floats:
    """mg/L after one oral dose: first-order absorption, one compartment."""
    k = clearance / volume
    return dose_mg * KA / (volume * (KA - k)) * (np.exp(-k * time_h) - np.exp(-KA * time_h))


def estimates(n_patients: int = 60, seed: int = 3, n_simulated: int = 300) -> Json:
    """Results of `troughline estimate` as `render_estimates_page` reads them, simulated."""
    rng = np.random.default_rng(seed)
    nominal = np.array([1.0, 3.0, 8.0, 24.0, 48.0])
    patient = np.repeat(np.arange(n_patients), nominal.size)
    time = np.tile(nominal, n_patients) * rng.uniform(0.95, 1.05, patient.size)
    dose = np.where(np.arange(n_patients) % 3 == 0, 200.0, 400.0)
    eta = rng.normal(0.0, [0.35, 0.25], (n_patients, 2))
    clearance, volume = CLEARANCE * np.exp(eta[:, 0]), VOLUME * np.exp(eta[:, 1])
    population = level(time, dose[patient], CLEARANCE, VOLUME)
    individual = level(time, dose[patient], clearance[patient], volume[patient])
    truth = individual * np.exp(rng.normal(0.0, SD, patient.size))
    below = truth < LIMIT
    observed = np.where(below, LIMIT, truth)
    drawn = rng.normal(0.0, 1.0, (n_simulated, n_patients, 2)) * [0.35, 0.25]
    simulated = level(
        time, dose[patient],
        CLEARANCE * np.exp(drawn[:, patient, 0]), VOLUME * np.exp(drawn[:, patient, 1]),
    ) * np.exp(rng.normal(0.0, SD, (n_simulated, patient.size)))  # fmt: skip
    codes = below.astype(np.int64)
    errors = npde(observed, simulated, patient, codes, LIMIT, rng=rng)
    vpc = prediction_corrected_vpc(
        time, observed, simulated, population,
        edges=time_bins(time, nominal=nominal), censoring=codes, limit=LIMIT,
    )  # fmt: skip
    grid = np.linspace(0.0, 50.0, 120)
    fits = [
        {
            "patient": f"P{i + 1:03d}",
            "note": f"{dose[i]:g} mg",
            "curve": {
                "time_h": grid.tolist(),
                "individual": level(grid, dose[i], clearance[i], volume[i]).tolist(),
                "low": (0.8 * level(grid, dose[i], clearance[i], volume[i])).tolist(),
                "high": (1.25 * level(grid, dose[i], clearance[i], volume[i])).tolist(),
                "population": level(grid, dose[i], CLEARANCE, VOLUME).tolist(),
            },
            "samples": {
                "time_h": time[patient == i].tolist(),
                "value": observed[patient == i].tolist(),
                "below_limit": below[patient == i].tolist(),
            },
            "doses_h": [0.0],
            "limit": LIMIT,
        }
        for i in range(min(n_patients, 14))
    ]
    return {
        "title": "Levels of a phase I trial",
        "simulated": True,
        "level": 0.9,
        "model": {
            "id": "sorafenib/example",
            "title": "Sorafenib in adults with solid tumours",
            "drug": "sorafenib",
            "revision": 1,
            "description": "One compartment with first-order absorption, for the tests of this page.",
            "population": "111 adults with solid tumours",
            "calibrated": False,
            "sources": [
                {
                    "id": "jain",
                    "citation": "Jain 2011, Br J Clin Pharmacol 72:294-305",
                    "doi": "10.1111/j.1365-2125.2011.03963.x",
                    "note": "read in a transcription",
                }
            ],
            "notes": ["The absorption rate is a round number."],
        },
        "counts": {
            "patients": n_patients,
            "samples": int(patient.size),
            "below_limit": int(below.sum()),
            "doses": n_patients,
            "not_estimated": 1,
        },
        "findings": [
            {
                "severity": "warning", "code": "covariate-outside-range", "file": "patients.csv", "row": 7,
                "column": "weight",
                "message": "weight 180 kg is outside the range of the model, 40 to 150",
            }
        ],
        "typical_values": [
            {"name": "CL_pop", "value": 8.13, "unit": "L/h", "low": 6.98, "high": 10.7, "level": 0.95,
             "source": "jain", "verified": False, "note": "apparent clearance"},
            {"name": "V_pop", "value": 213, "unit": "L", "low": 196, "high": 232, "level": 0.95,
             "source": "jain", "verified": True},
            {"name": "ka", "value": 1.2, "unit": "1/h"},
        ],
        "random_effects": [
            {"name": "eta_CL", "level": "subject", "sd": 0.35, "n": n_patients,
             "shrinkage_sd": 0.08, "shrinkage_variance": 0.154},
            {"name": "eta_V", "level": "subject", "sd": 0.25, "n": n_patients,
             "shrinkage_sd": 0.41, "shrinkage_variance": 0.65},
        ],
        "outputs": [
            {
                "name": "sorafenib",
                "label": "sorafenib in plasma",
                "unit": "mg/L",
                "error": "proportional, 25%",
                "limit": LIMIT,
                "n": int(patient.size),
                "below_limit": int(below.sum()),
                "shrinkage": {"n": int((~below).sum()), "sd": 0.17, "variance": 0.31},
                "predictions": {
                    "observed": observed.tolist(),
                    "population": population.tolist(),
                    "individual": individual.tolist(),
                    "below_limit": below.tolist(),
                },
                "residuals": {
                    "time_h": time.tolist(),
                    "iwres": individual_residuals(
                        np.log(observed), np.log(individual), np.full(time.size, SD), codes
                    ).tolist(),
                    "pwres": population_residuals(observed, simulated, patient, codes).tolist(),
                    "individual": individual.tolist(),
                    "population": population.tolist(),
                },
                "npde": {
                    "npde": errors.npde.tolist(),
                    "time_h": time.tolist(),
                    "prediction": errors.prediction.tolist(),
                    "tests": _plain(npde_tests(errors.npde)),
                    "n_simulations": n_simulated,
                },
                "vpc": {**_plain(vpc), "points": {"time_h": time.tolist(), "value": vpc.corrected.tolist()}},
                "fits": fits,
            }
        ],
        "tables": [
            {
                "title": "Exposure",
                "note": "Median and 90% interval over patients.",
                "rows": [
                    {"quantity": "AUC 0–48 h", "unit": "mg·h/L", "median": 47.1, "low": 22.0, "high": 91.5},
                    {"quantity": "level at 24 h", "unit": "mg/L", "median": 0.71, "low": 0.22, "high": 1.61},
                ],
            }
        ],
        "methods": ["Estimates maximise the posterior density (MAP)."],
        "files": [{"name": "individuals.csv", "what": "random effects of each patient"}],
        "provenance": {"troughline": "0.1.0", "created": "2026-01-05T10:00:00Z", "seed": 1,
                       "inputs": {"data.csv": "ab" * 32}},
    }  # fmt: skip


def _plain(value: Any) -> Json:
    found: Json = {}
    for one in fields(value):
        entry = getattr(value, one.name)
        found[one.name] = entry.tolist() if isinstance(entry, np.ndarray) else entry
    return found
