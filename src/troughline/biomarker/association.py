"""The `association` question: markers against stage, size and liver function, as published and guarded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from troughline.biomarker import association_facts as facts
from troughline.biomarker import association_view as view
from troughline.biomarker.association_pair import NotTested, PairResult, analyse_pair
from troughline.biomarker.family import Family, family_of
from troughline.biomarker.markers import (
    CharacteristicColumn,
    MarkerColumn,
    adjusting,
    characteristic_column,
    marker_column,
)
from troughline.cohort.describe import listed
from troughline.response.case import Case
from troughline.response.predictor import NotAnalysable, PredictorValues
from troughline.response.questions.adjustment import Adjustment, adjustment
from troughline.response.questions.parts import Parts, generator

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_association import AssociationQuestion
    from troughline.evidence.records import Drug

Key = tuple[str, str]


def run_association(cohort: Cohort, question: AssociationQuestion, drug: Drug | None) -> tuple[Case, Parts]:
    """Answer an association question as published and guarded.

    A marker or characteristic that cannot be used, and a pair with nothing to compare, is said and left out;
    the others are answered. Raises `NotAnalysable` where no pair is left.
    """
    unusable: list[tuple[str, str, str]] = []
    markers = _markers(cohort, question, drug, unusable)
    characteristics = _characteristics(cohort, question, unusable)
    level = cohort.study.study.level
    rng = generator(cohort, question.id)
    found: dict[Key, PairResult] = {}
    for m in markers:
        if m.beyond is not None:
            unusable.append((m.label, "", f"{m.beyond.reason}: {m.beyond.words(m.unit)}"))
            continue
        for c in characteristics:
            adjust = _adjustment(cohort, question, c)
            try:
                found[m.label, c.name] = analyse_pair(
                    m, c, adjust, level=level, permutations=question.permutations, rng=rng
                )
            except NotTested as reason:
                unusable.append((m.label, c.label, str(reason)))
    if not found:
        reasons = list(
            dict.fromkeys(f"{a}: {reason}" if a and not b else reason for a, b, reason in unusable)
        )
        raise NotAnalysable("; ".join(reasons[:4]) + ("; …" if len(reasons) > 4 else ""))
    family = family_of({key: r.p_value for key, r in found.items()})
    case = _case(cohort, question, drug, markers, found)
    parts = Parts()
    for m in markers:
        parts.estimates += view.marker_estimates(m, level)
        for c in characteristics:
            if (result := found.get((m.label, c.name))) is not None:
                parts.estimates += view.pair_estimates(
                    m, c, result, family, question.tests, question.adjust, level
                )
    parts.tables = view.tables(markers, characteristics, found, family, unusable, level)
    parts.series = view.series(markers, characteristics, found, family)
    case.association = facts.association_facts(
        cohort, question, markers, characteristics, found, family, parts.estimates
    )
    parts.methods, parts.references = _methods(question, markers, found), list(REFERENCES)
    if question.published is not None:
        from troughline.biomarker.printed_markers import printed_associations

        named = {c.name: c for c in characteristics}
        if rows := printed_associations(question.published, markers, named, found, family):
            parts.tables["printed"] = rows
        else:
            parts.methods.append(f"{question.published} printed nothing of these markers.")
    parts.summary = _summary(markers, characteristics, found, family, unusable)
    return case, parts


def _markers(
    cohort: Cohort, question: AssociationQuestion, drug: Drug | None, unusable: list[tuple[str, str, str]]
) -> list[MarkerColumn]:
    columns: list[MarkerColumn] = []
    for asked in question.markers:
        try:
            columns.append(marker_column(cohort, asked, drug))
        except ValueError as error:
            unusable.append((asked.name, "", str(error)))
    return columns


def _characteristics(
    cohort: Cohort, question: AssociationQuestion, unusable: list[tuple[str, str, str]]
) -> list[CharacteristicColumn]:
    columns: list[CharacteristicColumn] = []
    for asked in question.characteristics:
        try:
            columns.append(characteristic_column(cohort, asked))
        except ValueError as error:
            unusable.append(("", asked.covariate, str(error)))
    return columns


def _adjustment(
    cohort: Cohort, question: AssociationQuestion, characteristic: CharacteristicColumn
) -> Adjustment | None:
    """The adjusting columns of all patients; a characteristic is not adjusted for itself in another form."""
    names = adjusting(question.adjust, characteristic.name)
    if not names:
        return None
    nothing = PredictorValues(label="marker", unit="1")
    return adjustment(cohort, nothing, names, cohort.patient_ids)


def _case(
    cohort: Cohort,
    question: AssociationQuestion,
    drug: Drug | None,
    markers: Sequence[MarkerColumn],
    found: dict[Key, PairResult],
) -> Case:
    """The case; a patient counts as analysed who is in at least one pair."""
    patients = cohort.patient_ids
    inside = np.any([r.inside for r in found.values()], axis=0)
    without = {
        p: "no marker measured" if not any(m.known[i] for m in markers) else "no characteristic known"
        for i, p in enumerate(patients)
        if not inside[i]
    }
    first = markers[0]
    values = PredictorValues(label=first.label, unit=first.unit, log=first.log, left_out=without)
    case = Case(cohort=cohort, question=question, drug=drug, predictor=values)
    case.analysed = tuple(p for i, p in enumerate(patients) if inside[i])
    case.excluded = without
    return case


def _summary(
    markers: Sequence[MarkerColumn],
    characteristics: Sequence[CharacteristicColumn],
    found: dict[Key, PairResult],
    family: Family[Key],
    unusable: Sequence[tuple[str, str, str]],
) -> str:
    names = {c.name: c for c in characteristics}
    strong = sorted((k for k in found if family.holm[k] < view.ALPHA), key=lambda k: family.holm[k])
    total = len(found)
    pairs = f"{total} pair{'s' * (total != 1)} of a marker and a characteristic"
    if strong:
        said = [view.direction_words(key[0], names[key[1]], found[key]) for key in strong[:4]]
        more = f"; and {len(strong) - 4} more" if len(strong) > 4 else ""
        text = f"Of {pairs}, {len(strong)} hold after correction for all of them: {'; '.join(said)}{more}."
    else:
        text = f"None of {pairs} holds after correction for all of them (smallest corrected p = "
        text += f"{min(family.holm.values()):.2g})."
    silent = [
        m.label
        for m in markers
        if m.beyond is None and all(family.holm.get((m.label, c), 1.0) >= view.ALPHA for c in names)
    ]
    if strong and silent:
        text += f" For {', '.join(silent)} none holds, which does not show that there is none."
    if strong:
        text += " Marker and stage were measured together: this tells neither which came first nor prognosis."
    if unusable:
        who = [" and ".join(n for n in (a, b) if n) for a, b, _ in unusable]
        text += f" Not analysable: {'; '.join(dict.fromkeys(who))} (see the table)."
    for m in markers:
        if m.beyond is not None:
            text += f" {m.label} was {m.beyond.words(m.unit)}."
    return text


def _methods(
    question: AssociationQuestion, markers: Sequence[MarkerColumn], found: dict[Key, PairResult]
) -> list[str]:
    means = "t test, analysis of variance or Pearson correlation"
    ranks = "Mann–Whitney, Kruskal–Wallis or Spearman correlation"
    sentences = [
        f"As published: {means if question.tests == 'means' else ranks}, half the limit standing in for "
        "values below it (the limit for values above), and χ² of those beyond the reference limit.",
        "Guarded: one test a pair, Jonckheere–Terpstra over ordered stages and Kendall's over numbers, both "
        "on the comparisons that the limits allow; corrected over the whole family by Holm "
        "(Benjamini–Hochberg beside it).",
        "Tau-b and Spearman's correlation with jackknife intervals on Fisher's scale; the marker per step of "
        "the characteristic by a regression in which values beyond a limit count as such (Tobit); odds of a "
        "higher stage by proportional odds, checked by Brant's test.",
    ]
    if question.adjust:
        sentences.append(f"Adjusted for {listed(question.adjust)}, never for the characteristic itself.")
    if any(r.trend is not None and r.trend.method == "permutation" for r in found.values()):
        sentences.append(f"Small samples with ties: {question.permutations} permutations.")
    repeats = sum(m.repeats for m in markers)
    if repeats:
        sentences.append(f"{repeats} later samples are not used: the first of each patient counts.")
    return sentences


REFERENCES = (
    "Jonckheere 1954, doi 10.1093/biomet/41.1-2.133",
    "Daniels 1944, doi 10.1093/biomet/33.2.129",
    "McCullagh 1980, doi 10.1111/j.2517-6161.1980.tb01109.x",
    "Brant 1990, doi 10.2307/2532457",
    "Tobin 1958, doi 10.2307/1907382",
    "Holm 1979, Scand J Stat 6:65–70",
    "Benjamini & Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x",
)
