"""What points of a patient's posterior are proposed from: a multivariate t at its peak, and the prior."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DEGREES = 7.0
"""Degrees of freedom of the t: tails heavier than a posterior's, so that its weights stay bounded."""
FROM_PRIOR = 0.1
"""The share of points from the prior. With it no weight exceeds likelihood / 0.1, whatever the t misses."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A defensive mixture (Hesterberg 1995, doi 10.1080/00401706.1995.10484303) over k effects.

    `center` (k,) and `factor` (k, k), lower, of the t's scale matrix; `prior_factor` (k, k), lower, of the
    prior covariance. The density is 0.9·t₇(x; center, factor·factorᵀ) + 0.1·N(x; 0, Ω).
    """

    center: Floats
    factor: Floats
    prior_factor: Floats

    def draw(self, size: int, rng: np.random.Generator) -> Floats:
        """`size` points (size, k), in random order; the number from the prior is fixed, not drawn."""
        k = len(self.center)
        from_prior = round(FROM_PRIOR * size)
        normals = rng.standard_normal((size, k))
        chi = rng.chisquare(DEGREES, size) / DEGREES
        points = self.center + (normals / np.sqrt(chi)[:, None]) @ self.factor.T
        points[:from_prior] = normals[:from_prior] @ self.prior_factor.T
        return points[rng.permutation(size)]

    def log_density(self, points: Floats) -> Floats:
        """The logarithm of the density at points (n, k): (n,)."""
        log_t, log_prior = self.constants()
        distance = _distance(points - self.center, self.factor)
        k = len(self.center)
        return np.logaddexp(
            log_t - (DEGREES + k) / 2 * np.log1p(distance / DEGREES),
            log_prior - 0.5 * _distance(points, self.prior_factor),
        )

    def constants(self) -> tuple[float, float]:
        """The logarithm of either part's density at its own centre, with its share."""
        k = len(self.center)
        t = (
            math.lgamma((DEGREES + k) / 2)
            - math.lgamma(DEGREES / 2)
            - k / 2 * math.log(DEGREES * math.pi)
            - float(np.sum(np.log(np.diag(self.factor))))
        )
        normal = -k / 2 * math.log(2 * math.pi) - float(np.sum(np.log(np.diag(self.prior_factor))))
        return t + math.log(1 - FROM_PRIOR), normal + math.log(FROM_PRIOR)


def cholesky_or_none(covariance: Floats) -> Floats | None:
    """The lower factor of a covariance, None where it is not definite or not finite."""
    if not np.isfinite(covariance).all():
        return None
    try:
        factor: Floats = np.linalg.cholesky((covariance + covariance.T) / 2).astype(np.float64)
        return factor
    except np.linalg.LinAlgError:
        return None


def adapted(proposal: Proposal, points: Floats, log_weights: Floats, floor: Floats) -> Proposal | None:
    """The proposal moved to the weighted mean and covariance of points (n, k); None where that fails.

    Weights so uneven that few points carry them would give a covariance of nothing: they are raised to the
    largest power that leaves 20 effective points a dimension (at least 50). `floor` (k, k): a covariance of
    which 2 % is added.
    """
    possible = np.isfinite(log_weights)
    if possible.sum() <= points.shape[1]:
        return None
    points, log_weights = points[possible], log_weights[possible]
    weights = normalised(_even_power(log_weights, points.shape[1]) * log_weights)
    center = weights @ points
    spread = (points - center).T @ ((points - center) * weights[:, None])
    factor = cholesky_or_none(1.2 * spread + 0.02 * floor)
    if factor is None:
        return None
    return Proposal(center=center, factor=factor, prior_factor=proposal.prior_factor)


def _even_power(log_weights: Floats, k: int) -> float:
    wanted = min(max(50.0, 20.0 * k), len(log_weights) / 4)
    if effective_size(log_weights) >= wanted:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective_size(middle * log_weights) > wanted else (low, middle)
    return low


def normalised(log_weights: Floats) -> Floats:
    """Weights that add to one; all must not be −∞."""
    weights = np.exp(log_weights - np.max(log_weights))
    return weights / weights.sum()


def effective_size(log_weights: Floats) -> float:
    """(Σw)²/Σw² of weights; 0 where all are nothing."""
    if not np.isfinite(np.max(log_weights, initial=-np.inf)):
        return 0.0
    return float(1.0 / np.sum(normalised(log_weights) ** 2))


def resampled(log_weights: Floats, size: int, rng: np.random.Generator) -> Ints:
    """Indices of `size` points by systematic resampling, in random order."""
    ladder = np.cumsum(normalised(log_weights))
    picks = (rng.random() + np.arange(size)) / size
    return rng.permutation(np.minimum(np.searchsorted(ladder, picks), len(log_weights) - 1))


def _distance(miss: Floats, factor: Floats) -> Floats:
    """Squared Mahalanobis distances (n,) of differences (n, k)."""
    scaled: Floats = miss @ np.linalg.inv(factor).T
    return np.einsum("ij,ij->i", scaled, scaled)
