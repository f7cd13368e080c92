"""What every question runner builds: estimates, tables, series, methods, and a seeded generator."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from troughline.results import Estimate, Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from troughline.cohort.cohort import Cohort
    from troughline.cohort.outcomes import BinaryOutcome
    from troughline.response.case import Case
    from troughline.response.predictor import PredictorValues


@dataclass(slots=True, kw_only=True)
class Parts:
    """The pieces of a `QuestionResult` while it is being built.

    `not_analysable` says why the guarded column has no answer although the as-published one has.
    """

    summary: str = ""
    not_analysable: str = ""
    estimates: list[Estimate] = field(default_factory=list[Estimate])
    tables: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    series: Json = field(default_factory=dict[str, Any])
    methods: list[str] = field(default_factory=list[str])
    references: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Patients with both a value and an outcome: aligned arrays of length n."""

    patients: tuple[str, ...]
    values: NDArray[np.float64]
    happened: NDArray[np.bool_]

    @property
    def n_events(self) -> int:
        """How many had the outcome."""
        return int(self.happened.sum())

    @property
    def one_class(self) -> bool:
        """Whether all had it or none."""
        return self.n_events in (0, len(self.patients))


def pair(values: Mapping[str, float], outcome: BinaryOutcome) -> Pairs:
    """The patients who have both a value and a known outcome, in cohort order."""
    import numpy as np

    patients = [p for p, happened in outcome.happened.items() if p in values and happened is not None]
    return Pairs(
        patients=tuple(patients),
        values=np.array([values[p] for p in patients], dtype=np.float64),
        happened=np.array([bool(outcome.happened[p]) for p in patients], dtype=np.bool_),
    )


def exclude(case: Case, outcomes: Mapping[str, BinaryOutcome], analysed: tuple[str, ...]) -> None:
    """Record who is in the guarded analysis, and why each other patient of the cohort is not."""
    case.analysed = analysed
    inside = set(analysed)
    for patient in case.cohort.patient_ids:
        if patient in inside:
            continue
        reasons = [o.unknown[patient] for o in outcomes.values() if patient in o.unknown]
        case.excluded[patient] = (
            case.predictor.left_out.get(patient)
            or case.excluded.get(patient)
            or (reasons[0] if reasons else "outcome not known")
        )


def left_out_table(case: Case) -> dict[str, list[Json]]:
    """The table `left-out`: each patient who is not in the guarded analysis, and why; none where all are."""
    inside = set(case.analysed)
    rows: list[Json] = [
        {"patient": p, "reason": case.excluded.get(p, "not stated")}
        for p in case.cohort.patient_ids
        if p not in inside
    ]
    return {"left-out": rows} if rows else {}


def exposure_nodes(values: PredictorValues, pairs: Pairs) -> NDArray[np.float64] | None:
    """Equally likely exposures of the patients `(n, k)` where a model predicted them, else None."""
    return None if values.model is None else values.model.nodes(pairs.patients)


def model_methods(values: PredictorValues, *, propagated: bool) -> list[str]:
    """How a model predicted the exposure, as sentences for the methods paragraph; none without a model."""
    return [] if values.model is None else [values.model.methods(propagated=propagated)]


def model_tables(case: Case) -> dict[str, list[Json]]:
    """The table `predicted-exposure`: each patient's exposure, the level behind it, and its status."""
    model, exposure = case.predictor.model, case.predictor.exposure
    if model is None or exposure is None:
        return {}
    used = {p: e.day for p, e in model.exposures.items()}
    raw = {s.patient: s.number for s in exposure.samples if not s.reason and used.get(s.patient) == s.day}
    return {"predicted-exposure": model.table(raw)}


def generator(cohort: Cohort, question_id: str) -> np.random.Generator:
    """A random generator keyed by (seed, question), so that order and other questions change nothing."""
    import numpy as np

    key = int.from_bytes(hashlib.sha256(question_id.encode()).digest()[:8], "big")
    return np.random.default_rng([cohort.study.study.seed, key])


def finite(value: float | None) -> float | None:
    """`value`, or None where it is infinite or not a number: a side that the data do not bound."""
    return None if value is None or not math.isfinite(value) else float(value)
