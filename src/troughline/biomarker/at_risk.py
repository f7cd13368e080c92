"""Who is at risk at the second sample: alive, without the event and sampled; and what came before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.endpoint import Endpoint
from troughline.biomarker.outcome_facts import BeforeSample

if TYPE_CHECKING:
    from troughline.biomarker.change_data import PairedLevels
    from troughline.biomarker.marker_levels import Level
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_change import ChangeQuestion, Responder

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """An outcome of every patient in whom it is known, counted from the first dose.

    `happened` is the event or the yes/no outcome; `time` (in `unit`) is the follow-up of a time to event.
    `known_day` is the study day on which a yes/no outcome was decided, where there is one; `closes` the day
    after which it cannot happen any more. `from_sample`: everything counts from the second sample already.
    """

    label: str
    timed: bool
    happened: Mapping[str, bool]
    unknown: Mapping[str, str]
    time: Mapping[str, float] = field(default_factory=dict[str, float])
    unit: str = "day"
    days_per_unit: float = 1.0
    known_day: Mapping[str, float] = field(default_factory=dict[str, float])
    closes: float = math.inf
    from_sample: bool = False
    notes: tuple[str, ...] = ()

    def over_by(self, patient: str, day: float) -> str:
        """Why a patient is not at risk after study day `day`, or an empty text."""
        if self.from_sample:
            return ""
        if self.timed:
            if self.time[patient] * self.days_per_unit > day:
                return ""
            return "event by the second sample" if self.happened[patient] else "followed no longer"
        known = self.known_day.get(patient, math.inf)
        if known <= day:
            return "event by the second sample" if self.happened[patient] else "outcome decided before"
        return "outcome decided before" if self.closes <= day else ""


def followed(cohort: Cohort, question: ChangeQuestion) -> Followed:
    """The outcome of a change question.

    Raises `ValueError` where a column does not exist, holds no numbers, or nobody's outcome is known.
    """
    from troughline.cohort.outcomes import binary_outcome, time_to_event

    outcome = question.outcome
    assert outcome is not None
    from_sample = question.counted_from == "second sample"
    if question.is_timed:
        times = time_to_event(cohort, outcome)
        if not times.time:
            raise ValueError(f"no patient has a follow-up time for “{times.label}”")
        return Followed(
            label=times.label, timed=True, happened={p: s == 1 for p, s in times.status.items()},
            unknown=times.unknown, time=times.time, unit=times.unit, days_per_unit=times.days_per_unit,
            from_sample=from_sample,
        )  # fmt: skip
    found = binary_outcome(cohort, outcome)
    happened = {p: v for p, v in found.happened.items() if v is not None}
    if not happened:
        raise ValueError(f"nobody's outcome “{found.label}” is known")
    return Followed(
        label=found.label, timed=False, happened=happened, unknown=found.unknown,
        known_day={**found.day, **found.decided_day}, closes=outcome.within_days or math.inf,
        from_sample=from_sample, notes=found.notes,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRisk:
    """Those at risk at their second sample: places among the pairs, and the endpoint counted from there.

    `left_out` says why a patient whose outcome is known is not among them.
    """

    rows: NDArray[np.intp]
    endpoint: Endpoint
    left_out: Mapping[str, str]
    before: BeforeSample

    @property
    def places(self) -> list[int]:
        """The rows as plain numbers."""
        return self.rows.tolist()


def at_risk(one: PairedLevels, cohort: Cohort, outcome: Followed) -> AtRisk:
    """Time zero of each patient is the day of the second sample (the first dose, where that came later).

    Raises `ValueError` where nobody is at risk.
    """
    day = {p: max(v.day, 0.0) for p, v in zip(one.patients, one.after, strict=True)}
    typical = float(np.median(list(day.values()))) if day else 0.0
    left_out: dict[str, str] = {}
    reasons = {"event by the second sample": 0, "followed no longer": 0, "unsampled": 0}
    for patient in cohort.patient_ids:
        if patient not in outcome.happened:
            continue
        over = outcome.over_by(patient, day.get(patient, typical))
        if over:
            left_out[patient] = over
            reasons["event by the second sample" if over.startswith("event") else "followed no longer"] += 1
        elif patient not in day:
            left_out[patient] = "at risk, without a pair of levels"
            reasons["unsampled"] += 1
    rows = [i for i, p in enumerate(one.patients) if p in outcome.happened and p not in left_out]
    if not rows:
        raise ValueError(f"nobody is at risk of “{outcome.label}” at “{one.occasion}”")
    who = [one.patients[i] for i in rows]
    spent = np.array([0.0 if outcome.from_sample else day[p] / outcome.days_per_unit for p in who])
    event = np.array([outcome.happened[p] for p in who], dtype=np.bool_)
    if outcome.timed:
        time = np.array([outcome.time[p] for p in who]) - spent
        endpoint = Endpoint(kind="survival", time=time, event=event)
    else:
        endpoint = Endpoint(kind="binary", event=event)
    return AtRisk(
        rows=np.array(rows, dtype=np.intp), endpoint=endpoint, left_out=left_out,
        before=BeforeSample(
            n_followed=len(outcome.happened), n_event=reasons["event by the second sample"],
            n_ended=reasons["followed no longer"], n_unsampled=reasons["unsampled"],
            median_day=0.0 if outcome.from_sample else typical, person_time=float(spent.sum()),
            unit=outcome.unit,
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedGroups:
    """Responders and the others as a paper compares them: from the first dose, `responder` (n,)."""

    patients: tuple[str, ...]
    responder: NDArray[np.bool_]
    endpoint: Endpoint


def responds(before: Level, after: Level, rule: Responder) -> bool:
    """Whether a change is a response, half the limit in the place of levels below it."""
    x, y = before.at_half_limit, after.at_half_limit
    if rule.change == "fall":
        return y < x and y <= x * (1 - rule.percent / 100)
    return y > x and y >= x * (1 + rule.percent / 100)


def published_groups(
    one: PairedLevels, cohort: Cohort, outcome: Followed, rule: Responder
) -> PublishedGroups:
    """Everybody whose outcome is known, by response; who was not sampled twice as `rule.unsampled` says."""
    answer = {p: responds(x, y, rule) for p, x, y in zip(one.patients, one.before, one.after, strict=True)}
    all_count = rule.unsampled == "non-responders" and not outcome.from_sample
    who = tuple(p for p in cohort.patient_ids if p in outcome.happened and (all_count or p in answer))
    event = np.array([outcome.happened[p] for p in who], dtype=np.bool_)
    endpoint = (
        Endpoint(
            kind="survival", time=np.array([outcome.time[p] for p in who], dtype=np.float64), event=event
        )
        if outcome.timed
        else Endpoint(kind="binary", event=event)
    )
    return PublishedGroups(
        patients=who, responder=np.array([answer.get(p, False) for p in who], dtype=np.bool_),
        endpoint=endpoint,
    )  # fmt: skip


def responder_words(rule: Responder) -> tuple[str, str]:
    """The two groups in words: those who respond, and the others."""
    others = "others and unsampled" if rule.unsampled == "non-responders" else "others"
    return f"{rule.change} ≥ {rule.percent:g} %" if rule.percent else rule.change, others
