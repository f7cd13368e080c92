"""Which figures a set of individual estimates calls for, output by output, in the order they are shown."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Drawing, Sketch, draw
from troughline.report.figures.plan import Planned, slug
from troughline.report.figures.style import Json
from troughline.report.reading import entries, part


def plan_estimate_figures(results: Json) -> list[Planned]:
    """Every figure whose data are in `results["outputs"]`; `question` is the anchor of its output."""
    planned: list[Planned] = []
    taken: set[str] = set()
    for k, output in enumerate(entries(results, "outputs")):
        base = slug(str(output.get("name") or f"output-{k + 1}"))
        if base in taken:
            base = f"{base}-{k + 1}"
        taken.add(base)
        for suffix, sketch, data in _of_output(output, results):
            planned.append(
                Planned(
                    name=f"{base}-{suffix}",
                    question=anchor(k),
                    sketch=lambda sketch=sketch, data=data: sketch(data),
                )
            )
    return planned


def draw_estimate_figures(
    results: Json, *, progress: Callable[[str, int, int], None] | None = None
) -> list[Drawing]:
    """Draw every planned figure; `progress` is told what is drawn, how many are done, and of how many."""
    planned = plan_estimate_figures(results)
    drawings: list[Drawing] = []
    for done, one in enumerate(planned):
        if progress is not None:
            progress(f"figure {one.name}", done, len(planned))
        drawings.append(draw(one.name, one.question, one.sketch, simulated=bool(results.get("simulated"))))
    return drawings


def anchor(k: int) -> str:
    """The identifier in the page of output `k`."""
    return f"output-{k + 1}"


def _of_output(output: Json, results: Json) -> list[tuple[str, Callable[[Json], Sketch], Json]]:
    named = {key: output.get(key) for key in ("label", "unit", "limit", "time_label", "log")}
    found: list[tuple[str, Callable[[Json], Sketch], Json]] = []
    predictions, residuals = part(output, "predictions"), part(output, "residuals")
    errors, check = part(output, "npde"), part(output, "vpc")
    if _any(predictions, "observed") and (_any(predictions, "individual") or _any(predictions, "population")):
        found.append(("predictions", _predictions, {**named, **predictions}))
    if _any(residuals, "time_h") and (_any(residuals, "iwres") or _any(residuals, "pwres")):
        found.append(("residuals", _residuals, {**named, **residuals}))
    if _any(errors, "npde"):
        found.append(("npde", _npde, {**named, **errors}))
    if _any(check, "time"):
        found.append(("vpc", _vpc, {**named, **check}))
    if entries(output, "fits"):
        level = results.get("level") or 0.9
        fits = {**named, "level": level, "patients": entries(output, "fits"), "log": output.get("fits_log")}
        found.append(("fits", _fits, fits))
    return found


def _any(data: Json, key: str) -> bool:
    return data.get(key) is not None and bool(np.any(np.isfinite(style.floats(data[key]))))


def _predictions(data: Json) -> Sketch:
    from troughline.report.figures.pk_predictions import sketch_predictions

    return sketch_predictions(data)


def _residuals(data: Json) -> Sketch:
    from troughline.report.figures.pk_residuals import sketch_residuals

    return sketch_residuals(data)


def _npde(data: Json) -> Sketch:
    from troughline.report.figures.pk_npde import sketch_npde

    return sketch_npde(data)


def _vpc(data: Json) -> Sketch:
    from troughline.report.figures.pk_vpc import sketch_vpc

    return sketch_vpc(data)


def _fits(data: Json) -> Sketch:
    from troughline.report.figures.pk_fits import sketch_fits

    return sketch_fits(data)
