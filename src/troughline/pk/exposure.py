"""Exposure of individuals: trough, peak, area, time inside a range, at any past or future time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.model.engine import record_arrays
from troughline.model.records import MISSING, OBSERVATION, records_slice

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Quantity = Literal["at", "trough", "cmax", "tmax", "cmin", "auc", "average", "time_in_range"]

_GRID = 145
_BEFORE_H = 1e-7
"""A trough is the level this long before the next dose, so that no dose at that moment is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureQuery:
    """What to know of one patient.

    - `at`: the level at `end`; `trough`: the level just before `end`; `cmax`, `tmax`, `cmin`, `auc`,
      `average` (auc / (end − start)): over `start` to `end`; `time_in_range`: the fraction of that time with
      a level of `low` to `high`. Times in h on the records' clock.
    - `occasion`: the occasion in force there; None: that of the record before. A forecast names a new one.
    """

    quantity: Quantity
    end: float
    start: float = 0.0
    output: int = 0
    low: float = -np.inf
    high: float = np.inf
    occasion: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A quantity's posterior: median, mean and the central interval (default 90 %)."""

    median: float
    mean: float
    low: float
    high: float
    sd: float


def summarise(draws: Floats, level: float = 0.9) -> Interval:
    """Median, mean, SD and central interval of draws (n,). NaN where a draw is NaN."""
    tail = (1 - level) / 2
    low, median, high = (float(v) for v in np.quantile(draws, [tail, 0.5, 1 - tail]))
    sd = float(np.std(draws, ddof=1)) if len(draws) > 1 else 0.0
    return Interval(median=median, mean=float(np.mean(draws)), low=low, high=high, sd=sd)


def with_queries(
    model: Model, records: Records, p: int, queries: Sequence[ExposureQuery]
) -> tuple[Records, list[Ints]]:
    """One patient's records with the prediction records that queries need, and each query's record places.

    Every query's places are in time order. Areas are the outputs after the model's own (see `symbolic`).
    """
    one = records_slice(records, p, p + 1)
    n_outputs = len(model.spec.outputs)
    times: list[float] = []
    outputs: list[int] = []
    occasions: list[int] = []
    spans: list[tuple[int, int]] = []
    for query in queries:
        begin = len(times)
        for time, output in _points(query, n_outputs):
            times.append(time)
            outputs.append(output)
            occasions.append(-1 if query.occasion is None else query.occasion)
        spans.append((begin, len(times)))
    return _merged(model, one, np.array(times), np.array(outputs), np.array(occasions), spans)


def _points(query: ExposureQuery, n_outputs: int) -> list[tuple[float, int]]:
    q = query
    if q.quantity == "at":
        return [(q.end, q.output)]
    if q.quantity == "trough":
        return [(q.end - _BEFORE_H, q.output)]
    if not q.end > q.start:
        raise ValueError(f"{q.quantity}: the interval from {q.start:g} to {q.end:g} h is empty")
    if q.quantity in ("auc", "average"):
        return [(q.start, n_outputs + q.output), (q.end, n_outputs + q.output)]
    grid = np.linspace(q.start, q.end, _GRID)
    grid[-1] -= _BEFORE_H
    return [(float(t), q.output) for t in grid]


def _merged(
    model: Model, one: Records, times: Floats, outputs: Ints, occasions: Ints, spans: list[tuple[int, int]]
) -> tuple[Records, list[Ints]]:
    """Records with the new ones in their places in time: after every record of an earlier or equal time.

    A level just before a dose is asked for at a time just before it.
    """
    n_old, n_new = len(one), len(times)
    place = np.searchsorted(one.time_h, times, side="right")
    # Old records keep their order; a new one stands after every old one of an earlier or the same time.
    source = np.lexsort((np.r_[np.zeros(n_old), times], np.r_[np.arange(n_old), place - 0.5]))
    position = np.empty(n_old + n_new, dtype=np.int64)
    position[source] = np.arange(n_old + n_new)

    def column(old: NDArray[np.generic], value: float) -> NDArray[np.generic]:
        return np.r_[old, np.full(n_new, value, dtype=old.dtype)][source]

    carried = _carried(model, one, times)
    before = np.clip(place - 1, 0, None)
    occasion = np.where(occasions >= 0, occasions, one.occasion[before])
    merged = replace(
        one,
        first=np.array([0, n_old + n_new], dtype=np.int64),
        time_h=np.r_[one.time_h, times][source],
        event=column(one.event, OBSERVATION),
        amount_mg=column(one.amount_mg, 0.0),
        rate_mg_per_h=column(one.rate_mg_per_h, 0.0),
        interval_h=column(one.interval_h, 0.0),
        additional=column(one.additional, 0),
        steady_state=column(one.steady_state, 0),
        compartment=column(one.compartment, -1),
        output=np.r_[one.output, outputs][source],
        value=column(one.value, np.nan),
        censoring=column(one.censoring, MISSING),
        limit=column(one.limit, np.nan),
        covariates=np.r_[one.covariates, carried][source],
        occasion=np.r_[one.occasion, occasion][source],
        row=column(one.row, 0),
    )
    return merged, [np.sort(position[n_old + a : n_old + b]) for a, b in spans]


