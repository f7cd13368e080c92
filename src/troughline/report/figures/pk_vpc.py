"""Visual predictive check: observed percentiles over time within the intervals of simulated ones."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import wrapped
from troughline.report.figures.pk_parts import Times, dots, level_label, positive_scale, times_of, unpadded
from troughline.report.figures.pk_residuals import spans_much
from troughline.report.figures.scale import Scale
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import number, percent, unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _WIDTH, _HEIGHT, _SHARE_HEIGHT = 0.72, 5.2, 2.9, 0.85
_TOP, _GAP = 0.16, 0.3
_NEAR_EDGE = 0.85  # of the width: from here on a line's name stands beside the panel
_OUTER = "#c9d8ea"
_INNER = "#9db9dc"


def sketch_vpc(data: Json) -> Sketch:
    """Draw a visual predictive check.

    Read are the fields of `troughline.pk.vpc.Vpc` as lists or arrays: `time` (n_bins,) h, `n`, `percentiles`
    (n_percentiles,), `observed`, `low`, `median`, `high` (n_bins, n_percentiles), and where given `edges`,
    `below`, `below_low`, `below_median`, `below_high` (n_bins,), `level`, `n_left_out`. Further: `points`
    with `time_h` and `value`, the (corrected) observations; `log` (none: where the values span much);
    `prediction_corrected` (none: true); `limit`; `time_label`, `label`, `unit`.
    """
    points: Json = dict(data.get("points") or {})
    dot_time, dot_value = style.floats(points.get("time_h")), style.floats(points.get("value"))
    middle = style.floats(data["time"])
    percentiles = style.floats(data["percentiles"])
    observed, low, high = (_table(data[k], percentiles.size) for k in ("observed", "low", "high"))
    below = style.floats(data.get("below")) if data.get("below") is not None else np.empty(0)
    shares = bool(np.any(np.isfinite(below)))
    every = style.finite(dot_value, observed.ravel(), low.ravel(), high.ravel())
    log = bool(data["log"]) if data.get("log") is not None else spans_much(every) if every.size else False
    vertical = positive_scale(every) if log else unpadded(every)
    times = times_of(middle, dot_time)
    x = times.shown(middle)
    edges = times.shown(data["edges"]) if data.get("edges") is not None else np.empty(0)
    across = unpadded(np.concatenate([x, times.shown(dot_time), edges]))
    foot = (_SHARE_HEIGHT + _GAP) if shares else 0.0
    sheet = style.sheet(_TOP + _HEIGHT + foot + 0.56)
    axes = style.panel(sheet, left=_LEFT, top=_TOP, width=_WIDTH, height=_HEIGHT)
    across.apply(axes, labels=not shares)
    vertical.apply(axes, axis="y")
    _bands(axes, x, edges, low, high, percentiles)
    dots(axes, times.shown(dot_time), dot_value, color="#7b8a98", size=7.0)
    _observed_lines(axes, x, observed, percentiles, across, vertical)
    if data.get("limit") is not None:
        axes.axhline(float(data["limit"]), color=style.MUTED, linewidth=0.8, linestyle=(0, (1, 2)), zorder=2)
    word = "prediction-corrected" if data.get("prediction_corrected", True) else ""
    axes.set_ylabel("\n".join(wrapped(level_label(data, word) + vertical.words, 46)))
    last = axes
    if shares:
        last = _below_panel(sheet, data, x, edges, below, across)
    last.set_xlabel(f"{data.get('time_label') or 'time'} ({times.unit})")
    title = ("Prediction-corrected visual" if word else "Visual") + " predictive check"
    return Sketch(
        sheet,
        title,
        _caption(data, observed, low, high, shares),
        _description(data, times, x, observed, low, high),
    )


def _table(values: Any, columns: int) -> FloatArray:
    """Rows of numbers, None as NaN, as an array with `columns` columns."""
    return np.array([style.floats(row) for row in values], dtype=np.float64).reshape(-1, columns)


def _bands(
    axes: Axes, x: FloatArray, edges: FloatArray, low: FloatArray, high: FloatArray, percentiles: FloatArray
) -> None:
    for k, percentile in enumerate(percentiles):
        central = abs(percentile - 50.0) < 1e-9
        color, order = (_INNER, 1.2) if central else (_OUTER, 1.0)
        place, bottom, top = _widened(x, edges, low[:, k], high[:, k])
        axes.fill_between(place, bottom, top, color=color, linewidth=0, alpha=0.8, zorder=order)


def _widened(
    x: FloatArray, edges: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A band over bins; one bin alone, which has no width, is drawn from edge to edge."""
    if x.size == 1 and edges.size == 2:
        return edges, np.repeat(low, 2), np.repeat(high, 2)
    return x, low, high


