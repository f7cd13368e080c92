"""Multiple imputation of levels beyond a limit: drawn from a Tobit mixed model that knows the outcome."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Censored, Pairs
from troughline.biomarker.paired_tobit import Records, TobitFit, fit_tobit

Floats = NDArray[np.float64]

IMPUTATIONS = 20
FEWEST_QUANTIFIED = 5
"""Fewer levels of an occasion tell nothing of where the others lie."""
_SWEEPS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Coefficients of one regression over several imputations.

    `covariance` (p, p) adds the spread between imputations to that within; `freedom` (p,) is that of the t
    distribution of each coefficient, infinite with one imputation; `missing_information` (p,) is the share
    of the variance that the levels beyond a limit cost.
    """

    coefficients: Floats
    covariance: Floats
    freedom: Floats
    missing_information: Floats


def pool(coefficients: Floats, covariances: Floats) -> Pooled:
    """Rubin's rules for `coefficients` (m, p) and `covariances` (m, p, p) of m imputations.

    T = W + (1 + 1/m) B with W the mean covariance and B that of the coefficients; degrees of freedom
    (m − 1)(1 + W/((1 + 1/m) B))². Rubin 1987, Multiple imputation for nonresponse in surveys,
    doi 10.1002/9780470316696.
    """
    m, p = len(coefficients), int(coefficients.shape[1])
    within = covariances.mean(axis=0)
    if m == 1:
        return Pooled(
            coefficients=coefficients[0], covariance=within, freedom=np.full(p, np.inf),
            missing_information=np.zeros(p),
        )  # fmt: skip
    between = np.atleast_2d(np.cov(coefficients, rowvar=False)) * (1 + 1 / m)
    total = within + between
    inside: Floats = np.diagonal(within)
    across: Floats = np.diagonal(between)
    with np.errstate(divide="ignore"):
        freedom = np.asarray((m - 1) * (1 + inside / across) ** 2, dtype=np.float64)
    return Pooled(
        coefficients=coefficients.mean(axis=0), covariance=total, freedom=freedom,
        missing_information=np.asarray(across / (inside + across), dtype=np.float64),
    )  # fmt: skip


def imputed_levels(
    pairs: Pairs, known: Floats, rng: np.random.Generator, *, imputations: int = IMPUTATIONS
) -> Floats:
    """Levels before and after `(m, n, 2)`, those beyond a limit drawn from within it; `m` is 1 without any.

    `known` (n, q) is what else is known of each patient and enters the analysis: above all the outcome (for
    a time to an event whether it happened and the cumulative hazard at the end of follow-up), without which
    the association would be diluted (White & Royston 2009, doi 10.1002/sim.3618), and the adjusting
    covariates. Model: y = α + βᵀ·known + (γ + δᵀ·known)·after + u + e, u and e normal, by maximum
    likelihood; its parameters are estimated anew in a bootstrap sample of the patients for each imputation,
    so that their uncertainty is kept, and both levels of a patient are drawn together.
    Raises `ValueError` where fewer than `FEWEST_QUANTIFIED` levels of an occasion were quantified, the model
    has no fit, or its likelihood has no maximum.
    """
    exact = np.column_stack([pairs.before.low, pairs.after.low])
    if pairs.before.exact.all() and pairs.after.exact.all():
        return exact[None]
    for words, one in (("first", pairs.before), ("later", pairs.after)):
        if int(one.exact.sum()) < FEWEST_QUANTIFIED:
            raise ValueError(
                f"{int(one.exact.sum())} of {len(one)} {words} levels were quantified; {FEWEST_QUANTIFIED} "
                "are needed to draw the others from a model"
            )
    design = _design(known)
    start = _fitted(pairs, design).start
    n = len(pairs)
    drawn = np.empty((imputations, n, 2))
    done = tried = 0
    while done < imputations:
        tried += 1
        rows = rng.integers(0, n, size=n)
        try:
            fit = _fitted(pairs[rows], np.concatenate([design[:n][rows], design[n:][rows]]), start)
        except ValueError:
            if tried > 3 * imputations:
                raise ValueError("too few levels were quantified to draw the others from a model") from None
            continue
        mean = (design @ fit.coefficients).reshape(2, n).T
        drawn[done] = draw_levels(pairs, mean, fit.between_sd, fit.within_sd, rng)
        done += 1
    return drawn


def _design(known: Floats) -> Floats:
    """Rows before, then after: an intercept and `known`, standardised, both for before and for the change."""
    spread = known.std(axis=0)
    kept = spread > 0
    z = (known[:, kept] - known[:, kept].mean(axis=0)) / spread[kept]
    one = np.column_stack([np.ones(len(known)), z])
    return np.block([[one, np.zeros_like(one)], [one, one]])


def _fitted(pairs: Pairs, design: Floats, start: Floats | None = None) -> TobitFit:
    n = len(pairs)
    level = Censored(
        np.concatenate([pairs.before.low, pairs.after.low]),
        np.concatenate([pairs.before.high, pairs.after.high]),
    )
    fit = fit_tobit(
        Records(level, np.concatenate([np.arange(n), np.arange(n)])), design, start=start
    ).reached()
    if fit.unbounded.any():
        raise ValueError("the levels beyond a limit leave a model of the levels without a maximum")
    return fit


def draw_levels(
    pairs: Pairs, mean: Floats, between: float, within: float, rng: np.random.Generator
) -> Floats:
    """Levels `(n, 2)`: as they are where quantified, else drawn given everything known of the patient.

    `mean` is (n, 2); `between` and `within` are the standard deviations of the random intercept and of a
    level about it. Where both levels of a patient are censored they are drawn by turns (Gibbs).
    """
    own = (pairs.before, pairs.after)
    variance = between**2 + within**2
    correlation = between**2 / variance
    spread = math.sqrt(variance * (1 - correlation**2))
    value = np.empty((len(pairs), 2))
    for k, one in enumerate(own):
        inside = np.clip(mean[:, k], one.low, one.high)
        value[:, k] = np.where(one.exact, one.low, inside)
    both = ~own[0].exact & ~own[1].exact
    for sweep in range(_SWEEPS if both.any() else 1):
        for k, one in enumerate(own):
            rows = np.flatnonzero(both if sweep else ~one.exact)
            centre = mean[rows, k] + correlation * (value[rows, 1 - k] - mean[rows, 1 - k])
            a, b = (one.low[rows] - centre) / spread, (one.high[rows] - centre) / spread
            value[rows, k] = centre + spread * truncated_normal(a, b, rng)
    return value


def truncated_normal(low: Floats, high: Floats, rng: np.random.Generator) -> Floats:
    """Standard normal draws between `low` and `high`, both `(n,)`, exact far out in either tail too."""
    from scipy.special import log_ndtr, ndtri_exp

    share = rng.random(low.shape)
    # In the upper tail by its mirror image, where the logarithms keep their digits.
    flip = low > 0
    a, b = np.where(flip, -high, low), np.where(flip, -low, high)
    with np.errstate(divide="ignore"):
        drawn = ndtri_exp(np.logaddexp(np.log1p(-share) + log_ndtr(a), np.log(share) + log_ndtr(b)))
    drawn = np.clip(drawn, a, b)
    return np.where(flip, -drawn, drawn)
