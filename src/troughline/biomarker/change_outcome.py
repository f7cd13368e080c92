"""The change of a marker against an outcome: landmark at the second sample, censored levels imputed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.at_risk import (
    AtRisk,
    Followed,
    PublishedGroups,
    at_risk,
    followed,
    published_groups,
    responder_words,
    responds,
)
from troughline.biomarker.endpoint import Effect, Endpoint, EndpointError, Regression
from troughline.biomarker.imputation import Pooled, imputed_levels, pool
from troughline.biomarker.outcome_facts import LinkFinding, OutcomeLink

if TYPE_CHECKING:
    from troughline.biomarker.censored import Censored, Pairs
    from troughline.biomarker.change_data import MarkerData, PairedLevels
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_change import ChangeQuestion
    from troughline.response.questions.parts import Parts

Floats = NDArray[np.float64]

FEWEST_EVENTS = 3
FAR = 10.0
"""How far beyond its limit a level is put, as a factor, to see what the answer owes to the model."""


def link_to_outcome(
    cohort: Cohort,
    question: ChangeQuestion,
    markers: list[MarkerData],
    rng: np.random.Generator,
    parts: Parts,
) -> OutcomeLink:
    """Every marker's change at every later occasion against the outcome.

    As published: responders against the others from the first dose. Guarded: the change itself at equal first
    level, in those at risk at their second sample, from there on. Survival curves of the first marker go to
    `parts`.
    """
    from troughline.response.multiplicity import benjamini_hochberg, holm

    link = OutcomeLink(
        label="", kind="survival" if question.is_timed else "binary", counted_from=question.counted_from,
        responder=responder_words(question.responder)[0], unsampled=question.responder.unsampled,
    )  # fmt: skip
    try:
        outcome = followed(cohort, question)
    except ValueError as error:
        link.failed = str(error).rstrip(".")
        return link
    link.label, link.unknown = outcome.label, outcome.unknown
    parts.methods += list(outcome.notes)
    for data in markers:
        if data.not_analysable:
            continue
        for one in data.paired:
            try:
                here = at_risk(one, cohort, outcome)
            except ValueError as error:
                parts.methods.append(f"{data.analyte}: {error}.")
                continue
            groups = published_groups(one, cohort, outcome, question.responder)
            link.findings.append(_finding(cohort, question, data, one, outcome, here, groups, rng))
            if question.is_timed and "km_as_published" not in parts.series:
                _curves(cohort, question, one, outcome, here, groups, parts, data.analyte)
    if not link.findings:
        link.failed = "no marker has patients at risk at the second sample"
    p = np.array([math.nan if f.change is None else f.change.p_value for f in link.findings])
    correct = benjamini_hochberg if question.correction == "benjamini-hochberg" else holm
    for finding, value in zip(link.findings, correct(p), strict=True):
        finding.p_adjusted = None if math.isnan(value) else float(value)
    return link


def _finding(
    cohort: Cohort,
    question: ChangeQuestion,
    data: MarkerData,
    one: PairedLevels,
    outcome: Followed,
    here: AtRisk,
    groups: PublishedGroups,
    rng: np.random.Generator,
) -> LinkFinding:
    level = cohort.study.study.level
    found = LinkFinding(
        marker=data.analyte, occasion=one.occasion,
        step="per doubling" if question.scale == "ratio" else "per SD",
        n=here.endpoint.n, n_events=here.endpoint.n_events() or 0, n_at_risk=here.endpoint.n,
        n_published=groups.endpoint.n,
        n_published_events=groups.endpoint.n_events() or 0, n_responders=int(groups.responder.sum()),
        before=here.before, left_out=dict(here.left_out),
    )  # fmt: skip
    rule = question.responder
    again = np.array([responds(one.before[i], one.after[i], rule) for i in here.places], dtype=np.bool_)
    found.published = _groups(groups.endpoint, groups.responder, level, found.why, "as published")
    found.same_groups = _groups(here.endpoint, again, level, found.why, "the same groups")
    _guarded(cohort, question, one, outcome, here, found, level, rng)
    return found


def _groups(
    endpoint: Endpoint, responder: NDArray[np.bool_], level: float, why: list[str], what: str
) -> Effect | None:
    """Responders against the others, unadjusted."""
    if responder.all() or not responder.any():
        why.append(f"{what}: {'everybody responds' if responder.all() else 'nobody responds'}")
        return None
    try:
        return endpoint.regress(responder[:, None].astype(np.float64), ("responder",), level=level).named(
            "responder"
        )
    except EndpointError as error:
        why.append(f"{what}: {error}")
        return None


def _guarded(
    cohort: Cohort,
    question: ChangeQuestion,
    one: PairedLevels,
    outcome: Followed,
    here: AtRisk,
    found: LinkFinding,
    level: float,
    rng: np.random.Generator,
) -> None:
    """The change at equal first level, from the second sample on."""
    rows, endpoint = here.rows, here.endpoint
    covariates = np.empty((len(rows), 0))
    names: tuple[str, ...] = ()
    if question.adjust:
        from troughline.response.predictor import PredictorValues
        from troughline.response.questions.adjustment import adjustment

        who = tuple(one.patients[i] for i in here.places)
        try:
            adjust = adjustment(cohort, PredictorValues(label="", unit="1"), question.adjust, who)
        except ValueError as error:
            found.why.append(str(error))
            return
        keep = np.flatnonzero(adjust.complete)
        rows, endpoint = rows[keep], endpoint.of(keep.astype(np.int64))
        covariates, names = adjust.matrix[keep], adjust.names
        found.left_out |= {p: "a covariate is missing" for k, p in enumerate(who) if not adjust.complete[k]}
    found.n, found.n_events = endpoint.n, endpoint.n_events() or 0
    found.n_parameters = 2 + len(names)
    rarer = found.n_events if endpoint.kind == "survival" else min(found.n_events, found.n - found.n_events)
    if rarer < FEWEST_EVENTS:
        found.why.append(
            f"{rarer} {'events' if endpoint.kind == 'survival' else 'patients with the rarer outcome'} after "
            f"the second sample; at least {FEWEST_EVENTS} are needed"
        )
        return
    pairs = one.pairs[rows]
    found.n_beyond = int((~pairs.before.exact).sum() + (~pairs.after.exact).sum())
    try:
        drawn = imputed_levels(pairs, np.column_stack([_of_outcome(endpoint), covariates]), rng)
        step = (
            math.log(2)
            if question.scale == "ratio"
            else float((drawn[..., 1] - drawn[..., 0]).std(axis=1).mean())
        )
        if not step > 0:
            raise ValueError("no change differs from another")
        fits = [_regress(endpoint, x, covariates, names, step, level) for x in drawn]
    except ValueError as error:
        found.why.append(str(error))
        return
    found.penalised = any(f.penalised for f in fits)
    if len(fits) == 1:
        found.change, found.first_level = fits[0].named("change"), fits[0].named("first level")
        return
    pooled = pool(np.array([f.coefficients for f in fits]), np.array([f.covariance for f in fits]))
    found.change, found.first_level = _effect(pooled, 0, level), _effect(pooled, 1, level)
    found.missing_information = float(pooled.missing_information[0])
    log = question.scale == "ratio"
    for name, far in (("near", False), ("far", True)):
        try:
            end = _regress(endpoint, _at_ends(pairs, far, log), covariates, names, step, level)
        except ValueError:
            continue
        setattr(found, name, float(end.coefficients[0]))


def _regress(
    endpoint: Endpoint, levels: Floats, covariates: Floats, names: tuple[str, ...], step: float, level: float
) -> Regression:
    """The regression on the change (per `step`), the first level and the covariates; `levels` (n, 2)."""
    x = np.column_stack([(levels[:, 1] - levels[:, 0]) / step, levels[:, 0] / step, covariates])
    return endpoint.regress(x, ("change", "first level", *names), level=level)


def _effect(pooled: Pooled, k: int, level: float) -> Effect:
    from scipy.stats import t as student

    value, error = float(pooled.coefficients[k]), math.sqrt(float(pooled.covariance[k, k]))
    freedom = float(pooled.freedom[k])
    half = float(student.isf((1 - level) / 2, freedom)) * error
    return Effect(
        value=value, low=value - half, high=value + half, standard_error=error,
        p_value=2 * float(student.sf(abs(value / error), freedom)),
    )  # fmt: skip


def _of_outcome(endpoint: Endpoint) -> Floats:
    """What an imputation must know of the outcome, `(n, k)`: the event, and Nelson–Aalen's hazard so far."""
    assert endpoint.event is not None
    event = endpoint.event.astype(np.float64)
    if endpoint.time is None:
        return event[:, None]
    time = endpoint.time
    order = np.argsort(time, kind="stable")
    at = np.searchsorted(time[order], time[order], side="left")
    steps = event[order] / (len(time) - at)
    hazard = np.cumsum(steps)[np.searchsorted(time[order], time, side="right") - 1]
    return np.column_stack([event, hazard])


