"""The course: levels of the patient and of the population, samples, doses, target, and what lies ahead."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.dose_parts import (
    FORECAST,
    FORECAST_PALE,
    TARGET_EDGE,
    TARGET_TEXT,
    KeyEntry,
    current_regimen,
    history_text,
    limit_interval,
    regimen_cards,
    shade_target,
    sheet_key,
    shown_regimens,
    target_text,
)
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import EndLabel, end_labels, shortened, wrapped
from troughline.report.figures.scale import Scale, linear_ticks, tick_text
from troughline.report.figures.style import Json
from troughline.report.numbers import interval, number, percent, unit_text
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT_IN = 2.75
NARROW_IN = 3.9
"""The width of the figure for a screen as wide as a telephone's."""
_LEFT, _RIGHT, _TOP, _STRIP = 0.58, 1.4, 0.46, 0.5
_NOW = style.GUARDED
_AHEAD_DASHES = ("-", (0, (4, 1.6)), (0, (1.4, 1.2)), (0, (6, 1.5, 1.5, 1.5)))


def sketch_course(results: Json, *, height_in: float = HEIGHT_IN, width_in: float = style.WIDTH_IN) -> Sketch:
    """Draw `curve`, `samples` and `target` over the days since the first dose, `height_in` inches high, on a
    sheet `width_in` inches wide.
    """
    width = width_in - _LEFT - _RIGHT
    curve: Json = part(results, "curve")
    top = _top(results)
    sheet = style.sheet(_TOP + height_in + _STRIP + 0.55, width_in)
    axes = style.panel(sheet, left=_LEFT, top=_TOP, width=width, height=height_in)
    days = style.finite(
        part(curve, "patient").get("day"),
        [curve["horizon_day"]],
        [s.get("day") for s in entries(results, "samples")],
    )
    across = Scale(min(0.0, float(days.min())), float(days.max()), False)
    axes.set_xlim(across.low, across.high)
    axes.set_ylim(0.0, top)
    ticks = linear_ticks(0.0, top)
    axes.set_yticks(ticks, [tick_text(t) for t in ticks])
    axes.set_ylabel(_level(results))
    target: Json = part(results, "target")
    if _is_level(target):
        shade_target(axes, target, low_end=0.0, high_end=top)
        _limits(axes, target, top)
    _bands(axes, curve)
    ends = _ahead(axes, results)
    _decision(axes, curve, results)
    _samples(axes, results)
    if _is_level(target):
        middle = np.clip((max(target["low"] or 0.0, 0.0) + min(target["high"] or top, top)) / 2, 0, top)
        ends.append((float(middle), [("target", "bold"), (target_text(target), "normal")], TARGET_TEXT))
    end_labels(axes, ends, height_in=height_in, top=top)
    _key(axes, results, width, height_in)
    strip = style.panel(sheet, left=_LEFT, top=_TOP + height_in + 0.02, width=width, height=_STRIP)
    _doses(strip, results, across, width)
    axes.tick_params(axis="x", labelbottom=False, length=0)
    axes.spines["bottom"].set_color(style.HAIRLINE)
    return Sketch(sheet, "Course of the level", _caption(results, top), _description(results))


def _is_level(target: Json) -> bool:
    return target.get("metric") == "trough" and not (target.get("low") is None and target.get("high") is None)


def _level(results: Json) -> str:
    drug = str(results.get("drug") or "level")
    return f"{drug} ({unit_text(part(results, 'curve').get('unit'))})"


def _top(results: Json) -> float:
    """The upper end of the axis: everything of the patient has room, the population's band may go beyond."""
    curve = part(results, "curve")
    ahead = part(curve, "forecast")
    named = [*shown_regimens(results), current_regimen(results)]
    highs = [part(curve, "patient").get("high"), part(curve, "population").get("median")]
    highs += [part(ahead, i).get("high") for i in named[:1] if i]
    highs += [part(ahead, i).get("median") for i in named[1:] if i]
    levels = [s.get("value") for s in entries(results, "samples") if s.get("used")]
    limits = [s.get("limit") for s in entries(results, "samples") if s.get("value") is None]
    target = part(results, "target")
    if _is_level(target):
        edge = target["high"] if target.get("high") is not None else 1.3 * target["low"]
        levels.append(edge)
    shown = style.finite(*highs, levels, limits)
    return 1.06 * float(shown.max()) if shown.size and shown.max() > 0 else 1.0


def _bands(axes: Axes, curve: Json) -> None:
    for key, color, pale, dashes, rank in (
        ("population", style.PUBLISHED, "#e9ecef", (0, (4, 2)), 0),
        ("patient", _NOW, style.GUARDED_PALE, "-", 2),
    ):
        band: Json = part(curve, key)
        day = style.floats(band.get("day"))
        axes.fill_between(
            day,
            style.floats(band.get("low")),
            style.floats(band.get("high")),
            color=pale,
            linewidth=0,
            zorder=rank,
            alpha=0.8,
        )
        axes.plot(
            day,
            style.floats(band.get("median")),
            color=color,
            linewidth=1.1,
            linestyle=dashes,
            zorder=rank + 1,
        )


