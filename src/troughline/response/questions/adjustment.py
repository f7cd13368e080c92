"""Adjusting covariates as columns of a model: those of the patients table, and the dose at the sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troughline.cohort.describe import listed
from troughline.response.predictor import NotAnalysable, PredictorValues

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from troughline.cohort.cohort import Cohort

DOSE = "dose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """Covariates of a model: `matrix` (n, p) with `names` (p,), and who has every one of them, (n,).

    `left_out` are covariates asked for that do not vary among these patients; `note` says so, or is empty.
    """

    matrix: NDArray[np.float64]
    names: tuple[str, ...]
    complete: NDArray[np.bool_]
    left_out: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What was left out of the adjustment, in words."""
        if not self.left_out:
            return ""
        return f"{listed(self.left_out)} does not vary here and is left out"


def adjustment(
    cohort: Cohort, values: PredictorValues, names: tuple[str, ...], patients: tuple[str, ...]
) -> Adjustment:
    """Adjusting covariates: numbers as they are, ordered categories as ranks, other categories as 0/1.

    `dose` is the daily dose (mg) in force when the guarded level was drawn. Raises `NotAnalysable` for a
    covariate that is not declared, or where none of them varies.
    """
    import numpy as np

    columns: list[NDArray[np.float64]] = []
    labels: list[str] = []
    for name in names:
        added = _dose_column(values, patients) if name == DOSE else _columns(cohort, name, patients)
        for label, column in added:
            labels.append(label)
            columns.append(column)
    matrix = np.column_stack(columns) if columns else np.empty((len(patients), 0))
    complete = np.asarray(np.isfinite(matrix).all(axis=1), dtype=np.bool_)
    keep = [j for j in range(matrix.shape[1]) if complete.any() and np.ptp(matrix[complete, j]) > 0]
    flat = tuple(labels[j] for j in range(matrix.shape[1]) if j not in keep)
    if names and not complete.any():
        raise NotAnalysable(f"adjust: no patient has every one of {', '.join(names)}")
    if flat and len(flat) == matrix.shape[1]:
        raise NotAnalysable(f"adjust: {', '.join(flat)} does not vary among the patients analysed")
    return Adjustment(
        matrix=matrix[:, keep], names=tuple(labels[j] for j in keep), complete=complete, left_out=flat
    )


def _dose_column(values: PredictorValues, patients: tuple[str, ...]) -> list[tuple[str, NDArray[np.float64]]]:
    import numpy as np

    if values.exposure is None:
        raise NotAnalysable("adjust: 'dose' needs a measured level as predictor")
    guarded = values.exposure.guarded
    doses = [guarded[p].samples[0].dose_mg_per_day if p in guarded else math.nan for p in patients]
    column = np.array(doses, dtype=np.float64)
    if not np.isfinite(column).any():
        raise NotAnalysable("adjust: 'dose' is known for no patient; is there a doses table?")
    return [(DOSE, column)]


def _columns(cohort: Cohort, name: str, patients: tuple[str, ...]) -> list[tuple[str, NDArray[np.float64]]]:
    import numpy as np

    spec = cohort.covariates.get(name)
    if spec is None:
        known = ", ".join([*cohort.covariates, DOSE])
        raise NotAnalysable(f"adjust: no covariate {name!r}; there are: {known}")
    table: Any = cohort.patients.loc[list(patients)]
    raw: list[Any] = table[name].tolist()
    if spec.levels is None:
        return [(name, np.array([float(v) for v in raw], dtype=np.float64))]
    missing = np.array([not isinstance(v, str) for v in raw])
    if spec.ordered:
        rank = {level: float(i) for i, level in enumerate(spec.levels)}
        return [(name, np.array([rank.get(str(v), np.nan) for v in raw]))]
    columns: list[tuple[str, NDArray[np.float64]]] = []
    for level in spec.levels[1:]:
        column = np.array([float(v == level) for v in raw])
        column[missing] = np.nan
        columns.append((f"{name} = {level}", column))
    return columns
