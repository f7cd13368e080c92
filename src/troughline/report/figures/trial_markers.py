"""Markers in serum over time, a panel a marker and a line an arm."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.style import Json
from troughline.report.figures.trial_parts import arm_colours, arm_names, heading, short_names
from troughline.report.numbers import number
from troughline.report.trial_view import marker_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT, _ACROSS, _LEFT = 1.8, 1.15, 3, 0.5
_KEY, _LINE = 6.3, 0.18
_TICKS = (
    (0.01, 0.1, 1.0, 10.0, 100.0), (0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    (0.25, 0.5, 1.0, 2.0, 4.0), (0.5, 0.7, 1.0, 1.4, 2.0),
    (0.6, 0.8, 1.0, 1.2, 1.4), (0.8, 0.9, 1.0, 1.1, 1.2), (0.9, 0.95, 1.0, 1.05, 1.1),
)  # fmt: skip


def sketch_markers(results: Json) -> Sketch:
    """The geometric mean of the ratio to the start and the spread over patients."""
    arms: list[Json] = results["arms"]
    markers = list(dict.fromkeys(str(m["marker"]) for a in arms for m in a["markers"]))
    colours, names = arm_colours(results), arm_names(results)
    rows = -(-len(markers) // _ACROSS)
    key = [(short_names(results, 40)[a], c) for a, c in colours.items()]
    top = _LINE * (len(_lines(key)) - 1)
    sheet = style.sheet(0.5 + top + rows * (_HEIGHT + 0.55) + 0.1)
    listed: list[str] = []
    for k, marker in enumerate(markers):
        row, column = divmod(k, _ACROSS)
        axes = style.panel(
            sheet,
            left=_LEFT + column * (_WIDTH + 0.46),
            top=0.62 + top + row * (_HEIGHT + 0.55),
            width=_WIDTH,
            height=_HEIGHT,
        )
        seen: list[float] = [0.8, 1.25]
        for arm in arms:
            course = next((m for m in arm["markers"] if m["marker"] == marker), None)
            if course is None:
                continue
            day, colour = style.floats(course["day"]), colours[str(arm["id"])]
            ratio = style.floats(course["ratio"])
            low, high = style.floats(course["low"]), style.floats(course["high"])
            axes.fill_between(day, low, high, color=colour, alpha=0.13, linewidth=0)
            axes.plot(day, ratio, color=colour, linewidth=1.7, marker="o", markersize=2.6)
            seen += style.finite(ratio, low, high).tolist()
            told = np.flatnonzero(np.isfinite(ratio))
            if told.size:
                last = int(told[-1])
                listed.append(
                    f"{marker_name(marker)}, {names[str(arm['id'])]}: {number(float(ratio[last]))} times "
                    f"the start on day {number(float(day[last]))}"
                )
        axes.set_yscale("log")
        axes.set_ylim(min(seen) * 0.95, max(seen) * 1.05)
        low_end, high_end = axes.get_ylim()
        choices = ([t for t in ticks if low_end <= t <= high_end] for ticks in _TICKS)
        ticks = next((t for t in choices if len(t) >= 3), [1.0])
        axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
        axes.minorticks_off()
        axes.axhline(1.0, color="#9aa4ad", linewidth=0.7, linestyle=(0, (2, 2)), zorder=0)
        axes.margins(x=0)
        axes.tick_params(labelsize=style.SMALL)
        heading(axes, marker_name(marker), pad=4)
        if k + _ACROSS >= len(markers):
            axes.set_xlabel("day")
    _key(sheet, key)
    return Sketch(
        sheet,
        "Markers over time, as a ratio to the start",
        "Lines: geometric mean over the virtual patients alive and followed on the day; bands: the middle "
        "68% of patients. Logarithmic axes, each marker its own. Published were directions, not sizes.",
        "Lines over days. " + "; ".join(listed) + ".",
    )


def _lines(arms: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The names of the arms in lines that are not wider than the key."""
    lines: list[list[tuple[str, str]]] = [[]]
    x = 0.0
    for words, colour in arms:
        width = 0.26 + style.text_width_in(words) + 0.2
        if lines[-1] and x + width > _KEY:
            lines.append([])
            x = 0.0
        lines[-1].append((words, colour))
        x += width
    return lines


def _key(sheet: Figure, arms: list[tuple[str, str]]) -> None:
    for k, line in enumerate(_lines(arms)):
        axes = style.panel(sheet, left=_LEFT, top=0.1 + _LINE * k, width=_KEY, height=0.16)
        style.bare(axes)
        axes.set_xlim(0, _KEY)
        axes.set_ylim(0, 1)
        x = 0.0
        for words, colour in line:
            axes.plot([x, x + 0.2], [0.5, 0.5], color=colour, linewidth=2.4)
            axes.text(x + 0.26, 0.5, words, va="center", fontsize=style.SMALL, color=style.text_color(colour))
            x += 0.26 + style.text_width_in(words) + 0.2
