"""The guarded answer: the interaction itself, on the relative and the absolute scale, and over the marker."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from troughline.biomarker.absolute_interaction import restricted_mean_interaction, risk_interaction
from troughline.biomarker.endpoint import Effect, EndpointError, Floats
from troughline.biomarker.fractional_polynomials import PolynomialInteraction, polynomial_interaction
from troughline.biomarker.interaction_data import Marker, Outcomes, Sample, adjusting
from troughline.biomarker.interaction_view import INTERACTIONS, PROGNOSTIC, as_interval, effect_estimate
from troughline.biomarker.stepp import stepp
from troughline.biomarker.treatment_by_marker import TreatmentByMarker, detectable, treatment_by_marker
from troughline.response.case import Interval
from troughline.response.guards.wording import number, unit_text
from troughline.response.predictor import NotAnalysable
from troughline.response.questions.parts import finite, generator
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.cohort.question_interaction import InteractionQuestion
    from troughline.response.case import Case
    from troughline.response.interaction_facts import InteractionFacts
    from troughline.response.questions.parts import Parts

MODEL = {"survival": "Cox", "binary": "logistic regression", "continuous": "linear regression"}
FEWEST_FOR_STEPP = 60
AT_RISK = 0.1


def guarded_interaction(case: Case, parts: Parts, sample: Sample, marker: Marker, outcomes: Outcomes) -> None:
    """Add everything guarded about treatment × marker. Raises `EndpointError` where there is no answer."""
    question = case.question
    assert question.kind == "interaction"
    extra, names, complete = adjusting(case.cohort, question, marker, sample.patients)
    case.measured.n_incomplete_covariates = int((~complete).sum())
    if names:
        plain = _fit(case, sample, np.empty((sample.n, 0)), ())
        assert case.interaction is not None
        case.interaction.interaction = _ratio(case, sample, plain)
        sample, extra = _kept(sample, complete), extra[complete]
    fit = _fit(case, sample, extra, names)
    _relative(case, parts, sample, marker, fit, outcomes, extra, names)
    _absolute(case, parts, sample, outcomes, question, extra)
    if sample.raw is not None:
        known = ~np.isnan(sample.raw)
        _over_marker(case, parts, _kept(sample, known), marker, extra[known], question)


def _kept(sample: Sample, complete: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Sample:
    patients = tuple(p for p, k in zip(sample.patients, complete.tolist(), strict=True) if k)
    return Sample(
        patients=patients, endpoint=sample.endpoint.of(complete), treated=sample.treated[complete],
        columns=sample.columns[complete], names=sample.names,
        raw=None if sample.raw is None else sample.raw[complete], per=sample.per, labels=sample.labels,
        below=None if sample.below is None else sample.below[complete],
    )  # fmt: skip


def _fit(case: Case, sample: Sample, extra: Floats, names: tuple[str, ...]) -> TreatmentByMarker:
    return treatment_by_marker(
        sample.endpoint, sample.treated, sample.columns, sample.names, adjust=extra, adjust_names=names,
        level=case.cohort.study.study.level,
    )  # fmt: skip


def _ratio(case: Case, sample: Sample, fit: TreatmentByMarker) -> Interval:
    estimate = effect_estimate(
        sample.endpoint.kind, fit.interaction[0], n=sample.n, label="", method="guarded",
        level=case.cohort.study.study.level,
    )  # fmt: skip
    return as_interval(estimate)


def _relative(
    case: Case,
    parts: Parts,
    sample: Sample,
    marker: Marker,
    fit: TreatmentByMarker,
    outcomes: Outcomes,
    extra: Floats,
    names: tuple[str, ...],
) -> None:
    assert case.interaction is not None
    adjusted = bool(names)
    facts, kind, level = case.interaction, sample.endpoint.kind, case.cohort.study.study.level
    how = f"guarded: {MODEL[kind]} with treatment × marker"
    how += ", Firth's penalty" * fit.fit.penalised + ", adjusted" * adjusted
    word = f"ratio of {facts.word}s" if kind != "continuous" else "difference of differences"
    unit = outcomes.unit if kind == "continuous" else "1"
    parts.estimates += joint_tests(sample, marker, fit, how, facts)
    for per, effect in zip(sample.labels, fit.interaction, strict=True):
        parts.estimates.append(
            effect_estimate(
                kind, effect, n=sample.n, label=f"{word}, {per}", method=how, level=level,
                name=INTERACTIONS[kind], unit=unit,
            )
        )  # fmt: skip
    first = _ratio(case, sample, fit)
    if adjusted:
        facts.interaction_adjusted = first
    else:
        facts.interaction = first
    facts.p_interaction = finite(fit.p_value)
    facts.detectable, facts.detectable_between, worst = smallest_seen(sample, marker, fit)
    facts.detectable_interval = as_interval(
        effect_estimate(kind, fit.interaction[worst], n=sample.n, label="", method=how, level=level)
    )
    facts.detectable_is_ratio = kind != "continuous"
    if marker.ordered and fit.freedom > 1:
        parts.estimates += _trend(case, sample, marker, extra, names, how, unit)
    for label, row in _positions(sample, marker):
        parts.estimates.append(
            effect_estimate(
                kind, fit.treatment_at(row), n=sample.n, label=label,
                method=how, level=level, unit=unit,
            )
        )  # fmt: skip
    for where, effects in ((facts.arms[1], fit.prognostic), (facts.arms[0], fit.in_treated)):
        for per, effect in zip(sample.labels, effects, strict=True):
            parts.estimates.append(
                effect_estimate(
                    kind, effect, n=sample.n, label=f"in {where}, {per}", method=how, level=level,
                    name=PROGNOSTIC[kind], unit=unit,
                )
            )  # fmt: skip


def joint_tests(
    sample: Sample, marker: Marker, fit: TreatmentByMarker, how: str, facts: InteractionFacts
) -> list[Estimate]:
    """The tests of all levels at once, treatment × marker and the marker in the control arm; of one, none."""
    facts.p_prognostic = finite(fit.p_prognostic)
    if fit.freedom < 2:
        return []
    what = "all levels" if not marker.is_number else "slope and below its limit"
    return [
        Estimate(
            name=name, value=None, level=None, n=sample.n, p_value=finite(p), method=how,
            label=f"{where}{what}, {fit.freedom} degrees of freedom",
        )
        for name, p, where in (
            ("interaction_test", fit.p_value, ""),
            ("prognostic_test", fit.p_prognostic, f"in {facts.arms[1]}, "),
        )
    ]  # fmt: skip


def _trend(
    case: Case, sample: Sample, marker: Marker, extra: Floats, names: tuple[str, ...], how: str, unit: str
) -> list[Estimate]:
    """The interaction per step of ordered levels, 0, 1, 2 … in their order."""
    assert case.interaction is not None
    level, kind = case.cohort.study.study.level, sample.endpoint.kind
    rank = sample.columns @ np.arange(1.0, len(sample.names) + 1)
    try:
        fit = treatment_by_marker(
            sample.endpoint, sample.treated, rank, ("rank",), adjust=extra, adjust_names=names, level=level
        )
    except EndpointError:
        return []
    case.interaction.p_trend = finite(fit.p_value)
    return [
        effect_estimate(
            kind, fit.interaction[0], n=sample.n, level=level, unit=unit, name="interaction_trend",
            label=f"per step of {' < '.join(marker.levels)}",
            method=how.replace("treatment × marker", "treatment × rank of the level"),
        )
    ]  # fmt: skip


def _positions(sample: Sample, marker: Marker) -> list[tuple[str, Floats]]:
    """Where the treatment effect is stated: every level of a category, or the quartiles of a number.

    Quartiles are those of the levels quantified; below the limit stands for itself.
    """
    if sample.raw is None:
        rows: list[tuple[str, Floats]] = [(f"{marker.label} {marker.levels[0]}", np.zeros(len(sample.names)))]
        rows += [
            (f"{marker.label} {name}", np.eye(len(sample.names))[k]) for k, name in enumerate(sample.names)
        ]
        return rows
    known = ~np.isnan(sample.raw)
    raw, column = sample.raw[known], sample.columns[known, 0]
    order = np.argsort(raw, kind="stable")
    found: list[tuple[str, Floats]] = []
    if sample.below is not None:
        found.append((f"{marker.label} {sample.names[1]}", sample.columns[sample.below][0]))
    of = "" if sample.below is None else " where quantified"
    for words, q in (("first quartile", 0.25), ("third quartile", 0.75)):
        at = float(np.quantile(raw, q))
        row = np.zeros(sample.columns.shape[1])
        row[0] = np.interp(at, raw[order], column[order])
        found.append((f"{marker.label} at its {words}{of} ({number(at)}{unit_text(marker.unit)})", row))
    return found


def smallest_seen(sample: Sample, marker: Marker, fit: TreatmentByMarker) -> tuple[float | None, str, int]:
    """The smallest interaction seen with 80 % power, between what, and in which column: the worst of them.

    Between the halves of a number (those quantified), or each level and the first.
    """
    if fit.fit.penalised:
        return None, "", 0
    found: list[tuple[float, str, int]] = []
    for j, effect in enumerate(fit.interaction):
        if not effect.standard_error > 0:
            return None, "", 0
        gap, between = 1.0, f"{marker.label} {sample.labels[j].replace(' against ', ' and ')}"
        if sample.raw is not None and j == 0:
            known = ~np.isnan(sample.raw)
            raw, column = sample.raw[known], sample.columns[known, 0]
            high = raw > np.median(raw)
            if not high.any() or high.all():
                return None, "", 0
            gap, between = float(column[high].mean() - column[~high].mean()), "low and high marker"
        found.append((detectable(effect.standard_error) * gap, between, j))
    smallest, between, worst = max(found)
    if sample.endpoint.kind != "continuous":
        return math.exp(min(smallest, 700.0)), between, worst
    assert sample.endpoint.value is not None
    return smallest / float(sample.endpoint.value.std(ddof=1)), between, worst


def horizon(sample: Sample, days_per_unit: float, asked_days: float | None) -> tuple[float, str]:
    """The horizon of restricted means in the unit of time, and why it is not the one that was asked for.

    Beyond the time at which a tenth of either arm is still at risk a few patients stand in for all the
    censored ones, and no normal interval holds: the horizon is never later.
    """
    time = sample.endpoint.time
    assert time is not None
    latest = min(
        float(np.sort(time[rows])[::-1][max(math.ceil(AT_RISK * rows.sum()) - 1, 0)])
        for rows in (sample.treated, ~sample.treated)
    )
    why = f"until when a tenth of both arms was at risk ({number(latest)})"
    if asked_days is None:
        return latest, why
    asked = asked_days / days_per_unit
    return (asked, "") if asked <= latest else (latest, f"{why}; {number(asked)} were asked for")


def _absolute(
    case: Case, parts: Parts, sample: Sample, outcomes: Outcomes, question: InteractionQuestion, extra: Floats
) -> None:
    level, kind = case.cohort.study.study.level, sample.endpoint.kind
    if kind == "continuous":
        return
    try:
        if kind == "survival":
            tau, why = horizon(sample, outcomes.days_per_unit, question.rmst_days)
            effects = restricted_mean_interaction(
                sample.endpoint, sample.treated, sample.columns, tau=tau, adjust=extra, level=level
            )
            name, unit = "rmst_interaction", outcomes.unit
            method = "guarded: restricted mean, weighted for censoring"
            note = f"over {number(tau)} {outcomes.unit}s" + (f", {why}" if why else "")
        else:
            effects = risk_interaction(
                sample.endpoint, sample.treated, sample.columns, adjust=extra, level=level
            )
            name, unit, note = "risk_interaction", "1", ""
            method = "guarded: linear model of the risk, robust variance"
    except EndpointError as error:
        parts.methods.append(f"The interaction on the absolute scale has no estimate: {error}.")
        return
    for label, effect in zip(sample.labels, effects, strict=True):
        parts.estimates.append(
            Estimate(
                name=name, value=finite(effect.value), low=finite(effect.low), high=finite(effect.high),
                level=level, unit=unit, n=sample.n, label=label, method=method, note=note,
                p_value=finite(effect.p_value),
            )
        )  # fmt: skip


def _over_marker(
    case: Case, parts: Parts, sample: Sample, marker: Marker, extra: Floats, question: InteractionQuestion
) -> None:
    assert sample.raw is not None
    level, kind = case.cohort.study.study.level, sample.endpoint.kind
    series = {
        "label": marker.label,
        "unit": marker.unit,
        "log": marker.log,
        "scale": {"survival": "hazard ratio", "binary": "risk difference"}.get(kind, "difference"),
        "arms": list(case.interaction.arms) if case.interaction else [],
    }
    exponential = kind == "survival"

    def shown(values: Floats) -> Floats:
        return np.exp(np.clip(values, -700, 700)) if exponential else values

    if sample.n >= FEWEST_FOR_STEPP:
        try:
            found = stepp(
                sample.endpoint, sample.treated, sample.raw,
                rng=generator(case.cohort, f"{question.id}/stepp"), draws=question.draws,
                level=level,
            )  # fmt: skip
        except ValueError as error:
            parts.methods.append(f"{error}.")
        else:
            parts.estimates.append(
                Estimate(
                    name="stepp_test", value=None, level=None, n=sample.n, p_value=found.p_value,
                    method=f"guarded: STEPP, {found.value.size} windows, largest score, {found.draws} draws",
                )
            )  # fmt: skip
            columns = ("start", "end", "middle", "value", "low", "high", "band_low", "band_high")
            arrays = {c: getattr(found, c) for c in columns}
            for c in columns[3:]:
                arrays[c] = shown(arrays[c])
            parts.series["stepp"] = {
                **series, **arrays, "n": found.n, "overall": float(shown(np.array(found.overall))),
                "p_value": found.p_value, "draws": found.draws,
            }  # fmt: skip
            parts.tables["stepp"] = [
                {"n": int(found.n[k]), **{c: float(arrays[c][k]) for c in columns}}
                for k in range(found.value.size)
            ]
            parts.references.append("Bonetti 2004, doi 10.1093/biostatistics/kxh002")
    try:
        curve = polynomial_interaction(
            sample.endpoint, sample.treated, sample.raw, adjust=extra, level=level,
            rng=generator(case.cohort, f"{question.id}/polynomial"), flexibility=question.flexibility,
            simple=0.0 if marker.log else 1.0, draws=question.draws,
        )  # fmt: skip
    except EndpointError as error:
        parts.methods.append(f"Fractional polynomials: {error}.")
        return
    parts.estimates.append(
        Estimate(
            name="polynomial_interaction_test", value=None, level=None, n=sample.n,
            p_value=finite(curve.p_value),
            method=f"guarded: fractional polynomial ({_powers(curve)}), likelihood ratio",
            note=f"{curve.draws} draws without interaction, powers chosen again in each"
            if curve.draws
            else f"{curve.freedom} degree{'s' * (curve.freedom > 1)} of freedom",
        )
    )  # fmt: skip
    if kind != "binary":
        parts.series["polynomial"] = {
            **series, "marker": curve.marker, "value": shown(curve.value), "low": shown(curve.low),
            "high": shown(curve.high), "powers": list(curve.powers),
            "control_powers": list(curve.control_powers), "p_value": finite(curve.p_value),
        }  # fmt: skip
    parts.references.append("Royston 2004, doi 10.1002/sim.1815")


def _powers(curve: PolynomialInteraction) -> str:
    both = [", ".join(f"{p:g}" for p in powers) for powers in (curve.control_powers, curve.powers)]
    if both[0] == both[1]:
        return f"power{'s' * (len(curve.powers) > 1)} {both[0]}"
    return f"power {both[1]} with the treatment, {both[0]} without"


def prognostic_only(case: Case, parts: Parts, sample: Sample, marker: Marker, outcomes: Outcomes) -> None:
    """Without a control arm: what the marker says about the course under treatment, and nothing more."""
    question, level, kind = case.question, case.cohort.study.study.level, sample.endpoint.kind
    assert question.kind == "interaction"
    extra, names, complete = adjusting(case.cohort, question, marker, sample.patients)
    case.measured.n_incomplete_covariates = int((~complete).sum())
    for method, rows, more in (
        ("as-published: marker alone", np.ones(sample.n, np.bool_), extra[:, :0]),
        ("guarded: " + MODEL[kind] + (", adjusted" if names else ""), complete, extra),
    ):
        endpoint = sample.endpoint.of(rows)
        terms = (*sample.names, *(names if more.shape[1] else ()))
        try:
            fit = endpoint.regress(np.column_stack((sample.columns[rows], more[rows])), terms, level=level)
        except EndpointError as error:
            raise NotAnalysable(str(error)) from None
        for name, per in zip(sample.names, sample.labels, strict=True):
            effect: Effect = fit.named(name)
            parts.estimates.append(
                effect_estimate(
                    kind, effect, n=endpoint.n, label=f"no control arm, {per}", method=method, level=level,
                    name=PROGNOSTIC[kind], unit=outcomes.unit if kind == "continuous" else "1",
                )
            )  # fmt: skip
