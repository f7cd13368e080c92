"""A result beside what is published: study by study, pooled, these patients, and both together."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import row_text, shortened
from troughline.report.figures.scale import Scale, scale_of
from troughline.report.figures.style import Json
from troughline.report.names import estimate_name
from troughline.report.numbers import micro, number, short_interval, unit_text
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _WIDTH, _ROW = 2.35, 2.75, 0.235
_HEAD, _FOOT, _TOP = 0.34, 0.32, 0.12
_OPEN = {"o": "o", "d": "s"}
_text = partial(row_text, width_in=_WIDTH)
"""Marks of what is not calculated with: a ring without an interval, an open square for another reason."""
_SHORT = {"same direction, different size": "different size"}
"""Verdicts that are too long for the column, as the figure has them."""
_LEAST_SPAN = 4.0
"""A log axis spans this factor at least, so that a small difference looks small."""
_SHOWN_SPAN = 30.0
"""A log axis goes no further than this factor beyond the values; an arrow marks what runs on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    words: str
    value: float | None
    low: float | None
    high: float | None
    color: str
    marker: str
    note: str = ""


def sketch_replication(question: Json) -> Sketch:
    """Draw each comparison of a question on an axis of its own; its prediction interval is a pale bar."""
    blocks = [(b, _lines(b)) for b in entries(question, "replication")]
    heights = [_ROW * len(lines) for _, lines in blocks]
    sheet = style.sheet(_TOP + sum(h + _HEAD + _FOOT for h in heights) + 0.12)
    top = _TOP
    for (block, lines), height in zip(blocks, heights, strict=True):
        axes = style.panel(sheet, left=_LEFT, top=top + _HEAD, width=_WIDTH, height=height)
        alike = [
            other for b, other in blocks if (b.get("name"), b.get("unit")) == (block["name"], block["unit"])
        ]
        _draw(axes, block, lines, height, _scale(block, [line for other in alike for line in other]))
        top += height + _HEAD + _FOOT
    words = [_described(block, lines) for block, lines in blocks]
    banded = any(b.get("margin_low") is not None for b, _ in blocks)
    caption = (
        "Grey: as printed. Blue: these patients. "
        + (
            "Black diamond: all published together. "
            if any(part(b, "pooled").get("k", 0) > 1 for b, _ in blocks)
            else ""
        )
        + (
            "Black cross: these patients and the published as one. "
            if any(part(b, "posterior") for b, _ in blocks)
            else ""
        )
        + (
            "The shaded band is what counts as the same result; the vertical line is no effect. "
            if banded
            else ""
        )
        + (
            "The pale bar is the prediction interval for one more setting. "
            if any(part(b, "pooled").get("prediction_low") is not None for b, _ in blocks)
            else ""
        )
        + (
            "Open ring: printed without an interval, shown only. "
            if any(line.marker == "o" for _, lines in blocks for line in lines)
            else ""
        )
        + (
            "Open square: not used, for the reason in the table. "
            if any(line.marker == "d" for _, lines in blocks for line in lines)
            else ""
        )
        + "A point alone has no interval."
    )
    return Sketch(sheet, "Against what is published", caption, " ".join(words))


def _lines(block: Json) -> list[_Line]:
    lines = [
        _Line(
            words=p["label"]
            + ("" if p.get("verified", True) else ", not verified")
            + (", error assumed" if p.get("basis") and p["used"] else ""),
            value=p["value"], low=p["low"], high=p["high"], color=style.PUBLISHED,
            marker="s" if p["used"] else "o" if p["low"] is None and p["high"] is None else "d",
        )
        for p in entries(block, "published")
    ]  # fmt: skip
    pooled: Json = part(block, "pooled")
    if pooled.get("k", 0) > 1:
        lines.append(
            _Line(
                words=f"{pooled['k']} studies pooled", value=pooled["value"], low=pooled["low"],
                high=pooled["high"], color=style.INK, marker="D",
            )
        )  # fmt: skip
    if pooled.get("prediction_low") is not None:
        lines.append(
            _Line(
                words="prediction interval", value=None, low=pooled["prediction_low"],
                high=pooled["prediction_high"], color="#b9c3cc", marker="",
            )
        )  # fmt: skip
    new: Json = part(block, "new")
    middle = bool(new.get("basis"))
    lines.append(
        _Line(
            words=f"these patients (n = {new.get('n')})", value=None if middle else new["value"],
            low=new["low"], high=new["high"], color=style.GUARDED, marker="s",
        )
    )  # fmt: skip
    posterior: Json = part(block, "posterior")
    if posterior:
        lines.append(
            _Line(
                words="together", value=posterior["value"], low=posterior["low"], high=posterior["high"],
                color=style.INK, marker="P",
            )
        )  # fmt: skip
    return lines


