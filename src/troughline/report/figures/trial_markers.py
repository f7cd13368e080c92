"""Markers in serum over time, a panel a marker and a line an arm."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.style import Json
from troughline.report.figures.trial_parts import (
    KEY_LINE,
    arm_colours,
    arm_key,
    arm_names,
    heading,
    key_lines,
    short_names,
)
from troughline.report.numbers import number
from troughline.report.trial_view import marker_name

_WIDTH, _HEIGHT, _ACROSS, _LEFT = 1.8, 1.15, 3, 0.5
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
    top = KEY_LINE * (len(key_lines(key)) - 1)
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
    arm_key(sheet, key, _LEFT)
    return Sketch(
        sheet,
        "Markers over time, as a ratio to the start",
        "Lines: geometric mean over the virtual patients alive and followed on the day; bands: the middle "
        "68% of patients. Logarithmic axes, each marker its own. Published were directions, not sizes.",
        "Lines over days. " + "; ".join(listed) + ".",
    )
