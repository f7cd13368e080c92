"""Cumulative incidence with competing events counted, against 1 − Kaplan–Meier, which leaves them out."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from typing import Any

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import EndLabel, end_labels, wrapped
from troughline.report.figures.steps import thin_steps
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import micro, percent
from troughline.report.reading import entries

_WIDTH, _HEIGHT = 4.75, 2.6


def sketch_incidence(question: Json) -> Sketch:
    """Draw `series["cumulative_incidence"]`: solid as it is, dashed and grey as 1 − Kaplan–Meier has it."""
    data: Json = question["series"]["cumulative_incidence"]
    groups: list[Json] = data["groups"]
    naive = {str(g.get("label")): g for g in entries(data, "naive")}
    colors = style.ramp(len(groups))
    longest = max(float(np.nanmax(style.floats(g["time"]), initial=0.0)) for g in groups) or 1.0
    greatest = max(
        float(np.nanmax(style.floats(g["incidence"]), initial=0.0)) for g in [*groups, *naive.values()]
    )
    top = min(1.0, math.ceil(max(greatest, 0.1) * 4) / 4)
    sheet = style.sheet(_HEIGHT + 0.8)
    axes = style.panel(sheet, left=0.72, top=0.2, width=_WIDTH, height=_HEIGHT)
    style.percent_axis(axes, step=0.25 if top > 0.5 else 0.1, top=top)
    axes.set_xlim(0, longest * 1.01)
    ends: list[EndLabel] = []
    listed: list[str] = []
    for group, color in zip(groups, colors, strict=True):
        time, incidence = _from_zero(group, "incidence")
        keep = thin_steps(time, incidence, longest)
        if group.get("low") and group.get("high"):
            _, low = _from_zero(group, "low")
            _, high = _from_zero(group, "high")
            axes.fill_between(
                time[keep], low[keep], high[keep], step="post", color=color, alpha=0.13, linewidth=0
            )
        look: dict[str, Any] = {"color": color, "linewidth": 2.0, "zorder": 4}
        axes.step(time[keep], incidence[keep], where="post", **look)
        axes.plot([time[-1], longest * 1.01], [incidence[-1]] * 2, **look)
        label = micro(str(group.get("label") or "cumulative incidence"))
        last = percent(float(incidence[-1]))
        listed.append(f"{label}: {last}")
        ends.append(
            (
                float(incidence[-1]),
                [(t, "bold") for t in wrapped(f"{last} {label}", 22, most=2)],
                style.text_color(color),
            )
        )
        other = naive.get(str(group.get("label")))
        if other:
            time, incidence = _from_zero(other, "incidence")
            keep = thin_steps(time, incidence, longest)
            axes.step(
                time[keep],
                incidence[keep],
                where="post",
                color=color,
                linewidth=1.1,
                linestyle=(0, (4, 2)),
                alpha=0.8,
                zorder=3,
            )
            axes.plot(
                [time[-1], longest * 1.01],
                [incidence[-1]] * 2,
                color=color,
                linewidth=1.1,
                linestyle=(0, (4, 2)),
                alpha=0.8,
            )
            last = percent(float(incidence[-1]))
            listed.append(f"1 − Kaplan–Meier: {last}")
            ends.append(
                (float(incidence[-1]), [(f"{last} by 1 − Kaplan–Meier", "normal")], style.text_color(color))
            )
    end_labels(axes, ends, height_in=_HEIGHT, top=top)
    unit = str(data.get("time_unit") or "day")
    axes.set_xlabel(f"{unit}s" if not unit.endswith("s") else unit)
    axes.set_ylabel("cumulative incidence")
    caption = "Solid steps with bands count the competing events as what they are."
    if naive:
        caption += (
            " Dashed: 1 − Kaplan–Meier, which treats a patient who had the competing event as if the event "
            "could still come, and so runs too high."
        )
    return Sketch(
        sheet,
        "Cumulative incidence with competing events",
        caption,
        f"Step curves, last values: {'; '.join(listed)}.",
    )


def _from_zero(group: Json, key: str) -> tuple[FloatArray, FloatArray]:
    time, value = style.floats(group["time"]), style.floats(group[key])
    if time.size == 0 or time[0] > 0:
        time, value = np.concatenate([[0.0], time]), np.concatenate([[0.0], value])
    return time, value
