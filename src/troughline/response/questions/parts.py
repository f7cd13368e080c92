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


@dataclass(slots=True, kw_only=True)
class Parts:
    """The pieces of a `QuestionResult` while it is being built."""

    summary: str = ""
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
        case.excluded[patient] = case.predictor.left_out.get(patient) or (
            reasons[0] if reasons else "outcome not known"
        )


def generator(cohort: Cohort, question_id: str) -> np.random.Generator:
    """A random generator keyed by (seed, question), so that order and other questions change nothing."""
    import numpy as np

    key = int.from_bytes(hashlib.sha256(question_id.encode()).digest()[:8], "big")
    return np.random.default_rng([cohort.study.study.seed, key])


def finite(value: float | None) -> float | None:
    """`value`, or None where it is infinite or not a number: a side that the data do not bound."""
    return None if value is None or not math.isfinite(value) else float(value)


def covariate_columns(
    cohort: Cohort, names: tuple[str, ...], patients: tuple[str, ...]
) -> tuple[NDArray[np.float64], tuple[str, ...], tuple[bool, ...]]:
    """Adjusting covariates as columns: numbers as they are, ordered categories as ranks, others as 0/1.

    Returns the matrix (n, p), the column names and, for each patient, whether every covariate is known.
    Raises `NotAnalysable` for a covariate that is not declared or does not vary.
    """
    import numpy as np

    from troughline.response.predictor import NotAnalysable

    table: Any = cohort.patients.loc[list(patients)]
    columns: list[NDArray[np.float64]] = []
    labels: list[str] = []
    for name in names:
        spec = cohort.covariates.get(name)
        if spec is None:
            known = ", ".join(cohort.covariates) or "none"
            raise NotAnalysable(f"adjust: no covariate {name!r}; declared: {known}")
        raw: list[Any] = table[name].tolist()
        if spec.levels is None:
            columns.append(np.array([float(v) for v in raw], dtype=np.float64))
            labels.append(name)
            continue
        missing = np.array([not isinstance(v, str) for v in raw])
        if spec.ordered:
            rank = {level: float(i) for i, level in enumerate(spec.levels)}
            column = np.array([rank.get(str(v), np.nan) for v in raw])
            columns.append(column)
            labels.append(name)
            continue
        for level in spec.levels[1:]:
            column = np.array([float(v == level) for v in raw])
            column[missing] = np.nan
            columns.append(column)
            labels.append(f"{name} = {level}")
    matrix = np.column_stack(columns) if columns else np.empty((len(patients), 0))
    complete = np.asarray(np.isfinite(matrix).all(axis=1), dtype=np.bool_)
    keep = [j for j in range(matrix.shape[1]) if complete.any() and np.ptp(matrix[complete, j]) > 0]
    flat = [labels[j] for j in range(matrix.shape[1]) if j not in keep]
    if flat and len(flat) == matrix.shape[1]:
        raise NotAnalysable(f"adjust: {', '.join(flat)} does not vary among the patients analysed")
    return matrix[:, keep], tuple(labels[j] for j in keep), tuple(complete.tolist())
