"""The marker in patients with and without the outcome, with the cuts drawn through both rows."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import (
    axis_label,
    bars,
    cut_rows,
    cut_text,
    cut_values,
    mark_cuts,
    usable_cuts,
    wrapped,
)
from troughline.report.figures.scale import scale_of, swarm
from troughline.report.figures.style import Json
from troughline.report.numbers import interval, micro, number, unit_text

_LEFT, _WIDTH, _DOT = 1.45, 5.25, 0.09


def sketch_strip(question: Json) -> Sketch:
    """Draw `series["distribution"]`: one dot a patient, one row an outcome, hollow where below the limit."""
    series: Json = question["series"]
    data: Json = series["distribution"]
    value, outcome = style.floats(data["value"]), style.floats(data["outcome"])
    below = np.array([bool(b) for b in data.get("below_limit") or [False] * value.size])
    drawn = np.isfinite(value) & np.isfinite(outcome)
    name = micro(str(data.get("outcome_label") or "the outcome"))
    cuts = usable_cuts(series.get("cuts"))
    scale = scale_of(np.concatenate([value[drawn], cut_values(cuts)]))
    many = value.size > style.BARS_ABOVE
    dot = _DOT if np.count_nonzero(drawn) <= 200 else 0.045
    rows: list[tuple[str, str, np.ndarray, np.ndarray, float]] = []
    for word, color, chosen in (
        ("with", style.INK, drawn & (outcome > 0.5)),
        ("without", "#8fa3b5", drawn & (outcome <= 0.5)),
    ):
        offsets = np.zeros(int(np.count_nonzero(chosen)))
        if not many:
            offsets = swarm(value[chosen], scale, width_in=_WIDTH, dot_in=dot) * dot
        height = max(0.7, (float(np.ptp(offsets)) if offsets.size else 0.0) + 0.34)
        rows.append((word, color, chosen, offsets, height))
    label_rows = max(cut_rows(cuts, scale, _WIDTH), default=-1) + 1
    top_space = 0.1 + 0.14 * label_rows
    plot_height = min(sum(r[4] for r in rows), 5.0)
    sheet = style.sheet(top_space + plot_height + 0.6)
    axes = style.panel(sheet, left=_LEFT, top=top_space, width=_WIDTH, height=plot_height)
    style.bare(axes, keep=("bottom",))
    scale.apply(axes)
    axes.set_ylim(sum(r[4] for r in rows), 0.0)
    mark_cuts(axes, cuts, scale, width_in=_WIDTH)
    top = 0.0
    for word, color, chosen, offsets, height in rows:
        middle = top + height / 2
        top += height
        size = 30.0 if dot == _DOT else 8.0
        for part, face in ((~below[chosen], color), (below[chosen], "#ffffff")):
            if np.any(part) and not many:
                axes.scatter(
                    value[chosen][part],
                    middle + offsets[part],
                    s=size,
                    facecolors=face,
                    edgecolors=color,
                    linewidths=0.9,
                    zorder=3,
                    alpha=0.92,
                )
        if many:
            bars(axes, scale, ((value[chosen], color),), foot=top - 0.05, height=height - 0.12)
        if np.count_nonzero(chosen) >= 3:
            median = float(np.median(value[chosen]))
            ends = [top - height + 0.05, top - 0.05] if many else [middle - 0.17, middle + 0.17]
            axes.plot([median, median], ends, color="#ffffff", linewidth=3.4 if many else 0.0, zorder=4)
            axes.plot([median, median], ends, color=style.INK, linewidth=1.8, zorder=4)
        n = int(np.count_nonzero(chosen))
        lines = wrapped(f"{word} {name}", 21)
        for k, (text, shade) in enumerate(
            [(t, style.INK) for t in lines] + [(f"{n} patient{'s' if n != 1 else ''}", style.MUTED)]
        ):
            axes.annotate(
                text,
                xy=(0, middle),
                xycoords=("axes fraction", "data"),
                xytext=(-10, 5.2 * len(lines) - 10.4 * k),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=style.BASE if shade == style.INK else style.SMALL,
                color=shade,
            )
    axes.set_xlabel(axis_label(data.get("label"), data.get("unit"), "marker") + scale.words)
    return Sketch(
        sheet,
        f"Marker by outcome: {name}",
        _caption(data, value, outcome, drawn, below, cuts),
        _description(data, value, outcome, drawn),
    )


def _caption(
    data: Json, value: np.ndarray, outcome: np.ndarray, drawn: np.ndarray, below: np.ndarray, cuts: list[Json]
) -> str:
    unit = unit_text(data.get("unit"))
    name = micro(str(data.get("outcome_label") or "the outcome"))
    what = "How many patients have each value" if value.size > style.BARS_ABOVE else "Each dot is one patient"
    text = f"{what}, above with {name}, below without; the short line is the median. "
    with_it, without = value[drawn & (outcome > 0.5)], value[drawn & (outcome <= 0.5)]
    if with_it.size and without.size:
        medians = (number(float(np.median(x))) for x in (with_it, without))
        text += f"Medians are {' and '.join(medians)} {unit}. "
    hollow = int(np.count_nonzero(below & drawn))
    if hollow and value.size <= style.BARS_ABOVE:
        dots = "One hollow dot lies" if hollow == 1 else f"{hollow} hollow dots lie"
        text += f"{dots} below the limit of quantification. "
    bound = next(
        (c for c in cuts if c.get("kind") == "guarded" and interval(c.get("low"), c.get("high"))), None
    )
    if bound:
        span = interval(bound.get("low"), bound.get("high"), value=bound.get("value"))
        text += f"The blue band is the interval of the guarded cut ({span} {unit})."
    if not bound and cuts:
        text += f"Lines: {', '.join(cut_text(c) for c in cuts)}."
    missing = int(np.count_nonzero(~drawn))
    if missing:
        text += f" Without a usable value and not drawn: {missing}."
    return text.strip()


def _description(data: Json, value: np.ndarray, outcome: np.ndarray, drawn: np.ndarray) -> str:
    unit = unit_text(data.get("unit"))
    parts: list[str] = []
    for word, chosen in (("with", drawn & (outcome > 0.5)), ("without", drawn & (outcome <= 0.5))):
        x = value[chosen]
        if x.size:
            parts.append(
                f"{x.size} patients {word} the outcome: median {number(float(np.median(x)))}, "
                f"range {number(float(x.min()))} to {number(float(x.max()))} {unit}"
            )
    return "Dot plot. " + "; ".join(parts) + "."
