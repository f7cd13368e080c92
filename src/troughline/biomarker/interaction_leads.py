"""What an interaction question about a class or a signature is answered with first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.response.case import Interval
from troughline.response.guards.wording import interval, number

if TYPE_CHECKING:
    from troughline.biomarker.interaction_data import Outcomes
    from troughline.response.interaction_facts import InteractionFacts, SignatureFacts
    from troughline.response.questions.parts import Parts
    from troughline.results import Estimate

WITHIN = "guarded: cause-specific Cox within the class"


def leading_words(facts: InteractionFacts, parts: Parts, outcomes: Outcomes) -> str:
    """What the signature is worth in patients it had not seen, and the treatment's effect in each class."""
    said = [_signature(facts.signature, outcomes), _classes(parts, outcomes)]
    return " ".join(s for s in said if s)


def _signature(facts: SignatureFacts | None, outcomes: Outcomes) -> str:
    if facts is None or facts.concordance is None:
        return ""
    text = f"In patients it had not seen the signature has a concordance of {interval(facts.concordance)}"
    if facts.concordance_apparent is not None:
        text += f" ({number(facts.concordance_apparent)} in those it was fitted to)"
    text += f" and a calibration slope of {interval(facts.slope)} (1 is right, less is too extreme)."
    if facts.net_benefit is not None and facts.threshold is not None:
        each = [None if v is None else 100 * v for v in _three(facts.net_benefit)]
        shown = interval(Interval(value=each[0], low=each[1], high=each[2]))
        text += (
            f" Whoever would act at a risk of {100 * facts.threshold:.0f} %, that of all by {facts.horizon}, "
            f"gains by it {shown} in 100 patients over acting on all or on nobody."
        )
    return text


def _three(value: Interval) -> tuple[float | None, float | None, float | None]:
    return value.value, value.low, value.high


def _classes(parts: Parts, outcomes: Outcomes) -> str:
    rows = [e for e in parts.estimates if e.name == "treatment_hazard_ratio" and e.method == WITHIN]
    if not rows:
        return ""
    # “Child-Pugh class A”, and for the following classes their own word alone.
    words = list(zip(*(e.label.split() for e in rows), strict=False))
    n_same = next((k for k, w in enumerate(words) if len(set(w)) > 1), 0)
    said = ", ".join(
        f"{' '.join(e.label.split()[n_same if k else 0 :])} {_shown(e)}" for k, e in enumerate(rows)
    )
    return f"Hazard ratio of “{outcomes.label}” by treatment in {said}."


def _shown(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not estimated"
    return interval(Interval(value=estimate.value, low=estimate.low, high=estimate.high))
