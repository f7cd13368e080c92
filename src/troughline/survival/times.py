"""Times to an event: what a caller hands in, checked once, with ties that rounding split put together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

# Up to this many labels are counted, not sorted.
_FEW_LABELS = 10_000
_TIE_TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivalTimes:
    """Checked times: `time` (n,), `event` (n,), and `entry` (n,) where patients enter late, in one unit.

    `order` (n,) are the rows in the order of `time`, ties in any order.
    """

    time: FloatArray
    event: BoolArray
    entry: FloatArray | None
    order: IntArray

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
        order = time_order(times)
        return SurvivalTimes(time=_merged(times, order), event=events, entry=None, order=order)
    entries = _finite("entry", entry)
    if entries.size != times.size:
        raise ValueError(f"entry has {entries.size} values where time has {times.size}")
    both = merge_split_ties(np.concatenate((entries, times)))
    entries, times = both[: times.size], both[times.size :]
    bad = np.flatnonzero(entries >= times)
    if bad.size:
        i = int(bad[0])
        raise ValueError(f"entry[{i}] = {entries[i]:g} is not before time[{i}] = {times[i]:g}")
    return SurvivalTimes(time=times, event=events, entry=entries, order=time_order(times))


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


def time_order(values: FloatArray) -> IntArray:
    """The positions (n,) of `values` from the smallest to the largest.

    Whole numbers below 65,536, as days are, are sorted by their digits, ten times as fast.
    """
    if values.size and float(values.min()) >= 0 and float(values.max()) < 65_536:
        whole = values.astype(np.uint16)
        if np.array_equal(whole, values):
            return np.argsort(whole, kind="stable")
    return np.argsort(values)


def merge_split_ties(values: FloatArray) -> FloatArray:
    """`values` with those that differ only by rounding set to the smallest of their run."""
    return _merged(values, np.argsort(values))


def _merged(values: FloatArray, order: IntArray) -> FloatArray:
    """`merge_split_ties` of values whose order is known."""
    ordered = values[order]
    gaps = np.diff(ordered)
    risen = gaps > 0
    finite = ordered[np.concatenate(([True], risen))] if ordered.size else ordered
    finite = finite[np.isfinite(finite)]
    scale = float(np.abs(finite).mean()) if finite.size else 0.0
    split = risen & (gaps <= (_TIE_TOLERANCE if scale == 0 else _TIE_TOLERANCE * scale))
    if not split.any():
        return values
    begins = np.concatenate(([0], np.flatnonzero(risen & ~split) + 1))
    merged = np.empty_like(values)
    merged[order] = np.repeat(ordered[begins], np.diff(np.concatenate((begins, [values.size]))))
    return merged


def coded_groups(
    group: Sequence[Any] | NDArray[Any] | None, n: int, order: Sequence[str] | None = None
) -> tuple[IntArray, tuple[str, ...]]:
    """Group labels as codes (n,) into the labels, which are sorted, or stand as in `order`.

    Without labels everybody is in one group called "all". Labels in `order` that nobody carries are left
    out. Raises `ValueError` for a wrong length or a label that `order` does not name.
    """
    if group is None:
        return np.zeros(n, dtype=np.int64), ("all",)
    if len(group) != n:
        raise ValueError(f"group has {len(group)} labels where time has {n}")
    if isinstance(group, np.ndarray) and group.dtype.kind in "biu":
        return _coded_whole(group, order)
    labels = [str(g) for g in group]
    present = sorted(set(labels))
    present = _arranged(present, order)
    index = {label: k for k, label in enumerate(present)}
    return np.fromiter(map(index.__getitem__, labels), dtype=np.int64, count=n), tuple(present)


def _arranged(present: list[str], order: Sequence[str] | None) -> list[str]:
    if order is None:
        return present
    unknown = [label for label in present if label not in order]
    if unknown:
        raise ValueError(f"group {unknown[0]!r} is not among the groups in order: {', '.join(order)}")
    return [label for label in order if label in present]


def _coded_whole(group: NDArray[Any], order: Sequence[str] | None) -> tuple[IntArray, tuple[str, ...]]:
    """`coded_groups` for whole numbers and flags, without a Python object a patient."""
    flags = group.dtype == np.bool_
    low = 0 if flags else int(group.min(initial=0))
    if not flags and int(group.max(initial=0)) - low > _FEW_LABELS:
        values, position = np.unique(group, return_inverse=True)
    else:
        position = group.astype(np.int64) - low
        values = np.flatnonzero(np.bincount(position))
        place = np.zeros(int(values[-1]) + 1 if values.size else 0, dtype=np.int64)
        place[values] = np.arange(values.size)
        position, values = place[position], values + low
    labels = [str(bool(v)) if flags else str(v) for v in values.tolist()]
    present = _arranged(sorted(labels), order)
    index = np.asarray([present.index(label) for label in labels], dtype=np.int64)
    return index[position], tuple(present)


def as_floats(values: object) -> FloatArray:
    """`values` as an array of floats, for what NumPy returns without saying of which kind."""
    return np.asarray(values, dtype=np.float64)


def checked_level(level: float) -> float:
    """A confidence level strictly between 0 and 1; raises `ValueError` otherwise."""
    if not 0 < level < 1:
        raise ValueError(f"level = {level:g} is not between 0 and 1")
    return level


def checked_values(name: str, values: ArrayLike, n: int) -> FloatArray:
    """`values` as finite numbers (n,); raises `ValueError` naming what is wrong, and where."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}; expected ({n},)")
    return _all_finite(name, array)


def checked_horizon(tau: float, times: SurvivalTimes, codes: IntArray, labels: Sequence[str]) -> None:
    """Raise `ValueError` for a `tau` not above 0, or beyond the longest follow-up of a group."""
    if not (math.isfinite(tau) and tau > 0):
        raise ValueError(f"tau = {tau:g} is not a time above 0")
    for code, label in enumerate(labels):
        longest = float(times.time[codes == code].max())
        if tau > longest * (1 + 1e-12):
            raise ValueError(
                f"tau = {tau:g} lies beyond the longest follow-up of group {label!r}, {longest:g}"
            )


def _finite(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; expected one dimension")
    return _all_finite(name, array)


def _all_finite(name: str, array: FloatArray) -> FloatArray:
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise ValueError(f"{name}[{int(bad[0])}] = {array[bad[0]]} is not finite")
    return array
