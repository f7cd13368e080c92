"""Facts for the guards: are the arms alike, who has the marker, which arm has no event."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.cohort.describe import readable
from troughline.response.guards.wording import number

if TYPE_CHECKING:
    from troughline.biomarker.interaction_data import Arms, Marker, Outcomes, Sample
    from troughline.cohort.cohort import Cohort
    from troughline.response.case import Case
    from troughline.response.interaction_facts import InteractionFacts

AT_RISK = 0.1
"""The part of either group still at risk until when their risks are compared."""
UNEQUAL = 0.25
"""Standardised mean difference between arms from which a covariate is named."""


def arm_facts(case: Case, facts: InteractionFacts, sample: Sample, arms: Arms) -> None:
    """Arms without an event, and covariates in which the arms differ."""
    if arms.why_none:
        return
    event = sample.endpoint.event
    if event is not None:
        facts.eventless = tuple(
            name
            for name, rows in zip(arms.names, (sample.treated, ~sample.treated), strict=True)
            if rows.any() and not event[rows].any()
        )
    facts.imbalances = tuple(
        (readable(name, inside=True), d)
        for name, d in sorted(_differences(case.cohort, arms).items(), key=lambda item: -item[1])
        if d >= UNEQUAL
    )


def _differences(cohort: Cohort, arms: Arms) -> dict[str, float]:
    """The standardised difference between arms of each covariate: the largest of its levels for a category.

    |x̄₁ − x̄₀| / √((s₁² + s₀²)/2) (Austin 2009, doi 10.1002/sim.3697).
    """
    found: dict[str, float] = {}
    treated = [arms.treated.get(p) for p in cohort.patient_ids]
    for name, spec in cohort.covariates.items():
        if name not in cohort.patients.columns:
            continue
        raw: list[Any] = cohort.patients[name].tolist()
        if spec.levels is None:
            columns = [np.array([float(v) for v in raw], dtype=np.float64)]
        else:
            columns = [
                np.array([float(v == level) if isinstance(v, str) else math.nan for v in raw])
                for level in spec.levels
            ]
        largest = 0.0
        for column in columns:
            one = column[[t is True and math.isfinite(v) for t, v in zip(treated, column, strict=True)]]
            two = column[[t is False and math.isfinite(v) for t, v in zip(treated, column, strict=True)]]
            if one.size < 2 or two.size < 2:
                continue
            spread = math.sqrt((float(one.var(ddof=1)) + float(two.var(ddof=1))) / 2)
            if spread > 0:
                largest = max(largest, abs(float(one.mean() - two.mean())) / spread)
        found[name] = largest
    return found


def missing_facts(
    cohort: Cohort, facts: InteractionFacts, marker: Marker, outcomes: Outcomes, arms: Arms
) -> None:
    """How many patients of the arms have the marker, and whether the others fare alike."""
    everybody = [p for p in cohort.patient_ids if arms.why_none or p in arms.treated]
    have = [p for p in everybody if p in marker.patients]
    facts.n_total, facts.n_measured = len(everybody), len(have)
    if outcomes.kind == "continuous":
        return
    with_it = [p for p in have if p in outcomes.happened]
    known = set(have)
    without = [p for p in everybody if p not in known and p in outcomes.happened]
    if not with_it or not without:
        return
    if outcomes.kind == "binary":
        facts.rate_measured, facts.rate_unmeasured = (
            sum(outcomes.happened[p] for p in group) / len(group) for group in (with_it, without)
        )
        return
    _risks(facts, outcomes, with_it, without)


def _risks(facts: InteractionFacts, outcomes: Outcomes, with_it: list[str], without: list[str]) -> None:
    """Kaplan–Meier risks when a tenth of either group is still at risk, and the log-rank test."""
    from troughline.survival.kaplan_meier import kaplan_meier
    from troughline.survival.log_rank import log_rank

    time = np.array([outcomes.time[p] for p in (*with_it, *without)])
    event = np.array([outcomes.happened[p] for p in (*with_it, *without)], dtype=np.bool_)
    group = ["measured"] * len(with_it) + ["not"] * len(without)
    measured = np.arange(time.size) < len(with_it)
    at = min(
        float(np.sort(time[rows])[::-1][max(math.ceil(AT_RISK * int(rows.sum())) - 1, 0)])
        for rows in (measured, ~measured)
    )
    risks = [
        1 - float(curve.at([at]).survival[0])
        for curve in kaplan_meier(time, event, group, order=("measured", "not"))
    ]
    facts.rate_measured, facts.rate_unmeasured = risks
    facts.rate_by = f"By {number(at)} {outcomes.unit}s"
    p = log_rank(time, event, group).p_value
    facts.rate_p = p if math.isfinite(p) else None
