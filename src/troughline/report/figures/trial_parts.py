"""What the figures of a virtual trial share: a colour an arm, names in a column, a row of small panels."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from troughline.report.figures import style
from troughline.report.figures.style import Json
from troughline.report.numbers import interval, micro, number
from troughline.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CONTROL = style.PUBLISHED
_KEY_WIDTH, KEY_LINE = 6.3, 0.18
_OTHERS = (
    style.GUARDED, "#c07a17", style.BENEFIT, "#7a4f8f", "#a23b5b", "#4d7d32", "#2f8f9d", "#8c6d1f",
)  # fmt: skip


def arm_colours(results: Json) -> dict[str, str]:
    """A colour an arm by its id: grey for the arm that others are compared with."""
    controls = [str(c["control"]) for c in results["comparisons"]]
    control = max(controls, key=controls.count) if controls else None
    others = [str(a["id"]) for a in results["arms"] if a["id"] != control]
    found = {a: _OTHERS[k % len(_OTHERS)] for k, a in enumerate(others)}
    return {str(a["id"]): found.get(str(a["id"]), _CONTROL) for a in results["arms"]}


def arm_names(results: Json) -> dict[str, str]:
    """The label of each arm by its id."""
    return {str(a["id"]): str(a["label"]) for a in results["arms"]}


def short_names(results: Json, most: int = 22) -> dict[str, str]:
    """The label of each arm where all have at most `most` letters, else the id of each."""
    names = {str(a["id"]): micro(str(a["label"])) for a in results["arms"]}
    fit = all(len(name) <= most for name in names.values())
    return {arm: name if fit else micro(arm) for arm, name in names.items()}


def months(day: float | None) -> float:
    """Days as months of 30.4375 days; NaN for None."""
    return math.nan if day is None else float(day) / DAYS_PER_MONTH


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """`0.69 (0.55–0.87)`."""
    span = interval(low, high, value=value)
    return f"{number(value)} ({span})" if span else number(value)


def name_beside(axes: Axes, y: float, text: str, *, colour: str = style.INK, bold: bool = False) -> None:
    """A name left of the axes at height y of the data."""
    axes.annotate(
        text, xy=(0, y), xycoords=("axes fraction", "data"), xytext=(-8, 0), textcoords="offset points",
        ha="right", va="center", fontsize=style.BASE, color=style.text_color(colour),
        fontweight="bold" if bold else "normal", annotation_clip=False,
    )  # fmt: skip


def text_beside(axes: Axes, y: float, text: str, *, shift: float = 8.0, colour: str = style.INK) -> None:
    """A text right of the axes at height y of the data."""
    axes.annotate(
        text, xy=(1, y), xycoords=("axes fraction", "data"), xytext=(shift, 0), textcoords="offset points",
        ha="left", va="center", fontsize=style.SMALL, color=style.text_color(colour), annotation_clip=False,
    )  # fmt: skip


def heading(axes: Axes, text: str, *, colour: str = style.INK, pad: float = 7.0) -> None:
    """A bold title over the left end of axes."""
    axes.annotate(
        text, xy=(0, 1), xycoords="axes fraction", xytext=(0, pad), textcoords="offset points",
        ha="left", va="bottom", fontsize=style.BASE, fontweight="bold", color=style.text_color(colour),
        annotation_clip=False,
    )  # fmt: skip


def key_lines(arms: Sequence[tuple[str, str]]) -> list[list[tuple[float, str, str]]]:
    """Names and colours of arms in lines no wider than the key, each with its place from the left, inches."""
    lines: list[list[tuple[float, str, str]]] = [[]]
    x = 0.0
    for words, colour in arms:
        width = 0.26 + style.text_width_in(words) + 0.2
        if lines[-1] and x + width > _KEY_WIDTH:
            lines.append([])
            x = 0.0
        lines[-1].append((x, words, colour))
        x += width
    return lines


def arm_key(sheet: Figure, arms: Sequence[tuple[str, str]], left: float) -> None:
    """Names of arms over the panels, each with its line, in `key_lines` `KEY_LINE` apart; `left` in inch."""
    for k, line in enumerate(key_lines(arms)):
        axes = style.panel(sheet, left=left, top=0.1 + KEY_LINE * k, width=_KEY_WIDTH, height=0.16)
        style.bare(axes)
        axes.set_xlim(0, _KEY_WIDTH)
        axes.set_ylim(0, 1)
        for x, words, colour in line:
            axes.plot([x, x + 0.2], [0.5, 0.5], color=colour, linewidth=2.4)
            axes.text(x + 0.26, 0.5, words, va="center", fontsize=style.SMALL, color=style.text_color(colour))
