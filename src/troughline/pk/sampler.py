"""Draws from one patient's posterior: weighted proposals first, Metropolis chains where those do not do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from troughline.pk.marginal import bridge_estimate, importance_estimate
from troughline.pk.proposal import (
    DEGREES,
    Proposal,
    adapted,
    cholesky_or_none,
    effective_size,
    resampled,
)
from troughline.pk.target import Target

Floats = NDArray[np.float64]
Method = Literal["importance", "adapted importance", "metropolis", "prior", "none"]

_CHAINS, _BURN_IN, _THIN = 4, 600, 10
_BRIDGE_POINTS = 2000
_GOOD_SHARE = 0.2
"""Effective points per proposed one from which more of the same serve better than another proposal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Draws (n_draws, active) of one patient's effects that the observations tell of."""

    draws: Floats
    effective: float
    method: Method
    log_marginal: float
    log_marginal_error: float
    evaluations: int
    acceptance: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How many draws are wanted, and how many proposals they may cost; see `PosteriorOptions`."""

    draws: int
    proposals: int
    most_proposals: int
    least_effective: int


def sample(target: Target, effort: Effort, rng: np.random.Generator) -> Drawn:
    """Draws from the target by importance, or by chains where too few points count."""
    if not target.observed:
        return _certain(target, effort, 0.0)
    if len(target.free) == 0:
        return _certain(target, effort, float(target.log_density(np.zeros((1, 0)))[0]))
    proposal, spread = _first_proposal(target)
    proposals, sizes = [proposal], [effort.proposals]
    points, log_target = np.empty((0, len(target.free))), np.empty(0)
    while True:
        new = proposals[-1].draw(sizes[-1], rng)
        points, log_target = np.vstack([points, new]), np.r_[log_target, target.log_density(new)]
        log_weights = log_target - _log_mixture(proposals, sizes, points)
        effective = effective_size(log_weights)
        if effective >= effort.least_effective:
            method: Method = "importance" if proposals[-1] is proposal else "adapted importance"
            return _weighted(target, effort, points, log_weights, method, rng)
        fresh = proposals[-1]
        if effective < _GOOD_SHARE * len(points):
            fresh = adapted(fresh, points, log_weights, spread) or fresh
        if len(points) >= effort.most_proposals:
            return _by_chains(target, effort, fresh, points, log_weights, rng)
        proposals.append(fresh)
        sizes.append(_next_size(effort, effective, len(points)))


def _certain(target: Target, effort: Effort, log_marginal: float) -> Drawn:
    """A patient whose posterior is the prior, or who has no effect that varies."""
    return Drawn(
        draws=np.zeros((effort.draws, target.active)),
        effective=float(effort.draws),
        method="prior",
        log_marginal=log_marginal,
        log_marginal_error=0.0,
        evaluations=int(target.observed),
    )


def _first_proposal(target: Target) -> tuple[Proposal, Floats]:
    """A t at the peak, or at the prior's where there is no peak; the covariance that it was made from."""
    prior_factor = cholesky_or_none(target.covariance)
    if prior_factor is None:
        raise ValueError("the prior covariance is not positive definite")
    center, spread = target.peak, target.peak_covariance
    factor = cholesky_or_none(1.15 * spread)
    if factor is None or not np.isfinite(center).all():
        center, spread, factor = np.zeros(len(target.free)), target.covariance, prior_factor
    return Proposal(center=center, factor=factor, prior_factor=prior_factor), spread


