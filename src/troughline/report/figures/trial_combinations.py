"""Combinations held against each other: what each gains in survival and what it costs in toxicity."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import shortened
from troughline.report.figures.style import Json
from troughline.report.figures.trial_parts import heading, name_beside, with_interval
from troughline.report.numbers import percent
from troughline.report.trial_view import combination_name

_ROW, _LEFT, _WIDTH, _GAP = 0.24, 2.75, 1.75, 0.5


def sketch_combinations(results: Json) -> Sketch:
    """A row a combination in the order of the ranking: two panels side by side."""
    ranking: list[Json] = sorted(results["combinations"]["rows"], key=lambda r: r["rank"])
    height = _ROW * len(ranking)
    sheet = style.sheet(height + 0.95)
    listed: list[str] = []
    for column, (key, title, label, colour) in enumerate(
        (
            ("os_hr", "Survival", "hazard ratio of death against sorafenib", style.BENEFIT),
            ("toxic", "Toxicity", "% who stop because of it", style.TOXICITY),
        )
    ):
        axes = style.panel(sheet, left=_LEFT + column * (_WIDTH + _GAP), top=0.4, width=_WIDTH, height=height)
        style.bare(axes, keep=("bottom",))
        axes.set_ylim(len(ranking), 0)
        if key == "os_hr":
            axes.axvline(1.0, color=style.PUBLISHED, linewidth=1.0, zorder=0)
        for k, one in enumerate(ranking):
            y, value = k + 0.5, one[key]
            low, high = one[f"{key}_low"], one[f"{key}_high"]
            if low is not None and high is not None:
                axes.plot([low, high], [y, y], color=colour, linewidth=1.6)
            if value is not None:
                axes.plot(
                    [value],
                    [y],
                    "o",
                    color=colour,
                    markersize=5.5,
                    markeredgecolor="#ffffff",
                    markeredgewidth=0.8,
                )
            if column == 0:
                name_beside(axes, y, shortened(f"{k + 1}.  {combination_name(one)}", 46))
                listed.append(
                    f"{k + 1}. {combination_name(one)}: hazard ratio {with_interval(value, low, high)}"
                    + (f", best in {percent(one['p_best'])}" if one["p_best"] is not None else "")
                )
        heading(axes, title, colour=colour)
        axes.set_xlabel(label)
        axes.locator_params(axis="x", nbins=4)
    return Sketch(
        sheet,
        "Combinations, ranked",
        "Ranked by the median hazard ratio of death against sorafenib, in which holds, reductions and "
        "stops for toxicity count. Lines: intervals over the parameter sets and the draws of the second "
        "drugs' assumed block and toxicity. Left of 1: better than sorafenib alone.",
        "Ranking. " + "; ".join(listed) + ".",
    )
