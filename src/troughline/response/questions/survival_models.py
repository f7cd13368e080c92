"""Hazard models of a survival question: by group, per doubling, as a spline, and with competing events."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from troughline.cohort.describe import readable
from troughline.response.case import Interval
from troughline.response.guards.inference import EVENTS_PER_PARAMETER
from troughline.response.guards.wording import degrees, number
from troughline.response.questions.adjustment import adjustment
from troughline.response.questions.parts import finite
from troughline.results import Estimate, Json

if TYPE_CHECKING:
    from troughline.response.case import Case
    from troughline.response.questions.survival_columns import Column
    from troughline.survival.competing import IncidenceCurve

# A spline is fitted from this many events on: two terms, ten events each.
SPLINE_EVENTS = 20
SPLINE_POINTS = 61


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazards:
    """Hazard ratios of one model; `headline` is the one a guard speaks of, `ph_p` the global PH test."""

    estimates: list[Estimate] = field(default_factory=list[Estimate])
    headline: Interval | None = None
    label: str = ""
    n_parameters: int = 1
    ph_p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplineHazard:
    """The hazard ratio over exposure as a series, and its tests."""

    series: Json
    estimates: list[Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Competing:
    """Cumulative incidence with competing events and 1 − Kaplan–Meier, at the end of follow-up."""

    series: Json
    estimates: list[Estimate]
    naive_estimates: list[Estimate]
    last: float | None
    naive_last: float | None


def group_hazards(
    case: Case, column: Column, adjust: tuple[str, ...], level: float, *, method: str
) -> Hazards:
    """Hazard ratio of each group against the reference, adjusted where asked."""
    import numpy as np

    assert column.group is not None
    others = [g for g in column.order if g != column.reference]
    labels = [f"{g} vs {column.reference}" for g in others]
    matrix = np.column_stack([[float(g == name) for g in column.group] for name in others])
    return _hazards(case, column, matrix, labels, adjust, level, method, len(others))


def continuous_hazard(
    case: Case,
    column: Column,
    adjust: tuple[str, ...],
    level: float,
    *,
    log: bool,
    unit: str,
    method: str,
) -> Hazards:
    """Hazard ratio per doubling of the predictor (per standard deviation where it is not on a log scale)."""
    import numpy as np

    assert column.x is not None
    if np.ptp(column.x) == 0:
        return Hazards()
    if log and bool((column.x > 0).all()):
        x, label = np.log2(column.x), "per doubling"
    else:
        deviation = float(np.std(column.x, ddof=1))
        x = column.x / deviation
        label = f"per standard deviation ({number(deviation)}{'' if unit == '1' else ' ' + unit})"
    return _hazards(case, column, x[:, None], [label], adjust, level, method, 1)


def _hazards(
    case: Case,
    column: Column,
    matrix: Any,
    labels: list[str],
    adjust: tuple[str, ...],
    level: float,
    method: str,
    shown: int,
) -> Hazards:
    import numpy as np

    names, left_out = list(labels), ""
    rows = np.ones(len(column.patients), dtype=np.bool_)
    if adjust:
        adjust_by = adjustment(case.cohort, case.predictor, adjust, column.patients)
        left_out = adjust_by.note
        if adjust_by.names:
            rows = adjust_by.complete
            matrix = np.column_stack([matrix, adjust_by.matrix])
            names += list(adjust_by.names)
            case.measured.n_incomplete_covariates = max(
                case.measured.n_incomplete_covariates, int((~rows).sum())
            )
    x, time, event = matrix[rows], column.time[rows], column.event[rows]
    entry = column.entry[rows] if column.entry is not None else None
    varies = np.ptp(x, axis=0) > 0 if len(x) else np.zeros(x.shape[1], dtype=np.bool_)
    n_events = int(event.sum())
    if n_events == 0 or not varies[:shown].any():
        return Hazards(n_parameters=len(names))
    kept = [n for n, v in zip(names, varies, strict=True) if v]
    x = x[:, varies]
    n = int(rows.sum())
    solved = _solve(time, event, x, kept, entry, level, published=_published(method), n_events=n_events)
    solved = replace(solved, note="; ".join(filter(None, (solved.note, left_out))))
    how = method.replace("Cox", "Cox (Firth)") if solved.firth else method
    if adjust:
        how += ", adjusted"
    if not solved.terms:
        estimates = [
            Estimate(
                name="hazard_ratio", value=None, level=level, n=n, label=label, method=how,
                note=f"no estimate: {solved.note}",
            )
            for label in kept[:shown]
        ]  # fmt: skip
        return Hazards(estimates=estimates, label=labels[0], n_parameters=len(kept))
    estimates = [
        Estimate(
            name="hazard_ratio", value=finite(t.hazard_ratio), low=finite(t.low), high=finite(t.high),
            level=level, n=n, label=t.name, method=how, p_value=finite(t.p_value), note=solved.note,
        )
        for t in solved.terms
        if t.name in labels
    ]  # fmt: skip
    estimates += [
        Estimate(
            name="covariate_hazard_ratio", value=finite(t.hazard_ratio), low=finite(t.low),
            high=finite(t.high), level=level, n=n, label=f"{readable(t.name)}, in the model of {labels[0]}",
            method=how, p_value=finite(t.p_value),
        )
        for t in solved.terms
        if t.name not in labels
    ]  # fmt: skip
    if solved.ph_p is not None and not _published(method):
        estimates.append(
            Estimate(
                name="ph_test", value=None, level=None, n=n, p_value=solved.ph_p, label="all terms",
                method=method.replace("Cox", "scaled Schoenfeld residuals, Cox"), note=solved.note,
            )
        )  # fmt: skip
    first = estimates[0]
    return Hazards(
        estimates=estimates,
        headline=Interval(value=first.value, low=first.low, high=first.high),
        label=first.label,
        n_parameters=len(kept),
        ph_p=solved.ph_p,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solved:
    """The terms of a fitted model (none: `note` says why), whether Firth's penalty was used, the PH test."""

    terms: tuple[Any, ...] = ()
    firth: bool = False
    ph_p: float | None = None
    note: str = ""


