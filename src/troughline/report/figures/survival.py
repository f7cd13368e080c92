"""Kaplan–Meier curves with bands and numbers at risk, as published and guarded side by side."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import shortened
from troughline.report.figures.scale import tick_text
from troughline.report.figures.steps import end_of_curve, mark_letter, step_at, thin_steps
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import micro, number, percent
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT, _LINE = 2.35, 0.145
_LETTERS = "ABCDEFGH"


def sketch_survival(question: Json) -> Sketch:
    """Draw `series["km_as_published"]` and `series["km_guarded"]`, whichever are there."""
    series: Json = question["series"]
    panels = [
        (name, words, series[name])
        for name, words in (("km_as_published", "As published"), ("km_guarded", "Guarded"))
        if part(series, name).get("groups")
    ]
    most = max(len(data["groups"]) for _, _, data in panels)
    sheet = style.sheet(0.5 + _HEIGHT + 0.5 + 0.2 + most * 2 * _LINE + 0.12)
    width = 2.85 if len(panels) == 2 else 5.9
    for column, (_, words, data) in enumerate(panels):
        _panel(sheet, data, words, left=0.58 + column * 3.36, width=width, first=column == 0)
    own = [
        t for _, words, data in panels if (t := str(data.get("title") or "")).lower() != words.lower() and t
    ]
    outcome = micro(own[0] if own else str(question.get("title") or "survival"))
    return Sketch(sheet, f"Kaplan–Meier: {outcome}", _caption(panels), _description(panels))


def _panel(sheet: Figure, data: Json, words: str, *, left: float, width: float, first: bool) -> None:
    axes = style.panel(sheet, left=left, top=0.5, width=width, height=_HEIGHT)
    groups: list[Json] = data["groups"]
    colors = style.ramp(len(groups))
    longest = max(float(np.nanmax(style.floats(g["time"]), initial=0.0)) for g in groups) or 1.0
    style.percent_axis(axes)
    axes.set_xlim(0, longest * 1.01)
    if not first:
        axes.set_yticklabels([])
    for k, (group, color) in enumerate(zip(groups, colors, strict=True)):
        time, alive = _from_start(group, "survival")
        low, high = style.floats(group.get("low")), style.floats(group.get("high"))
        if low.size == high.size == style.floats(group["time"]).size and low.size:
            t, band_low = _from_start({**group, "survival": group["low"]}, "survival")
            _, band_high = _from_start({**group, "survival": group["high"]}, "survival")
            keep = thin_steps(t, band_low, longest)
            axes.fill_between(
                t[keep], band_low[keep], band_high[keep], step="post", color=color, alpha=0.13, linewidth=0
            )
        keep = thin_steps(time, alive, longest)
        axes.step(time[keep], alive[keep], where="post", color=color, linewidth=1.9, zorder=3 + k)
        censored = style.floats(group.get("censored"))
        if censored.size:
            shown = (
                censored
                if censored.size <= 60
                else censored[np.linspace(0, censored.size - 1, 60).astype(int)]
            )
            axes.plot(
                shown,
                step_at(shown, time, alive),
                "|",
                markersize=5,
                color=color,
                markeredgewidth=1.0,
                zorder=3 + k,
            )
    if len(groups) > 1:
        curves = [_from_start(g, "survival") for g in groups]
        for k, (x, y) in enumerate(end_of_curve(curves, longest, aspect=_HEIGHT / width)):
            mark_letter(axes, x, y, _LETTERS[k % 8], colors[k])
    title = micro(str(data.get("title") or ""))
    origin = micro(str(data.get("origin") or ""))
    under = title if title.lower() != words.lower() else ""
    axes.annotate(
        words,
        xy=(0, 1),
        xycoords="axes fraction",
        xytext=(0, 20 if under else 9),
        textcoords="offset points",
        fontsize=style.LARGE,
        fontweight="bold",
        color=style.GUARDED if words == "Guarded" else style.PUBLISHED_TEXT,
    )
    if under:
        axes.annotate(
            under,
            xy=(0, 1),
            xycoords="axes fraction",
            xytext=(0, 9),
            textcoords="offset points",
            fontsize=style.SMALL,
            color=style.MUTED,
        )
    unit = str(data.get("time_unit") or "day")
    axes.set_xlabel(origin if origin and unit in origin else f"{unit}s" if not unit.endswith("s") else unit)
    _at_risk(axes, data, colors, width)


def _at_risk(axes: Axes, data: Json, colors: tuple[str, ...], width_in: float) -> None:
    """Under each curve's name its patients, deaths and numbers at risk at round times."""
    risk = part(data, "at_risk")
    times = style.floats(risk.get("times"))
    if times.size:
        inside = times <= axes.get_xlim()[1]
        axes.set_xticks(times[inside], [tick_text(float(t)) for t in times[inside]])
    top = -0.5 / _HEIGHT
    step = _LINE / _HEIGHT
    axes.text(
        0, top, "number at risk", transform=axes.transAxes, fontsize=6.5, color=style.MUTED, va="center"
    )
    groups: list[Json] = data["groups"]
    all_counts = entries(risk, "counts")
    for k, group in enumerate(groups):
        y = top - step * (1.15 + 2 * k)
        letter = f"{_LETTERS[k % 8]}  " if len(groups) > 1 else ""
        events = group.get("events")
        tail = f", {events} event{'' if events == 1 else 's'}" if events is not None else ""
        room = int(width_in / style.text_width_in("x", 1.12 * style.SMALL)) - len(letter) - len(tail)
        axes.text(
            0,
            y,
            f"{letter}{shortened(micro(str(group.get('label', ''))), room)}{tail}",
            transform=axes.transAxes,
            fontsize=style.SMALL,
            color=style.INK,
            va="center",
            fontweight="bold",
        )
        axes.plot(
            [-0.035, -0.012], [y, y], color=colors[k], linewidth=2.6, transform=axes.transAxes, clip_on=False
        )
        counts: list[float | None] = all_counts[k] if k < len(all_counts) else []
        for t, number_at_risk in zip(times, counts, strict=False):
            if t <= axes.get_xlim()[1] and number_at_risk is not None:
                axes.text(
                    float(t),
                    y - step * 0.92,
                    f"{number_at_risk:g}",
                    transform=axes.get_xaxis_transform(),
                    fontsize=style.SMALL,
                    color=style.MUTED,
                    va="center",
                    ha="left" if t == 0 else "center",
                )


