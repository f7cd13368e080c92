"""Linear mixed model of a marker in time: each patient a line, the lines around a common one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from troughline.survival.marker_histories import MarkerHistories
from troughline.survival.times import FloatArray, as_floats


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedModelFit:
    """A fit by maximum likelihood; `fixed` (q,) on the marker's own scale, `covariance` (q, q) theirs.

    `between` = `root` `root`ᵀ (2, 2) is the covariance of the patients' intercepts and slopes, singular where
    the data show one kind of deviation only; `residual` is the standard deviation of a measurement about its
    patient's line. `deviations` (n, 2) and `deviation_covariance`
    (n, 2, 2) are each patient's, given the measurements.
    """

    names: tuple[str, ...]
    fixed: FloatArray
    covariance: FloatArray
    between: FloatArray
    root: FloatArray
    residual: float
    log_likelihood: float
    deviations: FloatArray
    deviation_covariance: FloatArray


def fit_mixed_model(histories: MarkerHistories) -> MixedModelFit:
    """Fit y = x(t)ᵀβ + b₀ + b₁ t + ε, b ~ N(0, D), ε ~ N(0, σ²), by maximum likelihood.

    Raises `ValueError` where the likelihood has no maximum inside the parameters' range that can be found
    (too few repeated measurements, collinear covariates). Laird and Ware 1982, doi 10.2307/2529876.
    """
    from scipy.optimize import minimize

    start = _start(histories)
    found = minimize(
        lambda point: -_profile(histories, point)[0], start, method="BFGS", options={"gtol": 1e-7}
    )
    # A last difference quotient may not reach the tolerance; what counts is that the likelihood is flat.
    value, fixed, inverse, root, sigma = _profile(histories, found.x)
    if not (math.isfinite(value) and np.isfinite(fixed).all() and float(np.max(np.abs(found.jac))) < 1e-2):
        raise ValueError(f"the mixed model of the marker was not fitted: {found.message}")
    unit, spread = unit_deviations(histories, fixed, root, sigma)
    shifted = fixed.copy()
    shifted[0] += histories.centre
    return MixedModelFit(
        names=histories.names,
        fixed=shifted,
        covariance=inverse,
        between=root @ root.T,
        root=root,
        residual=sigma,
        log_likelihood=value,
        deviations=unit @ root.T,
        deviation_covariance=root @ spread @ root.T,
    )


def unit_deviations(
    histories: MarkerHistories, fixed: FloatArray, root: FloatArray, sigma: float
) -> tuple[FloatArray, FloatArray]:
    """Mean (n, 2) and covariance (n, 2, 2) of u given the measurements, b = `root` u; y centred."""
    rest = histories.moment - np.einsum("ijk,ik->ij", histories.cross, histories.design @ fixed)
    spread = as_floats(np.linalg.inv(np.eye(2) + root.T @ histories.cross @ root / sigma**2))
    return np.einsum("ijk,ik->ij", spread, rest @ root) / sigma**2, spread


def _start(histories: MarkerHistories) -> FloatArray:
    """log σ and the Cholesky factor of D (logs on its diagonal) from one line through everything."""
    total, moment = as_floats(histories.cross.sum(axis=0)), as_floats(histories.moment.sum(axis=0))
    line = as_floats(np.linalg.solve(total, moment))
    rest = float(histories.square.sum() - line @ moment) / float(histories.count.sum())
    deviation = math.sqrt(max(rest, 1e-12))
    span = math.sqrt(max(float(total[1, 1] / total[0, 0]), 1e-12))
    return np.asarray([math.log(deviation / 2), math.log(deviation), 0.0, math.log(deviation / (2 * span))])


def _profile(
    histories: MarkerHistories, point: FloatArray
) -> tuple[float, FloatArray, FloatArray, FloatArray, float]:
    """Log-likelihood at σ and D with the best fixed effects; these, their covariance, D's root and σ."""
    if not np.all(np.abs(point) < 50):
        point = np.clip(point, -50, 50)
    sigma = math.exp(point[0])
    root = np.array([[math.exp(point[1]), 0.0], [point[2], math.exp(point[3])]])
    # With b = root u: V = σ² I + Z root rootᵀ Zᵀ, so that a D near singular does no harm.
    inner = np.eye(2) + root.T @ histories.cross @ root / sigma**2
    solved = root @ np.linalg.inv(inner) @ root.T
    weight = histories.cross / sigma**2 - histories.cross @ solved @ histories.cross / sigma**4
    pulled = (
        histories.moment / sigma**2
        - np.einsum("ijk,ikl,il->ij", histories.cross, solved, histories.moment) / sigma**4
    )
    design = histories.design
    information = as_floats(np.einsum("ijp,ijk,ikq->pq", design, weight, design))
    projection = as_floats(np.einsum("ijp,ij->p", design, pulled))
    inverse = as_floats(np.linalg.inv(information))
    fixed = inverse @ projection
    quadratic = float(histories.square.sum()) / sigma**2
    quadratic -= float(np.einsum("ij,ijk,ik->", histories.moment, solved, histories.moment)) / sigma**4
    quadratic -= float(projection @ fixed)
    total = int(histories.count.sum())
    determinant = float(np.linalg.slogdet(inner)[1].sum()) + 2 * total * math.log(sigma)
    return -0.5 * (total * math.log(2 * math.pi) + determinant + quadratic), fixed, inverse, root, sigma
