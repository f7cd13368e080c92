"""Probability of success by the size of a trial, a line a comparison."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.style import Json
from troughline.report.figures.trial_parts import arm_colours, arm_names, short_names
from troughline.report.numbers import count, micro, percent
from troughline.report.trial_view import ENDPOINTS, success_by_size

_DASHES = {"os": (0, ()), "ttp": (0, (4, 1.6))}


def sketch_success(results: Json) -> Sketch:
    """The planned size is marked where it lies within the sizes looked at."""
    rows = [s for s in success_by_size(results) if len(s.n) > 1]
    names, colours = arm_names(results), arm_colours(results)
    sheet = style.sheet(3.1)
    axes = style.panel(sheet, left=0.6, top=0.2, width=4.1, height=2.35)
    style.percent_axis(axes)
    axes.set_xscale("log")
    sizes = style.finite(*(style.floats(r.n) for r in rows))
    axes.set_xlim(float(sizes.min()) * 0.93, float(sizes.max()) * 1.07)
    ticks = np.unique(sizes)
    axes.set_xticks(ticks, [count(float(t)) for t in ticks])
    axes.minorticks_off()
    ends: list[float] = []
    listed: list[str] = []
    trials = max(max(r.trials) for r in rows)
    for one in rows:
        n, p = style.floats(one.n), style.floats(one.share)
        colour = colours[one.arm]
        axes.fill_between(
            n, style.floats(one.low), style.floats(one.high), color=colour, alpha=0.13, linewidth=0
        )
        axes.plot(
            n,
            p,
            "o",
            color=colour,
            markersize=4,
            linestyle=_DASHES.get(one.endpoint, (0, (1, 1.5))),
            clip_on=False,
        )
        ends.append(float(p[-1]))
        listed.append(
            f"{names[one.arm]}, {ENDPOINTS[one.endpoint].name}: "
            + ", ".join(
                f"{percent(float(b))} with {count(float(a))} an arm" for a, b in zip(n, p, strict=True)
            )
        )
    for y, one in zip(style.spread(ends, 0.13, 0.04, 0.98), rows, strict=True):
        colour = colours[one.arm]
        axes.annotate(
            micro(short_names(results, 28)[one.arm]),
            xy=(1, y),
            xycoords=("axes fraction", "data"),
            xytext=(10, 4.5),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
            fontweight="bold",
            color=style.text_color(colour),
            annotation_clip=False,
        )
        axes.annotate(
            ENDPOINTS[one.endpoint].name,
            xy=(1, y),
            xycoords=("axes fraction", "data"),
            xytext=(10, -4.5),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
            color=style.MUTED,
            annotation_clip=False,
        )
    axes.set_xlabel("patients an arm (log scale)")
    axes.set_ylabel("trials that show it")
    return Sketch(
        sheet,
        "Probability of success by size",
        f"Share of virtual trials with two-sided p < {results['setup']['alpha']:g} in favour of the treated "
        f"arm, over all parameter sets ({count(trials)} trials a point); band: Wilson's interval, which the "
        "number of trials sets. Broken: progression.",
        "Lines over sizes. " + "; ".join(listed) + ".",
    )
