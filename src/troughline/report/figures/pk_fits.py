"""The first patients' fits: a panel each, with curve and band, samples, limit and doses."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import shortened
from troughline.report.figures.pk_parts import (
    Times,
    apply_scale,
    dots,
    flags,
    level_label,
    positive_scale,
    times_of,
    unpadded,
)
from troughline.report.figures.scale import Scale
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import micro, number, percent, unit_text
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_FITS = 12
"""Patients drawn."""
MOST_DOSES = 40
"""Doses of one panel beyond which they are not marked."""
MOST_CURVE_POINTS = 240
_COLUMNS, _LEFT, _RIGHT, _GAP_X, _GAP_Y, _HEIGHT = 3, 0.5, 0.1, 0.38, 0.5, 1.25
_TOP, _FOOT = 0.52, 0.58


def sketch_fits(data: Json) -> Sketch:
    """Draw the first 12 of `patients`, best over the days around their samples; each a dict with

    - `patient`, its name; `note`, a few words beside it;
    - `curve`: `time_h` with `individual`, and where given `low` and `high` (the band) and `population`;
    - `samples`: `time_h`, `value`, `below_limit`, drawn at `value` (the limit where below it);
    - `doses_h`: times of doses; `limit`: the limit of quantification.

    Also read: `log` (none: false), `level` of the band, `label`, `unit`.
    """
    patients = entries(data, "patients")[:MOST_FITS]
    columns = min(_COLUMNS, max(len(patients), 1))
    rows = -(-len(patients) // columns)
    width = (style.WIDTH_IN - _LEFT - _RIGHT - (_COLUMNS - 1) * _GAP_X) / _COLUMNS
    sheet = style.sheet(_TOP + rows * _HEIGHT + (rows - 1) * _GAP_Y + _FOOT)
    times = times_of(*(np.array([0.0, _span_h(p)]) for p in patients))
    for k, patient in enumerate(patients):
        axes = style.panel(
            sheet,
            left=_LEFT + (k % columns) * (width + _GAP_X),
            top=_TOP + (k // columns) * (_HEIGHT + _GAP_Y),
            width=width,
            height=_HEIGHT,
        )
        _one(axes, patient, times, width, log=bool(data.get("log")))
        if k + columns >= len(patients):
            axes.set_xlabel(f"time ({times.unit})", fontsize=style.SMALL)
        if k % columns == 0:
            axes.set_ylabel(unit_text(data.get("unit")), fontsize=style.SMALL)
            axes.yaxis.set_label_coords(-0.36 / width, 0.5)
    _key(sheet, data, patients)
    return Sketch(
        sheet, "Fits of the first patients", _caption(data, patients), _description(data, patients, times)
    )


def _span_h(patient: Json) -> float:
    joined = style.finite(part(patient, "curve").get("time_h"), part(patient, "samples").get("time_h"))
    return float(np.ptp(joined)) if joined.size else 0.0


def _one(axes: Axes, patient: Json, times: Times, width: float, *, log: bool) -> None:
    curve, samples = part(patient, "curve"), part(patient, "samples")
    x, y = times.shown(curve.get("time_h")), style.floats(curve.get("individual"))
    low, high = style.floats(curve.get("low")), style.floats(curve.get("high"))
    typical = style.floats(curve.get("population"))
    at, value = times.shown(samples.get("time_h")), style.floats(samples.get("value"))
    limit = patient.get("limit")
    every = style.finite(y, high, value, typical, *([] if limit is None else [np.array([float(limit)])]))
    across = _window(style.finite(x, at))
    vertical = positive_scale(every, low) if log else _from_zero(every)
    keep = _thin(next((c for c in (y, typical, low) if c.size == x.size), x))
    across.apply(axes)
    apply_scale(vertical, axes, axis="y")
    axes.tick_params(labelsize=style.SMALL, length=2)
    if low.size == high.size == x.size:
        axes.fill_between(x[keep], low[keep], high[keep], color=style.GUARDED_PALE, linewidth=0, zorder=1)
    if typical.size == x.size:
        axes.plot(
            x[keep], typical[keep], color=style.PUBLISHED, linewidth=0.9, linestyle=(0, (4, 2)), zorder=2
        )
    if y.size == x.size:
        axes.plot(x[keep], y[keep], color=style.GUARDED, linewidth=1.5, zorder=3)
    if limit is not None:
        axes.axhline(float(limit), color=style.MUTED, linewidth=0.8, linestyle=(0, (1, 2)), zorder=2)
    dots(axes, at, value, color=style.INK, below=flags(samples.get("below_limit"), at.size), size=14.0)
    _doses(axes, times.shown(_marked_doses(patient)))
    _heading(axes, patient, width)


def _heading(axes: Axes, patient: Json, width: float) -> None:
    """The patient's name above the panel on the left, and on the right the note, as far as it has room."""
    note = micro(str(patient.get("note") or ""))
    name = shortened(micro(str(patient.get("patient", ""))), 22 if note else 34)
    axes.annotate(
        name,
        xy=(0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=style.SMALL,
        fontweight="bold",
        annotation_clip=False,
    )
    room = int((width - style.text_width_in(name)) / (0.9 * style.text_width_in("x", 6.0)))
    if note and room >= 8:
        axes.annotate(
            shortened(note, room),
            xy=(1.0, 1.0),
            xycoords="axes fraction",
            xytext=(0, 4),
            textcoords="offset points",
            ha="right",
            fontsize=6.0,
            color=style.MUTED,
            annotation_clip=False,
        )


def _window(values: FloatArray) -> Scale:
    """A linear axis just around the times."""
    if values.size == 0:
        return Scale(0.0, 1.0, False)
    low, high = float(values.min()), float(values.max())
    room = 0.03 * (high - low) if high > low else 0.5
    return Scale(low - room, high + room, False)


def _from_zero(values: FloatArray) -> Scale:
    return unpadded(np.append(values, 0.0)) if values.size else Scale(0.0, 1.0, False)


def _thin(curve: FloatArray) -> NDArray[np.intp]:
    """Positions of at most so many points as a panel can show; of a longer curve the peaks and troughs."""
    if curve.size <= MOST_CURVE_POINTS:
        return np.arange(curve.size)
    parts = np.array_split(np.arange(curve.size), MOST_CURVE_POINTS // 2)
    ends = [(int(p[np.argmin(curve[p])]), int(p[np.argmax(curve[p])])) for p in parts]
    return np.unique(np.array([0, *(i for pair in ends for i in pair), curve.size - 1]))


def _marked_doses(patient: Json) -> FloatArray:
    """Hours of the doses within a panel; none where they are too many to be told apart."""
    seen = style.finite(part(patient, "curve").get("time_h"), part(patient, "samples").get("time_h"))
    at = style.floats(patient.get("doses_h"))
    if seen.size == 0:
        return np.empty(0)
    at = at[(at >= seen.min()) & (at <= seen.max())]
    return at if at.size <= MOST_DOSES else np.empty(0)


def _doses(axes: Axes, shown: FloatArray) -> None:
    if shown.size:
        axes.plot(
            shown,
            np.full(shown.size, 0.035),
            linestyle="",
            marker="^",
            markersize=3.4,
            color=style.MUTED,
            markeredgewidth=0,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
            zorder=4,
        )


def _key(sheet: style.Any, data: Json, patients: list[Json]) -> None:
    """What the marks mean, along the top; only marks that occur."""
    axes = style.panel(sheet, left=_LEFT, top=0.02, width=style.WIDTH_IN - _LEFT - _RIGHT, height=0.2)
    axes.set_axis_off()
    axes.set_xlim(0.0, style.WIDTH_IN - _LEFT - _RIGHT)
    axes.set_ylim(-1.0, 1.0)
    curves = [part(p, "curve") for p in patients]
    marks: list[tuple[str, str]] = [("line", "individual estimate")]
    if any(style.floats(c.get("low")).size for c in curves):
        marks.append(("band", f"{percent(data.get('level', 0.9))} interval"))
    if any(style.floats(c.get("population")).size for c in curves):
        marks.append(("typical", "typical patient"))
    marks.append(("dot", "sample"))
    if any(np.any(flags(part(p, "samples").get("below_limit"), 0)) for p in patients):
        marks.append(("below", "below the limit"))
    if any(p.get("limit") is not None for p in patients):
        marks.append(("limit", "limit"))
    if any(_marked_doses(p).size for p in patients):
        marks.append(("dose", "dose"))
    x = 0.0
    for kind, words in marks:
        _mark(axes, kind, x)
        axes.text(x + 0.29, 0.0, words, fontsize=style.SMALL, color=style.MUTED, va="center_baseline")
        x += 0.40 + 0.82 * style.text_width_in(words)


def _mark(axes: Axes, kind: str, x: float) -> None:
    ends, flat, middle = [x, x + 0.24], [0.0, 0.0], [x + 0.12]
    if kind == "band":
        axes.fill_between(ends, -0.45, 0.45, color=style.GUARDED_PALE, linewidth=0)
    elif kind == "line":
        axes.plot(ends, flat, color=style.GUARDED, linewidth=1.5)
    elif kind == "typical":
        axes.plot(ends, flat, color=style.PUBLISHED, linewidth=0.9, linestyle=(0, (4, 2)))
    elif kind == "limit":
        axes.plot(ends, flat, color=style.MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    elif kind == "dose":
        axes.plot(middle, [0.0], "^", markersize=3.2, color=style.MUTED, markeredgewidth=0)
    else:
        below = np.array([kind == "below"])
        dots(axes, np.array(middle), np.zeros(1), color=style.INK, below=below, size=14.0)


def _caption(data: Json, patients: list[Json]) -> str:
    n, shown = len(entries(data, "patients")), len(patients)
    level = percent(data.get("level", 0.9))
    text = f"One panel a patient, {level_label(data)}. The line is the individual estimate"
    if any(style.floats(part(p, "curve").get("low")).size for p in patients):
        text += f", the band its {level} interval"
    text += ", dots are the samples it rests on."
    if n > shown:
        text += f" The first {shown} of {n} patients."
    return text


def _description(data: Json, patients: list[Json], times: Times) -> str:
    unit = unit_text(data.get("unit"))
    parts: list[str] = []
    for p in patients:
        at, value = (
            times.shown(part(p, "samples").get("time_h")),
            style.floats(part(p, "samples").get("value")),
        )
        listed = ", ".join(
            f"{number(float(v))} at {number(float(t))} {times.unit}"
            for t, v in list(zip(at, value, strict=True))[:4]
        )
        more = f" and {at.size - 4} more" if at.size > 4 else ""
        parts.append(
            f"{p.get('patient', '')}: {at.size} samples" + (f" ({listed}{more} {unit})" if listed else "")
        )
    return "; ".join(parts) + "."