def _observed_lines(
    axes: Axes, x: FloatArray, observed: FloatArray, percentiles: FloatArray, across: Scale, scale: Scale
) -> None:
    ends: list[tuple[float, str]] = []
    last = x.size - 1
    for k, percentile in enumerate(percentiles):
        central = abs(percentile - 50.0) < 1e-9
        axes.plot(
            x,
            observed[:, k],
            color=style.INK,
            linewidth=1.8 if central else 1.2,
            linestyle="-" if central else (0, (4, 2)),
            marker="o" if x.size == 1 else "",
            markersize=4,
            zorder=5,
        )
        there = np.flatnonzero(np.isfinite(observed[:, k]))
        if there.size:
            word = "median" if central else f"{percentile:g}th percentile"
            end = there[-1]
            height = scale.place(float(observed[end, k]))
            if end == last:
                ends.append((height, word))
            else:
                _end_label(axes, across.place(float(x[end])), height, word, down=0.0 if central else 12.0)
    heights = style.spread([e[0] for e in ends], 0.14 / _HEIGHT, 0.02, 0.98)
    place = across.place(float(x[last]))
    for (_, word), height in zip(ends, heights, strict=True):
        _end_label(axes, place if place < _NEAR_EDGE else 1.0, height, word)


def _end_label(axes: Axes, place: float, height: float, word: str, *, down: float = 0.0) -> None:
    """The name of a line to the right of its end (fractions of the axes), `down` points lower."""
    axes.annotate(
        word,
        xy=(place, height),
        xycoords="axes fraction",
        xytext=(5, -down),
        textcoords="offset points",
        va="center",
        fontsize=style.SMALL,
        color=style.INK if word == "median" else style.MUTED,
        fontweight="bold" if word == "median" else "normal",
        annotation_clip=False,
        zorder=6,
    )


def _below_panel(
    sheet: Any, data: Json, x: FloatArray, edges: FloatArray, below: FloatArray, across: Scale
) -> Axes:
    axes = style.panel(sheet, left=_LEFT, top=_TOP + _HEIGHT + _GAP, width=_WIDTH, height=_SHARE_HEIGHT)
    low, high = style.floats(data.get("below_low")), style.floats(data.get("below_high"))
    most = float(style.finite(below, high).max())
    top = next(t for t in (0.1, 0.2, 0.5, 1.0) if most <= t or t == 1.0)
    across.apply(axes)
    style.percent_axis(axes, step=top / 2, top=top)
    if low.size == high.size == x.size:
        place, bottom, upper = _widened(x, edges, low, high)
        axes.fill_between(place, bottom, upper, color=_OUTER, linewidth=0, alpha=0.8, zorder=1)
    axes.plot(x, below, color=style.INK, linewidth=1.4, marker="o", markersize=3, zorder=4, clip_on=False)
    axes.set_ylabel("below limit")
    return axes


def _inside(observed: FloatArray, low: FloatArray, high: FloatArray) -> tuple[int, int]:
    known = np.isfinite(observed) & np.isfinite(low) & np.isfinite(high)
    within = known & (observed >= low) & (observed <= high)
    return int(np.count_nonzero(within)), int(np.count_nonzero(known))


def _caption(data: Json, observed: FloatArray, low: FloatArray, high: FloatArray, shares: bool) -> str:
    level = percent(data.get("level", 0.95))
    within, known = _inside(observed, low, high)
    text = (
        f"Lines are observed percentiles, bands the {level} intervals of the same percentiles in simulated "
    )
    text += f"data sets: {within} of {known} observed values lie within their band. "
    if data.get("prediction_corrected", True):
        text += (
            "Each level is corrected to the typical prediction of its bin, which takes out differences of "
        )
        text += "dose and covariates. "
    if shares:
        text += "Below: the share of samples under the limit of quantification, with the interval of the "
        text += "simulations. "
    if data.get("n_left_out"):
        text += f"{data['n_left_out']} samples without a positive prediction are left out."
    return text.strip()


def _description(
    data: Json, times: Times, x: FloatArray, observed: FloatArray, low: FloatArray, high: FloatArray
) -> str:
    unit = unit_text(data.get("unit"))
    percentiles = style.floats(data["percentiles"])
    k = int(np.abs(percentiles - 50.0).argmin())
    rows = np.unique(np.linspace(0, x.size - 1, min(5, x.size)).round().astype(int))
    parts = [
        f"at {number(float(x[i]))} {times.unit} observed {percentiles[k]:g}th percentile "
        f"{number(float(observed[i, k]))} {unit}, simulated {number(float(low[i, k]))} to "
        f"{number(float(high[i, k]))}"
        for i in rows
    ]
    return f"Percentiles over time: {'; '.join(parts)}."
