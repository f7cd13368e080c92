"""Kaplan–Meier curves of the arms of a virtual trial, with the numbers at risk under them."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import shortened
from troughline.report.figures.scale import tick_text
from troughline.report.figures.steps import thin_steps
from troughline.report.figures.style import FloatArray, Json
from troughline.report.figures.trial_parts import arm_colours, short_names
from troughline.report.numbers import count, micro, number, percent
from troughline.report.trial_view import ENDPOINTS, curve_of, has_intervals, median_of
from troughline.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT, _LINE, _LEFT, _WIDTH = 2.6, 0.155, 1.65, 4.0


def sketch_survival(results: Json, endpoint: str) -> Sketch:
    """A curve an arm with its band; `endpoint` is `os`, `ttp` or `mttp`."""
    arms: list[Json] = [a for a in results["arms"] if curve_of(a, endpoint)]
    sheet = style.sheet(0.2 + _HEIGHT + 0.62 + (len(arms) + 1) * _LINE + 0.12)
    axes = style.panel(sheet, left=_LEFT, top=0.2, width=_WIDTH, height=_HEIGHT)
    style.percent_axis(axes)
    longest = results["setup"]["horizon_days"] / DAYS_PER_MONTH
    axes.set_xlim(0, longest)
    axes.axhline(0.5, color="#9aa4ad", linewidth=0.7, linestyle=(0, (2, 2)), zorder=0)
    colours = arm_colours(results)
    ends: list[float] = []
    for k, arm in enumerate(arms):
        curve, colour = curve_of(arm, endpoint), colours[str(arm["id"])]
        time = style.floats(curve["day"]) / DAYS_PER_MONTH
        keep = thin_steps(time, style.floats(curve["survival"]), longest)
        low, high = style.floats(curve.get("low")), style.floats(curve.get("high"))
        if low.size == high.size == time.size:
            axes.fill_between(
                time[keep], low[keep], high[keep], step="post", color=colour, alpha=0.14, linewidth=0
            )
        alive = style.floats(curve["survival"])
        axes.step(time[keep], alive[keep], where="post", color=colour, linewidth=1.9, zorder=3 + k)
        ends.append(float(alive[-1]))
    for y, arm in zip(style.spread(ends, 0.15, 0.04, 0.96), arms, strict=True):
        _name_at_end(axes, y, results, arm, endpoint)
    axes.set_xlabel("months since the first dose")
    axes.set_ylabel(ENDPOINTS[endpoint].curve)
    _at_risk(sheet, axes, results, arms, endpoint)
    return Sketch(sheet, ENDPOINTS[endpoint].title, _caption(results, endpoint), _description(arms, endpoint))


def _name_at_end(axes: Axes, y: float, results: Json, arm: Json, endpoint: str) -> None:
    colour = arm_colours(results)[str(arm["id"])]
    value = median_of(arm, endpoint)["value"]
    under = f"median {number(value)} months" if value is not None else "median not reached"
    for shift, text, bold in (
        (5, shortened(short_names(results)[str(arm["id"])], 22), True),
        (-5, under, False),
    ):
        axes.annotate(
            text, xy=(1, y), xycoords=("axes fraction", "data"), xytext=(8, shift),
            textcoords="offset points", va="center", fontsize=style.BASE if bold else style.SMALL,
            fontweight="bold" if bold else "normal", color=style.text_color(colour) if bold else style.MUTED,
            annotation_clip=False,
        )  # fmt: skip


def _at_risk(sheet: Figure, axes: Axes, results: Json, arms: list[Json], endpoint: str) -> None:
    colours = arm_colours(results)
    times: FloatArray = style.floats(curve_of(arms[0], endpoint)["risk_day"]) / DAYS_PER_MONTH
    inside = times <= axes.get_xlim()[1]
    axes.set_xticks(times[inside], [tick_text(round(float(t), 1)) for t in times[inside]])
    top, step = -0.5 / _HEIGHT, _LINE / _HEIGHT
    axes.text(
        0, top, "at risk", transform=axes.transAxes, fontsize=style.SMALL, color=style.MUTED, va="center"
    )
    for k, arm in enumerate(arms):
        y = top - step * (k + 1.1)
        axes.annotate(
            shortened(short_names(results)[str(arm["id"])], 22), xy=(0, y), xycoords="axes fraction",
            xytext=(-14, 0), textcoords="offset points", ha="right", va="center", fontsize=style.SMALL,
            color=style.text_color(colours[str(arm["id"])]), annotation_clip=False,
        )  # fmt: skip
        for t, n in zip(times, curve_of(arm, endpoint)["at_risk"], strict=False):
            if t <= axes.get_xlim()[1] and n is not None:
                axes.text(
                    float(t), y, count(n), transform=axes.get_xaxis_transform(), fontsize=style.SMALL,
                    color=style.INK, va="center", ha="center",
                )  # fmt: skip


def _caption(results: Json, endpoint: str) -> str:
    setup: Json = results["setup"]
    trials = setup["replicates"] * len(setup["sets"])
    middle = f"the middle {percent(results['level'])}"
    bands = middle if has_intervals(results) else "about the least to the greatest"
    return (
        f"{ENDPOINTS[endpoint].words} Curves: medians over {count(trials)} virtual trials; bands: {bands} "
        "of them; at risk: in a trial, on average."
    )


def _description(arms: list[Json], endpoint: str) -> str:
    parts: list[str] = []
    for arm in arms:
        value = median_of(arm, endpoint)["value"]
        alive = style.floats(curve_of(arm, endpoint)["survival"])
        median = f"median {number(value)} months" if value is not None else "median not reached"
        parts.append(f"{micro(str(arm['label']))}: {median}, last value {100 * float(np.nanmin(alive)):.0f}%")
    return "Kaplan–Meier curves. " + "; ".join(parts) + "."
