"""The exposure that each marker's change is held against: from samples up to the later level of each pair."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from troughline.response.predictor import NotAnalysable, PredictorValues, predictor_values

if TYPE_CHECKING:
    from troughline.biomarker.change_data import MarkerData, PairedLevels
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_change import ChangeQuestion
    from troughline.evidence.records import Drug

UNTIL = "the later level of the pair"
_DAY = re.compile(r"\s*\(day [\d.]+\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairExposure:
    """The exposures known when one marker's later level was drawn; `why` says why there are none."""

    values: PredictorValues | None
    why: str = ""

    def left_out(self, patients: Iterable[str]) -> str:
        """Why patients have no guarded exposure, the most frequent reason first; nothing where all have."""
        if self.values is None:
            return self.why
        reasons = Counter(
            _DAY.sub("", self.values.left_out.get(p, "no sample"))
            for p in patients
            if p not in self.values.guarded
        )
        return "; ".join(f"{n} {reason}" for reason, n in reasons.most_common(3))


def exposures_of(
    cohort: Cohort, question: ChangeQuestion, markers: Iterable[MarkerData], drug: Drug | None
) -> dict[tuple[str, str], PairExposure]:
    """The exposure for each marker and later occasion, `{}` where the question asks for none.

    No sample counts that was drawn after the later level of that very pair. Pairs whose later levels were
    drawn on the same days share one computation.
    """
    if question.predictor is None:
        return {}
    bounds: list[dict[str, float]] = []
    of: dict[tuple[str, str], int] = {}
    for data in markers:
        if data.not_analysable:
            continue
        for one in data.paired:
            of[data.analyte, one.occasion] = _place(bounds, one)
    found = [_exposure(cohort, question, days, drug) for days in bounds]
    return {key: found[k] for key, k in of.items()}


def _place(bounds: list[dict[str, float]], one: PairedLevels) -> int:
    """The bounds that agree with this pair's days in every patient of both, which they then hold as well."""
    days = {p: level.day for p, level in zip(one.patients, one.after, strict=True)}
    for k, known in enumerate(bounds):
        if all(known.get(p, day) == day for p, day in days.items()):
            known.update(days)
            return k
    bounds.append(days)
    return len(bounds) - 1


def _exposure(
    cohort: Cohort, question: ChangeQuestion, days: dict[str, float], drug: Drug | None
) -> PairExposure:
    assert question.predictor is not None
    try:
        values = predictor_values(cohort, question.predictor, drug, event_day=days, event_name=UNTIL)
    except NotAnalysable as reason:
        return PairExposure(values=None, why=str(reason).rstrip("."))
    return PairExposure(values=replace(values, until=UNTIL))
