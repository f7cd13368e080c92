"""The hazard ratio over continuous exposure, against a reference exposure."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import axis_label, curve_with_band
from troughline.report.figures.scale import scale_of
from troughline.report.figures.style import Json
from troughline.report.numbers import number, unit_text

_SHOWN = (0.05, 20.0)


def sketch_hazard(question: Json) -> Sketch:
    """Draw `series["hazard_curve"]` on two log axes; hazard ratios beyond 0.05 and 20 are off the sheet."""
    data: Json = question["series"]["hazard_curve"]
    exposure, ratio = style.floats(data["exposure"]), style.floats(data["hazard_ratio"])
    low_band, high_band = style.floats(data.get("low")), style.floats(data.get("high"))
    scale = scale_of(exposure, margin=0.0)
    shown = np.clip(style.finite(ratio, low_band, high_band, 0.5, 2.0), *_SHOWN)
    ratios = scale_of(shown, margin=0.04, log=True)
    sheet = style.sheet(3.15)
    axes = style.panel(sheet, left=0.72, top=0.16, width=5.1, height=2.42)
    scale.apply(axes)
    ratios.apply(axes, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    for tick in ratios.ticks():
        axes.axhline(tick, color=style.HAIRLINE, linewidth=0.6, zorder=0)
    axes.axhline(1.0, color=style.PUBLISHED, linewidth=1.0, zorder=1)
    curve_with_band(axes, exposure, ratio, low_band, high_band, color=style.GUARDED, pale=style.GUARDED_PALE)
    reference = data.get("reference")
    unit = unit_text(data.get("unit"))
    if reference is not None and scale.holds(reference):
        axes.plot(
            [reference],
            [1.0],
            "o",
            markersize=6.5,
            color="#ffffff",
            markeredgecolor=style.INK,
            markeredgewidth=1.4,
            zorder=6,
        )
        axes.annotate(
            f"reference {number(reference)}",
            xy=(reference, 1.0),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=style.SMALL,
            color=style.INK,
        )
    for text, y, way in (("higher hazard", 1.0, "bottom"), ("lower hazard", 1.0, "top")):
        axes.annotate(
            text,
            xy=(1.0, y),
            xycoords=("axes fraction", "data"),
            xytext=(6, 5 if way == "bottom" else -5),
            textcoords="offset points",
            va=way,
            fontsize=style.SMALL,
            color=style.MUTED,
        )
    axes.set_xlabel(axis_label(data.get("label"), data.get("unit")) + scale.words)
    axes.set_ylabel("hazard ratio, log scale")
    against = f" against {number(reference)} {unit}".rstrip() if reference is not None else ""
    caption = (
        f"The hazard ratio at each exposure{against}; the band is its interval. "
        "Where the band holds 1 the data do not tell the direction."
    )
    if (
        low_band.size
        and high_band.size
        and (float(np.nanmin(low_band)) < _SHOWN[0] or float(np.nanmax(high_band)) > _SHOWN[1])
    ):
        caption += " The band runs on beyond the axis."
    places = np.unique(np.linspace(0, exposure.size - 1, 4).round().astype(int))
    listed = "; ".join(f"{number(float(ratio[i]))} at {number(float(exposure[i]))} {unit}" for i in places)
    return Sketch(sheet, "Hazard ratio over exposure", caption, f"Curve with band{against}: {listed}.")
