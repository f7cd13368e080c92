"""The paired test for differences that are normal and known as intervals, by maximum likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from troughline.biomarker.censored import Censored

_MOST_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedNormal:
    """Mean difference with its standard error, in the unit of the differences.

    `p_normal` takes mean / standard error as standard normal (NADA's cen_paired). `p_value` turns the
    likelihood ratio R of mean 0 into t = √((n − 1)(exp(R/n) − 1)) on n − 1 degrees of freedom, n the pairs
    that say something: without censoring that is Student's paired test, which the normal law is not.
    """

    mean: float
    standard_error: float
    standard_deviation: float
    log_likelihood: float
    n: int
    n_informative: int
    p_normal: float
    p_value: float


def paired_normal(change: Censored) -> PairedNormal:
    """Fit Normal(mean, sd) to changes known as intervals `(n,)`.

    Raises `ValueError` where the likelihood has no maximum: fewer than two informative pairs, no spread, or
    every change known on one side only.
    """
    from scipy.stats import t as student

    useful = np.isfinite(change.low) | np.isfinite(change.high)
    inner = change[useful]
    n = len(inner)
    if n < 2:
        raise ValueError(f"{n} informative pairs: a mean with its error needs two or more")
    if not inner.exact.any() and float(inner.low.max()) <= float(inner.high.min()):
        raise ValueError("one value lies in every interval: the likelihood of the mean has no maximum")
    mean, log_sd = _start(inner)
    mean, log_sd, loglik, covariance = _maximise(inner, mean, log_sd)
    null = _log_likelihood_at_zero(inner)
    ratio = max(2 * (loglik - null), 0.0)
    z = mean / math.sqrt(covariance)
    t = math.sqrt((n - 1) * math.expm1(ratio / n))
    from scipy.special import ndtr

    return PairedNormal(
        mean=mean, standard_error=math.sqrt(covariance), standard_deviation=math.exp(log_sd),
        log_likelihood=loglik, n=len(change), n_informative=n, p_normal=float(2 * ndtr(-abs(z))),
        p_value=float(2 * student.sf(t, n - 1)),
    )  # fmt: skip


def _start(change: Censored) -> tuple[float, float]:
    low = np.where(np.isfinite(change.low), change.low, change.high)
    high = np.where(np.isfinite(change.high), change.high, low)
    middle = (np.where(np.isfinite(low), low, high) + high) / 2
    spread = float(middle.std())
    if not spread > 0:
        raise ValueError("every difference is the same: there is no spread to test against")
    return float(middle.mean()), math.log(spread)


def _terms(change: Censored, mean: float, sd: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Log-likelihood, and its derivatives by mean and log sd, one each pair."""
    from scipy.special import log_ndtr

    exact = change.exact
    value = np.zeros(len(change))
    by_mean, by_log_sd = np.zeros(len(change)), np.zeros(len(change))
    r = (change.low[exact] - mean) / sd
    value[exact] = -0.5 * math.log(2 * math.pi) - math.log(sd) - r**2 / 2
    by_mean[exact], by_log_sd[exact] = r / sd, r**2 - 1
    a, b = (change.low[~exact] - mean) / sd, (change.high[~exact] - mean) / sd
    # On the side where both tails are small, so that their difference keeps its digits.
    flip = a > 0
    lo, hi = np.where(flip, -b, a), np.where(flip, -a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        top, bottom = log_ndtr(hi), log_ndtr(lo)
        logp = top + np.log1p(-np.exp(np.minimum(bottom - top, 0.0)))
        fa, fb = np.exp(-(a**2) / 2 - logp), np.exp(-(b**2) / 2 - logp)
        ga, gb = np.where(np.isfinite(a), a, 0.0) * fa, np.where(np.isfinite(b), b, 0.0) * fb
    root = math.sqrt(2 * math.pi)
    value[~exact] = logp
    by_mean[~exact], by_log_sd[~exact] = (fa - fb) / root / sd, (ga - gb) / root
    return float(value.sum()), by_mean, by_log_sd


def _maximise(change: Censored, mean: float, log_sd: float) -> tuple[float, float, float, float]:
    """Mean, log sd, log-likelihood at the maximum, and the variance of the mean from the information."""
    from scipy.optimize import minimize

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, by_mean, by_log_sd = _terms(change, float(theta[0]), math.exp(float(theta[1])))
        return -value, -np.array([by_mean.sum(), by_log_sd.sum()])

    scale = math.exp(log_sd)
    wide = 60 * scale
    found = minimize(
        objective, np.array([mean, log_sd]), jac=True, method="L-BFGS-B",
        bounds=[(mean - wide, mean + wide), (log_sd - 12, log_sd + 6)],
        options={"maxiter": _MOST_STEPS, "ftol": 1e-14, "gtol": 1e-9},
    )  # fmt: skip
    best = np.asarray(found.x, dtype=np.float64)
    if abs(best[0] - mean) > 0.99 * wide or best[1] < log_sd - 11.9 or best[1] > log_sd + 5.9:
        raise ValueError("the likelihood of the mean difference has no maximum: the pairs do not bound it")
    step = 1e-5 * np.array([scale, 1.0])
    hessian = np.array(
        [
            (objective(best + step * e)[1] - objective(best - step * e)[1]) / (2 * (step @ e))
            for e in np.eye(2)
        ]
    )
    hessian = (hessian + hessian.T) / 2
    if not np.linalg.det(hessian) > 0:
        raise ValueError("the likelihood of the mean difference has no maximum: the pairs do not bound it")
    return float(best[0]), float(best[1]), -float(found.fun), float(np.linalg.inv(hessian)[0, 0])


def _log_likelihood_at_zero(change: Censored) -> float:
    """The largest log-likelihood with mean 0, over the standard deviation."""
    from scipy.optimize import minimize_scalar

    ends = np.concatenate([change.low[np.isfinite(change.low)], change.high[np.isfinite(change.high)]])
    largest = float(np.abs(ends).max())
    if largest == 0:
        return -math.inf
    middle = math.log(largest)
    found = minimize_scalar(
        lambda log_sd: -_terms(change, 0.0, math.exp(log_sd))[0],
        bounds=(middle - 12, middle + 4), method="bounded", options={"xatol": 1e-9},
    )  # fmt: skip
    return -float(found.fun)