def _next_size(effort: Effort, effective: float, so_far: int) -> int:
    """What is missing at the present yield, in steps between a quarter and the whole of the first round."""
    missing = int(1.1 * so_far * (effort.least_effective / max(effective, 1.0) - 1))
    wanted = min(max(missing, effort.proposals // 4, 1), effort.proposals)
    return min(wanted, effort.most_proposals - so_far)


def _log_mixture(proposals: list[Proposal], sizes: list[int], points: Floats) -> Floats:
    """The log density of all that points were drawn from, each part as often as it was used."""
    shares: dict[int, int] = {}
    for k, proposal in enumerate(proposals):
        same = next((j for j in shares if proposals[j] is proposal), k)
        shares[same] = shares.get(same, 0) + sizes[k]
    total = np.full(len(points), -np.inf)
    for j, share in shares.items():
        total = np.logaddexp(total, math.log(share / len(points)) + proposals[j].log_density(points))
    return total


def _weighted(
    target: Target, effort: Effort, points: Floats, log_weights: Floats, method: Method,
    rng: np.random.Generator,
) -> Drawn:  # fmt: skip
    log_marginal, error = importance_estimate(log_weights)
    return Drawn(
        draws=target.whole(points[resampled(log_weights, effort.draws, rng)]),
        effective=effective_size(log_weights),
        method=method,
        log_marginal=log_marginal,
        log_marginal_error=error,
        evaluations=len(points),
    )


def _by_chains(
    target: Target, effort: Effort, proposal: Proposal, points: Floats, log_weights: Floats,
    rng: np.random.Generator,
) -> Drawn:  # fmt: skip
    """Four chains from points that the weights chose; the marginal likelihood by bridge sampling."""
    starts = np.tile(proposal.center, (_CHAINS, 1))
    if np.isfinite(np.max(log_weights)):
        starts = points[resampled(log_weights, _CHAINS, rng)]
    length = -(-effort.draws // _CHAINS)
    chains = [_chain(target, proposal, start, length, rng) for start in starts]
    states = np.concatenate([c[0] for c in chains])
    effective = chain_size(states)
    log_marginal, error, more = _bridge(target, proposal, states, [c[1] for c in chains], effective, rng)
    return Drawn(
        draws=target.whole(states[rng.permutation(len(states))[: effort.draws]]),
        effective=min(effective, float(effort.draws)),
        method="metropolis",
        log_marginal=log_marginal,
        log_marginal_error=error,
        evaluations=len(points) + _CHAINS * (_BURN_IN + _THIN * length) + more,
        acceptance=float(np.mean([c[2] for c in chains])),
    )


def _chain(
    target: Target, proposal: Proposal, start: Floats, length: int, rng: np.random.Generator
) -> tuple[Floats, Floats, float]:
    """States (length, k) of one chain, the log target there, and the acceptance rate."""
    from troughline.pk.kernels.sampling import random_walk

    k, steps = len(target.free), _BURN_IN + _THIN * length
    states, values = np.empty((length, k)), np.empty(length)
    log_t, log_prior = proposal.constants()
    rate: float = random_walk(
        *target.kernel_arguments, target.whole(start[None])[0], target.free, rng.standard_normal((steps, k)),
        rng.random(steps), proposal.draw(steps // 5, rng), proposal.center, proposal.factor, log_t, DEGREES,
        proposal.prior_factor, log_prior, _BURN_IN, _THIN, states, values,
    )  # fmt: skip
    return states, target.constant - 0.5 * values, rate


def _bridge(
    target: Target, proposal: Proposal, states: Floats, log_target: list[Floats], effective: float,
    rng: np.random.Generator,
) -> tuple[float, float, int]:  # fmt: skip
    """log p(y), its error, the evaluations: a t fitted to the first half of the states meets the second."""
    half = len(states) // 2
    if effective < 20 or half < 2:
        return math.nan, math.nan, 0
    spread = np.atleast_2d(np.cov(states[:half].T))
    factor = cholesky_or_none(1.15 * spread + 1e-3 * target.covariance)
    if factor is None:
        return math.nan, math.nan, 0
    near = Proposal(center=states[:half].mean(axis=0), factor=factor, prior_factor=proposal.prior_factor)
    new = near.draw(_BRIDGE_POINTS, rng)
    value, error = bridge_estimate(
        np.concatenate(log_target)[half:] - near.log_density(states[half:]),
        target.log_density(new) - near.log_density(new),
        effective / 2,
    )
    return value, error, _BRIDGE_POINTS


def chain_size(states: Floats) -> float:
    """The smallest effective sample size of the columns of chains laid end to end (n, k), by batch means.

    Chains that disagree have batch means that differ, and so count for little.
    """
    size = len(states)
    batch = max(int(math.sqrt(size)), 1)
    count = size // batch
    if count < 2:
        return 1.0
    means = states[: count * batch].reshape(count, batch, -1).mean(axis=1)
    between = batch * means.var(axis=0, ddof=1)
    within = states.var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = np.where(within > 0, size * within / between, 1.0)
    return float(min(size, np.min(sizes)))