def _solve(
    time: Any,
    event: Any,
    x: Any,
    names: list[str],
    entry: Any,
    level: float,
    *,
    published: bool,
    n_events: int,
) -> _Solved:
    """Ordinary Cox regression; guarded, Firth's penalty where events are few or the likelihood has no top."""
    from troughline.survival.cox import CoxFitError, fit_cox, proportional_hazards_test
    from troughline.survival.firth_cox import fit_cox_firth

    note, ph_p = f"{n_events} events", None
    terms: tuple[Any, ...] = ()
    try:
        terms = fit_cox(time, event, x, names, entry=entry, level=level).terms
    except CoxFitError as error:
        if published:
            return _Solved(note=str(error))
        note += "; ordinary likelihood has no maximum"
    if terms and n_events > len(names) + 1:
        # The test may not exist (no spread left among those at risk); the hazard ratio still does.
        with suppress(CoxFitError):
            tested = proportional_hazards_test(time, event, x, names, entry=entry)[1]
            ph_p = finite(tested.p_value)
    sparse = n_events < EVENTS_PER_PARAMETER * len(names)
    if published or (terms and not sparse):
        return _Solved(terms=terms, ph_p=ph_p, note=note)
    try:
        penalised = fit_cox_firth(time, event, x, names, entry=entry, level=level)
    except CoxFitError as error:
        return _Solved(firth=True, note=str(error))
    return _Solved(terms=tuple(penalised.terms), firth=True, ph_p=ph_p, note=note)


def _published(method: str) -> bool:
    return method.startswith("as-published")


