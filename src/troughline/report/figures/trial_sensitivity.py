"""Which parameters an outcome depends on: Morris' screening and Sobol's shares."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import shortened
from troughline.report.figures.style import Json
from troughline.report.figures.trial_parts import heading, name_beside
from troughline.report.numbers import micro, number
from troughline.report.trial_view import sensitivity_name

_ROW, _LEFT, _WIDTH, _GAP, _MOST = 0.2, 1.85, 2.1, 0.45, 16


def sketch_sensitivity(results: Json, which: int) -> Sketch:
    """Morris' mean absolute effect left; Sobol's first and total share right, where they were computed.

    `which`: the place of the prediction in `sensitivity.predictions`.
    """
    found: Json = results["sensitivity"]["predictions"][which]
    prediction = sensitivity_name(results, str(found["prediction"]))
    morris = sorted(found["morris"], key=lambda m: -float(m["mu_star"] or 0.0))[:_MOST]
    sobol = {str(s["parameter"]): s for s in found["sobol"]}
    height = _ROW * len(morris)
    sheet = style.sheet(height + 0.85)
    left = style.panel(sheet, left=_LEFT, top=0.3, width=_WIDTH, height=height)
    style.bare(left, keep=("bottom",))
    left.set_ylim(len(morris), 0)
    for k, one in enumerate(morris):
        name_beside(left, k + 0.5, shortened(micro(str(one["parameter"])), 28))
        left.barh(k + 0.5, float(one["mu_star"] or 0.0), height=0.66,
                  color=style.PUBLISHED if one["status"] == "source" else style.GUARDED)  # fmt: skip
        left.plot([one["low"], one["high"]], [k + 0.5] * 2, color=style.INK, linewidth=0.8)
    heading(left, "Morris: mean absolute effect")
    left.set_xlabel("on the logarithm; grey: a sourced number")
    left.locator_params(axis="x", nbins=5)
    if sobol:
        right = style.panel(sheet, left=_LEFT + _WIDTH + _GAP, top=0.3, width=_WIDTH, height=height)
        style.bare(right, keep=("bottom",))
        right.set_ylim(len(morris), 0)
        for k, one in enumerate(morris):
            s = sobol.get(str(one["parameter"]))
            if s is None:
                continue
            right.barh(k + 0.5, float(s["ST"] or 0.0), height=0.66, color=style.GUARDED_PALE)
            right.barh(k + 0.5, float(s["S1"] or 0.0), height=0.36, color=style.GUARDED)
            if s["ST_conf"] is not None:
                right.plot([s["ST"] - s["ST_conf"], s["ST"] + s["ST_conf"]], [k + 0.5] * 2, color=style.INK,
                           linewidth=0.8)  # fmt: skip
        heading(right, "Sobol: share of the variance")
        right.set_xlabel("dark: alone; pale: with all its interactions")
        right.locator_params(axis="x", nbins=5)
    listed = [f"{m['parameter']}: {number(m['mu_star'])}" for m in morris]
    more = len(found["morris"]) - len(morris)
    return Sketch(
        sheet,
        f"What the {prediction} depends on",
        "Left: by how much the prediction's logarithm changes over the whole range of the parameter, on "
        "average and whatever the sign. Right: the share of the prediction's variance, for the parameters "
        "that Sobol's sample moved. Lines: bootstrap intervals."
        + (f" The {_MOST} largest of {len(found['morris'])} parameters." if more > 0 else ""),
        "Bars. Mean absolute effect: " + "; ".join(listed) + ".",
    )
