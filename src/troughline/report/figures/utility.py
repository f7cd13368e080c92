"""Utility over exposure: benefit less weighted toxicity, and where it is greatest."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import axis_label, curve_with_band
from troughline.report.figures.scale import scale_of
from troughline.report.figures.style import Json
from troughline.report.numbers import interval, number, unit_text


def sketch_utility(question: Json) -> Sketch:
    """Draw `series["utility"]` of a window question."""
    series: Json = question["series"]
    data: Json = series["utility"]
    exposure, mean = style.floats(data["exposure"]), style.floats(data["mean"])
    low_band, high_band = style.floats(data.get("low")), style.floats(data.get("high"))
    scale = scale_of(exposure, margin=0.0)
    sheet = style.sheet(3.0)
    axes = style.panel(sheet, left=0.72, top=0.42, width=5.1, height=2.0)
    scale.apply(axes)
    shown = style.finite(mean, low_band, high_band, 0.0)
    pad = 0.08 * float(np.ptp(shown))
    axes.set_ylim(float(shown.min()) - pad, float(shown.max()) + pad)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    for tick in style.floats(axes.get_yticks()):
        axes.axhline(float(tick), color=style.HAIRLINE, linewidth=0.6, zorder=0)
    axes.axhline(0.0, color=style.PUBLISHED, linewidth=0.9, zorder=1)
    curve_with_band(axes, exposure, mean, low_band, high_band, color=style.GUARDED, pale=style.GUARDED_PALE)
    best = data.get("best")
    if best is not None:
        height = float(np.interp(scale.place(best), scale.places(exposure), mean))
        axes.axvline(best, color=style.GUARDED, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
        axes.plot(
            [best], [height], "o", markersize=7, color=style.GUARDED, markeredgecolor="#ffffff", zorder=5
        )
        ends = (data.get("best_low"), data.get("best_high"))
        place = axes.get_xaxis_transform()
        if ends[0] is not None and ends[1] is not None:
            axes.plot(
                [max(ends[0], scale.low), min(ends[1], scale.high)],
                [1.03, 1.03],
                color=style.GUARDED,
                linewidth=2.2,
                transform=place,
                clip_on=False,
            )
            axes.plot([best], [1.03], "o", markersize=5, color=style.GUARDED, transform=place, clip_on=False)
        span = interval(*ends, value=best)
        text = f"greatest at {number(best)} {unit_text(series.get('unit'))}".strip() + (
            f" ({span})" if span else ""
        )
        middle = scale.place(best)
        half = style.text_width_in(text, style.BASE) / 2 / 5.1
        axes.annotate(
            text,
            xy=(min(max(middle, half), 1 - half), 1.03),
            xycoords="axes fraction",
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=style.BASE,
            color=style.GUARDED,
            fontweight="bold",
        )
    axes.annotate(
        "more benefit\nthan harm",
        xy=(1, 1),
        xycoords="axes fraction",
        xytext=(6, 0),
        textcoords="offset points",
        va="top",
        fontsize=style.SMALL,
        color=style.MUTED,
    )
    axes.annotate(
        "more harm\nthan benefit",
        xy=(1, 0),
        xycoords="axes fraction",
        xytext=(6, 0),
        textcoords="offset points",
        va="bottom",
        fontsize=style.SMALL,
        color=style.MUTED,
    )
    axes.set_ylabel("utility")
    axes.set_xlabel(axis_label(series.get("label"), series.get("unit")) + scale.words)
    span = interval(data.get("best_low"), data.get("best_high"), value=best)
    caption = (
        "Utility is the probability of benefit less the weighted probability of toxicity; "
        "the band is its interval."
    )
    if best is not None:
        caption += f" It is greatest at {number(best)} {unit_text(series.get('unit'))}"
        caption += f"; the exposure of greatest utility lies within {span}." if span else "."
    ends_text = ", ".join(f"{number(float(mean[i]))} at {number(float(exposure[i]))}" for i in (0, -1))
    return Sketch(
        sheet,
        "Utility over exposure",
        caption,
        f"Curve with band: {ends_text} {unit_text(series.get('unit'))}.",
    )
