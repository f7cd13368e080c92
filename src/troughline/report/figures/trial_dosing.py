"""Doses and levels over time in the arms of a virtual trial that have a dosing policy."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import shortened
from troughline.report.figures.style import Json
from troughline.report.figures.trial_parts import arm_colours, arm_key, arm_names, heading
from troughline.report.numbers import micro, number, percent
from troughline.report.trial_dosing import arms_with_policy

_WIDTH, _HEIGHT, _LEFT, _GAP = 1.72, 1.5, 0.52, 0.6
_PANELS = (
    ("mean_dose_mg", "Daily dose, mg"),
    ("inside", "Inside the target"),
    ("on_first_line", "On the first line"),
)
FEWEST_PERCENT = 5.0
"""A line ends where fewer % of the arm are on the first line: a few patients say nothing of an arm."""


def sketch_dosing(results: Json) -> Sketch:
    """A panel for the dose, one for the days inside, one for who is still treated; a line an arm."""
    arms = arms_with_policy(results)
    colours, names = arm_colours(results), arm_names(results)
    sheet = style.sheet(_HEIGHT + 1.12)
    listed: list[str] = []
    for k, (key, title) in enumerate(_PANELS):
        axes = style.panel(
            sheet, left=_LEFT + k * (_WIDTH + _GAP), top=0.62, width=_WIDTH, height=_HEIGHT
        )  # fmt: skip
        share = key != "mean_dose_mg"
        for arm in arms:
            day, value = style.floats(arm["dosing"]["day"]), style.floats(arm["dosing"][key])
            on = style.floats(arm["dosing"]["on_first_line"]) >= FEWEST_PERCENT
            value = np.where(on, value / 100 if share else value, np.nan)
            axes.plot(day, value, color=colours[str(arm["id"])], linewidth=1.7)
            told = np.flatnonzero(np.isfinite(value) & (day <= _told_day(results)))
            if told.size:
                last = int(told[-1])
                text = percent(float(value[last])) if share else f"{number(float(value[last]))} mg"
                listed.append(f"{title}, {names[str(arm['id'])]}: {text} on day {number(float(day[last]))}")
        top = axes.get_ylim()[1]
        axes.set_ylim(0, 1.0 if key == "on_first_line" else max(1.05 * top, 0.2))
        if share:
            ticks = [t for t in axes.get_yticks() if 0 <= t <= axes.get_ylim()[1]]
            axes.set_yticks(ticks, [f"{100 * t:.0f}%" for t in ticks])
        axes.margins(x=0)
        axes.set_xlim(left=0)
        axes.tick_params(labelsize=style.SMALL)
        axes.set_xlabel("day")
        heading(axes, title, pad=4)
    arm_key(sheet, [(shortened(micro(names[str(a["id"])]), 28), colours[str(a["id"])]) for a in arms], _LEFT)
    return Sketch(
        sheet,
        "Doses and levels over time",
        "Of the virtual patients on the first line on a day: mean daily dose (a hold counts as 0), the "
        "share whose true trough is inside the target, and how many of the arm they are. Lines end where "
        f"fewer than {FEWEST_PERCENT:g}% of the arm are left.",
        "Lines over days. " + "; ".join(listed) + ".",
    )


def _told_day(results: Json) -> float:
    """The day that the description tells: the last visit."""
    return float((results["setup"].get("dosing") or {"visit_days": [84]})["visit_days"][-1])