def _ahead(axes: Axes, results: Json) -> list[EndLabel]:
    """The forecasts: a band for the first regimen that the answer names, lines for the others."""
    curve: Json = part(results, "curve")
    forecast: Json = part(curve, "forecast")
    cards = regimen_cards(results)
    named = [i for i in shown_regimens(results) if i in forecast]
    current = current_regimen(results)
    ends: list[EndLabel] = []
    for k, identity in enumerate(named):
        band = part(forecast, identity)
        day, middle = style.floats(band["day"]), style.floats(band["median"])
        if k == 0:
            axes.fill_between(
                day,
                style.floats(band["low"]),
                style.floats(band["high"]),
                color=FORECAST_PALE,
                linewidth=0,
                zorder=2,
                alpha=0.85,
            )
        dashes: Any = _AHEAD_DASHES[k % len(_AHEAD_DASHES)]
        axes.plot(day, middle, color=FORECAST, linewidth=1.3, linestyle=dashes, zorder=4)
        ends.append(_end(middle, str(cards.get(identity, {}).get("label") or identity), FORECAST, "bold"))
    if current in forecast and current not in named:
        band = part(forecast, str(current))
        day, middle = style.floats(band["day"]), style.floats(band["median"])
        axes.plot(day, middle, color=_NOW, linewidth=1.0, linestyle=(0, (2, 1.6)), zorder=3)
        ends.append(_end(middle, f"unchanged: {cards[str(current)]['label']}", _NOW, "normal"))
    return ends


def _end(middle: Any, words: str, color: str, weight: str) -> EndLabel:
    last = style.finite(middle)[-12:]
    at = float(np.median(last)) if last.size else 0.0
    return at, [(line, weight) for line in wrapped(words, 20)], color


def _limits(axes: Axes, target: Json, top: float) -> None:
    """The interval of each limit of the target as a bar just outside the right end."""
    for k, side in enumerate(("low", "high")):
        ends = limit_interval(target, side)
        if ends is None:
            continue
        low, high = max(ends[0], 0.0), min(ends[1], top)
        if low >= high:
            continue
        axes.plot(
            [1.004 + 0.006 * k] * 2,
            [low, high],
            color=TARGET_EDGE,
            linewidth=2.0,
            alpha=0.7,
            clip_on=False,
            transform=axes.get_yaxis_transform(),
            solid_capstyle="butt",
        )


def _decision(axes: Axes, curve: Json, results: Json) -> None:
    day = float(curve["decision_day"])
    axes.axvline(day, color=style.MUTED, linewidth=0.8, zorder=1)
    low, high = axes.get_xlim()
    late = (day - low) / (high - low) > 0.7
    axes.annotate(
        f"decision, day {day:.0f}",
        xy=(day, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if late else 4, -3),
        textcoords="offset points",
        ha="right" if late else "left",
        va="top",
        fontsize=style.SMALL,
        color=style.MUTED,
    )


def _samples(axes: Axes, results: Json) -> None:
    """Levels as dots, those not used as crosses, those below the limit as hollow triangles at the limit."""
    for one in entries(results, "samples"):
        value, limit, day = one.get("value"), one.get("limit"), one["day"]
        if value is None:
            axes.plot(
                [day],
                [limit],
                "v",
                markersize=5.5,
                color="#ffffff",
                markeredgecolor=style.INK,
                markeredgewidth=1.0,
                zorder=7,
                clip_on=False,
            )
        elif not one.get("used") and value > axes.get_ylim()[1]:
            axes.plot(
                [day], [0.985], "^", markersize=5, color=style.MUTED, transform=axes.get_xaxis_transform()
            )
            axes.annotate(
                f"{number(value)}, not used",
                xy=(day, 0.985),
                xycoords=("data", "axes fraction"),
                xytext=(6, -1),
                textcoords="offset points",
                va="center",
                fontsize=style.SMALL,
                color=style.MUTED,
            )
        elif not one.get("used"):
            axes.plot([day], [value], "x", markersize=5.5, color=style.MUTED, markeredgewidth=1.3, zorder=7)
        else:
            axes.plot(
                [day],
                [value],
                "o",
                markersize=5.8,
                color=style.INK,
                markeredgecolor="#ffffff",
                markeredgewidth=0.9,
                zorder=8,
            )
        if limit is not None:
            width = 0.006 * (axes.get_xlim()[1] - axes.get_xlim()[0])
            axes.plot([day - width, day + width], [limit, limit], color=style.INK, linewidth=0.9, zorder=6)


