"""What is said of groups in a survival question: log-rank, medians, restricted means, a changing group."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from troughline.response.guards.wording import degrees, number
from troughline.response.questions.adjustment import adjustment
from troughline.response.questions.parts import finite
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.cohort.outcomes import TimeToEvent
    from troughline.cohort.studyfile import SurvivalQuestion
    from troughline.response.case import Case
    from troughline.response.predictor import PredictorValues
    from troughline.response.questions.survival_columns import Column


def log_rank_test(column: Column, method: str) -> list[Estimate]:
    """The log-rank test between the groups of a column; empty without an event."""
    from troughline.survival.log_rank import log_rank

    assert column.group is not None
    if int(column.event.sum()) == 0:
        return []
    test = log_rank(column.time, column.event, column.group, order=column.order)
    return [
        Estimate(
            name="log_rank", value=test.statistic, level=None, n=len(column.patients),
            p_value=finite(test.p_value), method=method, note=degrees(test.degrees_of_freedom),
        )
    ]  # fmt: skip


def median_follow_up(column: Column, level: float, unit: str, method: str) -> list[Estimate]:
    """How long the patients were followed: the Kaplan–Meier median with event and censoring exchanged.

    Schemper 1996, doi 10.1016/0197-2456(96)00075-X.
    """
    from troughline.survival.kaplan_meier import kaplan_meier

    (curve,) = kaplan_meier(column.time, column.status == 0, level=level)
    return [
        Estimate(
            name="median_follow_up", value=finite(curve.median), low=finite(curve.median_low),
            high=finite(curve.median_high), level=level, unit=unit, n=curve.n, method=method,
            note="reverse Kaplan–Meier" + ("" if math.isfinite(curve.median) else "; not reached"),
        )
    ]  # fmt: skip


def medians(column: Column, level: float, unit: str, method: str) -> list[Estimate]:
    """The median time of each group with its interval."""
    from troughline.survival.kaplan_meier import kaplan_meier

    assert column.group is not None
    return [
        Estimate(
            name="median_survival", value=finite(c.median), low=finite(c.median_low),
            high=finite(c.median_high), level=level, unit=unit, n=c.n, label=c.group, method=method,
            note=f"{c.n_events_total} events" + ("" if math.isfinite(c.median) else "; not reached"),
        )
        for c in kaplan_meier(column.time, column.event, column.group, order=column.order, level=level)
    ]  # fmt: skip


def restricted_means(
    column: Column, question: SurvivalQuestion, case: Case, level: float, unit: str, origin: str
) -> list[Estimate]:
    """Restricted mean of each group and its difference from the reference, to the longest shared time."""
    from troughline.survival.rmst import restricted_mean_difference, restricted_mean_survival

    assert column.group is not None
    assert case.survival is not None
    longest = [
        max(t for t, g in zip(column.time, column.group, strict=True) if g == name) for name in column.order
    ]
    shared = float(min(longest))
    tau = shared
    note = f"over {number(shared)} {unit}s, the longest that every group was followed"
    if question.rmst_days is not None:
        asked = question.rmst_days / case.survival.days_per_unit
        if asked <= shared:
            tau, note = asked, f"over {number(asked)} {unit}s"
        else:
            note += f" ({number(asked)} {unit}s were asked for)"
    means = restricted_mean_survival(
        column.time, column.event, column.group, tau=tau, order=column.order, level=level
    )
    by_name = {m.group: m for m in means}
    estimates = [
        Estimate(
            name="rmst", value=m.value, low=finite(m.low), high=finite(m.high), level=level, unit=unit, n=m.n,
            label=m.group, method=f"guarded: restricted mean {origin}", note=note,
        )
        for m in means
    ]  # fmt: skip
    for name in column.order:
        if name == column.reference:
            continue
        d = restricted_mean_difference(by_name[name], by_name[column.reference], level=level)
        estimates.append(
            Estimate(
                name="rmst_difference", value=finite(d.value), low=finite(d.low), high=finite(d.high),
                level=level, unit=unit, n=by_name[name].n + by_name[column.reference].n,
                label=f"{name} vs {column.reference}", p_value=finite(d.p_value),
                method=f"guarded: restricted mean {origin}", note=note,
            )
        )  # fmt: skip
    return estimates


def changing_group(
    case: Case, question: SurvivalQuestion, times: TimeToEvent, level: float
) -> list[Estimate]:
    """The hazard ratio of a group that changes over time: no landmark day decides it.

    Adjusted as the question asks; Firth's penalty where ordinary likelihood has no maximum.
    """
    import numpy as np

    from troughline.survival.cox import CoxFitError, fit_cox
    from troughline.survival.firth_cox import fit_cox_firth
    from troughline.survival.time_dependent import time_dependent_group

    values: PredictorValues = case.predictor
    assert values.group is not None
    patients = tuple(p for p in times.time if values.group.happened.get(p) is not None)
    keep = np.ones(len(patients), dtype=np.bool_)
    extra, names, note = np.empty((len(patients), 0)), (), ""
    if question.adjust:
        adjust_by = adjustment(case.cohort, values, question.adjust, patients)
        keep, extra, names, note = adjust_by.complete, adjust_by.matrix, adjust_by.names, adjust_by.note
    time = np.array([times.time[p] for p in patients])[keep]
    event = np.array([times.status[p] == 1 for p in patients])[keep]
    change = np.array(
        [values.group.day[p] / times.days_per_unit if values.group.happened[p] else np.nan for p in patients]
    )[keep]
    label = f"{values.group_names[1]}, from when it was known"
    method = "guarded: Cox with a group that changes over time" + (", adjusted" if names else "")
    try:
        rows = time_dependent_group(time, event, change)
        x = np.column_stack([rows.changed.astype(float), extra[keep][rows.patient]])
        terms = (label, *names)
        try:
            term = fit_cox(rows.stop, rows.event, x, terms, entry=rows.start, level=level).terms[0]
        except CoxFitError:
            penalised = fit_cox_firth(rows.stop, rows.event, x, terms, entry=rows.start, level=level)
            term = penalised.terms[0]
            method = method.replace("Cox", "Cox (Firth)")
    except ValueError as error:
        return [
            Estimate(
                name="hazard_ratio", value=None, level=level, n=int(keep.sum()), label=label, method=method,
                note=f"no estimate: {error}",
            )
        ]  # fmt: skip
    return [
        Estimate(
            name="hazard_ratio", value=finite(term.hazard_ratio), low=finite(term.low),
            high=finite(term.high), level=level, n=int(keep.sum()), p_value=finite(term.p_value), label=label,
            method=method, note=note,
        )
    ]  # fmt: skip