def _at_ends(pairs: Pairs, far: bool, log: bool) -> Floats:
    """Levels (n, 2) with each beyond its limit put at it, or `FAR` times beyond (0 on the plain scale)."""
    return np.column_stack([_at_end(one, far, log) for one in (pairs.before, pairs.after)])


def _at_end(one: Censored, far: bool, log: bool) -> Floats:
    below, above = one.below, one.above
    near = np.where(below, one.high, one.low)
    if not far:
        return near
    if log:
        return near - math.log(FAR) * below + math.log(FAR) * above
    return np.where(below, 0.0, np.where(above, near * FAR, near))


def _curves(
    cohort: Cohort,
    question: ChangeQuestion,
    one: PairedLevels,
    outcome: Followed,
    here: AtRisk,
    groups: PublishedGroups,
    parts: Parts,
    marker: str,
) -> None:
    """Kaplan–Meier curves of the two groups: from the first dose, and from the second sample."""
    yes, no = responder_words(question.responder)
    level, rule = cohort.study.study.level, question.responder
    after = [responds(one.before[i], one.after[i], rule) for i in here.places]
    start = "the second sample" if outcome.from_sample else "the first dose"
    sampled = tuple(one.patients[i] for i in here.places)
    without = no.removesuffix(" or no second sample")
    _curve(parts, "km_as_published", groups.patients, groups.endpoint, groups.responder.tolist(), (no, yes),
           start, outcome, marker, level)  # fmt: skip
    _curve(parts, "km_guarded", sampled, here.endpoint, after, (without, yes), "the second sample", outcome,
           marker, level)  # fmt: skip


def _curve(
    parts: Parts,
    name: str,
    patients: tuple[str, ...],
    endpoint: Endpoint,
    responder: list[bool],
    words: tuple[str, str],
    origin: str,
    outcome: Followed,
    marker: str,
    level: float,
) -> None:
    from troughline.response.questions.survival_columns import Column
    from troughline.response.questions.survival_series import kaplan_meier_series

    assert endpoint.time is not None
    assert endpoint.event is not None
    group = tuple(words[r] for r in responder)
    column = Column(
        patients=patients, time=endpoint.time, status=endpoint.event.astype(np.int64), entry=None,
        group=group, order=tuple(w for w in words if w in group), x=None, origin=origin,
    )  # fmt: skip
    parts.series[name] = kaplan_meier_series(
        column, outcome.unit, level, title=f"{outcome.label} by change of {marker}", competing=False
    )
