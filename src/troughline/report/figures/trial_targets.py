"""Published values beside predicted ones, each on the scale of its own tolerance."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import shortened
from troughline.report.figures.style import Json
from troughline.report.figures.trial_parts import text_beside
from troughline.report.numbers import micro, number, percent
from troughline.report.trial_view import published_text, target_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW, _LEFT, _WIDTH, _END = 0.2, 2.75, 2.5, 3.0


def sketch_targets(results: Json) -> Sketch:
    """Left edge of the band: low end of the tolerance, right edge: its high end; far misses are arrows."""
    blocks = [
        (words, [t for t in results["targets"] if t["use"] == use])
        for use, words in (
            ("held out", "Held out: no fit has seen it"), ("calibrated", "Calibrated: the fit has seen it"),
            ("shown", "Shown: met by construction, seen before a change, or another number in other words"),
        )
    ]  # fmt: skip
    blocks = [(words, rows) for words, rows in blocks if rows]
    height = _ROW * sum(len(rows) + 1.6 for _, rows in blocks)
    sheet = style.sheet(height + 0.6)
    axes = style.panel(sheet, left=_LEFT, top=0.08, width=_WIDTH, height=height)
    style.bare(axes, keep=())
    axes.set_xlim(-_END, _END)
    axes.set_ylim(height / _ROW, 0)
    text_beside(axes, 0.9, "published → predicted", colour=style.MUTED)
    y, listed = 0.0, list[str]()
    for words, rows in blocks:
        axes.annotate(words, xy=(0, y + 1.0), xycoords=("axes fraction", "data"),
                      xytext=(-_LEFT * 72 + 8, 0), textcoords="offset points", va="center",
                      fontsize=style.BASE, fontweight="bold", annotation_clip=False)  # fmt: skip
        y += 1.6
        axes.fill_betweenx([y, y + len(rows)], -1, 1, color=style.BENEFIT_PALE, alpha=0.75, linewidth=0)
        for target in rows:
            _row(axes, y + 0.5, results, target)
            verdict = "inside" if target["inside"] else "MISS"
            listed.append(f"{target_name(results, target)}: published {published_text(target)}, predicted "
                          f"{number(target['predicted'])}, {verdict}")  # fmt: skip
            y += 1.0
    axes.annotate("low end of\nthe tolerance", xy=(-1, height / _ROW), xytext=(0, -4), ha="center", va="top",
                  textcoords="offset points", fontsize=style.SMALL, color=style.MUTED,
                  annotation_clip=False)  # fmt: skip
    axes.annotate("high end of\nthe tolerance", xy=(1, height / _ROW), xytext=(0, -4), ha="center", va="top",
                  textcoords="offset points", fontsize=style.SMALL, color=style.MUTED,
                  annotation_clip=False)  # fmt: skip
    return Sketch(
        sheet,
        "Published and predicted",
        "Each row on its own scale: the shaded band is the tolerance that the trial file states. "
        "Grey stroke: published; dot: median over the virtual trials, teal inside, vermilion a "
        f"miss{_line(results)}. A large arrow: a prediction beyond the axis.",
        "Dots on scales. " + "; ".join(listed) + ".",
    )


def _line(results: Json) -> str:
    if all(t["predicted_low"] is None for t in results["targets"]):
        return ""
    return (
        f"; line: the middle {percent(results['level'])} of these trials, with an arrow where it has no bound"
    )


def _row(axes: Axes, y: float, results: Json, target: Json) -> None:
    colour = style.BENEFIT if target["inside"] else style.TOXICITY
    axes.annotate(
        shortened(micro(target_name(results, target)), 60), xy=(0, y), xycoords=("axes fraction", "data"),
        xytext=(-8, 0), textcoords="offset points", ha="right", va="center", fontsize=style.SMALL,
        color=style.INK, annotation_clip=False,
    )  # fmt: skip
    place = _scale(target)
    published = place(target["published"])
    if published is not None and abs(published) <= _END:
        axes.plot([published] * 2, [y - 0.36, y + 0.36], color=style.PUBLISHED, linewidth=1.8)
    value, low, high = (place(target[k]) for k in ("predicted", "predicted_low", "predicted_high"))
    if low is not None or high is not None:
        # An end that is not bounded (a median not reached in some trials) runs off the axis.
        left, right = (-_END if low is None else max(low, -_END)), (_END if high is None else min(high, _END))
        axes.plot([left, right], [y, y], color=colour, linewidth=1.4, zorder=3)
        for end, none, mark in ((left, low is None, "<"), (right, high is None, ">")):
            if none:
                axes.plot([end], [y], mark, color=colour, markersize=4, zorder=3, clip_on=False)
    if value is not None and abs(value) <= _END:
        axes.plot([value], [y], "o", color=colour, markersize=5, zorder=4, markeredgecolor="#ffffff",
                  markeredgewidth=0.8)  # fmt: skip
    elif value is not None:
        axes.plot([math.copysign(_END, value)], [y], ">" if value > 0 else "<", color=colour, markersize=6,
                  zorder=4, clip_on=False)  # fmt: skip
    text = f"{published_text(target)} → {number(target['predicted'])}" + (
        "" if target["inside"] else "  MISS"
    )
    text_beside(axes, y, shortened(text, 34), colour=style.INK if target["inside"] else style.TOXICITY)


def _scale(target: Json) -> Callable[[float | None], float | None]:
    """From a value to its place: −1 at the low end of the tolerance, 1 at the high end."""
    low, high = target["low"], target["high"]

    def place(value: float | None) -> float | None:
        if value is None or low is None or high is None or high <= low:
            return None
        return 2.0 * (float(value) - low) / (high - low) - 1.0

    return place
