"""Every hazard ratio and odds ratio of the report on one log axis, as published beside guarded."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import row_text, shortened
from troughline.report.figures.scale import scale_of
from troughline.report.figures.style import Json
from troughline.report.numbers import micro, number, short_interval
from troughline.report.reading import entries

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _WIDTH, _ROW, _HEAD = 2.92, 2.38, 0.225, 0.3
_NAMES = {"hazard_ratio": "hazard ratio", "odds_ratio": "odds ratio"}
_SHOWN = (0.02, 50.0)
_MOST_ROWS = 60
_text = partial(row_text, width_in=_WIDTH, bold_ground=True)


def ratios(results: Json) -> list[tuple[Json, list[Json]]]:
    """The questions that have ratios, each with its ratio estimates that have a value."""
    found: list[tuple[Json, list[Json]]] = []
    for question in entries(results, "questions"):
        rows = [
            e
            for e in entries(question, "estimates")
            if e.get("name") in _NAMES and isinstance(e.get("value"), (int, float)) and e["value"] > 0
        ]
        if rows:
            found.append((question, rows))
    return found


def sketch_forest(results: Json) -> Sketch:
    """Draw the forest plot; a square a value, a line its interval, an arrow where it runs beyond the axis."""
    groups = _cut_off(ratios(results))
    lines = sum(len(rows) for _, rows in groups)
    height = _HEAD * len(groups) + _ROW * lines + 0.1
    sheet = style.sheet(height + 0.8)
    axes = style.panel(sheet, left=_LEFT, top=0.3, width=_WIDTH, height=height)
    style.bare(axes, keep=("bottom",))
    ends = [e[k] for _, rows in groups for e in rows for k in ("value", "low", "high") if e.get(k)]
    scale = scale_of(
        style.finite([min(max(x, _SHOWN[0]), _SHOWN[1]) for x in ends], 0.5, 2.0), margin=0.03, log=True
    )
    scale.apply(axes)
    low, high = scale.low, scale.high
    axes.set_ylim(height, 0.0)
    axes.axvline(1.0, color=style.PUBLISHED, linewidth=1.0, zorder=0)
    y = 0.0
    for question, rows in groups:
        y += _HEAD
        _text(
            axes,
            0.12 - _LEFT,
            y - 0.1,
            micro(str(question.get("title") or question.get("id")))[:70],
            style.INK,
            bold=True,
        )
        for row in rows:
            _row(axes, row, y + _ROW / 2, low, high)
            y += _ROW
    for words, side in (("← less", "right"), ("more →", "left")):
        axes.annotate(
            words,
            xy=(1.0, 0),
            xycoords=("data", "data"),
            xytext=(-6 if side == "right" else 6, 6),
            textcoords="offset points",
            ha=side,
            fontsize=style.SMALL,
            color=style.MUTED,
        )
    axes.set_xlabel("hazard ratio or odds ratio, log scale")
    listed = [
        f"{question.get('title')}: {_NAMES[r['name']]} {_label(r)} {number(r['value'])} {_span(r)}".strip()
        for question, rows in groups
        for r in rows
    ]
    left_out = sum(len(rows) for _, rows in ratios(results)) - lines
    caption = (
        "Hazard ratios and odds ratios with their intervals: grey as published, blue guarded. Right of the "
        "line at 1 the event is more frequent at higher exposure or in the group named. An arrow marks an "
        "interval that runs on or is not bounded."
    )
    if left_out:
        caption += f" {left_out} more are in the tables."
    return Sketch(sheet, "All hazard and odds ratios", caption, "Forest plot. " + "; ".join(listed) + ".")


def _row(axes: Axes, estimate: Json, y: float, low: float, high: float) -> None:
    guarded = str(estimate.get("method", "")).startswith("guarded")
    color = style.GUARDED if guarded else style.PUBLISHED
    text_color = style.GUARDED if guarded else style.PUBLISHED_TEXT
    _text(axes, 0.24 - _LEFT, y, _label(estimate, longest=46), text_color)
    start, end = estimate.get("low"), estimate.get("high")
    if start is not None or end is not None:
        left = low if start is None or start < low else start
        right = high if end is None or end > high else end
        axes.plot([left, right], [y, y], color=color, linewidth=1.7, zorder=2)
        if left == low and start != low:
            axes.plot([low], [y], "<", markersize=5, color=color, clip_on=False)
        if right == high and end != high:
            axes.plot([high], [y], ">", markersize=5, color=color, clip_on=False)
    value = min(max(float(estimate["value"]), low), high)
    axes.plot(
        [value],
        [y],
        "s",
        markersize=5.6,
        color=color,
        markeredgecolor="#ffffff",
        markeredgewidth=0.7,
        zorder=3,
        clip_on=False,
    )
    span = _span(estimate)
    _text(axes, _WIDTH + 0.14, y, f"{number(estimate['value'])}" + (f" ({span})" if span else ""), text_color)


def _span(estimate: Json) -> str:
    """The interval in few letters: the arrow in the figure says what is not bounded."""
    return short_interval(estimate.get("low"), estimate.get("high"), value=estimate["value"])


def _label(estimate: Json, *, longest: int = 200) -> str:
    words = "guarded" if str(estimate.get("method", "")).startswith("guarded") else "as published"
    what = micro(str(estimate.get("label") or _NAMES[str(estimate["name"])]))
    return f"{shortened(what, longest - len(words) - 2)}, {words}"


def _cut_off(groups: list[tuple[Json, list[Json]]]) -> list[tuple[Json, list[Json]]]:
    kept: list[tuple[Json, list[Json]]] = []
    room = math.inf if sum(len(r) for _, r in groups) <= _MOST_ROWS else _MOST_ROWS
    for question, rows in groups:
        if room <= 0:
            break
        kept.append((question, rows[: int(min(room, len(rows)))]))
        room -= len(rows)
    return kept
