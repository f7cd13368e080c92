"""The arithmetic of Kaplan–Meier curves: counts at each time, the product, its interval and median."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from troughline.survival.times import BoolArray, FloatArray, IntArray, SurvivalTimes, as_floats

IntervalKind = Literal["log-log", "log", "plain"]

_HALF_TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """At each time (m,) at which somebody left: how many at risk just before it, events and censorings."""

    time: FloatArray
    n_at_risk: FloatArray
    n_events: FloatArray
    n_censored: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A Kaplan–Meier curve on its `counts`; each array (m,)."""

    counts: Counts
    survival: FloatArray
    standard_error: FloatArray
    low: FloatArray
    high: FloatArray
    median: float
    median_low: float
    median_high: float


def counts_over_time(times: SurvivalTimes, rows: IntArray) -> Counts:
    """Count over `rows`, which stand in the order of time."""
    time, event = times.time[rows], times.event[rows]
    first = np.flatnonzero(np.concatenate(([True], time[1:] != time[:-1])))
    edges = np.concatenate((first, [time.size]))
    happened = np.concatenate(([0], np.cumsum(event)))
    n_events = np.diff(happened[edges])
    distinct = time[first]
    at_risk = time.size - first
    if times.entry is not None:
        entries = np.sort(times.entry[rows])
        at_risk = at_risk - (time.size - np.searchsorted(entries, distinct, side="left"))
    return Counts(
        time=distinct,
        n_at_risk=at_risk.astype(np.float64),
        n_events=n_events.astype(np.float64),
        n_censored=(np.diff(edges) - n_events).astype(np.float64),
    )


def product_limit(counts: Counts, *, level: float, interval: IntervalKind) -> Curve:
    """Survival, Greenwood's error, the pointwise interval and the median, as R's `survfit` has them."""
    from scipy.special import ndtri

    n, d = counts.n_at_risk, counts.n_events
    survival = as_floats(np.cumprod(1 - d / n))
    alive = survival > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        log_error = np.sqrt(np.cumsum(np.divide(d, n * (n - d), out=np.zeros_like(n), where=n > d)))
    log_error[~alive] = math.nan
    low, high = _interval(survival, log_error, float(ndtri((1 + level) / 2)), interval)
    return Curve(
        counts=counts,
        survival=survival,
        standard_error=survival * log_error,
        low=low,
        high=high,
        median=_half(counts.time, survival),
        median_low=_half(counts.time, low),
        median_high=_half(counts.time, high),
    )


def _interval(
    survival: FloatArray, log_error: FloatArray, width: float, kind: IntervalKind
) -> tuple[FloatArray, FloatArray]:
    """Limits on the scale of `kind`; 1 to 1 while nobody had the event, not a number where nobody is left."""
    if kind == "plain":
        half = width * survival * log_error
        return np.maximum(survival - half, 0.0), np.minimum(survival + half, 1.0)
    between = (survival > 0) & (survival < 1)
    log_survival = np.log(np.where(between, survival, 0.5))
    if kind == "log":
        low, high = np.exp(log_survival - width * log_error), np.exp(log_survival + width * log_error)
    else:
        ratio = np.exp(width * log_error / log_survival)
        low, high = np.exp(log_survival / ratio), np.exp(log_survival * ratio)
    edge = np.where(survival > 0, survival, math.nan)
    return np.where(between, low, edge), np.minimum(np.where(between, high, edge), 1.0)


def _half(time: FloatArray, values: FloatArray) -> float:
    """The first time `values` fall to one half, or the middle of the step on which they are one half."""
    reached = np.flatnonzero(values < 0.5 + _HALF_TOLERANCE)
    if reached.size == 0:
        return math.nan
    first = int(reached[0])
    if abs(values[first] - 0.5) < _HALF_TOLERANCE:
        below = np.flatnonzero(values[first:] < values[first])
        if below.size:
            return float(time[first] + time[first + int(below[0])]) / 2
    return float(time[first])


def rows_of(times: SurvivalTimes, kept: BoolArray) -> IntArray:
    """The rows where `kept` (n,) holds, in the order of time."""
    return times.order[kept[times.order]]
