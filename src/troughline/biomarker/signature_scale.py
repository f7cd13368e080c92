"""The columns of a signature on the scale on which their weights are read: doublings, SDs, levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.biomarker.endpoint import Flags, Floats
from troughline.cohort.describe import readable
from troughline.response.guards.wording import number, unit_text
from troughline.response.predictor import NotAnalysable
from troughline.response.questions.adjustment import adjustment

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.question_interaction import InteractionQuestion
    from troughline.response.predictor import PredictorValues

SKEWED = 1.0
"""Skewness from which a positive number enters as its logarithm where the study does not say which do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """`x` (n, p) of the `complete` (N,) patients by `names`; a weight is read `per` unit, `unit` of it.

    `logged` are the covariates in doublings, `no_log` skewed ones that hold a value of 0 or below; `missing`
    counts the patients without a covariate.
    """

    x: Floats
    complete: Flags
    names: tuple[str, ...]
    per: tuple[str, ...]
    unit: Floats
    logged: tuple[str, ...]
    no_log: tuple[str, ...]
    missing: tuple[tuple[str, int], ...]


def signature_columns(
    cohort: Cohort, question: InteractionQuestion, values: PredictorValues, patients: tuple[str, ...]
) -> Columns:
    """The covariates of a signature: `signature_log` as doublings, other numbers per SD, levels as 0/1.

    Without `signature_log` a positive number enters as its logarithm where its skewness is above 1; the
    outcome is not looked at. Ordered categories enter as ranks. Raises `NotAnalysable` for a covariate
    that is not declared, does not vary, or has no logarithm.
    """
    found = adjustment(cohort, values, question.signature, patients)
    names = found.names
    x = found.matrix[found.complete].copy()
    logged: list[str] = []
    no_log: list[str] = []
    per: list[str] = []
    unit = np.ones(len(names))
    for j, name in enumerate(names):
        spec = cohort.covariates.get(name)
        if spec is not None and spec.levels is not None:
            per.append("rank")
        elif " = " in name:
            per.append("level")
        elif _takes_log(question, name, x[:, j]):
            x[:, j] = np.log2(x[:, j])
            logged.append(readable(name, inside=True))
            per.append("doubling")
        else:
            if question.signature_log is None and _skewness(x[:, j]) > SKEWED:
                no_log.append(readable(name, inside=True))
            unit[j] = float(x[:, j].std(ddof=1))
            per.append(f"SD ({number(float(unit[j]))}{unit_text((spec and spec.unit) or '1')})")
    return Columns(
        x=x, complete=found.complete, names=names, per=tuple(per), unit=unit, logged=tuple(logged),
        no_log=tuple(no_log),
        missing=_missing(cohort, question.signature, patients),
    )  # fmt: skip


def _takes_log(question: InteractionQuestion, name: str, column: Floats) -> bool:
    positive = bool(np.all(column > 0))
    if question.signature_log is None:
        return positive and _skewness(column) > SKEWED
    if name in question.signature_log and not positive:
        raise NotAnalysable(f"signature_log: {name!r} holds values that are not positive")
    return name in question.signature_log


def _skewness(column: Floats) -> float:
    away = column - column.mean()
    return float((away**3).mean() / (away**2).mean() ** 1.5)


def _missing(cohort: Cohort, names: tuple[str, ...], of: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    table: Any = cohort.patients.loc[list(of)]
    missing = {readable(n, inside=True): int(table[n].isna().sum()) for n in names if n in table.columns}
    return tuple(sorted(((k, n) for k, n in missing.items() if n), key=lambda one: -one[1]))
