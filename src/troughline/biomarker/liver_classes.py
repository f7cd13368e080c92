"""Outcome by class of liver function and arm, with the deaths that compete counted as what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.biomarker.competing_interaction import Scale, competing_interaction
from troughline.biomarker.interaction_view import effect_estimate
from troughline.cohort.describe import readable
from troughline.cohort.outcomes import events_by_patient
from troughline.response.predictor import NotAnalysable
from troughline.response.questions.parts import finite
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.biomarker.interaction_data import Arms, Outcomes
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_interaction import InteractionQuestion
    from troughline.response.case import Case
    from troughline.response.questions.parts import Parts
    from troughline.survival.competing import IncidenceCurve
    from troughline.survival.cox import CoxTerm


def causes_of(cohort: Cohort, question: InteractionQuestion, outcomes: Outcomes) -> dict[str, str]:
    """What ended each patient's follow-up: the outcome's name, a competing event by its term or name, or "".

    A death that competes is named by its `term` where it has one (as in "hepatic failure").
    """
    assert question.outcome is not None
    history = events_by_patient(cohort)
    found: dict[str, str] = {}
    for patient, happened in outcomes.happened.items():
        if happened:
            found[patient] = outcomes.label
            continue
        end = outcomes.time[patient] * outcomes.days_per_unit
        rival = next(
            (e for e in history[patient] if e.event in question.competing and abs(e.day - end) < 1e-6), None
        )
        found[patient] = (
            "" if rival is None else f"{rival.event}: {rival.term}" if rival.term else rival.event
        )
    return found


def liver_classes(case: Case, parts: Parts, arms: Arms, outcomes: Outcomes) -> None:
    """Add incidence by class and arm, and the treatment's cause-specific and subdistribution hazard ratios.

    Raises `NotAnalysable` where the class is no category.
    """
    question = case.question
    assert question.kind == "interaction"
    if question.liver_class is None or outcomes.kind != "survival":
        return
    name = question.liver_class
    spec = case.cohort.covariates.get(name)
    if spec is None or spec.levels is None:
        known = ", ".join(n for n, s in case.cohort.covariates.items() if s.levels is not None) or "none"
        raise NotAnalysable(f"liver_class = {name!r} is no covariate with levels; there are: {known}")
    cause = causes_of(case.cohort, question, outcomes)
    given = dict(zip(case.cohort.patient_ids, case.cohort.patients[name].tolist(), strict=True))
    patients = [
        p for p in outcomes.time
        if isinstance(given.get(p), str) and (bool(arms.why_none) or p in arms.treated)
    ]  # fmt: skip
    levels = [level for level in spec.levels if any(given[p] == level for p in patients)]
    label = readable(name, inside=True)
    groups = [f"{label} {given[p]}" + _arm(p, arms) for p in patients]
    order = [
        f"{label} {level}{suffix}"
        for level in levels
        for suffix in ([""] if arms.why_none else [f", {a}" for a in arms.names])
        if f"{label} {level}{suffix}" in groups
    ]
    time = np.array([outcomes.time[p] for p in patients])
    causes = [cause[p] or None for p in patients]
    horizon = _horizon(question, outcomes, time)
    _incidence(case, parts, outcomes, arms, time, causes, groups, order, horizon)
    if not arms.why_none:
        treated = np.array([arms.treated[p] for p in patients], dtype=np.float64)
        level_of = np.array([given[p] for p in patients], dtype=object)
        _within_classes(case, parts, outcomes, arms, time, causes, treated, level_of, levels, label)
        _between_classes(case, parts, outcomes, time, causes, treated > 0, level_of, levels, label)
    parts.references += [
        "Fine 1999, doi 10.1080/01621459.1999.10474144",
        "Austin 2016, doi 10.1161/CIRCULATIONAHA.115.017719",
    ]


def _arm(patient: str, arms: Arms) -> str:
    return "" if arms.why_none else f", {arms.names[0] if arms.treated[patient] else arms.names[1]}"


def _horizon(question: InteractionQuestion, outcomes: Outcomes, time: np.ndarray[Any, Any]) -> float:
    if question.horizon_days is not None:
        return question.horizon_days / outcomes.days_per_unit
    return float(np.median(time))


def _incidence(
    case: Case,
    parts: Parts,
    outcomes: Outcomes,
    arms: Arms,
    time: np.ndarray[Any, Any],
    causes: list[str | None],
    groups: list[str],
    order: list[str],
    horizon: float,
) -> None:
    from troughline.response.guards.wording import number
    from troughline.survival.competing import cumulative_incidence, one_minus_kaplan_meier

    level = case.cohort.study.study.level
    curves = cumulative_incidence(time, causes, groups, order=order, level=level)
    naive = one_minus_kaplan_meier(time, causes, outcomes.label, groups, order=order, level=level)
    rows: list[dict[str, Any]] = []
    for curve in curves:
        at = curve.at([horizon])
        rows.append(
            {
                "group": curve.group,
                "cause": curve.cause,
                "n": curve.n,
                "n_events": curve.n_events_total,
                "incidence": finite(float(at.probability[0])),
                "low": finite(float(at.low[0])),
                "high": finite(float(at.high[0])),
                "at": horizon,
            }
        )
        if curve.cause == outcomes.label:
            varies = 0 < float(at.probability[0]) < 1
            parts.estimates.append(
                Estimate(
                    name="cumulative_incidence", value=finite(float(at.probability[0])),
                    low=finite(float(at.low[0])) if varies else None,
                    high=finite(float(at.high[0])) if varies else None, level=level, n=curve.n,
                    label=f"{curve.group}, {number(horizon)} {outcomes.unit}s",
                    method="guarded: Aalen–Johansen, other deaths competing",
                    note=f"{curve.n_events_total} events in all"
                    + "; beyond the follow-up of this group" * bool(np.isnan(at.probability[0])),
                )
            )  # fmt: skip
    for curve in naive:
        at = curve.at([horizon])
        parts.estimates.append(
            Estimate(
                name="cumulative_incidence", value=finite(float(at.probability[0])), level=None, n=curve.n,
                label=f"{curve.group}, {number(horizon)} {outcomes.unit}s",
                method="as-published: 1 − Kaplan–Meier, other deaths censored",
            )
        )  # fmt: skip
    parts.tables["incidence-by-class"] = rows
    _series(parts, outcomes, arms, [c for c in curves if c.cause == outcomes.label], time, groups, horizon)


def _series(
    parts: Parts,
    outcomes: Outcomes,
    arms: Arms,
    curves: list[IncidenceCurve],
    time: np.ndarray[Any, Any],
    groups: list[str],
    horizon: float,
) -> None:
    """`series["incidence_by_class"]`: a curve for each class and arm up to the horizon, and who was left."""
    from troughline.response.questions.survival_series import round_times

    times = round_times(horizon, 4)
    if len(times) > 1 and horizon - times[-1] > times[1] / 2:
        times.append(horizon)
    named = np.array(groups, dtype=object)
    classes: dict[str, list[dict[str, Any]]] = {}
    for c in curves:
        of, _, arm = c.group.partition(", ") if not arms.why_none else (c.group, "", "")
        inside = time[named == c.group]
        until = c.time <= horizon
        classes.setdefault(of, []).append(
            {
                "label": arm, "control": bool(arm) and arm == arms.names[1], "n": c.n,
                "events": c.n_events_total, "last": float(inside.max()),
                "time": c.time[until], "incidence": c.probability[until], "low": c.low[until],
                "high": c.high[until], "at_risk": [int((inside >= t).sum()) for t in times],
            }
        )  # fmt: skip
    parts.series["incidence_by_class"] = {
        "outcome": outcomes.label, "time_unit": outcomes.unit, "horizon": horizon, "times": times,
        "classes": [{"label": label, "arms": rows} for label, rows in classes.items()],
    }  # fmt: skip


def _within_classes(
    case: Case,
    parts: Parts,
    outcomes: Outcomes,
    arms: Arms,
    time: np.ndarray[Any, Any],
    causes: list[str | None],
    treated: np.ndarray[Any, Any],
    level_of: np.ndarray[Any, Any],
    levels: list[str],
    label: str,
) -> None:
    from troughline.survival.competing import cause_specific_cox
    from troughline.survival.cox import CoxFitError
    from troughline.survival.fine_gray import fit_fine_gray

    confidence = case.cohort.study.study.level
    of: str = outcomes.label
    for level in levels:
        rows = level_of == level
        inside = [c for c, r in zip(causes, rows.tolist(), strict=True) if r]
        for name, how, fit in (
            ("treatment_hazard_ratio", "cause-specific Cox", cause_specific_cox),
            ("treatment_subdistribution_ratio", "Fine–Gray", fit_fine_gray),
        ):
            note, term = "", None
            try:
                if not any(c == of for c in inside):
                    raise CoxFitError(f"nobody had {of}")
                term = fit(
                    time[rows], inside, of, treated[rows][:, np.newaxis], ("treated",),
                    level=confidence,
                ).terms[0]  # fmt: skip
            except (CoxFitError, ValueError) as error:
                note = f"no estimate: {error}"
            parts.estimates.append(
                _term(
                    name,
                    term,
                    int(rows.sum()),
                    f"{label} {level}",
                    how,
                    confidence,
                    note,
                )
            )


def _between_classes(
    case: Case,
    parts: Parts,
    outcomes: Outcomes,
    time: np.ndarray[Any, Any],
    causes: list[str | None],
    treated: np.ndarray[Any, np.dtype[np.bool_]],
    level_of: np.ndarray[Any, Any],
    levels: list[str],
    label: str,
) -> None:
    """Add the ratios of hazard ratios of one model of all classes, with their test, on both scales."""
    confidence = case.cohort.study.study.level
    scales: tuple[tuple[Scale, str, str], ...] = (
        ("subdistribution", "subdistribution_interaction_ratio", "Fine–Gray"),
        ("cause-specific", "cause_specific_interaction_ratio", "cause-specific Cox"),
    )
    for scale, name, how in scales:
        method = f"guarded: {how} with treatment × class, other deaths competing"
        try:
            found = competing_interaction(
                time, causes, outcomes.label, treated, level_of.tolist(), levels, scale=scale,
                level=confidence,
            )  # fmt: skip
        except ValueError as error:
            parts.estimates.append(
                Estimate(
                    name=name, value=None, level=confidence, n=len(causes), label=label, method=method,
                    note=f"no estimate: {error}",
                )
            )  # fmt: skip
            continue
        note = f"{found.n_events} events, {found.n_rivals} competing; all classes "
        note += f"p = {found.p_value:.2g}, {found.freedom} degree{'s' * (found.freedom > 1)} of freedom"
        if found.left_out:
            note += f"; left out, without the event in one arm: {', '.join(found.left_out)}"
        for level, effect in zip(found.levels, found.interaction, strict=True):
            parts.estimates.append(
                effect_estimate(
                    "survival", effect, n=found.n, label=f"{label} {level} against {found.reference}",
                    method=method, level=confidence, name=name, note=note,
                )
            )  # fmt: skip


def _term(name: str, term: CoxTerm | None, n: int, label: str, how: str, level: float, note: str) -> Estimate:
    return Estimate(
        name=name, value=None if term is None else finite(term.hazard_ratio),
        low=None if term is None else finite(term.low), high=None if term is None else finite(term.high),
        level=level, n=n, label=label, method=f"guarded: {how} within the class",
        p_value=None if term is None else finite(term.p_value), note=note,
    )  # fmt: skip
