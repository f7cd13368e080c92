"""Posterior draws by adaptive importance sampling with Pareto-smoothed weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import lgamma

import numpy as np
from numpy.typing import NDArray

from troughline.response.linear import cholesky, solve
from troughline.response.pareto import log_sum_exp, pareto_smoothed

Floats = NDArray[np.float64]
LogDensity = Callable[[Floats], Floats]

DEGREES_OF_FREEDOM = 7.0
WIDE_DEGREES_OF_FREEDOM = 3.0
WIDENING = 1.5
WIDE_SHARE = 0.2
LEAST_EFFECTIVE_DRAWS = 400.0
LARGEST_PARETO_K = 0.7
# A tail index matters only where single draws carry weight: below this share of the whole, the k of
# nearly equal weights is noise (their largest is a few times their mean) and is not held against them.
SMALL_SHARE = 0.002
MOST_ROUNDS = 10


class PosteriorError(RuntimeError):
    """The importance sample is too uneven to be trusted, after every attempt to improve it."""


@dataclass(frozen=True, slots=True)
class StudentT:
    """A multivariate Student t: `location` `(d,)`, `cholesky` `(d, d)` of its scale matrix, lower."""

    location: Floats
    cholesky: Floats
    degrees_of_freedom: float = DEGREES_OF_FREEDOM

    def sample(self, rng: np.random.Generator, n_draws: int) -> Floats:
        """`n_draws` draws, `(n_draws, d)`."""
        normal = rng.standard_normal((n_draws, self.location.size))
        chi2 = rng.chisquare(self.degrees_of_freedom, n_draws)
        return self.location + (normal @ self.cholesky.T) * np.sqrt(self.degrees_of_freedom / chi2)[:, None]

    def log_density(self, draws: Floats) -> Floats:
        """The log density at draws `(n_draws, d)`."""
        nu, d = self.degrees_of_freedom, self.location.size
        white = solve(self.cholesky, (draws - self.location).T)
        log_scale = float(np.log(np.diag(self.cholesky)).sum())
        constant = lgamma((nu + d) / 2) - lgamma(nu / 2) - 0.5 * d * np.log(nu * np.pi) - log_scale
        return constant - 0.5 * (nu + d) * np.log1p((white**2).sum(axis=0) / nu)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceSample:
    """Weighted draws from a posterior.

    `draws` `(n_draws, d)`; `log_weights` `(n_draws,)`, smoothed, their exponentials summing to 1;
    `effective_draws` `1 / sum(w^2)`; `pareto_k` of the weights; `rounds` of adaptation; `status` is `good`
    or, where the limits on the last two were not met, `poor`.
    """

    draws: Floats
    log_weights: Floats
    effective_draws: float
    pareto_k: float
    rounds: int
    status: str


def sample_posterior(
    log_density: LogDensity,
    start: StudentT,
    *,
    rng: np.random.Generator,
    n_draws: int,
    least_effective_draws: float = LEAST_EFFECTIVE_DRAWS,
    largest_pareto_k: float = LARGEST_PARETO_K,
) -> ImportanceSample:
    """Draw from a posterior known up to a constant, improving the proposal until the weights are even.

    Parameters: `log_density` maps draws `(m, d)` to log densities `(m,)`; `start`, a first proposal near
    the mode. Each round draws from a Student t with the weighted mean and covariance of what is there, one
    draw in five from a wider one; all draws so far count, weighted by the mixture of every proposal used
    (the balance heuristic of Veach & Guibas 1995, doi 10.1145/218380.218498). It ends when the effective
    number of draws is at least `least_effective_draws` and Pareto's k at most `largest_pareto_k` (or no
    single draw carries 0.2 % of the weight, so that there is no tail to speak of), or after ten rounds as
    `poor`.

    Raises `ValueError` where the density is finite at no draw of the first proposal.
    """
    components = [start, _wider(start)]
    counts = [max(int(n_draws * share / 2), 50) for share in (1 - WIDE_SHARE, WIDE_SHARE)]
    draws = np.vstack([c.sample(rng, m) for c, m in zip(components, counts, strict=True)])
    target = log_density(draws)
    proposed = [c.log_density(draws) for c in components]
    log_weights, k, effective, rounds, heavy = np.empty(0), np.inf, 0.0, 0, True
    for rounds in range(1, MOST_ROUNDS + 1):
        mixture = log_sum_exp(np.array(proposed) + np.log(counts)[:, None], axis=0)
        ratios = np.where(np.isfinite(target), target - mixture, -np.inf)
        if not np.isfinite(ratios).any():
            raise ValueError("the posterior density is finite at no draw of the first proposal")
        smoothed, shape = pareto_smoothed(ratios[None, :])
        log_weights, k = smoothed[0], float(shape[0])
        effective = float(1 / np.exp(2 * log_weights).sum())
        heavy = k > largest_pareto_k and float(np.exp(log_weights.max())) > SMALL_SHARE
        if rounds >= 2 and effective >= least_effective_draws and not heavy:
            break
        if rounds == MOST_ROUNDS:
            break
        fitted = _fitted(draws, log_weights, effective, components[-2])
        added = [fitted, _wider(fitted)]
        wide = int(n_draws * WIDE_SHARE)
        sizes = [n_draws - wide, wide]
        new = np.vstack([c.sample(rng, m) for c, m in zip(added, sizes, strict=True)])
        proposed = [np.append(q, c.log_density(new)) for q, c in zip(proposed, components, strict=True)]
        draws, target = np.vstack([draws, new]), np.append(target, log_density(new))
        proposed += [c.log_density(draws) for c in added]
        components += added
        counts += sizes
    good = effective >= least_effective_draws and not heavy
    return ImportanceSample(
        draws=draws,
        log_weights=log_weights,
        effective_draws=effective,
        pareto_k=k,
        rounds=rounds,
        status="good" if good else "poor",
    )


def _wider(proposal: StudentT) -> StudentT:
    """A heavier tail around a proposal, which keeps the weights bounded where it is too narrow."""
    return StudentT(proposal.location, proposal.cholesky * WIDENING, WIDE_DEGREES_OF_FREEDOM)


def _fitted(draws: Floats, log_weights: Floats, effective: float, last: StudentT) -> StudentT:
    """A Student t with the weighted mean and covariance of the draws.

    Where few draws carry the weight the covariance is drawn towards the last proposal's, which keeps it
    invertible.
    """
    weight = np.exp(log_weights)
    mean = weight @ draws
    centred = draws - mean
    covariance = (centred.T * weight) @ centred
    nu = last.degrees_of_freedom
    scale = covariance * (nu - 2) / nu * 1.1
    trust = effective / (effective + 5.0 * mean.size)
    blend = trust * scale + (1 - trust) * (last.cholesky @ last.cholesky.T)
    return StudentT(mean, cholesky(blend), nu)


def systematic_resample(log_weights: Floats, n_draws: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices of `n_draws` equally weighted draws, in rising order, by systematic resampling."""
    cumulative = np.cumsum(np.exp(log_weights - log_sum_exp(log_weights)))
    points = (rng.random() + np.arange(n_draws)) / n_draws
    return np.minimum(np.searchsorted(cumulative, points), log_weights.size - 1)
