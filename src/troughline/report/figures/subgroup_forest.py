"""Treatment effects in subgroups: raw, one at a time, beside shrunken by a hierarchical model."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import row_text, shortened
from troughline.report.figures.scale import scale_of
from troughline.report.figures.style import Json
from troughline.report.numbers import micro, number, short_interval
from troughline.report.reading import part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _WIDTH, _ROW, _HEAD = 2.3, 2.4, 0.3, 0.26
_SHOWN = (0.05, 20.0)
_text = partial(row_text, width_in=_WIDTH, bold_size=style.SMALL)


def sketch_subgroup_forest(question: Json) -> Sketch:
    """Draw `series["subgroups"]`: grey squares raw, blue diamonds shrunken, dashed everybody."""
    data: Json = question["series"]["subgroups"]
    rows: list[Json] = list(data["rows"])
    ratio = data.get("scale") != "difference"
    heads = [k for k, r in enumerate(rows) if k == 0 or r["factor"] != rows[k - 1]["factor"]]
    height = _HEAD * len(heads) + _ROW * len(rows) + 0.1
    sheet = style.sheet(height + 0.95)
    axes = style.panel(sheet, left=_LEFT, top=0.42, width=_WIDTH, height=height)
    style.bare(axes, keep=("bottom",))
    keys = ("raw", "raw_low", "raw_high", "shrunken", "shrunken_low", "shrunken_high")
    ends = [float(r[k]) for r in rows for k in keys if r.get(k) is not None]
    if ratio:
        ends = [min(max(e, _SHOWN[0]), _SHOWN[1]) for e in ends]
    scale = scale_of(style.finite(ends, 0.5 if ratio else 0.0, 2.0 if ratio else 0.0), margin=0.04, log=ratio)
    scale.apply(axes)
    axes.set_ylim(height, 0.0)
    axes.axvline(1.0 if ratio else 0.0, color=style.PUBLISHED, linewidth=1.0, zorder=0)
    overall = part(data, "overall").get("value")
    if overall is not None:
        axes.axvline(float(overall), color=style.INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    for x, text, color in (
        (_WIDTH + 0.14, "raw", style.PUBLISHED_TEXT),
        (_WIDTH + 1.22, "shrunken", style.GUARDED),
        (-0.72, "patients", style.MUTED),
    ):
        _text(axes, x, -0.14, text, color, bold=x > 0)
    y, listed = 0.0, list[str]()
    for k, row in enumerate(rows):
        if k in heads:
            y += _HEAD
            _text(axes, 0.12 - _LEFT, y - 0.09, micro(str(row["factor"])), style.INK, bold=True)
        _row(axes, row, y + _ROW / 2, scale.low, scale.high)
        listed.append(
            f"{row['factor']} {row['level']}: raw {_said(row, 'raw')}, shrunken {_said(row, 'shrunken')}"
        )
        y += _ROW
    axes.set_xlabel(f"{data.get('scale')}" + (", log scale" if ratio else ""))
    arms: list[str] = list(data.get("arms") or [])
    against = f" of {arms[0]} against {arms[1]}" if len(arms) == 2 else ""
    caption = (
        f"The {data.get('scale')}{against} in each subgroup: grey one subgroup at a time, blue with all "
        "subgroups in one model that draws them together by as much as the data allow. The dashed line is "
        "the effect in everybody. An arrow marks an interval that runs on."
    )
    return Sketch(sheet, "Treatment effect in subgroups", caption, "Forest plot. " + "; ".join(listed) + ".")


def _row(axes: Axes, row: Json, y: float, low: float, high: float) -> None:
    _text(axes, 0.24 - _LEFT, y, shortened(micro(str(row["level"])), 22), style.INK)
    _text(axes, -0.72, y, f"{row['n_treated']} / {row['n_control']}", style.MUTED)
    looks = (("raw", -0.055, "s", style.PUBLISHED, 4.6), ("shrunken", 0.06, "D", style.GUARDED, 4.2))
    for name, shift, shape, color, size in looks:
        value, start, end = row.get(name), row.get(f"{name}_low"), row.get(f"{name}_high")
        if value is None:
            continue
        at = y + shift
        if start is not None or end is not None:
            left = low if start is None else max(low, start)
            right = high if end is None else min(high, end)
            if left <= right:
                axes.plot([left, right], [at, at], color=color, linewidth=1.5, zorder=2)
            if start is None or start < low:
                axes.plot([low], [at], "<", markersize=4, color=color, clip_on=False)
            if end is None or end > high:
                axes.plot([high], [at], ">", markersize=4, color=color, clip_on=False)
        axes.plot(
            [min(max(value, low), high)], [at], shape, markersize=size, color=color,
            markeredgecolor="#ffffff", markeredgewidth=0.6, zorder=3, clip_on=False,
        )  # fmt: skip
    _text(axes, _WIDTH + 0.14, y, _said(row, "raw"), style.PUBLISHED_TEXT)
    _text(axes, _WIDTH + 1.22, y, _said(row, "shrunken"), style.GUARDED)


def _said(row: Json, name: str) -> str:
    value = row.get(name)
    if value is None:
        return "no estimate"
    span = short_interval(row.get(f"{name}_low"), row.get(f"{name}_high"), value=value)
    return f"{number(value)} ({span})" if span else number(value)
