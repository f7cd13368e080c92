"""The axis of an exposure: log where the values allow it, log but for a stretch near zero, or linear."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.report.figures.style import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOG_FROM_RATIO = 2.5
"""Positive values that span at least this factor are drawn on a log axis."""
BENT_FROM_RATIO = 50.0
"""With zeros among them, values whose largest is this many times a low positive one get a bent axis."""
_LOW_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Scale:
    """Limits of an axis, and whether it is a log axis.

    With `bend` above 0 the axis is linear up to about `bend` and log above it (arsinh of value / bend), so
    that zero has a place.
    """

    low: float
    high: float
    log: bool
    bend: float = 0.0

    @property
    def words(self) -> str:
        """What an axis label says of the scale."""
        if self.bend > 0:
            return f", log scale above {tick_text(float(f'{self.bend:.1g}'))}"
        return ", log scale" if self.log else ""

    @property
    def kind(self) -> str:
        """The axis in a description: `a log axis`."""
        if self.bend > 0:
            return "an axis linear near zero and log above"
        return "a log axis" if self.log else "a linear axis"

    def place(self, value: float) -> float:
        """Where a value lies along the axis, 0 at its start and 1 at its end."""
        return float(self.places(np.array([value]))[0])

    def places(self, values: FloatArray) -> FloatArray:
        """Where values lie along the axis; a value that a log axis cannot hold lies far to the left."""
        if self.bend > 0:
            first, last = np.arcsinh(self.low / self.bend), np.arcsinh(self.high / self.bend)
            return (np.arcsinh(values / self.bend) - first) / (last - first)
        if not self.log:
            return (values - self.low) / (self.high - self.low)
        safe = np.where(values > 0, values, self.low * 1e-6)
        return np.log(safe / self.low) / math.log(self.high / self.low)

    def values(self, places: FloatArray) -> FloatArray:
        """The values at `places` along the axis: the inverse of `places`."""
        if self.bend > 0:
            first, last = np.arcsinh(self.low / self.bend), np.arcsinh(self.high / self.bend)
            return self.bend * np.sinh(first + places * (last - first))
        if self.log:
            return self.low * (self.high / self.low) ** places
        return self.low + (self.high - self.low) * places

    def holds(self, value: float) -> bool:
        """Whether a value lies on the axis."""
        return self.low <= value <= self.high

    def ticks(self) -> list[float]:
        """Round numbers along the axis."""
        if self.bend > 0:
            powers = range(math.ceil(math.log10(self.bend)), math.floor(math.log10(self.high)) + 1)
            return [0.0, *(10.0**e for e in powers)]
        return log_ticks(self.low, self.high) if self.log else linear_ticks(self.low, self.high)

    def apply(self, axes: Axes, *, axis: str = "x", labels: bool = True) -> None:
        """Give `axes` this scale, its limits and few, plainly written ticks."""
        from matplotlib.ticker import FixedLocator, NullLocator

        ticks = self.ticks()
        target = axes.xaxis if axis == "x" else axes.yaxis
        if self.bend > 0:
            (axes.set_xscale if axis == "x" else axes.set_yscale)("asinh", linear_width=self.bend)
        if self.log:
            (axes.set_xscale if axis == "x" else axes.set_yscale)("log")
        (axes.set_xlim if axis == "x" else axes.set_ylim)(self.low, self.high)
        target.set_major_locator(FixedLocator(ticks))
        target.set_minor_locator(NullLocator())
        target.set_ticklabels([tick_text(t) for t in ticks] if labels else [])


def scale_of(values: FloatArray, *, margin: float = 0.06, log: bool | None = None) -> Scale:
    """The scale that shows `values` with a margin on both sides.

    `log` left out means: log where all values are positive and span a factor of 2.5 or more; bent where there
    are zeros and the others are so spread that a linear axis would press most of them together. With `log`
    set to true, values that are not positive are passed over.
    """
    shown = values[np.isfinite(values)]
    if log is None:
        log = shown.size == 0 or (shown.min() > 0 and bool(shown.max() / shown.min() >= LOG_FROM_RATIO))
    if log:
        shown = shown[shown > 0]
        if shown.size == 0:
            return Scale(0.1, 10.0, True)
        low, high = float(shown.min()), float(shown.max())
        low, high = (low, high) if low < high else (low / 2.0, high * 2.0)
        span = math.log(high / low)
        return Scale(low * math.exp(-margin * span), high * math.exp(margin * span), True)
    low, high = float(shown.min()), float(shown.max())
    bend = float(np.quantile(shown[shown > 0], _LOW_SHARE)) if low == 0 < high else 0.0
    if bend > 0 and high / bend >= BENT_FROM_RATIO:
        span = float(np.arcsinh(high / bend))
        ends = bend * np.sinh(np.array([-margin, 1.0 + margin]) * span)
        return Scale(float(ends[0]), float(ends[1]), False, bend)
    low, high = (low, high) if low < high else (low - 1.0, high + 1.0)
    return Scale(low - margin * (high - low), high + margin * (high - low), False)


_MOST_DECADES = 9


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two limits on a log axis: five or more where there are, at most nine decades."""
    steps: list[float] = []
    first, last = math.ceil(math.log10(low * 0.999)), math.floor(math.log10(high * 1.001))
    if last - first >= _MOST_DECADES:
        return [10.0**e for e in range(first, last + 1, -(-(last - first + 1) // _MOST_DECADES))]
    for mantissas in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)):
        steps = [
            m * 10.0**e
            for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            for m in mantissas
            if low * 0.999 <= m * 10.0**e <= high * 1.001
        ]
        if len(steps) >= 5:
            break
    return steps if len(steps) >= 3 else linear_ticks(low, high)


def linear_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two limits on a linear axis, about five."""
    raw = (high - low) / 5.0
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(value: float) -> str:
    """A tick's number without needless digits, with a true minus sign."""
    text = f"{value:.10g}" if 1e-4 <= abs(value) < 1e6 or value == 0 else f"{value:.1e}"
    return text.replace("-", "−")


def swarm(values: FloatArray, scale: Scale, *, width_in: float, dot_in: float) -> FloatArray:
    """Vertical places, in dot diameters from the row's middle, that keep dots from lying on one another.

    The axis is `width_in` inches long, a dot `dot_in` inches wide.
    """
    across = scale.places(values) * width_in / dot_in
    offsets = np.zeros(values.size)
    order = np.argsort(across, kind="stable")
    if values.size > 400:
        return _stacked(across, order)
    placed: list[tuple[float, float]] = []
    candidates = [0.0] + [s * k * 0.5 for k in range(1, 60) for s in (1, -1)]
    for i in order:
        x = float(across[i])
        near = [(a, b) for a, b in placed[-120:] if x - a < 1.0]
        for y in candidates:
            if all((x - a) ** 2 + (y - b) ** 2 >= 0.98 for a, b in near):
                offsets[i] = y
                break
        placed.append((x, float(offsets[i])))
    return offsets


def _stacked(across: FloatArray, order: NDArray[np.intp]) -> FloatArray:
    offsets = np.zeros(across.size)
    seen: dict[int, int] = {}
    for i in order:
        column = math.floor(float(across[i]))
        k = seen.get(column, 0)
        seen[column] = k + 1
        offsets[i] = (k + 1) // 2 * (1 if k % 2 else -1)
    return offsets
