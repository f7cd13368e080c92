"""Which figures a result calls for, in the order they are shown; names are known before anything is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from troughline.report.figures.drawing import Drawing, Sketch, draw
from troughline.report.figures.style import Json
from troughline.report.reading import entries, part

MOST_VIOLINS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One figure to be drawn; `question` is the id of the question it belongs to, or None."""

    name: str
    question: str | None
    sketch: Callable[[], Sketch]


def plan_figures(results: Json) -> list[Planned]:
    """Every figure whose data are in `results`, each with a name of its own."""
    planned: list[Planned] = []
    exposure = part(results, "exposure")
    if any(isinstance(s.get("value"), (int, float)) and s["value"] > 0 for s in entries(exposure, "samples")):
        titles = {
            q.get("id"): str(q.get("title") or q.get("id") or "") for q in entries(results, "questions")
        }
        whose = titles.get(exposure.get("question"), "")
        planned.append(Planned(name="exposure", question=None, sketch=lambda: _exposure(exposure, whose)))
    for question in entries(results, "questions"):
        planned += _of_question(question)
    if any(
        e.get("name") in {"hazard_ratio", "odds_ratio"}
        and isinstance(e.get("value"), (int, float))
        and e["value"] > 0
        for q in entries(results, "questions")
        for e in entries(q, "estimates")
    ):
        planned.append(Planned(name="forest", question=None, sketch=lambda: _forest(results)))
    taken: set[str] = set()
    for k, one in enumerate(planned):
        name, n = one.name, 2
        while name in taken:
            name, n = f"{one.name}-{n}", n + 1
        taken.add(name)
        planned[k] = replace(one, name=name)
    return planned


def draw_figures(results: Json, *, progress: Callable[[str, int, int], None] | None = None) -> list[Drawing]:
    """Draw every planned figure; `progress` is told what is drawn, how many are done, and of how many."""
    simulated = bool(part(results, "study").get("simulated"))
    planned = plan_figures(results)
    drawings: list[Drawing] = []
    for done, one in enumerate(planned):
        if progress is not None:
            progress(f"figure {one.name}", done, len(planned))
        drawings.append(draw(one.name, one.question, one.sketch, simulated=simulated))
    return drawings


def slug(text: str) -> str:
    """`text` as part of a file name: lower case, digits and hyphens, never empty."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80] or "unnamed"


def _of_question(question: Json) -> list[Planned]:
    series: Json = part(question, "series")
    identity = str(question.get("id", "question"))
    found: list[tuple[str, Callable[[Json], Sketch]]] = []
    if part(series, "roc").get("specificity"):
        found.append(("roc", _roc))
    if part(series, "distribution").get("value"):
        found.append(("marker", _strip))
    if part(series, "curve").get("exposure"):
        found.append(("curve", _curve))
    if any(part(series, key).get("exposure") for key in ("benefit", "toxicity")):
        found.append(("window", _window))
    if part(series, "utility").get("exposure"):
        found.append(("utility", _utility))
    if any(part(series, key).get("groups") for key in ("km_as_published", "km_guarded")):
        found.append(("survival", _survival))
    if part(series, "hazard_curve").get("exposure"):
        found.append(("hazard", _hazard))
    if part(series, "cumulative_incidence").get("groups"):
        found.append(("incidence", _incidence))
    if part(series, "incidence_by_class").get("classes"):
        found.append(("incidence", _incidence_by_class))
    if question.get("replication"):
        found.append(("replication", _replication))
    found += _of_association(series)
    if part(series, "stepp").get("middle"):
        found.append(("stepp", _stepp))
    if part(series, "subgroups").get("rows"):
        found.append(("subgroups", _subgroups))
    if part(series, "decision_curve").get("threshold"):
        found.append(("decision-curve", _decision_curve))
    if part(series, "change").get("markers"):
        found += [("pairs", _change_pairs), ("change", _change_by_dose)]
    return [
        Planned(
            name=_name(slug(identity), suffix),
            question=identity,
            sketch=lambda sketch=sketch: sketch(question),
        )
        for suffix, sketch in found
    ]


def _of_association(series: Json) -> list[tuple[str, Callable[[Json], Sketch]]]:
    """Violins, one figure a characteristic, and the forest of correlations."""
    names = dict.fromkeys(str(v.get("characteristic")) for v in entries(series, "markers_by_stage"))
    found: list[tuple[str, Callable[[Json], Sketch]]] = [
        (slug(name), lambda question, name=name: _violin(question, name))
        for name in list(names)[:MOST_VIOLINS]
    ]
    if entries(part(series, "correlations"), "rows"):
        found.append(("correlations", _correlations))
    return found


def _name(identity: str, suffix: str) -> str:
    """`window-utility`; an identity that ends in the suffix does not get it twice."""
    return identity if identity == suffix or identity.endswith(f"-{suffix}") else f"{identity}-{suffix}"


def _exposure(exposure: Json, whose: str) -> Sketch:
    from troughline.report.figures.exposure import sketch_exposure

    return sketch_exposure(exposure, whose)


def _roc(question: Json) -> Sketch:
    from troughline.report.figures.roc import sketch_roc

    return sketch_roc(question)


def _strip(question: Json) -> Sketch:
    from troughline.report.figures.strip import sketch_strip

    return sketch_strip(question)


def _curve(question: Json) -> Sketch:
    from troughline.report.figures.curve import sketch_curve

    return sketch_curve(question)


def _window(question: Json) -> Sketch:
    from troughline.report.figures.window import sketch_window

    return sketch_window(question)


def _utility(question: Json) -> Sketch:
    from troughline.report.figures.utility import sketch_utility

    return sketch_utility(question)


def _survival(question: Json) -> Sketch:
    from troughline.report.figures.survival import sketch_survival

    return sketch_survival(question)


def _hazard(question: Json) -> Sketch:
    from troughline.report.figures.hazard import sketch_hazard

    return sketch_hazard(question)


def _incidence(question: Json) -> Sketch:
    from troughline.report.figures.incidence import sketch_incidence

    return sketch_incidence(question)


def _incidence_by_class(question: Json) -> Sketch:
    from troughline.report.figures.incidence_by_class import sketch_incidence_by_class

    return sketch_incidence_by_class(question)


def _replication(question: Json) -> Sketch:
    from troughline.report.figures.replication import sketch_replication

    return sketch_replication(question)


def _violin(question: Json, characteristic: str) -> Sketch:
    from troughline.report.figures.violin import sketch_violins

    return sketch_violins(question, characteristic)


def _correlations(question: Json) -> Sketch:
    from troughline.report.figures.correlations import sketch_correlations

    return sketch_correlations(question)


def _stepp(question: Json) -> Sketch:
    from troughline.report.figures.stepp import sketch_stepp

    return sketch_stepp(question)


def _subgroups(question: Json) -> Sketch:
    from troughline.report.figures.subgroup_forest import sketch_subgroup_forest

    return sketch_subgroup_forest(question)


def _decision_curve(question: Json) -> Sketch:
    from troughline.report.figures.decision_curve import sketch_decision_curve

    return sketch_decision_curve(question)


def _change_pairs(question: Json) -> Sketch:
    from troughline.report.figures.change_pairs import sketch_change_pairs

    return sketch_change_pairs(question)


def _change_by_dose(question: Json) -> Sketch:
    from troughline.report.figures.change_dose import sketch_change_by_dose

    return sketch_change_by_dose(question)


def _forest(results: Json) -> Sketch:
    from troughline.report.figures.forest import sketch_forest

    return sketch_forest(results)
