"""STEPP: the treatment effect in overlapping windows of patients ordered by a marker."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.endpoint import Endpoint, Flags, Floats
from troughline.biomarker.largest_score import largest_score
from troughline.biomarker.window_effects import window_effects

_SHARE_IN_WINDOW = 0.25
_STEPS = 20
_FEWEST_EVENTS = 20
_LEAST_WINDOWS = 3
_DRAWS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepp:
    """Treatment effects over a marker, each array (K,): log hazard ratio, or difference of risks or means.

    `middle` is the median of the marker in a window, `start` and `end` its range. `low` and `high` bound one
    window at `level`; `band_low` and `band_high` all of them at once. `overall` is the effect in everybody.
    `p_value` is that of the test that the effect is the same in all windows (`largest_score`), found with
    `draws` random draws.
    """

    start: Floats
    end: Floats
    middle: Floats
    n: NDArray[np.int64]
    value: Floats
    low: Floats
    high: Floats
    band_low: Floats
    band_high: Floats
    overall: float
    p_value: float
    draws: int
    critical: float
    level: float


def sliding_windows(marker: Floats, per_window: int, step: int) -> list[NDArray[np.int64]]:
    """Rows of overlapping windows of at least `per_window` patients ordered by `marker`, moved by `step`.

    Patients with the same value are never parted: a window that would part them takes them all. The last
    window ends with the highest value. Raises `ValueError` where the sizes are impossible.
    """
    n = marker.size
    if not 0 < step <= per_window <= n:
        raise ValueError(f"windows of {per_window} moved by {step} among {n} patients are impossible")
    order = np.argsort(marker, kind="stable")
    ordered: list[float] = marker[order].tolist()
    windows: list[NDArray[np.int64]] = []
    start, before = 0, -n
    while True:
        first = bisect_left(ordered, ordered[start])
        last = bisect_right(ordered, ordered[min(first + per_window, n) - 1])
        if last == n:
            first = bisect_left(ordered, ordered[n - per_window])
            # A last window that hardly moved takes the place of the one before.
            if windows and first - before < step / 2:
                windows.pop()
        windows.append(order[first:last])
        if last == n:
            return windows
        before = first
        start = max(bisect_right(ordered, ordered[first]), first + step)


def window_size(endpoint: Endpoint) -> tuple[int, int]:
    """Patients a window (a quarter, or as many as have twenty events) and by how many it moves."""
    n, events = endpoint.n, endpoint.n_events()
    size = math.ceil(_SHARE_IN_WINDOW * n)
    if events:
        size = max(size, math.ceil(_FEWEST_EVENTS * n / events))
    return min(size, math.ceil(n / 2)), max(1, n // _STEPS)


def stepp(
    endpoint: Endpoint,
    treated: Flags,
    marker: Floats,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
    level: float = 0.95,
    per_window: int | None = None,
    step: int | None = None,
) -> Stepp:
    """The subpopulation treatment effect pattern plot with sliding windows.

    Parameters: `treated` (n,), `marker` (n,), random numbers from `rng`.

    The band holds all window effects together: θ_k ± c·SE_k with c the quantile of the largest |Z_k| of a
    normal vector (t, for risks and means) with the correlation of the windows, which share patients (20,000
    draws); SE_k is that of the window itself. The test (`largest_score`, `draws` random draws) allows for a
    marker that is prognostic. Permuting the marker within arms, as the package stepp of R does, does not: it
    makes the marker unrelated to the outcome, and the permuted windows vary as no real ones do.

    Raises `ValueError` where fewer than three windows have an estimate.

    Bonetti and Gelber 2004, doi 10.1093/biostatistics/kxh002; Bonetti and others 2009, doi
    10.1002/sim.3524 (not confirmed).
    """
    from scipy.special import ndtri, stdtrit

    default_size, default_step = window_size(endpoint)
    windows = sliding_windows(marker, per_window or default_size, step or default_step)
    members = np.zeros((endpoint.n, len(windows)), dtype=np.bool_)
    for k, rows in enumerate(windows):
        members[rows, k] = True
    everybody = np.ones((endpoint.n, 1), dtype=np.bool_)
    found = window_effects(endpoint, treated, np.hstack((members, everybody)))
    known = np.isfinite(found.value) & (np.diag(found.covariance) > 0)
    usable = np.flatnonzero(known[:-1])
    if usable.size < _LEAST_WINDOWS or not known[-1]:
        raise ValueError(
            f"STEPP: {usable.size} of {len(windows)} windows have an estimate; {_LEAST_WINDOWS} are needed"
        )
    members, windows = members[:, usable], [windows[k] for k in usable]
    value, covariance = found.value[usable], found.covariance[np.ix_(usable, usable)]
    error = found.standard_error[usable]
    tested = largest_score(endpoint, treated, marker, members, rng=rng, draws=draws)
    # A mean of a window is judged by the variance of that window alone: t, not normal.
    freedom = min(rows.size for rows in windows) - 2 if endpoint.time is None else None
    critical = _critical(covariance, level, rng, freedom)
    width = float(ndtri((1 + level) / 2)) if freedom is None else float(stdtrit(freedom, (1 + level) / 2))
    return Stepp(
        start=np.array([marker[rows].min() for rows in windows]),
        end=np.array([marker[rows].max() for rows in windows]),
        middle=np.array([np.median(marker[rows]) for rows in windows]),
        n=np.array([rows.size for rows in windows]),
        value=value,
        low=value - width * error,
        high=value + width * error,
        band_low=value - critical * error,
        band_high=value + critical * error,
        overall=float(found.value[-1]),
        p_value=tested.p_value,
        draws=tested.draws,
        critical=critical,
        level=level,
    )


def _critical(covariance: Floats, level: float, rng: np.random.Generator, freedom: int | None) -> float:
    error = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(error, error))
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    drawn = rng.standard_normal((_DRAWS, error.size)) @ root.T
    largest: Floats = np.abs(drawn).max(axis=1)
    if freedom is not None:
        spread: Floats = np.sqrt(rng.chisquare(freedom, _DRAWS) / freedom)
        largest = largest / spread
    return float(np.quantile(largest, level))
