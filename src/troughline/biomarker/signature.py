"""A signature of several markers: penalised Cox, its penalty chosen inside, its worth judged outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.endpoint import Flags, Floats
from troughline.biomarker.penalised_cox import PartialLikelihood, penalised_cox_path

MIXING = {"ridge": 0.0, "elastic-net": 0.5, "lasso": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationGroup:
    """A third of the patients by predicted risk: mean prediction, and Kaplan–Meier with its interval."""

    predicted: float
    observed: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature fitted to everybody, and what predictions for patients it had not seen were worth.

    `coefficients` (p,) are log hazard ratios per unit. `risk` (n,) is each patient's risk by `horizon`,
    predicted by a model fitted without him; `concordance` of those predictions (and `concordance_apparent`,
    of the model in its own patients), `slope` their calibration slope with its interval (1 is perfect, below
    1 too extreme).
    """

    coefficients: Floats
    chosen: int
    penalty: float
    risk: Floats
    linear_predictor: Floats
    concordance: float
    concordance_low: float
    concordance_high: float
    concordance_apparent: float
    slope: float
    slope_low: float
    slope_high: float
    calibration: tuple[CalibrationGroup, ...]
    horizon: float


def folds(event: Flags, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A fold (0 … k − 1) for each patient, events and others spread evenly."""
    fold = np.empty(event.size, dtype=np.int64)
    for rows in (np.flatnonzero(event), np.flatnonzero(~event)):
        fold[rng.permutation(rows)] = np.arange(rows.size) % k
    return fold


def choose_penalty(
    time: Floats,
    event: Flags,
    covariates: Floats,
    mixing: float,
    k: int,
    rng: np.random.Generator,
    *,
    free: Flags | None = None,
) -> tuple[float, Floats]:
    """The penalty of the greatest cross-validated partial likelihood, and its coefficients (p,) in all.

    Σ over folds of l(β₋ₖ) − l₋ₖ(β₋ₖ), β₋ₖ fitted without the fold (Verweij and van Houwelingen 1993, doi
    10.1002/sim.4780122407). `free` (p,) marks covariates without a penalty.
    """
    whole = penalised_cox_path(time, event, covariates, mixing=mixing, free=free)
    everybody = PartialLikelihood(time, event, covariates)
    total = np.zeros(whole.penalties.size)
    fold = folds(event, k, rng)
    for f in range(k):
        rest = fold != f
        path = penalised_cox_path(
            time[rest], event[rest], covariates[rest], mixing=mixing, free=free, penalties=whole.penalties
        )
        without = PartialLikelihood(time[rest], event[rest], covariates[rest])
        total += [everybody.value(b) - without.value(b) for b in path.coefficients]
    best = int(np.argmax(total))
    return float(whole.penalties[best]), whole.coefficients[best]


def baseline_hazard(time: Floats, event: Flags, linear: Floats, at: float) -> float:
    """Breslow's cumulative baseline hazard at `at` for linear predictors (n,)."""
    order = np.argsort(time, kind="stable")
    risk = np.cumsum(np.exp(linear[order])[::-1])[::-1]
    first = np.searchsorted(time[order], time[order], side="left")
    counted = event[order] & (time[order] <= at)
    return float((1 / risk[first])[counted].sum())


def nested_signature(
    time: Floats,
    event: Flags,
    covariates: Floats,
    *,
    penalty: str,
    horizon: float,
    rng: np.random.Generator,
    beside: Floats | None = None,
    outer: int = 5,
    inner: int = 5,
    level: float = 0.95,
) -> Signature:
    """Fit a signature and judge it by nested cross-validation.

    Parameters: `covariates` (n, p); `penalty` "ridge", "lasso" or "elastic-net" (mixing ½); `beside` (n,
    q) is fitted with them, unpenalised, and then left aside (a treatment, for which no weight shall stand
    in): predictions and their worth are of `covariates` alone, over everybody. In each of `outer` folds
    the penalty is chosen by `inner` folds of the rest, so that no patient's prediction has seen him
    (Varma and Simon 2006, doi 10.1186/1471-2105-7-91).

    Raises `ValueError` with fewer than two events a fold, or for a horizon outside follow-up.
    """
    from troughline.survival.cox import CoxFitError, fit_cox

    if int(event.sum()) < 2 * outer * 2:
        raise ValueError(
            f"{int(event.sum())} events for {outer} folds within {inner}: at least {4 * outer} are needed"
        )
    if not 0 < horizon < float(time.max()):
        raise ValueError(f"horizon {horizon:g} is outside follow-up, which ends at {time.max():g}")
    mixing, p = MIXING[penalty], int(covariates.shape[1])
    design = covariates if beside is None else np.column_stack((covariates, beside))
    free = np.arange(int(design.shape[1])) >= p
    fold = folds(event, outer, rng)
    linear, risk = np.zeros(time.size), np.zeros(time.size)
    for f in range(outer):
        rest, held = fold != f, fold == f
        _, beta = choose_penalty(time[rest], event[rest], design[rest], mixing, inner, rng, free=free)
        beta = beta[:p]
        centre = covariates[rest].mean(axis=0)
        linear[held] = (covariates[held] - centre) @ beta
        base = baseline_hazard(time[rest], event[rest], (covariates[rest] - centre) @ beta, horizon)
        risk[held] = 1 - np.exp(-base * np.exp(linear[held]))
    chosen, beta = choose_penalty(time, event, design, mixing, inner, rng, free=free)
    beta = beta[:p]
    nan = float("nan")
    slope = (nan, nan, nan)
    concordance, error = 0.5, nan
    try:
        # One predictor at its own scale: its coefficient is the calibration slope.
        fit = fit_cox(time, event, linear, ("linear predictor",), level=level)
        term = fit.terms[0]
        slope = (term.coefficient, float(np.log(term.low)), float(np.log(term.high)))
        concordance = fit.concordance if term.coefficient >= 0 else 1 - fit.concordance
        error = fit.concordance_standard_error
    except CoxFitError:
        pass  # every fold chose the empty model: nothing is told apart
    try:
        apparent = fit_cox(time, event, covariates @ beta, ("linear predictor",), level=level).concordance
    except CoxFitError:
        apparent = 0.5
    from scipy.special import ndtri

    width = float(ndtri((1 + level) / 2))
    return Signature(
        coefficients=beta,
        chosen=int(np.count_nonzero(beta)),
        penalty=chosen,
        risk=risk,
        linear_predictor=linear,
        concordance=concordance,
        concordance_low=concordance - width * error,
        concordance_high=concordance + width * error,
        concordance_apparent=apparent,
        slope=slope[0],
        slope_low=slope[1],
        slope_high=slope[2],
        calibration=_calibration(time, event, risk, horizon, level),
        horizon=horizon,
    )


def _calibration(
    time: Floats, event: Flags, risk: Floats, horizon: float, level: float
) -> tuple[CalibrationGroup, ...]:
    from troughline.survival.kaplan_meier import kaplan_meier

    third = np.searchsorted(np.quantile(risk, [1 / 3, 2 / 3]), risk, side="left")
    groups: list[CalibrationGroup] = []
    for g in np.unique(third):
        rows = third == g
        (curve,) = kaplan_meier(time[rows], event[rows], level=level)
        at = curve.at([horizon])
        groups.append(
            CalibrationGroup(
                predicted=float(risk[rows].mean()),
                observed=1 - float(at.survival[0]),
                low=1 - float(at.high[0]),
                high=1 - float(at.low[0]),
                n=int(rows.sum()),
            )
        )
    return tuple(groups)
