"""Exposure of individuals: trough, peak, area, time inside a range, at any past or future time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.model.engine import Tolerance, record_arrays
from troughline.model.records import records_slice
from troughline.pk.query_records import Point, repetition_times, reset_times, with_points

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Quantity = Literal["at", "trough", "cmax", "tmax", "cmin", "auc", "average", "time_in_range"]

_FINE, _COARSE, _POINTS = 145, 33, 1160
"""Levels between two doses: as many as the first where that gives no more than the last in all."""
_BEFORE_H = 1e-7
"""A trough is the level this long before the next dose, so that no dose at that moment is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureQuery:
    """What to know of one patient.

    - `at`: the level at `end`, after a dose then; `trough`: the level just before `end`; `cmax`, `tmax`,
      `cmin`, `auc`, `average` (auc / (end − start)): over `start` to `end`; `time_in_range`: the fraction of
      that time with a level of `low` to `high`. Times in h on the records' clock.
    - `output`: its index among the model's.
    - `occasion`: the one in force; None: as the records say. `new`: one that the patient has not had yet, an
      index: that one. Another occasion than the records' begins right after the last record, with the doses
      that are repeated from then on.
    """

    quantity: Quantity
    end: float
    start: float = 0.0
    output: int = 0
    low: float = -np.inf
    high: float = np.inf
    occasion: int | Literal["new"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A quantity's posterior: median, mean and the central interval (default 90 %)."""

    median: float
    mean: float
    low: float
    high: float
    sd: float


def summarise(draws: Floats, level: float = 0.9) -> Interval:
    """Median, mean, SD and central interval of draws (n,). NaN where a draw is NaN.

    Raises `ValueError` unless `level` lies between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval must lie between 0 and 1, not {level!r}")
    tail = (1 - level) / 2
    low, median, high = (float(v) for v in np.quantile(draws, [tail, 0.5, 1 - tail]))
    sd = float(np.std(draws, ddof=1)) if len(draws) > 1 else 0.0
    return Interval(median=median, mean=float(np.mean(draws)), low=low, high=high, sd=sd)


def with_queries(
    model: Model, records: Records, p: int, queries: Sequence[ExposureQuery]
) -> tuple[Records, list[Ints]]:
    """Patient p's records with the prediction records that queries need, and each query's record places.

    Every query's places are in time order; the predictions at the patient's own records stay what they are.
    Areas are the outputs after the model's own (see `symbolic`). All queries must name the same occasion.
    Raises `ValueError` for an empty interval and for a time that the records cannot tell of.
    """
    if len({q.occasion for q in queries}) > 1:
        raise ValueError("queries of different occasions need records of their own")
    one = records_slice(records, p, p + 1)
    points: list[Point] = []
    ends: list[int] = [0]
    for query in queries:
        points += _points(query, one, len(model.spec.outputs))
        ends.append(len(points))
    occasion = _occasion_index(one, queries[0].occasion)
    merged, position = with_points(model, one, points, occasion)
    return merged, [np.sort(position[a:b]) for a, b in pairwise(ends)]


def _occasion_index(one: Records, occasion: int | Literal["new"] | None) -> int | None:
    return int(one.occasion.max(initial=-1)) + 1 if occasion == "new" else occasion


def _points(query: ExposureQuery, one: Records, n_outputs: int) -> list[Point]:
    q = query
    if not 0 <= q.output < n_outputs:
        raise ValueError(f"{q.quantity}: the model has {n_outputs} outputs, none with index {q.output}")
    if q.quantity == "at":
        return [Point(time_h=q.end, output=q.output)]
    if q.quantity == "trough":
        return [Point(time_h=q.end - _BEFORE_H, output=q.output)]
    if not q.end > q.start:
        raise ValueError(f"{q.quantity}: the interval from {q.start:g} to {q.end:g} h is empty")
    if q.quantity in ("auc", "average"):
        area = n_outputs + q.output
        return [Point(time_h=q.start, output=area), Point(time_h=q.end, output=area, before=True)]
    inner = [*repetition_times(one, q.start, q.end).tolist(), *reset_times(one, q.start, q.end)]
    edges = sorted({q.start, *inner, q.end})
    each = int(np.clip(_POINTS // (len(edges) - 1), _COARSE, _FINE))
    return [
        Point(time_h=t, output=q.output)
        for a, b in pairwise(edges)
        for t in np.linspace(a, b - min(_BEFORE_H, (b - a) / 2), each).tolist()
    ]


def exposure_draws(
    model: Model,
    records: Records,
    p: int,
    draws: Floats,
    queries: Sequence[ExposureQuery],
    *,
    theta: Floats | None = None,
    tolerance: Tolerance | None = None,
) -> Floats:
    """The queries' answers for patient p at each of the draws (n_draws, q): (n_draws, n_queries).

    Levels are canonical (mg/L), times h, areas mg·h/L. A draw that is NaN or without a prediction gives NaN.
    Peaks and lows are those between doses, by the quartic through five of the levels 1/144 of that time
    apart (1/32 over many doses), the time inside a range by straight lines between levels. Raises
    `ValueError` for an empty interval, an output that the model does not have, a time that the records cannot
    tell of and draws without the effects of an occasion that is asked for.
    """
    answers = np.full((len(draws), len(queries)), np.nan)
    parameters = np.ascontiguousarray(model.spec.theta if theta is None else theta)
    known = np.isfinite(draws).all(axis=1)
    distinct, back = np.unique(draws[known], axis=0, return_inverse=True)
    for occasion in dict.fromkeys(q.occasion for q in queries):
        mine = [k for k, q in enumerate(queries) if q.occasion == occasion]
        some = [queries[k] for k in mine]
        merged, places = with_queries(model, records, p, some)
        levels = _levels(model, merged, distinct, some, parameters, tolerance or Tolerance())
        for k, query, at in zip(mine, some, places, strict=True):
            answers[known, k] = _answer(query, levels[:, at], merged.time_h[at])[back.ravel()]
    return answers


def _levels(
    model: Model, merged: Records, draws: Floats, queries: Sequence[ExposureQuery], theta: Floats,
    tolerance: Tolerance,
) -> Floats:  # fmt: skip
    """Predictions (n_draws, n_records) of one patient's records at every draw."""
    from troughline.pk.kernels.sampling import predict_at

    areas = any(q.quantity in ("auc", "average") for q in queries)
    compiled = model.compiled_with_areas if areas else model.compiled
    needed = compiled.n_subject
    if compiled.n_occasion:
        needed += compiled.n_occasion * (int(merged.occasion.max(initial=-1)) + 1)
    if draws.shape[1] < needed:
        raise ValueError(
            f"the draws hold {draws.shape[1]} effects; these records need {needed}: those of an occasion to "
            "come are drawn with `new_occasions`"
        )
    n = len(draws)
    f, err = np.full((n, len(merged)), np.nan), np.zeros((n, len(merged), 3))
    predict_at(
        compiled.layout, compiled.coefficients, compiled.addresses, theta, *record_arrays(merged), 0,
        len(merged), tolerance.relative, tolerance.absolute, tolerance.max_steps,
        np.ascontiguousarray(draws[:, :needed]), f, err, np.zeros(n, dtype=np.int64),
    )  # fmt: skip
    return f


def _answer(query: ExposureQuery, f: Floats, time_h: Floats) -> Floats:
    """One query's answer (n_draws,) from the levels at its times (n_draws, n_times)."""
    kind = query.quantity
    if kind in ("at", "trough"):
        return f[:, 0]
    if kind in ("auc", "average"):
        area = f[:, -1] - f[:, 0]
        return area / (query.end - query.start) if kind == "average" else area
    if kind == "cmin":
        return -_peak(-f, time_h)[0]
    if kind == "time_in_range":
        return _share_inside(f, time_h, query.low, query.high)
    peak, moment = _peak(f, time_h)
    return peak if kind == "cmax" else moment


def _peak(f: Floats, time_h: Floats) -> tuple[Floats, Floats]:
    """The largest level and its time (n_draws,), by the quartic through the largest and its neighbours.

    The largest level itself stands where the five are not all between the same two doses, or where they do
    not lie on a smooth curve.
    """
    rows = np.arange(len(f))
    top = np.argmax(np.where(np.isnan(f), -np.inf, f), axis=1)
    peak, moment = f[rows, top].copy(), time_h[top].copy()
    step = np.diff(time_h)
    even = np.zeros(len(time_h), dtype=bool)
    if len(time_h) > 4:
        four = np.lib.stride_tricks.sliding_window_view(step, 4)
        even[2:-2] = np.ptp(four, axis=1) < 1e-3 * four.mean(axis=1)
    r = rows[even[top]]
    k = top[even[top]]
    a, b, c, d, e = (f[r, k + i] for i in (-2, -1, 0, 1, 2))
    c1 = (a - 8 * b + 8 * d - e) / 12
    c2 = (-a + 16 * b - 30 * c + 16 * d - e) / 24
    c3 = (-a + 2 * b - 2 * d + e) / 12
    c4 = (a - 4 * b + 6 * c - 4 * d + e) / 24
    smooth = (c2 < 0) & (np.abs(c4) < 0.05 * np.abs(c2)) & (np.abs(c3) < 0.5 * np.abs(c2))
    s = np.where(smooth, np.clip(-0.5 * c1 / np.where(smooth, c2, 1.0), -1, 1), 0.0)
    for _ in range(4):
        slope, bend = c1 + s * (2 * c2 + s * (3 * c3 + s * 4 * c4)), 2 * c2 + s * (6 * c3 + s * 12 * c4)
        s = np.where(smooth & (bend < 0), np.clip(s - slope / np.where(bend < 0, bend, -1.0), -1, 1), s)
    raised = np.maximum(c, c + s * (c1 + s * (c2 + s * (c3 + s * c4))))
    peak[r] = np.where(smooth, raised, c)
    moment[r] = time_h[k] + np.where(smooth, s, 0.0) * (time_h[k + 1] - time_h[k])
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
    share: Floats = part @ steps / steps.sum()
    return np.where(np.isnan(f).any(axis=1), np.nan, share)
