"""Trough, peak, area and average of many patients' dosing intervals, each with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.model.engine import Tolerance, over_patients, predict, record_arrays
from troughline.pk.insertion import with_times

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records
    from troughline.pk.dosing_intervals import DosingIntervals
    from troughline.pk.individual import Individuals

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUANTITIES = ("trough", "cmax", "auc", "average")
_BEFORE_H = 1e-7
"""An interval's last level and area are those this long before its end, so that no dose then is in them."""
_EARLY, _LATE = 16, 16
"""Steps of the first quarter of an interval and of the rest of it, among whose ends the peak is sought."""
_POINTS = _EARLY + _LATE + 2
_MOST_RECORDS = 200_000
"""How many prediction records are made at a time."""
DRAWN = Tolerance(relative=1e-6, absolute=1e-8)
"""Of the solver for many draws, whose quantiles need less than an estimate."""
_MOST_LEVELS = 2_000_000
"""How many levels of a patient are held at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalExposure:
    """Median and central interval of each quantity (`QUANTITIES`) of each interval and output.

    Arrays (n_intervals, n_outputs, 4) in canonical units (mg/L, area mg·h/L); NaN where the patient has no
    estimate or no prediction. The first-order interval has the estimate itself as its median.
    """

    median: Floats
    low: Floats
    high: Floats


def exposure_of_intervals(
    model: Model,
    records: Records,
    individuals: Individuals,
    intervals: DosingIntervals,
    *,
    draws: Floats | None = None,
    level: float = 0.9,
    threads: int | None = None,
) -> IntervalExposure:
    """The exposure of each interval, from posterior draws (n_patients, n_draws, q) or to first order.

    Without draws a quantity g has the interval exp(log g ± z·SD), SD² = g′Cg′ᵀ/g² with the exact derivatives
    g′ by the random effects at the estimate and C their posterior covariance. The peak is the largest of 34
    levels, closer together early in the interval, or that of the parabola through it and its neighbours.
    """
    n_outputs = len(model.spec.outputs)
    shape = (len(intervals), n_outputs, len(QUANTITIES))
    found = IntervalExposure(
        median=np.full(shape, np.nan), low=np.full(shape, np.nan), high=np.full(shape, np.nan)
    )
    per_interval = n_outputs * (_POINTS + 3)
    step = max(1, _MOST_RECORDS // per_interval)
    for begin in range(0, len(intervals), step):
        # A patient's intervals may part over two runs; each run has all records before them.
        some = np.arange(begin, min(begin + step, len(intervals)))
        asked = _asked(model, records, intervals, some)
        if draws is None:
            _to_first_order(model, asked, individuals, some, found, level, threads)
        else:
            _from_draws(model, asked, individuals, draws, some, found, level, threads)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Records with the times that n intervals need.

    `level` (n, n_outputs, points) and `area` (n, n_outputs, 2) are their places among the records, `time_h`
    (n, points) the times of the levels, `stops_h` (n,) when an infusion stops (the start: none does),
    `length_h` (n,) the intervals' lengths.
    """

    records: Records
    patient: Ints
    level: Ints
    area: Ints
    time_h: Floats
    stops_h: Floats
    length_h: Floats


