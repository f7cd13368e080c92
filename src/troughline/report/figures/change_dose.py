"""Each patient's change by group or over a measured exposure, with the change of each group and the trend."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.change_pairs import MOST_MARKERS, flags_of
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import axis_label, shortened
from troughline.report.figures.scale import Scale, scale_of, swarm
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import interval, number, p_value
from troughline.report.reading import entries

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _TOP, _HEIGHT, _HEAD, _FOOT, _GAP = 0.8, 0.06, 1.9, 0.52, 0.55, 0.62
_ACROSS = 3
_DOT_IN = 0.07


@dataclass(frozen=True, slots=True)
class _Changes:
    """Changes of one group; `side` is 0 known, 1 at least, −1 at most; not known at all: not there."""

    value: FloatArray
    side: FloatArray
    exposure: FloatArray
    n_unknown: int


def sketch_change_by_dose(question: Json) -> Sketch:
    """Draw `series["change"]`: dots are patients, triangles changes known on one side, squares the groups."""
    data: Json = question["series"]["change"]
    markers = entries(data, "markers")
    shown = markers[:MOST_MARKERS]
    across = min(len(shown), _ACROSS)
    rows = -(-len(shown) // _ACROSS)
    sheet = style.sheet(_TOP + rows * (_HEAD + _HEIGHT + _FOOT))
    width = (6.85 - _LEFT - _GAP * (across - 1)) / across
    over_exposure = any(
        np.isfinite(style.floats(g.get("exposure"))).any() for m in shown for g in entries(m, "groups")
    )
    ratio = data.get("scale") == "ratio"
    for k, marker in enumerate(shown):
        top = _TOP + _HEAD + (k // _ACROSS) * (_HEAD + _HEIGHT + _FOOT)
        axes = style.panel(
            sheet, left=_LEFT + (k % _ACROSS) * (width + _GAP), top=top, width=width, height=_HEIGHT
        )
        changes = [_changes(g, ratio) for g in entries(marker, "groups")]
        ends = [[g.get("low"), g.get("high"), g.get("change")] for g in entries(marker, "groups")]
        scale = _scale(changes, ends, ratio)
        style.bare(axes, keep=("bottom",))
        scale.apply(axes, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.axhline(1.0 if ratio else 0.0, color=style.PUBLISHED, linewidth=1.0, zorder=0)
        if over_exposure:
            _over_exposure(axes, data, marker, changes)
        else:
            _by_group(axes, data, marker, changes, scale)
        _title(axes, marker, over_exposure)
        if k % _ACROSS == 0:
            label = f"{'ratio' if ratio else 'change'}, {marker.get('occasion')} to {data.get('first')}"
            axes.set_ylabel(shortened(label, 34))
    return Sketch(
        sheet,
        "Change over exposure" if over_exposure else "Change by group",
        _caption(data, markers, shown, over_exposure),
        _description(data, shown),
    )


def _changes(group: Json, ratio: bool) -> _Changes:
    before, after = style.floats(group.get("before")), style.floats(group.get("after"))
    flags = [flags_of(group, name) for name in ("before_below", "before_above", "after_below", "after_above")]
    start_low, start_high, end_low, end_high = flags
    with np.errstate(divide="ignore", invalid="ignore"):
        value = after / before if ratio else after - before
    at_least = (start_low & ~end_low) | (end_high & ~start_high)
    at_most = (end_low & ~start_low) | (start_high & ~end_high)
    unknown = (start_low & end_low) | (start_high & end_high) | (at_least & at_most)
    side = at_least.astype(np.float64) - at_most.astype(np.float64)
    kept = ~unknown & np.isfinite(value)
    return _Changes(value[kept], side[kept], style.floats(group.get("exposure"))[kept], int((~kept).sum()))


def _scale(changes: list[_Changes], ends: list[list[float | None]], ratio: bool) -> Scale:
    seen = style.finite(*[c.value for c in changes], *ends, [1.0 if ratio else 0.0])
    if ratio:
        seen = seen[seen > 0]
        # Unbounded ends would press everything else together.
        own = np.concatenate([*(c.value for c in changes), np.array([1.0])])
        low, high = float(own[own > 0].min()), float(own.max())
        seen = np.clip(seen, low / 2, high * 2)
    return scale_of(seen, log=ratio)


def _by_group(axes: Axes, data: Json, marker: Json, changes: list[_Changes], scale: Scale) -> None:
    groups = entries(marker, "groups")
    colors = style.ramp(len(groups))
    axes.set_xlim(-0.6, len(groups) - 0.4)
    height = _HEIGHT
    for k, (group, own, color) in enumerate(zip(groups, changes, colors, strict=True)):
        offsets = swarm(own.value, scale, width_in=height, dot_in=_DOT_IN) * 0.055
        offsets = np.clip(offsets, -0.34, 0.34) - 0.06
        _dots(axes, k + offsets, own, color)
        value, low, high = group.get("change"), group.get("low"), group.get("high")
        x = k + 0.4
        if low is not None or high is not None:
            bottom = scale.low if low is None or low < scale.low else low
            top = scale.high if high is None or high > scale.high else high
            axes.plot([x, x], [bottom, top], color=style.GUARDED, linewidth=1.9, zorder=5)
            for end, edge, sign in ((low, bottom, "v"), (high, top, "^")):
                if end is None or end != edge:
                    axes.plot([x], [edge], sign, markersize=5, color=style.GUARDED, clip_on=False, zorder=6)
        if value is not None:
            axes.plot(
                [x], [value], "s", markersize=5.4, color=style.GUARDED, markeredgecolor="#ffffff", zorder=6
            )
    axes.set_xticks(range(len(groups)), [shortened(str(g.get("name")), 12) for g in groups])
    axes.tick_params(axis="x", length=0)
    label = str(data.get("group_label") or "")
    if label:
        axes.set_xlabel(shortened(label, 40))


def _over_exposure(axes: Axes, data: Json, marker: Json, changes: list[_Changes]) -> None:
    known = style.finite(*[c.exposure for c in changes])
    scale = scale_of(known)
    scale.apply(axes)
    for own, color in zip(changes, style.ramp(len(changes)), strict=True):
        there = np.isfinite(own.exposure)
        _dots(
            axes,
            own.exposure[there],
            _Changes(own.value[there], own.side[there], own.exposure[there], 0),
            color,
        )
    axes.set_xlabel(axis_label(str(data.get("exposure_label")), data.get("exposure_unit")) + scale.words)


def _dots(axes: Axes, x: FloatArray, own: _Changes, color: str) -> None:
    for side, sign, face in ((0.0, "o", color), (1.0, "^", "#ffffff"), (-1.0, "v", "#ffffff")):
        chosen = own.side == side
        if chosen.any():
            axes.scatter(
                x[chosen], own.value[chosen], s=13 if sign == "o" else 17, marker=sign, facecolors=face,
                edgecolors=color, linewidths=0.8, alpha=0.85, zorder=3, clip_on=False,
            )  # fmt: skip


def _title(axes: Axes, marker: Json, over_exposure: bool) -> None:
    words = [("same_p", "group × time"), ("exposure_p" if over_exposure else "trend_p", "trend")]
    told = [f"{name} {p_value(marker[key])}" for key, name in words if marker.get(key) is not None]
    lines = [(str(marker.get("marker")), 5 + 10 * len(told), style.INK, "bold")]
    lines += [(text, 4 + 10 * k, style.MUTED, "normal") for k, text in enumerate(reversed(told))]
    for text, points, color, weight in lines:
        axes.annotate(
            shortened(text, 44), xy=(0.0, 1.0), xycoords="axes fraction", xytext=(0, points),
            textcoords="offset points", ha="left", va="bottom", color=color, fontweight=weight,
            fontsize=style.BASE if weight == "bold" else style.SMALL, annotation_clip=False,
        )  # fmt: skip


def _caption(data: Json, markers: list[Json], shown: list[Json], over_exposure: bool) -> str:
    ratio = data.get("scale") == "ratio"
    text = f"Each dot is the {'ratio' if ratio else 'change'} of one patient. "
    if over_exposure:
        text += "Colours are the groups, light to dark. "
    else:
        text += (
            "Blue squares and lines are Hodges–Lehmann's estimates with their intervals; an arrow runs on. "
        )
    changes = [_changes(g, ratio) for m in shown for g in entries(m, "groups")]
    one_sided = sum(int((c.side != 0).sum()) for c in changes)
    unknown = sum(c.n_unknown for c in changes)
    if one_sided:
        text += f"{one_sided} triangles are changes known on one side only: so much or more, as they point. "
    if unknown:
        text += f"{unknown} changes between two levels beyond a limit, of no known direction, are not drawn. "
    if len(markers) > len(shown):
        text += f"{len(markers) - len(shown)} more are in the tables. "
    return text.strip()


def _description(data: Json, shown: list[Json]) -> str:
    parts: list[str] = []
    for m in shown:
        for g in entries(m, "groups"):
            value = g.get("change")
            size = "no single value" if value is None else number(value)
            parts.append(
                f"{m.get('marker')}, {g.get('name')}: {size} {interval(g.get('low'), g.get('high'))}"
            )
    return "Dot plot. " + "; ".join(parts) + "."
