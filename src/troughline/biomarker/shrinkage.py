"""Treatment effects in subgroups, shrunken towards each other by as much as the data allow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from troughline.biomarker.endpoint import Floats

_NODES = 300
_WIDEST = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunken:
    """Posterior of J effects: `mean`, `standard_deviation`, `low`, `high`, each (J,).

    `tau_median`, `tau_low`, `tau_high` are the posterior of the standard deviation between subgroups.
    """

    mean: Floats
    standard_deviation: Floats
    low: Floats
    high: Floats
    tau_median: float
    tau_low: float
    tau_high: float
    scale: float
    level: float


def shrink(
    estimate: Floats,
    covariance: Floats,
    design: Floats,
    wanted: Floats,
    *,
    scale: float,
    level: float = 0.95,
) -> Shrunken:
    """Posterior of linear functions of (μ, u₁ … u_m) given normal estimates of others.

    Parameters: `estimate` (q,) with `covariance` (q, q); `design` (q, 1 + m) says what each estimates;
    `wanted` (J, 1 + m) which functions are asked for; `scale` of the half-normal prior of τ, in the unit of
    the estimates.

    y ~ N(A(μ, u), Σ), u_j ~ N(0, τ²), μ flat, τ ~ half-normal(scale). Given τ all is normal and exact; τ is
    integrated on a grid of 300 points from 0 to 4 scales (Dixon and Simon 1991, doi
    10.2307/2532645, not confirmed; the prior: Röver and others 2021, doi 10.1002/jrsm.1475).

    Raises `ValueError` for shapes that do not fit, a covariance that is not positive definite, or a scale
    that is not above 0.
    """
    y, s, a = (np.asarray(v, dtype=np.float64) for v in (estimate, covariance, design))
    w = np.asarray(wanted, dtype=np.float64)
    if a.shape[0] != y.size or s.shape != (y.size, y.size) or w.shape[1] != a.shape[1]:
        raise ValueError(f"shapes do not fit: {y.shape}, {s.shape}, {a.shape}, {w.shape}")
    if not scale > 0:
        raise ValueError(f"scale = {scale:g} of the half-normal prior is not above 0")
    if np.linalg.eigvalsh(s)[0] <= 0:
        raise ValueError("the covariance of the estimates is not positive definite")
    taus = (np.arange(_NODES) + 0.5) / _NODES * _WIDEST * scale
    log_weight = np.empty(_NODES)
    means, variances = np.empty((_NODES, w.shape[0])), np.empty((_NODES, w.shape[0]))
    for k, tau in enumerate(taus.tolist()):
        log_weight[k], means[k], variances[k] = _given(tau, y, s, a, w)
        log_weight[k] -= 0.5 * (tau / scale) ** 2
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = weight @ means
    variance = weight @ (variances + (means - mean) ** 2)
    ends = [_quantiles(weight, means, np.sqrt(variances), q) for q in ((1 - level) / 2, (1 + level) / 2)]
    cumulative = np.cumsum(weight)

    def tau_at(q: float) -> float:
        return float(np.interp(q, cumulative - weight / 2, taus))

    return Shrunken(
        mean=mean, standard_deviation=np.sqrt(variance), low=ends[0], high=ends[1], tau_median=tau_at(0.5),
        tau_low=tau_at((1 - level) / 2), tau_high=tau_at((1 + level) / 2), scale=scale, level=level,
    )  # fmt: skip


def _given(tau: float, y: Floats, s: Floats, a: Floats, w: Floats) -> tuple[float, Floats, Floats]:
    """Log marginal likelihood at τ, and mean and variance of the wanted functions."""
    one, b = a[:, 0], a[:, 1:]
    v = s + tau**2 * (b @ b.T)
    inverse = np.linalg.inv(v)
    precision = float(one @ inverse @ one)
    mu = float(one @ inverse @ y) / precision
    residual = y - mu * one
    _, log_determinant = np.linalg.slogdet(v)
    likelihood = -0.5 * (log_determinant + np.log(precision) + float(residual @ inverse @ residual))
    gain = tau**2 * (b.T @ inverse)
    u = gain @ residual
    pull = gain @ one
    spread = np.zeros((a.shape[1], a.shape[1]))
    spread[0, 0] = 1 / precision
    spread[0, 1:] = spread[1:, 0] = -pull / precision
    spread[1:, 1:] = tau**2 * np.eye(b.shape[1]) - tau**2 * (gain @ b) + np.outer(pull, pull) / precision
    return likelihood, w @ np.concatenate(([mu], u)), np.einsum("ij,jk,ik->i", w, spread, w)


def _quantiles(weight: Floats, means: Floats, deviations: Floats, q: float) -> Floats:
    """The `q` quantile of each mixture of normals, by bisection on its distribution function."""
    from scipy.special import ndtr

    low: Floats = (means - 12 * deviations).min(axis=0)
    high: Floats = (means + 12 * deviations).max(axis=0)
    for _ in range(80):
        middle = (low + high) / 2
        share: Floats = ndtr((middle - means) / np.maximum(deviations, 1e-300))
        below = weight @ share < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
