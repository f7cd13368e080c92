"""Is the treatment effect the same in all of many groups? The largest of their scores, by its own law."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from troughline.biomarker.endpoint import Endpoint, EndpointError, Flags, Floats
from troughline.biomarker.main_effects import MainEffects, main_effects
from troughline.biomarker.null_trials import NullTrials, chances, null_trials, patients_in_order

_KNOTS = (0.05, 0.35, 0.65, 0.95)
_LEAST_INFORMATION = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class LargestScore:
    """`z` (k,) is the standardised score of each group, not a number without information; `p_value` of all.

    p = (1 + #{max|Z*| ≥ max|Z|}) / (1 + draws).
    """

    z: Floats
    p_value: float
    draws: int


def largest_score(
    endpoint: Endpoint,
    treated: Flags,
    marker: Floats,
    members: Flags,
    *,
    rng: np.random.Generator,
    draws: int,
) -> LargestScore:
    """Test that the treatment effect is the same in every group of `members` (n, k) as in the rest.

    The model without interaction has treatment and a smooth function of the marker (`prognosis`), which may
    be prognostic; Z_k is the efficient score of (treatment − share treated) × member_k in it, over its
    standard deviation. The order of the patients changes nothing.

    - Survival: trials are drawn from that model (`null_trials`), it is fitted to each, and its largest |Z|
      found; the normal law of the scores is too narrow for 100 patients.
    - A mean: Z is a projection of a random direction; it is drawn exactly.
    - A risk: a mean whose variance p(1 − p) differs between patients, p by logistic regression on the same
      terms; Z is normal over an independent residual error.

    Raises `EndpointError` where the model has no fit or no group any information.

    The supremum of Bonetti and Gelber 2004, doi 10.1093/biostatistics/kxh002, of scores and not estimates.
    """
    order = patients_in_order(endpoint, treated, marker)
    endpoint, treated, marker, members = endpoint.of(order), treated[order], marker[order], members[order]
    a = treated.astype(np.float64)
    base = np.column_stack((a, prognosis(marker)))
    # Around the share treated, so that exchanging the arms turns the sign of every score and nothing else.
    products = (a - a.mean())[:, np.newaxis] * members
    fit = main_effects(endpoint, base, products)
    score, variance = (
        _risk_scores(endpoint, base, fit, products) if endpoint.kind == "binary" else fit.efficient()
    )
    z = _standardised(score, variance)
    if not np.isfinite(z).any():
        raise EndpointError("no group has information about the treatment effect beside the main effects")
    if endpoint.kind == "survival":
        largest = _simulated(null_trials(endpoint, treated, base, products, fit, rng=rng, draws=draws))
    else:
        known = np.isfinite(z)
        error = np.sqrt(np.diag(variance)[known])
        correlation = variance[np.ix_(known, known)] / np.outer(error, error)
        freedom = float(endpoint.n - 1 - base.shape[1])
        largest = _projected(correlation, freedom, rng, draws)
    reached = int(np.sum(largest >= np.nanmax(np.abs(z)) * (1 - 1e-12)))
    return LargestScore(z=z, p_value=(1 + reached) / (1 + largest.size), draws=largest.size)


def prognosis(marker: Floats) -> Floats:
    """Columns (n, up to 3) of a smooth function of the marker: a natural cubic spline of its normal scores.

    Normal scores of the mid-ranks, so that only the order of the marker counts; four knots at the 5th, 35th,
    65th and 95th percentile (Harrell 2015, doi 10.1007/978-3-319-19425-7, section 2.4). Of up to four values
    each beside the first has a column.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    score = np.asarray(ndtri((rankdata(marker) - 0.5) / marker.size), dtype=np.float64)
    distinct = np.unique(score)
    if distinct.size <= len(_KNOTS):
        return _independent((score[:, np.newaxis] >= distinct[1:]).astype(np.float64))
    knots = np.quantile(score, _KNOTS)
    before, last = float(knots[-2]), float(knots[-1])
    cubed = np.maximum(score[:, np.newaxis] - knots, 0.0) ** 3
    columns = [score]
    for k, at in enumerate(knots[:-2].tolist() if last > before else []):
        share = (last - at) / (last - before)
        columns.append(cubed[:, k] - share * cubed[:, -2] + (share - 1) * cubed[:, -1])
    return _independent(np.column_stack(columns))


def _independent(columns: Floats) -> Floats:
    """Those of the columns, standardised, that the ones before them do not explain."""
    centred = columns - columns.mean(axis=0)
    kept: list[Floats] = []
    for column in centred.T:
        spread = float(column.std())
        if spread > 0 and np.linalg.matrix_rank(np.column_stack((*kept, column / spread)), tol=1e-6) > len(
            kept
        ):
            kept.append(column / spread)
    return np.column_stack(kept) if kept else np.empty((columns.shape[0], 0))


def _standardised(score: Floats, variance: Floats) -> Floats:
    diagonal = np.diag(variance)
    known = diagonal > _LEAST_INFORMATION * max(float(diagonal.max()), 1e-300)
    z = np.full(score.size, math.nan)
    z[known] = score[known] / np.sqrt(diagonal[known])
    return z


def _risk_scores(
    endpoint: Endpoint, base: Floats, fit: MainEffects, products: Floats
) -> tuple[Floats, Floats]:
    """Scores of differences of risks and their covariance (n/(n − p) times that of known chances)."""
    assert endpoint.event is not None
    one = np.column_stack((np.ones(endpoint.n), base))
    eta = (base - base.mean(axis=0)) @ fit.base
    p = chances(eta, endpoint.event)
    left = products - one @ np.linalg.lstsq(one, products, rcond=None)[0]
    enlarged = endpoint.n / (endpoint.n - one.shape[1])
    return left.T @ endpoint.event.astype(np.float64), enlarged * ((left.T * (p * (1 - p))) @ left)


def _simulated(trials: NullTrials) -> Floats:
    score, variance = trials.efficient()
    diagonal = np.diagonal(variance, axis1=1, axis2=2)
    known = diagonal > _LEAST_INFORMATION * np.maximum(diagonal.max(axis=1, keepdims=True), 1e-300)
    squared = np.divide(score**2, diagonal, out=np.zeros_like(score), where=known)
    return np.sqrt(squared.max(axis=1))


def _projected(correlation: Floats, freedom: float, rng: np.random.Generator, draws: int) -> Floats:
    """The largest |Z| (draws,) of normal scores over the residual error that is left beside them."""
    values, vectors = np.linalg.eigh(correlation)
    kept = values > values.max() * 1e-10
    root = vectors[:, kept] * np.sqrt(values[kept])
    rank = root.shape[1]
    noise = rng.standard_normal((draws, rank))
    rest = rng.chisquare(freedom - rank, draws) if freedom > rank else np.zeros(draws)
    return np.abs(noise @ root.T).max(axis=1) * np.sqrt(freedom / ((noise**2).sum(axis=1) + rest))
