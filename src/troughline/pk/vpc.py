"""Prediction-corrected visual predictive check: percentiles of observations among those of simulations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.model.records import ABOVE_LIMIT, BELOW_LIMIT, MISSING

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpc:
    """Percentiles in bins of time; a percentile that falls beyond a limit of quantification is NaN.

    - `edges` (n_bins + 1,), `time` (n_bins,) the median time of the observations in each, `n` (n_bins,).
    - `percentiles` (n_percentiles,) which, in percent; `observed` (n_bins, n_percentiles), and of the same
      percentile in each simulation the `low`, `median` and `high` over simulations at `level`.
    - `below` (n_bins,) the share of observations below the limit, with `below_low`, `below_median`,
      `below_high` of the simulations; NaN in a bin without a limit.
    - `corrected` (n_obs,) the prediction-corrected observations, NaN where there is none or it is censored;
      `n_left_out` how many could not be corrected because their prediction is not above the lower bound.
    """

    edges: Floats
    time: Floats
    n: Ints
    percentiles: Floats
    level: float
    observed: Floats
    low: Floats
    median: Floats
    high: Floats
    below: Floats
    below_low: Floats
    below_median: Floats
    below_high: Floats
    corrected: Floats
    n_left_out: int


def time_bins(time: ArrayLike, *, n_bins: int = 8, nominal: ArrayLike | None = None) -> Floats:
    """Edges of bins of time (h): around nominal times, or with about equally many observations in each.

    With `nominal` times the edges are half way between them, so that each observation goes to the nearest;
    a nominal time without observations has no bin. Without, and with no more than `n_bins` different times,
    each time is a bin; else quantiles are the edges. Raises `ValueError` where no time is given.
    """
    t = np.asarray(time, dtype=np.float64)
    t = t[np.isfinite(t)]
    if t.size == 0 or n_bins < 1:
        raise ValueError("no times to make bins of")
    single = np.unique(t)
    if nominal is not None:
        centres = np.unique(np.asarray(nominal, dtype=np.float64))
        nearest = np.abs(t[:, None] - centres).argmin(axis=1)
        centres = centres[np.unique(nearest)]
    elif single.size <= n_bins:
        centres = single
    else:
        # Edges lie half way between neighbouring times, so that no time stands on one.
        inner = np.quantile(t, np.linspace(0, 1, n_bins + 1)[1:-1], method="inverted_cdf")
        above = np.searchsorted(single, inner, side="right")
        above = np.unique(above[above < single.size])
        inner = (single[above - 1] + single[above]) / 2
        return np.concatenate(([single[0]], inner, [single[-1]]))
    inner = (centres[1:] + centres[:-1]) / 2
    return np.concatenate(([min(single[0], centres[0])], inner, [max(single[-1], centres[-1])]))


def prediction_corrected_vpc(
    time: ArrayLike,
    observed: ArrayLike,
    simulated: ArrayLike,
    prediction: ArrayLike | None,
    *,
    edges: ArrayLike,
    censoring: ArrayLike | None = None,
    limit: ArrayLike | None = None,
    log: bool = False,
    lower_bound: float = 0.0,
    percentiles: tuple[float, ...] = (5.0, 50.0, 95.0),
    level: float = 0.95,
) -> Vpc:
    """Observed percentiles in bins of time, with intervals of the same percentiles of simulated data sets.

    Within a bin of median prediction P̃, an observation y with population prediction P becomes
    b + (y − b)(P̃ − b)/(P − b), with b the `lower_bound`; with `log` (values and predictions on the log
    scale) y + P̃ − P. Simulations are corrected in the same way.

    What is below its limit counts as lower than every number, in observations and simulations alike, and
    is not corrected.

    Parameters
    - `time` (n_obs,) h, or time after dose; `edges` (n_bins + 1,), from `time_bins`. Bins are closed on the
      left, the last on both sides; observations outside are left out.
    - `observed` (n_obs,); `simulated` (n_sim, n_obs); `prediction` (n_obs,) of the typical patient with the
      covariates and doses of each, or none for a check without correction.
    - `censoring` (n_obs,): 0 quantified, 1 below `limit`, 2 above it, 3 missing; `limit` (n_obs,) or one
      number, NaN for none.
    - `percentiles` in percent; `level` of the intervals.

    Raises `ValueError` where shapes do not fit or no observation lies in a bin.
    Source: doi 10.1208/s12248-011-9255-z.
    """
    t = np.asarray(time, dtype=np.float64)
    y = np.asarray(observed, dtype=np.float64)
    sims = np.asarray(simulated, dtype=np.float64)
    if t.ndim != 1 or y.shape != t.shape or sims.ndim != 2 or sims.shape[1] != t.size:
        raise ValueError(f"{t.size} times, {y.size} observations, simulations {sims.shape} do not fit")
    codes = np.zeros(t.size, np.int64) if censoring is None else np.asarray(censoring, dtype=np.int64)
    limits = np.broadcast_to(np.asarray(np.nan if limit is None else limit, dtype=np.float64), t.shape)
    p = None if prediction is None else np.asarray(prediction, dtype=np.float64)
    correctable = np.full(t.size, True) if p is None else np.isfinite(p) & (log | (p > lower_bound))
    there = (codes != MISSING) & (np.isfinite(y) | (codes != 0))
    ends = np.asarray(edges, dtype=np.float64)
    which = np.searchsorted(ends, t, side="right") - 1
    which[t == ends[-1]] = ends.size - 2
    kept = there & correctable & (which >= 0) & (which < ends.size - 1)
    bins = [np.flatnonzero(kept & (which == k)) for k in range(ends.size - 1)]
    filled = [k for k, members in enumerate(bins) if members.size]
    if not filled:
        raise ValueError("no observation lies in a bin")
    bins = [bins[k] for k in filled]

    shape = (len(bins), len(percentiles))
    seen, low, middle, high = (np.full(shape, np.nan) for _ in range(4))
    below = np.full((4, len(bins)), np.nan)
    corrected = np.full(t.size, np.nan)
    tails = (100 * (1 - level) / 2, 50.0, 100 * (1 + level) / 2)
    for k, members in enumerate(bins):
        own, drawn = y[members], sims[:, members]
        if p is not None:
            own = _corrected(own, p[members], log, lower_bound)
            drawn = _corrected(drawn, p[members], log, lower_bound)
        quantified = codes[members] == 0
        corrected[members[quantified]] = own[quantified]
        own, drawn, hidden = _ranked(own, drawn, sims[:, members], codes[members], limits[members])
        seen[k] = _quantiles(own[None, :], percentiles)[0]
        low[k], middle[k], high[k] = _quantiles(_quantiles(drawn, percentiles).T, tails).T
        if np.any(np.isfinite(limits[members]) & (codes[members] != ABOVE_LIMIT)):
            shares = np.mean(hidden, axis=1)
            below[0, k] = np.mean(codes[members] == BELOW_LIMIT)
            below[1:, k] = _quantiles(shares[None, :], tails)[0]
    return Vpc(
        edges=_edges_of(ends, filled),
        time=np.array([np.median(t[members]) for members in bins]),
        n=np.array([members.size for members in bins], dtype=np.int64),
        percentiles=np.array(percentiles, dtype=np.float64),
        level=level,
        observed=_shown(seen),
        low=_shown(low),
        median=_shown(middle),
        high=_shown(high),
        below=below[0],
        below_low=below[1],
        below_median=below[2],
        below_high=below[3],
        corrected=corrected,
        n_left_out=int(np.count_nonzero(there & ~correctable)),
    )


def _corrected(values: Floats, prediction: Floats, log: bool, lower_bound: float) -> Floats:
    typical = float(np.median(prediction))
    if log:
        return values + (typical - prediction)
    return lower_bound + (values - lower_bound) * (typical - lower_bound) / (prediction - lower_bound)


def _ranked(
    own: Floats, drawn: Floats, raw: Floats, codes: Ints, limits: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Observations and simulations with −∞ below and ∞ above a limit, and which simulations are below."""
    upper = codes == ABOVE_LIMIT
    hidden = (raw < limits) & ~upper
    drawn = np.where(hidden, -np.inf, np.where((raw > limits) & upper, np.inf, drawn))
    return np.where(codes == BELOW_LIMIT, -np.inf, np.where(upper, np.inf, own)), drawn, hidden


def _quantiles(rows: Floats, percentiles: tuple[float, ...]) -> Floats:
    """Percentiles of each row, linear between order statistics; infinite where a neighbour is (n, k)."""
    ordered = np.sort(rows, axis=1)
    place = np.asarray(percentiles) / 100.0 * (rows.shape[1] - 1)
    left = np.floor(place).astype(np.int64)
    right = np.minimum(left + 1, rows.shape[1] - 1)
    weight = place - left
    a, b = ordered[:, left], ordered[:, right]
    both = np.isfinite(a) & np.isfinite(b)
    between = np.where(both, a, 0.0) + weight * (np.where(both, b, 0.0) - np.where(both, a, 0.0))
    return np.where(both, between, np.where((weight > 0) & np.isposinf(b), b, a))


def _shown(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def _edges_of(ends: Floats, filled: list[int]) -> Floats:
    """Edges of the bins that hold observations; an empty bin goes to the one before it."""
    starts = [ends[filled[0]], *(ends[k] for k in filled[1:])]
    return np.array([*starts, ends[filled[-1] + 1]])
