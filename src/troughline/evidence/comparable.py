"""Published numbers that a new result may be held against: same quantity, endpoint, metric and group."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from troughline.evidence.effects import Effect, Scale

if TYPE_CHECKING:
    from troughline.evidence.records import Number, Publication

Compared = Literal[
    "auc", "threshold", "window_lower", "window_upper", "hazard_ratio", "median_survival", "proportion"
]

SCALES: dict[Compared, Scale] = {
    "auc": "logit",
    "threshold": "log",
    "window_lower": "log",
    "window_upper": "log",
    "hazard_ratio": "log",
    "median_survival": "log",
    "proportion": "logit",
}
NULLS: dict[Compared, float] = {"auc": 0.5, "hazard_ratio": 1.0}
_NO_YEAR = 9999
_LEVEL_QUANTITIES = ("auc", "threshold", "window_lower", "window_upper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparable:
    """A published number as an effect, and where it comes from."""

    effect: Effect
    publication_id: str
    number_id: str
    endpoint: str
    metric: str | None
    group: str | None
    population: str
    citation: str
    doi: str | None


def comparable_numbers(
    drug_id: str,
    endpoint: str,
    quantity: Compared,
    *,
    metric: str | None = None,
    group: str | None = None,
) -> tuple[Comparable, ...]:
    """The published numbers of a drug that say the same as a new result, oldest first, without a year last.

    Everything must agree: quantity, endpoint, `group` (compared without regard to case, spaces, and how a
    unit or a dash is typed; None is the whole population; a hazard ratio needs its contrast, `arm vs arm`)
    and, for what is a level of exposure or depends on one, `metric`. Only what was published counts, not what
    was computed from it, and no bound (`< 0.1`). Raises `ValueError` for an unknown drug.
    """
    from troughline.evidence.store import list_publications, load_drug, load_publication

    drug = load_drug(drug_id)
    studies = [s for s in map(load_publication, list_publications()) if s.drug == drug.id]
    return tuple(
        found
        for study in sorted(studies, key=lambda s: (s.year or _NO_YEAR, s.id))
        for number in study.number
        if number.endpoint == endpoint and number.basis == "published"
        if same_group(group_of(number), group) and (group or quantity != "hazard_ratio")
        if getattr(number, "relation", None) is None
        if _same_metric(number, quantity, metric)
        for found in [_comparable(study, number, quantity)]
        if found is not None
    )


def groups_of(drug_id: str, endpoint: str, quantity: Compared) -> tuple[str, ...]:
    """The groups or contrasts for which a quantity of an endpoint was published, levels with their metric."""
    from troughline.evidence.store import list_publications, load_publication

    kind = "window" if quantity in ("window_lower", "window_upper") else quantity.replace("_", "-")
    found = {
        ", ".join(
            filter(
                None,
                (
                    group_of(number) or "all patients",
                    number.metric if quantity in _LEVEL_QUANTITIES else None,
                ),
            )
        ): None
        for study in map(load_publication, list_publications())
        if study.drug == drug_id
        for number in study.number
        if number.endpoint == endpoint and number.quantity == kind and number.basis == "published"
    }
    return tuple(found)


def group_of(number: Number) -> str | None:
    """Whom a number applies to, in words: its group, its arm, or its contrast `arm vs comparator`."""
    arm: str | None = getattr(number, "arm", None)
    comparator: str | None = getattr(number, "comparator", None)
    named = f"{arm} vs {comparator}" if arm and comparator else arm
    return ", ".join(filter(None, (named, number.group))) or None


def same_group(first: str | None, second: str | None) -> bool:
    """Whether two names mean one group: `1.40-3.45 ug/mL` and `1.40–3.45 µg/mL` do."""
    return _plain(first) == _plain(second)


def effect_of(
    number: Number, study: Publication, quantity: Compared, *, value: float | None = None
) -> Effect | None:
    """A record's number as an effect on the scale of its quantity; None without a value.

    An interval counts only where it is one of confidence, with its level printed, that holds the value; a
    range or a spread between patients is none.

    Raises `ValueError` for a value that has no place on the scale.
    """
    given = number.value if value is None else value
    if given is None:
        return None
    interval = value is None and number.interval == "confidence" and number.level is not None
    if interval and number.low is not None and number.high is not None:
        interval = number.low <= given <= number.high
    return Effect(
        label=short_name(study),
        value=given,
        low=number.low if interval else None,
        high=number.high if interval else None,
        level=number.level if interval and number.level is not None else 0.95,
        scale=SCALES[quantity],
        unit=number.unit,
        n=number.n or study.n,
        source=f"{study.citation}{f', doi {number.doi or study.doi}' if number.doi or study.doi else ''}",
        verified=number.verified,
    )


def short_name(study: Publication) -> str:
    """What a figure calls a study: its name, or `noda-2020` as `Noda 2020`."""
    return study.name or study.id.replace("-", " ").capitalize()


def _comparable(study: Publication, number: Number, quantity: Compared) -> Comparable | None:
    ends = {"window_lower": number.low, "window_upper": number.high}
    if quantity in ends:
        if number.quantity != "window":
            return None
        effect = effect_of(number, study, quantity, value=ends[quantity])
    else:
        if number.quantity != quantity.replace("_", "-"):
            return None
        effect = effect_of(number, study, quantity)
    if effect is None:
        return None
    return Comparable(
        effect=effect,
        publication_id=study.id,
        number_id=number.id,
        endpoint=number.endpoint or "",
        metric=number.metric,
        group=group_of(number),
        population=study.population,
        citation=study.citation,
        doi=number.doi or study.doi,
    )


def _same_metric(number: Number, quantity: Compared, metric: str | None) -> bool:
    if quantity in _LEVEL_QUANTITIES:
        return number.metric == metric
    return number.metric is None or number.metric == metric


def _plain(name: str | None) -> str:
    text = re.sub(r"\s+", "", (name or "").lower())
    for old, new in (("µ", "u"), ("μ", "u"), ("–", "-"), ("—", "-"), ("≥", ">="), ("≤", "<="), ("vs.", "vs")):
        text = text.replace(old, new)
    return text
