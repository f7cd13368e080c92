"""The share of patients inside the target on each day, and the levels of each policy."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.policy_parts import colours, dashes
from troughline.report.figures.style import Json
from troughline.report.numbers import micro, number, percent

_ACROSS = 3


def sketch_days(results: Json) -> Sketch:
    """A line a policy: the share of virtual patients inside the target day by day."""
    policies: list[Json] = results["policies"]
    sheet = style.sheet(3.3)
    axes = style.panel(sheet, left=0.62, top=0.25, width=4.65, height=2.5)
    top = max(0.25, min(1.0, math.ceil(10 * max(max(p["days"]["inside"]) for p in policies) + 0.5) / 10))
    style.percent_axis(axes, step=0.25 if top > 0.5 else 0.1, top=top)
    horizon = results["design"]["horizon_day"]
    axes.set_xlim(0, horizon)
    for day in results["design"]["visits"]:
        axes.axvline(day, color=style.HAIRLINE, linewidth=0.8, zorder=0)
        axes.plot([day], [0], marker="^", color=style.MUTED, markersize=4, clip_on=False, zorder=4)
    ends: list[float] = []
    shades = colours(policies)
    for policy, colour in zip(policies, shades, strict=True):
        days, inside = style.floats(policy["days"]["day"]), style.floats(policy["days"]["inside"])
        axes.plot(days, inside, color=colour, linestyle=dashes(policy), linewidth=1.7)
        ends.append(float(inside[-1]))
    for y, policy, colour in zip(style.spread(ends, top * 0.055, 0.02, top), policies, shades, strict=True):
        axes.annotate(
            f"{micro(policy['id'])} {percent(policy['days']['inside'][-1])}", xy=(horizon, y), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=style.BASE, color=style.text_color(colour),
            annotation_clip=False,
        )  # fmt: skip
    axes.set_xlabel("day of treatment (▲ visits)")
    axes.set_ylabel("patients inside the target")
    listed = [f"{p['id']}: {percent(p['days']['inside'][-1])} on the last day" for p in policies]
    return Sketch(
        sheet,
        "Patients inside the target, day by day",
        f"Share of the virtual patients whose true level is a {micro(results['target']['words'])}, by the "
        f"level of "
        "the day itself. Broken lines: policies that know what nobody knows.",
        "Lines over days. " + "; ".join(listed) + ".",
    )


def sketch_levels(results: Json) -> Sketch:
    """Small pictures of a policy each: the median and the middle 80 % of the levels over the days."""
    policies: list[Json] = results["policies"]
    rows = -(-len(policies) // _ACROSS)
    sheet = style.sheet(1.85 * rows + 0.55)
    target = results["target"]
    highest = max(float(np.max(style.floats(p["days"]["high"])[5:])) for p in policies)
    for k, (policy, colour) in enumerate(zip(policies, colours(policies), strict=True)):
        row, column = divmod(k, _ACROSS)
        axes = style.panel(sheet, left=0.55 + 2.18 * column, top=0.32 + 1.85 * row, width=1.9, height=1.35)
        axes.set_xlim(0, results["design"]["horizon_day"])
        axes.set_ylim(0, highest)
        low, high = float(target["low"] or 0.0), target["high"]
        axes.axhspan(low, highest if high is None else float(high), color=style.BENEFIT_PALE, zorder=0)
        days = style.floats(policy["days"]["day"])
        axes.fill_between(
            days, style.floats(policy["days"]["low"]), style.floats(policy["days"]["high"]), color=colour,
            alpha=0.22, linewidth=0,
        )  # fmt: skip
        axes.plot(days, style.floats(policy["days"]["median"]), color=colour, linewidth=1.5)
        axes.set_title(
            micro(policy["id"]), fontsize=style.BASE, color=style.text_color(colour), loc="left", pad=3,
            fontweight="bold",
        )  # fmt: skip
        axes.set_yticks(axes.get_yticks()[axes.get_yticks() <= highest])
        if column:
            axes.set_yticklabels([])
        else:
            axes.set_ylabel("mg/L")
        if row == rows - 1 or k + _ACROSS >= len(policies):
            axes.set_xlabel("day")
    listed = [f"{p['id']}: median {number(p['days']['median'][-1])} mg/L on the last day" for p in policies]
    word = "trough" if target["metric"] == "trough" else "peak"
    return Sketch(
        sheet,
        f"True {word}s over the days",
        f"Median and middle 80 % of the true {word}s of all virtual patients, treated or not; the target "
        f"shaded.",
        "Bands over days. " + "; ".join(listed) + ".",
    )
