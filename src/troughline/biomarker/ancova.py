"""Levels after treatment compared between groups at equal baseline: analysis of covariance, censored."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Pairs
from troughline.biomarker.group_time import Contrast, f_contrast
from troughline.biomarker.maximum import maximise
from troughline.biomarker.paired_tobit import interval_terms

Floats = NDArray[np.float64]
Whole = NDArray[np.intp]

_NODES = 48
_REACH = 8.0
_LOG_ROOT = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancova:
    """Groups after treatment at equal baseline.

    `difference` `(n_groups,)` is each group's level after minus that of the first group at the same baseline
    (and covariates); `baseline_slope` how much of a difference at baseline is left after; `same` the test
    that all groups agree, `trend` that of a straight line over the dose (None where no dose was given), with
    `slope` per unit of dose.
    """

    difference: Floats
    baseline_slope: float
    same: Contrast | None
    slope: float | None
    trend: Contrast | None
    m: int


def ancova(
    pairs: Pairs, groups: Whole, *, dose: Floats | None = None, covariates: Floats | None = None
) -> Ancova:
    """after = group + β · before + γ · covariates + error, both levels censored, by maximum likelihood.

    Before is normal about its group's mean; a censored one is integrated over its interval
    (Gauss–Legendre, 48 nodes), so that it is neither dropped nor substituted. `dose` `(n,)` is each
    patient's; `covariates` `(n, k)`. Tests as in `GroupTime`, with one degree of freedom less for the
    baseline and for each covariate.
    Raises `ValueError` with fewer than two quantified levels at one of the times, no degree of
    freedom, or a likelihood without a maximum.
    """
    n_groups = int(groups.max()) + 1
    member = (groups[:, None] == np.arange(n_groups)).astype(np.float64)
    extra = np.empty((len(pairs), 0)) if covariates is None else (covariates - covariates.mean(axis=0))
    m = int((pairs.before.exact | pairs.after.exact).sum())
    denominator = float(m - n_groups - 1 - extra.shape[1])
    if denominator < 1:
        raise ValueError(f"{m} patients with a quantified level are too few for this model")
    one = np.ones((len(pairs), 1))
    full = _fit(pairs, member, np.hstack([member, extra]))
    same = trend = slope = None
    null = full if n_groups == 1 else _fit(pairs, member, np.hstack([one, extra]))
    if n_groups > 1:
        same = f_contrast(2 * (full.log_likelihood - null.log_likelihood), n_groups - 1, denominator, m)
    if dose is not None and np.ptp(dose) > 0:
        width = float(np.ptp(dose))
        line = _fit(pairs, member, np.hstack([one, (dose[:, None] - dose.mean()) / width, extra]))
        trend = f_contrast(2 * (line.log_likelihood - null.log_likelihood), 1, denominator, m)
        slope = float(line.alpha[1] / width)
    return Ancova(
        difference=full.alpha[:n_groups] - full.alpha[0], baseline_slope=full.slope, same=same, slope=slope,
        trend=trend, m=m,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Fit:
    alpha: Floats
    slope: float
    log_likelihood: float


def _fit(pairs: Pairs, member: Floats, design: Floats) -> _Fit:
    for name, one in (("before", pairs.before), ("after", pairs.after)):
        known = one.low[one.exact]
        if len(known) < 2 or not np.ptp(known) > 0:
            raise ValueError(f"the quantified levels {name} have no spread: no regression on baseline")
    before = np.where(pairs.before.exact, pairs.before.low, _limit(pairs.before.low, pairs.before.high))
    after = np.where(pairs.after.exact, pairs.after.low, _limit(pairs.after.low, pairs.after.high))
    mu = np.linalg.lstsq(member, before, rcond=None)[0]
    sd_before = max(float((before - member @ mu).std()), 0.05 * float(before.std()), 1e-3)
    whole = np.column_stack([design, before])
    beta = np.linalg.lstsq(whole, after, rcond=None)[0]
    sd_after = max(float((after - whole @ beta).std()), 0.05 * float(after.std()), 1e-3)
    start = np.concatenate([mu, beta, [math.log(sd_before), math.log(sd_after)]])
    spread = max(float(before.std()), float(after.std()))
    middle = float(max(abs(before).max(), abs(after).max()))
    wide = [(-middle - 30 * spread, middle + 30 * spread)]
    p, q = member.shape[1], design.shape[1]
    bounds = wide * p + [(-2 * middle - 40 * spread, 2 * middle + 40 * spread)] * q + [(-10.0, 10.0)]
    bounds += [(math.log(spread) - 9, math.log(spread) + 4)] * 2
    scale = np.append(np.full(p + q, spread), [1.0, 1.0, 1.0])
    found = maximise(_objective, start, bounds, scale, (pairs, member, design))
    if not found.converged:
        raise ValueError("the regression on the first level did not converge: no maximum of its likelihood")
    theta = found.at
    return _Fit(theta[p : p + q], float(theta[p + q]), found.log_likelihood)


def _limit(low: Floats, high: Floats) -> Floats:
    return np.where(np.isfinite(high), high, low)


def _objective(theta: Floats, pairs: Pairs, member: Floats, design: Floats) -> tuple[float, Floats]:
    """Minus the log-likelihood and its gradient, each patient's baseline on a grid of nodes and weights."""
    p, q = member.shape[1], design.shape[1]
    mu, alpha, slope = member @ theta[:p], design @ theta[p : p + q], float(theta[p + q])
    sd_b, sd = math.exp(theta[-2]), math.exp(theta[-1])
    value, gradient = 0.0, np.zeros_like(theta)
    for exact in (True, False):
        rows = np.flatnonzero(pairs.before.exact == exact)
        if not len(rows):
            continue
        if exact:
            z = ((pairs.before.low[rows] - mu[rows]) / sd_b)[:, None]
            log_weight = -(z**2) / 2 - _LOG_ROOT - math.log(sd_b)
        else:
            z, log_weight = _nodes(
                (pairs.before.low[rows] - mu[rows]) / sd_b, (pairs.before.high[rows] - mu[rows]) / sd_b
            )
        b = mu[rows, None] + sd_b * z
        centre = alpha[rows, None] + slope * b
        log_f, by_centre, by_log_sd = _after_terms(pairs, rows, centre, sd)
        joint = log_weight + log_f
        top = joint.max(axis=1, keepdims=True)
        weight = np.exp(joint - top)
        total = weight.sum(axis=1, keepdims=True)
        weight /= total
        value += float((top[:, 0] + np.log(total[:, 0])).sum())
        slope_centre = (weight * by_centre).sum(axis=1)
        gradient[:p] += member[rows].T @ (weight * z).sum(axis=1) / sd_b
        gradient[p : p + q] += design[rows].T @ slope_centre
        gradient[p + q] += float((weight * by_centre * b).sum())
        gradient[-2] += float((weight * (z**2 - 1)).sum())
        gradient[-1] += float((weight * by_log_sd).sum())
    return -value, -gradient


