"""Targets side by side: the limits that each source gives, against the trough that is predicted."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.report.dose_view import target_n
from troughline.report.figures import style
from troughline.report.figures.dose_parts import (
    FORECAST,
    FORECAST_PALE,
    TARGET_EDGE,
    TARGET_TEXT,
    limit_interval,
    row_name,
    shown_regimens,
    target_name,
    target_text,
)
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import shortened
from troughline.report.figures.pk_parts import apply_scale
from troughline.report.figures.scale import Scale, scale_of
from troughline.report.figures.style import Json
from troughline.report.numbers import interval, percent, unit_text
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES, _PANEL, _ROW, _TOP = 2.45, 3.3, 0.42, 0.4
NOT_COMPARABLE = "#98a1a9"


def sketch_targets(results: Json) -> Sketch:
    """Draw `alternatives`, one row each, over the exposure axis of the target in use."""
    rows = drawn_targets(results)
    height = _ROW * len(rows)
    sheet = style.sheet(_TOP + height + 0.58)
    axes = style.panel(sheet, left=_NAMES, top=_TOP, width=_PANEL, height=height)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    style.bare(axes, keep=("bottom",))
    predicted = _predicted(results)
    ends = [part(r, "target").get(k) for r in rows for k in ("low", "high")]
    ends += [
        e for r in rows for side in ("low", "high") for e in limit_interval(part(r, "target"), side) or ()
    ]
    ends += [predicted.get(k) for k in ("low", "high")]
    scale = scale_of(style.finite(ends), log=True, margin=0.12)
    apply_scale(scale, axes)
    axes.tick_params(axis="x", length=3, labelbottom=True)
    _prediction(axes, predicted)
    for k, row in enumerate(rows):
        _row(axes, k, row, scale)
    unit = unit_text(part(results, "target").get("unit")).replace("*", "·")
    axes.set_xlabel(f"{_metric(results)} ({unit}), log scale")
    return Sketch(sheet, "Targets side by side", _caption(results), _description(rows))


def drawn_targets(results: Json) -> list[Json]:
    """The alternatives in the target's unit that give a limit, the one in use first."""
    unit = part(results, "target").get("unit")
    rows = [
        a
        for a in entries(results, "alternatives")
        if part(a, "target").get("unit") == unit
        and not (part(a, "target").get("low") is None and part(a, "target").get("high") is None)
    ]
    return sorted(rows, key=lambda a: (not a.get("used"), not a.get("comparable")))


def _metric(results: Json) -> str:
    return "AUC over 24 h" if part(results, "target").get("metric") == "auc" else "trough"


def _predicted(results: Json) -> Json:
    """The exposure predicted under the first regimen that the answer names, with its label."""
    named = shown_regimens(results)
    metric = "auc" if part(results, "target").get("metric") == "auc" else "trough"
    row = next((r for r in entries(results, "regimens") if named and r["regimen"]["id"] == named[0]), None)
    return {**part(row, metric), "label": row["regimen"]["label"]} if row else {}


def _prediction(axes: Axes, predicted: Json) -> None:
    if predicted.get("median") is None:
        return
    if predicted.get("low") is not None and predicted.get("high") is not None:
        axes.axvspan(predicted["low"], predicted["high"], color=FORECAST_PALE, alpha=0.7, zorder=-3)
    axes.axvline(predicted["median"], color=FORECAST, linewidth=1.2, zorder=-2)
    axes.annotate(
        f"predicted: {predicted['label']}",
        xy=(predicted["median"], 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=style.SMALL,
        color=FORECAST,
        annotation_clip=False,
    )


def _row(axes: Axes, k: int, row: Json, scale: Scale) -> None:
    target: Json = part(row, "target")
    comparable = bool(row.get("comparable"))
    color = TARGET_EDGE if comparable else NOT_COMPARABLE
    low, high = target.get("low"), target.get("high")
    start, end = scale.low if low is None else low, scale.high if high is None else high
    axes.barh(
        k,
        end - start,
        left=start,
        height=0.34,
        color=color if comparable else "#ffffff",
        edgecolor=color,
        linewidth=0.9,
        alpha=0.85 if comparable else 1.0,
        zorder=1,
    )
    for at, way in ((None if high is not None else end, ">"), (None if low is not None else start, "<")):
        if at is not None:
            axes.plot([at], [k], way, markersize=6, color=color, zorder=3, clip_on=False)
    for side in ("low", "high"):
        ends = limit_interval(target, side)
        if ends:
            lift = -0.3 if side == "low" else 0.3
            axes.plot(
                [max(ends[0], scale.low), min(ends[1], scale.high)],
                [k + lift, k + lift],
                color=style.INK,
                linewidth=1.0,
                zorder=4,
            )
    name = shortened(target_name(target), 40)
    n = f"n = {target_n(target)}" if target.get("n") is not None else "n not given"
    used = bool(row.get("used"))
    ink = style.INK if used else style.MUTED
    row_name(axes, k, [name, f"{target_text(target)}, {n}"], color=ink, bold=used, row_in=_ROW)
    known = comparable and row.get("p_in") is not None
    words = f"P(in) {percent(row['p_in'])}" if known else "not comparable"
    axes.annotate(
        words,
        xy=(1.0, k),
        xycoords=("axes fraction", "data"),
        xytext=(10, 0),
        textcoords="offset points",
        va="center",
        fontsize=style.SMALL,
        color=TARGET_TEXT if comparable else style.MUTED,
        annotation_clip=False,
    )


def _caption(results: Json) -> str:
    text = "Each row is a target with its source; the one in use is in bold. "
    if _predicted(results):
        text += (
            f"Violet: the {_metric(results)} predicted, with its {percent(results.get('level'))} interval. "
        )
    if any(limit_interval(part(r, "target"), s) for r in drawn_targets(results) for s in ("low", "high")):
        text += "Dark lines: 95% intervals of the limits. "
    if any(not r.get("comparable") for r in drawn_targets(results)):
        text += "Hollow: levels of another kind, which are not comparable."
    return text.strip()


def _description(rows: list[Json]) -> str:
    parts: list[str] = []
    for row in rows:
        target: Json = part(row, "target")
        text = f"{target_name(target)}: {target_text(target)}"
        for side in ("low", "high"):
            ends = limit_interval(target, side)
            if ends:
                text += f", {side} limit {interval(*ends)}"
        if not row.get("comparable"):
            text += ", not comparable"
        elif row.get("p_in") is not None:
            text += f", probability in it {percent(row['p_in'])}"
        parts.append(text)
    return "; ".join(parts) + "."
