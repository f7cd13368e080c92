"""Odds ratios per doubling of exposure by Firth's penalised likelihood, crude and adjusted."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from troughline.cohort.describe import listed, readable
from troughline.response.case import Interval
from troughline.response.questions.adjustment import adjustment
from troughline.response.questions.parts import Pairs
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
    case.measured.separated = _separated(x, pairs.happened)
    nobody = np.empty((len(x), 0))
    crude = _fit(nobody, x, pairs.happened, (), scale, level, "guarded: Firth, crude")[0]
    case.measured.odds_ratio_unadjusted = _interval(crude)
    estimates = [crude]
    names = adjust
    chosen = bool(adjust)
    if not names and case.predictor.is_drug_level:
        names = next(((n,) for n in LIVER_FIRST if n in case.cohort.covariates), ())
    if not names:
        return estimates
    adjust_by = adjustment(case.cohort, case.predictor, names, pairs.patients)
    matrix, columns, rows = adjust_by.matrix, adjust_by.names, adjust_by.complete
    if chosen:
        case.measured.n_parameters = 1 + matrix.shape[1]
    enough = rows.sum() > matrix.shape[1] + 3 and 0 < pairs.happened[rows].sum() < rows.sum()
    if matrix.shape[1] == 0 or not enough:
        return estimates
    named = f"{scale}, adjusted for {listed(columns)}"
    adjusted, *covariates = _fit(
        matrix[rows], x[rows], pairs.happened[rows], columns, named, level, "guarded: Firth, adjusted"
    )
    missing = int((~rows).sum())
    if missing:
        # Compared with the crude ratio of the same patients; the others have no covariate.
        same = _fit(nobody[rows], x[rows], pairs.happened[rows], (), scale, level, "guarded: Firth")[0]
        case.measured.odds_ratio_unadjusted = _interval(same)
        if chosen and case.question.kind == "threshold":
            case.measured.n_incomplete_covariates = missing
        adjusted = replace(adjusted, note=f"{missing} patients without every covariate are left out")
    adjusted = replace(adjusted, note="; ".join(filter(None, (adjusted.note, adjust_by.note))))
    case.measured.odds_ratio_adjusted = _interval(adjusted)
    return [*estimates, adjusted, *covariates]


def _fit(
    matrix: NDArray[np.float64],
    x: NDArray[np.float64],
    happened: NDArray[np.bool_],
    columns: tuple[str, ...],
    label: str,
    level: float,
    method: str,
) -> list[Estimate]:
    """The odds ratio of `x`, then one for each covariate; one estimate without a value where none fits."""
    import numpy as np

    from troughline.response.firth import fit_firth
    from troughline.response.logistic import ConvergenceError

    centred = matrix - matrix.mean(axis=0) if matrix.shape[1] else matrix
    design = np.column_stack([np.ones(len(x)), x - x.mean(), centred])
    try:
        fit = fit_firth(design, happened, level=level)
    except (ConvergenceError, ValueError) as error:
        nothing = Estimate(
            name="odds_ratio", value=None, level=level, n=len(x), label=label, method=method,
            note=f"no estimate: {error}",
        )  # fmt: skip
        return [nothing]

    def term(k: int, name: str, text: str) -> Estimate:
        value, low, high = (_odds(float(v[k])) for v in (fit.coefficients, fit.low, fit.high))
        return Estimate(
            name=name, value=value, low=low, high=high, level=level, n=len(x), label=text, method=method,
            p_value=float(fit.p_values[k]),
        )  # fmt: skip

    others = [
        term(k + 2, "covariate_odds_ratio", f"{readable(name)}, in the adjusted model")
        for k, name in enumerate(columns)
    ]
    return [term(1, "odds_ratio", label), *others]


def _odds(log_odds: float) -> float | None:
    """exp(log odds), or None where it is too large for a number: not bounded."""
    return math.exp(log_odds) if math.isfinite(log_odds) and abs(log_odds) < 700 else None


def _interval(estimate: Estimate) -> Interval | None:
    if estimate.value is None:
        return None
    return Interval(value=estimate.value, low=estimate.low, high=estimate.high)


def _separated(x: NDArray[np.float64], happened: NDArray[np.bool_]) -> bool:
    """Whether one cut on the predictor separates the outcome without error."""
    cases, controls = x[happened], x[~happened]
    return bool(cases.min() > controls.max() or cases.max() < controls.min())
