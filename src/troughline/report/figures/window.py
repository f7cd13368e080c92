"""The window: benefit and toxicity over one exposure axis, both bounds with intervals, P(inside) below."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import (
    EndLabel,
    axis_label,
    curve_with_band,
    end_labels,
    events_text,
    group_points,
    wrapped,
)
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import interval, micro, number, percent, unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _WIDTH = 1.22, 4.55
_TOP, _CURVES, _ROW, _INSIDE = 0.42, 2.75, 0.23, 0.72


def sketch_window(question: Json) -> Sketch:
    """Draw the series of a window question: curves, bounds and the probability of being inside."""
    series: Json = question["series"]
    low, high = _domain(series)
    rows = _bound_rows(series)
    other = any(r["kind"] == "external" for r in rows)
    strip = _ROW * (len(rows) + 0.4 * other) + 0.1 if rows else 0.0
    inside = series.get("inside") or {}
    below = _INSIDE + 0.16 if inside.get("exposure") else 0.0
    sheet = style.sheet(_TOP + _CURVES + 0.1 + strip + below + 0.55)
    axes = style.panel(sheet, left=_LEFT, top=_TOP, width=_WIDTH, height=_CURVES)
    last = axes
    panels = [axes]
    top = _TOP + _CURVES + 0.1
    if rows:
        last = style.panel(sheet, left=_LEFT, top=top, width=_WIDTH, height=strip)
        _bounds(last, rows, low, high)
        panels.append(last)
        top += strip
    if below:
        last = style.panel(sheet, left=_LEFT, top=top + 0.16, width=_WIDTH, height=_INSIDE)
        _inside(last, inside, low, high)
        panels.append(last)
    for one in panels:
        style.log_axis(one, low, high, labels=one is last)
        _shade(one, series, low, high)
        if one is not last:
            one.tick_params(axis="x", length=0)
            one.spines["bottom"].set_visible(False)
    _curves(axes, series, low, high)
    last.spines["bottom"].set_visible(True)
    last.set_xlabel(axis_label(series.get("label"), series.get("unit")) + ", log scale")
    return Sketch(sheet, "The therapeutic window", _caption(series), _description(series))


def _domain(series: Json) -> tuple[float, float]:
    domain = series.get("domain")
    if domain and len(domain) == 2 and domain[0] and domain[1]:
        return float(domain[0]), float(domain[1])
    exposures = [series[k]["exposure"] for k in ("benefit", "toxicity") if series.get(k)]
    return style.log_limits(style.finite(*exposures), margin=0.0)


def _guarded(series: Json, side: str) -> Json:
    return ((series.get("bounds") or {}).get("guarded") or {}).get(side) or {}


def _shade(axes: Axes, series: Json, low: float, high: float) -> None:
    """The guarded window as a pale field, the published bounds as thin lines, through every panel."""
    lower, upper = _guarded(series, "lower").get("value"), _guarded(series, "upper").get("value")
    if lower is not None and upper is not None and lower < upper:
        axes.axvspan(max(lower, low), min(upper, high), color="#eceff3", zorder=-3)
    published = (series.get("bounds") or {}).get("as_published") or {}
    for side in ("lower", "upper"):
        if published.get(side):
            axes.axvline(published[side], color="#a5aeb6", linewidth=0.8, zorder=0.5)


def _curves(axes: Axes, series: Json, low: float, high: float) -> None:
    style.percent_axis(axes)
    axes.set_ylabel("probability")
    limits = series.get("limits") or {}
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
        data: Json = series.get(key) or {}
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
                _guarded(series, "lower" if key == "benefit" else "upper").get("value"),
                float(limit),
                low,
                high,
                color,
            )
            ends.append((float(limit), [(f"{key} {words} {percent(limit)}", "normal")], text_color))
        inside = (exposure >= low) & (exposure <= high)
        name = micro(str(data.get("outcome_label") or key))
        lines = [(key, "bold")]
        if name.lower() != key:
            lines += [(t, "normal") for t in wrapped(name, 21)]
        ends.append((float(mean[inside][-1]), lines, text_color))
    end_labels(axes, ends, height_in=_CURVES, large=True)
    _two_rugs(axes, series)


def _drop(axes: Axes, bound: float | None, limit: float, low: float, high: float, color: str) -> None:
    """A dotted line from where the limit meets the bound down towards the bound's row."""
    if bound is None or not low <= bound <= high:
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
        observed = (series.get(key) or {}).get("observed") or {}
        exposure, outcome = style.floats(observed.get("exposure")), style.floats(observed.get("outcome"))
        if exposure.size == 0 or exposure.size != outcome.size:
            continue
        chosen = exposure[outcome > 0.5]
        start = 1.115 - 0.05 * row
        axes.vlines(
            chosen, start - 0.034, start, color=color, linewidth=0.9, clip_on=False,
            rasterized=chosen.size > style.RASTERIZE_ABOVE, transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        axes.annotate(
            f"had {key}", xy=(0, start - 0.017), xycoords="axes fraction", xytext=(-7, 0),
            textcoords="offset points", ha="right", va="center", fontsize=6.5, color=style.MUTED,
        )  # fmt: skip


def _bound_rows(series: Json) -> list[Json]:
    bounds = series.get("bounds") or {}
    rows: list[Json] = []
    for side, color, text in (
        ("lower", style.BENEFIT, style.BENEFIT),
        ("upper", style.TOXICITY, style.TOXICITY_TEXT),
    ):
        bound = _guarded(series, side)
        if any(bound.get(k) is not None for k in ("value", "low", "high")):
            rows.append({"name": f"{side} bound", "kind": "guarded", "color": color, "text": text, **bound})
    published = bounds.get("as_published") or {}
    if published.get("lower") or published.get("upper"):
        rows.append(
            {
                "name": "as published",
                "kind": "published",
                "low": published.get("lower"),
                "high": published.get("upper"),
            }
        )
    external = [e for e in bounds.get("external") or [] if e.get("value")]
    if external:
        rows.append({"name": "other studies", "kind": "external", "points": external})
    return rows


def _bounds(axes: Axes, rows: list[Json], low: float, high: float) -> None:
    style.bare(axes)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(len(rows) - 0.35 + 0.4 * any(r["kind"] == "external" for r in rows), -0.75)
    for y, row in enumerate(rows):
        text_color = row.get("text", style.PUBLISHED_TEXT)
        axes.annotate(
            row["name"], xy=(0, y), xycoords=("axes fraction", "data"), xytext=(-7, 0), textcoords="offset points",
            ha="right", va="center", fontsize=style.BASE if row["kind"] == "guarded" else style.SMALL, color=text_color,
        )  # fmt: skip
        if row["kind"] == "external":
            _external(axes, row["points"], y, low, high)
        elif row["kind"] == "published":
            _bracket(axes, y, row["low"], row["high"], low, high, color=style.PUBLISHED, thickness=1.4)
            _right_text(axes, y, interval(row["low"], row["high"]), style.PUBLISHED_TEXT, "normal")
        else:
            _bracket(axes, y, row.get("low"), row.get("high"), low, high, color=row["color"], thickness=2.4)
            if row.get("value") is not None:
                axes.plot(
                    [row["value"]] * 2,
                    [-0.95, y],
                    color=row["color"],
                    linewidth=1.1,
                    linestyle=(0, (1, 1.6)),
                    zorder=1,
                    clip_on=False,
                )
                axes.plot(
                    [row["value"]],
                    [y],
                    "o",
                    markersize=7,
                    color=row["color"],
                    markeredgecolor="#ffffff",
                    markeredgewidth=1.1,
                    zorder=4,
                    clip_on=False,
                )
            span = interval(row.get("low"), row.get("high"), value=row.get("value"))
            value = number(row["value"]) if row.get("value") is not None else "no value"
            short = span.replace(", not bounded below", "").replace(", not bounded above", "")
            _right_text(axes, y, f"{value} ({short})" if short else value, text_color, "bold")


def _bracket(
    axes: Axes,
    y: float,
    start: float | None,
    end: float | None,
    low: float,
    high: float,
    *,
    color: str,
    thickness: float,
) -> None:
    """An interval with end ticks; an arrowhead where it runs on beyond the axis or is not bounded."""
    left = low if start is None or start < low else start
    right = high if end is None or end > high else end
    axes.plot([left, right], [y, y], color=color, linewidth=thickness, zorder=2, clip_on=False)
    for x, open_end, marker in (
        (left, start is None or start < low, "<"),
        (right, end is None or end > high, ">"),
    ):
        if open_end:
            axes.plot([x], [y], marker, markersize=5, color=color, zorder=3, clip_on=False)
        else:
            axes.plot([x, x], [y - 0.2, y + 0.2], color=color, linewidth=thickness * 0.6, zorder=2)


def _right_text(axes: Axes, y: float, text: str, color: str, weight: str) -> None:
    axes.annotate(
        text, xy=(1.0, y), xycoords=("axes fraction", "data"), xytext=(9, 0), textcoords="offset points",
        va="center", fontsize=style.SMALL, color=color, fontweight=weight, annotation_clip=False,
    )  # fmt: skip


def _external(axes: Axes, points: list[Json], y: float, low: float, high: float) -> None:
    """Bounds of other studies as diamonds, each value written below, moved apart where they would touch."""
    shown = sorted((p for p in points if low <= float(p["value"]) <= high), key=lambda p: float(p["value"]))
    places = [math.log(float(p["value"]) / low) / math.log(high / low) * _WIDTH for p in shown]
    for point, place in zip(shown, style.spread(places, 0.3, 0.1, _WIDTH - 0.1), strict=True):
        value = float(point["value"])
        axes.plot(
            [value],
            [y],
            "D",
            markersize=4,
            markerfacecolor="#ffffff",
            markeredgecolor=style.PUBLISHED_TEXT,
            markeredgewidth=1.0,
            zorder=3,
        )
        axes.annotate(
            number(value), xy=(place / _WIDTH, y + 0.58), xycoords=("axes fraction", "data"), ha="center", va="center",
            fontsize=6.5, color=style.PUBLISHED_TEXT,
        )  # fmt: skip
    beyond = len(points) - len(shown)
    if beyond:
        _right_text(axes, y, f"{beyond} beyond the axis", style.PUBLISHED_TEXT, "normal")


def _inside(axes: Axes, inside: Json, low: float, high: float) -> None:
    exposure, probability = style.floats(inside["exposure"]), style.floats(inside["probability"])
    axes.fill_between(exposure, 0, probability, color=style.GUARDED_PALE, linewidth=0, zorder=1)
    axes.plot(exposure, probability, color=style.GUARDED, linewidth=1.6, zorder=2)
    style.percent_axis(axes, step=0.5)
    axes.annotate(
        "inside", xy=(1.0, 0.78), xycoords="axes fraction", xytext=(7, 0), textcoords="offset points",
        va="center", color=style.GUARDED, fontsize=style.LARGE, fontweight="bold",
    )  # fmt: skip
    drawn = (exposure >= low) & (exposure <= high) & np.isfinite(probability)
    if np.any(drawn):
        best = int(np.argmax(np.where(drawn, probability, -1)))
        axes.annotate(
            f"at most {percent(float(probability[best]))},\nat {number(float(exposure[best]))}", xy=(1.0, 0.38), xycoords="axes fraction", xytext=(7, 0),
            textcoords="offset points", va="center", color=style.GUARDED, fontsize=style.SMALL,
        )  # fmt: skip


def _caption(series: Json) -> str:
    unit = unit_text(series.get("unit"))
    limits = series.get("limits") or {}
    benefit, toxicity = series.get("benefit") or {}, series.get("toxicity") or {}
    parts = [
        "Probability of benefit (teal) and of toxicity (vermilion) at each exposure, each with its band."
    ]
    if limits.get("benefit_at_least") is not None and limits.get("toxicity_at_most") is not None:
        parts.append(
            f"The window starts where benefit reaches {percent(limits['benefit_at_least'])} and ends where toxicity "
            f"passes {percent(limits['toxicity_at_most'])} (dashed)."
        )
    spans = [
        f"{side} {number(bound.get('value'))} {unit} ({interval(bound.get('low'), bound.get('high'), value=bound.get('value'))})"
        for side in ("lower", "upper")
        if interval((bound := _guarded(series, side)).get("low"), bound.get("high"))
    ]
    if spans:
        parts.append(
            f"Bounds with their intervals: {'; '.join(spans)}. The pale field is the window between the two."
        )
    published = (series.get("bounds") or {}).get("as_published") or {}
    if published.get("lower") and published.get("upper"):
        parts.append(
            f"Thin grey lines: the bounds as published, {interval(published['lower'], published['upper'])} {unit}."
        )
    external = [e for e in (series.get("bounds") or {}).get("external") or [] if e.get("value")]
    if external:
        listed = ", ".join(
            f"{number(float(e['value']))} ({micro(str(e.get('label') or e.get('source') or 'source not named'))})"
            for e in external
        )
        parts.append(f"Diamonds: {listed}.")
    counts = [
        f"{k} in {events_text(style.floats(d['observed'].get('outcome')))}"
        for k, d in (("benefit", benefit), ("toxicity", toxicity))
        if d.get("observed")
    ]
    if counts:
        parts.append(f"Seen: {', '.join(counts)}.")
    if (series.get("inside") or {}).get("exposure"):
        parts.append(
            "The lowest panel is the probability that an exposure lies inside, with both bounds uncertain at once."
        )
    return " ".join(parts)


def _description(series: Json) -> str:
    unit = unit_text(series.get("unit"))
    parts: list[str] = []
    for key in ("benefit", "toxicity"):
        data: Json = series.get(key) or {}
        exposure, mean = style.floats(data.get("exposure")), style.floats(data.get("mean"))
        if exposure.size:
            at: FloatArray = np.unique(np.linspace(0, exposure.size - 1, 4).round().astype(int))
            listed = ", ".join(
                f"{percent(float(mean[int(i)]))} at {number(float(exposure[int(i)]))}" for i in at
            )
            parts.append(f"Probability of {key}: {listed} {unit}")
    inside = series.get("inside") or {}
    probability = style.floats(inside.get("probability"))
    if probability.size and np.any(np.isfinite(probability)):
        best = int(np.nanargmax(probability))
        parts.append(
            f"Probability of being inside is greatest, {percent(float(probability[best]))}, "
            f"at {number(float(style.floats(inside['exposure'])[best]))} {unit}"
        )
    return ". ".join(p.strip() for p in parts) + "."