def spline_hazard(column: Column, level: float, *, log: bool, unit: str, label: str) -> SplineHazard | None:
    """The hazard ratio over exposure by a restricted cubic spline; None with fewer than 20 events."""
    import numpy as np

    from troughline.response.spline import fit_spline_cox
    from troughline.survival.cox import CoxFitError

    x = column.x
    if x is None or not log or int(column.event.sum()) < SPLINE_EVENTS or len(np.unique(x)) < 10:
        return None
    if not bool((x > 0).all()):
        return None
    knots = 3 if int(column.event.sum()) < 2 * SPLINE_EVENTS else 4
    try:
        fit = fit_spline_cox(
            column.time, column.event, x, knots=knots, reference_exposure=float(np.median(x)),
            entry=column.entry, level=level,
        )  # fmt: skip
    except (CoxFitError, ValueError):
        return None
    low, high = (float(q) for q in np.quantile(x, [0.02, 0.98]))
    curve = fit.hazard_ratio(np.geomspace(low, high, SPLINE_POINTS), level=level)
    n = len(column.patients)
    return SplineHazard(
        series={
            "unit": unit,
            "label": label,
            "exposure": curve.exposure,
            "hazard_ratio": curve.hazard_ratio,
            "low": curve.low,
            "high": curve.high,
            "reference": curve.reference_exposure,
        },
        estimates=[
            Estimate(
                name=name, value=test.statistic, level=None, n=n, p_value=finite(test.p_value),
                method=f"guarded: restricted cubic spline, {knots} knots, likelihood ratio",
                note=degrees(int(test.degrees_of_freedom)),
            )
            for name, test in (("spline_overall", fit.overall), ("spline_nonlinearity", fit.nonlinearity))
        ],
    )  # fmt: skip


def cumulative_incidence(column: Column, unit: str, level: float, rivals: str) -> Competing:
    """Cumulative incidence of the event with `rivals` competing, in the groups of a column.

    A group without an event has an incidence of 0 with no interval: the estimator has no variance there.
    """
    from troughline.survival.competing import cumulative_incidence as incidence
    from troughline.survival.competing import one_minus_kaplan_meier

    time = column.time
    cause = [{0: None, 1: "event", 2: "competing"}[int(k)] for k in column.status]
    group = list(column.group or ("all patients",) * len(column.patients))
    order = tuple(column.order) if column.group is not None else ("all patients",)
    named = ("event", "competing")
    curves = [
        c for c in incidence(time, cause, group, causes=named, order=order, level=level) if c.cause == "event"
    ]
    naive = one_minus_kaplan_meier(time, cause, "event", group, order=order, level=level)
    whole = [c for c in incidence(time, cause, causes=named, level=level) if c.cause == "event"]
    whole_naive = one_minus_kaplan_meier(time, cause, "event", level=level)

    def at_end(c: IncidenceCurve, method: str) -> Estimate:
        varies = c.n_events_total > 0 and 0 < float(c.probability[-1]) < 1
        return Estimate(
            name="cumulative_incidence", value=finite(float(c.probability[-1])),
            low=finite(float(c.low[-1])) if varies else None,
            high=finite(float(c.high[-1])) if varies else None, level=level, n=c.n,
            label=f"{c.group}, end of follow-up", method=method,
            note=f"{c.n_events_total} events" + ("" if varies else "; no interval at 0 or 1"),
        )  # fmt: skip

    return Competing(
        series={
            "time_unit": unit,
            "origin": column.origin,
            "groups": [
                {"label": c.group, "time": c.time, "incidence": c.probability, "low": c.low, "high": c.high}
                for c in curves
            ],
            "naive": [{"label": c.group, "time": c.time, "incidence": c.probability} for c in naive],
        },
        estimates=[
            at_end(c, f"guarded: Aalen–Johansen from {column.origin}, {rivals} competing")
            for c in curves
            if len(c.probability)
        ],
        naive_estimates=[
            at_end(c, f"as-published: 1 − Kaplan–Meier from {column.origin}, {rivals} censored")
            for c in naive
            if len(c.probability)
        ],
        last=float(whole[0].probability[-1]) if whole and len(whole[0].probability) else None,
        naive_last=float(whole_naive[0].probability[-1]) if len(whole_naive[0].probability) else None,
    )
