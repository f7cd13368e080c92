"""Cumulative incidence up to the horizon, a panel a class: both arms with bands and numbers at risk."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import shortened
from troughline.report.figures.scale import tick_text
from troughline.report.figures.steps import thin_steps
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import micro, number, percent
from troughline.report.reading import entries

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEFT, _GAP, _HEIGHT, _LINE = 1.05, 0.5, 1.75, 0.16
_A_ROW = 3
_DASH: Any = (0, (2.2, 1.2))


def sketch_incidence_by_class(question: Json) -> Sketch:
    """Draw `series["incidence_by_class"]`."""
    data: Json = question["series"]["incidence_by_class"]
    classes = entries(data, "classes")
    across = min(len(classes), _A_ROW)
    width = (style.WIDTH_IN - _LEFT - _GAP * across) / across
    most = max(len(entries(c, "arms")) for c in classes)
    row_height = _HEIGHT + 0.95 + most * _LINE
    sheet = style.sheet(0.1 + row_height * math.ceil(len(classes) / _A_ROW))
    top = _top(classes)
    for k, one in enumerate(classes):
        row, column = divmod(k, _A_ROW)
        _panel(
            sheet, data, one, left=_LEFT + column * (width + _GAP), above=0.38 + row * row_height,
            width=width, top=top, first=column == 0,
        )  # fmt: skip
    return Sketch(
        sheet,
        f"Cumulative incidence of {micro(str(data.get('outcome') or 'the outcome'))} by class",
        _caption(data, classes),
        _description(data, classes),
    )


def _top(classes: list[Json]) -> float:
    highs = [
        style.finite(arm.get("high"), arm.get("incidence")) for c in classes for arm in entries(c, "arms")
    ]
    greatest = max((float(h.max()) for h in highs if h.size), default=0.1)
    return min(1.0, math.ceil(max(greatest, 0.1) * 4) / 4)


def _panel(
    sheet: Figure, data: Json, one: Json, *, left: float, above: float, width: float, top: float, first: bool
) -> None:
    axes = style.panel(sheet, left=left, top=above, width=width, height=_HEIGHT)
    horizon = float(data["horizon"])
    style.percent_axis(axes, step=0.25 if top > 0.5 else 0.1, top=top)
    if not first:
        axes.set_yticklabels([])
    axes.set_xlim(0, horizon)
    arms = entries(one, "arms")
    ends = [_curve(axes, arm, _color(arm, arms), horizon) for arm in arms]
    gap = 1.25 * style.SMALL / 72 / _HEIGHT * top
    for place, end, arm in zip(style.spread(ends, gap, 0.0, top), ends, arms, strict=True):
        axes.annotate(
            percent(end) if _followed(arm, horizon) else "–",
            xy=(1, place), xycoords=("axes fraction", "data"), xytext=(3, 0), textcoords="offset points",
            va="center", fontsize=style.SMALL, fontweight="bold", color=style.text_color(_color(arm, arms)),
            annotation_clip=False,
        )  # fmt: skip
    axes.annotate(
        micro(str(one.get("label") or "")), xy=(0, 1), xycoords="axes fraction", xytext=(0, 6),
        textcoords="offset points", fontsize=style.BASE, fontweight="bold", color=style.INK,
    )  # fmt: skip
    times = style.floats(data.get("times"))
    axes.set_xticks(times, [tick_text(float(f"{t:.3g}")) for t in times])
    axes.set_xlabel(f"{data.get('time_unit') or 'day'}s")
    if first:
        axes.set_ylabel("cumulative incidence")
    _at_risk(axes, arms, times, first=first)


def _color(arm: Json, arms: list[Json]) -> str:
    return style.PUBLISHED if arm.get("control") and len(arms) > 1 else style.GUARDED


def _followed(arm: Json, horizon: float) -> bool:
    return float(arm.get("last") or 0.0) >= horizon


def _curve(axes: Axes, arm: Json, color: str, horizon: float) -> float:
    """Draw one arm with its band as far as it was followed, and give its last value."""
    until = min(float(arm.get("last") or horizon), horizon)
    time, value = _steps(arm, "incidence", until)
    keep = thin_steps(time, value, horizon)
    low, high = (_steps(arm, side, until)[1] for side in ("low", "high"))
    if low.size == high.size == time.size:
        axes.fill_between(
            time[keep], low[keep], high[keep], step="post", color=color, alpha=0.15, linewidth=0, zorder=2
        )
    axes.step(
        time[keep], value[keep], where="post", color=color, linewidth=1.7, zorder=4,
        linestyle=_DASH if arm.get("control") else "-",
    )  # fmt: skip
    return float(value[-1])


def _steps(arm: Json, key: str, until: float) -> tuple[FloatArray, FloatArray]:
    """Times and values with (0, 0) in front and the last value carried to `until`."""
    time, value = style.floats(arm.get("time")), style.floats(arm.get(key))
    if value.size != time.size:
        return time, np.empty(0)
    last = float(value[-1]) if value.size else 0.0
    return np.concatenate(([0.0], time, [until])), np.concatenate(([0.0], value, [last]))


def _at_risk(axes: Axes, arms: list[Json], times: FloatArray, *, first: bool) -> None:
    start, step = -0.52 / _HEIGHT, _LINE / _HEIGHT
    for k, arm in enumerate(arms):
        y = start - step * (k + 0.6)
        color = style.text_color(_color(arm, arms))
        if first:
            name = micro(str(arm.get("label") or "at risk"))
            axes.annotate(
                shortened(name, 14), xy=(0, y), xycoords="axes fraction", xytext=(-12, 0),
                textcoords="offset points", ha="right", va="center", fontsize=style.SMALL, color=color,
                fontweight="bold", annotation_clip=False,
            )  # fmt: skip
        for t, left in zip(times, entries(arm, "at_risk"), strict=False):
            axes.text(
                float(t), y, f"{left}", transform=axes.get_xaxis_transform(), fontsize=style.SMALL,
                color=color, va="center", ha="center", clip_on=False,
            )  # fmt: skip
    if first:
        axes.annotate(
            "number at risk", xy=(0, start + step * 0.35), xycoords="axes fraction", xytext=(-12, 0),
            textcoords="offset points", ha="right", va="center", fontsize=6.5, color=style.MUTED,
            annotation_clip=False,
        )  # fmt: skip


def _caption(data: Json, classes: list[Json]) -> str:
    until = f"{number(float(data['horizon']))} {data.get('time_unit') or 'day'}s"
    text = (
        f"Aalen–Johansen: other deaths are counted as what they are. Drawn to the horizon of {until}, "
        "where each value stands; bands are pointwise intervals."
    )
    if any(arm.get("control") for c in classes for arm in entries(c, "arms")):
        text += " Dashed and grey: the control arm."
    if not all(_followed(a, float(data["horizon"])) for c in classes for a in entries(c, "arms")):
        text += " A dash stands where nobody was followed so long."
    return text


def _description(data: Json, classes: list[Json]) -> str:
    horizon = float(data["horizon"])
    said: list[str] = []
    for one in classes:
        for arm in entries(one, "arms"):
            value = style.floats(arm.get("incidence"))
            last = percent(float(value[-1]) if value.size else 0.0) if _followed(arm, horizon) else "unknown"
            name = ", ".join(micro(str(x)) for x in (one.get("label"), arm.get("label")) if x)
            said.append(f"{name}: {last}")
    return f"Step curves, values at {number(horizon)} {data.get('time_unit') or 'day'}s: {'; '.join(said)}."