def _asked(model: Model, records: Records, intervals: DosingIntervals, some: Ints) -> _Asked:
    start, end = intervals.start_h[some], intervals.end_h[some]
    length = end - start
    grid = _grid(start, length)
    infused = np.clip(intervals.infusion_h[some], 0.0, length - _BEFORE_H)
    time_h = np.sort(np.column_stack([grid, start + infused]), axis=1)
    outputs = np.arange(len(model.spec.outputs))
    n, n_out = len(some), len(outputs)
    levels = np.broadcast_to(time_h[:, None, :], (n, n_out, _POINTS))
    areas = np.broadcast_to(np.column_stack([start, end - _BEFORE_H])[:, None, :], (n, n_out, 2))
    every = np.concatenate([levels.reshape(n, -1), areas.reshape(n, -1)], axis=1)
    kinds = np.concatenate([np.repeat(outputs, _POINTS), np.repeat(outputs + n_out, 2)])
    merged, place = with_times(
        model.spec,
        records,
        patient=np.repeat(intervals.patient[some], every.shape[1]),
        stretch=np.repeat(intervals.stretch[some], every.shape[1]),
        time_h=every.ravel(),
        output=np.tile(kinds, n),
    )
    place = place.reshape(n, -1)
    return _Asked(
        records=merged,
        patient=intervals.patient[some],
        level=place[:, : n_out * _POINTS].reshape(n, n_out, _POINTS),
        area=place[:, n_out * _POINTS :].reshape(n, n_out, 2),
        time_h=time_h,
        stops_h=start + infused,
        length_h=length,
    )


def _grid(start: Floats, length: Floats) -> Floats:
    """Times (n, points) of each interval; its steps are whole multiples of 2⁻¹⁶ h.

    So most steps are the same number, for which the engine has the propagator already.
    """
    fine = 65536.0
    early = np.floor(length / 4 / _EARLY * fine) / fine
    late = np.floor((length - early * _EARLY) / _LATE * fine) / fine
    steps = np.concatenate(
        [
            early[:, None] * np.arange(_EARLY),
            (early * _EARLY)[:, None] + late[:, None] * np.arange(_LATE + 1),
        ],
        axis=1,
    )
    steps[:, -1] = length - _BEFORE_H
    return start[:, None] + steps


def _to_first_order(
    model: Model, asked: _Asked, individuals: Individuals, some: Ints, found: IntervalExposure, level: float,
    threads: int | None,
) -> None:  # fmt: skip
    made = predict(
        model.compiled_with_areas, asked.records, theta=individuals.theta, effects=individuals.filled(),
        tangents=True, tolerance=individuals.options.tolerance, threads=threads, check=False,
    )  # fmt: skip
    slopes = np.zeros((len(asked.records), 0)) if made.jacobian is None else made.jacobian
    f, q = made.value, individuals.effects.shape[1]
    top = np.take_along_axis(asked.level, np.argmax(f[asked.level], axis=2)[:, :, None], axis=2)[:, :, 0]
    last, first, second = asked.level[:, :, -1], asked.area[:, :, 0], asked.area[:, :, 1]
    times = np.broadcast_to(asked.time_h[:, None, :], asked.level.shape)
    peak, _ = peak_of(times, f[asked.level], asked.stops_h[:, None])
    area, d_area = f[second] - f[first], slopes[second] - slopes[first]
    hours = asked.length_h[:, None]
    value = np.stack([f[last], peak, area, area / hours], axis=2)
    slope = np.stack([slopes[last], slopes[top], d_area, d_area / hours[:, :, None]], axis=2)[..., :q]
    covariance = np.nan_to_num(individuals.covariance)[asked.patient]
    variance = np.einsum("noki,nij,nokj->nok", slope, covariance, slope)
    low, high = first_order_interval(value, np.sqrt(np.maximum(variance, 0.0)), level)
    lost = np.isin(individuals.status[asked.patient], (2, 3))[:, None, None]
    found.median[some] = np.where(lost, np.nan, value)
    found.low[some], found.high[some] = np.where(lost, np.nan, low), np.where(lost, np.nan, high)


def first_order_interval(value: Floats, sd: Floats, level: float) -> tuple[Floats, Floats]:
    """The central interval of a quantity with this SD, on the log scale where the quantity is positive."""
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.exp(np.minimum(z * sd / np.abs(value), 700.0))
        low = np.where(value > 0, value / factor, value - z * sd)
        high = np.where(value > 0, value * factor, value + z * sd)
    return low, high


