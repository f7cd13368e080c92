"""Cox regression: hazard ratios, the proportional-hazards check, and refusal where no estimate exists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival import library
from troughline.survival.library import CoxSolution, TimeTransform
from troughline.survival.separation import separating_direction
from troughline.survival.times import (
    FloatArray,
    IntArray,
    SurvivalTimes,
    checked_level,
    checked_times,
    coded_groups,
)

# A converged Newton iteration moves the linear predictor by about 1e-8 more; one that runs off to infinity
# by about 1, for ever, until the likelihood is flat to rounding and the predictor spans far more than 10.
_STEP_LEFT = 1e-3
_SUSPECT_RANGE = 10.0
_NEGLIGIBLE = 1e-6


class CoxFitError(ValueError):
    """A Cox regression that has no finite, unique answer in these data."""


class SeparationError(CoxFitError):
    """Monotone likelihood: the coefficients of `terms` have no finite estimate."""

    def __init__(self, terms: Sequence[str]) -> None:
        self.terms = tuple(terms)
        super().__init__(
            f"the likelihood is monotone in {', '.join(self.terms)}: a combination of them orders every "
            "event, so the hazard ratio has no finite estimate"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CoxTerm:
    """One covariate of a Cox regression; `hazard_ratio`, `low`, `high` are per unit of the covariate.

    A ratio beyond 1e308 is infinite: the unit is then far larger than any difference between patients.
    """

    name: str
    coefficient: float
    standard_error: float
    hazard_ratio: float
    low: float
    high: float
    z: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CoxFit:
    """A Cox regression.

    `covariance` (p, p) is the cluster-robust one where `robust`, else the inverse information, which
    `model_covariance` always is. The likelihood-ratio test compares with no covariate at all.
    """

    terms: tuple[CoxTerm, ...]
    level: float
    coefficients: FloatArray
    covariance: FloatArray
    model_covariance: FloatArray
    robust: bool
    log_likelihood: float
    log_likelihood_null: float
    likelihood_ratio: float
    degrees_of_freedom: int
    likelihood_ratio_p_value: float
    score_statistic: float
    wald_statistic: float
    concordance: float
    concordance_standard_error: float
    n: int
    n_events: int

    def term(self, name: str) -> CoxTerm:
        """The covariate of that name; raises `KeyError` where there is none."""
        for term in self.terms:
            if term.name == name:
                return term
        raise KeyError(f"no covariate {name!r} in this regression")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProportionalHazardsTest:
    """The score test that a coefficient does not change with time; `name` is the covariate, or "GLOBAL"."""

    name: str
    statistic: float
    degrees_of_freedom: float
    p_value: float


def fit_cox(
    time: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike,
    names: Sequence[str],
    *,
    entry: ArrayLike | None = None,
    strata: Sequence[Any] | NDArray[Any] | None = None,
    cluster: Sequence[Any] | NDArray[Any] | None = None,
    level: float = 0.95,
) -> CoxFit:
    """Fit a proportional-hazards regression with Efron's handling of ties.

    Parameters: `time`, `event`, `entry` as in `checked_times` (counting-process rows for a covariate that
    changes: one row an interval entry < t <= time); `covariates` (n, p), each column in the caller's unit;
    `names` (p,); `strata` (n,) with a baseline hazard each; `cluster` (n,) the patient of each row, which
    makes the variance robust.

    Raises `SeparationError` where a coefficient is infinite, `CoxFitError` where there is no event, where
    the covariates are collinear or constant, or where the iteration does not converge; `ValueError` for
    ragged or not finite covariates and for what `checked_times` refuses.

    h(t | x) = h0(t) exp(xᵀβ) (Cox 1972, doi 10.1111/j.2517-6161.1972.tb00899.x; ties: Efron 1977, doi
    10.1080/01621459.1977.10480613; robust variance: Lin and Wei 1989, doi 10.1080/01621459.1989.10478874).
    """
    times = checked_times(time, event, entry)
    x = checked_covariates(covariates, names, times.n)
    checked_level(level)
    strata_codes = None if strata is None else coded_groups(strata, times.n)[0]
    cluster_codes = None if cluster is None else coded_groups(cluster, times.n)[0]
    solution = _solve(times, x, names, strata_codes, cluster_codes)
    statistic = 2 * (solution.log_likelihood - solution.log_likelihood_null)
    from scipy.special import chdtrc

    return CoxFit(
        terms=wald_terms(names, solution.coefficients, solution.covariance, level),
        level=level,
        coefficients=solution.coefficients,
        covariance=solution.covariance,
        model_covariance=solution.model_covariance,
        robust=cluster is not None,
        log_likelihood=solution.log_likelihood,
        log_likelihood_null=solution.log_likelihood_null,
        likelihood_ratio=statistic,
        degrees_of_freedom=len(names),
        likelihood_ratio_p_value=float(chdtrc(len(names), max(statistic, 0.0))),
        score_statistic=solution.score_statistic,
        wald_statistic=solution.wald_statistic,
        concordance=solution.concordance,
        concordance_standard_error=solution.concordance_standard_error,
        n=times.n,
        n_events=int(times.event.sum()),
    )


def proportional_hazards_test(
    time: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike,
    names: Sequence[str],
    *,
    entry: ArrayLike | None = None,
    strata: Sequence[Any] | NDArray[Any] | None = None,
    transform: TimeTransform = "km",
) -> tuple[tuple[ProportionalHazardsTest, ...], ProportionalHazardsTest]:
    """Test each covariate, and all together, for a hazard ratio that changes with time.

    Parameters and what is raised as in `fit_cox`; `transform` is the scale of time (R's `cox.zph`, whose
    score test this is). Returns the lines of the covariates and the global line.

    Grambsch and Therneau 1994, doi 10.1093/biomet/81.3.515.
    """
    times = checked_times(time, event, entry)
    x = checked_covariates(covariates, names, times.n)
    strata_codes = None if strata is None else coded_groups(strata, times.n)[0]
    _solve(times, x, names, strata_codes, None)
    try:
        lines, overall = library.proportional_hazards(times, x, strata=strata_codes, transform=transform)
    except ArithmeticError as error:
        raise CoxFitError(str(error)) from None

    def named(name: str, line: library.ZphTest) -> ProportionalHazardsTest:
        return ProportionalHazardsTest(
            name=name,
            statistic=line.statistic,
            degrees_of_freedom=line.degrees_of_freedom,
            p_value=line.p_value,
        )

    return tuple(named(n, line) for n, line in zip(names, lines, strict=True)), named("GLOBAL", overall)


def null_log_likelihood(
    time: ArrayLike,
    event: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    strata: Sequence[Any] | NDArray[Any] | None = None,
) -> float:
    """The partial log-likelihood without any covariate (all hazard ratios 1)."""
    times = checked_times(time, event, entry)
    strata_codes = None if strata is None else coded_groups(strata, times.n)[0]
    return library.cox_log_likelihood_without_covariates(times, strata_codes)


def checked_covariates(covariates: ArrayLike, names: Sequence[str], n: int) -> FloatArray:
    """Covariates as (n, p); raises `ValueError`, naming row and covariate, where a value is not finite."""
    x = np.asarray(covariates, dtype=np.float64)
    if x.ndim == 1:
        x = x[:, np.newaxis]
    if x.shape != (n, len(names)):
        raise ValueError(f"covariates have shape {x.shape}; expected ({n}, {len(names)})")
    if not names:
        raise ValueError("covariates: none is named; a Cox regression needs one")
    bad = np.argwhere(~np.isfinite(x))
    if bad.size:
        i, j = (int(k) for k in bad[0])
        raise ValueError(f"covariate {names[j]!r}, row {i}: {x[i, j]} is not finite")
    return x


def wald_terms(
    names: Sequence[str], coefficients: FloatArray, covariance: FloatArray, level: float
) -> tuple[CoxTerm, ...]:
    """Each coefficient with its standard error, hazard ratio, Wald interval and Wald p."""
    from scipy.special import ndtr, ndtri

    width = float(ndtri((1 + level) / 2))
    terms: list[CoxTerm] = []
    for name, b, variance in zip(names, coefficients.tolist(), np.diag(covariance).tolist(), strict=True):
        error = math.sqrt(variance)
        z = b / error if error > 0 else math.nan
        terms.append(
            CoxTerm(
                name=name,
                coefficient=b,
                standard_error=error,
                hazard_ratio=exponential(b),
                low=exponential(b - width * error),
                high=exponential(b + width * error),
                z=z,
                p_value=2 * float(ndtr(-abs(z))),
            )
        )
    return tuple(terms)


def exponential(value: float) -> float:
    """e to the `value`; infinite where a float cannot hold it."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _solve(
    times: SurvivalTimes,
    covariates: FloatArray,
    names: Sequence[str],
    strata: IntArray | None,
    cluster: IntArray | None,
) -> CoxSolution:
    if not times.event.any():
        raise CoxFitError("no event among these patients: a hazard ratio has no estimate")
    # Fitted on standardised covariates, so that neither convergence nor rank hangs on their units.
    centre, spread = covariates.mean(axis=0), covariates.std(axis=0)
    constant = [name for name, s in zip(names, spread.tolist(), strict=True) if not s > 0]
    if constant:
        raise CoxFitError(f"{', '.join(constant)}: the same value in every patient; it has no hazard ratio")
    x = (covariates - centre) / spread
    try:
        solution = library.cox(times, x, strata=strata, cluster=cluster)
    except ArithmeticError as error:
        _refuse_separation(times, x, strata, names)
        raise CoxFitError(str(error)) from None
    if _suspect(solution, x):
        _refuse_separation(times, x, strata, names)
        informed = np.isfinite(solution.coefficients) & (np.diag(solution.model_covariance) > 0)
        lost = [name for name, known in zip(names, informed.tolist(), strict=True) if not known]
        if lost:
            raise CoxFitError(
                f"{', '.join(lost)}: the events carry no separate information about it (collinear, or the "
                "same in everybody at risk whenever an event happened)"
            )
        if solution.rank != len(names) or float(np.ptp(x @ solution.step)) > _STEP_LEFT:
            raise CoxFitError(f"no convergence after {solution.iterations} iterations ({', '.join(names)})")
    scale = np.outer(spread, spread)
    return CoxSolution(
        coefficients=solution.coefficients / spread,
        covariance=solution.covariance / scale,
        model_covariance=solution.model_covariance / scale,
        step=solution.step / spread,
        rank=solution.rank,
        iterations=solution.iterations,
        log_likelihood=solution.log_likelihood,
        log_likelihood_null=solution.log_likelihood_null,
        score_statistic=solution.score_statistic,
        wald_statistic=solution.wald_statistic,
        concordance=solution.concordance,
        concordance_standard_error=solution.concordance_standard_error,
    )


def _suspect(solution: CoxSolution, covariates: FloatArray) -> bool:
    """Whether the fit shows a sign of an infinite coefficient, so that the exact check is worth its time."""
    finite = np.isfinite(solution.coefficients)
    if not finite.all() or solution.rank != solution.coefficients.size:
        return True
    return (
        float(np.ptp(covariates @ solution.step)) > _STEP_LEFT
        or float(np.ptp(covariates @ solution.coefficients)) > _SUSPECT_RANGE
        or not bool(np.all(np.diag(solution.model_covariance) > 0))
    )


def _refuse_separation(
    times: SurvivalTimes, x: FloatArray, strata: IntArray | None, names: Sequence[str]
) -> None:
    """Raise `SeparationError` where some combination of the covariates orders every event."""
    direction = separating_direction(times, x, strata)
    if direction is not None:
        moving = np.abs(direction) > _NEGLIGIBLE
        raise SeparationError([name for name, m in zip(names, moving.tolist(), strict=True) if m])
