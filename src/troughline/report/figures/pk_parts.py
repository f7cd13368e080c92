"""Parts of the pharmacokinetic figures: grids of panels, many dots, smooth trends, time in hours or days."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.report.figures import style
from troughline.report.figures.parts import axis_label, shortened
from troughline.report.figures.scale import Scale, scale_of, tick_text
from troughline.report.figures.style import FloatArray, Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DAYS_FROM_H = 240.0
"""Times that span more than this many hours are shown in days."""
RASTERIZE_ABOVE = 250
"""Dots of one panel beyond which an SVG holds them as a picture, so that it stays small."""
MOST_LOG_TICKS = 6
_GAP_X, _GAP_Y, _LEFT, _TOP, _FOOT = 0.66, 0.72, 0.62, 0.34, 0.62
_LABEL_AT = 0.4
_RIGHT = 0.12
_GUIDE = "#9aa4ad"


@dataclass(frozen=True, slots=True)
class Times:
    """Times as shown: divided by `divisor` hours, in `unit`."""

    divisor: float
    unit: str

    def shown(self, time_h: Any) -> FloatArray:
        """Hours in the unit shown."""
        return style.floats(time_h) / self.divisor


def times_of(*time_h: FloatArray) -> Times:
    """Hours, or days where the times together span more than ten days."""
    joined = style.finite(*time_h)
    long = joined.size > 0 and float(np.ptp(joined)) > DAYS_FROM_H
    return Times(24.0, "days") if long else Times(1.0, "h")


def unpadded(values: FloatArray) -> Scale:
    """A linear axis from 0, or from the least value where it is far from 0, to just beyond the largest."""
    shown = style.finite(values)
    if shown.size == 0:
        return Scale(0.0, 1.0, False)
    low, high = float(shown.min()), float(shown.max())
    span = high - low if high > low else max(abs(high), 1.0)
    start = min(0.0, low) if low <= 0.5 * span else low - 0.03 * span
    return Scale(start - (0.03 * span if start <= 0 else 0.0), high + 0.04 * span, False)


def grid(rows: int, columns: int, *, height: float, extra: float = 0.0) -> tuple[Figure, list[list[Axes]]]:
    """A sheet of `rows` by `columns` equal panels, `height` inches each; `extra` inches are left below."""
    width = (style.WIDTH_IN - _LEFT - _RIGHT - (columns - 1) * _GAP_X) / columns
    figure = style.sheet(_TOP + rows * height + (rows - 1) * _GAP_Y + _FOOT + extra)
    panels = [
        [
            style.panel(
                figure,
                left=_LEFT + c * (width + _GAP_X),
                top=_TOP + r * (height + _GAP_Y),
                width=width,
                height=height,
            )
            for c in range(columns)
        ]
        for r in range(rows)
    ]
    for axes in (a for row in panels for a in row):
        axes.yaxis.set_label_coords(-_LABEL_AT / width, 0.5)
    return figure, panels


def apply_scale(scale: Scale, axes: Axes, *, axis: str = "x") -> None:
    """Give a small panel a scale; a log axis gets no more ticks than have room."""
    scale.apply(axes, axis=axis)
    if not scale.log:
        return
    for mantissas in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        ticks = [
            m * 10.0**e
            for e in range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
            for m in mantissas
            if scale.holds(m * 10.0**e)
        ]
        if 2 <= len(ticks) <= MOST_LOG_TICKS:
            break
    else:
        ticks = scale.ticks()
        ticks = ticks[:: max(1, -(-len(ticks) // MOST_LOG_TICKS))]
    (axes.set_xticks if axis == "x" else axes.set_yticks)(ticks, [tick_text(t) for t in ticks])


def heading(axes: Axes, text: str, color: str = style.INK) -> None:
    """A short title above the left end of a panel."""
    axes.annotate(
        text,
        xy=(0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, 5),
        textcoords="offset points",
        ha="left",
        va="bottom",
        fontsize=style.BASE,
        fontweight="bold",
        color=color,
        annotation_clip=False,
    )


def dots(
    axes: Axes,
    x: FloatArray,
    y: FloatArray,
    *,
    color: str,
    below: NDArray[np.bool_] | None = None,
    size: float | None = None,
) -> int:
    """Dots, hollow triangles where `below` the limit; returns how many lie on the axes' scales."""
    below = np.zeros(x.size, dtype=bool) if below is None else below
    seen = np.isfinite(x) & np.isfinite(y)
    for name, values in ((axes.get_xscale(), x), (axes.get_yscale(), y)):
        if name == "log":
            seen &= values > 0
    many = int(np.count_nonzero(seen))
    area = size if size is not None else 15.0 if many <= 150 else 9.0 if many <= 800 else 4.0
    alpha = 0.75 if many <= 150 else 0.5 if many <= 800 else 0.3
    options: dict[str, Any] = {"zorder": 3, "rasterized": many > RASTERIZE_ABOVE, "clip_on": True}
    if np.any(seen & ~below):
        full = seen & ~below
        axes.scatter(x[full], y[full], s=area, facecolors=color, linewidths=0, alpha=alpha, **options)
    if np.any(seen & below):
        low = seen & below
        axes.scatter(
            x[low],
            y[low],
            s=area * 1.2,
            marker="v",
            facecolors="#ffffff",
            edgecolors=color,
            linewidths=0.7,
            alpha=max(alpha, 0.6),
            **options,
        )
    return many


