"""The levels of a patient as they are predicted: with and without each of them, before any of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.belief import Belief, Share, spread_rows
from troughline.dosing.records import patient_records
from troughline.model.engine import record_arrays
from troughline.pk.posterior import generator_of
from troughline.pk.residual import residual_sd

if TYPE_CHECKING:
    from troughline.dosing.patient import DosePatient
    from troughline.model.model import Model
    from troughline.model.records import Records

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PredictedLevels:
    """What draws predict at the levels that are used (n_draws, n_levels), mg/L.

    `level`: without error of measurement; `measured`: with it; `log_density`: of each level as it was
    measured, or of lying below its limit.
    """

    level: Floats
    measured: Floats
    log_density: Floats


def predict_draws(model: Model, records: Records, draws: Floats, theta: Floats) -> tuple[Floats, Floats]:
    """Predictions (n_draws, n_records) of one patient at draws (n_draws, q), and their error (…, 3)."""
    from troughline.model.engine import Tolerance
    from troughline.pk.kernels.sampling import predict_at

    compiled, control = model.compiled, Tolerance(relative=1e-6, absolute=1e-8)
    needed = compiled.n_subject + compiled.n_occasion * (int(records.occasion.max(initial=-1)) + 1)
    n, rows = len(draws), len(records)
    f, err = np.full((n, rows), np.nan), np.zeros((n, rows, 3))
    predict_at(
        compiled.layout, compiled.coefficients, compiled.addresses, np.ascontiguousarray(theta),
        *record_arrays(records), 0, rows, control.relative, control.absolute, control.max_steps,
        np.ascontiguousarray(draws[:, :needed]), f, err, np.zeros(n, dtype=np.int64),
    )  # fmt: skip
    return f, err


DRAWS = 300
"""Draws, spread over those of a belief, at which levels are predicted."""


def predict_levels(patient: DosePatient, belief: Belief, *, seed: int) -> PredictedLevels:
    """Predict the used levels at 300 draws of a belief, or all where it has fewer."""
    parts = [_of_share(patient, share, rows, seed) for share, rows in spread_rows(belief, DRAWS)]
    return PredictedLevels(
        level=np.vstack([p.level for p in parts]),
        measured=np.vstack([p.measured for p in parts]),
        log_density=np.vstack([p.log_density for p in parts]),
    )


def _of_share(patient: DosePatient, share: Share, rows: NDArray[np.int64], seed: int) -> PredictedLevels:
    working = share.working
    records = patient_records(patient, working.chosen, working.model)
    at = np.flatnonzero(records.observed)
    f, err = predict_draws(working.model, records, share.draws[rows], share.posterior.theta)
    level = f[:, at]
    sd = error_sd(share, level, err[:, at])
    on_log = working.model.spec.outputs[share.output].error.on_log_scale
    z = generator_of(seed, patient.id, f"measured {working.model.id}").standard_normal(level.shape)
    measured = level * np.exp(sd * z) if on_log else np.maximum(level + sd * z, 0.0)
    used = patient.used_levels
    value = np.array([np.nan if v.value is None else v.value for v in used])
    limit = np.array([np.nan if v.limit is None else v.limit for v in used])
    return PredictedLevels(
        level=level, measured=measured, log_density=log_density(level, sd, value, limit, on_log=on_log)
    )


def error_sd(share: Share, level: Floats, parts: Floats) -> Floats:
    """The residual error's SD at levels (…, n), on the log scale where the error is; `parts` (…, n, 3)."""
    kind = share.working.model.spec.outputs[share.output].error.kind
    sd = residual_sd(kind, level.ravel(), parts.reshape(-1, 3))
    return sd.reshape(level.shape)


def log_density(level: Floats, sd: Floats, value: Floats, limit: Floats, *, on_log: bool) -> Floats:
    """log p of values (n,) at predictions (n_draws, n) with error `sd`; below `limit` where NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if on_log:
            centre, y, least = np.log(level), np.log(value), np.log(limit)
        else:
            centre, y, least = level, value, limit
        z = (y - centre) / sd
        made: Floats = -0.5 * z * z - np.log(sd) - 0.5 * np.log(2 * np.pi)
        unseen = np.isnan(value)
        if unseen.any():
            from scipy.special import log_ndtr

            made = np.where(unseen, log_ndtr((least - centre) / sd), made)
    return made
