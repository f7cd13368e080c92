"""How well do few draws state a probability: counted, by a log-normal through them, or smoothed?

P(in) of eight regimens for simulated patients by 16, 32 and 64 draws of the first-order posterior, in ± pairs
or filling the space evenly (a shifted Sobol sequence), against 8,192 draws counted.
`python -m benchmarks.dose_few_draws --patients 60`.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from benchmarks.dose_calibration import LIMITS
from benchmarks.dose_patients import HORIZON_DAYS, NOW_DAY, simulate_patients
from troughline.dosing.candidates import drug_regimens
from troughline.dosing.limits import position
from troughline.dosing.records import patient_record
from troughline.dosing.smooth_draws import can_smooth, smooth_draws
from troughline.dosing.steady import SteadyPatterns
from troughline.model.build import records_from
from troughline.pk.individual import EstimateOptions, estimate_individuals, prior_of

Floats = NDArray[np.float64]
SIZES = (16, 32, 64)


def main() -> None:
    """Print each way's error, its bias where it states most, and what its choice loses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--draws", type=int, default=8192)
    given = parser.parse_args()
    simulated = simulate_patients(given.patients, seed=21)
    model, options = simulated.model, EstimateOptions(starts="first")
    records = records_from(
        [patient_record(p, simulated.chosen, model) for p in simulated.patients], model.spec
    )
    found = estimate_individuals(model, records, options=options)
    occasion, n_subject = prior_of(model, options).covariance_occasion, model.compiled.n_subject
    patterns = SteadyPatterns(model, drug_regimens("sorafenib"), areas=False)
    width = n_subject + len(occasion)
    even = qmc.Sobol(width, scramble=True, seed=1).random(max(SIZES))
    truth: list[Floats] = []
    stated: dict[str, list[Floats]] = {}

    def troughs(j: int, normals: Floats) -> tuple[Floats, Floats]:
        """Those of the draws that have a steady state, and their normals."""
        own = normals[:, :n_subject] @ _root(found.covariance[j, :n_subject, :n_subject]).T
        effects = np.hstack([found.effects[j, :n_subject] + own, normals[:, n_subject:] @ _root(occasion).T])
        at_h = 24.0 * (NOW_DAY + HORIZON_DAYS)
        made = patterns.exposure(effects, simulated.covariates, found.theta, at_h)[0]
        known = np.isfinite(made).all(axis=1)
        return made[known], normals[known]

    for j in np.flatnonzero(~np.isin(found.status, (2, 3))).tolist():
        rng = np.random.default_rng(j)
        truth.append(_counted(troughs(j, rng.standard_normal((given.draws, width)))[0]))
        for n in SIZES:
            half = rng.standard_normal((n // 2, width))
            shifted = (even[:n] + rng.random(width)) % 1
            for name, normals in (
                ("pairs", np.vstack([half, -half])),
                ("even", ndtri(np.clip(shifted, 1e-4, 1 - 1e-4))),
            ):
                values, used = troughs(j, normals)
                stated.setdefault(f"{n} {name}, counted", []).append(_counted(values))
                stated.setdefault(f"{n} {name}, log-normal", []).append(_log_normal(values))
                if can_smooth(n, width):
                    smooth = _counted(smooth_draws(values, used))
                    stated.setdefault(f"{n} {name}, smoothed", []).append(smooth)
    for name, rows in stated.items():
        _print(name, np.array(rows), np.array(truth))


def _root(covariance: Floats) -> Floats:
    """A root of a covariance, its largest directions first."""
    values, vectors = np.linalg.eigh(covariance)
    order = np.argsort(-values)
    return (vectors * np.sqrt(np.maximum(values, 0.0)))[:, order]


def _counted(values: Floats) -> Floats:
    return position(values, LIMITS).inside.mean(axis=0)


def _log_normal(values: Floats) -> Floats:
    logs = np.log(values)
    mean, sd = logs.mean(axis=0), logs.std(axis=0, ddof=1)
    assert LIMITS.low is not None
    assert LIMITS.high is not None
    return ndtr((np.log(LIMITS.high) - mean) / sd) - ndtr((np.log(LIMITS.low) - mean) / sd)


def _print(name: str, stated: Floats, truth: Floats) -> None:
    off, top, each = stated - truth, stated > 0.8, np.arange(len(truth))
    chosen = stated.argmax(axis=1)
    high = f"{100 * off[top].mean():+5.2f}" if top.any() else "    –"
    lost = (truth.max(axis=1) - truth[each, chosen]).mean()
    print(
        f"{name:22s} rms {100 * np.sqrt((off**2).mean()):5.2f} points, bias {100 * off.mean():+5.2f}, "
        f"above 0.8 {high}; same choice {np.mean(chosen == truth.argmax(axis=1)):.2f}, loses {100 * lost:.2f}"
    )


if __name__ == "__main__":
    main()
