"""A marker that lies below its limit in some patients: a group of its own, never half the limit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from troughline.biomarker.interaction_data import below_words

if TYPE_CHECKING:
    from troughline.biomarker.interaction_data import Arms, Marker, Outcomes
    from troughline.response.interaction_facts import InteractionFacts

FEWEST_IN_AN_ARM = 5
"""Patients of each arm that a group needs, below the limit or above, to have an effect of its own."""


def settle_below(marker: Marker, outcomes: Outcomes, arms: Arms, facts: InteractionFacts) -> Marker:
    """The marker as the guarded models take it where levels lie below a limit; `facts` say how.

    Who lies below is a group of its own beside the slope of the quantified levels (an indicator; what the
    treatment does there is free). Where it has fewer than five patients in an arm it is left out, with its
    reason; where the quantified have, or do not vary, the marker is two groups, below its limit and
    quantified.
    """
    inside = [p for p in outcomes.patients if arms.why_none or p in arms.treated]
    low = [p for p in inside if p in marker.below]
    if not low:
        return marker
    high = [p for p in inside if p in marker.number]
    limits = {marker.below[p] for p in low}
    words = below_words(limits, marker)
    facts.n_below, facts.n_with_level, facts.below_words = len(low), len(low) + len(high), words
    if len({marker.number[p] for p in high}) < 2 or _fewest(high, arms) < FEWEST_IN_AN_ARM:
        facts.below_how = "two groups, below the limit and quantified, are compared; the level is not used"
        levels = (words, "quantified")
        return replace(
            marker, number={}, below={}, levels=levels, ordered=False, log=False,
            category=dict.fromkeys(low, words) | dict.fromkeys(high, "quantified"),
        )  # fmt: skip
    if _fewest(low, arms) < FEWEST_IN_AN_ARM:
        facts.below_how = f"fewer than {FEWEST_IN_AN_ARM} of one arm lie there: they are left out"
        return replace(
            marker, below={}, left_out={**marker.left_out, **dict.fromkeys(low, f"the level is {words}")}
        )
    facts.below_how = (
        "they are a group of their own in the models, beside the slope of the quantified levels; STEPP and "
        "the fractional polynomial hold for the quantified"
    )
    return marker


def _fewest(patients: list[str], arms: Arms) -> int:
    if arms.why_none:
        return len(patients)
    treated = sum(arms.treated[p] for p in patients)
    return min(treated, len(patients) - treated)
