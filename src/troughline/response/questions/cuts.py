"""Cuts fixed beforehand: those the question names and the published ones of the same metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troughline.response.guards.wording import number, unit_text
from troughline.response.questions.parts import Pairs, Parts, finite
from troughline.response.questions.setup import external_cuts, in_unit
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.cohort.studyfile import ThresholdQuestion
    from troughline.evidence.records import Drug
    from troughline.response.case import Measured
    from troughline.response.predictor import PredictorValues


def classification(point: Any, n: int, label: str, method: str) -> list[Estimate]:
    """Sensitivity, specificity and predictive values of one cut as estimates."""
    rows = (
        ("sensitivity", point.sensitivity),
        ("specificity", point.specificity),
        ("ppv", point.positive_predictive_value),
        ("npv", point.negative_predictive_value),
    )
    return [
        Estimate(
            name=name, value=finite(p.value), low=p.low, high=p.high, level=p.level, n=n, label=label,
            method=method, note=f"{p.successes} of {p.trials}",
        )
        for name, p in rows
    ]  # fmt: skip


def fixed_cuts(
    question: ThresholdQuestion,
    values: PredictorValues,
    drug: Drug | None,
    pairs: Pairs,
    higher: bool,
    parts: Parts,
    measured: Measured,
    level: float,
) -> None:
    """Performance at cuts fixed beforehand: those the question names and the published ones like them."""
    from troughline.response.thresholds import operating_point

    like, unlike = external_cuts(values, drug)
    named = [
        (f"{number(c)}{unit_text(values.unit)}", c, "named in the study file", None) for c in question.at
    ]
    named += [
        (
            f"{number(in_unit(c, values.unit, drug))}{unit_text(values.unit)}",
            in_unit(c, values.unit, drug),
            c.label,
            c,
        )
        for c in like
    ]
    rows: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    seen: set[str] = set()
    for label, cut, source, external in named:
        point = operating_point(pairs.values, pairs.happened, cut, higher_is_case=higher, level=level)
        if label not in seen:
            parts.estimates += classification(
                point, len(pairs.patients), f"at {label}", "guarded: Wilson at a fixed cut"
            )
            marks.append({"label": source, "value": cut, "low": None, "high": None, "kind": "external"})
        seen.add(label)
        rows.append(
            {
                "cut": cut, "unit": values.unit, "source": source,
                "citation": external.citation if external else "",
                "verified": external.verified if external else None,
                "above, with outcome": point.true_positives,
                "above, without": point.false_positives,
                "below, with outcome": point.false_negatives,
                "below, without": point.true_negatives,
                "compared": "yes",
            }
        )  # fmt: skip
    for c in unlike:
        rows.append(  # noqa: PERF401
            {
                "cut": in_unit(c, values.unit, drug), "unit": values.unit, "source": c.label,
                "citation": c.citation, "verified": c.verified,
                "above, with outcome": None, "above, without": None,
                "below, with outcome": None, "below, without": None,
                "compared": f"no: a {c.metric} level, not like with like",
            }
        )  # fmt: skip
    if rows:
        parts.tables["fixed-cuts"] = rows
    published, guarded = measured.threshold_published, measured.threshold_guarded
    if published is not None and published.value is not None:
        marks.append(
            {"label": "best cut, as published", "value": published.value, "low": None, "high": None,
             "kind": "as-published"}
        )  # fmt: skip
    if guarded is not None:
        marks.append(
            {"label": "range of the best cut, guarded", "value": None, "low": guarded.low,
             "high": guarded.high, "kind": "guarded"}
        )  # fmt: skip
    parts.series["cuts"] = marks
