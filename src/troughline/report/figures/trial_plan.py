"""Which figures a virtual trial calls for, in the order they are shown."""

from __future__ import annotations

from collections.abc import Callable

from troughline.report.figures.drawing import Drawing, Sketch, draw
from troughline.report.figures.style import Json
from troughline.report.trial_dosing import arms_with_policy
from troughline.report.trial_view import curve_of, hazard_ratios, sensitivity_figure, success_by_size


def planned_trial_figures(results: Json) -> list[tuple[str, Callable[[], Sketch]]]:
    """Name and sketch of every figure whose data are in `results`."""
    from troughline.report.figures.trial_combinations import sketch_combinations
    from troughline.report.figures.trial_dosing import sketch_dosing
    from troughline.report.figures.trial_hazard import sketch_hazard
    from troughline.report.figures.trial_markers import sketch_markers
    from troughline.report.figures.trial_response import sketch_response
    from troughline.report.figures.trial_routes import sketch_routes
    from troughline.report.figures.trial_sensitivity import sketch_sensitivity
    from troughline.report.figures.trial_success import sketch_success
    from troughline.report.figures.trial_survival import sketch_survival
    from troughline.report.figures.trial_swimmer import sketch_swimmer
    from troughline.report.figures.trial_targets import sketch_targets
    from troughline.report.figures.trial_waterfall import sketch_waterfall

    arms = results["arms"]
    wanted: list[tuple[str, object, Callable[[Json], Sketch]]] = [
        ("os", any(curve_of(a, "os") for a in arms), lambda r: sketch_survival(r, "os")),
        ("ttp", any(curve_of(a, "ttp") for a in arms), lambda r: sketch_survival(r, "ttp")),
        ("mttp", any(curve_of(a, "mttp") for a in arms), lambda r: sketch_survival(r, "mttp")),
        ("hazard-ratios", hazard_ratios(results),
         sketch_hazard),
        ("success", any(len(s.n) > 1 for s in success_by_size(results)), sketch_success),
        ("dosing", arms_with_policy(results), sketch_dosing),
        ("response", any(a["responses"] for a in arms), sketch_response),
        ("waterfall", any(a["waterfall"] for a in arms), sketch_waterfall),
        ("swimmer", any(a["swimmer"] for a in arms), sketch_swimmer),
        ("markers", any(a["markers"] for a in arms), sketch_markers),
        ("routes", any(r["share"] for a in arms for r in a["routes"]), sketch_routes),
        ("targets", results["targets"], sketch_targets),
        ("combinations", results["combinations"] and results["combinations"]["rows"], sketch_combinations),
    ]  # fmt: skip
    for k, one in enumerate(results["sensitivity"]["predictions"] if results["sensitivity"] else []):
        wanted.append((sensitivity_figure(one), one["morris"], lambda r, k=k: sketch_sensitivity(r, k)))
    return [(name, lambda s=sketch: s(results)) for name, there, sketch in wanted if there]


def draw_trial_figures(
    results: Json, *, progress: Callable[[str, int, int], None] | None = None
) -> list[Drawing]:
    """Draw them all; `progress` is told which."""
    planned = planned_trial_figures(results)
    drawings: list[Drawing] = []
    for done, (name, sketch) in enumerate(planned):
        if progress is not None:
            progress(f"figure {name}", done, len(planned))
        drawings.append(draw(name, None, sketch, simulated=True, raster=False))
    return drawings
