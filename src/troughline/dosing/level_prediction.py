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
    measured = with_error(level, sd, z, on_log=np.full(len(level), on_log)[:, None])
    used = patient.used_levels
    value = np.array([np.nan if v.value is None else v.value for v in used])
    limit = np.array([np.nan if v.limit is None else v.limit for v in used])
    return PredictedLevels(
        level=level, measured=measured, log_density=log_density(level, sd, value, limit, on_log=on_log)
    )


LARGEST_LOG_SD = 1.0
"""Above it an error of the logarithm acts on the level itself: so far down the additive part is all of it."""
LEAST_LEVEL = 1e-9
"""mg/L; what lies below it is computed as this."""


def with_error(level: Floats, sd: Floats, z: Floats, *, on_log: NDArray[np.bool_]) -> Floats:
    """Levels as they would be measured: f·exp(SD·z) where the error is on the log scale, else f + SD·z ≥ 0.

    Where the SD of the logarithm exceeds 1, f + f·SD·z: near zero the assay's additive error is what there
    is, and a logarithm of it would have no bounds.
    """
    f = np.maximum(level, LEAST_LEVEL)
    logged = on_log & (sd <= LARGEST_LOG_SD)
    natural = np.maximum(f + np.where(on_log, f * sd, sd) * z, 0.0)
    return np.where(logged, f * np.exp(np.where(logged, sd, 0.0) * z), natural)


def error_sd(share: Share, level: Floats, parts: Floats) -> Floats:
    """The residual error's SD at levels (…, n), on the log scale where the error is; `parts` (…, n, 3)."""
    kind = share.working.model.spec.outputs[share.output].error.kind
    sd = residual_sd(kind, level.ravel(), parts.reshape(-1, 3))
    return sd.reshape(level.shape)


def log_density(level: Floats, sd: Floats, value: Floats, limit: Floats, *, on_log: bool) -> Floats:
    """log p of values (n,) at predictions (n_draws, n) with error `sd`; below `limit` where NaN.

    The error is as in `with_error`; densities on the log scale are of the logarithm of the value.
    """
    f = np.maximum(level, LEAST_LEVEL)
    logged = on_log & (sd <= LARGEST_LOG_SD)
    size = np.where(on_log & ~logged, f * sd, sd)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(logged, np.log(value) - np.log(f), value - f) / size
        made: Floats = -0.5 * z * z - np.log(size) - 0.5 * np.log(2 * np.pi)
        made = np.where(on_log & ~logged, made + np.log(value), made)
        unseen = np.isnan(value)
        if unseen.any():
            from scipy.special import log_ndtr

            least = np.where(logged, np.log(limit) - np.log(f), limit - f)
            made = np.where(unseen, log_ndtr(least / size), made)
    return made