def _from_draws(
    model: Model, asked: _Asked, individuals: Individuals, draws: Floats, some: Ints, found: IntervalExposure,
    level: float, threads: int | None,
) -> None:  # fmt: skip
    from troughline.pk.kernels.sampling import predict_at

    compiled = model.compiled_with_areas
    arrays = record_arrays(asked.records)
    tolerance, theta = DRAWN, individuals.theta
    who, first = np.unique(asked.patient, return_index=True)
    bounds: list[int] = [*first.tolist(), len(asked.patient)]
    tails = [(1 - level) / 2, 0.5, (1 + level) / 2]

    def levels(p: int, points: Floats) -> Floats:
        lo, hi = int(asked.records.first[p]), int(asked.records.first[p + 1])
        f, error = np.full((len(points), hi - lo), np.nan), np.zeros((len(points), hi - lo, 3))
        predict_at(
            compiled.layout, compiled.coefficients, compiled.addresses, theta, *arrays, lo, hi,
            tolerance.relative, tolerance.absolute, tolerance.max_steps, np.ascontiguousarray(points), f,
            error, np.zeros(len(points), dtype=np.int64),
        )  # fmt: skip
        return f

    def run(begin: int, end: int) -> None:
        for k in range(begin, end):
            p, mine = int(who[k]), np.arange(bounds[k], bounds[k + 1], dtype=np.int64)
            if np.isnan(draws[p]).any():
                continue
            lo, rows = int(asked.records.first[p]), int(asked.records.first[p + 1] - asked.records.first[p])
            block = max(1, _MOST_LEVELS // rows)
            # Importance resampling repeats points: each is predicted once.
            points, back = np.unique(draws[p], axis=0, return_inverse=True)
            parts = [
                _values(levels(p, points[i : i + block]), asked, mine, lo)
                for i in range(0, len(points), block)
            ]
            values = np.concatenate(parts)[back.ravel()]
            values = values[np.isfinite(values).all(axis=(1, 2, 3))]
            if len(values):
                low, median, high = np.quantile(values, tails, axis=0)
                found.low[some[mine]], found.median[some[mine]], found.high[some[mine]] = low, median, high

    over_patients(run, len(who), threads, chunk=8)


def _values(f: Floats, asked: _Asked, mine: Ints, lo: int) -> Floats:
    """Each quantity at each draw (n_draws, n_mine, n_outputs, 4) from the levels f (n_draws, rows)."""
    level = f[:, asked.level[mine] - lo]
    area = f[:, asked.area[mine] - lo]
    total = area[..., 1] - area[..., 0]
    times = np.broadcast_to(asked.time_h[mine][None, :, None, :], level.shape)
    peak, _ = peak_of(times, level, asked.stops_h[mine][None, :, None])
    return np.stack([level[..., -1], peak, total, total / asked.length_h[mine][None, :, None]], axis=3)


def peak_of(time_h: Floats, level: Floats, bend_h: Floats | None = None) -> tuple[Floats, Floats]:
    """The largest level along the last axis and its time, both (...,), with a parabola between the times.

    The parabola runs through the largest level and its neighbours, and is used where all three times differ
    and the curve does not bend at the middle one, `bend_h` (...,).
    """
    top = np.argmax(level, axis=-1)
    middle = np.clip(top, 1, level.shape[-1] - 2)
    x0, x1, x2 = (_at(time_h, middle + k) for k in (-1, 0, 1))
    f0, f1, f2 = (_at(level, middle + k) for k in (-1, 0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        rise, fall = (f1 - f0) / (x1 - x0), (f2 - f1) / (x2 - x1)
        bend = (fall - rise) / (x2 - x0)
        moment = (x0 + x1) / 2 - rise / (2 * bend)
        height = f0 + rise * (moment - x0) + bend * (moment - x0) * (moment - x1)
        good = (top == middle) & (bend < 0) & (moment > x0) & (moment < x2) & (height >= f1)
    if bend_h is not None:
        good &= x1 != bend_h
    return np.where(good, height, _at(level, top)), np.where(good, moment, _at(time_h, top))


def _at(values: Floats, place: Ints) -> Floats:
    return np.take_along_axis(values, place[..., None], axis=-1)[..., 0]
