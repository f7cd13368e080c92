"""Every patient's marker before and after as a line, one panel a marker and group, with what changed."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import axis_label, shortened
from troughline.report.figures.scale import Scale, scale_of
from troughline.report.figures.style import Json
from troughline.report.numbers import number, p_value, short_interval, unit_text
from troughline.report.reading import entries

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_MARKERS = 6
MOST_GROUPS = 5
_LEFT, _RIGHT, _TOP, _HEIGHT, _GAP, _HEAD = 0.78, 6.85, 0.66, 1.5, 0.16, 0.46


def sketch_change_pairs(question: Json) -> Sketch:
    """Draw `series["change"]`: lines from before to after, hollow ends at the limit where below it."""
    data: Json = question["series"]["change"]
    markers = entries(data, "markers")
    shown = markers[:MOST_MARKERS]
    columns = min(max(len(entries(m, "groups")) for m in shown), MOST_GROUPS)
    sheet = style.sheet(_TOP + len(shown) * (_HEIGHT + _HEAD) + 0.25)
    width = (_RIGHT - _LEFT - _GAP * (columns - 1)) / columns
    colors = style.ramp(columns)
    for row, marker in enumerate(shown):
        scale = _scale(marker, str(data.get("scale")))
        top = _TOP + row * (_HEIGHT + _HEAD)
        for k, group in enumerate(entries(marker, "groups")[:MOST_GROUPS]):
            axes = style.panel(sheet, left=_LEFT + k * (width + _GAP), top=top, width=width, height=_HEIGHT)
            _panel(axes, group, scale, colors[k], first=k == 0)
            if row == 0:
                _above(axes, _group_name(data, group), 30, style.INK, "bold", style.BASE)
            _above(axes, f"n = {group['n']}, {_size(data, marker, group)}", 16, style.text_color(colors[k]))
            _above(axes, _p_words(group), 5, style.MUTED)
            if k == 0:
                axes.set_ylabel(axis_label(shortened(_marker_name(marker, data), 24), marker.get("unit")))
            last = row == len(shown) - 1
            occasions = [str(data.get("first")), str(marker.get("occasion"))] if last else ["", ""]
            axes.set_xticks([0.0, 1.0], [shortened(o, 14) for o in occasions])
            axes.tick_params(axis="x", length=0)
    return Sketch(
        sheet, "Before and after in every patient", _caption(data, markers, shown), _description(data, shown)
    )


def _scale(marker: Json, scale: str) -> Scale:
    values = style.finite(*[g[key] for g in entries(marker, "groups") for key in ("before", "after")])
    return scale_of(values, log=scale == "ratio") if values.size else scale_of(np.array([1.0, 2.0]))


def _panel(axes: Axes, group: Json, scale: Scale, color: str, *, first: bool) -> None:
    style.bare(axes, keep=("bottom",))
    scale.apply(axes, axis="y", labels=first)
    axes.tick_params(axis="y", length=0)
    for tick in scale.ticks():
        axes.axhline(tick, color=style.HAIRLINE, linewidth=0.5, zorder=0)
    axes.set_xlim(-0.28, 1.28)
    before, after = style.floats(group.get("before")), style.floats(group.get("after"))
    cut = [_flags(group, name) for name in ("before", "after")]
    many = before.size > 200
    for x, y, b, a in zip(before, after, cut[0], cut[1], strict=True):
        axes.plot(
            [0, 1], [x, y], color=color, alpha=0.15 if many else 0.42, linewidth=0.8,
            linestyle=(0, (2, 2)) if b or a else "-", zorder=2, rasterized=before.size > 600,
        )  # fmt: skip
    for place, values, beyond in ((0, before, cut[0]), (1, after, cut[1])):
        for chosen, face in ((~beyond, color), (beyond, "#ffffff")):
            axes.scatter(
                np.full(int(chosen.sum()), float(place)), values[chosen], s=5 if many else 11,
                facecolors=face, edgecolors=color, linewidths=0.7, zorder=3, alpha=0.9, clip_on=False,
                rasterized=before.size > 600,
            )  # fmt: skip
    if before.size >= 3:
        middle = [float(np.median(before)), float(np.median(after))]
        axes.plot([0, 1], middle, color="#ffffff", linewidth=3.4, zorder=2.5)
        axes.plot([0, 1], middle, color=style.INK, linewidth=1.9, zorder=5)


def _flags(group: Json, name: str) -> NDArray[np.bool_]:
    return flags_of(group, f"{name}_below") | flags_of(group, f"{name}_above")


def flags_of(group: Json, name: str) -> NDArray[np.bool_]:
    """A list of yes and no as an array."""
    listed: list[Any] = list(group.get(name) or [])
    return np.array([bool(v) for v in listed], dtype=np.bool_)


def _above(
    axes: Axes, text: str, points: int, color: str, weight: str = "normal", size: float = style.SMALL
) -> None:
    axes.annotate(
        text, xy=(0.0, 1.0), xycoords="axes fraction", xytext=(0, points), textcoords="offset points",
        ha="left", va="bottom", fontsize=size, color=color, fontweight=weight, annotation_clip=False,
    )  # fmt: skip


def _group_name(data: Json, group: Json) -> str:
    name, label = str(group.get("name")), str(data.get("group_label") or "")
    return shortened(f"{label} {name}" if label and name.replace(".", "").isdigit() else name, 30)


def _marker_name(marker: Json, data: Json) -> str:
    return str(marker.get("marker"))


def _size(data: Json, marker: Json, group: Json) -> str:
    """`× 1.31 (1.12–1.51)` or `+0.4 ng/mL (0.1–0.7)`."""
    value, low, high = group.get("change"), group.get("low"), group.get("high")
    if value is None and low is None and high is None:
        return "no estimate" if group.get("p") is None else "size not bounded"
    ratio = data.get("scale") == "ratio"
    size = "size open" if value is None else f"× {number(value)}" if ratio else number(value)
    span = short_interval(low, high, value=value)
    return size + (f" ({span})" if span else "")


def _p_words(group: Json) -> str:
    if group.get("p") is None:
        return "not tested"
    corrected = group.get("p_adjusted")
    alone = p_value(group["p"]).removeprefix("p = ").removeprefix("p ")
    return f"p {alone} alone" + (
        ""
        if corrected is None
        else f", {p_value(corrected).removeprefix('p = ').removeprefix('p ')} corrected"
    )


def _caption(data: Json, markers: list[Json], shown: list[Json]) -> str:
    beyond = sum(
        int(_flags(g, n).sum()) for m in shown for g in entries(m, "groups") for n in ("before", "after")
    )
    ratio = data.get("scale") == "ratio"
    text = (
        "Each line is one patient; the dark line joins the medians. Above each panel the Hodges–Lehmann "
        f"{'ratio' if ratio else 'change'} with its interval, and the p-value alone and corrected for all "
        "tests of the question."
    )
    if beyond:
        text += f" {beyond} hollow ends are levels beyond a limit, drawn at it, their lines broken."
    if len(markers) > len(shown):
        text += f" {len(markers) - len(shown)} more are in the tables."
    most = max(len(entries(m, "groups")) for m in shown)
    if most > MOST_GROUPS:
        text += f" The first {MOST_GROUPS} of {most} groups are drawn."
    return text


def _description(data: Json, shown: list[Json]) -> str:
    parts = [
        f"{m.get('marker')} in {unit_text(m.get('unit')) or 'its unit'}, {g.get('name')}: {g.get('n')} "
        f"pairs, {_size(data, m, g)}, {_p_words(g)}"
        for m in shown
        for g in entries(m, "groups")
    ]
    return "Paired lines. " + "; ".join(parts) + "."