def guide(axes: Axes, heights: Sequence[float], *, strong: float | None = 0.0) -> None:
    """Horizontal lines to read along; the one at `strong` is solid."""
    for height in heights:
        solid = height == strong
        axes.axhline(
            height,
            color=_GUIDE if solid else style.HAIRLINE,
            linewidth=0.8 if solid else 0.7,
            linestyle="-" if solid else (0, (4, 3)),
            zorder=1,
        )


def trend_line(axes: Axes, x: FloatArray, y: FloatArray, *, log_x: bool = False, log_y: bool = False) -> None:
    """The smooth trend of dots as a dark line, on the scale the axes have."""
    use = np.isfinite(x) & np.isfinite(y) & ((x > 0) | (not log_x)) & ((y > 0) | (not log_y))
    across = np.log(x[use]) if log_x else x[use]
    up = np.log(y[use]) if log_y else y[use]
    place, height = trend(across, up)
    if place.size:
        axes.plot(
            np.exp(place) if log_x else place,
            np.exp(height) if log_y else height,
            color=style.INK,
            linewidth=1.5,
            zorder=5,
        )


def trend(
    x: FloatArray, y: FloatArray, *, share: float = 0.6, points: int = 40
) -> tuple[FloatArray, FloatArray]:
    """Local linear regression with tricube weights over the nearest `share` of the values.

    Returns places and heights, empty with fewer than ten values or fewer than four different `x`. Places
    are quantiles of `x` between the 1st and 99th percentile: where there are values on both sides.
    Source: Cleveland 1979, doi 10.1080/01621459.1979.10481038, without its robustness weights.
    """
    if x.size < 10 or np.unique(x).size < 4:
        return np.empty(0), np.empty(0)
    nearest = max(int(np.ceil(share * x.size)), 5)
    chosen = np.quantile(x, np.linspace(0.01, 0.99, points), method="inverted_cdf")
    places = np.unique(np.asarray(chosen, dtype=np.float64))
    heights = np.full(places.size, np.nan)
    for k, place in enumerate(places):
        distance = np.abs(x - place)
        reach = float(np.partition(distance, nearest - 1)[nearest - 1]) * 1.0001
        if reach <= 0:
            heights[k] = float(np.mean(y[distance == 0]))
            continue
        weight = np.clip(1 - (distance / reach) ** 3, 0.0, None) ** 3
        total = float(weight.sum())
        mx, my = float(weight @ x) / total, float(weight @ y) / total
        spread = float(weight @ (x - mx) ** 2)
        slope = float(weight @ ((x - mx) * (y - my))) / spread if spread > 1e-12 * reach**2 else 0.0
        heights[k] = my + slope * (place - mx)
    return places, heights


def flags(values: Any, n: int) -> NDArray[np.bool_]:
    """A list of yes and no as an array of `n`; all no where there is none."""
    return np.zeros(n, dtype=bool) if values is None else np.array([bool(v) for v in values], dtype=bool)


def level_label(data: Json, word: str = "") -> str:
    """`observed sorafenib in plasma (mg/L)`, a long label cut short."""
    label = shortened(str(data.get("label") or "concentration"), 40)
    return axis_label(f"{word} {label}".strip(), data.get("unit"))


def unit_label(data: Json, word: str) -> str:
    """`prediction (mg/L)`: for panels that are too narrow for the name of what is measured."""
    return axis_label(word, data.get("unit"))


def positive_scale(*values: FloatArray) -> Scale:
    """A log axis of the positive values."""
    return scale_of(style.finite(*values), log=True)