def _key(axes: Axes, results: Json, width_in: float, height_in: float) -> None:
    level, roomy = percent(results.get("level")), width_in > NARROW_IN
    words: list[KeyEntry] = [
        (f"this patient, {level} band" if roomy else "this patient", _NOW, style.GUARDED_PALE, "-"),
        (
            "population with these covariates" if roomy else "population",
            style.PUBLISHED,
            "#e9ecef",
            (0, (4, 2)),
        ),
    ]
    if [i for i in shown_regimens(results) if i in part(part(results, "curve"), "forecast")]:
        words.append(("ahead", FORECAST, FORECAST_PALE, "-"))
    sheet_key(axes, words, width_in=width_in, height_in=height_in)


def _doses(axes: Axes, results: Json, across: Scale, width_in: float) -> None:
    """Every dose that was taken as a line as high as its amount; the regimens by name below."""
    curve: Json = part(results, "curve")
    doses = [d for d in entries(curve, "doses") if (d.get("amount_mg") or 0) > 0]
    largest = max((float(d["amount_mg"]) for d in doses), default=1.0)
    axes.set_xlim(across.low, across.high)
    axes.set_ylim(0.0, 1.0)
    style.bare(axes, keep=("bottom",))
    axes.tick_params(axis="x", length=3, labelbottom=True)
    ticks = linear_ticks(across.low, across.high)
    axes.set_xticks(ticks, [tick_text(t) for t in ticks])
    axes.set_xlabel("days since the first dose")
    at = style.floats([d["day"] for d in doses])
    height = style.floats([d["amount_mg"] for d in doses]) / largest * 0.42
    axes.vlines(at, 0.0, height, color=_NOW, linewidth=0.6, rasterized=at.size > style.RASTERIZE_ABOVE)
    axes.annotate(
        "doses",
        xy=(0, 0.3),
        xycoords="axes fraction",
        xytext=(-6, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=style.SMALL,
        color=style.MUTED,
        annotation_clip=False,
    )
    day = float(curve["decision_day"])
    axes.axvline(day, color=style.MUTED, linewidth=0.8)
    spans = [
        (float(h["from_day"]), float(h.get("to_day") or day), history_text(h), _NOW)
        for h in entries(results, "history")
    ]
    cards = regimen_cards(results)
    named = shown_regimens(results)
    if len(named) == 1 and named[0] in cards:
        spans.append((day, across.high, str(cards[named[0]]["label"]), FORECAST))
    inch = width_in / (across.high - across.low)
    for start, end, words, color in spans:
        letters = int((end - start) * inch / style.text_width_in("x", style.SMALL))
        if letters >= 6:
            axes.annotate(
                shortened(words, letters),
                xy=((start + end) / 2, 0.74),
                ha="center",
                va="center",
                fontsize=style.SMALL,
                color=color,
                annotation_clip=False,
            )


def _caption(results: Json, top: float) -> str:
    level = percent(results.get("level"))
    samples = entries(results, "samples")
    text = (
        f"Blue: this patient's level as the samples tell it, median and {level} band. "
        "Grey: before any sample, for a patient with the same covariates and doses. "
    )
    if samples:
        text += "Dots are the samples"
        if any(s.get("value") is None for s in samples):
            text += ", hollow triangles those below the limit of quantification (drawn at it)"
        if any(not s.get("used") for s in samples):
            text += ", crosses those the estimate does not use"
        text += ". "
        limits = sorted({float(s["limit"]) for s in samples if s.get("limit") is not None})
        if limits:
            unit = unit_text(samples[0].get("unit"))
            text += (
                f"Small dashes: limit of quantification, {' and '.join(f'{v:g}' for v in limits)} {unit}. "
            )
    if shown_regimens(results):
        text += "Violet: ahead, under the regimen named on the right. "
    target = part(results, "target")
    if _is_level(target):
        text += "Green field: the target for the trough"
        bars = [s for s in ("low", "high") if limit_interval(target, s)]
        text += ", with the 95% interval of its limits as bars at the right edge. " if bars else ". "
    if style.finite(part(part(results, "curve"), "population").get("high")).max(initial=0.0) > top:
        text += "The population's band goes beyond the axis. "
    return text.strip()


def _description(results: Json) -> str:
    parts: list[str] = []
    for s in entries(results, "samples"):
        unit = unit_text(s.get("unit"))
        value = f"below {number(s.get('limit'))}" if s.get("value") is None else number(s["value"])
        predicted: Json = part(s, "predicted")
        text = f"day {s['day']:.4g}: {value} {unit}"
        if predicted.get("median") is not None:
            text += (
                f" (predicted {number(predicted['median'])}, {interval(predicted['low'], predicted['high'])})"
            )
        parts.append(text)
    listed = "Samples: " + "; ".join(parts) + ". " if parts else "No samples. "
    ahead: list[str] = []
    for identity in shown_regimens(results):
        row = next((r for r in entries(results, "regimens") if r["regimen"]["id"] == identity), None)
        if row:
            trough: Json = part(row, "trough")
            ahead.append(
                f"{row['regimen']['label']}: trough {number(trough.get('median'))} "
                f"({interval(trough.get('low'), trough.get('high'))}) {unit_text(trough.get('unit'))}"
            )
    return listed + ("Ahead: " + "; ".join(ahead) + "." if ahead else "")
