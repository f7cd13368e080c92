"""The ROC curve with its band and cuts; beside it the AUC in both columns and how uncertain the cut is."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import axis_label, cut_values, usable_cuts
from troughline.report.figures.scale import scale_of
from troughline.report.figures.style import Json
from troughline.report.numbers import interval, micro, number, percent, unit_text
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SQUARE = 3.1
_AUC_ROW = 0.33


def sketch_roc(question: Json) -> Sketch:
    """Draw the ROC of a threshold question, its AUC in both columns and the bootstrap of its cut."""
    series: Json = question["series"]
    aucs = _aucs(question)
    beside = bool(aucs) or bool(_bootstrap(series))
    sheet = style.sheet(_SQUARE + 0.75)
    axes = style.panel(sheet, left=0.62 if beside else 1.9, top=0.16, width=_SQUARE, height=_SQUARE)
    points = _roc(axes, series)
    if aucs:
        _auc_panel(sheet, aucs)
    if _bootstrap(series):
        _bootstrap_panel(sheet, series, top=0.34 + _AUC_ROW * len(aucs) + 0.5 if aucs else 0.2)
    outcome = micro(str(part(series, "distribution").get("outcome_label") or "the outcome"))
    return Sketch(sheet, f"ROC curve for {outcome}", _caption(question, points), _description(series, aucs))


def _roc(axes: Axes, series: Json) -> list[tuple[Json, float, float]]:
    specificity, sensitivity = (
        style.floats(series["roc"]["specificity"]),
        style.floats(series["roc"]["sensitivity"]),
    )
    for tick in (0.25, 0.5, 0.75, 1.0):
        axes.axhline(tick, color=style.HAIRLINE, linewidth=0.6, zorder=0)
        axes.axvline(tick, color=style.HAIRLINE, linewidth=0.6, zorder=0)
    axes.plot([0, 1], [0, 1], color=style.PUBLISHED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    axes.text(
        0.73,
        0.695,
        "no better than chance",
        rotation=45,
        rotation_mode="anchor",
        ha="center",
        va="top",
        fontsize=style.SMALL,
        color=style.MUTED,
    )
    band = part(series, "roc_band")
    if band.get("specificity") and band.get("low") and band.get("high"):
        axes.fill_between(
            1 - style.floats(band["specificity"]),
            style.floats(band["low"]),
            style.floats(band["high"]),
            color=style.GUARDED_PALE,
            linewidth=0,
            zorder=0.5,
        )
    order = np.lexsort((sensitivity, 1 - specificity))
    axes.plot(
        1 - specificity[order],
        sensitivity[order],
        color=style.GUARDED,
        linewidth=2.0,
        zorder=3,
        clip_on=False,
    )
    points = _cut_points(series)
    for k, (cut, x, y) in enumerate(points):
        guarded = cut.get("kind") == "guarded"
        color = style.GUARDED if guarded else style.INK
        axes.plot(
            [x],
            [y],
            "o",
            markersize=7,
            markerfacecolor=color if guarded else "#ffffff",
            markeredgecolor=color,
            markeredgewidth=1.5,
            zorder=5,
            clip_on=False,
        )
        if any(number(float(c["value"])) == number(float(cut["value"])) for c, _, _ in points[:k]):
            continue
        axes.annotate(
            number(float(cut["value"])),
            xy=(x, y),
            xytext=(9, -9 - 10 * _same_place(points, k)),
            textcoords="offset points",
            fontsize=style.BASE,
            color=color,
            fontweight="bold",
            zorder=6,
        )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="1 − specificity (false alarms)", ylabel="sensitivity")
    labels = ["0", "25%", "50%", "75%", "100%"]
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], labels)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], labels)
    return points


def _cut_points(series: Json) -> list[tuple[Json, float, float]]:
    """Each cut that lies on the curve, with its false alarm rate and sensitivity."""
    thresholds = style.floats(series["roc"].get("threshold"))
    if thresholds.size == 0:
        return []
    specificity, sensitivity = (
        style.floats(series["roc"]["specificity"]),
        style.floats(series["roc"]["sensitivity"]),
    )
    points: list[tuple[Json, float, float]] = []
    for cut in usable_cuts(series.get("cuts")):
        if cut.get("kind") == "external" or cut.get("value") is None:
            continue
        distance = np.abs(np.where(np.isfinite(thresholds), thresholds, np.inf) - float(cut["value"]))
        i = int(np.argmin(distance))
        if np.isfinite(distance[i]):
            points.append((cut, float(1 - specificity[i]), float(sensitivity[i])))
    return points


def _same_place(points: list[tuple[Json, float, float]], k: int) -> int:
    return sum(abs(p[1] - points[k][1]) < 0.06 and abs(p[2] - points[k][2]) < 0.06 for p in points[:k])


def _auc_panel(sheet: Figure, aucs: list[Json]) -> None:
    """The areas one below the other, each with its interval and its numbers written above it."""
    axes = style.panel(sheet, left=4.45, top=0.34, width=2.35, height=_AUC_ROW * len(aucs))
    style.bare(axes, keep=("bottom",))
    _heading(sheet, 0.2, "Area under the curve")
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


def _bootstrap(series: Json) -> Json:
    boot: Json = part(series, "threshold_bootstrap")
    return boot if boot.get("edges") and boot.get("count") and sum(boot["count"]) > 0 else {}


def _bootstrap_panel(sheet: Figure, series: Json, *, top: float) -> None:
    boot = _bootstrap(series)
    edges, counts = style.floats(boot["edges"]), style.floats(boot["count"])
    axes = style.panel(sheet, left=4.45, top=top + 0.16, width=2.35, height=max(0.7, _SQUARE - top))
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


def _aucs(question: Json) -> list[Json]:
    return [
        e
        for e in entries(question, "estimates")
        if e.get("name") in {"auc", "auc_corrected"} and e.get("value") is not None
    ][:3]


def _caption(question: Json, points: list[tuple[Json, float, float]]) -> str:
    series: Json = question["series"]
    unit = unit_text(part(series, "distribution").get("unit"))
    parts = [
        "The curve shows sensitivity against false alarms over every possible cut; "
        "the band is what chance allows around it."
    ]
    for cut, x, y in points[:2]:
        words = "guarded" if cut.get("kind") == "guarded" else "as-published"
        parts.append(
            f"At the {words} cut of {number(cut['value'])} {unit} sensitivity is {percent(y)} "
            f"and specificity {percent(1 - x)}."
        )
    if _bootstrap(series):
        bound = next(
            (
                c
                for c in entries(series, "cuts")
                if c.get("kind") == "guarded" and interval(c.get("low"), c.get("high"))
            ),
            None,
        )
        tail = f"; its interval is {interval(bound.get('low'), bound.get('high'))} {unit}" if bound else ""
        parts.append(f"The bars show where the best cut falls when the patients are drawn again{tail}.")
    return " ".join(parts)


def _description(series: Json, aucs: list[Json]) -> str:
    specificity, sensitivity = (
        style.floats(series["roc"]["specificity"]),
        style.floats(series["roc"]["sensitivity"]),
    )
    at = ", ".join(
        f"{percent(float(np.max(sensitivity[specificity >= s], initial=0.0)))} at specificity {percent(s)}"
        for s in (0.9, 0.75, 0.5)
    )
    listed = "; ".join(
        f"AUC {e['method']}: {number(e['value'])} {interval(e.get('low'), e.get('high'))}".rstrip()
        for e in aucs
    )
    return f"ROC curve with {specificity.size} points. Sensitivity {at}. {listed}".strip() + "."
