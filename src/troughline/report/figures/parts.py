"""Parts that several figures share: cut points with intervals, curves with bands, groups, rugs, labels."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.scale import Scale
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import interval, micro, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIGN_AND_NUMBER = re.compile(r"([≥≤<>=]) (?=\d)")
_BRACKET = re.compile(r"\s*\([^()]*\)\s*$")
_CUT_LOOK = {
    "as-published": (style.PUBLISHED, style.PUBLISHED_TEXT, "-", 1.1),
    "guarded": (style.GUARDED, style.GUARDED, "-", 1.6),
    "external": ("#98a1a9", style.PUBLISHED_TEXT, (0, (1, 2)), 1.1),
}


def cut_text(cut: Json) -> str:
    """What stands at a cut: its label, and its value, or its range, where the label does not say it."""
    label = micro(str(cut.get("label") or cut.get("kind") or "cut"))
    if len(label) > 48:
        label = _BRACKET.sub("", label) or label
    label = shortened(label, 48)
    if cut.get("value") is None:
        return f"{label} {interval(cut.get('low'), cut.get('high'))}"
    value = number(cut["value"])
    return label if value in label or f"{cut['value']:g}" in label else f"{label} {value}"


def row_text(
    axes: Axes,
    x_in: float,
    y: float,
    text: str,
    color: str,
    *,
    width_in: float,
    bold: bool = False,
    bold_size: float = style.BASE,
    bold_ground: bool = False,
) -> None:
    """Text at the row `y`, `x_in` inches from the left end of axes that are `width_in` wide.

    With `bold_ground` bold text stands on white, so that no line runs through it.
    """
    axes.annotate(
        text,
        xy=(x_in / width_in, y),
        xycoords=("axes fraction", "data"),
        ha="left",
        va="center",
        color=color,
        fontsize=bold_size if bold else style.SMALL,
        fontweight="bold" if bold else "normal",
        annotation_clip=False,
        bbox={"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.0} if bold and bold_ground else None,
    )


def bars(
    axes: Axes, scale: Scale, layers: Sequence[tuple[FloatArray, str]], *, foot: float, height: float
) -> None:
    """Stacked bars of how often values occur, for rows of too many dots: `layers` are values with a colour.

    The bars stand on `foot` and reach `height` upwards on a vertical axis that points down.
    """
    edges = scale.values(np.linspace(0.0, 1.0, 49))
    counts = [np.histogram(values, edges)[0].astype(float) for values, _ in layers]
    tallest = max(float(np.sum(counts, axis=0).max()), 1.0)
    below = np.zeros(edges.size - 1)
    for (_, color), count in zip(layers, counts, strict=True):
        some = count > 0
        axes.bar(
            edges[:-1][some],
            -count[some] / tallest * height,
            width=np.diff(edges)[some],
            bottom=foot - below[some] / tallest * height,
            align="edge",
            color=color,
            edgecolor="#ffffff",
            linewidth=0.3,
            zorder=0.8,
        )
        below += count


def shortened(text: str, longest: int) -> str:
    """`text`, cut to `longest` letters with an ellipsis where it is longer."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def usable_cuts(cuts: Any, scale: Scale | None = None) -> list[Json]:
    """The cuts that have a value or a range (that lie on `scale`), from the lowest to the highest."""
    listed: list[Json] = list(cuts or [])
    found = [c for c in listed if _middle(c) is not None]
    if scale is not None:
        found = [c for c in found if scale.holds(_middle(c) or 0.0)]
    return sorted(found, key=lambda c: _middle(c) or 0.0)


def cut_values(cuts: Sequence[Json]) -> list[float]:
    """Every value of the cuts, for the limits of an axis."""
    return [float(c["value"]) for c in cuts if c.get("value") is not None]


def _middle(cut: Json) -> float | None:
    value, low, high = cut.get("value"), cut.get("low"), cut.get("high")
    if isinstance(value, (int, float)):
        return float(value)
    if low is None or high is None:
        return None
    return math.sqrt(low * high) if low > 0 else (low + high) / 2


def cut_rows(cuts: Sequence[Json], scale: Scale, width_in: float) -> list[int]:
    """The text row, counted up from the axes, in which each cut's label stands free of the others."""
    taken: list[float] = []
    rows: list[int] = []
    for cut in cuts:
        half = style.text_width_in(cut_text(cut)) / 2
        middle = min(max(scale.place(_middle(cut) or 0.0) * width_in, half), width_in - half)
        for row, right_edge in enumerate(taken):
            if middle - half > right_edge + 0.08:
                taken[row] = middle + half
                rows.append(row)
                break
        else:
            taken.append(middle + half)
            rows.append(len(taken) - 1)
    return rows


