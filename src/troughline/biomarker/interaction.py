"""The `interaction` question: predictive against prognostic, as published and guarded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.biomarker.endpoint import EndpointError
from troughline.biomarker.interaction_answer import answer_in_words, methods_of
from troughline.biomarker.interaction_below import settle_below
from troughline.biomarker.interaction_data import (
    WORDS,
    Arms,
    Marker,
    Outcomes,
    arms_of,
    marker_of,
    outcomes_of,
)
from troughline.biomarker.interaction_data import sample_of as sample_of
from troughline.biomarker.interaction_facts import arm_facts, missing_facts
from troughline.biomarker.interaction_guarded import guarded_interaction, prognostic_only
from troughline.biomarker.interaction_halves import as_published_halves
from troughline.biomarker.interaction_subgroups import subgroup_forest
from troughline.biomarker.liver_classes import liver_classes
from troughline.biomarker.marker_over_time import marker_over_time
from troughline.biomarker.signature_parts import signature_parts
from troughline.response.case import Case
from troughline.response.interaction_facts import InteractionFacts
from troughline.response.predictor import NotAnalysable
from troughline.response.questions.parts import Parts, exclude
from troughline.response.questions.setup import published_reference

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_interaction import InteractionQuestion
    from troughline.evidence.records import Drug

REFERENCES = (
    "Ballman 2015, doi 10.1200/JCO.2015.63.3651",
    "Altman 2003, doi 10.1136/bmj.326.7382.219",
)


def run_interaction(cohort: Cohort, question: InteractionQuestion, drug: Drug | None) -> tuple[Case, Parts]:
    """Answer an interaction question as published (two halves, two p-values) and guarded (the interaction).

    Without a control arm only the prognostic answer is given. Raises `NotAnalysable` where not even that can
    be had.
    """
    published_reference(question.published)
    arms = arms_of(cohort, question)
    outcomes = outcomes_of(cohort, question)
    marker = marker_of(cohort, question, drug, outcomes)
    facts = InteractionFacts(
        word=WORDS[outcomes.kind], no_control=arms.why_none, arms=arms.names, randomised=question.randomised,
        known_day=marker.post_baseline, known_group=marker.post_baseline_group,
        n_published_later=marker.n_published_later,
    )  # fmt: skip
    as_printed, marker = marker, settle_below(marker, outcomes, arms, facts)
    sample = sample_of(marker, outcomes, arms)
    case = Case(
        cohort=cohort, question=question, drug=drug, predictor=marker.values, survival=outcomes.survival,
        interaction=facts,
    )  # fmt: skip
    parts = Parts(references=list(REFERENCES))
    arm_facts(case, facts, sample, arms)
    missing_facts(cohort, facts, marker, outcomes, arms)
    if arms.why_none:
        prognostic_only(case, parts, sample, marker, outcomes)
    else:
        _two_arms(case, parts, arms, (as_printed, marker), outcomes)
    liver_classes(case, parts, arms, outcomes)
    marker_over_time(case, parts, arms, as_printed, outcomes)
    signature_parts(case, parts, arms, outcomes)
    case.measured.n_events = sample.endpoint.n_events()
    exclude(case, {}, sample.patients)
    for patient in case.excluded:
        case.excluded[patient] = (
            marker.left_out.get(patient)
            or outcomes.unknown.get(patient)
            or ("in neither arm" if not arms.why_none else f"{marker.label} is missing")
        )
    parts.methods += methods_of(question, facts, marker, outcomes, arms, sample)
    parts.summary = answer_in_words(facts, marker, outcomes, sample, parts)
    return case, parts


def _two_arms(
    case: Case, parts: Parts, arms: Arms, markers: tuple[Marker, Marker], outcomes: Outcomes
) -> None:
    assert case.interaction is not None
    facts = case.interaction
    as_printed, marker = markers
    published = sample_of(as_printed, outcomes, arms, published=True)
    sample = sample_of(marker, outcomes, arms)
    if not (sample.treated.any() and (~sample.treated).any()):
        raise NotAnalysable(f"{marker.label} is known in one of the two arms only")
    for name, n in zip(arms.names, (int(sample.treated.sum()), int((~sample.treated).sum())), strict=True):
        if n == 1:
            raise NotAnalysable(
                f"one patient of the arm {name!r} has {marker.label} and the endpoint: an effect that "
                "differs with the marker cannot be told from that patient"
            )
    as_published_halves(case, parts, published, as_printed)
    if facts.eventless:
        parts.not_analysable = (
            f"nobody in the arm {' or '.join(facts.eventless)} had “{outcomes.label}”: the treatment effect, "
            "and so its interaction, has no finite estimate"
        )
        return
    try:
        guarded_interaction(case, parts, sample, marker, outcomes)
    except EndpointError as error:
        parts.not_analysable = str(error)
        return
    subgroup_forest(case, parts, sample, outcomes)
    if not np.isfinite(facts.p_interaction or 0.0):
        parts.not_analysable = "the interaction has no finite standard error in these data"