def _nodes(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Gauss–Legendre nodes on each interval (cut where the normal law ends) and their log weights."""
    x, w = np.polynomial.legendre.leggauss(_NODES)
    a = np.where(np.isneginf(low), np.minimum(-_REACH, high - 3.0), low)
    b = np.where(np.isposinf(high), np.maximum(_REACH, low + 3.0), high)
    # A wide interval around the middle is cut where the normal law ends, so that the nodes lie dense.
    a = np.where(b > 1.0 - _REACH, np.maximum(a, -_REACH), a)
    b = np.where(a < _REACH - 1.0, np.minimum(b, _REACH), b)
    half = (b - a)[:, None] / 2
    z = (a + b)[:, None] / 2 + half * x
    return z, np.log(half * w) - z**2 / 2 - _LOG_ROOT


def _after_terms(pairs: Pairs, rows: Whole, centre: Floats, sd: float) -> tuple[Floats, Floats, Floats]:
    """log f(after | before) at each node and its derivatives by the centre and log sd."""
    low, high = pairs.after.low[rows], pairs.after.high[rows]
    exact = low == high
    log_f, by_centre, by_log_sd = (np.empty_like(centre) for _ in range(3))
    r = (low[exact, None] - centre[exact]) / sd
    log_f[exact] = -(r**2) / 2 - _LOG_ROOT - math.log(sd)
    by_centre[exact], by_log_sd[exact] = r / sd, r**2 - 1
    if not exact.all():
        a, b = (low[~exact, None] - centre[~exact]) / sd, (high[~exact, None] - centre[~exact]) / sd
        log_p, fa, fb, ga, gb = interval_terms(a, b)
        log_f[~exact] = log_p
        by_centre[~exact], by_log_sd[~exact] = (fa - fb) / sd, ga - gb
    return log_f, by_centre, by_log_sd
