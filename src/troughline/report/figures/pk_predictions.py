"""Predictions against observations: of the population and of each patient, on linear and on log axes."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.pk_parts import (
    apply_scale,
    dots,
    flags,
    grid,
    heading,
    positive_scale,
    trend_line,
    unit_label,
    unpadded,
)
from troughline.report.figures.scale import Scale
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import number, percent, unit_text

Flags = NDArray[np.bool_]

_KINDS = (
    ("population", "Typical patient", style.PUBLISHED),
    ("individual", "Individual estimate", style.GUARDED),
)


def sketch_predictions(data: Json) -> Sketch:
    """Draw `observed` against `population` and `individual` predictions, each (n_obs,) on the natural scale.

    Also read: `below_limit` (n_obs,), whether an observation is below the limit (drawn at `observed`, which
    should then be the limit); `label`, `unit`. One of the two predictions may be missing.
    """
    observed = style.floats(data["observed"])
    below = flags(data.get("below_limit"), observed.size)
    kinds = [(k, words, color) for k, words, color in _KINDS if data.get(k) is not None]
    predicted = {k: style.floats(data[k]) for k, _, _ in kinds}
    quantified = [observed, *(p[~below] for p in predicted.values())]
    scales = [unpadded(np.concatenate(quantified)), positive_scale(*quantified)]
    side = 2.62
    sheet, panels = grid(2, len(kinds), height=side)
    for row, scale in zip(panels, scales, strict=True):
        for axes, (kind, words, color) in zip(row, kinds, strict=True):
            apply_scale(scale, axes)
            apply_scale(scale, axes, axis="y")
            axes.plot(
                [scale.low, scale.high], [scale.low, scale.high], color="#9aa4ad", linewidth=0.8, zorder=1
            )
            shown = np.where(below, np.clip(predicted[kind], scale.low, scale.high), predicted[kind])
            dots(axes, shown, observed, color=color, below=below)
            trend_line(axes, shown[~below], observed[~below], log_x=scale.log, log_y=scale.log)
            heading(axes, words + scale.words, style.text_color(color))
            axes.set_xlabel(unit_label(data, "prediction"))
            axes.set_ylabel(unit_label(data, "observation"))
    return Sketch(
        sheet,
        "Predictions against observations",
        _caption(data, observed, predicted, below, scales[1]),
        _description(data, observed, predicted, below),
    )


def fold_errors(observed: FloatArray, predicted: FloatArray) -> tuple[float, float]:
    """The geometric mean of observed/predicted, and the share of the pairs within a factor of two.

    Pairs that are not both positive are left out; without any, both are NaN.
    """
    use = (observed > 0) & (predicted > 0) & np.isfinite(observed) & np.isfinite(predicted)
    if not np.any(use):
        return float("nan"), float("nan")
    ratio = np.asarray(np.log(observed[use] / predicted[use]), dtype=np.float64)
    return math.exp(float(ratio.mean())), float(np.mean(np.abs(ratio) <= math.log(2.0)))


def _caption(
    data: Json, observed: FloatArray, predicted: dict[str, FloatArray], below: Flags, log: Scale
) -> str:
    n = int(np.count_nonzero(np.isfinite(observed)))
    text = f"Each dot is one sample ({n}); on the grey line the prediction equals the observation, the dark "
    text += "line is the smooth trend. "
    for kind, words in (("population", "the typical patient"), ("individual", "the individual estimate")):
        if kind in predicted:
            bias, within = fold_errors(observed[~below], predicted[kind][~below])
            text += f"Observed levels are {number(bias)} times those of {words} (geometric mean), "
            text += f"{percent(within)} within a factor of two. "
    if np.any(below):
        text += f"Triangles ({int(np.count_nonzero(below))}) are samples below the limit, drawn at the limit "
        text += "and left out of the trend. "
    off = int(np.count_nonzero(np.isfinite(observed) & (observed <= 0)))
    if off:
        text += f"{off} observations are not positive and missing from the log panels."
    return text.strip()


def _description(data: Json, observed: FloatArray, predicted: dict[str, FloatArray], below: Flags) -> str:
    unit = unit_text(data.get("unit"))
    use = observed[np.isfinite(observed)]
    if use.size == 0:
        return "No samples: 0 dots."
    ends = f"{number(float(use.min()))} to {number(float(use.max()))} {unit}".strip()
    text = f"Scatter plots of {use.size} samples from {ends}"
    for kind, values in predicted.items():
        bias, within = fold_errors(observed[~below], values[~below])
        text += f"; {kind} prediction: observed/predicted {number(bias)}, {percent(within)} within twofold"
    return text + "."
