"""The likelihood of a marker's line and the time to an event that follows it, with its gradient.

A patient's line is m(t) = A + B t, A and B the fixed effects plus the deviations b; the hazard is
ξ_q exp(zᵀγ + α m(t) + α₂ B) in the q-th interval of time. With b = L u, L Lᵀ = D and u standard normal, the
integral over u is a sum over nodes that are placed for each patient and stay where they are while the
parameters move; D may become singular without harm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from troughline.survival.marker_histories import MarkerHistories
from troughline.survival.times import BoolArray, FloatArray, IntArray

# Below this the series of sinh(x)/x and its derivative is exact to rounding.
_SMALL = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class JointData:
    """`time`, `event` (n,), hazard covariates (n, r), the marker's sums, and time cut at `cuts` (Q − 1,).

    The pairs (k,) are the intervals each patient lived in: `pair_patient`, `pair_interval`, and how they are
    cut by the end of follow-up: `middle`, `half`.
    """

    time: FloatArray
    event: BoolArray
    covariates: FloatArray
    histories: MarkerHistories
    cuts: FloatArray
    event_interval: IntArray
    pair_patient: IntArray
    pair_interval: IntArray
    middle: FloatArray
    half: FloatArray
    with_slope: bool

    @property
    def n_intervals(self) -> int:
        """How many intervals the baseline hazard has."""
        return int(self.cuts.size) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JointParameters:
    """One point; `root` (2, 2) is the lower factor L of D, `association` (1 or 2,) is α (and α₂)."""

    fixed: FloatArray
    log_sigma: float
    root: FloatArray
    hazard: FloatArray
    association: FloatArray
    log_baseline: FloatArray

    def packed(self) -> FloatArray:
        """All parameters as one array: fixed, log σ, the root's three entries, γ, α, log ξ."""
        root = (self.root[0, 0], self.root[1, 0], self.root[1, 1])
        return np.concatenate(
            (self.fixed, (self.log_sigma, *root), self.hazard, self.association, self.log_baseline)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Where the integral over u is read: `u` (n, k, 2), `log_weight` (n, k), the placement included."""

    u: FloatArray
    log_weight: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class JointEvaluation:
    """Log-likelihood of each patient (n,), their scores (n, p), posterior weight of each node (n, k)."""

    log_likelihood: FloatArray
    score: FloatArray
    posterior: FloatArray


def joint_data(
    time: FloatArray,
    event: BoolArray,
    covariates: FloatArray,
    histories: MarkerHistories,
    cuts: FloatArray,
    *,
    with_slope: bool,
) -> JointData:
    """Cut each patient's time at `cuts`; times at a cut belong to the interval before it."""
    pair_patient, pair_interval, middle, half = lived(np.zeros_like(time), time, cuts)
    return JointData(
        time=time,
        event=event,
        covariates=covariates,
        histories=histories,
        cuts=cuts,
        event_interval=np.searchsorted(cuts, time, side="left").astype(np.int64),
        pair_patient=pair_patient,
        pair_interval=pair_interval,
        middle=middle,
        half=half,
        with_slope=with_slope,
    )


def lived(
    begin: FloatArray, end: FloatArray, cuts: FloatArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """The pieces of begin–end (n,) between `cuts`: whose, which interval, middle and half length (k,)."""
    low = np.maximum(np.concatenate(([-np.inf], cuts)), begin[:, np.newaxis])
    high = np.minimum(np.concatenate((cuts, [np.inf])), end[:, np.newaxis])
    whose, interval = np.nonzero(high > low)
    a, b = low[whose, interval], high[whose, interval]
    return whose.astype(np.int64), interval.astype(np.int64), (a + b) / 2, (b - a) / 2


def unpacked(point: FloatArray, data: JointData) -> JointParameters:
    """The parameters in an array as `JointParameters.packed` lays them out."""
    q, r = data.histories.design.shape[2], data.covariates.shape[1]
    s = 2 if data.with_slope else 1
    parts = np.split(point, np.cumsum([q, 1, 3, r, s]))
    root = np.array([[parts[2][0], 0.0], [parts[2][1], parts[2][2]]])
    return JointParameters(
        fixed=parts[0],
        log_sigma=float(parts[1][0]),
        root=root,
        hazard=parts[3],
        association=parts[4],
        log_baseline=parts[5],
    )


def hermite_nodes(mean: FloatArray, covariance: FloatArray, count: int) -> Nodes:
    """`count`² Gauss–Hermite nodes of each patient around `mean` (n, 2) with `covariance` (n, 2, 2)."""
    x, w = np.polynomial.hermite.hermgauss(count)
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    log_w = np.log(np.outer(w, w)).ravel() + (grid**2).sum(axis=1) + math.log(2.0)
    root = np.linalg.cholesky(covariance)
    u = mean[:, np.newaxis, :] + math.sqrt(2.0) * np.einsum("nij,kj->nki", root, grid)
    spread = np.log(root[:, 0, 0] * root[:, 1, 1])
    return Nodes(u=u, log_weight=spread[:, np.newaxis] + log_w)


def moved_nodes(nodes: Nodes, posterior: FloatArray, count: int) -> Nodes:
    """Nodes placed by the posterior mean and covariance of u that the old ones gave."""
    mean = np.einsum("nk,nkj->nj", posterior, nodes.u)
    rest = nodes.u - mean[:, np.newaxis, :]
    return hermite_nodes(mean, np.einsum("nk,nki,nkj->nij", posterior, rest, rest), count)


def evaluate(point: FloatArray, data: JointData, nodes: Nodes) -> JointEvaluation:
    """Log-likelihood and scores at `point`, the integral over u by `nodes`."""
    parameters = unpacked(point, data)
    h = data.histories
    lines = h.design @ parameters.fixed
    u0, u1 = nodes.u[:, :, 0], nodes.u[:, :, 1]
    a = lines[:, :1] + parameters.root[0, 0] * u0
    slope = lines[:, 1:] + parameters.root[1, 0] * u0 + parameters.root[1, 1] * u1
    sigma2 = math.exp(2 * parameters.log_sigma)
    count = h.count[:, np.newaxis]
    squares = h.squares(a, slope)
    alpha = float(parameters.association[0])
    alpha2 = float(parameters.association[1]) if data.with_slope else 0.0
    time, event = data.time[:, np.newaxis], data.event[:, np.newaxis]
    shift = data.covariates @ parameters.hazard
    # A is measured from the marker's overall mean, so that ξ is the hazard at that mean until the end.
    linear = shift[:, np.newaxis] + alpha * a + alpha2 * slope
    value_at_end = a + slope * time
    by_interval, first_moment = _areas(data, linear, alpha * slope, parameters.log_baseline)
    total, weighted = _summed(data, by_interval), _summed(data, first_moment)
    log_hazard = parameters.log_baseline[data.event_interval][:, np.newaxis] + linear + alpha * slope * time
    log_joint = (
        -0.5 * count * math.log(2 * math.pi)
        - count * parameters.log_sigma
        - 0.5 * squares / sigma2
        + event * log_hazard
        - total
        - math.log(2 * math.pi)
        - 0.5 * (u0 * u0 + u1 * u1)
        + nodes.log_weight
    )
    top = log_joint.max(axis=1, keepdims=True)
    mass = np.exp(log_joint - top)
    summed = mass.sum(axis=1)
    p = mass / summed[:, np.newaxis]

    def mean(values: FloatArray) -> FloatArray:
        return (p * values).sum(axis=1)

    rest_a = h.moment[:, :1] - a * count - slope * h.cross[:, 0, 1, np.newaxis]
    rest_b = h.moment[:, 1:] - a * h.cross[:, 0, 1, np.newaxis] - slope * h.cross[:, 1, 1, np.newaxis]
    node_a = rest_a / sigma2 + event * alpha - alpha * total
    node_b = rest_b / sigma2 + event * (alpha * time + alpha2) - alpha * weighted - alpha2 * total
    scores = np.stack((mean(node_a), mean(node_b)), axis=1)
    columns = [
        np.einsum("njq,nj->nq", h.design, scores),
        (-h.count + mean(squares) / sigma2)[:, np.newaxis],
        np.stack((mean(node_a * u0), mean(node_b * u0), mean(node_b * u1)), axis=1),
        data.covariates * (data.event - mean(total))[:, np.newaxis],
        mean(event * value_at_end - a * total - slope * weighted)[:, np.newaxis],
    ]
    if data.with_slope:
        columns.append(mean(slope * (event - total))[:, np.newaxis])
    baseline = np.zeros((data.time.size, data.n_intervals))
    baseline[np.arange(data.time.size), data.event_interval] = data.event
    pair_mean = (p[data.pair_patient] * by_interval).sum(axis=1)
    baseline[data.pair_patient, data.pair_interval] -= pair_mean
    columns.append(baseline)
    return JointEvaluation(
        log_likelihood=(top[:, 0] + np.log(summed)), score=np.concatenate(columns, axis=1), posterior=p
    )


def interval_areas(rate: FloatArray, middle: FloatArray, half: FloatArray) -> tuple[FloatArray, FloatArray]:
    """∫ exp(c s) ds and ∫ s exp(c s) ds over middle ± half, for rates c; all of one shape or broadcast."""
    x = rate * half
    square = x * x
    small = np.abs(x) < _SMALL
    safe = np.where(small, 1.0, x)
    sinhc = np.where(small, 1 + square / 6 * (1 + square / 20 * (1 + square / 42 * (1 + square / 72))), 0.0)
    slope = np.where(
        small, x / 3 * (1 + square / 10 * (1 + square / 28 * (1 + square / 54 * (1 + square / 88)))), 0.0
    )
    large = np.sinh(safe) / safe
    sinhc = np.where(small, sinhc, large)
    slope = np.where(small, slope, (np.cosh(safe) - large) / safe)
    scale = np.exp(rate * middle) * 2 * half
    return scale * sinhc, scale * (middle * sinhc + half * slope)


def _areas(
    data: JointData, linear: FloatArray, rate: FloatArray, log_baseline: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Cumulative hazard of each pair (pairs, k), and the same with s under the integral."""
    height = np.exp(log_baseline[data.pair_interval][:, np.newaxis] + linear[data.pair_patient])
    area, moment = interval_areas(
        rate[data.pair_patient], data.middle[:, np.newaxis], data.half[:, np.newaxis]
    )
    return height * area, height * moment


def _summed(data: JointData, pairs: FloatArray) -> FloatArray:
    """Sums (n, k) of the pairs of each patient, which stand together."""
    first = np.searchsorted(data.pair_patient, np.arange(data.time.size))
    return np.add.reduceat(pairs, first, axis=0)
