"""Swimmer plot: what happened to each shown patient over time."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.style import Json
from troughline.report.figures.trial_parts import arm_colours, heading, months
from troughline.report.numbers import micro

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW, _LEFT, _GAP, _BELOW = 0.092, 0.35, 0.4, 0.82
_MARKS = (
    ("progression", "D", "#c8562b"), ("stopped by toxicity", "v", "#7a4f8f"), ("next line", "s", "#c07a17"),
    ("death", "X", style.INK), ("still followed", ">", style.MUTED),
)  # fmt: skip


def sketch_swimmer(results: Json) -> Sketch:
    """A lane a patient: thick while treated, thin after; marks for what happened."""
    arms = [a for a in results["arms"] if a["swimmer"]]
    lanes = max(len(a["swimmer"]) for a in arms)
    across = min(len(arms), 2)
    width = (style.WIDTH_IN - _LEFT - 0.1 - _GAP * (across - 1)) / across
    rows = -(-len(arms) // across)
    height = _ROW * lanes
    sheet = style.sheet(rows * (height + _BELOW) + 0.3)
    colours = arm_colours(results)
    listed: list[str] = []
    for k, arm in enumerate(arms):
        row, column = divmod(k, across)
        axes = style.panel(
            sheet, left=_LEFT + column * (width + _GAP), top=0.55 + row * (height + _BELOW), width=width,
            height=height,
        )  # fmt: skip
        swimmers: list[Json] = arm["swimmer"]
        colour = colours[str(arm["id"])]
        for j, one in enumerate(swimmers):
            _lane(axes, j + 0.5, one, colour)
        axes.set_ylim(lanes, 0)
        axes.set_xlim(0, _longest(results))
        style.bare(axes, keep=("bottom",))
        longest = axes.get_xlim()[1]
        axes.set_xticks(
            np.arange(0.0, longest + 1e-9, 1.0 if longest < 6.0 else 3.0 if longest < 30.0 else 6.0)
        )
        axes.set_xlabel("months")
        heading(axes, micro(str(arm["label"])), colour=colour)
        dead = sum(s["death_day"] is not None for s in swimmers)
        grown = sum(s["progression_day"] is not None for s in swimmers)
        listed.append(
            f"{micro(str(arm['label']))}: {len(swimmers)} patients, {grown} progressed, {dead} died"
        )
    _key(sheet)
    return Sketch(
        sheet,
        "Courses of single patients",
        "A lane a patient of the first trial of the first parameter set, thick while on the first "
        "treatment, thin after it.",
        "Swimmer plot. " + "; ".join(listed) + ".",
    )


def _longest(results: Json) -> float:
    """Months that a lane can have: to the horizon, or to the end of the longest follow-up before it."""
    ends = [months(float(results["setup"]["horizon_days"]))]
    if results["setup"]["follow_up"]:
        ends.append(float(results["setup"]["follow_up"]["longest_months"]))
    return max(min(ends), 1.0)


def _lane(axes: Axes, y: float, one: Json, colour: str) -> None:
    end = months(one["last_day"])
    treated = end if one["stop_day"] is None else min(months(one["stop_day"]), end)
    axes.plot([0, end], [y, y], color=colour, linewidth=1.3, alpha=0.55, solid_capstyle="butt", zorder=1)
    axes.plot([0, treated], [y, y], color=colour, linewidth=3.6, alpha=0.8, solid_capstyle="butt", zorder=2)
    shown = {
        "progression": one["progression_day"], "next line": one["next_line_day"],
        "stopped by toxicity": one["stop_day"] if one["stop_why"] == "toxicity" else None,
        "death": one["death_day"], "still followed": one["last_day"] if one["death_day"] is None else None,
    }  # fmt: skip
    for name, shape, ink in _MARKS:
        if shown[name] is not None:
            axes.plot([months(shown[name])], [y], shape, color=ink, markersize=3.8, zorder=5,
                      markeredgecolor="#ffffff", markeredgewidth=0.5, clip_on=False)  # fmt: skip


def _key(sheet: Figure) -> None:
    axes = style.panel(sheet, left=_LEFT, top=0.1, width=6.4, height=0.14)
    style.bare(axes)
    axes.set_xlim(0, 6.4)
    axes.set_ylim(0, 1)
    x = 0.05
    for name, shape, ink in _MARKS:
        axes.plot([x], [0.5], shape, color=ink, markersize=4.6, clip_on=False)
        axes.text(x + 0.1, 0.5, name, va="center", fontsize=style.SMALL, color=style.MUTED)
        x += 0.1 + style.text_width_in(name) + 0.24
