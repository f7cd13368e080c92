"""The window: benefit and toxicity over one exposure axis, both bounds with intervals, P(inside) below."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import (
    EndLabel,
    axis_label,
    curve_with_band,
    end_labels,
    group_points,
    wrapped,
)
from troughline.report.figures.scale import Scale, scale_of
from troughline.report.figures.style import Json
from troughline.report.figures.window_bounds import bound_rows, draw_bounds, guarded_bound
from troughline.report.figures.window_words import window_caption, window_description
from troughline.report.numbers import micro, number, percent
from troughline.report.reading import part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _WIDTH = 1.22, 4.55
_TOP, _CURVES, _ROW, _INSIDE = 0.42, 2.75, 0.23, 0.72


def sketch_window(question: Json) -> Sketch:
    """Draw the series of a window question: curves, bounds and the probability of being inside."""
    series: Json = question["series"]
    scale = _scale(series)
    rows = bound_rows(series)
    other = any(r["kind"] == "external" for r in rows)
    strip = _ROW * (len(rows) + 0.4 * other) + 0.1 if rows else 0.0
    inside = part(series, "inside")
    below = _INSIDE + 0.16 if inside.get("exposure") else 0.0
    sheet = style.sheet(_TOP + _CURVES + 0.1 + strip + below + 0.55)
    axes = style.panel(sheet, left=_LEFT, top=_TOP, width=_WIDTH, height=_CURVES)
    last = axes
    panels = [axes]
    top = _TOP + _CURVES + 0.1
    if rows:
        last = style.panel(sheet, left=_LEFT, top=top, width=_WIDTH, height=strip)
        draw_bounds(last, rows, scale, width_in=_WIDTH)
        panels.append(last)
        top += strip
    if below:
        last = style.panel(sheet, left=_LEFT, top=top + 0.16, width=_WIDTH, height=_INSIDE)
        _inside(last, inside, scale)
        panels.append(last)
    for one in panels:
        scale.apply(one, labels=one is last)
        _shade(one, series, scale)
        if one is not last:
            one.tick_params(axis="x", length=0)
            one.spines["bottom"].set_visible(False)
    _curves(axes, series, scale)
    last.spines["bottom"].set_visible(True)
    last.set_xlabel(axis_label(series.get("label"), series.get("unit")) + scale.words)
    return Sketch(sheet, "The therapeutic window", window_caption(series), window_description(series))


def _scale(series: Json) -> Scale:
    domain = series.get("domain")
    if domain and len(domain) == 2 and None not in domain:
        return scale_of(style.floats(domain), margin=0.0)
    exposures = [series[k]["exposure"] for k in ("benefit", "toxicity") if series.get(k)]
    return scale_of(style.finite(*exposures), margin=0.0)


def _shade(axes: Axes, series: Json, scale: Scale) -> None:
    """The guarded window as a pale field, the published bounds as thin lines, through every panel."""
    lower, upper = guarded_bound(series, "lower").get("value"), guarded_bound(series, "upper").get("value")
    if lower is not None and upper is not None and lower < upper:
        axes.axvspan(max(lower, scale.low), min(upper, scale.high), color="#eceff3", zorder=-3)
    published = part(part(series, "bounds"), "as_published")
    for side in ("lower", "upper"):
        if published.get(side):
            axes.axvline(published[side], color="#a5aeb6", linewidth=0.8, zorder=0.5)


def _curves(axes: Axes, series: Json, scale: Scale) -> None:
    style.percent_axis(axes)
    axes.set_ylabel("probability")
    limits = part(series, "limits")
    ends: list[EndLabel] = []
    for key, color, text_color, pale, limit, words in (
        (
            "benefit",
            style.BENEFIT,
            style.BENEFIT,
            style.BENEFIT_PALE,
            limits.get("benefit_at_least"),
            "at least",
        ),
        (
            "toxicity",
            style.TOXICITY,
            style.TOXICITY_TEXT,
            style.TOXICITY_PALE,
            limits.get("toxicity_at_most"),
            "at most",
        ),
    ):
        data: Json = part(series, key)
        if not data.get("exposure"):
            continue
        exposure, mean = style.floats(data["exposure"]), style.floats(data["mean"])
        curve_with_band(
            axes,
            exposure,
            mean,
            style.floats(data.get("low")),
            style.floats(data.get("high")),
            color=color,
            pale=pale,
        )
        group_points(axes, data.get("groups"), color=color, shift=0.985 if key == "benefit" else 1.015)
        if limit is not None:
            axes.axhline(limit, color=color, linewidth=1.0, linestyle=(0, (5, 3)), zorder=2)
            _drop(
                axes,
                guarded_bound(series, "lower" if key == "benefit" else "upper").get("value"),
                float(limit),
                scale,
                color,
            )
            ends.append((float(limit), [(f"{key} {words} {percent(limit)}", "normal")], text_color))
        inside = (exposure >= scale.low) & (exposure <= scale.high)
        name = micro(str(data.get("outcome_label") or key))
        lines = [(key, "bold")]
        if name.lower() != key:
            lines += [(t, "normal") for t in wrapped(name, 21)]
        ends.append((float(mean[inside][-1]), lines, text_color))
    end_labels(axes, ends, height_in=_CURVES, large=True)
    _two_rugs(axes, series)


def _drop(axes: Axes, bound: float | None, limit: float, scale: Scale, color: str) -> None:
    """A dotted line from where the limit meets the bound down towards the bound's row."""
    if bound is None or not scale.holds(bound):
        return
    axes.plot(
        [bound, bound],
        [0.0, limit],
        color=color,
        linewidth=1.1,
        linestyle=(0, (1, 1.6)),
        zorder=4,
        clip_on=False,
    )
    axes.plot(
        [bound],
        [limit],
        "o",
        markersize=4.6,
        color=color,
        markeredgecolor="#ffffff",
        markeredgewidth=0.8,
        zorder=6,
    )


