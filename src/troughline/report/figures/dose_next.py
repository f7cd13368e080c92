"""The value of one more sample, over the times at which it could be drawn."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.pk_parts import heading
from troughline.report.figures.scale import Scale, linear_ticks, tick_text
from troughline.report.figures.style import Json
from troughline.report.numbers import number, percent
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _TOP, _HEIGHT, _WIDTH, _GAP = 0.72, 0.36, 1.75, 2.55, 0.95
_CRITERION = {"utility": "expected utility", "p_in": "P(in the target)"}


def sketch_next(results: Json) -> Sketch:
    """Draw `next_sample.candidates`: the gain of the decision, and how often it would still be wrong."""
    data: Json = part(results, "next_sample")
    rows: list[Json] = entries(data, "candidates")
    sheet = style.sheet(_TOP + _HEIGHT + 0.55)
    gains, wrong = (
        style.panel(sheet, left=_LEFT + k * (_WIDTH + _GAP), top=_TOP, width=_WIDTH, height=_HEIGHT)
        for k in range(2)
    )
    start = float(part(results, "decision").get("day") or 0.0)
    days = [float(r["day"]) - start for r in rows]
    span = max(max(days, default=1.0), 0.5)
    best = data.get("best")
    for axes in (gains, wrong):
        axes.set_xlim(-0.04 * span, 1.06 * span)
        ticks = [t for t in linear_ticks(0.0, 1.06 * span) if t >= 0]
        axes.set_xticks(ticks, [tick_text(t) for t in ticks])
        axes.set_xlabel("days after the decision")
    as_percent = data.get("criterion") == "p_in"
    _gains(gains, rows, days, best, as_percent)
    heading(gains, f"Gain in {_CRITERION.get(str(data.get('criterion')), 'the criterion')}")
    _wrong(wrong, rows, days, best)
    heading(wrong, "Probability of a wrong choice")
    return Sketch(
        sheet, "What one more sample would bring", _caption(rows, results), _description(rows, days)
    )


def _gains(axes: Axes, rows: list[Json], days: list[float], best: Any, as_percent: bool) -> None:
    low = min([0.0, *(r["gain"] - r["gain_error"] for r in rows)])
    high = max(r["gain"] + r["gain_error"] for r in rows)
    high = high if high > low else low + 0.01
    scale = Scale(low - 0.04 * (high - low), high + 0.1 * (high - low), False)
    ticks = scale.ticks()
    axes.set_ylim(scale.low, scale.high)
    axes.set_yticks(ticks, [_point(t) if as_percent else tick_text(t) for t in ticks])
    axes.axhline(0.0, color="#9aa4ad", linewidth=0.7, zorder=0)
    axes.plot(days, [r["gain"] for r in rows], color=style.GUARDED, linewidth=1.0, alpha=0.5, zorder=1)
    for k, (row, day) in enumerate(zip(rows, days, strict=True)):
        axes.plot(
            [day, day],
            [row["gain"] - row["gain_error"], row["gain"] + row["gain_error"]],
            color=style.GUARDED,
            linewidth=1.0,
            zorder=2,
        )
        _dot(axes, day, row["gain"], k == best)


def _point(value: float) -> str:
    return f"{tick_text(round(100 * value, 6))}%"


def _wrong(axes: Axes, rows: list[Json], days: list[float], best: Any) -> None:
    highest = max(max(r["p_wrong_before"], r["p_wrong_after"]) for r in rows)
    top = min(1.0, max(0.1, -(-highest * 1.15 // 0.1) * 0.1))
    style.percent_axis(axes, step=0.1 if top <= 0.5 else 0.25, top=top)
    before = rows[0]["p_wrong_before"]
    axes.axhline(before, color=style.PUBLISHED, linewidth=1.1, linestyle=(0, (4, 2)))
    axes.annotate(
        "without it",
        xy=(1.0, before),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        ha="right",
        textcoords="offset points",
        va="bottom",
        fontsize=style.SMALL,
        color=style.MUTED,
        annotation_clip=False,
    )
    axes.plot(days, [r["p_wrong_after"] for r in rows], color=style.GUARDED, linewidth=1.0, alpha=0.5)
    for k, (row, day) in enumerate(zip(rows, days, strict=True)):
        _dot(axes, day, row["p_wrong_after"], k == best)


def _dot(axes: Axes, x: float, y: float, best: bool) -> None:
    axes.plot(
        [x],
        [y],
        "o",
        markersize=8.0 if best else 5.2,
        color=style.GUARDED if best else "#ffffff",
        markeredgecolor=style.GUARDED,
        markeredgewidth=1.2,
        zorder=4,
        clip_on=False,
    )


def _caption(rows: list[Json], results: Json) -> str:
    best = part(results, "next_sample").get("best")
    text = (
        "Left: what deciding with one more sample, drawn at that time, gains on average, with its error. "
        "Right: how often the regimen chosen would not be the best; dashed: without the sample. "
    )
    return text + (f"Filled: the best time, {rows[best]['label']}." if best is not None else "")


def _description(rows: list[Json], days: list[float]) -> str:
    parts = [
        f"{day:.3g} days, {row['label']}: gain {number(row['gain'])}, "
        f"wrong choice {percent(row['p_wrong_after'])}"
        for row, day in zip(rows, days, strict=True)
    ]
    return "; ".join(parts) + "."
