"""Outcomes: who had the event or the response, on which day, and how long each patient was followed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from troughline.cohort.values import comparable
from troughline.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.studyfile import Outcome, Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryOutcome:
    """A yes/no outcome for each patient.

    `happened` holds True, False or None (cannot be told; `unknown` says why). `day` is the study day on
    which it was first known for those who had it; `died_before` are patients who died without it.
    `is_response` marks a tumour response; `decided_day` is then the day from which the answer, yes or no,
    was known (the first response, progression or death, or the day a stable patient becomes one). `notes`
    are sentences for the methods.
    """

    label: str
    happened: Mapping[str, bool | None]
    day: Mapping[str, float]
    unknown: Mapping[str, str]
    died_before: frozenset[str] = frozenset()
    is_response: bool = False
    decided_day: Mapping[str, float] = field(default_factory=dict[str, float])
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeToEvent:
    """Time from the first dose to an event, in `unit` (month = 365.25/12 days).

    `status`: 0 censored, 1 the event, 2 a competing event. `unknown` lists patients without a usable time.
    """

    label: str
    unit: str
    days_per_unit: float
    time: Mapping[str, float]
    status: Mapping[str, int]
    unknown: Mapping[str, str]
    competing_label: str = ""
    follow_up_from_last_record: frozenset[str] = field(default_factory=frozenset[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientEvent:
    """One row of the events table."""

    day: float
    event: str
    term: str
    grade: float
    response: str
    criterion: str


def events_by_patient(cohort: Cohort) -> dict[str, list[PatientEvent]]:
    """Each patient's events in time order."""
    table = cohort.events
    out: dict[str, list[PatientEvent]] = {p: [] for p in cohort.patient_ids}
    columns = ("patient", "day", "event", "term", "grade", "response", "criterion")
    for patient, day, event, term, grade, response, criterion in zip(
        *(table[c].tolist() for c in columns), strict=True
    ):
        out.setdefault(str(patient), []).append(
            PatientEvent(
                day=float(day),
                event=str(event),
                term=term if isinstance(term, str) else "",
                grade=float(grade) if grade is not None else math.nan,
                response=response if isinstance(response, str) else "",
                criterion=criterion if isinstance(criterion, str) else "",
            )
        )
    for history in out.values():
        history.sort(key=lambda e: e.day)
    return out


def last_seen(cohort: Cohort) -> tuple[dict[str, float], frozenset[str]]:
    """The last day each patient was seen, and those for whom it is only the last record of any kind."""
    seen: dict[str, float] = {}
    stated: set[str] = set()
    for patient, history in events_by_patient(cohort).items():
        for e in history:
            seen[patient] = max(e.day, seen.get(patient, -math.inf))
            if e.event in ("death", "last contact"):
                stated.add(patient)
    for patient, day in zip(
        cohort.measurements["patient"].tolist(), cohort.measurements["day"].tolist(), strict=True
    ):
        if str(patient) not in stated:
            seen[str(patient)] = max(float(day), seen.get(str(patient), -math.inf))
    return seen, frozenset(set(seen) - stated)


def binary_outcome(cohort: Cohort, outcome: Outcome) -> BinaryOutcome:
    """A yes/no outcome for every patient of the cohort.

    Raises `ValueError` when a named column does not exist or no row can decide the outcome.
    """
    if outcome.column is not None:
        return _from_column(cohort, outcome)
    if outcome.response is not None:
        return response_outcome(
            cohort, outcome.response, outcome.or_stable_for_days, criterion=outcome.criterion
        )
    if outcome.event is None:
        raise ValueError("time and status describe a time to an event: use a survival question")
    history = events_by_patient(cohort)
    seen, _ = last_seen(cohort)
    happened: dict[str, bool | None] = {}
    first: dict[str, float] = {}
    unknown: dict[str, str] = {}
    died: set[str] = set()
    for patient in cohort.patient_ids:
        days = [e.day for e in history[patient] if _matches(e, outcome)]
        limit = outcome.within_days
        if limit is not None:
            days = [d for d in days if d <= limit]
        if days:
            happened[patient] = True
            first[patient] = days[0]
            continue
        death = [e.day for e in history[patient] if e.event == "death"]
        if death and "death" not in outcome.event and (limit is None or death[0] <= limit):
            died.add(patient)
        ended_early = limit is not None and not death and seen.get(patient, -math.inf) < limit
        if ended_early:
            happened[patient] = None
            unknown[patient] = f"followed for less than {limit:g} days"
        elif not history[patient]:
            happened[patient] = None
            unknown[patient] = "no row in the events table"
        else:
            happened[patient] = False
    return BinaryOutcome(
        label=describe(outcome),
        happened=happened,
        day=first,
        unknown=unknown,
        died_before=frozenset(died),
    )


