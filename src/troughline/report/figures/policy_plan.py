"""Which figures an evaluation of policies calls for, in the order they are shown."""

from __future__ import annotations

from collections.abc import Callable

from troughline.report.figures.drawing import Drawing, Sketch, draw
from troughline.report.figures.policy_days import sketch_days, sketch_levels
from troughline.report.figures.policy_forest import rows_of, sketch_differences
from troughline.report.figures.policy_link import sketch_calibration, sketch_link
from troughline.report.figures.policy_overview import sketch_narrow_overview, sketch_overview
from troughline.report.figures.style import Json


def draw_policy_figures(
    results: Json, *, progress: Callable[[str, int, int], None] | None = None
) -> list[Drawing]:
    """Draw every figure whose data are in `policy.json`; `progress` is told which."""
    planned: list[tuple[str, Callable[[Json], Sketch]]] = [
        ("overview", sketch_overview), ("days", sketch_days), ("levels", sketch_levels),
    ]  # fmt: skip
    if rows_of(results):
        planned.append(("differences", sketch_differences))
    if results["links"]:
        planned.append(("link", sketch_link))
    if any(p["calibration"] for p in results["policies"]):
        planned.append(("calibration", sketch_calibration))
    drawings: list[Drawing] = []
    for done, (name, sketch) in enumerate(planned):
        if progress is not None:
            progress(f"figure {name}", done, len(planned))
        drawings.append(draw(name, None, lambda sketch=sketch: sketch(results), simulated=True))
    return drawings


def draw_narrow_overview(results: Json) -> Drawing:
    """The overview for a screen as wide as a telephone's."""
    return draw(
        "overview-narrow", None, lambda: sketch_narrow_overview(results), simulated=True, raster=False
    )
