"""Weighted residuals over time and over the prediction: individual ones, and of the population."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.pk_parts import (
    apply_scale,
    dots,
    grid,
    guide,
    heading,
    times_of,
    trend_line,
    unit_label,
    unpadded,
)
from troughline.report.figures.scale import LOG_FROM_RATIO, Scale, scale_of
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import number, percent

_KINDS = (
    ("iwres", "individual", "Individual weighted residuals", style.GUARDED),
    ("pwres", "population", "Population weighted residuals", style.PUBLISHED),
)
_NINETY_FIVE = 1.959963984540054


def sketch_residuals(data: Json) -> Sketch:
    """Draw `iwres` and `pwres` (n_obs,) over `time_h` and over `individual` and `population` predictions.

    Also read: `time_label` (none: "time"), `label`, `unit`. One of the two kinds may be missing.
    """
    time_h = style.floats(data["time_h"])
    times = times_of(time_h)
    kinds = [
        k for k in _KINDS if data.get(k[0]) is not None and np.any(np.isfinite(style.floats(data[k[0]])))
    ]
    sheet, panels = grid(len(kinds), 2, height=1.9)
    for row, (key, predictor, words, color) in zip(panels, kinds, strict=True):
        residuals = style.floats(data[key])
        vertical = residual_scale(residuals)
        first, second = row
        across = times.shown(time_h)
        horizontal = unpadded(across)
        _one(first, across, residuals, horizontal, vertical, color)
        first.set_xlabel(f"{data.get('time_label') or 'time'} ({times.unit})")
        first.set_ylabel(key.upper())
        heading(first, words, style.text_color(color))
        predicted = style.floats(data.get(predictor)) if data.get(predictor) is not None else across * np.nan
        over = predicted[np.isfinite(residuals)]
        log = bool(np.any(over > 0)) and spans_much(over)
        _one(second, predicted, residuals, _prediction_scale(over, log), vertical, color)
        second.set_xlabel(unit_label(data, "prediction") + (", log scale" if log else ""))
    return Sketch(sheet, "Weighted residuals", _caption(data, kinds), _description(data, kinds))


def residual_scale(residuals: FloatArray, least: float = 3.2) -> Scale:
    """A symmetric axis that holds every residual."""
    shown = style.finite(residuals)
    most = max(least, 1.06 * float(np.abs(shown).max())) if shown.size else least
    return Scale(-most, most, False)


def spans_much(values: FloatArray) -> bool:
    """Whether positive values span so much that a log axis shows them better."""
    shown = style.finite(values)
    positive = shown[shown > 0]
    return positive.size == shown.size and bool(positive.max() / positive.min() >= 4 * LOG_FROM_RATIO)


def _prediction_scale(values: FloatArray, log: bool) -> Scale:
    return scale_of(values, log=True) if log else unpadded(values)


def _one(axes: style.Any, x: FloatArray, y: FloatArray, across: Scale, up: Scale, color: str) -> None:
    apply_scale(across, axes)
    up.apply(axes, axis="y")
    guide(axes, (-_NINETY_FIVE, 0.0, _NINETY_FIVE))
    dots(axes, x, y, color=color)
    trend_line(axes, x, y, log_x=across.log)


def _caption(data: Json, kinds: list[tuple[str, str, str, str]]) -> str:
    text = "Distance of each sample from its prediction in standard deviations; dashed lines hold 95% of a "
    text += "normal distribution, the dark line is the smooth trend, which should stay at 0. "
    for key, _, words, _ in kinds:
        shown = style.finite(data[key])
        sd = number(float(shown.std(ddof=1))) if shown.size > 1 else number(None)
        text += f"{words}: {shown.size}, mean {number(float(shown.mean()), 2)}, SD {sd}. "
    if any(k[0] == "iwres" for k in kinds):
        text += "Where patients have few samples, individual residuals shrink and their SD falls below 1."
    return text.strip()


def _description(data: Json, kinds: list[tuple[str, str, str, str]]) -> str:
    parts: list[str] = []
    for key, _, words, _ in kinds:
        shown = style.finite(data[key])
        outside = float(np.mean(np.abs(shown) > _NINETY_FIVE))
        parts.append(f"{words}: {shown.size} values, {percent(outside)} beyond 1.96")
    return "Scatter plots over time and prediction. " + "; ".join(parts) + "."
