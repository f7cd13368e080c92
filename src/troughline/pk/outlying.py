"""Samples far outside what the model expected of the patient before any sample: flagged, never left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.model.engine import effects_per_patient, over_patients, predict
from troughline.model.records import BELOW_LIMIT, MISSING, OBSERVATION, QUANTIFIED
from troughline.pk.posterior import generator_of
from troughline.pk.prior_prediction import Predicted, Predictor, centred, prior_distance, prior_effects
from troughline.progress import Progress, silent

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

PRIOR_DRAWS = 1000
"""Draws of the prior that give the probability of a sample."""
CLOSER_DRAWS = 4000
"""Draws where the probability is small: half of them from a prior with twice the SD."""
CLOSER_BELOW = 0.02
"""A probability times the patient's number of samples below which it is computed from `CLOSER_DRAWS`."""
FAR_BELOW = 0.001
"""A probability times the patient's number of samples below which a sample is far outside."""
FAR_OUTSIDE = "far outside the prior prediction"
_INFLATION = 4.0


def prior_tail_probabilities(
    model: Model,
    records: Records,
    *,
    seed: int,
    simulate: bool = True,
    threads: int | None = None,
    progress: Progress = silent,
) -> Floats:
    """How probable a level at least as far out as each sample was before any sample (n_records,).

    With F the distribution of the level that the model expects of the patient (his doses and covariates,
    random effects from the prior as published, residual error): 2·min(F(y), 1 − F(y)); for a sample below or
    above its limit, the probability of that. F is the mean of the residual error's distribution over 1,000
    draws of the effects, without `simulate` normal with the variance to first order (of the logarithm where
    the prediction is positive). What is then below 0.02 over the patient's number of samples is computed
    again from 4,000 draws, half of them of a prior with twice the SD, weighted, so that the tail is seen.

    Draws depend on `seed` and the patient's name alone. NaN where nothing was measured or predicted.
    """
    out = np.full(len(records), np.nan)
    if not simulate:
        out = _to_first_order(model, records, threads)
    which = measured(model, records)
    own = effects_per_patient(model.compiled, records)
    predictor = Predictor(model, records)
    done = 0

    def run(begin: int, end: int) -> None:
        nonlocal done
        for p in range(begin, end):
            rows = which[
                np.searchsorted(which, records.first[p]) : np.searchsorted(which, records.first[p + 1])
            ]
            if not len(rows):
                continue
            if simulate:
                rng = generator_of(seed, records.patients[p], "prior prediction")
                points = prior_effects(model, int(own[p]), PRIOR_DRAWS, rng)
                out[rows] = _tails(records, rows, predictor.at(p, points, rows), None)
            near = rows[~(out[rows] * len(rows) >= CLOSER_BELOW)]
            if len(near):
                rng = generator_of(seed, records.patients[p], "prior tail")
                half = CLOSER_DRAWS // 2
                parts = [prior_effects(model, int(own[p]), half, rng, inflation=i) for i in (1.0, _INFLATION)]
                points = np.concatenate(parts)
                out[near] = _tails(records, near, predictor.at(p, points, near), _weights(model, points))
        done += end - begin
        progress("holding samples against the prior prediction", done, records.n_patients)

    over_patients(run, records.n_patients, threads, chunk=16)
    return out


def far_outside(records: Records, probability: Floats) -> Flags:
    """Samples whose probability times the patient's number of samples is below 0.001 (n_records,).

    The factor is Bonferroni's: of patients whom the model fits, at most one in a thousand has a flag.
    """
    there = np.isfinite(probability)
    counts = np.bincount(records.patient_index()[there], minlength=records.n_patients)
    with np.errstate(invalid="ignore"):
        return there & (probability * counts[records.patient_index()] < FAR_BELOW)


def measured(model: Model, records: Records) -> Ints:
    """The records that hold a measurement of an output that has an error (n,)."""
    real = np.array([o.error.kind != "none" for o in model.spec.outputs], dtype=bool)
    return np.flatnonzero(
        (records.event == OBSERVATION) & (records.censoring != MISSING) & real[records.output]
    )


def _weights(model: Model, points: Floats) -> Floats:
    """The prior's density over that of the even mixture of it and the wider one, at points of both (n,)."""
    distance, free = prior_distance(model, points)
    with np.errstate(over="ignore"):
        wider = _INFLATION ** (-free / 2) * np.exp(0.5 * distance * (1 - 1 / _INFLATION))
    return 1.0 / (0.5 + 0.5 * wider)


def _tails(records: Records, rows: Ints, made: Predicted, weights: Floats | None) -> Floats:
    """The tail probability of each of a patient's samples from predictions at draws (n_rows,)."""
    from scipy.special import ndtr

    code = records.censoring[rows]
    y = np.where(code == QUANTIFIED, records.value[rows], records.limit[rows])
    weight = np.ones(len(made.centre)) if weights is None else weights
    there = np.isfinite(made.sd)
    w = np.where(there, weight[:, None], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(made.sd > 0, (y - made.centre) / made.sd, np.where(y > made.centre, np.inf, -np.inf))
        low = np.sum(np.where(there, w * ndtr(z), 0.0), axis=0) / w.sum(axis=0)
        high = np.sum(np.where(there, w * ndtr(-z), 0.0), axis=0) / w.sum(axis=0)
    return _two_sided(low, high, code)


def _two_sided(low: Floats, high: Floats, code: Ints) -> Floats:
    both = np.minimum(1.0, 2.0 * np.minimum(low, high))
    return np.where(code == QUANTIFIED, both, np.where(code == BELOW_LIMIT, low, high))


def _to_first_order(model: Model, records: Records, threads: int | None) -> Floats:
    """The tail probabilities with the variance of predictions to first order in the effects (n_records,)."""
    from scipy.special import ndtr

    made = predict(
        model.compiled, records, theta=model.spec.theta, tangents=True, threads=threads, check=False
    )
    rows = measured(model, records)
    f, slope = made.value[rows], np.zeros((len(rows), 0)) if made.jacobian is None else made.jacobian[rows]
    one = centred(model.spec.outputs, records.output[rows], f[None, :], made.error[rows][None, :])
    logged = np.array([o.error.on_log_scale for o in model.spec.outputs], dtype=bool)[records.output[rows]]
    code = records.censoring[rows]
    y = np.where(code == QUANTIFIED, records.value[rows], records.limit[rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        natural = np.where(logged, np.exp(y), y)
        on_log = logged | ((f > 0) & (natural > 0))
        sd: Floats = one.sd[0] / np.where(on_log & ~logged, f, 1.0)
        slope = np.where(on_log[:, None], slope / f[:, None], slope)
        miss = np.where(on_log, np.log(natural) - np.log(f), natural - f)
        z = miss / np.sqrt(sd**2 + _spread(model, slope))
    out = np.full(len(records), np.nan)
    out[rows] = _two_sided(ndtr(z), ndtr(-z), code)
    return out


def _spread(model: Model, slope: Floats) -> Floats:
    """The prior variance of a prediction with these derivatives (n, q), to first order (n,)."""
    subject, occasion = model.spec.covariance("subject"), model.spec.covariance("occasion")
    total, place = np.zeros(len(slope)), 0
    while place < slope.shape[1]:
        covariance = subject if place == 0 and len(subject) else occasion
        part = slope[:, place : place + len(covariance)]
        total += np.einsum("ni,ij,nj->n", part, covariance, part)
        place += len(covariance)
    return total
