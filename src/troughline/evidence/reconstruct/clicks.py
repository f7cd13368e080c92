"""Clicks on a printed curve: checked, put in order, made to fall; the start at (0, 1) added where missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.issues import Findings, Severity

FloatArray = NDArray[np.float64]

# A curve that stands lower than this at time zero was read off a wrong axis.
_LOWEST_START = 0.9
_ROWS_NAMED = 5
_FLAT_CLICKS = 3
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingStep:
    """How finely a curve was read: every click lies within half a step of the curve.

    `survival` as a fraction, `time` in the curve's unit of time.
    """

    survival: float
    time: float

    def __post_init__(self) -> None:
        """Raises `ValueError` for a step of survival outside (0, 0.2), of time not above 0."""
        if not 0 < self.survival < 0.2:
            raise ValueError(
                f"the reading step of survival is {self.survival:g}; it must be above 0, below 0.2"
            )
        if not (self.time > 0 and np.isfinite(self.time)):
            raise ValueError(f"the reading step of time is {self.time:g}; it must be above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveReading:
    """A curve as read.

    `raw_time`, `raw_survival` (r,): the clicks as given, in order of time. `time`, `survival` (m,): what the
    algorithm follows: distinct times above 0, survival that never rises. The curve starts at (0, 1).
    """

    raw_time: FloatArray
    raw_survival: FloatArray
    time: FloatArray
    survival: FloatArray
    step: ReadingStep

    @property
    def end(self) -> float:
        """The time of the last click."""
        return float(self.raw_time[-1])


def read_clicks(
    time: ArrayLike,
    survival: ArrayLike,
    *,
    step: ReadingStep,
    found: Findings,
    file: str | None = None,
    rows: NDArray[np.int64] | None = None,
    arm: str = "",
) -> CurveReading | None:
    """The curve behind clicks `time` (r,) and `survival` (r,), a fraction; None where an error was found.

    What is within the reading step is mended and said in a note: clicks before time zero, survival above 1 or
    below 0, clicks that rise (pooled: isotonic regression, Barlow 1972), two clicks of one drop in the wrong
    order. What is beyond it is an error in `found` with its row. A missing start is added with a warning.
    """
    t, s = np.asarray(time, dtype=np.float64), np.asarray(survival, dtype=np.float64)
    if t.ndim != 1 or t.shape != s.shape:
        raise ValueError(f"clicks: {t.shape} times and {s.shape} values of survival; one of each is needed")
    at = np.arange(t.size, dtype=np.int64) if rows is None else rows
    where = _Where(found, file, at, rows is not None, arm)
    if t.size < 2:
        where.say(Severity.ERROR, "too-few-clicks", f"{t.size} click(s): a curve needs at least 2")
        return None
    before = len(found.errors)
    where.each(~(np.isfinite(t) & np.isfinite(s)), "not-finite", lambda _: "a click is not a finite number")
    if len(found.errors) > before:
        return None
    _outside(t, s, step, where)
    if len(found.errors) > before:
        return None
    order = np.lexsort((-s, t))
    t, s, at = t[order], np.clip(s[order], 0.0, 1.0), at[order]
    where = _Where(found, file, at, rows is not None, arm)
    raw_time, raw = np.maximum(t, 0.0), s.copy()
    if not t[-1] > 0:
        where.say(Severity.ERROR, "no-time", "no click lies after time zero")
        return None
    s = _drops_in_order(t, s, step, where)
    if not _falls(t, s, step, where):
        return None
    s = falling(s)
    if not _start(t, s, step, where):
        return None
    kept = t > 0
    lowest, t, s = float(np.append(s[~kept], 1.0).min()), t[kept], s[kept]
    if lowest < 1:
        t = np.append(min(step.time / 2, t[0] / 2), t)
        s = np.append(lowest, s)
    # Of the clicks at one time, the last and lowest: the curve holds its value from the drop on.
    last = np.append(np.diff(t) > 0, True)
    t, s = t[last], _flat_end(s[last], step)
    return CurveReading(raw_time=raw_time, raw_survival=raw, time=t, survival=s, step=step)


def falling(survival: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """The values (m,) that never rise and lie nearest to `survival` by (weighted) least squares.

    Pool adjacent violators (Barlow, Bartholomew, Bremner and Brunk 1972).
    """
    ones = np.ones(survival.size) if weights is None else weights
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(survival.tolist(), ones.tolist(), strict=True):
        mean, mass, size = value, weight, 1
        while blocks and blocks[-1][0] < mean:
            other, other_mass, other_size = blocks.pop()
            mean = (mean * mass + other * other_mass) / (mass + other_mass)
            mass, size = mass + other_mass, size + other_size
        blocks.append((mean, mass, size))
    return np.repeat([b[0] for b in blocks], [b[2] for b in blocks]).astype(np.float64)


def _flat_end(survival: FloatArray, step: ReadingStep) -> FloatArray:
    """The curve with its last clicks level where, three or more, they lie within one reading step.

    Noise of the reading on a flat end must not become deaths.
    """
    first = int(np.argmax(survival <= survival[-1] + step.survival + _ROUNDING))
    if survival.size - first < _FLAT_CLICKS:
        return survival
    out = survival.copy()
    out[first:] = np.median(survival[first:])
    return out


@dataclass(frozen=True, slots=True)
class _Where:
    """Findings about the clicks of one arm in one file."""

    found: Findings
    file: str | None
    rows: NDArray[np.int64]
    numbered: bool
    arm: str

    def say(self, severity: Severity, code: str, message: str, row: int | None = None) -> None:
        text = f"arm {self.arm!r}: {message}" if self.arm else message
        self.found.add(severity, code, text, file=self.file, row=row if self.numbered else None)

    def each(self, bad: NDArray[np.bool_], code: str, message: Callable[[int], str]) -> None:
        """An error for each of the first rows where `bad`, and one that counts the others."""
        places = np.flatnonzero(bad)
        for i in places[:_ROWS_NAMED].tolist():
            self.say(Severity.ERROR, code, message(i), int(self.rows[i]))
        if places.size > _ROWS_NAMED:
            self.say(Severity.ERROR, code, f"{places.size - _ROWS_NAMED} more clicks are like this")


def _outside(t: FloatArray, s: FloatArray, step: ReadingStep, where: _Where) -> None:
    """Survival outside 0 to 1 and times before 0: an error beyond the reading step, a note within."""
    above = s > 1 + step.survival + _ROUNDING
    hint = "; is the axis in percent?" if np.count_nonzero(s > 1.5) > s.size / 2 else ""
    where.each(
        above,
        "above-one",
        lambda i: (
            f"survival is {s[i]:.6g} at time {t[i]:.6g}: it cannot exceed 1 (reading step "
            f"{step.survival:g}){hint}"
        ),
    )
    where.each(
        s < -step.survival - _ROUNDING,
        "below-zero",
        lambda i: f"survival is {s[i]:.6g} at time {t[i]:.6g}: it cannot be below 0",
    )
    where.each(
        t < -step.time - _ROUNDING,
        "before-zero",
        lambda i: (
            f"time is {t[i]:.6g}: before time zero by more than the reading step of time ({step.time:g})"
        ),
    )
    slight = int(np.count_nonzero((s > 1) & ~above) + np.count_nonzero((s < 0) & (s >= -step.survival)))
    if slight:
        where.say(
            Severity.NOTE, "outside-the-axis", f"{slight} click(s) outside 0 to 1 by less than a reading step"
        )
    early = int(np.count_nonzero((t < 0) & (t >= -step.time)))
    if early:
        where.say(
            Severity.NOTE, "before-zero", f"{early} click(s) before time zero by less than a reading step"
        )


def _drops_in_order(t: FloatArray, s: FloatArray, step: ReadingStep, where: _Where) -> FloatArray:
    """Clicks of one drop, nearer in time than a reading step, from the upper to the lower."""
    out = s.copy()
    swapped = 0
    for k in range(1, t.size):
        j = k
        while j > 0 and out[j] - out[j - 1] > step.survival + _ROUNDING and t[k] - t[j - 1] <= step.time:
            out[j], out[j - 1] = out[j - 1], out[j]
            swapped += 1
            j -= 1
    if swapped:
        where.say(
            Severity.NOTE,
            "drop-order",
            f"{swapped} time(s) the lower click of a drop came first, by less than the reading step of time",
        )
    return out


def _falls(t: FloatArray, s: FloatArray, step: ReadingStep, where: _Where) -> bool:
    """Whether no click rises by more than a reading step; an error for each that does."""
    lowest = np.minimum.accumulate(s)
    rise = s - lowest
    bad = rise > step.survival + _ROUNDING

    def message(i: int) -> str:
        j = int(np.flatnonzero(s[: i + 1] <= lowest[i])[0])
        return (
            f"the curve rises from {s[j]:.6g} at time {t[j]:.6g} to {s[i]:.6g} at time {t[i]:.6g}, by more "
            f"than the reading step of survival ({step.survival:g}); a survival curve never rises"
        )

    where.each(bad, "clicks-rise", message)
    if bad.any():
        return False
    some = int(np.count_nonzero(rise > _ROUNDING))
    if some:
        where.say(
            Severity.NOTE,
            "clicks-pooled",
            f"{some} click(s) rose by less than a reading step and were pooled with their neighbours",
        )
    return True


def _start(t: FloatArray, s: FloatArray, step: ReadingStep, where: _Where) -> bool:
    """Whether the curve can start at (0, 1); says where that point was added."""
    at_zero = t <= 0
    if not at_zero.any():
        where.say(
            Severity.WARNING,
            "start-added",
            f"no click at time zero: the start (0, 1) was added; the first click, {s[0]:.6g} at time "
            f"{t[0]:.6g}, is where the first deaths are put",
        )
        return True
    lowest = float(s[at_zero].min())
    seen = float(s[at_zero].max()) >= 1 - step.survival
    if lowest < _LOWEST_START and not seen:
        where.say(
            Severity.ERROR,
            "start-below-one",
            f"survival is {lowest:.6g} at time zero; a curve starts at 1 (is the axis right, is it percent?)",
        )
        return False
    if 1 - lowest > step.survival and not seen:
        where.say(
            Severity.WARNING,
            "start-added",
            f"survival is {lowest:.6g} at time zero: the start (0, 1) was added, and the drop put half a "
            "reading step of time later, or halfway to the next click",
        )
    return True
