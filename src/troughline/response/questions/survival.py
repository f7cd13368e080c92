"""The `survival` question: time to an event by band, by group, or over continuous exposure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from troughline.cohort.describe import listed
from troughline.cohort.outcomes import TimeToEvent, time_to_event
from troughline.response.case import Case, Interval
from troughline.response.guards.wording import interval, number, p_value, unit_text
from troughline.response.predictor import NotAnalysable, PredictorValues, predictor_values
from troughline.response.questions.adjusted import LIVER_FIRST
from troughline.response.questions.competing_groups import compare_incidence
from troughline.response.questions.parts import Parts, exclude, model_methods
from troughline.response.questions.searched_cut import RESAMPLES, search_cut, searched_estimates
from troughline.response.questions.setup import published_reference
from troughline.response.questions.survival_columns import (
    Column,
    at_zero_column,
    cut_points,
    entry_column,
    landmark_column,
    naive_column,
)
from troughline.response.questions.survival_groups import (
    changing_group,
    log_rank_test,
    median_follow_up,
    medians,
    restricted_means,
)
from troughline.response.questions.survival_models import (
    continuous_hazard,
    cumulative_incidence,
    group_hazards,
    spline_hazard,
)
from troughline.response.questions.survival_series import kaplan_meier_series
from troughline.response.questions.time_varying import time_varying_hazard

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.studyfile import SurvivalQuestion
    from troughline.evidence.records import Drug

FEWEST_EVENTS = 3
# Where the study names no landmark: the day by which this share of the patients had been sampled.
SAMPLED_SHARE = 0.9


def run_survival(cohort: Cohort, question: SurvivalQuestion, drug: Drug | None) -> tuple[Case, Parts]:
    """Answer a survival question as published and guarded.

    As published: groups from the first dose. Guarded: groups from a landmark at which they are known,
    a continuous level from the day it was drawn. Raises `NotAnalysable` with fewer than three events.
    """
    published_reference(question.published)
    times = _times(cohort, question)
    values = predictor_values(
        cohort, question.predictor, drug, event_day=_event_days(times), event_name=times.label
    )
    case = Case(cohort=cohort, question=question, drug=drug, predictor=values, survival=times)
    parts = Parts()
    cuts, guarded_cuts = _cuts(case, question, values, times, parts)
    # Columns of a spreadsheet do not say what their time counts from.
    origin = "the first dose" if question.outcome.time is None else "time zero"
    naive = naive_column(values, times, cuts, origin)
    if int(naive.event.sum()) < FEWEST_EVENTS:
        raise NotAnalysable(
            f"{int(naive.event.sum())} events of “{times.label}” among {len(naive.patients)} patients; "
            f"at least {FEWEST_EVENTS} are needed"
        )
    _as_published(case, naive, parts)
    if values.category:
        parts.series["covariate"] = values.label
    guarded = _guarded(case, question, values, times, guarded_cuts, parts)
    exclude(case, {}, guarded.patients)
    for patient in case.excluded:
        case.excluded[patient] = (
            values.left_out.get(patient)
            or times.unknown.get(patient)
            or (
                "no longer at risk, or not yet measured, at the landmark"
                if values.exposure is not None
                else "no longer at risk at the landmark"
            )
        )
    case.measured.n_events = int(guarded.event.sum())
    if case.measured.n_events < FEWEST_EVENTS:
        parts.not_analysable = (
            f"{case.measured.n_events} events are left among {len(guarded.patients)} patients once time "
            f"counts from {guarded.origin}; at least {FEWEST_EVENTS} are needed"
        )
    _competing(case, question, times, (cuts, guarded_cuts), parts)
    parts.references += [
        "Kaplan 1958, doi 10.2307/2281868",
        "Anderson 1983, doi 10.1200/JCO.1983.1.11.710",
        "Royston 2013, doi 10.1186/1471-2288-13-152",
        "Heinze 2001, doi 10.1111/j.0006-341X.2001.00114.x",
    ]
    parts.methods += _methods(question, values, naive, case.measured.landmark_day)
    parts.methods += model_methods(values, propagated=False)
    parts.summary = _summary(case, times, naive, guarded, parts)
    return case, parts


def _times(cohort: Cohort, question: SurvivalQuestion) -> TimeToEvent:
    try:
        times = time_to_event(cohort, question.outcome, question.competing)
    except ValueError as error:
        raise NotAnalysable(str(error)) from None
    if not times.time:
        raise NotAnalysable(f"no patient has a follow-up time for “{times.label}”")
    return times


def _event_days(times: TimeToEvent) -> dict[str, float]:
    return {p: t * times.days_per_unit for p, t in times.time.items() if times.status[p] == 1}


def _cuts(
    case: Case, question: SurvivalQuestion, values: PredictorValues, times: TimeToEvent, parts: Parts
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The cuts of the bands in each column; an optimal one is searched, its p-value corrected for that.

    They are the same in both, so that the columns compare, unless a model predicted the guarded exposures:
    quantiles of levels drawn at any time would not divide those.
    """
    if question.predictor.bands != "optimal":
        if question.predictor.bands is not None and (values.group is not None or values.category):
            raise NotAnalysable("bands need a number as predictor")
        cuts = cut_points(question, values.as_published)
        return cuts, cuts if values.model is None else cut_points(question, values.guarded)
    published, guarded = _searched(case, values, times, parts)
    return (published,), (published if values.model is None or guarded is None else guarded,)


