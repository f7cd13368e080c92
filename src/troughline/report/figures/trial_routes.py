"""Which route of resistance won in whom: shares of the patients of an arm."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import shortened
from troughline.report.figures.style import Json
from troughline.report.figures.trial_parts import arm_colours, name_beside, short_names, text_beside
from troughline.report.numbers import micro, percent
from troughline.report.trial_view import route_name

_ROW, _LEFT, _WIDTH = 0.2, 2.5, 3.1
LEAST_PERCENT = 0.05


def sketch_routes(results: Json) -> Sketch:
    """A block a route, a bar an arm."""
    arms: list[Json] = [a for a in results["arms"] if a["routes"]]
    every = list(dict.fromkeys(str(r["route"]) for a in arms for r in a["routes"]))
    taken = {str(r["route"]) for a in arms for r in a["routes"] if (r["share"] or 0.0) >= LEAST_PERCENT}
    routes = [r for r in every if r in taken]
    nobody = ", ".join(route_name(r) for r in every if r not in taken)
    gap = 0.7
    height = _ROW * (len(routes) * (len(arms) + gap))
    sheet = style.sheet(height + 0.65)
    axes = style.panel(sheet, left=_LEFT, top=0.1, width=_WIDTH, height=height)
    style.bare(axes, keep=("bottom",))
    colours = arm_colours(results)
    found = {(str(a["id"]), str(r["route"])): r for a in arms for r in a["routes"]}
    top = max(float(r["high"] or r["share"] or 0.0) / 100 for r in found.values())
    axes.set_xlim(0, max(1.03 * top, 0.05))
    axes.set_ylim(height / _ROW, 0)
    y, listed = gap / 2, list[str]()
    for words in routes:
        name_beside(axes, y + len(arms) / 2, shortened(route_name(words), 40))
        for arm in arms:
            row = found.get((str(arm["id"]), words))
            if row is not None:
                value = float(row["share"] or 0.0) / 100
                axes.barh(y + 0.5, value, height=0.78, color=colours[str(arm["id"])])
                if row["low"] is not None and row["high"] is not None:
                    ends = [row["low"] / 100, row["high"] / 100]
                    axes.plot(ends, [y + 0.5] * 2, color=style.INK, linewidth=0.8)
                text = f"{percent(value)} {short_names(results)[str(arm['id'])]}"
                text_beside(axes, y + 0.5, shortened(text, 26), colour=colours[str(arm["id"])])
                listed.append(f"{route_name(words)}, {micro(str(arm['label']))}: {percent(value)}")
            y += 1.0
        y += gap
    ticks = [t for t in axes.get_xticks() if 0 <= t <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{100 * t:.0f}%" for t in ticks])
    axes.set_xlabel("patients who progressed")
    return Sketch(
        sheet,
        "Which route of resistance won",
        "Patients whose progression was seen, by what their tumour shows then: a new lesion; resistant or "
        "tolerant cells where they are most of what lives; else the adaptation that rose most. Lines: "
        "intervals over the trials. No measurement in patients identifies these shares."
        + (f" In nobody: {nobody}." if nobody else ""),
        "Bars. " + "; ".join(listed) + ".",
    )
