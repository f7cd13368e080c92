"""The targets of the literature side by side, with the recommended regimen's probabilities under each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.dosing.limits import Limits, position
from troughline.dosing.result import AlternativeTarget, TargetResult
from troughline.dosing.target import COMPARABLE, REASONS, published_limits, published_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.dosing.patient import DosePatient
    from troughline.dosing.scores import Scores
    from troughline.evidence.records import Publication

_EXPOSURES = ("trough", "auc", "clinic-visit", "level", "cmax")
_OUTCOMES = ("toxicity", "survival", "response", "hand-foot-skin-reaction")


def alternatives(
    patient: DosePatient, scores: Scores, ids: Sequence[str], best: int, used: TargetResult, limits: Limits
) -> tuple[AlternativeTarget, ...]:
    """The file's own target first, then every published one, then the studies that found no link.

    A target of another metric (a clinic visit's level, a peak) is read as a trough for its probabilities,
    and marked as not comparable. Thresholds that a window of the same study joins are left to the window.
    """
    from troughline.evidence.store import load_drug

    mass = load_drug(patient.drug).molar_mass_g_per_mol
    made = [_under(scores, ids, best, limits, used, used=True, reason="")]
    published = published_numbers(patient.drug)
    joined = {(s.id, limit) for s, n in published if n.quantity == "window" for limit in (n.low, n.high)}
    for study, number in published:
        identifier = f"{study.id}/{number.id}"
        if identifier == used.id or number.metric == "cumulative-auc":
            continue
        if number.quantity == "threshold" and (study.id, number.value) in joined:
            continue
        own, shown = published_limits(study, number, molar_mass=mass)
        reason = "" if number.metric in COMPARABLE else REASONS.get(number.metric or "", "another metric")
        made.append(_under(scores, ids, best, own, shown, used=False, reason=reason))
    made += [_no_link(study) for study in _studies_without_link(patient.drug)]
    return tuple(made)


def _under(
    scores: Scores, ids: Sequence[str], best: int, limits: Limits, shown: TargetResult, *, used: bool,
    reason: str,
) -> AlternativeTarget:  # fmt: skip
    values = scores.trough if limits.metric == "trough" else scores.auc_24h
    if used:
        below, inside, above = (x.mean(axis=0) for x in (scores.below, scores.inside, scores.above))
    else:
        at = position(values, limits)
        below, inside, above = (x.mean(axis=0) for x in (at.below, at.inside, at.above))
    # With one limit P(in) only grows, or only falls, with the dose: there is no best.
    top = int(np.argmax(inside)) if limits.low is not None and limits.high is not None else None
    return AlternativeTarget(
        target=shown, used=used, comparable=not reason, reason=reason, p_below=float(below[best]),
        p_in=float(inside[best]), p_above=float(above[best]), best=None if top is None else ids[top],
        best_p_in=None if top is None else float(inside[top]),
    )  # fmt: skip


def _studies_without_link(drug_id: str) -> list[Publication]:
    """The studies that looked for a link of a level with outcome and found none."""
    from troughline.evidence.store import list_publications, load_publication, text_of

    made: list[Publication] = []
    for identifier in list_publications():
        if 'association = "none"' not in text_of(identifier):
            continue
        study = load_publication(identifier)
        if study.drug == drug_id and any(
            f.association == "none" and f.exposure in _EXPOSURES and f.outcome in _OUTCOMES
            for f in study.finding
        ):
            made.append(study)
    return made


def _no_link(study: Publication) -> AlternativeTarget:
    found = [
        f for f in study.finding
        if f.association == "none" and f.exposure in _EXPOSURES and f.outcome in _OUTCOMES
    ]  # fmt: skip
    n = max((f.n for f in found if f.n is not None), default=study.n)
    shown = TargetResult(
        id=study.id, label="; ".join(f.label for f in found), kind="published", metric=found[0].exposure,
        low=None, high=None, low_interval=None, high_interval=None, unit="mg/L", n=n, design=study.design,
        population=study.population, citation=study.citation, doi=study.doi,
        verified=all(f.verified for f in found), uncertainty="", note=study.note,
    )  # fmt: skip
    return AlternativeTarget(
        target=shown, used=False, comparable=False,
        reason="found no link, and so proposes no target; that is no proof that there is none",
        p_below=None, p_in=None, p_above=None, best=None, best_p_in=None,
    )  # fmt: skip
