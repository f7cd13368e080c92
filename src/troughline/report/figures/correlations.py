"""Rank correlations of markers with characteristics, plain and adjusted, in one forest."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import row_text
from troughline.report.figures.style import Json
from troughline.report.numbers import micro, p_value
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _WIDTH, _ROW, _HEAD = 1.75, 2.9, 0.3, 0.28
_MOST_ROWS = 48
_text = partial(row_text, width_in=_WIDTH)


def sketch_correlations(question: Json) -> Sketch:
    """Draw `series["correlations"]`: Spearman's correlation, and the partial one below it where adjusted."""
    every = entries(part(part(question, "series"), "correlations"), "rows")
    rows = every[:_MOST_ROWS]
    markers = list(dict.fromkeys(str(r["marker"]) for r in rows))
    height = _HEAD * len(markers) + _ROW * len(rows) + 0.1
    sheet = style.sheet(height + 0.85)
    axes = style.panel(sheet, left=_LEFT, top=0.32, width=_WIDTH, height=height)
    style.bare(axes, keep=("bottom",))
    axes.set_xlim(-1.0, 1.0)
    axes.set_xticks([-1.0, -0.5, 0.0, 0.5, 1.0], ["−1", "−0.5", "0", "0.5", "1"])
    axes.set_ylim(height, 0.0)
    axes.axvline(0.0, color=style.PUBLISHED, linewidth=1.0, zorder=0)
    axes.set_xlabel("rank correlation (Spearman)")
    adjusted = any(r.get("partial") for r in rows)
    _text(axes, _WIDTH + 0.12, -0.14, "Spearman (interval)", style.MUTED)
    _text(axes, _WIDTH + 1.55, -0.14, "p (trend, Holm)", style.MUTED)
    if adjusted:
        _key(axes)
    listed: list[str] = []
    y = 0.0
    for marker in markers:
        y += _HEAD
        _text(axes, 0.12 - _LEFT, y - 0.1, micro(marker), style.INK, bold=True)
        for row in (r for r in rows if r["marker"] == marker):
            listed.append(_row(axes, row, y + _ROW / 2))
            y += _ROW
    caption = (
        "Spearman's correlation of each marker with each characteristic, with its interval"
        f"{' (filled), and below it the partial one after adjustment (hollow)' if adjusted else ''}. Left of "
        "the line at 0 the marker is lower where the characteristic is higher. p belongs to another test, "
        "that of trend (Jonckheere–Terpstra or Kendall), corrected over all pairs (Holm): an interval may "
        "end on either side of 0 where p is near 0.05."
    )
    if len(every) > len(rows):
        caption += f" {len(every) - len(rows)} more are in the tables."
    return Sketch(
        sheet,
        "Correlations of markers with characteristics",
        caption,
        f"Forest plot. {'; '.join(listed)}.",
    )


def _key(axes: Axes) -> None:
    """What a filled and a hollow square are, above the panel."""
    for x, hollow, text in ((0.07, False, "plain"), (0.62, True, "adjusted")):
        axes.plot(
            [2 * x / _WIDTH - 1], [-0.14], "s", clip_on=False,
            markersize=4.4 if hollow else 5.4, color="#ffffff" if hollow else style.GUARDED,
            markeredgecolor=style.GUARDED if hollow else "#ffffff", markeredgewidth=0.9 if hollow else 0.7,
        )  # fmt: skip
        _text(axes, x + 0.1, -0.14, text, style.MUTED)


def _p(value: Any) -> str:
    """`0.008` or `< 0.001`: the head of the column says that it is a p."""
    return p_value(value).removeprefix("p ").removeprefix("= ")


def _row(axes: Axes, row: Json, y: float) -> str:
    """One pair; returns it in words."""
    name = micro(str(row["characteristic"]))
    _text(axes, 0.24 - _LEFT, y, name, style.INK)
    plain, partial = row["spearman"], row.get("partial")
    _span(axes, plain, y - (0.06 if partial else 0.0), hollow=False)
    if partial:
        _span(axes, partial, y + 0.06, hollow=True)
    words = _words(plain)
    _text(axes, _WIDTH + 0.12, y, words, style.GUARDED)
    _text(axes, _WIDTH + 1.55, y, _p(row.get("p_holm")), style.INK)
    return f"{micro(str(row['marker']))} and {name}: {words}" + (
        f", partial {_words(partial)}" if partial else ""
    )


def _span(axes: Axes, found: Json, y: float, *, hollow: bool) -> None:
    low, high = found.get("low"), found.get("high")
    if low is not None and high is not None:
        axes.plot([low, high], [y, y], color=style.GUARDED, linewidth=1.1 if hollow else 1.7, zorder=2)
    axes.plot(
        [found["value"]], [y], "s", markersize=4.4 if hollow else 5.4, zorder=3,
        color="#ffffff" if hollow else style.GUARDED,
        markeredgecolor=style.GUARDED if hollow else "#ffffff", markeredgewidth=0.9 if hollow else 0.7,
    )  # fmt: skip


def _words(found: Json) -> str:
    """`−0.34 (−0.53 to −0.11)`: a correlation has two decimals."""
    low, high = found.get("low"), found.get("high")
    span = "" if low is None or high is None else f" ({_two(low)} to {_two(high)})"
    return f"{_two(found['value'])}{span}"


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")
