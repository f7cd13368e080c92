"""The `change` question: what markers did between occasions, within groups and between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.biomarker.change_data import Groups, MarkerData, groups_of, marker_data
from troughline.biomarker.change_exposure import exposures_of
from troughline.biomarker.change_facts import ChangeFacts, Silent
from troughline.biomarker.change_family import correct
from troughline.biomarker.change_pairing import Pairing, analyse, work_out
from troughline.biomarker.change_tests import attempt
from troughline.biomarker.marker_levels import analyte_tables
from troughline.response.case import Case
from troughline.response.predictor import NotAnalysable, PredictorValues
from troughline.response.questions.parts import Parts, generator

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_change import ChangeQuestion
    from troughline.evidence.records import Drug


def run_change(cohort: Cohort, question: ChangeQuestion, drug: Drug | None) -> tuple[Case, Parts]:
    """Answer a change question as published and guarded.

    A marker that cannot be analysed never stops the others. Raises `NotAnalysable` where no marker can be.
    """
    from troughline.biomarker.change_parts import fill_parts

    try:
        groups = groups_of(cohort, question)
    except ValueError as error:
        raise NotAnalysable(str(error)) from None
    facts = ChangeFacts(
        group_label=groups.label, group_names=groups.names,
        groups={p: groups.names[g] for p, g in groups.of.items()}, scale=question.scale,
        correction=question.correction, randomised=question.randomised,
    )  # fmt: skip
    rng = generator(cohort, question.id)
    markers = _markers(cohort, question, groups, facts)
    exposures = exposures_of(cohort, question, markers, drug)
    pairings = [
        Pairing(data=data, whole=whole, exposure=exposures.get((data.analyte, whole.occasion)))
        for data in markers
        if not data.not_analysable
        for whole in data.paired
    ]
    scores = analyse(cohort, question, groups, facts, pairings, rng)
    if not facts.findings:
        raise NotAnalysable(_nothing(facts))
    facts.draws = correct(facts, scores, cohort, question)
    work_out(cohort, question, groups, pairings)
    _patterns(facts, rng)
    facts.batches = _batches(markers, question.occasion_names)
    exposure = next((e.values for e in exposures.values() if e.values is not None), None)
    case = Case(
        cohort=cohort,
        question=question,
        drug=drug,
        predictor=exposure or PredictorValues(label=groups.label or "occasion", unit="1"),
    )
    case.change = facts
    _who(case, markers, facts)
    parts = Parts()
    fill_parts(parts, cohort, question, groups, markers, facts, exposure)
    if question.published is not None:
        from troughline.biomarker.printed_markers import printed_changes

        if rows := printed_changes(question.published, facts):
            parts.tables["printed"] = rows
        else:
            parts.methods.append(f"{question.published} printed no change of these markers.")
    if question.outcome is not None:
        from troughline.biomarker.change_outcome import link_to_outcome
        from troughline.biomarker.change_outcome_parts import fill_outcome

        in_full = [m for m in markers if facts.worked_out(m.analyte)]
        facts.link = link_to_outcome(cohort, question, in_full, rng, parts)
        fill_outcome(parts, question, facts.link, cohort.study.study.level)
    return case, parts


def _markers(
    cohort: Cohort, question: ChangeQuestion, groups: Groups, facts: ChangeFacts
) -> list[MarkerData]:
    """The levels and pairs of every marker that was measured; the others are silent."""
    tables = analyte_tables(cohort, (m.analyte for m in question.markers))
    markers: list[MarkerData] = []
    for marker in question.markers:
        try:
            data = marker_data(cohort, question, marker, groups, tables.get(marker.analyte.casefold()))
        except ValueError as error:
            facts.silent.append(
                Silent(marker=marker.analyte, unit=marker.unit, reason=str(error), n_levels=0, n_patients=0)
            )
            continue
        markers.append(data)
        if data.not_analysable:
            facts.silent.append(_silent(data))
    return markers


def _silent(data: MarkerData) -> Silent:
    return Silent(
        marker=data.analyte, unit=data.unit, reason=data.not_analysable, n_levels=len(data.levels),
        n_patients=len({v.patient for v in data.levels}), beyond=data.beyond,
    )  # fmt: skip


def _nothing(facts: ChangeFacts) -> str:
    from troughline.biomarker.change_words import silent_words

    told = [silent_words(s).rstrip(".") for s in facts.silent] + facts.too_small
    return f"no marker can be analysed ({'; '.join(told)})"


def _patterns(facts: ChangeFacts, rng: np.random.Generator) -> None:
    """For each marker significant as published in some groups alone: how often one effect gives that."""
    from troughline.biomarker.pattern import pattern_frequency

    for between in facts.between:
        own = [
            f
            for f in facts.findings
            if f.marker == between.marker and f.occasion == between.occasion
            and f.published.p_wilcoxon is not None
        ]  # fmt: skip
        flags = [(f.published.p_wilcoxon or 1.0) < 0.05 for f in own]
        sd, effect = between.sd_of_change, between.common_change
        if not any(flags) or all(flags) or sd is None or effect is None:
            continue
        between.pattern = attempt(
            lambda own=own, flags=flags, d=effect / sd: pattern_frequency([f.n for f in own], d, flags, rng)
        )


def _batches(markers: list[MarkerData], names: tuple[str, ...]) -> list[str]:
    """Markers whose occasions share no batch: a change of batch cannot be told from a change of level."""
    found: list[str] = []
    for data in markers:
        seen = [{v.batch for v in data.levels if v.occasion == k} for k in range(len(names))]
        if any(not s or "" in s for s in seen):
            continue
        found += [
            f"{data.analyte}: {', '.join(sorted(seen[0]))} at “{names[0]}”, "
            f"{', '.join(sorted(seen[k]))} at “{names[k]}”"
            for k in range(1, len(names))
            if not seen[0] & seen[k]
        ]
    return found


def _who(case: Case, markers: list[MarkerData], facts: ChangeFacts) -> None:
    """Who is in the analysis, and why each other patient is not."""
    live = [m for m in markers if not m.not_analysable]
    inside = {p for m in live for one in m.paired for p in one.patients}
    case.analysed = tuple(p for p in case.cohort.patient_ids if p in inside)
    facts.n_paired = len(inside)
    for patient in case.cohort.patient_ids:
        if patient in inside:
            continue
        reasons = dict.fromkeys(m.left_out[patient] for m in live if patient in m.left_out)
        case.excluded[patient] = "; ".join(reasons) or "no level"
    for m in live:
        for patient, reason in m.left_out.items():
            facts.unpaired.setdefault(patient, reason)
