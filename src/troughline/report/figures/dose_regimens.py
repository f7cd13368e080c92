"""The candidate regimens: trough with its interval against the target, and P(below, in, above)."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.report.figures import style
from troughline.report.figures.dose_parts import (
    FORECAST,
    PARTS,
    TARGET_TEXT,
    row_name,
    shade_target,
    shown_regimens,
    target_text,
)
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import wrapped
from troughline.report.figures.pk_parts import apply_scale
from troughline.report.figures.scale import scale_of
from troughline.report.figures.style import Json
from troughline.report.numbers import interval, number, percent, unit_text
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES, _PANEL, _GAP, _BARS, _ROW, _TOP = 1.9, 2.35, 0.3, 2.2, 0.36, 0.42
LEAST_LABELLED = 0.08
"""A share below this is too narrow for its number to stand in the bar."""


def sketch_regimens(results: Json) -> Sketch:
    """Draw `regimens`, one row each, from the highest daily dose to the lowest."""
    rows: list[Json] = entries(results, "regimens")
    metric = "auc" if part(results, "target").get("metric") == "auc" else "trough"
    height = _ROW * len(rows)
    sheet = style.sheet(_TOP + height + 0.58)
    axes = style.panel(sheet, left=_NAMES, top=_TOP, width=_PANEL, height=height)
    bars = style.panel(sheet, left=_NAMES + _PANEL + _GAP, top=_TOP, width=_BARS, height=height)
    for one in (axes, bars):
        one.set_ylim(len(rows) - 0.5, -0.5)
        style.bare(one, keep=("bottom",) if one is axes else ())
    _exposures(axes, rows, results, metric)
    _shares(bars, rows, metric)
    return Sketch(sheet, "Candidate regimens", _caption(results, metric), _description(rows, metric))


def _exposures(axes: Axes, rows: list[Json], results: Json, metric: str) -> None:
    target: Json = part(results, "target")
    ends = [part(r, metric).get(k) for r in rows for k in ("low", "high")]
    limits = [target[k] for k in ("low", "high") if target.get(k) is not None]
    scale = scale_of(style.finite(ends, limits), log=True)
    apply_scale(scale, axes)
    axes.tick_params(axis="x", length=3, labelbottom=True)
    shade_target(axes, target, low_end=scale.low, high_end=scale.high, upright=True)
    named = shown_regimens(results)
    for k, row in enumerate(rows):
        card, value = row["regimen"], part(row, metric)
        chosen = card["id"] in named
        color = FORECAST if chosen else style.GUARDED if card.get("current") else style.PUBLISHED
        if value.get("low") is not None and value.get("high") is not None:
            axes.plot([value["low"], value["high"]], [k, k], color=color, linewidth=1.6, zorder=2)
        if value.get("median") is not None:
            axes.plot(
                [value["median"]],
                [k],
                "o",
                markersize=5.6,
                color=color,
                markeredgecolor="#ffffff",
                markeredgewidth=0.8,
                zorder=3,
            )
        words = wrapped(str(card["label"]), 27, most=2)
        if card.get("current"):
            words[-1] += " (now)"
        ink = color if chosen or card.get("current") else style.INK
        row_name(axes, k, words, color=ink, bold=chosen, row_in=_ROW)
    unit = unit_text(part(rows[0], metric).get("unit")).replace("*", "·") if rows else ""
    axes.set_xlabel(f"{'AUC over 24 h' if metric == 'auc' else 'trough'} ({unit}), log scale")
    axes.annotate(
        f"target {target_text(target)}",
        xy=(0.5, 1.0),
        xycoords="axes fraction",
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=style.SMALL,
        color=TARGET_TEXT,
        annotation_clip=False,
    )


def _shares(axes: Axes, rows: list[Json], metric: str) -> None:
    axes.set_xlim(0.0, 1.0)
    for k, row in enumerate(rows):
        start = 0.0
        for key, _, color in PARTS:
            share = float(row[key])
            axes.barh(k, share, left=start, height=0.62, color=color, edgecolor="#ffffff", linewidth=0.8)
            if share >= LEAST_LABELLED:
                axes.annotate(
                    percent(share),
                    xy=(start + share / 2, k),
                    ha="center",
                    va="center",
                    fontsize=style.SMALL,
                    color="#ffffff" if key == "p_in" else style.INK,
                )
            start += share
    axes.annotate(
        "probability of the trough" if metric == "trough" else "probability of the AUC",
        xy=(0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, 17),
        textcoords="offset points",
        va="bottom",
        fontsize=style.SMALL,
        color=style.MUTED,
        annotation_clip=False,
    )
    x = 0.0
    for _, words, color in PARTS:
        axes.annotate(
            "■",
            xy=(x, 1.0),
            xycoords="axes fraction",
            xytext=(0, 5),
            textcoords="offset points",
            va="bottom",
            fontsize=style.BASE,
            color=color,
            annotation_clip=False,
        )
        axes.annotate(
            words,
            xy=(x + 0.065, 1.0),
            xycoords="axes fraction",
            xytext=(0, 5),
            textcoords="offset points",
            va="bottom",
            fontsize=style.SMALL,
            color=style.MUTED,
            annotation_clip=False,
        )
        x += 0.09 + (style.text_width_in(words) + 0.12) / _BARS


def _caption(results: Json, metric: str) -> str:
    day = float(part(results, "decision")["horizon_day"])
    what = "the area over 24 h" if metric == "auc" else "the trough"
    level = percent(results.get("level"))
    text = f"Left: {what} on day {day:g}, median and {level} interval, with the target in green. "
    text += "Right: the probability that it lies below, in and above the target. "
    if shown_regimens(results):
        text += "Violet: what the answer names. "
    return text + "Blue: the regimen in force."


def _description(rows: list[Json], metric: str) -> str:
    parts = [
        f"{r['regimen']['label']}: {number(part(r, metric).get('median'))} "
        f"({interval(part(r, metric).get('low'), part(r, metric).get('high'))}), "
        f"below {percent(r['p_below'])}, in {percent(r['p_in'])}, above {percent(r['p_above'])}"
        for r in rows
    ]
    return "; ".join(parts) + "."
