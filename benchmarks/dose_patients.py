"""Patients on sorafenib simulated from a model, with levels and what is true of them later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.model_choice import ChosenModel, choose_models
from troughline.dosing.patient import DosePatient
from troughline.dosing.patient_file import patient_from
from troughline.dosing.records import patient_records
from troughline.dosing.regimen import Regimen
from troughline.dosing.steady import SteadyPatterns
from troughline.dosing.uncertain_model import with_uncertain_parameters
from troughline.issues import Findings
from troughline.model.model import Model
from troughline.pk.posterior import draw_normal, generator_of

Floats = NDArray[np.float64]

SAMPLE_DAYS = (1.98, 3.98, 5.98, 7.98, 9.98, 11.98, 15.98, 19.98, 23.98, 25.98, 13.98, 27.98)
"""Days of the levels, each in an occasion of its own; the last ones are taken first."""
NOW_DAY, HORIZON_DAYS = 29.0, 28.0


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """Simulated patients, their true effects between subjects (n, q), and the model that they come from."""

    patients: tuple[DosePatient, ...]
    subject: Floats
    model: Model
    chosen: ChosenModel
    covariates: Floats


def simulate_patients(n: int, *, seed: int, levels: int = 2) -> Simulated:
    """n patients on 400 mg twice daily with one to twelve levels, each in an occasion of its own.

    Typical values are drawn from the intervals of the model's file, once for each patient: he is one of those
    whom the statement of uncertainty is about.
    """
    base = base_patient(sorted(SAMPLE_DAYS[-levels:]), now=NOW_DAY, limit=0.01)
    (chosen,) = choose_models(base, Findings())
    model = with_uncertain_parameters(chosen.model)
    spec = model.spec
    records = patient_records(base, chosen, model)
    at = np.flatnonzero(records.observed)
    between, within = spec.covariance("subject"), spec.covariance("occasion")
    truth, made = np.empty((n, len(between))), list[DosePatient]()
    for i in range(n):
        rng = generator_of(seed, f"s{i}", "simulated patient")
        truth[i] = draw_normal(between, 1, rng)[0]
        kappa = draw_normal(within, levels, rng).ravel()
        f = model.predict(records, effects=np.concatenate([truth[i], kappa])[None, :])
        sd = np.hypot(f.error[at, 1], f.error[at, 0] / f.value[at])
        drawn = f.value[at] * np.exp(sd * rng.standard_normal(len(at)))
        own = tuple(replace(v, value=float(y)) for v, y in zip(base.levels, drawn, strict=True))
        made.append(replace(base, id=f"s{i}", levels=own))
    return Simulated(
        patients=tuple(made), subject=truth, model=model, chosen=chosen, covariates=records.covariates[-1]
    )


def true_troughs(simulated: Simulated, regimens: Sequence[Regimen], *, seed: int) -> Floats:
    """The true troughs (n, k) at the horizon, each patient in an occasion that he has not had yet."""
    within = simulated.model.spec.covariance("occasion")
    kappa = draw_normal(within, len(simulated.patients), np.random.default_rng(seed))
    patterns = SteadyPatterns(simulated.model, regimens, areas=False)
    return patterns.exposure(
        np.hstack([simulated.subject, kappa]), simulated.covariates, simulated.model.spec.theta,
        24.0 * (NOW_DAY + HORIZON_DAYS),
    )[0]  # fmt: skip


def base_patient(days: Sequence[float], *, now: float, limit: float) -> DosePatient:
    """A patient on 400 mg twice daily with a level of 3 µg/mL on each of the days; `limit` in µg/mL."""
    samples = [{"time": day, "value": 3.0, "unit": "ug/mL", "limit": limit} for day in days]
    patient, found = patient_from(
        {
            "patient": {"id": "base", "simulated": True, "now": now},
            "covariate": [
                {"name": "weight", "value": 70, "unit": "kg"},
                {"name": "child_pugh_class", "value": "A"},
            ],
            "dose": [{"start": 0, "amount": 400, "interval_h": 12}],
            "sample": samples,
            "target": {"published": "noda-2020/window"},
            "model": [{"id": "sorafenib/hcc"}],
        }
    )
    if patient is None:
        raise ValueError("; ".join(f.line() for f in found))
    return patient
