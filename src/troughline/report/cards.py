"""The numbers on a question's card: those that matter most, or the strongest effects of a family of tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from troughline.report.names import estimate_name
from troughline.report.numbers import NO_VALUE, micro, p_value, unbroken
from troughline.report.reading import entries
from troughline.report.view import Json, is_single, value_and_interval

CARD_NUMBERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CardNumber:
    """One number of a card as text; `single` as in `Cell`."""

    name: str
    value: str
    interval: str
    single: bool


def card_numbers(question: Json) -> list[CardNumber]:
    """Up to three guarded numbers that matter most, one a name; of a family of tests its strongest effects.

    Of several estimates of one name the first without a label is taken, else the first with one: a variant
    (another criterion, another interval) never stands in for the answer, not even where that is a range.
    """
    ranked = _strongest(question)
    chosen: dict[tuple[int, int], CardNumber] = {(0, k): one for k, one in enumerate(ranked)}
    seen: set[str] = set()
    listed: list[tuple[int, Json]] = list(enumerate(entries(question, "estimates")))
    present = {str(estimate.get("name")) for _, estimate in listed}
    for k, estimate in sorted(listed, key=lambda one: (bool(one[1].get("label")), one[0])):
        name = estimate_name(str(estimate.get("name")))
        if not _is_guarded(estimate) or name.glance is None or name.short in seen:
            continue
        if (ranked and name.style != "count") or name.unless in present:
            continue
        value, span = value_and_interval(estimate, name)
        if value == NO_VALUE:
            continue
        seen.add(name.short)
        label = micro(str(estimate.get("label") or ""))
        chosen[(name.glance, k)] = CardNumber(
            name=unbroken(f"{name.short}, {label}") if label else name.short,
            value=value,
            interval=span,
            single=is_single(estimate, name),
        )
    return [chosen[key] for key in sorted(chosen)][:CARD_NUMBERS]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """The effects of a family of tests: their names, best first, and what their label ends in (any).

    `test` is the estimate whose p-value ranks them, their own where empty; `most` are shown.
    """

    names: tuple[str, ...]
    most: int
    ends: str = ""
    test: str = ""


_FAMILIES: dict[str, tuple[_Family, ...]] = {
    "change": (
        _Family(names=("hazard_ratio",), ends=": change, per doubling", most=3),
        _Family(names=("hazard_ratio",), ends=": change, per SD", most=3),
        _Family(names=("odds_ratio",), ends=": change, per doubling", most=3),
        _Family(names=("odds_ratio",), ends=": change, per SD", most=3),
        _Family(names=("change_ratio", "change_difference"), most=2),
    ),
    "association": (_Family(names=("correlation", "kendall_tau"), test="association_test", most=3),),
}
"""By kind of question; the first family that has estimates is shown."""


def _strongest(question: Json) -> list[CardNumber]:
    """The guarded effects of a family of tests with the smallest p-values, one a label, smallest first.

    Corrections keep the order of p-values or tie them, so it does not matter which are corrected.
    """
    listed = [e for e in entries(question, "estimates") if _is_guarded(e)]
    for family in _FAMILIES.get(str(question.get("kind")), ()):
        if cards := _cards_of(family, listed):
            return cards
    return []


def _cards_of(family: _Family, listed: list[Json]) -> list[CardNumber]:
    names, test = family.names, family.test
    p: dict[Any, Any] = {e.get("label"): e.get("p_value") for e in listed if e.get("name") == test}
    by_label: dict[Any, list[Json]] = {}
    for e in listed:
        ends = str(e.get("label") or "").endswith(family.ends)
        if e.get("name") in names and ends and e.get("value") is not None:
            by_label.setdefault(e.get("label"), []).append(e)
    best = [min(own, key=lambda e: names.index(str(e["name"]))) for own in by_label.values()]
    ranked: list[tuple[float, Json]] = []
    for e in best:
        rank: Any = p.get(e.get("label")) if test else e.get("p_value")
        if rank is not None:
            ranked.append((float(rank), e))
    cards: list[CardNumber] = []
    for rank, e in sorted(ranked, key=lambda one: one[0])[: family.most]:
        name = estimate_name(str(e["name"]))
        value, span = value_and_interval(e, name)
        label = micro(str(e.get("label") or ""))
        cards.append(
            CardNumber(
                name=unbroken(f"{name.short}, {label}") if label else name.short,
                value=value,
                interval=", ".join(filter(None, [span, "" if test else unbroken(p_value(rank))])),
                single=is_single(e, name),
            )
        )
    return cards


def _is_guarded(estimate: Json) -> bool:
    return str(estimate.get("method", "")).startswith("guarded")