def _searched(
    case: Case, values: PredictorValues, times: TimeToEvent, parts: Parts
) -> tuple[float, float | None]:
    """The cut searched in each column; None where the guarded one has none."""
    level = case.cohort.study.study.level
    if values.group is not None or values.category:
        raise NotAnalysable("bands = 'optimal' needs a number as predictor")
    whole = naive_column(values, times, ())
    published = search_cut(case, whole, level, resamples=0)
    question = case.question
    assert question.kind == "survival"
    day = _landmark_day(question, values)
    column = whole if day is None else landmark_column(values, times, (), day)[0]
    try:
        guarded = search_cut(case, column, level, resamples=RESAMPLES)
    except NotAnalysable as reason:
        guarded = None
        parts.methods.append(f"The guarded cut could not be searched: {reason}.")
    estimates, wide = searched_estimates(
        published, guarded, values.unit, len(whole.patients), len(column.patients), level
    )
    parts.estimates += estimates
    parts.references.append("Hothorn 2003, doi 10.1016/S0167-9473(02)00225-6")
    measured = case.measured
    measured.cut_p_naive = published.search.p_naive
    measured.cut_p_corrected = guarded.search.p_permutation if guarded else None
    measured.threshold_guarded = guarded.interval if guarded else None
    measured.threshold_wide = wide
    return published.cut, None if guarded is None else guarded.cut


def _as_published(case: Case, naive: Column, parts: Parts) -> None:
    assert case.survival is not None
    level, unit = case.cohort.study.study.level, case.survival.unit
    method = "as-published"
    parts.estimates += median_follow_up(naive, level, unit, f"{method}: from {naive.origin}")
    if naive.group is not None and len(naive.order) > 1:
        parts.estimates += log_rank_test(naive, f"{method}: log-rank from {naive.origin}")
        parts.estimates += medians(naive, level, unit, f"{method}: Kaplan–Meier from {naive.origin}")
        hazards = group_hazards(case, naive, (), level, method=f"{method}: Cox from {naive.origin}")
        parts.estimates += hazards.estimates
        case.measured.hazard_ratio_published = hazards.headline
        case.measured.hazard_ratio_label = hazards.label
    if naive.x is not None:
        one = continuous_hazard(
            case, naive, (), level, log=case.predictor.log, unit=case.predictor.unit,
            method=f"{method}: Cox from {naive.origin}",
        )  # fmt: skip
        parts.estimates += one.estimates
        searched = case.asked.bands == "optimal"
        if one.headline is not None and (
            naive.group is None or case.predictor.exposure is not None or searched
        ):
            case.measured.hazard_ratio_published = one.headline
            case.measured.hazard_ratio_label = one.label
    parts.series["km_as_published"] = kaplan_meier_series(
        naive, unit, level, title="As published", competing=False
    )


