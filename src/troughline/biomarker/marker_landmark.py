"""The change of a marker by a landmark, held against what follows, and who is not in that comparison."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from troughline.response.guards.wording import day
from troughline.response.questions.parts import finite
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.biomarker.interaction_data import Arms, Marker, Outcomes
    from troughline.cohort.exposure import Exposure, Sample
    from troughline.response.case import Case
    from troughline.response.questions.parts import Parts

WINDOW = 0.25
"""How long before the landmark the later sample may lie where no window is stated: a quarter of the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One patient at the landmark: time left (in the outcome's unit), event, first level and its change."""

    left: float
    event: bool
    first: float
    change: float
    treated: bool


def marker_landmark(
    case: Case, parts: Parts, arms: Arms, exposure: Exposure, marker: Marker, outcomes: Outcomes
) -> None:
    """Add the hazard ratio of the change by the landmark and of the first value, and count everybody else.

    Raises `ValueError` where no regression can be had.
    """
    from troughline.survival.cox import fit_cox

    question = case.question
    assert question.kind == "interaction"
    assert case.interaction is not None
    assert question.landmark_days is not None
    at = question.landmark_days
    window = min(question.landmark_window_days or WINDOW * at, at)
    rows, lost = changes_by(arms, exposure, marker, outcomes, at=at, window=window)
    case.interaction.n_changes_below = lost["below"]
    span = f"day {day(at - window)} to {day(at)}"
    total = len(rows) + lost.total()
    counted = (
        f"Of {total} patients {lost['event']} had the event by day {day(at)}, {lost['ended']} were last seen "
        f"by then; of those still at risk {lost['first']} have no sample before treatment, {lost['later']} "
        f"none from {span}, {lost['below']} a level below its limit; {len(rows)} are compared."
    )
    if len(rows) < 2:
        raise ValueError(counted)
    names = ["change", "first value"]
    columns = [[r.change for r in rows], [r.first for r in rows]]
    if not arms.why_none:
        names.append("treated")
        columns.append([float(r.treated) for r in rows])
    level = case.cohort.study.study.level
    try:
        fit = fit_cox(
            [r.left for r in rows], [r.event for r in rows], np.array(columns).T, names, level=level
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{str(error).rstrip('.')}. {counted}") from None
    per = "per doubling" if marker.log else f"per {marker.unit}"
    for term, words in zip(
        fit.terms[:2], (f"change by day {day(at)}, {per}", f"first value, {per}"), strict=True
    ):
        parts.estimates.append(
            Estimate(
                name="prognostic_hazard_ratio", value=finite(term.hazard_ratio), low=finite(term.low),
                high=finite(term.high), level=level, n=fit.n, label=words, p_value=finite(term.p_value),
                method=f"guarded: Cox from a landmark on day {day(at)}"
                + ("" if arms.why_none else ", treatment in the model"),
                note=f"{lost['event']} had the event before",
            )
        )  # fmt: skip
    parts.methods.append(
        f"The change of the marker by day {day(at)} (the last sample from {span}) is held against the time "
        f"from that day, among those still at risk; treatment may cause the change, so it is prognostic and "
        f"not predictive. {counted}"
    )
    parts.references.append("Anderson 1983, doi 10.1200/JCO.1983.1.11.710")


def changes_by(
    arms: Arms, exposure: Exposure, marker: Marker, outcomes: Outcomes, *, at: float, window: float
) -> tuple[list[Change], Counter[str]]:
    """Each patient's change from the last sample before treatment to the last one in the window, in days.

    Beside it the patients of the arms who have none: `event` by the landmark, `ended` (last seen by then),
    and of those at risk `first` or `later` (no such sample) and `below` (a level below its limit).
    """
    samples: dict[str, list[Sample]] = {}
    for sample in exposure.samples:
        if not math.isnan(sample.number) and (not marker.log or sample.number > 0):
            samples.setdefault(sample.patient, []).append(sample)
    rows: list[Change] = []
    lost: Counter[str] = Counter()
    for patient, time in outcomes.time.items():
        if not (arms.why_none or patient in arms.treated):
            continue
        left = time - at / outcomes.days_per_unit
        mine = samples.get(patient, [])
        first = [s for s in mine if s.day <= 0]
        later = [s for s in mine if max(at - window, 0) <= s.day <= at and s.day > 0]
        if left <= 0:
            lost["event" if outcomes.happened[patient] else "ended"] += 1
        elif not first or not later:
            lost["later" if first else "first"] += 1
        elif first[-1].below_limit or later[-1].below_limit:
            lost["below"] += 1
        else:
            old, new = first[-1].value, later[-1].value
            rows.append(
                Change(
                    left=left, event=outcomes.happened[patient],
                    first=math.log2(old) if marker.log else old,
                    change=math.log2(new / old) if marker.log else new - old,
                    treated=arms.treated.get(patient, False),
                )
            )  # fmt: skip
    return rows, lost
