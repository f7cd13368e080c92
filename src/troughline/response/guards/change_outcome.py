"""Guards about the change of a marker held against an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.response.case import Interval
from troughline.response.guards.changes import CHANGE
from troughline.response.guards.inference import EVENTS_PER_PARAMETER
from troughline.response.guards.registry import Fired, guard
from troughline.response.guards.wording import count, day, interval, number
from troughline.results import GuardSeverity

if TYPE_CHECKING:
    from troughline.biomarker.endpoint import Effect
    from troughline.biomarker.outcome_facts import LinkFinding, OutcomeLink
    from troughline.response.case import Case

_NAMED = 4


def _link(case: Case) -> OutcomeLink | None:
    link = None if case.change is None else case.change.link
    return link if link is not None and link.findings else None


@guard(
    "immortal-change",
    title="Immortal time before the second sample",
    detects="patients grouped by how a marker changed, which is known at the second sample, and compared "
    "from the first dose on",
    absent="the outcome counts from the second sample, or both samples were drawn before the first dose, or "
    "no outcome is asked for",
    remedy="Count from the second sample, among those alive, without the event and sampled by then, and let "
    "the change enter as a number: read the guarded column.",
    reference="Anderson 1983, doi 10.1200/JCO.1983.1.11.710; Dafni 2011, doi 10.1161/CIRCOUTCOMES.110.957951",
    kinds=CHANGE,
)
def immortal_change(case: Case) -> Fired | None:
    """Responders by change of a marker compared from the first dose, and who could not become one."""
    link = _link(case)
    if link is None or link.counted_from != "first dose":
        return None
    found = [f for f in link.findings if f.before.median_day > 0]
    if not found:
        return None
    worst = max(found, key=lambda f: f.before.n_event + f.before.n_ended)
    before = worst.before
    lost = before.n_event + before.n_ended
    finding = (
        f"How {worst.marker} changed is known on day {day(before.median_day)} (median): a responder has to "
        "live that long."
    )
    if lost:
        where = "with the non-responders" if link.unsampled == "non-responders" else "in neither group"
        finding += (
            f" {count(lost, 'patient')} of {before.n_followed} had the event ({before.n_event}) or were "
            f"followed no longer ({before.n_ended}) by then and could not respond; as published they are "
            f"{where}."
        )
    if link.kind == "survival":
        finding += (
            f" The others bring {number(before.person_time)} {before.unit}s in which none of them could have "
            "the event."
        )
    told = [_both(f, link) for f in found if f.published is not None or f.same_groups is not None]
    more = f"; and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return Fired(
        finding=finding,
        effect=f"{'; '.join(told[:_NAMED])}{more}." if told else "",
        severity=GuardSeverity.CAUTION if lost else GuardSeverity.NOTE,
    )


def _both(f: LinkFinding, link: OutcomeLink) -> str:
    word = "hazard" if link.kind == "survival" else "odds"
    return (
        f"{f.marker}: {word} ratio of responders {_shown(f.published)} from the first dose, "
        f"{_shown(f.same_groups)} from the second sample"
    )


def _shown(effect: Effect | None) -> str:
    import math

    if effect is None:
        return "not estimated"

    def ratio(log: float) -> float | None:
        return math.exp(log) if abs(log) < 300 else None

    return interval(Interval(value=ratio(effect.value), low=ratio(effect.low), high=ratio(effect.high)))


@guard(
    "few-events-change",
    title="Too few events for the change",
    detects=f"fewer than {EVENTS_PER_PARAMETER} events (of a yes/no outcome: of the rarer answer) after the "
    "second sample for each parameter: the change, the first level and every covariate",
    absent=f"at least {EVENTS_PER_PARAMETER} events for each parameter, or no outcome is asked for",
    remedy="Read the interval, not the estimate; adjust for less, or follow the patients longer.",
    reference="Riley 2020, doi 10.1136/bmj.m441; Firth 1993, doi 10.1093/biomet/80.1.27",
    kinds=CHANGE,
)
def few_events_change(case: Case) -> Fired | None:
    """Events after the second sample per parameter of the regression."""
    link = _link(case)
    if link is None:
        return None
    few: list[tuple[LinkFinding, int]] = []
    for f in link.findings:
        rarer = f.n_events if link.kind == "survival" else min(f.n_events, f.n - f.n_events)
        if rarer < EVENTS_PER_PARAMETER * f.n_parameters:
            few.append((f, rarer))
    if not few:
        return None
    told = [f"{f.marker} {rarer} for {f.n_parameters} parameters" for f, rarer in few]
    unsettled = [f for f, _ in few if f.change is None]
    penalised = [f.marker for f, _ in few if f.penalised]
    effect = ""
    if penalised:
        effect = f"The likelihood of {', '.join(penalised)} has no maximum: Firth's penalty gives a number."
    elif unsettled:
        effect = f"Not computed for {', '.join(f.marker for f in unsettled)}."
    else:
        spans = [f"{f.marker} {_shown(f.change)}" for f, _ in few]
        effect = f"Ratio {few[0][0].step} of the change: {'; '.join(spans[:_NAMED])}."
    return Fired(
        finding=f"Events after the second sample: {'; '.join(told[:_NAMED])}"
        + (f"; and {len(told) - _NAMED} more" if len(told) > _NAMED else "")
        + ".",
        effect=effect,
    )
