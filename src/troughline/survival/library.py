"""The one place that calls the survival library; what it returns leaves here as typed, frozen values.

The library is the PyPI package `survival` (Rust, mirrors R's `survival`). It has one maintainer, so nothing
else in Troughline imports it, and `tests/reference/test_survival_matches_r.py` holds it against R.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np

from troughline.survival.times import BoolArray, FloatArray, IntArray, SurvivalTimes

TimeTransform = Literal["km", "rank", "identity"]

# Tighter than R's 1e-9, so that a coefficient that runs off to infinity has gone far enough to be seen.
_CONVERGENCE = 1e-10
_ITERATIONS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class CoxSolution:
    """A Cox regression as the library leaves it.

    `step` (p,) is the Newton step still to go; `rank` is the number of covariates where all went well, less
    where some are collinear, and 1000 or negative where the iteration failed.
    """

    coefficients: FloatArray
    covariance: FloatArray
    model_covariance: FloatArray
    step: FloatArray
    rank: int
    iterations: int
    log_likelihood: float
    log_likelihood_null: float
    score_statistic: float
    wald_statistic: float
    concordance: float
    concordance_standard_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ZphTest:
    """One line of the proportional-hazards test: chi-square, degrees of freedom and p."""

    statistic: float
    degrees_of_freedom: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidence:
    """Aalen–Johansen incidence of one group: `probability` and the arrays like it are (m, causes)."""

    n: int
    time: FloatArray
    probability: FloatArray
    standard_error: FloatArray
    low: FloatArray
    high: FloatArray
    n_at_risk: FloatArray
    n_events: FloatArray


def restricted_mean(times: SurvivalTimes, rows: BoolArray, tau: float) -> tuple[float, float]:
    """Area under the Kaplan–Meier curve of `rows` up to `tau`, and its standard error."""
    library = _module("surv_analysis")

    if tau < float(times.time[rows].min()):
        # Everybody is alive until then: the area is a rectangle, which the library (as R) declines to name.
        return float(tau), 0.0
    fit = library.survfitkm(times.time[rows], _whole(times.event[rows]), timefix=False)
    table = library.survmean(fit, rmean=repr(float(tau)))
    if table.rmean is None or table.se_rmean is None:
        raise RuntimeError("the survival library returned no restricted mean")
    return float(table.rmean[0]), float(table.se_rmean[0])


def cox(
    times: SurvivalTimes, covariates: FloatArray, *, strata: IntArray | None, cluster: IntArray | None
) -> CoxSolution:
    """Cox regression with Efron's ties; `covariance` is the robust one where `cluster` is given."""
    fit = _cox_fit(times, covariates, strata, cluster)
    covariance = _array(fit.var)
    model = covariance if fit.naive_var is None else _array(fit.naive_var)
    agreement = fit.concordance
    variance = agreement.var
    likelihoods = list(fit.loglik)
    return CoxSolution(
        coefficients=_array(fit.coefficients),
        covariance=covariance,
        model_covariance=model,
        step=model @ _array(fit.first),
        rank=int(fit.flag),
        iterations=int(fit.iter),
        log_likelihood=float(likelihoods[-1]),
        log_likelihood_null=float(likelihoods[0]),
        score_statistic=float(fit.score),
        wald_statistic=float(fit.wald_test),
        concordance=float(agreement.concordance[0]),
        concordance_standard_error=math.sqrt(float(variance[0][0])) if variance else math.nan,
    )


def cox_log_likelihood_without_covariates(times: SurvivalTimes, strata: IntArray | None) -> float:
    """The partial log-likelihood at zero coefficients."""
    return float(_cox_fit(times, np.zeros((times.n, 0)), strata, None).loglik[0])


def proportional_hazards(
    times: SurvivalTimes,
    covariates: FloatArray,
    *,
    strata: IntArray | None,
    transform: TimeTransform,
) -> tuple[tuple[ZphTest, ...], ZphTest]:
    """The score tests of Grambsch and Therneau, one for each covariate and one for all together.

    Raises `ArithmeticError` where the residuals leave no test.
    """
    library = _module("regression")

    fit = _cox_fit(times, covariates, strata, None)
    try:
        result = library.cox_zph(fit, transform=transform)
    except (RuntimeError, ValueError) as error:
        # Its words for residuals that leave no test: singular, or every coefficient aliased.
        raise ArithmeticError(f"no test of proportional hazards exists: {error}") from None
    lines = tuple(ZphTest(statistic=t.chisq, degrees_of_freedom=t.df, p_value=t.p) for t in result.table)
    overall = result.global_test
    if overall is None:
        raise RuntimeError("the survival library returned no global test")
    return lines, ZphTest(statistic=overall.chisq, degrees_of_freedom=overall.df, p_value=overall.p)


def incidence(
    times: SurvivalTimes, cause: IntArray, causes: Sequence[str], rows: BoolArray, *, level: float
) -> Incidence:
    """Aalen–Johansen cumulative incidence of each cause in `rows`, with log-log intervals.

    `cause` is 0 where censored and k for the k-th of `causes`. The standard error is the infinitesimal
    jackknife of R's multi-state `survfit`.
    """
    library = _module("surv_analysis")

    n = int(rows.sum())
    fit = library.survfitaj(
        times.time[rows],
        cause[rows],
        list(causes),
        start=None if times.entry is None else times.entry[rows],
        id=list(range(n)),
        conf_int=level,
        conf_type="log-log",
        timefix=False,
    )
    columns = [list(fit.states).index(name) for name in causes]
    return Incidence(
        n=n,
        time=_array(fit.time),
        probability=_array(fit.pstate)[:, columns],
        standard_error=_array(fit.std_err or ())[:, columns],
        low=_array(fit.lower or ())[:, columns],
        high=_array(fit.upper or ())[:, columns],
        n_at_risk=_array(fit.n_risk)[:, 0],
        n_events=_array(fit.n_event)[:, columns],
    )


def _cox_fit(
    times: SurvivalTimes, covariates: FloatArray, strata: IntArray | None, cluster: IntArray | None
) -> Any:
    try:
        return _module("regression").coxph_fit(
            times.time,
            _whole(times.event),
            covariates,
            entry=times.entry,
            strata=strata,
            cluster=cluster,
            method="efron",
            eps=_CONVERGENCE,
            iter_max=_ITERATIONS,
        )
    except RuntimeError as error:
        # What its compiled code says when a step of the iteration leaves the range of numbers.
        raise ArithmeticError(f"the partial likelihood was not maximised: {error}") from None


def _module(name: str) -> Any:
    # The library binds its names at import time, so its modules have no static types to check against.
    return import_module(f"survival.{name}")


def _whole(flags: BoolArray) -> IntArray:
    return flags.astype(np.int64)


def _array(values: object) -> FloatArray:
    return np.asarray(values, dtype=np.float64)
