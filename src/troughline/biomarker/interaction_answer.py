"""The answer of an interaction question in words: what may be called predictive, and what may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.biomarker.interaction_view import INTERACTIONS, PROGNOSTIC
from troughline.response.case import Interval
from troughline.response.guards.wording import interval, number, p_value

if TYPE_CHECKING:
    from troughline.biomarker.interaction_data import Arms, Marker, Outcomes, Sample
    from troughline.cohort.question_interaction import InteractionQuestion
    from troughline.response.interaction_facts import InteractionFacts
    from troughline.response.questions.parts import Parts
    from troughline.results import Estimate

SIGNIFICANT = 0.05


def answer_in_words(
    facts: InteractionFacts, marker: Marker, outcomes: Outcomes, sample: Sample, parts: Parts
) -> str:
    """The summary: interaction first, then the prognostic effect without treatment."""
    kind = sample.endpoint.kind
    prognostic = _first(parts, PROGNOSTIC[kind])
    if facts.no_control:
        return (
            f"{_capital(marker.label)} and {outcomes.label} under treatment: {facts.word} "
            f"{_shown(prognostic)} {sample.per}. That is a prognostic answer. Whether the "
            f"marker tells who benefits from the treatment cannot be said without a control arm "
            f"({facts.no_control})."
        )
    found = _first(parts, INTERACTIONS[kind])
    if found is None or facts.p_interaction is None:
        return ""
    word = f"ratio of {facts.word}s" if kind != "continuous" else "difference of differences"
    what = f"{word} {_shown(found)} {_per(sample)}, {p_value(facts.p_interaction)}"
    if facts.known_day is not None:
        text = f"The marker was known only after treatment began, so it is not called predictive: {what}."
    elif facts.p_interaction < SIGNIFICANT:
        text = f"The treatment effect differs with {marker.label} (predictive): {what}."
    else:
        text = f"These data do not show that the treatment effect differs with {marker.label}: {what}."
        if facts.detectable is not None and facts.detectable_is_ratio:
            text += (
                f" Only a ratio of {number(facts.detectable)} or more between low and high would have been "
                "seen with 80 % power."
            )
    if prognostic is not None:
        shown = prognostic.p_value is not None and prognostic.p_value < SIGNIFICANT
        text += (
            f" In the arm {facts.arms[1]} the marker's own {facts.word} is {_shown(prognostic)} "
            f"{_per(sample)} ({'prognostic' if shown else 'not shown to be prognostic'})."
        )
    return text


def _per(sample: Sample) -> str:
    if sample.raw is not None:
        return sample.per
    return f"({sample.names[0]} {sample.per})"


def _first(parts: Parts, name: str) -> Estimate | None:
    return next((e for e in parts.estimates if e.name == name and e.method.startswith("guarded")), None)


def _shown(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not estimated"
    return interval(Interval(value=estimate.value, low=estimate.low, high=estimate.high))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def methods_of(
    question: InteractionQuestion, marker: Marker, outcomes: Outcomes, arms: Arms, sample: Sample
) -> list[str]:
    """How the answer was found, as sentences."""
    scale = {
        "survival": "Cox regression (Efron's ties)",
        "binary": "logistic regression",
        "continuous": "linear regression",
    }[outcomes.kind]
    lines: list[str] = []
    if arms.why_none:
        lines.append(f"The marker against {outcomes.label} by {scale}, {sample.per}.")
    else:
        lines.append(
            f"As published: the effect of {arms.names[0]} against {arms.names[1]} within each part of the "
            f"marker, with a p-value each. Guarded: {scale} with treatment, marker and their product, "
            f"{sample.per}; the marker is not cut. Its prognostic effect is that in the arm {arms.names[1]}."
        )
        if question.randomised:
            lines.append("The arms are stated to be randomised.")
    if marker.log and marker.is_number:
        lines.append(f"{_capital(marker.label)} enters as its logarithm to base 2.")
    if question.adjust:
        lines.append(f"Adjusted for {', '.join(question.adjust)}.")
    return lines
