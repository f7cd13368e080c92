"""The answer of an interaction question in words: what may be called predictive, and what may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.biomarker.interaction_leads import leading_words
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
    """The summary: what was asked about a class or a signature, then the interaction, then the prognosis."""
    kind = sample.endpoint.kind
    if facts.no_control:
        prognostic = _all(parts, PROGNOSTIC[kind])
        shown = (
            f"{_shown(prognostic[0])} {_per(sample)}" if len(prognostic) == 1 else _each(prognostic, sample)
        )
        text = (
            f"{_capital(marker.label)} and {outcomes.label} under treatment: {facts.word} "
            f"{shown}. That is a prognostic answer. Whether the "
            f"marker tells who benefits from the treatment cannot be said without a control arm "
            f"({facts.no_control})."
        )
        return " ".join(t for t in (leading_words(facts, parts, outcomes), text) if t)
    found = _all(parts, INTERACTIONS[kind])
    if not found or facts.p_interaction is None:
        return leading_words(facts, parts, outcomes)
    word = f"ratio of {facts.word}s" if kind != "continuous" else "difference of differences"
    if len(found) == 1:
        what = f"{word} {_shown(found[0])} {_per(sample)}, {p_value(facts.p_interaction)}"
    else:
        joint = next(e for e in parts.estimates if e.name == "interaction_test")
        what = f"{joint.label}, {p_value(facts.p_interaction)}"
        trend = _first(parts, "interaction_trend")
        if trend is not None and facts.p_trend is not None:
            what += f" (trend {_shown(trend)} {trend.label}, {p_value(facts.p_trend)})"
        what += f"; {word} {_each(found, sample)}"
    if facts.known_day is not None:
        text = f"The marker was known only after treatment began, so it is not called predictive: {what}."
    elif facts.p_interaction < SIGNIFICANT:
        text = f"The treatment effect differs with {marker.label} (predictive): {what}."
    else:
        text = f"These data do not show that the treatment effect differs with {marker.label}: {what}."
        if facts.detectable is not None and facts.detectable_is_ratio:
            text += (
                f" Only a ratio of {number(facts.detectable)} or more between {facts.detectable_between} "
                "would have been seen with 80 % power."
            )
    text += _prognosis(facts, parts, sample)
    return " ".join(t for t in (leading_words(facts, parts, outcomes), text) if t)


def _prognosis(facts: InteractionFacts, parts: Parts, sample: Sample) -> str:
    """What the marker says of patients without the treatment, all its levels at once."""
    where = f"in {facts.arms[1]}, "
    control = [e for e in _all(parts, PROGNOSTIC[sample.endpoint.kind]) if e.label.startswith(where)]
    if not control:
        return ""
    p = facts.p_prognostic
    word = "prognostic" if p is not None and p < SIGNIFICANT else "not shown to be prognostic"
    if len(control) == 1:
        shown = f"{_shown(control[0])} {_per(sample)} ({word})"
    else:
        test = next(e for e in parts.estimates if e.name == "prognostic_test")
        levels = test.label.removeprefix(where)
        shown = f"{_each(control, sample)} ({word}: {levels}"
        shown += f", {p_value(p)})" if p is not None else ")"
    return f" In the arm {facts.arms[1]} the marker's own {facts.word} is {shown}."


def _each(estimates: list[Estimate], sample: Sample) -> str:
    return ", ".join(f"{_shown(e)} ({per})" for e, per in zip(estimates, sample.labels, strict=True))


def _per(sample: Sample) -> str:
    return sample.per if sample.raw is not None else f"({sample.labels[0]})"


def _all(parts: Parts, name: str) -> list[Estimate]:
    return [
        e for e in parts.estimates
        if e.name == name and e.method.startswith("guarded") and "landmark" not in e.method
        and "joint model" not in e.method
    ]  # fmt: skip


def _first(parts: Parts, name: str) -> Estimate | None:
    return next(iter(_all(parts, name)), None)


def _shown(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not estimated"
    return interval(Interval(value=estimate.value, low=estimate.low, high=estimate.high))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def methods_of(
    question: InteractionQuestion,
    facts: InteractionFacts,
    marker: Marker,
    outcomes: Outcomes,
    arms: Arms,
    sample: Sample,
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
            + " All levels are tested at once."
            * (sample.columns.shape[1] > 1)
        )
        if question.randomised:
            lines.append("The arms are stated to be randomised.")
    if marker.log and marker.is_number:
        lines.append(f"{_capital(marker.label)} enters as its logarithm to base 2.")
    if facts.n_below:
        lines.append(
            f"{facts.n_below} levels lie {facts.below_words}. As published half the limit stands for them; "
            f"guarded, {facts.below_how}."
        )
    if question.adjust:
        lines.append(f"Adjusted for {', '.join(question.adjust)}.")
    return lines
