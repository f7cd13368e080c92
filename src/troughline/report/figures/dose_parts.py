"""What the figures of one patient's dose share: colours, the target, the regimens that are shown."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troughline.report.figures import style
from troughline.report.figures.style import Json
from troughline.report.numbers import number, unit_text
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

FORECAST, FORECAST_PALE = "#5b3f8c", "#e3dcef"
"""What lies ahead, under a regimen that is not taken yet."""
TARGET_PALE, TARGET_EDGE, TARGET_TEXT = "#e4f0e6", "#6b9a78", "#39694a"
BELOW, INSIDE, ABOVE = "#c3ccd4", "#2b5797", "#e0a23c"
"""Below, in and above the target: they differ in lightness, and stand in this order everywhere."""
PARTS = (("p_below", "below", BELOW), ("p_in", "in", INSIDE), ("p_above", "above", ABOVE))


def target_text(target: Json) -> str:
    """`1.40–3.45 µg/mL`, `at least 3.75 µg/mL`, `at most 5 µg/mL`, or that there are no limits."""
    low, high, unit = target.get("low"), target.get("high"), unit_text(target.get("unit"))
    if low is None and high is None:
        return "no limits"
    if low is None:
        return f"at most {number(high)} {unit}"
    return f"at least {number(low)} {unit}" if high is None else f"{number(low)}–{number(high)} {unit}"


def target_name(target: Json) -> str:
    """`Noda 2020, proposed target range`: the study of a published target stands before its label."""
    label = str(target.get("label") or target.get("id") or "")
    study = str(target.get("id") or "").split("/")[0].replace("-", " ").strip()
    name = study[:1].upper() + study[1:]
    if target.get("kind") != "published" or not study or label.lower().startswith(study.lower()):
        return label
    return f"{name}, {label}" if label else name


def history_text(run: Json) -> str:
    """`400 mg every 12 h`: what was taken over a stretch of days."""
    if run.get("label"):
        return str(run["label"])
    return f"{run['amount_mg']:g} mg every {run['interval_h']:g} h"


def shown_regimens(results: Json) -> list[str]:
    """Ids of the regimens that the answer names: the recommended or nearest, or those it cannot tell apart.

    Of the latter the one in force stands first where it is among them.
    """
    answer: Json = part(results, "recommendation")
    named = [answer["regimen"]] if answer.get("regimen") else []
    if answer.get("answer") == "not distinguished":
        named += [i for i in entries(answer, "among") if i not in named]
    return named


def current_regimen(results: Json) -> str | None:
    """Id of the regimen in force where it is a candidate."""
    return next((c["id"] for c in regimen_cards(results).values() if c.get("current")), None)


def regimen_cards(results: Json) -> dict[str, Json]:
    """The regimens' cards by id."""
    return {r["regimen"]["id"]: r["regimen"] for r in entries(results, "regimens")}


def shade_target(axes: Axes, target: Json, *, low_end: float, high_end: float, upright: bool = False) -> None:
    """The target as a pale field with its limits as lines; across, or upright where exposure runs across."""
    low, high = target.get("low"), target.get("high")
    if low is None and high is None:
        return
    way = "v" if upright else "h"
    span: Callable[..., Any] = getattr(axes, f"ax{way}span")
    line: Callable[..., Any] = getattr(axes, f"ax{way}line")
    start, end = (
        low_end if low is None else max(low, low_end),
        high_end if high is None else min(high, high_end),
    )
    if start < end:
        span(start, end, color=TARGET_PALE, zorder=-3)
    for limit in (low, high):
        if limit is not None and low_end < limit < high_end:
            line(limit, color=TARGET_EDGE, linewidth=0.9, zorder=-2)


def row_name(axes: Axes, row: float, lines: list[str], *, color: str, bold: bool, row_in: float) -> None:
    """The name of a row, `row_in` inches high, to the left of `axes`; each line a text of its own.

    One text of several lines would be set by the widths of another font than the one that shows it.
    """
    step = 0.125 / row_in
    for k, line in enumerate(lines):
        axes.annotate(
            line,
            xy=(0, row + (k - (len(lines) - 1) / 2) * step),
            xycoords=("axes fraction", "data"),
            xytext=(-8, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=style.SMALL,
            color=color,
            fontweight="bold" if bold else "normal",
            annotation_clip=False,
        )


def limit_interval(target: Json, side: str) -> tuple[float, float] | None:
    """The interval of the `low` or `high` limit, None where it is not known or open."""
    ends: Any = target.get(f"{side}_interval")
    if not ends or ends[0] is None or ends[1] is None:
        return None
    return float(ends[0]), float(ends[1])


KeyEntry = tuple[str, str, str | None, Any]
"""Words, line colour, band colour or None, dashes."""


def sheet_key(axes: Axes, listed: list[KeyEntry], *, width_in: float, height_in: float) -> None:
    """A row of swatches above the left end of `axes`, which are `width_in` by `height_in` inches."""
    x = 0.0
    for words, color, pale, dashes in listed:
        y = 1.0 + 0.17 / height_in
        ends = [x / width_in, (x + 0.26) / width_in]
        if pale:
            axes.plot(ends, [y, y], color=pale, linewidth=7, transform=axes.transAxes, clip_on=False)
        axes.plot(
            ends,
            [y, y],
            color=color,
            linewidth=1.6,
            linestyle=dashes,
            transform=axes.transAxes,
            clip_on=False,
        )
        axes.annotate(
            words,
            xy=((x + 0.32) / width_in, y),
            xycoords="axes fraction",
            va="center",
            fontsize=style.SMALL,
            color=style.MUTED,
            annotation_clip=False,
        )
        x += 0.32 + style.text_width_in(words) + 0.16