def _guarded(
    case: Case,
    question: SurvivalQuestion,
    values: PredictorValues,
    times: TimeToEvent,
    cuts: tuple[float, ...],
    parts: Parts,
) -> Column:
    """The guarded column: groups from a landmark (or time zero), continuous with delayed entry."""
    level = case.cohort.study.study.level
    day = _landmark_day(question, values)
    if day is None:
        compared = at_zero_column(values, times, cuts)
        continuous = compared
    else:
        compared, early = landmark_column(values, times, cuts, day)
        case.measured.landmark_day, case.measured.early_events = day, early
        # A covariate is known at time zero: nobody enters late, and the landmark serves both forms.
        continuous = compared if values.exposure is None else entry_column(values, times)
    if compared.group is not None and len(compared.order) > 1:
        _guarded_groups(case, question, compared, level, times.unit, parts)
    if values.group is not None:
        parts.estimates += changing_group(case, question, times, level)
    if continuous.x is not None:
        one = continuous_hazard(
            case, continuous, question.adjust, level, log=values.log, unit=values.unit,
            method=f"guarded: Cox from {continuous.origin}",
        )  # fmt: skip
        parts.estimates += one.estimates
        case.measured.n_parameters = max(case.measured.n_parameters, one.n_parameters)
        searched = question.predictor.bands == "optimal"
        if one.headline is not None and (values.exposure is not None or compared.group is None or searched):
            case.measured.hazard_ratio_guarded = one.headline
        _note_ph(case, one.ph_p, one.label)
        _liver_effect(case, question, continuous, level)
        current = time_varying_hazard(values, times, level)
        if current is not None:
            parts.estimates.append(current)
        spline = spline_hazard(continuous, level, log=values.log, unit=values.unit, label=values.label)
        if spline is not None:
            parts.series["hazard_curve"] = spline.series
            parts.estimates += spline.estimates
    parts.series["km_guarded"] = kaplan_meier_series(
        compared, times.unit, level, title="Guarded", competing=False
    )
    return continuous if continuous.x is not None else compared


def _liver_effect(case: Case, question: SurvivalQuestion, column: Column, level: float) -> None:
    """For the guard: what the first liver-function measure does to the hazard ratio of a drug level."""
    if question.adjust or not case.predictor.is_drug_level:
        return
    name = next((n for n in LIVER_FIRST if n in case.cohort.covariates), None)
    if name is None:
        return
    incomplete = case.measured.n_incomplete_covariates
    try:
        adjusted = continuous_hazard(
            case,
            column,
            (name,),
            level,
            log=case.predictor.log,
            unit=case.predictor.unit,
            method="guarded: Cox",
        )
    except NotAnalysable:
        return
    case.measured.n_incomplete_covariates = incomplete
    case.measured.hazard_ratio_adjusted = adjusted.headline


def _note_ph(case: Case, p: float | None, label: str) -> None:
    """Keep the smaller p of the proportionality tests, and which hazard ratio it speaks of."""
    if p is not None and (case.measured.ph_p is None or p < case.measured.ph_p):
        case.measured.ph_p, case.measured.ph_label = p, label


def _landmark_day(question: SurvivalQuestion, values: PredictorValues) -> float | None:
    """The landmark in study days, or None for what is known at time zero."""
    import numpy as np

    if values.group is None and values.exposure is None:
        return question.landmark_days
    if question.landmark_days is not None:
        return question.landmark_days
    if values.group is not None:
        stable = question.predictor.or_stable_for_days
        days = [values.group.day[p] for p, yes in values.group.happened.items() if yes]
        if stable is not None:
            return stable
        if not days:
            raise NotAnalysable(f"no patient is in the group “{values.group.label}”")
        return math.ceil(float(np.median(days)))
    if not values.known_day:
        raise NotAnalysable("no patient has a level that the guarded analysis can use")
    if max(values.known_day.values()) <= 0:
        return None
    return float(math.ceil(np.quantile(list(values.known_day.values()), SAMPLED_SHARE)))


def _guarded_groups(
    case: Case, question: SurvivalQuestion, compared: Column, level: float, unit: str, parts: Parts
) -> None:
    origin = f"from {compared.origin}"
    if question.predictor.bands == "optimal":
        origin += ", at a cut searched in these data"
    parts.estimates += log_rank_test(compared, f"guarded: log-rank {origin}")
    parts.estimates += medians(compared, level, unit, f"guarded: Kaplan–Meier {origin}")
    hazards = group_hazards(case, compared, question.adjust, level, method=f"guarded: Cox {origin}")
    parts.estimates += hazards.estimates
    case.measured.hazard_ratio_guarded = hazards.headline
    case.measured.n_parameters = hazards.n_parameters
    _note_ph(case, hazards.ph_p, "between the groups")
    parts.estimates += restricted_means(compared, question, case, level, unit, origin)


