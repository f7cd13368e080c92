"""Curves of the first patients: the individual estimate with its band, the typical patient, the samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.model.engine import predict
from troughline.model.records import BELOW_LIMIT, DOSE, MISSING
from troughline.pk.dosing_intervals import DosingIntervals, administrations, reported_intervals
from troughline.pk.insertion import with_times
from troughline.pk.interval_exposure import first_order_interval
from troughline.pk.prior_prediction import Predictor
from troughline.pk.sampled import factors

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records
    from troughline.pk.individual import Individuals

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

MOST_FITS = 12
_POINTS = 200
_MOST_INTERVALS = 14
"""A curve that would run over more intervals shows this many around the last sample."""
_DRAWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One patient's curve of one output: `time_h` (k,) with the levels of the individual estimate, the bounds
    of its band, and the typical patient; the samples (m,), a censored one at its limit; `doses_h`; how many
    samples lie before the curve. Levels are in the output's unit."""

    patient: str
    output: int
    dose_mg: float
    time_h: Floats
    individual: Floats
    low: Floats
    high: Floats
    population: Floats
    sample_h: Floats
    sample: Floats
    below: Flags
    limit: float
    doses_h: Floats
    left_out: int


def fit_curves(
    model: Model,
    records: Records,
    individuals: Individuals,
    *,
    draws: Floats | None,
    level: float = 0.9,
    interval_h: float | None = None,
) -> tuple[Fit, ...]:
    """The curves of every patient of these few records, over the dosing intervals that hold samples.

    `draws` (n_patients, n_draws, q): the band is between quantiles of 200 of them, else to first order.
    """
    intervals = reported_intervals(records, interval_h=interval_h)
    found: list[Fit] = []
    for p in range(records.n_patients):
        own = np.flatnonzero(intervals.patient == p)
        if not len(own) or individuals.status[p] in (2, 3):
            continue
        own = own[_known_together(records, p, intervals, own)]
        found += _of_patient(model, records, individuals, p, intervals, own, draws, level)
    return tuple(found)


def _of_patient(
    model: Model, records: Records, individuals: Individuals, p: int, intervals: DosingIntervals, own: Ints,
    draws: Floats | None, level: float,
) -> list[Fit]:  # fmt: skip
    begin, end = _window(records, p, intervals, own)
    n_out, stretch = len(model.spec.outputs), int(intervals.stretch[own[-1]])
    given = administrations(records)
    mine = (given.patient == p) & (given.stretch == stretch)
    doses = given.time_h[mine & (given.time_h >= begin) & (given.time_h < end)]
    time_h = np.union1d(np.linspace(begin, end - 1e-7, _POINTS), doses)
    merged, place = with_times(
        model.spec,
        records,
        patient=np.full(n_out * len(time_h), p),
        stretch=np.full(n_out * len(time_h), stretch),
        time_h=np.tile(time_h, n_out),
        output=np.repeat(np.arange(n_out), len(time_h)),
    )
    typical = predict(model.compiled, merged, theta=individuals.theta, threads=1, check=False).value[place]
    curve, low, high = _band(model, merged, place, individuals, p, draws, level)
    fits: list[Fit] = []
    for k, factor in enumerate(factors(model.spec.outputs)):
        part = slice(k * len(time_h), (k + 1) * len(time_h))
        sample_h, sample, below, limit, before = _samples(model, records, p, k, begin, end)
        if len(sample_h):
            fits.append(
                Fit(
                    patient=records.patients[p], output=k, dose_mg=float(intervals.dose_mg[own[-1]]),
                    time_h=time_h, individual=curve[part] / factor, low=low[part] / factor,
                    high=high[part] / factor, population=typical[part] / factor, sample_h=sample_h,
                    sample=sample / factor, below=below, limit=limit / factor, doses_h=doses, left_out=before,
                )
            )  # fmt: skip
    return fits


def _known_together(records: Records, p: int, intervals: DosingIntervals, own: Ints) -> Flags:
    """Which of a patient's intervals the last one follows without a break in what is known.

    At a reset the clock may begin anew, and before a dose that brings its own steady state nothing is told.
    """
    lo, hi = int(records.first[p]), int(records.first[p + 1])
    anew = (records.event[lo:hi] == DOSE) & (records.steady_state[lo:hi] == 1)
    begins = records.time_h[lo:hi][anew]
    begins = begins[begins <= intervals.start_h[own[-1]]]
    same = intervals.stretch[own] == intervals.stretch[own[-1]]
    return same & (intervals.start_h[own] >= (begins.max() if len(begins) else -np.inf))


def _window(records: Records, p: int, intervals: DosingIntervals, own: Ints) -> tuple[float, float]:
    """From the first interval with a sample to the end of the last, no more than `_MOST_INTERVALS` of it."""
    lo, hi = int(records.first[p]), int(records.first[p + 1])
    rows = np.arange(lo, hi)[records.observed[lo:hi] & (records.censoring[lo:hi] != MISSING)]
    last = float(records.time_h[rows].max()) if len(rows) else float(intervals.start_h[own[-1]])
    begun = own[intervals.start_h[own] <= last]
    final = int(begun[-1]) if len(begun) else int(own[-1])
    end = max(float(intervals.end_h[final]), last + 1e-3)
    length = float(intervals.end_h[final] - intervals.start_h[final])
    return max(float(intervals.start_h[own[0]]), end - _MOST_INTERVALS * max(length, end - last)), end


def _band(
    model: Model, merged: Records, place: Ints, individuals: Individuals, p: int, draws: Floats | None,
    level: float,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    made = predict(
        model.compiled, merged, theta=individuals.theta, effects=individuals.filled(), tangents=draws is None,
        threads=1, check=False,
    )  # fmt: skip
    curve = made.value[place]
    if draws is None:
        slope = np.zeros((len(place), 0)) if made.jacobian is None else made.jacobian[place]
        covariance = np.nan_to_num(individuals.covariance[p])
        variance = np.einsum("ki,ij,kj->k", slope, covariance, slope)
        return curve, *first_order_interval(curve, np.sqrt(np.maximum(variance, 0.0)), level)
    step = max(1, draws.shape[1] // _DRAWS)
    f = Predictor(model, merged, theta=individuals.theta).levels(p, draws[p, ::step], place)
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        low, high = np.nanquantile(f, [tail, 1 - tail], axis=0)
    return curve, low, high


def _samples(
    model: Model, records: Records, p: int, output: int, begin: float, end: float
) -> tuple[Floats, Floats, Flags, float, int]:
    """Times, canonical levels, which are below their limit, the limit, and how many lie before `begin`."""
    lo, hi = int(records.first[p]), int(records.first[p + 1])
    rows = np.arange(lo, hi)[records.observed[lo:hi] & (records.censoring[lo:hi] != MISSING)]
    rows = rows[records.output[rows] == output]
    before = int(np.sum(records.time_h[rows] < begin))
    rows = rows[(records.time_h[rows] >= begin) & (records.time_h[rows] <= end)]
    censored = records.censoring[rows] > 0
    value = np.where(censored, records.limit[rows], records.value[rows])
    limits = records.limit[rows][np.isfinite(records.limit[rows])]
    limit = float(limits.max()) if len(limits) else float("nan")
    if model.spec.outputs[output].error.on_log_scale:
        value, limit = np.exp(value), float(np.exp(limit))
    return records.time_h[rows], value, records.censoring[rows] == BELOW_LIMIT, limit, before