def _draw(axes: Axes, block: Json, lines: list[_Line], height: float, scale: Scale) -> None:
    style.bare(axes, keep=("bottom",))
    scale.apply(axes)
    axes.set_ylim(height, 0.0)
    low, high = block.get("margin_low"), block.get("margin_high")
    if low is not None and high is not None:
        axes.axvspan(max(low, scale.low), min(high, scale.high), color=style.PALE, zorder=0)
        null = {"auc": 0.5, "hazard_ratio": 1.0}.get(str(block.get("name")))
        if null is not None and scale.holds(null):
            axes.axvline(null, color=style.PUBLISHED, linewidth=1.0, zorder=1)
    name = estimate_name(str(block.get("name")))
    label = ", ".join(filter(None, (name.label, micro(str(block.get("label") or "")))))
    unit = unit_text(str(block.get("unit")))
    _text(
        axes, 0.12 - _LEFT, -0.16, shortened(label, 64) + (f" ({unit})" if unit else ""), style.INK, bold=True
    )
    verdict = str(block.get("agreement"))
    _text(axes, _WIDTH + 0.14, -0.16, _SHORT.get(verdict, verdict), style.INK, bold=True)
    for k, line in enumerate(lines):
        _row(axes, line, (k + 0.5) * _ROW, scale)


def _scale(block: Json, lines: list[_Line]) -> Scale:
    if block.get("scale") == "logit":
        lowest = min([v for line in lines for v in (line.low, line.value) if v is not None], default=0.5)
        return Scale(min(0.5, 0.1 * int(10 * lowest)) - 0.02, 1.02, False)
    values = [line.value for line in lines if line.value is not None]
    ends = [e for line in lines for e in (line.low, line.high) if e is not None]
    near = values or ends or [1.0]
    bounded = [min(max(e, min(near) / _SHOWN_SPAN), max(near) * _SHOWN_SPAN) for e in ends]
    shown = [*values, *bounded] or near
    middle, half = math.sqrt(min(shown) * max(shown)), math.sqrt(_LEAST_SPAN)
    return scale_of(style.finite([*shown, middle / half, middle * half], []), margin=0.05, log=True)


def _row(axes: Axes, line: _Line, y: float, scale: Scale) -> None:
    dark = style.text_color(line.color)
    text = style.MUTED if line.marker == "" else dark
    _text(axes, 0.24 - _LEFT, y, shortened(line.words, 36), text)
    if line.low is not None or line.high is not None:
        left = scale.low if line.low is None else max(line.low, scale.low)
        right = scale.high if line.high is None else min(line.high, scale.high)
        width = 6.0 if line.marker == "" else 1.7
        axes.plot([left, right], [y, y], color=line.color, linewidth=width, zorder=2)
        for end, printed, mark in ((left, line.low, "<"), (right, line.high, ">")):
            if printed is None or end != printed:
                axes.plot([end], [y], mark, markersize=5, color=line.color, clip_on=False)
    if line.value is not None:
        filled = line.marker not in _OPEN
        axes.plot(
            [line.value],
            [y],
            _OPEN.get(line.marker, line.marker),
            markersize={"D": 6.4, "P": 7.4}.get(line.marker, 5.6),
            color=line.color if filled else "#ffffff",
            markeredgecolor="#ffffff" if filled and line.marker != "P" else line.color,
            markeredgewidth=0.7 if filled else 1.3,
            zorder=3,
            clip_on=False,
        )
    _text(axes, _WIDTH + 0.14, y, _numbers(line), text)


def _numbers(line: _Line) -> str:
    span = short_interval(line.low, line.high, value=line.value)
    if line.value is None:
        return span or "no estimate"
    return f"{number(line.value)} ({span})" if span else number(line.value)


def _described(block: Json, lines: list[_Line]) -> str:
    name = estimate_name(str(block.get("name"))).label
    what = ", ".join(filter(None, (name, micro(str(block.get("label") or "")))))
    rows = "; ".join(f"{line.words}: {_numbers(line)}" for line in lines)
    return f"{what}, {block.get('agreement')}: {rows}."
