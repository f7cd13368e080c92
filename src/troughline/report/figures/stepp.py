"""The treatment effect over a marker: overlapping windows of patients, with a band for all at once."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import axis_label, end_labels
from troughline.report.figures.scale import scale_of
from troughline.report.figures.style import Json
from troughline.report.numbers import micro, number, p_value, unit_text
from troughline.report.reading import part

_WIDTH, _HEIGHT = 4.7, 2.7
_SHOWN = (0.05, 20.0)


def sketch_stepp(question: Json) -> Sketch:
    """Draw `series["stepp"]`, and `series["polynomial"]` as a line over it, on one scale of the marker."""
    data: Json = question["series"]["stepp"]
    curve = part(question["series"], "polynomial")
    ratio = data.get("scale") == "hazard ratio"
    x, value = style.floats(data["middle"]), style.floats(data["value"])
    low, high = style.floats(data["band_low"]), style.floats(data["band_high"])
    inner_low, inner_high = style.floats(data["low"]), style.floats(data["high"])
    sheet = style.sheet(_HEIGHT + 0.8)
    axes = style.panel(sheet, left=0.75, top=0.2, width=_WIDTH, height=_HEIGHT)
    marker = scale_of(
        style.finite(x, style.floats(curve.get("marker"))), margin=0.02, log=bool(data.get("log"))
    )
    marker.apply(axes)
    shown = style.finite(value, low, high, style.floats(curve.get("value")))
    if ratio:
        shown = np.clip(np.append(shown, [0.5, 2.0]), *_SHOWN)
    effects = scale_of(shown, margin=0.05, log=ratio)
    effects.apply(axes, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    for tick in effects.ticks():
        axes.axhline(tick, color=style.HAIRLINE, linewidth=0.6, zorder=0)
    none = 1.0 if ratio else 0.0
    axes.axhline(none, color=style.PUBLISHED, linewidth=1.0, zorder=1)
    axes.fill_between(x, low, high, color=style.GUARDED_PALE, linewidth=0, zorder=0.5)
    axes.vlines(x, inner_low, inner_high, color=style.GUARDED, linewidth=1.1, alpha=0.55, zorder=3)
    axes.plot(x, value, "o-", color=style.GUARDED, markersize=4.2, linewidth=1.1, zorder=4)
    overall = data.get("overall")
    ends = [(float(value[-1]), [("windows of patients", "bold")], style.GUARDED)]
    if curve.get("marker"):
        axes.plot(
            style.floats(curve["marker"]), style.floats(curve["value"]), color=style.TOXICITY, linewidth=1.8,
            zorder=5,
        )  # fmt: skip
        ends.append((float(curve["value"][-1]), [("fractional polynomial", "bold")], style.TOXICITY_TEXT))
    if overall is not None:
        axes.axhline(overall, color=style.INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=2)
        ends.append((float(overall), [(f"everybody {number(overall)}", "normal")], style.INK))
    placed = [
        (effects.place(min(max(y, effects.low), effects.high)), lines, color) for y, lines, color in ends
    ]
    beside = style.panel(sheet, left=0.75, top=0.2, width=_WIDTH, height=_HEIGHT)
    style.bare(beside)
    beside.set_ylim(0, 1)
    end_labels(beside, placed, height_in=_HEIGHT)
    axes.set_xlabel(axis_label(data.get("label"), data.get("unit")) + marker.words)
    axes.set_ylabel(f"{data.get('scale')}" + (", log scale" if ratio else ""))
    arms: list[str] = list(data.get("arms") or [])
    against = f" of {arms[0]} against {arms[1]}" if len(arms) == 2 else ""
    caption = (
        f"The {data.get('scale')}{against} in overlapping windows of patients ordered by the marker: a dot "
        "at the median of each window, its interval upright; the band holds all windows together. Windows "
        "share patients, so neighbours are alike. The test that the effect is the same in all gives "
        f"{p_value(data.get('p_value'))}."
    )
    unit = unit_text(data.get("unit"))
    places = np.unique(np.linspace(0, x.size - 1, 5).round().astype(int))
    listed = "; ".join(
        f"{number(float(value[i]))} ({number(float(low[i]))} to {number(float(high[i]))}) at "
        f"{number(float(x[i]))} {unit}".rstrip()
        for i in places
    )
    label = micro(str(data.get("label") or "the marker"))
    return Sketch(sheet, f"Treatment effect over {label}", caption, f"Windows with band: {listed}.")
