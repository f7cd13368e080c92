"""How many days each policy keeps below, inside and above the target, and what it costs."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.policy_parts import LEFT, name_beside
from troughline.report.figures.style import Json
from troughline.report.numbers import interval, micro, number, percent

_ROW, _WIDTH = 0.34, 2.15
_FIRST, _STEP = 44, 38
"""Where the first column of numbers ends right of the bars, and how far the others are apart, in points."""
_COLUMNS = ("below at\nthe end", "severe\ntoxicity", "stopped\nfor it", "dose\nchanges", "samples")
_PARTS = (("below", "#c9d0d6"), ("inside", style.BENEFIT), ("above", style.TOXICITY))


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
        measures, y, start = policy["measures"], k + 0.5, 0.0
        name_beside(axes, y, micro(policy["id"]))
        for part, colour in _PARTS:
            width = float(measures[part]["value"])
            axes.barh(y, width, left=start, height=0.62, color=colour)
            if width > 0.07:
                axes.text(
                    start + width / 2, y, percent(width), ha="center", va="center", fontsize=style.BASE,
                    color=style.INK if part == "below" else "#ffffff",
                    fontweight="bold" if part == "inside" else "normal",
                )  # fmt: skip
            start += width
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
    for x, (part, colour), side in zip((0.0, 0.5, 1.0), _PARTS, ("left", "center", "right"), strict=True):
        axes.annotate(
            part, xy=(x, 1), xycoords="axes fraction", xytext=(0, 5), textcoords="offset points", ha=side,
            va="bottom", fontsize=style.BASE, fontweight="bold",
            color=style.MUTED if part == "below" else style.text_color(colour),
        )  # fmt: skip
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
