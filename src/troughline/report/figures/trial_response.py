"""Best response by RECIST 1.1 and mRECIST as stacked bars, an arm a bar."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.style import Json
from troughline.report.figures.trial_parts import name_beside, short_names
from troughline.report.numbers import micro, percent
from troughline.report.trial_view import estimate_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESPONSES = (
    ("CR", "complete", "#0b4f4f"),
    ("PR", "partial", "#2b8a83"),
    ("SD", "stable", "#a9c9c5"),
    ("PD", "progressive", "#c8562b"),
    ("NE", "not evaluable", "#d9dee3"),
)
_ROW, _LEFT, _WIDTH = 0.34, 1.75, 3.6


def sketch_response(results: Json) -> Sketch:
    """For each criterion a block of bars."""
    arms: list[Json] = results["arms"]
    criteria = [c for c in ("recist", "mrecist") if any(a["responses"].get(c) for a in arms)]
    block = _ROW * len(arms)
    sheet = style.sheet(0.35 + (block + 0.42) * len(criteria) + 0.32)
    listed: list[str] = []
    for b, criterion in enumerate(criteria):
        axes = style.panel(sheet, left=_LEFT, top=0.55 + b * (block + 0.42), width=_WIDTH, height=block)
        style.bare(axes, keep=("bottom",) if b == len(criteria) - 1 else ())
        axes.set_xlim(0, 1)
        axes.set_ylim(len(arms), 0)
        words = "RECIST 1.1" if criterion == "recist" else "mRECIST"
        axes.annotate(
            words,
            xy=(0, 1),
            xycoords="axes fraction",
            xytext=(-_LEFT * 72 + 8, 4),
            textcoords="offset points",
            fontsize=style.BASE,
            fontweight="bold",
            va="bottom",
        )
        for k, arm in enumerate(arms):
            y, start, shares = (
                k + 0.5,
                0.0,
                {k: float(v or 0.0) / 100 for k, v in arm["responses"][criterion].items()},
            )
            name_beside(axes, y, short_names(results)[str(arm["id"])])
            for key, _, colour in RESPONSES:
                width = shares[key]
                axes.barh(y, width, left=start, height=0.66, color=colour)
                printed = _median(arm, criterion, key.lower())
                if width > 0.055:
                    light = key in {"SD", "NE"}
                    axes.text(
                        start + width / 2,
                        y,
                        percent(width if printed is None else printed),
                        ha="center",
                        va="center",
                        fontsize=style.BASE,
                        color=style.INK if light else "#ffffff",
                    )
                start += width
            for j, name in enumerate(("orr", "dcr")):
                value = _median(arm, criterion, name)
                axes.annotate(
                    percent(value),
                    xy=(1, y),
                    xycoords=("axes fraction", "data"),
                    xytext=(48 + 46 * j, 0),
                    textcoords="offset points",
                    ha="right",
                    va="center",
                    fontsize=style.BASE,
                    annotation_clip=False,
                )
            listed.append(
                f"{words}, {micro(str(arm['label']))}: "
                + ", ".join(f"{percent(shares[key])} {words_of}" for key, words_of, _ in RESPONSES)
                + " (means over the trials)"
            )
        if b == 0:
            for j, text in enumerate(("response", "disease\ncontrol")):
                axes.annotate(
                    text,
                    xy=(1, 1),
                    xycoords="axes fraction",
                    xytext=(48 + 46 * j, 4),
                    textcoords="offset points",
                    ha="right",
                    va="bottom",
                    fontsize=style.SMALL,
                    color=style.MUTED,
                    annotation_clip=False,
                )
        if b == len(criteria) - 1:
            axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0%", "25%", "50%", "75%", "100%"])
    _key(sheet)
    return Sketch(
        sheet,
        "Best response",
        "Best response over all images of a patient, all virtual patients of the arm. mRECIST measures "
        "what is not necrotic. Response: complete or partial. Disease control: these and stable disease. "
        "Lengths are means over the trials; numbers that the table of the arms has are its medians.",
        "Stacked bars. " + "; ".join(listed) + ".",
    )


def _median(arm: Json, criterion: str, name: str) -> float | None:
    """The median over the trials that the table of the arms prints, as a share; None where it has none."""
    e = estimate_of(arm, name if criterion == "recist" else f"m_{name}")
    return None if e is None or e["value"] is None else float(e["value"]) / 100


def _key(sheet: Figure) -> None:
    axes = style.panel(sheet, left=_LEFT, top=0.1, width=_WIDTH, height=0.14)
    style.bare(axes)
    axes.set_xlim(0, _WIDTH)
    axes.set_ylim(0, 1)
    x = 0.0
    for _, words, colour in RESPONSES:
        axes.barh(0.5, 0.11, left=x, height=0.75, color=colour)
        axes.text(x + 0.15, 0.5, words, va="center", fontsize=style.SMALL, color=style.MUTED)
        x += 0.15 + style.text_width_in(words) + 0.13
