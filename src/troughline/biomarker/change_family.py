"""The tests of a `change` question corrected as one family, and how far chance draws may be off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.multiplicity import monte_carlo_error, westfall_young
from troughline.response.multiplicity import benjamini_hochberg, holm
from troughline.response.questions.parts import generator

if TYPE_CHECKING:
    from troughline.biomarker.change_facts import ChangeFacts
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_change import ChangeQuestion

Floats = NDArray[np.float64]

ALPHA = 0.05
CLOSE = 3.0
"""A p-value within so many Monte-Carlo errors of 0.05 is looked at with more draws."""
MORE = 10
MORE_UP_TO = 200
"""Up to so many tests ten times as many draws take seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """How many exchanges Westfall–Young drew, and how many were asked for."""

    asked: int
    drawn: int

    @property
    def words(self) -> str:
        """`10,000 exchanges; Monte-Carlo error of a p of 0.05 0.002`."""
        more = "" if self.drawn == self.asked else f", not {self.asked:,}, as a p lies near 0.05"
        error = monte_carlo_error(ALPHA, self.drawn)
        return f"{self.drawn:,} exchanges{more}; Monte-Carlo error of a p of 0.05: {error:.1g}"


def correct(
    facts: ChangeFacts, scores: list[Floats], cohort: Cohort, question: ChangeQuestion
) -> Draws | None:
    """Set every adjusted p-value: within groups over the family, between groups over the markers (Holm).

    Westfall–Young has a random stream of its own, so that no other part of the question moves its draws.
    Where a p-value lies so near 0.05 that the draws decide, there are ten times as many of them. Returns the
    draws, None where the correction has none.
    """
    p = np.array([math.nan if f.p_value is None else f.p_value for f in facts.findings])
    draws: Draws | None = None
    if question.correction == "westfall-young":
        adjusted, draws = _by_exchange(np.column_stack(scores), cohort, question)
        # A corrected p-value is never below the one it corrects.
        adjusted = np.maximum(adjusted, p)
    else:
        adjusted = (holm if question.correction == "holm" else benjamini_hochberg)(p)
    for finding, value in zip(facts.findings, adjusted.tolist(), strict=True):
        finding.p_adjusted = None if math.isnan(value) else value
        if draws is not None and not math.isnan(value):
            finding.p_error = monte_carlo_error(value, draws.drawn)
    between = benjamini_hochberg if question.correction == "benjamini-hochberg" else holm
    same = np.array([math.nan if b.same is None else b.same.p_value for b in facts.between])
    trend = np.array([math.nan if b.trend is None else b.trend.p_value for b in facts.between])
    for b, s, t in zip(facts.between, between(same).tolist(), between(trend).tolist(), strict=True):
        b.p_adjusted = None if math.isnan(s) else s
        b.trend_adjusted = None if math.isnan(t) else t
    return draws


def _by_exchange(scores: Floats, cohort: Cohort, question: ChangeQuestion) -> tuple[Floats, Draws]:
    asked, stream = question.permutations, f"{question.id}/westfall-young"
    adjusted = westfall_young(scores, generator(cohort, stream), permutations=asked)
    near = [abs(p - ALPHA) < CLOSE * monte_carlo_error(ALPHA, asked) for p in adjusted.tolist()]
    if not any(near) or scores.shape[1] > MORE_UP_TO:
        return adjusted, Draws(asked=asked, drawn=asked)
    again = westfall_young(scores, generator(cohort, stream), permutations=MORE * asked)
    return again, Draws(asked=asked, drawn=MORE * asked)


def undecided(facts: ChangeFacts) -> str:
    """Which corrected p-values lie within two Monte-Carlo errors of 0.05, as a sentence, or nothing."""
    names = [
        f"{f.marker}, {f.group}"
        for f in facts.findings
        if f.p_adjusted is not None and f.p_error and abs(f.p_adjusted - ALPHA) < 2 * f.p_error
    ]
    if not names or facts.draws is None:
        return ""
    return (
        f" The corrected p of {'; '.join(names)} lies within the Monte-Carlo error of {facts.draws.drawn:,} "
        "exchanges of 0.05: only more of them (permutations in the study file) tell on which side it is."
    )
