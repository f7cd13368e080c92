"""Times to an event: what a caller hands in, checked once, with ties that rounding split put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

_TIE_TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivalTimes:
    """Checked times: `time` (n,), `event` (n,), and `entry` (n,) where patients enter late, in one unit."""

    time: FloatArray
    event: BoolArray
    entry: FloatArray | None

    @property
    def n(self) -> int:
        """The number of rows."""
        return int(self.time.size)


def checked_times(time: ArrayLike, event: ArrayLike, entry: ArrayLike | None = None) -> SurvivalTimes:
    """Check follow-up times and put together ties that floating-point rounding split.

    Parameters: `time` (n,) end of follow-up, in the caller's unit; `event` (n,) true where the event
    happened then; `entry` (n,) when a patient came under observation (none: everybody at 0). A row is at
    risk at t where entry < t <= time.

    Times closer than 1.5e-8 of their mean are one time, as in R's `survival` (`aeqSurv`), because a time
    that was divided by 30.4 must tie with itself.

    Raises `ValueError`, naming the index, for an empty or ragged input, a time that is not finite or not
    above 0, an entry that is not before its time, or an event that is neither true nor false.
    """
    times = _finite("time", time)
    events = checked_flags("event", event, times.size)
    if times.size == 0:
        raise ValueError("time: no patient; at least one is needed")
    if entry is None:
        bad = np.flatnonzero(times <= 0)
        if bad.size:
            i = int(bad[0])
            raise ValueError(f"time[{i}] = {times[i]:g} is not above 0")
        return SurvivalTimes(time=merge_split_ties(times), event=events, entry=None)
    entries = _finite("entry", entry)
    if entries.size != times.size:
        raise ValueError(f"entry has {entries.size} values where time has {times.size}")
    both = merge_split_ties(np.concatenate((entries, times)))
    entries, times = both[: times.size], both[times.size :]
    bad = np.flatnonzero(entries >= times)
    if bad.size:
        i = int(bad[0])
        raise ValueError(f"entry[{i}] = {entries[i]:g} is not before time[{i}] = {times[i]:g}")
    return SurvivalTimes(time=times, event=events, entry=entries)


def checked_flags(name: str, values: ArrayLike, n: int) -> BoolArray:
    """`values` as booleans (n,); raises `ValueError`, naming the index, where one is neither 0 nor 1."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}; expected ({n},)")
    if array.dtype == np.bool_:
        return array.astype(np.bool_)
    numbers = np.asarray(array, dtype=np.float64)
    bad = np.flatnonzero((numbers != 0) & (numbers != 1))
    if bad.size:
        i = int(bad[0])
        raise ValueError(f"{name}[{i}] = {numbers[i]:g} is neither 0 nor 1")
    return numbers == 1


def merge_split_ties(values: FloatArray) -> FloatArray:
    """`values` with those that differ only by rounding set to the smallest of their run."""
    distinct, position = np.unique(values, return_inverse=True)
    gaps = np.diff(distinct)
    scale = float(np.mean(np.abs(distinct[np.isfinite(distinct)]))) if distinct.size else 0.0
    split = (gaps <= _TIE_TOLERANCE) if scale == 0 else (gaps <= _TIE_TOLERANCE * scale)
    if not split.any():
        return values
    run = np.concatenate(([0], np.cumsum(~split)))
    first = np.concatenate(([True], ~split))
    return distinct[first][run][position]


def coded_groups(
    group: Sequence[Any] | NDArray[Any] | None, n: int, order: Sequence[str] | None = None
) -> tuple[IntArray, tuple[str, ...]]:
    """Group labels as codes (n,) into the labels, which are sorted, or stand as in `order`.

    Without labels everybody is in one group called "all". Labels in `order` that nobody carries are left
    out. Raises `ValueError` for a wrong length or a label that `order` does not name.
    """
    if group is None:
        return np.zeros(n, dtype=np.int64), ("all",)
    labels = np.asarray([str(g) for g in group], dtype=object)
    if labels.size != n:
        raise ValueError(f"group has {labels.size} labels where time has {n}")
    present = sorted(set(labels.tolist()))
    if order is not None:
        unknown = [label for label in present if label not in order]
        if unknown:
            raise ValueError(f"group {unknown[0]!r} is not among the groups in order: {', '.join(order)}")
        present = [label for label in order if label in present]
    index = {label: k for k, label in enumerate(present)}
    return np.asarray([index[label] for label in labels.tolist()], dtype=np.int64), tuple(present)


def checked_level(level: float) -> float:
    """A confidence level strictly between 0 and 1; raises `ValueError` otherwise."""
    if not 0 < level < 1:
        raise ValueError(f"level = {level:g} is not between 0 and 1")
    return level


def _finite(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; expected one dimension")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise ValueError(f"{name}[{int(bad[0])}] = {array[bad[0]]} is not finite")
    return array
