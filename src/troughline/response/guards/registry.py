"""The registry of guards: what each detects, how much it matters, the remedy and the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from troughline.results import GuardFinding, GuardSeverity

if TYPE_CHECKING:
    from troughline.response.case import Case

# What a finding says of its effect on the answer where no number was computed for it.
NOT_COMPUTED = "Not computed for this question."
KINDS = ("threshold", "curve", "window", "survival")
"""The kinds that hold one predictor against an outcome: what a guard looks at unless it says otherwise."""
EXPOSURE_KINDS = (*KINDS, "change")
"""The kinds in which a measured or predicted exposure may be the predictor: for guards about its samples."""
MARKER_KINDS = ("association", "interaction", "change")
"""The kinds about markers, each with guards of its own."""
QUESTION_KINDS = (*KINDS, *MARKER_KINDS)
"""Every kind that a guard may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """What a rule found in one case: the finding, what it did to the answer, and a severity of its own."""

    finding: str
    effect: str = ""
    severity: GuardSeverity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One registered rule.

    `absent` tells when the rule is silent; `kinds` the question kinds it looks at; `late` rules need the
    whole study's p-values or cuts and run once every question has been answered. `refuses` tells when the
    rule refuses the question instead; empty where it never does.
    """

    id: str
    title: str
    detects: str
    absent: str
    severity: GuardSeverity
    remedy: str
    reference: str
    kinds: tuple[str, ...]
    rule: Callable[[Case], Fired | None]
    late: bool = False
    refuses: str = ""


REGISTRY: dict[str, Guard] = {}

Rule = Callable[["Case"], Fired | None]


def guard(
    guard_id: str,
    *,
    title: str,
    detects: str,
    absent: str,
    remedy: str,
    reference: str,
    severity: GuardSeverity = GuardSeverity.CAUTION,
    kinds: tuple[str, ...] = KINDS,
    late: bool = False,
    refuses: str = "",
) -> Callable[[Rule], Rule]:
    """Register a rule under `guard_id`. Raises `ValueError` when the id is taken."""

    def register(rule: Rule) -> Rule:
        if guard_id in REGISTRY:
            raise ValueError(f"guard {guard_id!r} is registered twice")
        REGISTRY[guard_id] = Guard(
            id=guard_id,
            title=title,
            detects=detects,
            absent=absent,
            severity=severity,
            remedy=remedy,
            reference=reference,
            kinds=kinds,
            rule=rule,
            late=late,
            refuses=refuses,
        )
        return rule

    return register


def check(case: Case, *, late: bool = False) -> tuple[GuardFinding, ...]:
    """Every guard that fires in this case, in the order of registration."""
    found: list[GuardFinding] = []
    for entry in REGISTRY.values():
        if entry.late is not late or case.question.kind not in entry.kinds:
            continue
        fired = entry.rule(case)
        if fired is not None:
            found.append(
                GuardFinding(
                    id=entry.id,
                    severity=fired.severity or entry.severity,
                    finding=fired.finding,
                    remedy=entry.remedy,
                    effect=fired.effect or NOT_COMPUTED,
                    reference=entry.reference,
                )
            )
    return tuple(found)
