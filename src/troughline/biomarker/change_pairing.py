"""Every marker and later occasion of a `change` question: tested all, worked out in full as many as asked."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.change_data import Groups, MarkerData, PairedLevels
from troughline.biomarker.change_facts import BetweenFinding, ChangeFacts, GroupFinding
from troughline.biomarker.change_tests import (
    fitted_model,
    large_enough,
    tested_between,
    tested_groups,
    work_out_between,
    work_out_groups,
)
from troughline.response.predictor import PredictorValues

if TYPE_CHECKING:
    from troughline.biomarker.change_exposure import PairExposure
    from troughline.biomarker.group_time import GroupTime
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_change import ChangeQuestion
    from troughline.response.questions.adjustment import Adjustment

Floats = NDArray[np.float64]


@dataclass(slots=True, kw_only=True)
class Pairing:
    """One marker at one later occasion; `one` are the pairs of groups of two or more, once analysed."""

    data: MarkerData
    whole: PairedLevels
    exposure: PairExposure | None
    one: PairedLevels | None = None
    model: GroupTime | None = None
    findings: list[GroupFinding] = field(default_factory=list[GroupFinding])
    between: BetweenFinding | None = None

    @property
    def smallest_p(self) -> float:
        """The smallest p-value of any of its tests; infinite where there is none."""
        b = self.between
        tests = [] if b is None else [t.p_value for t in (b.same, b.trend, b.exposure) if t is not None]
        tests += [f.p_value for f in self.findings if f.p_value is not None]
        return min(tests, default=math.inf)


def analyse(
    cohort: Cohort,
    question: ChangeQuestion,
    groups: Groups,
    facts: ChangeFacts,
    pairings: list[Pairing],
    rng: np.random.Generator,
) -> list[Floats]:
    """Test every pairing; returns the scores of each group's test over the patients of the cohort.

    With more pairings than are worked out in full, trends are by their exact or normal law, not permutation.
    """
    level = cohort.study.study.level
    place = {p: i for i, p in enumerate(cohort.patient_ids)}
    drawn = rng if len(pairings) <= question.in_full else None
    scores: list[Floats] = []
    for pairing in pairings:
        _name_small(pairing.data, pairing.whole, groups, facts)
        rows = large_enough(pairing.whole)
        if not len(rows):
            continue
        one, why = pairing.whole.subset(rows), list[str]()
        model = fitted_model(one, why)
        pairing.one, pairing.model = one, model
        pairing.findings = tested_groups(pairing.data, one, groups, model, question, level, why)
        pairing.between = tested_between(pairing.data, one, groups, model, question, pairing.exposure, drawn)
        pairing.between.why[:0] = why
        pairing.between.in_full = False
        facts.findings += pairing.findings
        facts.between.append(pairing.between)
        scores += _scores(question, one, groups, [f.group for f in pairing.findings], place)
    return scores


def work_out(cohort: Cohort, question: ChangeQuestion, groups: Groups, pairings: list[Pairing]) -> None:
    """Work out the pairings with the smallest p-values, `question.in_full` of them, in their own order."""
    level = cohort.study.study.level
    tested = [p for p in pairings if p.between is not None]
    chosen = sorted(range(len(tested)), key=lambda i: tested[i].smallest_p)[: question.in_full]
    for pairing in (tested[i] for i in sorted(chosen)):
        one, between = pairing.one, pairing.between
        assert one is not None
        assert between is not None
        between.in_full = True
        work_out_groups(pairing.findings, one, pairing.model, level, between.why)
        adjust = _adjustment(cohort, question, one)
        work_out_between(
            between, one, groups, pairing.model, question,
            covariates=None if adjust is None else adjust.matrix,
            complete=np.ones(len(one), dtype=np.bool_) if adjust is None else adjust.complete, level=level,
        )  # fmt: skip


def _name_small(data: MarkerData, one: PairedLevels, groups: Groups, facts: ChangeFacts) -> None:
    sizes = np.bincount(one.group, minlength=len(groups.names)) if len(one) else np.zeros(len(groups.names))
    for g, n in enumerate(sizes):
        if n < 2:
            facts.too_small.append(f"{data.analyte}, {groups.names[g]}: {'one pair' if n else 'no pair'}")


def _scores(
    question: ChangeQuestion, one: PairedLevels, groups: Groups, names: list[str], place: dict[str, int]
) -> list[Floats]:
    from troughline.biomarker.censored import sign
    from troughline.biomarker.paired_tests import prentice_wilcoxon_scores, signed_rank_scores

    made: list[Floats] = []
    for name in names:
        rows = np.flatnonzero(one.group == groups.names.index(name))
        own = one.pairs[rows]
        column = np.zeros(len(place))
        if question.test == "signed-rank":
            values = signed_rank_scores(own)
        elif question.test == "prentice-wilcoxon":
            values = prentice_wilcoxon_scores(own)
        else:
            values = sign(own.seen_change())
        column[[place[one.patients[i]] for i in rows]] = values
        made.append(column)
    return made


def _adjustment(cohort: Cohort, question: ChangeQuestion, one: PairedLevels) -> Adjustment | None:
    from troughline.response.questions.adjustment import adjustment

    if not question.adjust:
        return None
    return adjustment(cohort, PredictorValues(label="", unit="1"), question.adjust, one.patients)
