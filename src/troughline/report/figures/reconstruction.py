"""What was printed over what was reconstructed: clicks on the curves, or printed medians."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import shortened, wrapped
from troughline.report.figures.scale import tick_text
from troughline.report.figures.steps import end_of_curve, mark_letter, step_at, thin_steps
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import interval, micro, number, p_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT, _WIDTH, _LEFT, _TOP, _LINE, _GAP = 3.0, 6.0, 0.62, 0.62, 0.15, 0.5
_LETTERS = "ABCDEFGH"
_MOST_CLICKS = 400


def sketch_reconstruction(contents: Json) -> Sketch:
    """Draw a reconstruction from its plain contents."""
    arms: list[Json] = contents["arms"]
    rows = sum(3 if arm.get("at_risk") else 1 for arm in arms)
    notes = _notes(contents)
    height = _TOP + _HEIGHT + _GAP + (rows + 1) * _LINE + len(notes) * _LINE + 0.25
    sheet = style.sheet(height)
    axes = style.panel(sheet, left=_LEFT, top=_TOP, width=_WIDTH, height=_HEIGHT)
    curves = [_from_start(arm["curve"]) for arm in arms]
    longest = max(float(time[-1]) for time, _ in curves)
    colors = style.ramp(len(arms))
    style.percent_axis(axes)
    axes.set_xlim(0, longest * 1.01)
    for k, (arm, (time, alive), color) in enumerate(zip(arms, curves, colors, strict=True)):
        keep = thin_steps(time, alive, longest, points=600)
        axes.step(time[keep], alive[keep], where="post", color=color, linewidth=1.6, zorder=3 + k)
        _censored(axes, arm, time, alive, color)
        _input(axes, contents, arm, color)
    if len(arms) > 1:
        for k, (x, y) in enumerate(end_of_curve(curves, longest, aspect=_HEIGHT / _WIDTH)):
            mark_letter(axes, x, y, _LETTERS[k % 8], colors[k])
    unit = str(contents["time_unit"])
    axes.set_xlabel(f"{unit}s")
    _heading(axes, contents)
    bottom = _below(axes, arms, colors)
    for i, line in enumerate(notes):
        axes.text(
            0, bottom - (i + 1.2) * _LINE / _HEIGHT, line, transform=axes.transAxes, fontsize=style.SMALL,
            color=style.MUTED, va="center",
        )  # fmt: skip
    return Sketch(sheet, micro(str(contents["title"])), _caption(contents), _description(contents))


def _heading(axes: Axes, contents: Json) -> None:
    label = "Approximate: made from a printed summary, not from a curve" if contents["approximate"] else (
        "Reconstructed patients (lines) over the curve as read (rings)"
    )  # fmt: skip
    axes.annotate(
        shortened(micro(str(contents["title"])), 90), xy=(0, 1), xycoords="axes fraction", xytext=(0, 23),
        textcoords="offset points", fontsize=style.LARGE, fontweight="bold", color=style.INK,
    )  # fmt: skip
    axes.annotate(
        label, xy=(0, 1), xycoords="axes fraction", xytext=(0, 10), textcoords="offset points",
        fontsize=style.BASE, color="#8a5a00" if contents["approximate"] else style.MUTED,
        fontweight="bold" if contents["approximate"] else "normal",
    )  # fmt: skip


def _input(axes: Axes, contents: Json, arm: Json, color: str) -> None:
    """The clicks as rings, or the printed median with its interval."""
    reading = arm.get("reading")
    if reading:
        time, survival = style.floats(reading["clicks"]["time"]), style.floats(reading["clicks"]["survival"])
        if time.size > _MOST_CLICKS:
            chosen = np.unique(np.linspace(0, time.size - 1, _MOST_CLICKS).astype(int))
            time, survival = time[chosen], survival[chosen]
        axes.plot(
            time, survival, "o", markersize=3.2, color="none", markeredgecolor=color, markeredgewidth=0.7,
            alpha=0.75, zorder=2, clip_on=False,
        )  # fmt: skip
        return
    printed = next(
        (a["median"] for a in contents["summary"]["printed"]["arms"] if a["name"] == arm["name"]), None
    )
    if printed is None:
        return
    if printed.get("low") is not None:
        axes.plot(
            [printed["low"], printed["high"]], [0.5, 0.5], color=color, linewidth=4.5, alpha=0.25, zorder=1.5,
            solid_capstyle="butt",
        )  # fmt: skip
    axes.plot(
        [printed["value"]], [0.5], "D", markersize=6.5, color="#ffffff", markeredgecolor=color,
        markeredgewidth=1.5, zorder=12,
    )  # fmt: skip


def _censored(axes: Axes, arm: Json, time: FloatArray, alive: FloatArray, color: str) -> None:
    censored = style.floats(arm["censored"])
    if censored.size > 60:
        censored = censored[np.linspace(0, censored.size - 1, 60).astype(int)]
    if censored.size:
        axes.plot(
            censored,
            step_at(censored, time, alive),
            "|",
            markersize=5,
            color=color,
            markeredgewidth=0.9,
            zorder=3,
        )


def _below(axes: Axes, arms: list[Json], colors: tuple[str, ...]) -> float:
    """Names, counts and numbers at risk under the axes; returns where the text ends (axes heights)."""
    y, step = -_GAP / _HEIGHT, _LINE / _HEIGHT
    if any(arm.get("at_risk") for arm in arms):
        words = "number at risk: printed, and below it reconstructed"
        axes.text(0, y, words, transform=axes.transAxes, fontsize=6.5, color=style.MUTED, va="center")
        times = style.floats(next(arm["at_risk"]["time"] for arm in arms if arm.get("at_risk")))
        inside = times[times <= axes.get_xlim()[1]]
        if 2 <= inside.size <= 16:
            axes.set_xticks(inside, [tick_text(float(t)) for t in inside])
    for k, arm in enumerate(arms):
        y -= step * 1.15
        letter = f"{_LETTERS[k % 8]}  " if len(arms) > 1 else ""
        axes.text(
            0,
            y,
            letter + _name_and_counts(arm),
            transform=axes.transAxes,
            fontsize=style.SMALL,
            color=style.INK,
            va="center",
            fontweight="bold",
        )
        place: Json = {"transform": axes.transAxes, "clip_on": False}
        axes.plot([-0.03, -0.01], [y, y], color=colors[k], linewidth=2.6, **place)
        table: Json = arm.get("at_risk") or {}
        for name, color in (("printed", style.MUTED), ("reconstructed", style.text_color(colors[k]))):
            if table:
                y -= step * 0.95
                _row_at_risk(axes, y, table["time"], table[name], color)
    return y


def _name_and_counts(arm: Json) -> str:
    median = "not reached" if arm["median"] is None else number(arm["median"])
    ends = _ends(arm["median_low"], arm["median_high"])
    return f"{shortened(micro(arm['name']), 40)}: {arm['events']} of {arm['n']}, median {median} ({ends})"


def _row_at_risk(axes: Axes, y: float, times: list[float], counts: list[int], color: str) -> None:
    for t, count in zip(times, counts, strict=True):
        if t <= axes.get_xlim()[1]:
            axes.text(
                float(t),
                y,
                f"{count:g}",
                transform=axes.get_xaxis_transform(),
                fontsize=style.SMALL,
                color=color,
                va="center",
                ha="left" if t == 0 else "center",
            )


def _ends(low: float | None, high: float | None) -> str:
    return f"{'–' if low is None else number(low)} to {'not reached' if high is None else number(high)}"


def _notes(contents: Json) -> list[str]:
    lines: list[str] = []
    for pair in contents["comparisons"]:
        if pair["hazard_ratio"] is None:
            lines += wrapped(f"{pair['arm']} against {pair['reference']}: {pair['note']}", 115)
            continue
        text = (
            f"hazard ratio {number(pair['hazard_ratio'])} ({interval(pair['low'], pair['high'])}), "
            f"{pair['arm']} against {pair['reference']}; log-rank {p_value(pair['log_rank_p_value'])}"
        )
        spread = pair["hazard_ratio_reading"]
        if spread is not None and spread["low"] is not None and spread["high"] is not None:
            text += f"; reading alone: {spread['low']:.3f} to {spread['high']:.3f}"
        lines += wrapped(text, 115)
    for arm in contents["arms"]:
        if reading := arm.get("reading"):
            lines.append(
                f"{shortened(arm['name'], 40)}: distance from the clicks at most "
                f"{reading['largest_error']:.3f}, "
                f"mean {reading['mean_error']:.4f} (reading step {reading['step_survival']:g})"
            )
    if contents["approximate"]:
        both: Json = contents["summary"]["printed"]["both"]
        ratio = both.get("hazard_ratio")
        if ratio is not None:
            ends = "" if ratio.get("low") is None else f" ({interval(ratio['low'], ratio['high'])})"
            lines.append(f"Printed hazard ratio {number(ratio['value'])}{ends}.")
        bars = any("low" in arm["median"] for arm in contents["summary"]["printed"]["arms"])
        lines.append(
            "Diamonds: printed medians"
            + ("; bars: their printed intervals, which were not fitted." if bars else ".")
        )
    return lines


def _from_start(curve: Json) -> tuple[FloatArray, FloatArray]:
    time, survival = style.floats(curve["time"]), style.floats(curve["survival"])
    return np.concatenate([[0.0], time]), np.concatenate([[1.0], survival])


def _caption(contents: Json) -> str:
    if contents["approximate"]:
        return "Approximate survival from a printed summary: not patients, and not the published curve."
    return "Kaplan–Meier curves of the reconstructed patients over the clicks on the printed curve."


def _description(contents: Json) -> str:
    return "; ".join(f"{a['name']}: {a['events']} events of {a['n']}" for a in contents["arms"]) + "."
