"""Normalised prediction distribution errors: quantiles, histogram, over time and over the prediction."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from typing import TYPE_CHECKING

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
from troughline.report.figures.pk_residuals import residual_scale, spans_much
from troughline.report.figures.scale import scale_of
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import number, p_value
from troughline.report.reading import part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NINETY_FIVE = 1.959963984540054
_BAND_LINES = 200


def sketch_npde(data: Json) -> Sketch:
    """Draw `npde` (n_obs,) against the normal distribution, over `time_h` and over `prediction` (n_obs,).

    Also read: `tests` (`mean`, `variance`, `mean_p`, `variance_p`, `normality_p`, `global_p`),
    `n_simulations`, `time_label`, `label`, `unit`. Without `prediction` its panel is empty of dots.
    """
    errors = style.floats(data["npde"])
    sheet, panels = grid(2, 2, height=2.05)
    vertical = residual_scale(errors)
    _quantiles(panels[0][0], errors)
    _histogram(panels[0][1], errors)
    time_h = style.floats(data.get("time_h")) if data.get("time_h") is not None else errors * np.nan
    times = times_of(time_h)
    predicted = (
        style.floats(data.get("prediction")) if data.get("prediction") is not None else errors * np.nan
    )
    log = spans_much(predicted) if style.finite(predicted).size else False
    across = scale_of(predicted, log=True) if log else unpadded(predicted)
    for axes, x, scale in (
        (panels[1][0], times.shown(time_h), unpadded(times.shown(time_h))),
        (panels[1][1], predicted, across),
    ):
        apply_scale(scale, axes)
        vertical.apply(axes, axis="y")
        guide(axes, (-_NINETY_FIVE, 0.0, _NINETY_FIVE))
        dots(axes, x, errors, color=style.GUARDED)
        trend_line(axes, x, errors, log_x=scale.log)
        axes.set_ylabel("NPDE")
    panels[1][0].set_xlabel(f"{data.get('time_label') or 'time'} ({times.unit})")
    panels[1][1].set_xlabel(unit_label(data, "prediction") + (", log scale" if log else ""))
    for axes, words in zip(
        (*panels[0], *panels[1]),
        ("Quantiles", "Histogram", "Over time", "Over the prediction"),
        strict=True,
    ):
        heading(axes, words)
    return Sketch(
        sheet, "Normalised prediction distribution errors", _caption(data, errors), _description(data, errors)
    )


def _quantiles(axes: Axes, errors: FloatArray) -> None:
    """Ordered errors against normal quantiles, with the 95 % interval of each under the model."""
    from scipy.special import ndtri
    from scipy.stats import beta

    ordered = np.sort(style.finite(errors))
    n = ordered.size
    scale = residual_scale(ordered)
    scale.apply(axes)
    scale.apply(axes, axis="y")
    axes.set_xlabel("quantile of the normal distribution")
    axes.set_ylabel("NPDE")
    if n == 0:
        return
    rank = np.unique(np.linspace(1, n, min(n, _BAND_LINES)).round())
    middle = ndtri((rank - 0.5) / n)
    low, high = (ndtri(beta.ppf(p, rank, n - rank + 1)) for p in (0.025, 0.975))
    axes.fill_between(middle, low, high, color=style.GUARDED_PALE, linewidth=0, zorder=1)
    axes.plot([scale.low, scale.high], [scale.low, scale.high], color="#9aa4ad", linewidth=0.8, zorder=2)
    dots(axes, ndtri((np.arange(1, n + 1) - 0.5) / n), ordered, color=style.GUARDED)


def _histogram(axes: Axes, errors: FloatArray) -> None:
    shown = style.finite(errors)
    scale = residual_scale(shown)
    scale.apply(axes)
    n_bins = min(30, max(8, round(2 * math.sqrt(max(shown.size, 1)))))
    edges = np.linspace(-3.5, 3.5, n_bins + 1)
    edges[0], edges[-1] = min(edges[0], scale.low), max(edges[-1], scale.high)
    counts = np.histogram(shown, edges)[0] / max(shown.size, 1) / np.diff(edges)
    axes.bar(
        edges[:-1],
        counts,
        width=np.diff(edges),
        align="edge",
        color=style.GUARDED_PALE,
        edgecolor="#ffffff",
        linewidth=0.5,
    )
    grid_x = np.linspace(scale.low, scale.high, 121)
    axes.plot(grid_x, np.exp(-(grid_x**2) / 2) / math.sqrt(2 * math.pi), color=style.GUARDED, linewidth=1.5)
    axes.set_ylim(0.0, max(0.45, 1.08 * float(counts.max(initial=0.0))))
    style.bare(axes, keep=("bottom",))
    axes.set_xlabel("NPDE")


def _caption(data: Json, errors: FloatArray) -> str:
    n = style.finite(errors).size
    text = f"Where each sample ({n}) lies among simulations of the same patients"
    if data.get("n_simulations"):
        text += f" ({data['n_simulations']} of them)"
    text += ", freed of the correlation within patients. Under the model the values follow the normal "
    text += "distribution: dots stay in the pale band, bars follow the line, and the dark trend stays at 0. "
    tests = part(data, "tests")
    if tests.get("global_p") is not None:
        text += (
            f"Mean {number(tests.get('mean'), 2)} ({p_value(tests.get('mean_p'))}), "
            f"variance {number(tests.get('variance'))} ({p_value(tests.get('variance_p'))}), "
            f"normality {p_value(tests.get('normality_p'))}; all three together "
            f"{p_value(tests.get('global_p'))}."
        )
    return text.strip()


def _description(data: Json, errors: FloatArray) -> str:
    shown = style.finite(errors)
    if shown.size == 0:
        return "No errors: 0 dots."
    quantiles = ", ".join(number(float(q), 2) for q in np.quantile(shown, [0.05, 0.25, 0.5, 0.75, 0.95]))
    return (
        f"{shown.size} errors; 5th, 25th, 50th, 75th and 95th percentiles {quantiles}; a standard normal "
        "distribution has −1.64, −0.67, 0, 0.67, 1.64."
    )
