"""The probability of an outcome over exposure: averaged curve with band, observed groups, every patient."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import (
    EndLabel,
    axis_label,
    curve_with_band,
    cut_rows,
    end_labels,
    events_text,
    group_points,
    mark_cuts,
    rug,
    usable_cuts,
    wrapped,
)
from troughline.report.figures.scale import scale_of
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import micro, number, percent, unit_text
from troughline.report.reading import entries, part

_LEFT, _WIDTH, _HEIGHT = 0.72, 5.1, 2.9


def sketch_curve(question: Json) -> Sketch:
    """Draw `series["curve"]` of an exposure–response question."""
    data: Json = question["series"]["curve"]
    exposure, mean = style.floats(data["exposure"]), style.floats(data["mean"])
    low_band, high_band = style.floats(data.get("low")), style.floats(data.get("high"))
    scale = scale_of(exposure, margin=0.0)
    cuts = usable_cuts(data.get("cuts"), scale)
    label_rows = max(cut_rows(cuts, scale, _WIDTH), default=-1) + 1
    top_space = 0.14 + 0.14 * label_rows
    sheet = style.sheet(top_space + _HEIGHT + 0.6)
    axes = style.panel(sheet, left=_LEFT, top=top_space, width=_WIDTH, height=_HEIGHT)
    scale.apply(axes)
    style.percent_axis(axes)
    mark_cuts(axes, cuts, scale, width_in=_WIDTH)
    curve_with_band(axes, exposure, mean, low_band, high_band, color=style.GUARDED, pale=style.GUARDED_PALE)
    ends: list[EndLabel] = []
    models = [m for m in entries(data, "models") if m.get("mean")]
    if len(models) > 1:
        ends.append((float(mean[-1]), [("averaged", "bold")], style.GUARDED))
        for model in models:
            line = style.floats(model["mean"])
            axes.plot(exposure, line, color=style.PUBLISHED, linewidth=0.9, linestyle=(0, (4, 2)), zorder=3)
            weight = model.get("weight")
            words = micro(str(model.get("name", "")))
            text = words if weight is None else f"{words}, {percent(weight)}"
            ends.append(
                (float(line[-1]), [(t, "normal") for t in wrapped(text, 19, most=2)], style.PUBLISHED_TEXT)
            )
    group_points(axes, data.get("groups"), color=style.INK)
    rug(axes, data.get("observed"), color=style.INK)
    end_labels(axes, ends, height_in=_HEIGHT)
    axes.set_xlabel(axis_label(data.get("label"), data.get("unit")) + scale.words)
    outcome = micro(str(data.get("outcome_label") or "the outcome"))
    axes.set_ylabel(f"probability of {outcome}")
    return Sketch(
        sheet,
        f"Probability of {outcome} over exposure",
        _caption(data, exposure, mean, models),
        _description(data, exposure, mean),
    )


def _caption(data: Json, exposure: FloatArray, mean: FloatArray, models: list[Json]) -> str:
    outcome = micro(str(data.get("outcome_label") or "the outcome"))
    observed = part(data, "observed")
    events = style.floats(observed.get("outcome"))
    text = f"The line is the probability of {outcome} at each exposure, the band its interval. "
    if len(models) > 1:
        text += f"Dashed: the {len(models)} models averaged, with their weights. "
    if data.get("groups"):
        text += "Rings are the observed risk in groups of similar exposure, with intervals; "
        text += "they are not used in the fit. "
    if events.size:
        text += f"Small lines at the top are the patients with the outcome ({events_text(events)}), "
        text += "at the bottom those without."
    return text.strip()


def _description(data: Json, exposure: FloatArray, mean: FloatArray) -> str:
    unit = unit_text(data.get("unit"))
    low_band, high_band = style.floats(data.get("low")), style.floats(data.get("high"))
    parts: list[str] = []
    for i in np.unique(np.linspace(0, exposure.size - 1, 5).round().astype(int)):
        text = f"{percent(float(mean[i]))} at {number(float(exposure[i]))} {unit}".rstrip()
        if low_band.size == high_band.size == exposure.size:
            text += f" ({percent(float(low_band[i]))} to {percent(float(high_band[i]))})"
        parts.append(text)
    return "Curve with band: " + "; ".join(parts) + "."
