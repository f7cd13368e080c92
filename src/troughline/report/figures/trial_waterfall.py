"""Waterfall plot: the best change of each shown patient's tumour, an arm a panel."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.style import Json
from troughline.report.figures.trial_parts import heading
from troughline.report.figures.trial_response import RESPONSES
from troughline.report.numbers import micro, percent

_HEIGHT, _LEFT, _ACROSS, _TOP = 1.75, 0.62, 2, 100.0


def sketch_waterfall(results: Json) -> Sketch:
    """Bars in falling order; above +100 % they are cut off, and drawn so."""
    arms = [a for a in results["arms"] if a["waterfall"]]
    across = min(_ACROSS, len(arms))
    width = (style.WIDTH_IN - _LEFT - 0.1 - 0.25 * (across - 1)) / across
    rows = -(-len(arms) // across)
    sheet = style.sheet(rows * (_HEIGHT + 0.5) + 0.42)
    colours = {key: colour for key, _, colour in RESPONSES}
    listed: list[str] = []
    for k, arm in enumerate(arms):
        row, column = divmod(k, across)
        axes = style.panel(
            sheet, left=_LEFT + column * (width + 0.25), top=0.3 + row * (_HEIGHT + 0.5), width=width,
            height=_HEIGHT,
        )  # fmt: skip
        change = style.floats([w["change"] for w in arm["waterfall"]])
        best: list[str] = [str(w["best"]) for w in arm["waterfall"]]
        order = np.argsort(-change, kind="stable")
        shown = np.minimum(change[order], _TOP)
        axes.bar(np.arange(change.size), shown, width=1.0, color=[colours[best[int(i)]] for i in order],
                 edgecolor="#ffffff", linewidth=0.25 if change.size < 120 else 0.0)  # fmt: skip
        cut = np.flatnonzero(change[order] > _TOP)
        if cut.size:
            axes.plot(cut, np.full(cut.size, _TOP), "^", color=style.INK, markersize=2.2, clip_on=False)
        for level in (20.0, -30.0):
            axes.axhline(level, color=style.MUTED, linewidth=0.7, linestyle=(0, (3, 2)), zorder=3)
        axes.axhline(0.0, color=style.INK, linewidth=0.7, zorder=3)
        axes.set_ylim(-100, _TOP)
        axes.set_xlim(-1, change.size)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.set_yticks([-100, -30, 0, 20, 100], ["−100%", "−30%", "0", "+20%", "+100%"])
        if column:
            axes.set_yticklabels([])
        heading(axes, f"{micro(str(arm['label']))}, {change.size} patients")
        shrunk = float(np.mean(change < 0))
        listed.append(f"{micro(str(arm['label']))}: {percent(shrunk)} of {change.size} shrank at some image")
    return Sketch(
        sheet,
        "Best change of the sum of diameters",
        "One bar a patient (of the first 200 of an arm, in the first trial of the first parameter set), by "
        "RECIST 1.1, from the largest "
        "growth to the largest shrinkage; colour: best response, as above. Broken lines: +20% and −30%. A "
        "small triangle: growth beyond the axis. A tumour may grow in its first image and yet count as "
        "stable below +20%, and a new lesion is progression whatever the sum. Patients without an image "
        "are left out.",
        "Waterfall plot. " + "; ".join(listed) + ".",
    )
