"""The start of a yes/no question: its outcomes, its predictor, and the comparators that are like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from troughline.cohort.outcomes import BinaryOutcome, binary_outcome
from troughline.response.predictor import NotAnalysable, PredictorValues, predictor_values

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.studyfile import Outcome, Predictor
    from troughline.evidence.records import Drug
    from troughline.evidence.store import ExternalCut, PublishedValues


def outcome_of(cohort: Cohort, outcome: Outcome) -> BinaryOutcome:
    """A yes/no outcome. Raises `NotAnalysable` where no patient's outcome is known or it never varies."""
    try:
        result = binary_outcome(cohort, outcome)
    except ValueError as error:
        raise NotAnalysable(str(error)) from None
    known = [v for v in result.happened.values() if v is not None]
    if not known:
        reasons = sorted(set(result.unknown.values()))
        raise NotAnalysable(f"the outcome “{result.label}” is known in no patient ({'; '.join(reasons)})")
    if all(known) or not any(known):
        has = "every patient has" if all(known) else "no patient has"
        raise NotAnalysable(f"{has} the outcome “{result.label}”: there is nothing to tell apart")
    return result


def numeric_predictor(
    cohort: Cohort, predictor: Predictor, drug: Drug | None, outcomes: Mapping[str, BinaryOutcome]
) -> PredictorValues:
    """The predictor of a yes/no question, as one number a patient.

    A level counts only when it was drawn no later than the day on which any of the outcomes was known:
    the event, or the response, progression or death that decides a response.
    """
    days: dict[str, float] = {}
    for outcome in outcomes.values():
        known = outcome.decided_day if outcome.is_response else outcome.day
        for patient, day in known.items():
            days[patient] = min(day, days.get(patient, day))
    name = next(iter(outcomes.values())).label if len(outcomes) == 1 else "an outcome"
    if any(o.is_response for o in outcomes.values()):
        name += " was known"
    values = predictor_values(cohort, predictor, drug, event_day=days, event_name=name)
    if values.category or values.group is not None:
        raise NotAnalysable(f"“{values.label}” is not a number: a cut or a curve needs one")
    return values


def published_reference(published: str | None) -> PublishedValues | None:
    """The printed values a question names with `published`. Raises `NotAnalysable` for an unknown one."""
    if published is None:
        return None
    from troughline.evidence.store import resolve_published

    try:
        return resolve_published(published)
    except ValueError as error:
        raise NotAnalysable(f"published: {error}") from None


def external_cuts(values: PredictorValues, drug: Drug | None) -> tuple[list[ExternalCut], list[ExternalCut]]:
    """Published cuts for this drug: those of the same metric, and those that must not be compared."""
    if drug is None or values.exposure is None or not values.is_drug_level:
        return [], []
    from troughline.cohort.studyfile import MODEL_METRICS
    from troughline.evidence.store import exposure_cuts

    if values.exposure.metric == "auc":
        # No level is comparable with an area, nor can it be put beside one.
        return [], []
    own = values.exposure.metric
    like = [] if own in MODEL_METRICS else list(exposure_cuts(drug.id, own))
    unlike: list[Any] = []
    for metric in ("trough", "clinic-visit"):
        if metric != own:
            unlike += exposure_cuts(drug.id, metric)
    return like, unlike


def in_unit(cut: ExternalCut, unit: str, drug: Drug | None) -> float:
    """A published cut converted to the question's unit."""
    from troughline.units import convert

    molar = drug.molar_mass_g_per_mol if drug else None
    return float(convert(cut.value, cut.unit, unit, molar_mass_g_per_mol=molar))
