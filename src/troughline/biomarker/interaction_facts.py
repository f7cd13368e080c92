"""Facts for the guards: are the arms alike, who has the marker, which arm has no event."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.cohort.describe import readable

if TYPE_CHECKING:
    from troughline.biomarker.interaction_data import Arms, Marker, Outcomes, Sample
    from troughline.cohort.cohort import Cohort
    from troughline.response.case import Case
    from troughline.response.interaction_facts import InteractionFacts

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
    known = set(have)
    for name, group in (
        ("rate_measured", have),
        ("rate_unmeasured", [p for p in everybody if p not in known]),
    ):
        seen = [outcomes.happened[p] for p in group if p in outcomes.happened]
        if seen:
            setattr(facts, name, sum(seen) / len(seen))