def _from_start(group: Json, key: str) -> tuple[FloatArray, FloatArray]:
    """Times and values of a step curve, with (0, 1) put in front where it is not there."""
    time, value = style.floats(group["time"]), style.floats(group[key])
    if time.size == 0 or time[0] > 0:
        time, value = np.concatenate([[0.0], time]), np.concatenate([[1.0], value])
    return time, value


def _caption(panels: list[tuple[str, str, Json]]) -> str:
    parts: list[str] = []
    for _, words, data in panels:
        groups: list[Json] = data["groups"]
        n = sum(int(g.get("n") or 0) for g in groups)
        origin = micro(str(data.get("origin") or "time zero"))
        parts.append(
            f"{words}: {n} patients in {len(groups)} group{'s' if len(groups) != 1 else ''}, "
            f"counted in {origin}."
        )
    parts.append(
        "Steps are Kaplan–Meier estimates, bands their intervals, small upright lines patients last seen "
        "alive or free of the event."
    )
    if len(panels) == 2:
        same = panels[0][2]["groups"] == panels[1][2]["groups"]
        parts.append(
            "The guards changed nothing here: both panels are the same."
            if same
            else "The two panels differ where the guards changed who is counted, from when, or in what group."
        )
    return " ".join(parts)


def _description(panels: list[tuple[str, str, Json]]) -> str:
    parts: list[str] = []
    for _, words, data in panels:
        for group in data["groups"]:
            time, alive = _from_start(group, "survival")
            under = np.flatnonzero(alive <= 0.5)
            unit = str(data.get("time_unit") or "day")
            median = f"median {number(float(time[under[0]]))} {unit}s" if under.size else "median not reached"
            label = micro(str(group.get("label", "")))
            parts.append(f"{words}, {label}: {median}, last value {percent(float(alive[-1]))}")
    return "; ".join(parts).replace("ss;", "s;") + "."
