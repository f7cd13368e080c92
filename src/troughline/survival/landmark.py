"""Landmark and delayed entry: comparing only those who lived long enough to be compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from troughline.survival.times import BoolArray, FloatArray, checked_times


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkSet:
    """Those still at risk at a landmark, and how many were left out for what reason.

    `kept` (n,) marks them among the rows handed in; `time` and `event` (m,) are theirs, time counted from
    the landmark.
    """

    at: float
    kept: BoolArray
    time: FloatArray
    event: BoolArray
    n_event_by_landmark: int
    n_censored_by_landmark: int
    n_not_yet_entered: int

    @property
    def n_left_out(self) -> int:
        """How many are not in the comparison."""
        return self.n_event_by_landmark + self.n_censored_by_landmark + self.n_not_yet_entered


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayedEntry:
    """Those still at risk when they came under observation: `entry`, `time`, `event` (m,), from time zero.

    `kept` (n,) marks them among the rows handed in.
    """

    kept: BoolArray
    entry: FloatArray
    time: FloatArray
    event: BoolArray
    n_event_by_entry: int
    n_censored_by_entry: int
    n_never_entered: int


def landmark(time: ArrayLike, event: ArrayLike, at: float, *, entry: ArrayLike | None = None) -> LandmarkSet:
    """Keep those still at risk after `at`, with time counted from there.

    The remedy for immortal time where a group is defined by what happened up to `at` (a response, a dose
    reduction, a duration): whoever died or was lost by then cannot have been in either group. A patient
    whose follow-up ends at `at` itself is left out; one who enters after `at` was not seen at it.

    Raises `ValueError` for an `at` that is negative or not finite, where nobody is left, and for what
    `checked_times` refuses.

    Anderson, Cain and Gelber 1983, doi 10.1200/JCO.1983.1.11.710; Dafni 2011, doi
    10.1161/CIRCOUTCOMES.110.957951.
    """
    times = checked_times(time, event, entry)
    if not (math.isfinite(at) and at >= 0):
        raise ValueError(f"landmark at = {at:g} is not a time of 0 or more")
    ended = times.time <= at
    late = np.zeros(times.n, dtype=np.bool_) if times.entry is None else times.entry > at
    kept = ~ended & ~late
    if not kept.any():
        raise ValueError(
            f"nobody is at risk after the landmark at {at:g}; follow-up ends at {times.time.max():g}"
        )
    return LandmarkSet(
        at=float(at),
        kept=kept,
        time=times.time[kept] - at,
        event=times.event[kept],
        n_event_by_landmark=int((ended & times.event).sum()),
        n_censored_by_landmark=int((ended & ~times.event).sum()),
        n_not_yet_entered=int(late.sum()),
    )


def delayed_entry(time: ArrayLike, event: ArrayLike, entry: ArrayLike) -> DelayedEntry:
    """Let each patient enter the comparison only when first observed, for instance when a level was drawn.

    The remedy where a value exists only for those who lived to have it measured (left truncation).
    `entry` (n,) is on the same time scale; not a number means never observed. A patient whose follow-up
    ended by then is left out and counted.

    Raises `ValueError` where nobody is left and for what `checked_times` refuses. Hand the result's `entry`
    on to `kaplan_meier`, `log_rank` or `fit_cox`.
    """
    times = checked_times(time, event)
    entries = np.asarray(entry, dtype=np.float64)
    if entries.shape != times.time.shape:
        raise ValueError(f"entry has shape {entries.shape}; expected {times.time.shape}")
    endless = np.flatnonzero(np.isinf(entries))
    if endless.size:
        raise ValueError(f"entry[{int(endless[0])}] is infinite; a patient never observed has not a number")
    never = np.isnan(entries)
    ended = ~never & (times.time <= np.where(never, 0.0, entries))
    kept = ~never & ~ended
    if not kept.any():
        raise ValueError("nobody is at risk after coming under observation")
    return DelayedEntry(
        kept=kept,
        entry=entries[kept],
        time=times.time[kept],
        event=times.event[kept],
        n_event_by_entry=int((ended & times.event).sum()),
        n_censored_by_entry=int((ended & ~times.event).sum()),
        n_never_entered=int(never.sum()),
    )