def response_outcome(
    cohort: Cohort,
    responses: tuple[str, ...],
    stable_days: float | None,
    *,
    criterion: str | None = None,
) -> BinaryOutcome:
    """Responders: a best response among `responses`, or no progression for `stable_days` with an assessment.

    A responder by stability is known to be one only on day `stable_days`: that day is what `day` holds. A
    response after progression (or on its day) does not count.
    """
    history = events_by_patient(cohort)
    seen, _ = last_seen(cohort)
    happened: dict[str, bool | None] = {}
    day: dict[str, float] = {}
    decided: dict[str, float] = {}
    unknown: dict[str, str] = {}
    died: set[str] = set()
    after_progression = 0
    long_unseen = 0
    for patient in cohort.patient_ids:
        rows = history[patient]
        death = [e.day for e in rows if e.event == "death"]
        ended = [e.day for e in rows if e.event in ("progression", "death") or e.response == "PD"]
        end = ended[0] if ended else math.inf
        assessed = [e for e in rows if e.response and (criterion is None or e.criterion in ("", criterion))]
        all_responses = [e.day for e in assessed if e.response in responses]
        responded = [d for d in all_responses if d < end]
        after_progression += bool(all_responses) and not responded
        controlled = [e.day for e in assessed if e.response in ("CR", "PR", "SD") and e.day < end]
        stable = (
            stable_days is not None
            and end > stable_days
            and bool(controlled)
            and seen.get(patient, -math.inf) >= stable_days
        )
        if responded or stable:
            happened[patient] = True
            known = [*responded[:1], *([stable_days] if stable and stable_days is not None else [])]
            day[patient] = decided[patient] = min(known)
            if not responded and stable_days is not None and controlled[-1] < stable_days / 2:
                long_unseen += 1
        elif end < math.inf and (stable_days is None or end <= stable_days):
            happened[patient] = False
            decided[patient] = end
            if death and death[0] <= end:
                died.add(patient)
        elif not (assessed if stable_days is None else controlled):
            happened[patient], unknown[patient] = None, "no tumour assessment"
        elif stable_days is not None:
            happened[patient], unknown[patient] = None, f"followed for less than {stable_days:g} days"
        else:
            happened[patient] = False
            decided[patient] = assessed[-1].day
    label = "/".join(responses) + (f" or stable for {stable_days:g} days" if stable_days else "")
    notes: list[str] = []
    if after_progression:
        notes.append(f"A response recorded after progression does not count ({after_progression} patients).")
    if long_unseen and stable_days is not None:
        notes.append(
            f"{long_unseen} patients count as stable for {stable_days:g} days although their last tumour "
            f"assessment was before day {stable_days / 2:g}."
        )
    return BinaryOutcome(
        label=label,
        happened=happened,
        day=day,
        decided_day=decided,
        unknown=unknown,
        died_before=frozenset(died),
        is_response=True,
        notes=tuple(notes),
    )


def group_after_start(cohort: Cohort, predictor: Predictor) -> BinaryOutcome:
    """A group defined by something that happens after the first dose: a response or an event."""
    if predictor.response is not None:
        return response_outcome(cohort, predictor.response, predictor.or_stable_for_days)
    history = events_by_patient(cohort)
    wanted = predictor.event or ()
    happened: dict[str, bool | None] = {}
    day: dict[str, float] = {}
    for patient in cohort.patient_ids:
        days = [e.day for e in history[patient] if e.event in wanted]
        happened[patient] = bool(days)
        if days:
            day[patient] = days[0]
    return BinaryOutcome(label=" or ".join(wanted), happened=happened, day=day, unknown={})


