"""A marker that is measured again: its change by a landmark, or its whole course in a joint model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.response.guards.wording import day
from troughline.response.questions.parts import finite
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.biomarker.interaction_data import Arms, Marker, Outcomes
    from troughline.cohort.exposure import Exposure
    from troughline.response.case import Case
    from troughline.response.questions.parts import Parts


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
            assert question.landmark_days is not None
            _landmark(case, parts, arms, exposure, marker, outcomes, question.landmark_days)
        else:
            _joint(case, parts, arms, exposure, marker, outcomes)
    except ValueError as error:
        parts.methods.append(f"The marker over time has no estimate: {str(error).rstrip('.')}.")


def _series(exposure: Exposure, marker: Marker) -> dict[str, list[tuple[float, float]]]:
    """Each patient's samples as (day, log2 of the level, or the level), in order of time."""
    found: dict[str, list[tuple[float, float]]] = {}
    for sample in exposure.samples:
        value = sample.number
        if math.isfinite(value) and (not marker.log or value > 0):
            found.setdefault(sample.patient, []).append(
                (sample.day, math.log2(value) if marker.log else value)
            )
    for rows in found.values():
        rows.sort()
    return found


def _landmark(
    case: Case, parts: Parts, arms: Arms, exposure: Exposure, marker: Marker, outcomes: Outcomes, at: float
) -> None:
    from troughline.survival.cox import fit_cox
    from troughline.survival.landmark import landmark

    rows: list[tuple[float, bool, float, float, float]] = []
    for patient, samples in _series(exposure, marker).items():
        if patient not in outcomes.time or not (arms.why_none or patient in arms.treated):
            continue
        first = [v for d, v in samples if d <= 0]
        later = [v for d, v in samples if 0 < d <= at]
        if first and later:
            rows.append(
                (outcomes.time[patient], outcomes.happened[patient], first[-1], later[-1] - first[-1],
                 float(arms.treated.get(patient, False)))
            )  # fmt: skip
    if len(rows) < 2:
        raise ValueError(f"{len(rows)} patients have a sample before treatment and one by day {day(at)}")
    time, event, first_value, change, treated = (
        np.array(c, dtype=np.float64) for c in zip(*rows, strict=True)
    )
    kept = landmark(time, event > 0.5, at / outcomes.days_per_unit)
    names = ["change", "first value"]
    columns = [change, first_value]
    if not arms.why_none:
        names.append("treated")
        columns.append(treated)
    level = case.cohort.study.study.level
    x = np.column_stack(columns)[kept.kept]
    fit = fit_cox(kept.time, kept.event, x, names, level=level)
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
                note=f"{kept.n_event_by_landmark} had the event before",
            )
        )  # fmt: skip
    parts.methods.append(
        f"The change of the marker by day {day(at)} is held against the time from that day, among those "
        "still at risk; treatment may cause the change, so it is prognostic and not predictive."
    )
    parts.references.append("Anderson 1983, doi 10.1200/JCO.1983.1.11.710")


def _joint(
    case: Case, parts: Parts, arms: Arms, exposure: Exposure, marker: Marker, outcomes: Outcomes
) -> None:
    from troughline.survival.joint_model import fit_joint_model

    series = _series(exposure, marker)
    patients = [
        p for p in outcomes.time
        if (arms.why_none or p in arms.treated)
        and any(0 <= d / outcomes.days_per_unit <= outcomes.time[p] for d, _ in series.get(p, []))
    ]  # fmt: skip
    who: list[str] = []
    when: list[float] = []
    value: list[float] = []
    for p in patients:
        for d, v in series[p]:
            t = d / outcomes.days_per_unit
            if 0 <= t <= outcomes.time[p]:
                who.append(p)
                when.append(t)
                value.append(v)
    options: dict[str, Any] = {}
    if not arms.why_none:
        options = {
            "covariates": np.array([[float(arms.treated[p])] for p in patients]),
            "covariate_names": ("treated",),
        }
    level = case.cohort.study.study.level
    events = sum(outcomes.happened[p] for p in patients)
    fit = fit_joint_model(
        [outcomes.time[p] for p in patients], [outcomes.happened[p] for p in patients], patients, who, when,
        value, level=level, intervals=max(1, min(7, events // 10)), **options,
    )  # fmt: skip
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
        "Joint model: a line of the marker for each patient and a hazard that follows its current true "
        "value, fitted together by maximum likelihood; prognostic, because treatment may move the marker."
    )
    parts.references.append("Wulfsohn 1997, doi 10.2307/2533118")
