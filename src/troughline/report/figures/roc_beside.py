"""Beside the ROC curves: the area under them in both columns, and where resampling puts the cut."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.parts import axis_label, cut_values, usable_cuts
from troughline.report.figures.scale import scale_of
from troughline.report.figures.style import Json
from troughline.report.numbers import interval, number
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SQUARE = 3.1
AUC_ROW = 0.33
TOP = 0.36


def auc_panel(sheet: Figure, aucs: list[Json]) -> None:
    """The areas one below the other, each with its interval and its numbers written above it."""
    axes = style.panel(sheet, left=4.45, top=TOP + 0.18, width=2.35, height=AUC_ROW * len(aucs))
    style.bare(axes, keep=("bottom",))
    _heading(sheet, TOP + 0.04, "Area under the curve")
    lowest = min([0.5, *(e["low"] for e in aucs if e.get("low") is not None), *(e["value"] for e in aucs)])
    left = max(0.0, math.floor(lowest * 10 - 0.2) / 10)
    axes.set(xlim=(left, 1.0), ylim=(len(aucs) - 0.45, -0.6))
    axes.set_xticks([t for t in (0.0, 0.25, 0.5, 0.75, 1.0) if t >= left])
    axes.axvline(0.5, color=style.PUBLISHED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    for row, estimate in enumerate(aucs):
        guarded = str(estimate["method"]).startswith("guarded")
        color = style.GUARDED if guarded else style.PUBLISHED
        low, high = estimate.get("low"), estimate.get("high")
        if low is not None and high is not None:
            axes.plot(
                [low, high],
                [row + 0.12] * 2,
                color=color,
                linewidth=2.2,
                solid_capstyle="round",
                clip_on=False,
            )
        axes.plot(
            [estimate["value"]],
            [row + 0.12],
            "o",
            markersize=6,
            color=color,
            markeredgecolor="#ffffff",
            clip_on=False,
        )
        words = "guarded" if guarded else "as published"
        words += ", corrected" if estimate["name"] == "auc_corrected" else ""
        span = interval(low, high, value=estimate["value"])
        axes.text(
            left,
            row - 0.24,
            f"{words} {number(estimate['value'])}" + (f" ({span})" if span else ""),
            fontsize=style.SMALL,
            va="center",
            color=style.GUARDED if guarded else style.PUBLISHED_TEXT,
            bbox={"facecolor": "#ffffff", "edgecolor": "none", "pad": 0.8},
        )


def _heading(sheet: Figure, top_in: float, text: str) -> None:
    sheet.text(
        4.45 / style.WIDTH_IN,
        1 - top_in / sheet.get_size_inches()[1],
        text,
        fontsize=style.BASE,
        fontweight="bold",
        va="center",
    )


def bootstrap(series: Json) -> Json:
    """The histogram of resampled cuts, or an empty dict where there is none."""
    boot: Json = part(series, "threshold_bootstrap")
    return boot if boot.get("edges") and boot.get("count") and sum(boot["count"]) > 0 else {}


def bootstrap_panel(sheet: Figure, series: Json, *, top: float) -> None:
    """How often each cut was the best one in resampled patients, `top` inches below the upper edge."""
    boot = bootstrap(series)
    edges, counts = style.floats(boot["edges"]), style.floats(boot["count"])
    axes = style.panel(
        sheet, left=4.45, top=top + 0.16, width=2.35, height=max(0.7, SQUARE + TOP - 0.16 - top)
    )
    style.bare(axes, keep=("bottom",))
    _heading(sheet, top, "Where resampling puts the cut")
    cuts = [c for c in usable_cuts(series.get("cuts")) if c.get("kind") != "external"]
    scale = scale_of(np.concatenate([edges, cut_values(cuts)]), margin=0.02)
    scale.apply(axes)
    left = np.maximum(edges[:-1], scale.low)
    axes.bar(
        left,
        counts,
        width=edges[1:] - left,
        align="edge",
        color="#b9cbe2",
        edgecolor="#ffffff",
        linewidth=0.4,
    )
    axes.set_ylim(0, float(counts.max()) * 1.18)
    for cut in cuts:
        guarded = cut.get("kind") == "guarded"
        if cut.get("value") is not None:
            axes.axvline(
                cut["value"],
                color=style.GUARDED if guarded else style.INK,
                linewidth=1.8 if guarded else 0.9,
                linestyle="-" if guarded else (0, (3, 2)),
                zorder=2 if guarded else 3,
            )
        if guarded and cut.get("low") is not None and cut.get("high") is not None:
            y = float(counts.max()) * 1.09
            axes.plot(
                [cut["low"], cut["high"]], [y, y], color=style.GUARDED, linewidth=2.2, solid_capstyle="round"
            )
    axes.set_xlabel(
        axis_label(part(series, "distribution").get("label"), part(series, "distribution").get("unit"), "cut")
    )


def aucs_of(question: Json) -> list[Json]:
    """The areas under the curve that have a value, at most three."""
    return [
        e
        for e in entries(question, "estimates")
        if e.get("name") in {"auc", "auc_corrected"} and e.get("value") is not None
    ][:3]
