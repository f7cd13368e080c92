"""Every measured level on a log axis, by daily dose: which were used for the answers and which not."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import axis_label, bars
from troughline.report.figures.scale import Scale, scale_of, swarm
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import micro, number
from troughline.report.reading import entries

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DAY = re.compile(r"\s*\(day [\d.]+\)")
_LEFT, _WIDTH, _DOT = 1.35, 5.35, 0.085


def sketch_exposure(exposure: Json, whose: str = "") -> Sketch:
    """Draw `results["exposure"]`: a row a daily dose, a dot a sample; hollow where a sample was not used.

    `whose` is the title of the question by whose rules samples were used or not.
    """
    samples = [s for s in entries(exposure, "samples") if _positive(s.get("value"))]
    scale = scale_of(np.array([float(s["value"]) for s in samples]), log=True)
    many = len(samples) > style.BARS_ABOVE
    rows: list[tuple[str, list[Json], FloatArray, float]] = []
    for name, members in _by_dose(samples):
        values = np.array([float(s["value"]) for s in members])
        dot = _DOT if values.size <= 150 else 0.05
        offsets = np.zeros(values.size) if many else swarm(values, scale, width_in=_WIDTH, dot_in=dot) * dot
        rows.append((name, members, offsets, 0.8 if many else max(0.34, float(np.ptp(offsets)) + dot + 0.2)))
    plot_height = min(sum(r[3] for r in rows), 6.0)
    sheet = style.sheet(plot_height + 0.95)
    axes = style.panel(sheet, left=_LEFT, top=0.32, width=_WIDTH, height=plot_height)
    style.bare(axes, keep=("bottom",))
    scale.apply(axes)
    total = sum(r[3] for r in rows)
    axes.set_ylim(total, 0.0)
    for tick in scale.ticks():
        axes.axvline(tick, color=style.HAIRLINE, linewidth=0.6, zorder=0)
    colors = _dose_colors([r[0] for r in rows])
    top = 0.0
    for (name, members, offsets, height), color in zip(rows, colors, strict=True):
        _name_row(axes, name, len(members), top + height / 2, color)
        if many:
            _bars(axes, scale, members, top + height, color)
        else:
            _dots(axes, members, offsets, top + height / 2, color)
        top += height
    axes.set_xlabel(axis_label(exposure.get("label"), exposure.get("unit"), "level") + scale.words)
    _key(axes, samples)
    return Sketch(
        sheet, "Exposure distribution", _caption(exposure, samples, whose), _description(exposure, rows)
    )


def _name_row(axes: Axes, name: str, n: int, middle: float, color: str) -> None:
    axes.annotate(
        f"{name}\n",
        xy=(0, middle),
        xycoords=("axes fraction", "data"),
        xytext=(-8, -1.5),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=style.BASE,
        color=style.text_color(color),
        linespacing=1.2,
    )
    axes.annotate(
        f"{n} samples" if n != 1 else "1 sample",
        xy=(0, middle),
        xycoords=("axes fraction", "data"),
        xytext=(-8, -5),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=style.SMALL,
        color=style.MUTED,
    )


def _dots(axes: Axes, members: list[Json], offsets: FloatArray, middle: float, color: str) -> None:
    values = np.array([float(s["value"]) for s in members])
    used = np.array([s.get("used") != "not used" for s in members])
    below = np.array([bool(s.get("below_limit")) for s in members])
    size = 26.0 if values.size <= 150 else 9.0
    for chosen, marker, face, edge in (
        (used & ~below, "o", color, color),
        (~used & ~below, "o", "#ffffff", style.PUBLISHED),
        (used & below, "<", color, color),
        (~used & below, "<", "#ffffff", style.PUBLISHED),
    ):
        if np.any(chosen):
            axes.scatter(
                values[chosen],
                middle + offsets[chosen],
                s=size,
                marker=marker,
                facecolors=face,
                edgecolors=edge,
                linewidths=0.8,
                alpha=0.9,
                zorder=3,
            )
    if np.count_nonzero(used) >= 3:
        median = float(np.median(values[used]))
        half = 0.13
        axes.plot([median, median], [middle - half, middle + half], color=style.INK, linewidth=1.6, zorder=4)


def _bars(axes: Axes, scale: Scale, members: list[Json], foot: float, color: str) -> None:
    values = np.array([float(s["value"]) for s in members])
    used = np.array([s.get("used") != "not used" for s in members])
    bars(axes, scale, ((values[used], color), (values[~used], "#c3cad0")), foot=foot, height=0.68)
    if np.any(used):
        median = float(np.median(values[used]))
        axes.plot([median, median], [foot - 0.74, foot], color=style.INK, linewidth=1.2, zorder=4)


def _key(axes: Axes, samples: list[Json]) -> None:
    """What the marks mean, above the rows; only marks that occur."""
    x = 0.0
    many = len(samples) > style.BARS_ABOVE
    entries = [("s" if many else "o", style.GUARDED, style.GUARDED, "used")]
    if any(s.get("used") == "not used" for s in samples):
        entries.append(
            ("s", "#c3cad0", "#c3cad0", "not used") if many else ("o", "#ffffff", style.PUBLISHED, "not used")
        )
    if any(s.get("below_limit") for s in samples) and not many:
        entries.append(("<", "#ffffff", style.INK, "below the limit"))
    for marker, face, edge, text in [*entries, ("|", style.INK, style.INK, "median of those used")]:
        axes.plot(
            [x + 0.008],
            [1.0],
            marker,
            markersize=7 if marker == "|" else 4.6,
            markerfacecolor=face,
            markeredgecolor=edge,
            markeredgewidth=1.6 if marker == "|" else 0.9,
            clip_on=False,
            transform=_above(axes),
        )
        axes.text(
            x + 0.022,
            1.0,
            text,
            transform=_above(axes),
            fontsize=style.SMALL,
            color=style.MUTED,
            va="center_baseline",
        )
        x += 0.055 + 0.92 * style.text_width_in(text) / _WIDTH


def _above(axes: Axes) -> Any:
    from matplotlib.transforms import ScaledTranslation

    figure = axes.get_figure()
    assert figure is not None
    return axes.transAxes + ScaledTranslation(0, 0.13, figure.dpi_scale_trans)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]


def _by_dose(samples: list[Json]) -> list[tuple[str, list[Json]]]:
    doses = sorted({float(s["dose_mg_per_day"]) for s in samples if s.get("dose_mg_per_day") is not None})
    if len(doses) > 6:
        edges = np.quantile(doses, [0.0, 0.34, 0.67, 1.0])
        groups = [
            (f"{number(a)}–{number(b)} mg/day", [s for s in samples if _within(s, a, b, b == edges[-1])])
            for a, b in pairwise(edges)
        ]
    else:
        groups = [(f"{d:g} mg/day", [s for s in samples if s.get("dose_mg_per_day") == d]) for d in doses]
    unknown = [s for s in samples if s.get("dose_mg_per_day") is None]
    if unknown:
        groups.append(("dose not recorded" if doses else "all samples", unknown))
    return [(name, members) for name, members in groups if members]


def _within(sample: Json, low: float, high: float, last: bool) -> bool:
    dose = sample.get("dose_mg_per_day")
    return dose is not None and (low <= dose < high or (last and dose == high))


def _dose_colors(names: list[str]) -> list[str]:
    known = [n for n in names if n.endswith("mg/day")]
    colors = iter(style.ramp(len(known)) if known else ())
    return [
        next(colors) if n in known else style.GUARDED if n == "all samples" else style.MUTED for n in names
    ]


def _positive(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and value > 0


def _caption(exposure: Json, samples: list[Json], whose: str) -> str:
    unit = micro(str(exposure.get("unit") or ""))
    values = np.array([float(s["value"]) for s in samples if s.get("used") != "not used"])
    patients = len({s.get("patient") for s in samples})
    many = len(samples) > style.BARS_ABOVE
    counted = f"{len(samples)} sample{'s' * (len(samples) != 1)} of {patients} patient{'s' * (patients != 1)}"
    dosed = any(s.get("dose_mg_per_day") is not None for s in samples)
    text = f"Each dot is one sample ({counted})" + (", in the row of the daily dose. " if dosed else ". ")
    if many:
        text = f"How often each level was measured ({counted})" + (", by daily dose. " if dosed else ". ")
    if whose:
        text += f"What was used is what the question “{micro(whose)}” uses. "
    if values.size:
        text += (
            f"The {values.size} samples used have a median of {_median(values)} {unit} and run "
            f"from {number(float(values.min()))} to {number(float(values.max()))}. "
        )
    reasons = Counter(
        _DAY.sub("", str(s.get("reason") or "no reason given"))
        for s in samples
        if s.get("used") == "not used"
    )
    if reasons:
        listed = "; ".join(f"{micro(reason)} ({n})" for reason, n in reasons.most_common(4))
        text += f"{'Grey samples' if many else 'Hollow dots'} were not used: {listed}."
    unplaced = len(entries(exposure, "samples")) - len(samples)
    if unplaced:
        text += f" {unplaced} samples without a positive value are not drawn."
    return text.strip()


def _description(exposure: Json, rows: list[tuple[str, list[Json], FloatArray, float]]) -> str:
    unit = micro(str(exposure.get("unit") or ""))
    parts = [
        f"{name}: {len(members)} samples, median {_median([s['value'] for s in members])} {unit}"
        for name, members, _, _ in rows
    ]
    return "Dot plot on a log axis. " + "; ".join(parts) + "."


def _median(values: Any) -> str:
    return number(float(np.median(values)))