def _competing(
    case: Case,
    question: SurvivalQuestion,
    times: TimeToEvent,
    both_cuts: tuple[tuple[float, ...], tuple[float, ...]],
    parts: Parts,
) -> None:
    """Cumulative incidence with other events competing: where named, or death where it was censored.

    `both_cuts`: the cuts of each column.
    As published: 1 − Kaplan–Meier from the first dose. Guarded: Aalen–Johansen in the guarded groups, which
    Gray's test and Fine–Gray regression compare.
    """
    rivals = question.competing
    names = question.outcome.event or ()
    if not rivals and names and "death" not in names:
        rivals = ("death",)
    if not rivals:
        return
    values, level = case.predictor, case.cohort.study.study.level
    both = time_to_event(case.cohort, question.outcome, rivals)
    if 2 not in set(both.status.values()):
        return
    cuts, guarded_cuts = both_cuts
    whole = naive_column(values, both, cuts)
    day = case.measured.landmark_day
    guarded = (
        at_zero_column(values, both, guarded_cuts)
        if day is None
        else landmark_column(values, both, guarded_cuts, day)[0]
    )
    label = " or ".join(rivals)
    naive = cumulative_incidence(whole, both.unit, level, label)
    safe = cumulative_incidence(guarded, both.unit, level, label)
    case.measured.naive_incidence, case.measured.competing_incidence = naive.naive_last, naive.last
    parts.series["cumulative_incidence"] = safe.series
    parts.estimates += [*naive.naive_estimates, *safe.estimates, *compare_incidence(guarded, level, label)]


def _methods(
    question: SurvivalQuestion, values: PredictorValues, naive: Column, day: float | None
) -> list[str]:
    lines = [
        f"As published: Kaplan–Meier curves and log-rank test with time counted from {naive.origin}, Cox "
        "hazard ratios (Efron ties).",
    ]
    if day is not None:
        lines.append(
            f"Guarded: groups compared from a landmark on day {day:g}, among those still at risk and already "
            "measured by then"
            + (
                "; and the group as it changes over time."
                if values.group is not None
                else "; the level as a continuous value with each patient entering on the day of the sample."
                if values.exposure is not None
                else "; the day of the value itself is not known."
            )
        )
    else:
        lines.append("Guarded: the predictor is known at time zero; time counts from there.")
    lines.append(
        "Restricted mean survival time differences need no proportional hazards; proportionality is tested "
        "on scaled Schoenfeld residuals. With fewer than ten events a parameter, or separation, Firth's "
        "penalised likelihood replaces the ordinary one."
    )
    if values.group is not None:
        lines += [f"{values.group_names[1].capitalize()}: {values.group.label}.", *values.group.notes]
    if question.adjust:
        lines.append(f"Guarded hazard ratios are adjusted for {listed(question.adjust)}.")
    return lines


def _summary(case: Case, times: TimeToEvent, naive: Column, guarded: Column, parts: Parts) -> str:
    """The hazard ratio first, guarded before published; then the medians a paper would print."""
    measured = case.measured
    published, safe = measured.hazard_ratio_published, measured.hazard_ratio_guarded
    inside = [
        e.label.split(", in the model of")[0] for e in parts.estimates if e.name.startswith("covariate_")
    ]
    adjusted = f", adjusted for {', '.join(dict.fromkeys(inside))}" if inside else ""
    label = measured.hazard_ratio_label
    if " vs " in label:
        label = f"({label})"
    cut = measured.threshold_guarded
    refused = ""
    if case.asked.bands == "optimal" and measured.threshold_wide and cut is not None:
        refused = "No single cut can be named: "
        refused += (
            "these patients do not bound it. "
            if cut.low is None or cut.high is None
            else f"drawn again, the best one lies between {number(cut.low)} and {number(cut.high)}"
            f"{unit_text(case.predictor.unit)}. "
        )
    if safe is None or safe.value is None:
        text = f"These data give no hazard ratio of {times.label}."
    elif measured.landmark_day is not None:
        text = (
            f"Counted from {guarded.origin}, the hazard ratio of {times.label} {label} is "
            f"{interval(safe)}{adjusted}; counted from {naive.origin} it was {interval(published)}."
        )
    else:
        text = f"The hazard ratio of {times.label} {label} is {interval(safe)}{adjusted}"
        text += f"; unadjusted {interval(published)}." if adjusted else "."
    text += (
        f" {int(guarded.event.sum())} of {len(guarded.patients)} patients had the event in the guarded "
        f"column, {int(naive.event.sum())} of {len(naive.patients)} as published."
    )
    medians = [
        f"{e.label}: {number(e.value) if e.value is not None else 'not reached'}"
        for e in parts.estimates
        if e.name == "median_survival" and e.method.startswith("as-published")
    ]
    if medians:
        text += f" Median as published, in {times.unit}s: {'; '.join(medians)}"
        tests = [e.p_value for e in parts.estimates if e.name == "log_rank" and "as-published" in e.method]
        text += f" (log-rank {p_value(tests[0])})." if tests and tests[0] is not None else "."
    return refused + text


__all__ = ["Interval", "run_survival"]
