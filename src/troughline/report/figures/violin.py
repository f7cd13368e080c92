"""Markers by stage: a violin a stage, each patient a dot, values below the limit marked as such."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import axis_label
from troughline.report.figures.scale import Scale, scale_of, swarm
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import interval, micro, number, p_value, unit_text
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _WIDTH, _HEIGHT, _GAP, _DOT = 0.85, 5.85, 2.25, 0.62, 0.07
_MOST_MARKERS = 4
_FEWEST_FOR_SHAPE, _FEWEST_FOR_MEDIAN = 6, 3
_GRID = 120


def sketch_violins(question: Json, characteristic: str) -> Sketch:
    """Draw the markers of `series["markers_by_stage"]` over one characteristic, one panel a marker."""
    every = [
        v
        for v in entries(part(question, "series"), "markers_by_stage")
        if v.get("characteristic") == characteristic
    ]
    shown = every[:_MOST_MARKERS]
    sheet = style.sheet(0.3 + len(shown) * (_HEIGHT + _GAP))
    listed: list[str] = []
    hidden = high = 0
    for k, data in enumerate(shown):
        top = 0.3 + k * (_HEIGHT + _GAP)
        axes = style.panel(sheet, left=_LEFT, top=top, width=_WIDTH, height=_HEIGHT)
        listed.append(_panel(axes, data))
        hidden += sum(bool(b) for b in data["below_limit"])
        high += sum(bool(b) for b in data.get("above_limit") or ())
    caption = (
        "Each dot is one patient; the shape is a smoothed distribution where a stage has six patients or "
        "more; the short line is the median of three or more."
    )
    if hidden:
        caption += " A hollow triangle is a value below the limit of quantification, drawn at the limit."
    if high:
        caption += " A hollow triangle that points up is a value above the upper limit, drawn at it."
    if any(d.get("reference") is not None for d in shown):
        caption += " The dashed line is the reference limit."
    caption += f" {' '.join(_words(d) for d in shown)}"
    if len(every) > len(shown):
        caption += f" {len(every) - len(shown)} more markers are in the tables."
    return Sketch(
        sheet,
        f"Markers by {micro(characteristic)}",
        caption,
        f"Violin plot by {micro(characteristic)}. {' '.join(listed)}",
    )


def _words(data: Json) -> str:
    tau = data.get("tau")
    if not tau:
        return ""
    span = interval(tau.get("low"), tau.get("high"), value=tau["value"])
    p = p_value(data.get("p_holm"))
    value = number(tau["value"]) + (f" ({span})" if span else "")
    return f"{micro(str(data['marker']))}: tau-b {value}, {p} corrected."


def _panel(axes: Axes, data: Json) -> str:
    """One marker over the stages; returns the medians in words."""
    value, group = style.floats(data["value"]), style.floats(data["group"])
    below = np.array([bool(b) for b in data["below_limit"]], dtype=np.bool_)
    above = np.array([bool(b) for b in data.get("above_limit") or [False] * value.size], dtype=np.bool_)
    levels = [micro(str(level)) for level in data["levels"]]
    reference = data.get("reference")
    spread = value if reference is None else np.append(value, float(reference))
    scale = scale_of(spread, log=bool(data.get("log")) and bool((spread > 0).all()))
    scale.apply(axes, axis="y")
    style.bare(axes, keep=("left", "bottom"))
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.tick_params(axis="x", length=0, labelbottom=True)
    counts = [int((group == i).sum()) for i in range(len(levels))]
    axes.set_xticks(range(len(levels)), [f"{name}\nn = {n}" for name, n in zip(levels, counts, strict=True)])
    axes.set_ylabel(axis_label(data.get("marker"), data.get("unit"), "marker") + scale.words)
    axes.set_xlabel(micro(str(data.get("characteristic"))))
    room_in = _WIDTH / len(levels)
    medians: list[str] = []
    for i, color in enumerate(style.ramp(len(levels))):
        here = group == i
        if not here.any():
            continue
        _shape(axes, i, value[here], scale, color)
        _dots(axes, i, value[here], (below[here], above[here]), scale, color, room_in)
        middle = float(np.median(value[here]))
        at_most = (
            "at most " if below[here].mean() >= 0.5 else "at least " if above[here].mean() >= 0.5 else ""
        )
        # A median beyond a limit has no place to be drawn at.
        if counts[i] >= _FEWEST_FOR_MEDIAN and not at_most:
            half = min(0.2 / room_in, 0.4)
            axes.plot([i - half, i + half], [middle] * 2, color="#ffffff", linewidth=3.4, zorder=4)
            axes.plot([i - half, i + half], [middle] * 2, color=style.INK, linewidth=1.8, zorder=5)
        medians.append(f"{levels[i]} (n {counts[i]}) {at_most}{number(middle)}")
    if reference is not None:
        axes.axhline(float(reference), color=style.PUBLISHED, linewidth=1.0, linestyle=(0, (4, 2)), zorder=1)
        axes.annotate(
            f"{number(float(reference))}", xy=(1.0, float(reference)), xycoords=("axes fraction", "data"),
            xytext=(3, 0), textcoords="offset points", va="center", fontsize=style.SMALL,
            color=style.PUBLISHED_TEXT, annotation_clip=False,
        )  # fmt: skip
    unit = unit_text(data.get("unit"))
    return f"{micro(str(data['marker']))}, median{f' in {unit}' if unit else ''}: {', '.join(medians)}."


def _shape(axes: Axes, at: int, values: FloatArray, scale: Scale, color: str) -> None:
    """The mirrored density of one stage on the axis as drawn (Silverman's bandwidth)."""
    places = scale.places(values)
    if places.size < _FEWEST_FOR_SHAPE or float(np.ptp(places)) == 0:
        return
    quartiles = np.quantile(places, [0.25, 0.75])
    width = min(float(places.std(ddof=1)), float(np.ptp(quartiles)) / 1.34) or float(places.std(ddof=1))
    band = 0.9 * width * places.size**-0.2
    grid: FloatArray = np.linspace(places.min(), places.max(), _GRID, dtype=np.float64)
    density = np.exp(-0.5 * ((grid[:, None] - places[None, :]) / band) ** 2).sum(axis=1)
    half = 0.42 * density / density.max()
    axes.fill_betweenx(
        scale.values(grid), at - half, at + half, color=color, alpha=0.16, linewidth=0, zorder=0
    )


def _dots(
    axes: Axes,
    at: int,
    values: FloatArray,
    beyond: tuple[np.ndarray, np.ndarray],
    scale: Scale,
    color: str,
    room_in: float,
) -> None:
    """A dot a patient; `beyond` marks those below and those above a limit, drawn as triangles at it."""
    dot = _DOT if values.size <= 120 else 0.035
    aside = np.clip(swarm(values, scale, width_in=_HEIGHT, dot_in=dot) * dot / room_in, -0.44, 0.44)
    size = (dot * 72) ** 2 * 0.8
    seen = ~(beyond[0] | beyond[1])
    axes.scatter(at + aside[seen], values[seen], s=size, color=color, linewidths=0, alpha=0.9, zorder=3)
    for hidden, mark in zip(beyond, "v^", strict=True):
        if hidden.any():
            axes.scatter(
                at + aside[hidden], values[hidden], s=size * 1.3, marker=mark, facecolors="#ffffff",
                edgecolors=color, linewidths=0.8, zorder=3, clip_on=False,
            )  # fmt: skip
