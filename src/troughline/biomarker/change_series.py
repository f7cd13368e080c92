"""What the figures of a `change` question are drawn from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from troughline.response.questions.parts import finite
from troughline.results import Json

if TYPE_CHECKING:
    from troughline.biomarker.change_data import Groups, MarkerData, PairedLevels
    from troughline.biomarker.change_facts import ChangeFacts, GroupFinding
    from troughline.biomarker.marker_levels import Level
    from troughline.cohort.question_change import ChangeQuestion


def change_series(
    question: ChangeQuestion,
    groups: Groups,
    markers: list[MarkerData],
    facts: ChangeFacts,
) -> Json:
    """What the figures are drawn from: the pairs of what is worked out in full, each change, the trend."""
    ratio = question.scale == "ratio"
    drawn: list[Json] = []
    by = {(f.marker, f.occasion, f.group): f for f in facts.findings}
    exposure = next((b.exposure_values for b in facts.between if b.exposure_values is not None), None)
    between = {(b.marker, b.occasion): b for b in facts.between}
    for data in markers:
        if data.not_analysable:
            continue
        for one in data.paired:
            b = between.get((data.analyte, one.occasion))
            if b is not None and not b.in_full:
                continue
            values = None if b is None else b.exposure_values
            known = {} if values is None else dict(values.guarded)
            drawn.append(
                {
                    "marker": data.analyte,
                    "unit": data.unit,
                    "occasion": one.occasion,
                    "trend_p": None if b is None or b.trend is None else b.trend.p_value,
                    "exposure_p": None if b is None or b.exposure is None else b.exposure.p_value,
                    "same_p": None if b is None or b.same is None else b.same.p_value,
                    "groups": [
                        _group_series(one, g, name, by.get((data.analyte, one.occasion, name)), ratio, known)
                        for g, name in enumerate(groups.names)
                    ],
                }
            )
    return {
        "exposure_label": "" if exposure is None else exposure.label,
        "exposure_unit": "" if exposure is None else exposure.unit,
        "scale": question.scale,
        "first": question.occasion_names[0],
        "group_label": groups.label,
        "ordered": groups.ordered,
        "dose": _group_doses(groups),
        "dose_unit": groups.dose_unit,
        "dose_label": groups.dose_label,
        "markers": drawn,
    }


def _group_doses(groups: Groups) -> list[float] | None:
    if not groups.dose:
        return None
    return [
        float(np.median([d for p, d in groups.dose.items() if groups.of.get(p) == g] or [math.nan]))
        for g in range(len(groups.names))
    ]


def _group_series(
    one: PairedLevels, g: int, name: str, f: GroupFinding | None, ratio: bool, exposure: dict[str, float]
) -> Json:
    rows = [i for i in range(len(one)) if one.group[i] == g]
    shift = None if f is None else f.shift

    def end(value: float | None) -> float | None:
        value = finite(value)
        return value if value is None or not ratio else finite(math.exp(min(value, 700.0)))

    def drawn(v: Level) -> float:
        return v.limit if v.below or v.above else v.value

    return {
        "name": name,
        "n": len(rows),
        "before": [drawn(one.before[i]) for i in rows],
        "after": [drawn(one.after[i]) for i in rows],
        "before_below": [one.before[i].below for i in rows],
        "after_below": [one.after[i].below for i in rows],
        "before_above": [one.before[i].above for i in rows],
        "after_above": [one.after[i].above for i in rows],
        "exposure": [exposure.get(one.patients[i]) for i in rows],
        "change": None if shift is None else end(shift.value),
        "low": None if shift is None else end(shift.low),
        "high": None if shift is None else end(shift.high),
        "p": None if f is None else f.p_value,
        "p_adjusted": None if f is None else f.p_adjusted,
        "p_published": None if f is None else f.published.p_wilcoxon,
    }
