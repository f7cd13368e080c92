"""Hazard ratios of a virtual trial: the whole population's value and how it scatters over replicates."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import shortened
from troughline.report.figures.style import FloatArray, Json
from troughline.report.figures.trial_parts import (
    arm_colours,
    arm_names,
    name_beside,
    short_names,
    text_beside,
    with_interval,
)
from troughline.report.numbers import micro, percent
from troughline.report.trial_view import ENDPOINTS, HazardRatio, hazard_ratios

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW, _LEFT, _WIDTH, _MOST = 0.46, 2.75, 2.5, 300
_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0)


def sketch_hazard(results: Json) -> Sketch:
    """A row a comparison: the hazard ratio with the interval over replicates, a dot for each of them."""
    rows = hazard_ratios(results)
    names, colours = arm_names(results), arm_colours(results)
    height = _ROW * len(rows)
    sheet = style.sheet(height + 0.85)
    axes = style.panel(sheet, left=_LEFT, top=0.25, width=_WIDTH, height=height)
    style.bare(axes, keep=("bottom",))
    ends = style.finite(
        *(style.floats(r.trials) for r in rows), [e for r in rows for e in (r.value, r.low, r.high)]
    )
    low, high = min(float(ends.min()), 0.9) * 0.95, max(float(ends.max()), 1.1) * 1.05
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = [t for t in _TICKS if low <= t <= high]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_ylim(len(rows), 0)
    axes.axvline(1.0, color=style.PUBLISHED, linewidth=1.0, zorder=0)
    listed: list[str] = []
    controls = list(dict.fromkeys(one.control for one in rows))
    several = len(controls) > 1
    for k, one in enumerate(rows):
        colour = colours[one.arm]
        y = k + 0.5
        _dots(axes, style.floats(one.trials), y, colour)
        if one.low is not None and one.high is not None:
            axes.plot([one.low, one.high], [y, y], color=colour, linewidth=2.0, zorder=4)
        axes.plot([one.value], [y], "o", color=colour, markersize=6.5, zorder=5,
                  markeredgecolor="#ffffff", markeredgewidth=1.0)  # fmt: skip
        who = f"{names[one.arm]} against {names[one.control]}"
        name_beside(axes, y - 0.17, short_names(results, 40)[one.arm], bold=True, colour=colour)
        against = f", against {short_names(results)[one.control]}" if several else ""
        under = shortened(micro(f"{ENDPOINTS[one.endpoint].name}{against}"), 56)
        name_beside(axes, y + 0.2, under, colour=style.MUTED)
        text = with_interval(one.value, one.low, one.high)
        text_beside(axes, y - 0.17, text)
        if one.success is not None:
            text_beside(axes, y + 0.2, f"shown in {percent(one.success)}", colour=style.MUTED)
        listed.append(f"{who}, {ENDPOINTS[one.endpoint].name}: {text}")
    words = "the first arm" if several else "better than " + shortened(micro(names[controls[0]]), 40)
    axes.set_xlabel(f"hazard ratio (log scale; left of 1: {words}{' fares better' if several else ''})")
    return Sketch(
        sheet,
        "Hazard ratios over the replicates of the trial",
        "Large dot: median over the trials of all parameter sets. "
        + (
            f"Line: the middle {percent(results['level'])} of them. "
            if any(r.low is not None for r in rows)
            else ""
        )
        + f"Small dots: single trials{_shown(rows)}."
        + (
            f" Shown in: share of these trials with two-sided p < {results['setup']['alpha']:g} in favour of "
            "the first arm."
            if any(r.success is not None for r in rows)
            else ""
        ),
        "Forest plot. " + "; ".join(listed) + ".",
    )


def _dots(axes: Axes, values: FloatArray, y: float, colour: str) -> None:
    """Single trials as dots in a band, moved up and down by their place in the list."""
    values = values[np.isfinite(values)][:_MOST]
    # The golden ratio spreads neighbours evenly, and the same at every run.
    shift = np.mod(np.arange(values.size) * (math.sqrt(5) - 1) / 2, 1.0) - 0.5
    axes.plot(values, y + 0.62 * shift, "o", color=colour, markersize=2.2, alpha=0.32, zorder=2,
              markeredgewidth=0)  # fmt: skip


def _shown(rows: list[HazardRatio]) -> str:
    most = max(len(r.trials) for r in rows)
    return f", the first {_MOST} of {most}" if most > _MOST else ""
