"""How many days each policy keeps below, inside and above the target, and what it costs."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.policy_parts import LEFT, name_beside
from troughline.report.figures.style import Json
from troughline.report.numbers import interval, micro, number, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW, _WIDTH = 0.34, 2.15
_FIRST, _STEP = 44, 38
"""Where the first column of numbers ends right of the bars, and how far the others are apart, in points."""
_COLUMNS = ("below at\nthe end", "severe\ntoxicity", "stopped\nfor it", "dose\nchanges", "samples")
_PARTS = (("below", "#c9d0d6"), ("inside", style.BENEFIT), ("above", style.TOXICITY))


def sketch_narrow_overview(results: Json) -> Sketch:
    """The same for a screen as wide as a telephone's: the name above each bar, the numbers below it."""
    policies: list[Json] = results["policies"]
    row, width, inches = 0.66, 3.5, 3.8
    height = row * len(policies)
    sheet = style.sheet(height + 0.62, inches)
    axes = style.panel(sheet, left=0.12, top=0.24, width=width, height=height)
    style.bare(axes, keep=("bottom",))
    axes.set_xlim(0, 1)
    axes.set_ylim(len(policies), 0)
    axes.set_xticks([0, 0.5, 1.0], ["0%", "50% of days", "100%"])
    for k, policy in enumerate(policies):
        _bar(axes, policy, k + 0.45, 0.34, width)
        measures = policy["measures"]
        axes.text(0, k + 0.14, micro(policy["id"]), va="center", fontsize=style.BASE, fontweight="bold")
        under = (
            f"{percent(measures['below_at']['value'])} below at the end · toxicity "
            f"{percent(measures['toxic']['value'])} · stopped {percent(measures['stopped']['value'])} · "
            f"{number(measures['samples']['value'], 2)} samples"
        )
        axes.text(0, k + 0.76, under, va="center", fontsize=style.SMALL, color=style.MUTED)
    _legend(axes)
    wide = sketch_overview(results)
    return Sketch(sheet, wide.title, wide.caption, wide.description)


def _bar(axes: Axes, policy: Json, y: float, height: float, width_in: float) -> None:
    """The shares of days below, inside and above, one after the other, over `width_in` inches."""
    start = 0.0
    for part, colour in _PARTS:
        share = float(policy["measures"][part]["value"])
        axes.barh(y, share, left=start, height=height, color=colour)
        if share * width_in > 0.25:
            axes.text(
                start + share / 2, y, percent(share), ha="center", va="center", fontsize=style.BASE,
                color=style.INK if part == "below" else "#ffffff",
                fontweight="bold" if part == "inside" else "normal",
            )  # fmt: skip
        start += share


def _legend(axes: Axes) -> None:
    """The names of the parts above the bars."""
    for x, (part, colour), side in zip((0.0, 0.5, 1.0), _PARTS, ("left", "center", "right"), strict=True):
        axes.annotate(
            part, xy=(x, 1), xycoords="axes fraction", xytext=(0, 5), textcoords="offset points", ha=side,
            va="bottom", fontsize=style.BASE, fontweight="bold",
            color=style.MUTED if part == "below" else style.text_color(colour),
        )  # fmt: skip


def sketch_overview(results: Json) -> Sketch:
    """A bar a policy, split by where the days were; severe toxicity, changes and samples beside it."""
    policies: list[Json] = results["policies"]
    height = _ROW * len(policies)
    sheet = style.sheet(height + 1.0)
    axes = style.panel(sheet, left=LEFT, top=0.5, width=_WIDTH, height=height)
    style.bare(axes, keep=("bottom",))
    axes.set_xlim(0, 1)
    axes.set_ylim(len(policies), 0)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("share of days")
    for k, policy in enumerate(policies):
        measures, y = policy["measures"], k + 0.5
        name_beside(axes, y, micro(policy["id"]))
        _bar(axes, policy, y, 0.62, _WIDTH)
        columns = (
            percent(measures["below_at"]["value"]), percent(measures["toxic"]["value"]),
            percent(measures["stopped"]["value"]), number(measures["changes"]["value"], 2),
            number(measures["samples"]["value"], 2),
        )  # fmt: skip
        for j, text in enumerate(columns):
            axes.annotate(
                text, xy=(1, y), xycoords=("axes fraction", "data"), xytext=(_FIRST + _STEP * j, 0),
                textcoords="offset points", ha="right", va="center", fontsize=style.BASE,
            )  # fmt: skip
    for j, text in enumerate(_COLUMNS):
        axes.annotate(
            text, xy=(1, 1), xycoords="axes fraction", xytext=(_FIRST + _STEP * j, 5),
            textcoords="offset points", ha="right", va="bottom", fontsize=style.SMALL, color=style.MUTED,
        )  # fmt: skip
    _legend(axes)
    listed = [
        f"{p['id']}: {percent(p['measures']['inside']['value'])} inside "
        f"({interval(p['measures']['inside']['low'], p['measures']['inside']['high'], 'percent')}), "
        f"{percent(p['measures']['below_at']['value'])} of patients below on the last day, "
        f"{percent(p['measures']['stopped']['value'])} stopped for toxicity"
        for p in policies
    ]
    return Sketch(
        sheet,
        "Days below, inside and above the target",
        f"Share of the days from day {results['design']['count_from_day']} to day "
        f"{results['design']['horizon_day']} with a true {micro(results['target']['words'])}, averaged "
        f"over the "
        "virtual patients; right of it patients below on the last day, with severe toxicity, and stopped for "
        "it, and dose changes and samples a patient.",
        "Stacked bars. " + "; ".join(listed) + ".",
    )
