"""Decision curve and calibration of a signature: what acting on it is worth, are its risks true."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import EndLabel, end_labels
from troughline.report.figures.style import Json
from troughline.report.numbers import micro, number, percent
from troughline.report.reading import entries

_HEIGHT, _LEFT, _WIDTH = 2.5, 0.62, 2.75
_SECOND, _SQUARE = 4.9, 1.95


def sketch_decision_curve(question: Json) -> Sketch:
    """Draw `series["decision_curve"]`: net benefit left, predicted against observed risk right."""
    data: Json = question["series"]["decision_curve"]
    threshold, model = style.floats(data["threshold"]), style.floats(data["model"])
    low, high = style.floats(data.get("low")), style.floats(data.get("high"))
    everybody = style.floats(data["everybody"])
    sheet = style.sheet(_HEIGHT + 0.9)
    axes = style.panel(sheet, left=_LEFT, top=0.25, width=_WIDTH, height=_HEIGHT)
    top = max(float(np.nanmax(style.finite(model, high), initial=0.05)), 0.05) * 1.08
    bottom = -0.18 * top
    axes.set_ylim(bottom, top)
    axes.set_xlim(float(threshold[0]), float(threshold[-1]))
    axes.axhline(0.0, color=style.PUBLISHED, linewidth=1.0, zorder=1)
    inside = everybody >= bottom
    axes.plot(
        threshold[inside], everybody[inside], color=style.PUBLISHED, linewidth=1.2, linestyle=(0, (4, 3)),
        zorder=2,
    )  # fmt: skip
    axes.fill_between(
        threshold, np.maximum(low, bottom), high, color=style.GUARDED_PALE, linewidth=0, zorder=0.5
    )
    axes.plot(threshold, model, color=style.GUARDED, linewidth=2.0, zorder=4)
    ticks = [t for t in (0.2, 0.4, 0.6, 0.8) if threshold[0] <= t <= threshold[-1]]
    axes.set_xticks(ticks, [percent(t) for t in ticks])
    axes.set_xlabel("risk from which one acts")
    axes.set_ylabel("net benefit per patient")
    last = float(model[-1])
    crossing = float(everybody[inside][-1]) if inside.any() else bottom
    ends: list[EndLabel] = [
        ((last - bottom) / (top - bottom), [("by the signature", "bold")], style.GUARDED),
        ((0.0 - bottom) / (top - bottom), [("act on nobody", "normal")], style.PUBLISHED_TEXT),
        (max((crossing - bottom) / (top - bottom), 0.03), [("act on all", "normal")], style.PUBLISHED_TEXT),
    ]
    beside = style.panel(sheet, left=_LEFT, top=0.25, width=_WIDTH, height=_HEIGHT)
    style.bare(beside)
    beside.set_ylim(0, 1)
    end_labels(beside, ends, height_in=_HEIGHT)
    groups = entries(data, "calibration")
    _calibration(sheet, groups)
    horizon = f"{number(data.get('horizon'))} {data.get('unit')}s"
    caption = (
        f"Left: the net benefit of acting on the risk of {micro(str(data.get('outcome')))} by {horizon}, "
        "with its interval, against acting on all and on nobody. Right: the mean predicted risk of thirds "
        "of the patients against what happened (Kaplan–Meier); on the line they agree. Every risk is from a "
        "model that had not seen the patient."
    )
    places = np.unique(np.linspace(0, threshold.size - 1, 5).round().astype(int))
    listed = "; ".join(f"{number(float(model[i]))} at {percent(float(threshold[i]))}" for i in places)
    seen = "; ".join(f"predicted {percent(g['predicted'])}, observed {percent(g['observed'])}" for g in groups
                     if g.get("observed") is not None)  # fmt: skip
    return Sketch(
        sheet, "Decision curve and calibration", caption, f"Net benefit {listed}. Calibration: {seen}."
    )


def _calibration(sheet: object, groups: list[Json]) -> None:
    axes = style.panel(sheet, left=_SECOND, top=0.25, width=_SQUARE, height=_HEIGHT)  # type: ignore[arg-type]
    ends = [v for g in groups for v in (g.get("predicted"), g.get("low"), g.get("high"), g.get("observed"))]
    known = style.finite(ends)
    low = max(0.0, math.floor(float(known.min(initial=1.0)) * 10 - 0.5) / 10)
    high = min(1.0, math.ceil(float(known.max(initial=0.0)) * 10 + 0.5) / 10)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    ticks = [
        t / 10 for t in range(11) if low - 1e-9 <= t / 10 <= high + 1e-9 and (high - low < 0.5 or t % 2 == 0)
    ]
    axes.set_xticks(ticks, [percent(t) for t in ticks])
    axes.set_yticks(ticks, [percent(t) for t in ticks])
    axes.plot([low, high], [low, high], color=style.PUBLISHED, linewidth=1.0, zorder=1)
    for g in groups:
        if g.get("observed") is None:
            continue
        if g.get("low") is not None and g.get("high") is not None:
            axes.plot(
                [g["predicted"]] * 2, [g["low"], g["high"]], color=style.GUARDED, linewidth=1.3, zorder=2
            )
        axes.plot([g["predicted"]], [g["observed"]], "o", markersize=5.4, color=style.GUARDED, zorder=3)
    axes.set_xlabel("predicted risk")
    axes.set_ylabel("observed risk", labelpad=2)
