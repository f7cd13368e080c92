"""Samples far outside what the model expected of the patient before any sample: flagged, never left out."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAgainstPrior:
    """`probability` (n_records,): how probable a level at least as far out as each sample was before any.

    `rows` (n,): the samples of the patients that were to be simulated; `simulated` (n_simulations, n): those
    with effects from the prior and residual error, on the scale of the error, canonical units.
    """

    probability: Floats
    rows: Ints
    simulated: Floats


def hold_against_prior(
    model: Model,
    records: Records,
    *,
    seed: int,
    simulate: bool = True,
    simulations: int = 0,
    patients: Ints | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> HeldAgainstPrior:
    """Compare each sample with what the model expects of its patient before any sample.

    With F the distribution of the level that is expected (the patient's doses and covariates, random effects
    from the prior as published, residual error) the probability is 2·min(F(y), 1 − F(y)); for a sample below
    or above its limit, that of being there. F is the mean of the residual error's distribution over 1,000
    draws of the effects; without `simulate` it is normal with the variance to first order (of the logarithm
    where the prediction is positive). What is then below 0.02 over the patient's number of samples is
    computed again from 4,000 draws, half of them of a prior with twice the SD, weighted, so that the tail is
    seen. `simulations` of the samples of `patients` (indices) come from the same draws.

    Draws depend on `seed` and the patient's name alone. NaN where nothing was measured or predicted.
    """
    work = _Holding.of(model, records, seed, simulate, simulations, patients)
    if not simulate:
        work.probability[:] = _to_first_order(model, records, threads)
    done = 0

    def run(begin: int, end: int) -> None:
        nonlocal done
        for p in range(begin, end):
            work.patient(p)
        done += end - begin
        progress("holding samples against the prior prediction", done, records.n_patients)

    over_patients(run, records.n_patients, threads, chunk=16)
    return HeldAgainstPrior(probability=work.probability, rows=work.kept, simulated=work.simulated)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Holding:
    """What is shared by the patients, and what they fill in."""

    model: Model
    records: Records
    predictor: Predictor
    seed: int
    simulate: bool
    simulations: int
    samples: Ints
    own: Ints
    probability: Floats
    kept: Ints
    simulated: Floats

    @staticmethod
    def of(
        model: Model, records: Records, seed: int, simulate: bool, simulations: int, patients: Ints | None
    ) -> _Holding:
        samples = measured(model, records)
        chosen = np.empty(0, dtype=np.int64) if patients is None else patients
        kept = samples[np.isin(records.patient_index()[samples], chosen)]
        return _Holding(
            model=model,
            records=records,
            predictor=Predictor(model, records),
            seed=seed,
            simulate=simulate,
            simulations=simulations,
            samples=samples,
            own=effects_per_patient(model.compiled, records),
            probability=np.full(len(records), np.nan),
            kept=kept,
            simulated=np.full((simulations, len(kept)), np.nan),
        )

    def patient(self, p: int) -> None:
        """Fill in the samples of one patient."""
        rows = _between(self.samples, self.records, p)
        if not len(rows):
            return
        place = int(np.searchsorted(self.kept, int(rows[0])))
        kept = self.simulations if place < len(self.kept) and self.kept[place] == rows[0] else 0
        wanted = max(PRIOR_DRAWS if self.simulate else 0, kept)
        name, q = self.records.patients[p], int(self.own[p])
        if wanted:
            rng = generator_of(self.seed, name, "prior prediction")
            blocks = [prior_effects(self.model, q, PRIOR_DRAWS, rng) for _ in range(0, wanted, PRIOR_DRAWS)]
            made = self.predictor.at(p, np.concatenate(blocks)[:wanted], rows)
            if self.simulate:
                first = Predicted(centre=made.centre[:PRIOR_DRAWS], sd=made.sd[:PRIOR_DRAWS])
                self.probability[rows] = _tails(self.records, rows, first, None)
            if kept:
                noise = generator_of(self.seed, name, "residual error").standard_normal((kept, len(rows)))
                self.simulated[:, place : place + len(rows)] = made.centre[:kept] + made.sd[:kept] * noise
        near = rows[~(self.probability[rows] * len(rows) >= CLOSER_BELOW)]
        if len(near):
            rng = generator_of(self.seed, name, "prior tail")
            half = CLOSER_DRAWS // 2
            wide = [prior_effects(self.model, q, half, rng, inflation=i) for i in (1.0, _INFLATION)]
            points = np.concatenate(wide)
            closer = self.predictor.at(p, points, near)
            self.probability[near] = _tails(self.records, near, closer, _weights(self.model, points))


def _between(samples: Ints, records: Records, p: int) -> Ints:
    """Those of the sorted record indices that are of patient p."""
    begin, end = np.searchsorted(samples, [records.first[p], records.first[p + 1]])
    return samples[begin:end]


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