def _two_rugs(axes: Axes, series: Json) -> None:
    """Every patient: with benefit along the top, with toxicity just below it, on the same axis."""
    for key, color, row in (("benefit", style.BENEFIT, 0), ("toxicity", style.TOXICITY, 1)):
        observed = part(part(series, key), "observed")
        exposure, outcome = style.floats(observed.get("exposure")), style.floats(observed.get("outcome"))
        if exposure.size == 0 or exposure.size != outcome.size:
            continue
        chosen = exposure[outcome > 0.5]
        start = 1.115 - 0.05 * row
        axes.vlines(
            chosen,
            start - 0.034,
            start,
            color=color,
            linewidth=0.9,
            clip_on=False,
            rasterized=chosen.size > style.RASTERIZE_ABOVE,
            transform=axes.get_xaxis_transform(),
        )
        axes.annotate(
            f"had {key}",
            xy=(0, start - 0.017),
            xycoords="axes fraction",
            xytext=(-7, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=6.5,
            color=style.MUTED,
        )


def _inside(axes: Axes, inside: Json, scale: Scale) -> None:
    exposure, probability = style.floats(inside["exposure"]), style.floats(inside["probability"])
    axes.fill_between(exposure, 0, probability, color=style.GUARDED_PALE, linewidth=0, zorder=1)
    axes.plot(exposure, probability, color=style.GUARDED, linewidth=1.6, zorder=2)
    style.percent_axis(axes, step=0.5)
    axes.annotate(
        "inside",
        xy=(1.0, 0.78),
        xycoords="axes fraction",
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        color=style.GUARDED,
        fontsize=style.LARGE,
        fontweight="bold",
    )
    drawn = (exposure >= scale.low) & (exposure <= scale.high) & np.isfinite(probability)
    if np.any(drawn):
        best = int(np.argmax(np.where(drawn, probability, -1)))
        axes.annotate(
            f"at most {percent(float(probability[best]))},\nat {number(float(exposure[best]))}",
            xy=(1.0, 0.38),
            xycoords="axes fraction",
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=style.GUARDED,
            fontsize=style.SMALL,
        )
