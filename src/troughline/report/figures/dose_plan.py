"""Which figures the result of a dose question calls for, in the order they are shown."""

from __future__ import annotations

from collections.abc import Callable

from troughline.report.figures.drawing import Drawing, Sketch, draw
from troughline.report.figures.style import Json
from troughline.report.reading import entries, part

Progress = Callable[[str, int, int], None]
FIGURES = ("course", "regimens", "prior", "targets", "next-sample")


def draw_dose_figures(results: Json, *, progress: Progress | None = None) -> list[Drawing]:
    """Draw every figure whose data are in `results`; `progress` is told what, how many, of how many."""
    planned = plan_dose_figures(results)
    drawings: list[Drawing] = []
    for done, (name, sketch) in enumerate(planned.items()):
        if progress is not None:
            progress(f"figure {name}", done, len(planned))
        drawings.append(draw(name, None, sketch, simulated=bool(results.get("simulated")), raster=False))
    return drawings


def draw_narrow_course(results: Json) -> Drawing | None:
    """The course for a screen as wide as a telephone's; None where there is no curve."""
    if "course" not in plan_dose_figures(results):
        return None
    from troughline.report.figures.dose_course import NARROW_IN, sketch_course

    simulated = bool(results.get("simulated"))
    return draw(
        "course-narrow", None, lambda: sketch_course(results, width_in=NARROW_IN), simulated=simulated,
        raster=False,
    )  # fmt: skip


def draw_summary_course(results: Json) -> Drawing | None:
    """The course, flat enough for the one-page summary; None where there is no curve."""
    if "course" not in plan_dose_figures(results):
        return None
    simulated = bool(results.get("simulated"))
    return draw("course", None, lambda: _course(results, 1.42), simulated=simulated, raster=False)


def plan_dose_figures(results: Json) -> dict[str, Callable[[], Sketch]]:
    """The sketches by the name of their figure."""
    planned: dict[str, Callable[[], Sketch]] = {}
    if part(part(results, "curve"), "patient").get("day"):
        planned["course"] = lambda: _course(results)
    if entries(results, "regimens"):
        planned["regimens"] = lambda: _regimens(results)
    if part(part(results, "individual"), "population_trough").get("median"):
        planned["prior"] = lambda: _prior(results)
    if _several_targets(results):
        planned["targets"] = lambda: _targets(results)
    if entries(part(results, "next_sample"), "candidates"):
        planned["next-sample"] = lambda: _next(results)
    return planned


def _several_targets(results: Json) -> bool:
    from troughline.report.figures.dose_targets import drawn_targets

    return len(drawn_targets(results)) > 1


def _course(results: Json, height_in: float | None = None) -> Sketch:
    from troughline.report.figures.dose_course import HEIGHT_IN, sketch_course

    return sketch_course(results, height_in=height_in or HEIGHT_IN)


def _regimens(results: Json) -> Sketch:
    from troughline.report.figures.dose_regimens import sketch_regimens

    return sketch_regimens(results)


def _prior(results: Json) -> Sketch:
    from troughline.report.figures.dose_prior import sketch_prior

    return sketch_prior(results)


def _targets(results: Json) -> Sketch:
    from troughline.report.figures.dose_targets import sketch_targets

    return sketch_targets(results)


def _next(results: Json) -> Sketch:
    from troughline.report.figures.dose_next import sketch_next

    return sketch_next(results)
