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
from troughline.biomarker.change_regression import regress_on_change
from troughline.biomarker.endpoint import Effect, Endpoint, EndpointError
from troughline.biomarker.outcome_facts import LinkFinding, OutcomeLink

if TYPE_CHECKING:
    from troughline.biomarker.change_data import MarkerData, PairedLevels
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_change import ChangeQuestion
    from troughline.response.questions.parts import Parts

Floats = NDArray[np.float64]

FEWEST_EVENTS = 3


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
    try:
        effect = regress_on_change(
            endpoint, one.pairs[rows], covariates, names, rng, log=question.scale == "ratio", level=level
        )
    except ValueError as error:
        found.why.append(str(error))
        return
    found.change, found.first_level, found.penalised = effect.change, effect.first_level, effect.penalised
    found.n_beyond, found.missing_information = effect.n_beyond, effect.missing_information
    found.near, found.far = effect.near, effect.far


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
    _curve(parts, "km_as_published", groups.patients, groups.endpoint, groups.responder.tolist(),
           ("others" if outcome.from_sample else no, yes),
           start, outcome, marker, level)  # fmt: skip
    _curve(parts, "km_guarded", sampled, here.endpoint, after, ("others", yes), "the second sample", outcome,
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
