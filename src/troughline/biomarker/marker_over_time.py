"""A marker that is measured again: its change by a landmark, or its whole course in a joint model."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.biomarker.marker_landmark import marker_landmark
from troughline.response.interaction_facts import LateEvents
from troughline.response.questions.parts import finite
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.biomarker.interaction_data import Arms, Marker, Outcomes
    from troughline.cohort.exposure import Exposure
    from troughline.response.case import Case
    from troughline.response.questions.parts import Parts

MEASURED_UNTIL = 0.25
"""The part of the way to the event at which a marker last measured is a line drawn far beyond its samples."""
MOST_BELOW = 0.05
"""The share of samples below a limit, half of it in their place, that a joint model bears."""


def marker_over_time(case: Case, parts: Parts, arms: Arms, marker: Marker, outcomes: Outcomes) -> None:
    """Add what a marker measured after the start says about the outcome; prognostic, never predictive.

    What could not be fitted is said among the methods.
    """
    question = case.question
    assert question.kind == "interaction"
    exposure = marker.values.exposure
    if question.over_time is None or outcomes.kind != "survival":
        return
    if exposure is None:
        parts.methods.append("The marker was not measured repeatedly: nothing to follow over time.")
        return
    try:
        if question.over_time == "landmark":
            marker_landmark(case, parts, arms, exposure, marker, outcomes)
        else:
            _joint(case, parts, arms, exposure, marker, outcomes)
    except ValueError as error:
        parts.methods.append(f"The marker over time has no estimate: {str(error).rstrip('.')}.")


def _joint(
    case: Case, parts: Parts, arms: Arms, exposure: Exposure, marker: Marker, outcomes: Outcomes
) -> None:
    from troughline.survival.joint_model import fit_joint_model

    assert case.interaction is not None
    used = _measurements(arms, exposure, marker, outcomes)
    patients = list(dict.fromkeys(who for who, _, _ in used))
    options: dict[str, Any] = {}
    if not arms.why_none:
        options = {
            "covariates": np.array([[float(arms.treated[p])] for p in patients]),
            "covariate_names": ("treated",),
        }
    level = case.cohort.study.study.level
    events = sum(outcomes.happened[p] for p in patients)
    fit = fit_joint_model(
        [outcomes.time[p] for p in patients], [outcomes.happened[p] for p in patients], patients,
        [who for who, _, _ in used], [at for _, at, _ in used], [v for _, _, v in used], level=level,
        intervals=max(1, min(7, events // 10)), **options,
    )  # fmt: skip
    case.interaction.late_events = _late_events(used, outcomes)
    per = "per doubling" if marker.log else f"per {marker.unit}"
    labelled = [(fit.association, "prognostic_hazard_ratio", f"current true value, {per}")]
    labelled += [(t, "treatment_hazard_ratio", "marker's course held") for t in fit.hazard_terms]
    for term, name, words in labelled:
        parts.estimates.append(
            Estimate(
                name=name, value=finite(term.hazard_ratio), low=finite(term.low), high=finite(term.high),
                level=level, n=fit.n, label=words, p_value=finite(term.p_value),
                method="guarded: joint model",
                note=f"{fit.n_measurements} measurements, {fit.n_events} events",
            )
        )  # fmt: skip
    parts.methods.append(
        "Joint model: a line of the marker for each patient, through the samples before treatment too, and a "
        "hazard that follows its current true value, fitted together by maximum likelihood; prognostic, "
        "because treatment may move the marker."
    )
    parts.references.append("Wulfsohn 1997, doi 10.2307/2533118")


def _measurements(
    arms: Arms, exposure: Exposure, marker: Marker, outcomes: Outcomes
) -> list[tuple[str, float, float]]:
    """Each patient's samples up to the end of follow-up: who, when in the unit of time, level or log2.

    Raises `ValueError` where nobody has two, or more than a twentieth lie below a limit: a line through
    half-limits is not the marker's.
    """
    mine = [
        s for s in exposure.samples if s.patient in outcomes.time
        and (arms.why_none or s.patient in arms.treated)
        and not math.isnan(s.number) and (not marker.log or s.number > 0)
    ]  # fmt: skip
    inside = [s for s in mine if s.day / outcomes.days_per_unit <= outcomes.time[s.patient]]
    often = Counter(s.patient for s in inside)
    if max(often.values(), default=0) < 2:
        later = len(mine) - len(inside)
        said = f"{len(inside)} samples of {len(often)} patients up to the end of follow-up, no two of one"
        raise ValueError(said + (f"; {later} later samples" if later else ""))
    below = sum(s.below_limit for s in inside)
    if below > MOST_BELOW * len(inside):
        raise ValueError(f"{below} of {len(inside)} samples lie below the limit; a joint model needs levels")
    return [
        (s.patient, s.day / outcomes.days_per_unit, math.log2(s.number) if marker.log else s.number)
        for s in sorted(inside, key=lambda s: (s.patient, s.day))
    ]


def _late_events(used: list[tuple[str, float, float]], outcomes: Outcomes) -> LateEvents:
    last: dict[str, float] = {}
    for who, at, _ in used:
        last[who] = max(at, last.get(who, at))
    ill = [p for p in last if outcomes.happened[p]]
    unit = outcomes.days_per_unit
    return LateEvents(
        n_events=len(ill), n_late=sum(last[p] < MEASURED_UNTIL * outcomes.time[p] for p in ill),
        last_sample=float(np.median([last[p] for p in ill])) * unit,
        event_day=float(np.median([outcomes.time[p] for p in ill])) * unit,
    )  # fmt: skip
