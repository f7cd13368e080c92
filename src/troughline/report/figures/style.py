"""The look of every figure: one palette, one scale of type, placement in inches, labels that do not collide.

Benefit is always teal, toxicity always vermilion, what is guarded blue, what is as published grey. The three
hues differ for every common colour vision deficiency and in lightness, so that a grey print keeps them apart.
"""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Json = dict[str, Any]
FloatArray = NDArray[np.float64]

INK = "#1d2a35"
MUTED = "#5c6873"
HAIRLINE = "#d5dbe0"
PALE = "#f1f4f6"
PUBLISHED = "#7b858e"
PUBLISHED_TEXT = "#5c6873"
GUARDED = "#2b5797"
GUARDED_PALE = "#dbe5f1"
BENEFIT = "#0e6b6b"
BENEFIT_PALE = "#d3e7e4"
TOXICITY = "#c8562b"
TOXICITY_TEXT = "#ab431b"
TOXICITY_PALE = "#f6ddd0"
RAMPS = {
    1: ("#2b5797",),
    2: ("#d48a1e", "#3b3a78"),
    3: ("#d9952b", "#2f8f9d", "#3b3270"),
    4: ("#dba13a", "#5aa17f", "#2d6f9b", "#3b2a66"),
}
"""Colours of groups ordered by exposure, from light to dark."""

WIDTH_IN = 7.0
SMALL = 7.0
BASE = 8.0
LARGE = 9.5
BARS_ABOVE = 600
"""Dots of one figure beyond which bars show how many there are instead of each."""
RASTERIZE_ABOVE = 1500
"""Lines of one rug beyond which an SVG holds them as a picture, so that it stays small."""

RC = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": BASE,
    "axes.labelsize": BASE,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9aa4ad",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "#ffffff",
    "xtick.labelsize": BASE,
    "ytick.labelsize": BASE,
    "xtick.color": "#9aa4ad",
    "ytick.color": "#9aa4ad",
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "butt",
    "patch.linewidth": 0.0,
    "path.simplify": True,
    "path.simplify_threshold": 0.2,
}


def sheet(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """An empty figure, 7 inches wide or as given."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in))


def panel(figure: Figure, *, left: float, top: float, width: float, height: float, **options: Any) -> Axes:
    """Axes placed in inches from the upper left corner of the sheet."""
    sheet_width, sheet_height = figure.get_size_inches()
    box = (
        left / sheet_width,
        1.0 - (top + height) / sheet_height,
        width / sheet_width,
        height / sheet_height,
    )
    return figure.add_axes(box, **options)


def bare(axes: Axes, *, keep: Sequence[str] = ()) -> None:
    """Take away the frame and ticks of `axes` but for the sides named in `keep`."""
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(side in keep)
    if "left" not in keep:
        axes.set_yticks([])
    if "bottom" not in keep:
        axes.tick_params(axis="x", which="both", length=0, labelbottom=False)


def floats(values: Any) -> FloatArray:
    """A list of numbers, with None where there is none, as an array with NaN there."""
    if values is None:
        return np.empty(0)
    return np.array([math.nan if v is None else float(v) for v in values], dtype=np.float64)


def finite(*values: Any) -> FloatArray:
    """Every finite number of several arrays or lists, in one array."""
    parts = [floats(v) if not isinstance(v, (int, float)) else np.array([float(v)]) for v in values]
    joined = np.concatenate(parts) if parts else np.empty(0)
    return joined[np.isfinite(joined)]


def percent_axis(axes: Axes, *, step: float = 0.25, top: float = 1.0) -> None:
    """A vertical axis of probabilities in percent, with hairlines to read along."""
    axes.set_ylim(0.0, top)
    ticks = np.arange(0.0, top + 1e-9, step)
    axes.set_yticks(ticks, [f"{100 * t:.0f}%" for t in ticks])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for tick in ticks:
        axes.axhline(float(tick), color=HAIRLINE, linewidth=0.6, zorder=0)


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions of labels moved apart to at least `gap`, between `low` and `high` where that is possible."""
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    placed = [min(max(positions[i], low), high) for i in order]
    for _ in range(60):
        moved = False
        for k in range(len(placed) - 1):
            overlap = gap - (placed[k + 1] - placed[k])
            if overlap > 1e-9:
                placed[k] -= overlap / 2
                placed[k + 1] += overlap / 2
                moved = True
        if placed and placed[0] < low:
            placed[0], moved = low, True
        if placed and placed[-1] > high:
            placed[-1], moved = high, True
        if not moved:
            break
    result = [0.0] * len(positions)
    for rank, i in enumerate(order):
        result[i] = placed[rank]
    return result


def text_width_in(text: str, size: float = SMALL) -> float:
    """About how wide a text of `size` points is, in inches."""
    return len(text) * size * 0.58 / 72.0


def ramp(n_groups: int) -> tuple[str, ...]:
    """Colours of `n_groups` ordered groups."""
    if n_groups in RAMPS:
        return RAMPS[n_groups]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return tuple(to_hex(colormaps["cividis"](float(v))) for v in np.linspace(0.85, 0.05, n_groups))


def text_color(color: str) -> str:
    """`color`, darkened as far as small text on white needs to be readable (contrast 4.5 to 1, WCAG 2 AA)."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    while 1.05 / (_luminance(channels) + 0.05) < 4.5:
        channels = [0.96 * c for c in channels]
    return "#" + "".join(f"{round(255 * c):02x}" for c in channels)


def _luminance(channels: Sequence[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