def mark_cuts(axes: Axes, cuts: Sequence[Json], scale: Scale, *, width_in: float) -> None:
    """Draw cuts as vertical lines over `axes`, labelled above, the guarded interval as a pale band."""
    for cut, row in zip(cuts, cut_rows(cuts, scale, width_in), strict=True):
        line, text, dashes, thickness = _CUT_LOOK.get(str(cut.get("kind")), _CUT_LOOK["external"])
        low, high = cut.get("low"), cut.get("high")
        if cut.get("kind") == "guarded" and (low is not None or high is not None):
            start = scale.low if low is None else max(low, scale.low)
            end = scale.high if high is None else min(high, scale.high)
            axes.axvspan(start, end, color=style.GUARDED_PALE, zorder=-2)
        if cut.get("value") is not None:
            axes.axvline(cut["value"], color=line, linewidth=thickness, linestyle=dashes, zorder=1)  # pyright: ignore[reportArgumentType]
        half = style.text_width_in(cut_text(cut)) / 2
        middle = min(max(scale.place(_middle(cut) or 0.0) * width_in, half), width_in - half) / width_in
        axes.annotate(
            cut_text(cut),
            xy=(middle, 1.0),
            xycoords="axes fraction",
            xytext=(0, 3 + 10 * row),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=style.SMALL,
            color=text,
            annotation_clip=False,
        )


def curve_with_band(
    axes: Axes,
    exposure: FloatArray,
    mean: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    color: str,
    pale: str,
) -> None:
    """A curve and, where both ends are given, its band."""
    if low.size == exposure.size and high.size == exposure.size:
        axes.fill_between(exposure, low, high, color=pale, linewidth=0, alpha=0.75, zorder=1)
    axes.plot(exposure, mean, color=color, linewidth=2.0, zorder=4)


def group_points(axes: Axes, groups: Sequence[Json] | None, *, color: str, shift: float = 1.0) -> None:
    """Observed risk by group of exposure: a ring at its middle times `shift`, its interval upright."""
    for group in groups or []:
        x, y = group.get("exposure"), group.get("risk")
        if x is None or y is None:
            continue
        x = x * shift
        if group.get("low") is not None and group.get("high") is not None:
            axes.plot(
                [x, x],
                [group["low"], group["high"]],
                color=color,
                linewidth=0.9,
                alpha=0.7,
                zorder=3,
                clip_on=False,
            )
        axes.plot(
            [x],
            [y],
            "o",
            markersize=5.2,
            color="#ffffff",
            markeredgecolor=color,
            markeredgewidth=1.3,
            zorder=5,
            clip_on=False,
        )


def rug(axes: Axes, observed: Json | None, *, color: str) -> None:
    """Every patient as a small line: with the outcome along the top, without it along the bottom."""
    if not observed:
        return
    exposure, outcome = style.floats(observed.get("exposure")), style.floats(observed.get("outcome"))
    if exposure.size != outcome.size or exposure.size == 0:
        return
    bottom, top = axes.get_ylim()
    length = 0.035 * (top - bottom)
    flat = exposure.size > style.RASTERIZE_ABOVE
    for chosen, start, way in ((outcome > 0.5, top, -1), (outcome <= 0.5, bottom, 1)):
        if np.any(chosen):
            axes.vlines(
                exposure[chosen],
                start,
                start + way * length,
                color=color,
                linewidth=0.8,
                alpha=0.8,
                rasterized=flat,
            )


EndLabel = tuple[float, list[tuple[str, str]], str]
"""Height on the axis, lines with their weights (`bold` or `normal`), colour."""


def end_labels(
    axes: Axes, ends: Sequence[EndLabel], *, height_in: float, top: float = 1.0, large: bool = False
) -> None:
    """Labels to the right of `axes`, a block of lines each, moved apart where blocks would touch.

    The vertical axis runs from 0 to `top` over `height_in` inches; with `large` a bold first line is larger.
    """
    line = 0.135 / height_in * top
    order = sorted(range(len(ends)), key=lambda i: ends[i][0])
    heights = [len(ends[i][1]) * line for i in order]
    middles = [ends[i][0] for i in order]
    for _ in range(80):
        for k in range(len(order) - 1):
            overlap = (heights[k] + heights[k + 1]) / 2 + 0.3 * line - (middles[k + 1] - middles[k])
            if overlap > 0:
                middles[k] -= overlap / 2
                middles[k + 1] += overlap / 2
        for k in range(len(order)):
            middles[k] = min(max(middles[k], heights[k] / 2), top - heights[k] / 2)
    for k, i in enumerate(order):
        _, lines, color = ends[i]
        for row, (text, weight) in enumerate(lines):
            axes.annotate(
                text,
                xy=(1.0, middles[k] + heights[k] / 2 - (row + 0.5) * line),
                xycoords=("axes fraction", "data"),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                color=color,
                fontweight=weight,
                fontsize=style.LARGE if weight == "bold" and row == 0 and large else style.SMALL,
                annotation_clip=False,
            )


def wrapped(text: str, width: int, *, most: int = 3) -> list[str]:
    """`text` in lines of at most `width` letters; what does not fit into `most` lines ends in an ellipsis."""
    lines = textwrap.wrap(_SIGN_AND_NUMBER.sub("\\1\u00a0", text), width)
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1][: width - 1]}…"]


def events_text(outcome: FloatArray) -> str:
    """`13 of 26 patients`."""
    return f"{int(np.nansum(outcome > 0.5))} of {outcome.size} patients"


def axis_label(label: str | None, unit: str | None, fallback: str = "exposure") -> str:
    """`trough (µg/mL)`: a label with its unit in brackets, unless the label already holds it."""
    text, printed = micro(str(label or fallback)).replace("_", " "), micro(str(unit or "").strip())
    return text if printed in {"", "1"} or f"({printed})" in text else f"{text} ({printed})"
