"""Guards about time: who could be in a group, and what happened before the level was drawn."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

from troughline.cohort.exposure import first_modification_day
from troughline.response.guards.registry import EXPOSURE_KINDS, Fired, guard
from troughline.response.guards.wording import both_columns, count, day, interval

if TYPE_CHECKING:
    from troughline.response.case import Case

# A sample counts as late when the typical patient had spent this share of the follow-up before it.
LATE_SHARE = 0.10


@guard(
    "immortal-time",
    title="Immortal time",
    detects="a group defined by something that happens after time zero, compared from time zero",
    absent="groups are known at time zero, or the group is a level or a covariate",
    remedy="Count from a landmark at which the group is known, or let the group change over time in the "
    "model: read the guarded column.",
    reference="Anderson 1983, doi 10.1200/JCO.1983.1.11.710; Lévesque 2010, doi 10.1136/bmj.b5087",
    kinds=("survival",),
)
def immortal_time(case: Case) -> Fired | None:
    """A survival question whose group is a response or an event during treatment."""
    group = case.predictor.group
    if group is None or case.survival is None:
        return None
    days = [group.day[p] for p, yes in group.happened.items() if yes and p in group.day]
    when = f"only on day {day(median(days))} (median)" if days else "only after the first dose"
    early = case.measured.early_events
    at = case.measured.landmark_day
    lost = (
        f" {count(early, 'patient')} had the event before day {day(at)} and could not join the group."
        if at is not None
        else ""
    )
    measured = case.measured
    effect = (
        f"Hazard ratio counted from the first dose {interval(measured.hazard_ratio_published)}; "
        f"with the group counted from when it was known {interval(measured.hazard_ratio_guarded)}."
    )
    return Fired(
        finding=f"The group “{group.label}” is known {when}: its members had to live that long.{lost}",
        effect=effect,
    )


@guard(
    "exposure-after-change",
    title="Level drawn after the event or after the dose was cut",
    detects="a level that enters the as-published value although it was drawn after the event or after a "
    "dose reduction, hold or discontinuation",
    absent="every level was drawn before the first event and the first dose change",
    remedy="Use the first steady-state level before the event and before any dose change; a level after a "
    "cut shows the cut, not the cause.",
    reference="Wiens 2023, PMC10864924; Dumortier 2026, doi 10.1002/psp4.70227",
    kinds=EXPOSURE_KINDS,
)
def exposure_after_change(case: Case) -> Fired | None:
    """Samples that count as published and were drawn after the event or a dose modification."""
    exposure = case.predictor.exposure
    if exposure is None:
        return None
    used = exposure.every or tuple(exposure.as_published.values())
    # A sample has one reason: one that is no trough either does not say that it came after a change.
    changed = first_modification_day(case.cohort) if exposure.is_drug else {}
    late = [
        s
        for e in used
        for s in e.samples
        if s.reason.startswith("drawn after") or s.day > changed.get(s.patient, math.inf)
    ]
    if not late:
        return None
    patients = {s.patient for s in late}
    end = "later level of the pair" if case.question.kind == "change" else "event"
    return Fired(
        finding=f"{count(len(late), 'sample')} in {count(len(patients), 'patient')} were drawn after the "
        f"{end} or after the dose was changed, and enter the as-published value.",
        effect=both_columns(case.measured, "without these samples"),
    )


@guard(
    "survivor-only",
    title="Only survivors were sampled",
    detects="levels drawn so late that patients with early events could not have one, while time is counted "
    "from the first dose",
    absent="levels were drawn within the first tenth of the typical follow-up",
    remedy="Let each patient enter the analysis on the day of the sample (delayed entry), or start at a "
    "landmark after it.",
    reference="Dafni 2011, doi 10.1161/CIRCOUTCOMES.110.957951",
    kinds=("survival",),
)
def survivor_only(case: Case) -> Fired | None:
    """A level drawn late in the follow-up with time counted from the first dose."""
    exposure = case.predictor.exposure
    if exposure is None or case.survival is None:
        return None
    # The as-published value is known with its last sample, which may be later than the guarded one.
    drawn = [e.day for p, e in exposure.as_published.items() if p in case.survival.time]
    follow_up = [t * case.survival.days_per_unit for t in case.survival.time.values()]
    if not drawn or not follow_up or median(drawn) <= LATE_SHARE * median(follow_up):
        return None
    before = sum(
        1
        for p, t in case.survival.time.items()
        if case.survival.status[p] == 1
        and p not in case.predictor.as_published
        and t * case.survival.days_per_unit < median(drawn)
    )
    never = f" {count(before, 'patient')} had the event first and were never sampled." if before else ""
    return Fired(
        finding=f"The level was drawn on day {day(median(drawn))} (median), after "
        f"{100 * median(drawn) / median(follow_up):.0f} % of the median follow-up: only those still under "
        f"observation could have one.{never}",
        effect=f"Hazard ratio from the first dose {interval(case.measured.hazard_ratio_published)}; "
        f"entering at the sample {interval(case.measured.hazard_ratio_guarded)}.",
    )


@guard(
    "competing-death",
    title="Death as a competing event",
    detects="deaths before the event treated as if those patients could still have it",
    absent="death is part of the outcome or named as competing, or nobody died before the typical day "
    "of the event",
    remedy='Name death as competing (`competing = "death"`): the cumulative incidence is then reported '
    "beside the cause-specific hazard.",
    reference="Austin 2016, doi 10.1161/CIRCULATIONAHA.115.017719",
)
def competing_death(case: Case) -> Fired | None:
    """Deaths counted as censored in a survival question, or as event-free within a stated time."""
    from troughline.cohort.outcomes import events_by_patient

    question = case.question
    if question.kind == "survival":
        names = question.outcome.event or ()
        if not names or "death" in names or "death" in question.competing or case.survival is None:
            return None
        died = {
            p for p, rows in events_by_patient(case.cohort).items() if any(e.event == "death" for e in rows)
        }
        first = [p for p, status in case.survival.status.items() if status == 0 and p in died]
        if not first:
            return None
        measured = case.measured
        effect = ""
        if measured.naive_incidence is not None and measured.competing_incidence is not None:
            effect = (
                f"Incidence at the end of follow-up: {100 * measured.naive_incidence:.0f} % with deaths "
                f"censored, {100 * measured.competing_incidence:.0f} % with death competing."
            )
        return Fired(
            finding=f"{count(len(first), 'patient')} died without {' or '.join(names)} and were counted as "
            "censored.",
            effect=effect,
        )
    early: set[str] = set()
    when = "the time was up"
    history = events_by_patient(case.cohort)
    for role, outcome in case.outcomes.items():
        if outcome.is_response or not outcome.day:
            continue
        limited = getattr(question, role).within_days is not None
        typical = median(outcome.day.values())
        if not limited:
            when = f"the event's typical day ({day(typical)})"
        for patient in outcome.died_before:
            death = next((e.day for e in history[patient] if e.event == "death"), None)
            if death is not None and (limited or death < typical):
                early.add(patient)
    if not early:
        return None
    return Fired(
        finding=f"{count(len(early), 'patient')} died before {when} and count as event-free.",
        effect="Their risk is understated: they could not have the event after death. Not computed further "
        "for this question; a survival question with death competing does.",
    )