def time_to_event(cohort: Cohort, outcome: Outcome, competing: tuple[str, ...] = ()) -> TimeToEvent:
    """Time from the first dose to the outcome, for every patient.

    From events: the first matching row; otherwise censored at death or at the last contact (or, where
    neither is recorded, at the last record of any kind, and the patient is listed). Death before the
    event has status 2 when it is named in `competing`. Progression is a `progression` event or a response
    of PD.
    Raises `ValueError` when a named column does not exist or holds no numbers.
    """
    if outcome.time is not None:
        return _from_time_columns(cohort, outcome)
    if outcome.event is None:
        raise ValueError("a survival question needs event = ... or time and status columns")
    history = events_by_patient(cohort)
    seen, only_records = last_seen(cohort)
    time: dict[str, float] = {}
    status: dict[str, int] = {}
    unknown: dict[str, str] = {}
    for patient in cohort.patient_ids:
        if patient not in seen:
            unknown[patient] = "no follow-up recorded"
            continue
        days = [e.day for e in history[patient] if _matches(e, outcome)]
        rivals = [e.day for e in history[patient] if e.event in competing and e.event not in outcome.event]
        end, state = seen[patient], 0
        if rivals and rivals[0] <= end:
            end, state = rivals[0], 2
        if days and days[0] <= end:
            end, state = days[0], 1
        if outcome.within_days is not None and end > outcome.within_days:
            end, state = outcome.within_days, 0
        if end <= 0:
            unknown[patient] = f"follow-up of {end:g} days"
            continue
        time[patient] = end / DAYS_PER_MONTH
        status[patient] = state
    return TimeToEvent(
        label=describe(outcome),
        unit="month",
        days_per_unit=DAYS_PER_MONTH,
        time=time,
        status=status,
        unknown=unknown,
        competing_label=" or ".join(competing),
        follow_up_from_last_record=only_records & frozenset(time),
    )


def describe(outcome: Outcome) -> str:
    """The outcome in words."""
    if outcome.column is not None:
        return f"{outcome.column} = {outcome.equals}"
    if outcome.time is not None:
        return str(outcome.status)
    if outcome.response is not None:
        stable = f" or stable for {outcome.or_stable_for_days:g} days" if outcome.or_stable_for_days else ""
        return "/".join(outcome.response) + stable
    name = " or ".join(outcome.event or ())
    if outcome.term:
        name = outcome.term
    if outcome.grade is not None:
        name += f" grade {outcome.grade}".replace(">=", "≥ ").replace("<=", "≤ ")
    return name + (f" within {outcome.within_days:g} days" if outcome.within_days else "")


def _matches(e: PatientEvent, outcome: Outcome) -> bool:
    names = outcome.event or ()
    named = e.event in names or (e.response == "PD" and "progression" in names)
    if not named:
        return False
    if outcome.term is not None and e.term.lower() != outcome.term.lower():
        return False
    return outcome.grade is None or outcome.grade.holds(e.grade)


def _from_column(cohort: Cohort, outcome: Outcome) -> BinaryOutcome:
    column = str(outcome.column)
    if column not in cohort.patients.columns:
        raise ValueError(f"the patients table has no column {column!r}")
    happened: dict[str, bool | None] = {}
    unknown: dict[str, str] = {}
    for patient, text in zip(cohort.patient_ids, cohort.patients[column].tolist(), strict=True):
        shown = _text(text)
        happened[patient] = None if shown == "" else comparable(text) == comparable(outcome.equals)
        if shown == "":
            unknown[patient] = f"{column} is missing"
    return BinaryOutcome(label=describe(outcome), happened=happened, day={}, unknown=unknown)


def _from_time_columns(cohort: Cohort, outcome: Outcome) -> TimeToEvent:
    from troughline.units import convert

    for column in (str(outcome.time), str(outcome.status)):
        if column not in cohort.patients.columns:
            raise ValueError(f"the patients table has no column {column!r}")
    time: dict[str, float] = {}
    status: dict[str, int] = {}
    unknown: dict[str, str] = {}
    rows = zip(
        cohort.patient_ids,
        cohort.patients[str(outcome.time)].tolist(),
        cohort.patients[str(outcome.status)].tolist(),
        strict=True,
    )
    for patient, raw_time, raw_status in rows:
        if _text(raw_time) == "" or _text(raw_status) == "":
            unknown[patient] = "time or status is missing"
            continue
        try:
            value = float(_text(raw_time))
        except ValueError:
            raise ValueError(
                f"patient {patient}: {outcome.time} = {_text(raw_time)!r} is not a number"
            ) from None
        if not value > 0 or math.isinf(value):
            unknown[patient] = f"follow-up of {value:g} {outcome.unit}"
            continue
        time[patient] = value
        status[patient] = int(comparable(raw_status) == comparable(outcome.status_value))
    return TimeToEvent(
        label=describe(outcome),
        unit=outcome.unit,
        days_per_unit=float(convert(1.0, outcome.unit, "day")),
        time=time,
        status=status,
        unknown=unknown,
    )


def _text(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
