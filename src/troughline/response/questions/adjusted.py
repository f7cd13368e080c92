"""Odds ratios per doubling of exposure by Firth's penalised likelihood, crude and adjusted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from troughline.response.case import Interval
from troughline.response.questions.parts import Pairs, covariate_columns
from troughline.results import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from troughline.response.case import Case

# What a drug-level question is adjusted for by itself, to show what liver function does to the answer,
# when the study file names no covariate: the first of these that the cohort has.
LIVER_FIRST = ("albi", "child_pugh_score", "child_pugh_class", "meld3", "albumin", "bilirubin")


def odds_ratios(case: Case, pairs: Pairs, adjust: tuple[str, ...], label: str) -> list[Estimate]:
    """The odds ratio per doubling of the predictor (per unit where it is not on a log scale).

    Crude, and adjusted for `adjust`; for a drug level without adjustment the first liver-function measure
    of the cohort serves for comparison. Notes the number of parameters and separation in the case.
    """
    import numpy as np

    level = case.cohort.study.study.level
    log = case.predictor.log and bool((pairs.values > 0).all())
    x = np.log2(pairs.values) if log else pairs.values
    if np.ptp(x) == 0:
        return []
    scale = "per doubling" if log else f"per {case.predictor.unit}"
    crude = _fit(np.empty((len(x), 0)), x, pairs.happened, level)
    case.measured.odds_ratio_unadjusted = crude[0]
    case.measured.separated = _separated(x, pairs.happened)
    estimates = [_estimate(crude, scale, "guarded: Firth, crude", len(x), level)]
    names = adjust
    chosen = bool(adjust)
    if not names and case.predictor.is_drug_level:
        names = next(((n,) for n in LIVER_FIRST if n in case.cohort.covariates), ())
    if not names:
        return estimates
    matrix, columns, complete = covariate_columns(case.cohort, names, pairs.patients)
    rows = np.array(complete)
    if chosen:
        case.measured.n_parameters = 1 + matrix.shape[1]
    enough = rows.sum() > matrix.shape[1] + 3 and 0 < pairs.happened[rows].sum() < rows.sum()
    if matrix.shape[1] == 0 or not enough:
        return estimates
    adjusted = _fit(matrix[rows], x[rows], pairs.happened[rows], level)
    case.measured.odds_ratio_adjusted = adjusted[0]
    estimates.append(
        _estimate(
            adjusted, f"{scale}, adjusted for {', '.join(columns)}", "guarded: Firth, adjusted",
            int(rows.sum()), level,
        )
    )  # fmt: skip
    return estimates


def _fit(
    matrix: NDArray[np.float64], x: NDArray[np.float64], happened: NDArray[np.bool_], level: float
) -> tuple[Interval, float]:
    import numpy as np

    from troughline.response.firth import fit_firth

    centred = matrix - matrix.mean(axis=0) if matrix.shape[1] else matrix
    design = np.column_stack([np.ones(len(x)), x - x.mean(), centred])
    fit = fit_firth(design, happened, level=level)
    odds = [
        math.exp(float(v)) if abs(float(v)) < 700 else math.inf
        for v in (fit.coefficients[1], fit.low[1], fit.high[1])
    ]
    return Interval(value=odds[0], low=odds[1], high=odds[2] if math.isfinite(odds[2]) else None), float(
        fit.p_values[1]
    )


def _estimate(fitted: tuple[Interval, float], label: str, method: str, n: int, level: float) -> Estimate:
    odds, p = fitted
    return Estimate(
        name="odds_ratio", value=odds.value, low=odds.low, high=odds.high, level=level, n=n, label=label,
        method=method, p_value=p,
    )  # fmt: skip


def _separated(x: NDArray[np.float64], happened: NDArray[np.bool_]) -> bool:
    """Whether one cut on the predictor separates the outcome without error."""
    cases, controls = x[happened], x[~happened]
    return bool(cases.min() > controls.max() or cases.max() < controls.min())