def _carried(model: Model, one: Records, times: Floats) -> Floats:
    """The covariates at new times: of the next record (`next`) or the one before (`last`)."""
    after = np.clip(np.searchsorted(one.time_h, times, side="left"), 0, len(one) - 1)
    before = np.clip(np.searchsorted(one.time_h, times, side="right") - 1, 0, None)
    out = np.empty((len(times), one.covariates.shape[1]))
    for k, covariate in enumerate(model.spec.covariates):
        out[:, k] = one.covariates[after if covariate.carry == "next" else before, k]
    return out


def exposure_draws(
    model: Model,
    records: Records,
    p: int,
    draws: Floats,
    queries: Sequence[ExposureQuery],
    *,
    theta: Floats | None = None,
) -> Floats:
    """The queries' answers for patient p at each of the draws (n_draws, q): (n_draws, n_queries).

    Levels are canonical (mg/L), times h, areas mg·h/L. A draw without a prediction gives NaN. Draws must hold
    an effect for every occasion that a query names. Raises `ValueError` for an empty interval.
    """
    from troughline.pk.kernels.sampling import predict_at

    merged, places = with_queries(model, records, p, queries)
    areas = any(q.quantity in ("auc", "average") for q in queries)
    compiled = model.compiled_with_areas if areas else model.compiled
    needed = compiled.n_subject + compiled.n_occasion * (int(merged.occasion.max(initial=-1)) + 1)
    if draws.shape[1] < needed:
        raise ValueError(f"the draws hold {draws.shape[1]} effects; these records need {needed}")
    arrays = record_arrays(merged)
    n = len(draws)
    f, err = np.full((n, len(merged)), np.nan), np.zeros((n, len(merged), 3))
    status = np.zeros(n, dtype=np.int64)
    parameters = np.ascontiguousarray(model.spec.theta if theta is None else theta)
    predict_at(
        compiled.layout, compiled.coefficients, compiled.addresses, parameters, *arrays, 0, len(merged), 1e-8,
        1e-10, 100_000, np.ascontiguousarray(draws[:, :needed]), f, err, status,
    )  # fmt: skip
    return np.column_stack([
        _answer(q, f[:, at], merged.time_h[at]) for q, at in zip(queries, places, strict=True)
    ])  # fmt: skip


def _answer(query: ExposureQuery, f: Floats, time_h: Floats) -> Floats:
    """One query's answer (n_draws,) from the levels at its times (n_draws, n_times)."""
    kind = query.quantity
    if kind in ("at", "trough"):
        return f[:, 0]
    if kind in ("auc", "average"):
        area = f[:, 1] - f[:, 0]
        return area / (query.end - query.start) if kind == "average" else area
    if kind == "cmin":
        return f.min(axis=1)
    if kind == "time_in_range":
        return _share_inside(f, time_h, query.low, query.high)
    peak, moment = _peak(f, time_h)
    return peak if kind == "cmax" else moment


def _peak(f: Floats, time_h: Floats) -> tuple[Floats, Floats]:
    """The largest level and its time, by the parabola through the largest grid value and its neighbours."""
    rows = np.arange(len(f))
    top = np.argmax(f, axis=1)
    peak, moment = f[rows, top].copy(), time_h[top].copy()
    inner = (top > 0) & (top < f.shape[1] - 1)
    r, k = rows[inner], top[inner]
    h = time_h[k + 1] - time_h[k]
    left, mid, right = f[r, k - 1], f[r, k], f[r, k + 1]
    bend = left - 2 * mid + right
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(bend < 0, 0.5 * (left - right) / bend, 0.0)
    shift = np.clip(shift, -0.5, 0.5)
    peak[inner] = mid - 0.25 * (left - right) * shift
    moment[inner] = time_h[k] + shift * h
    return peak, moment


def _share_inside(f: Floats, time_h: Floats, low: float, high: float) -> Floats:
    """The fraction of the time with low ≤ level ≤ high, the level linear between grid points."""
    a, b = f[:, :-1], f[:, 1:]
    least, most = np.minimum(a, b), np.maximum(a, b)
    width = most - least
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (np.minimum(most, high) - np.maximum(least, low)) / width
    flat = (least >= low) & (least <= high)
    part = np.where(width > 0, np.clip(part, 0.0, 1.0), flat)
    steps = np.diff(time_h)
    return part @ steps / steps.sum()
