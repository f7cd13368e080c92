"""Joint model of a longitudinal marker and survival: does the marker's true current value drive hazard?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival.cox import CoxTerm, checked_covariates, wald_terms
from troughline.survival.effects import LinearEffect, linear_effects
from troughline.survival.joint_likelihood import (
    JointData,
    JointParameters,
    Nodes,
    evaluate,
    hermite_nodes,
    joint_data,
    moved_nodes,
    unpacked,
)
from troughline.survival.marker_histories import marker_histories
from troughline.survival.mixed_model import MixedModelFit, fit_mixed_model, unit_deviations
from troughline.survival.times import FloatArray, SurvivalTimes, as_floats, checked_level, checked_times

_PLACEMENTS = 8
_PLACED = 1e-6
_GRADIENT = 1e-4
_DIFFERENCE = 1e-4
# Twice what the likelihood could still rise by, were it quadratic.
_DECREMENT = 1e-3


class JointModelError(ValueError):
    """A joint model that could not be fitted to these data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointModelFit:
    """A joint model fitted by maximum likelihood.

    `association` is α, per unit of the marker's current true value; `slope_association` α₂, per unit of its
    slope, or None; `hazard_terms` the fixed covariates of the hazard, `marker_terms` those of the marker.
    The baseline hazard is `baseline` (Q,), at marker 0 and covariates 0, between `cuts` (Q − 1,).
    `between` (2, 2) is the covariance of patients' intercepts and slopes, `residual` the standard deviation
    of a measurement. `parameters` and `parameter_covariance` (p, p) are as the likelihood has them (marker
    centred at `centre`), for `predict_survival`. `deviations` (n, 2) are the patients' b, given everything.
    """

    association: CoxTerm
    slope_association: CoxTerm | None
    hazard_terms: tuple[CoxTerm, ...]
    marker_terms: tuple[LinearEffect, ...]
    level: float
    cuts: FloatArray
    baseline: FloatArray
    log_baseline_standard_error: FloatArray
    between: FloatArray
    residual: float
    log_likelihood: float
    n: int
    n_events: int
    n_measurements: int
    longest: float
    centre: float
    parameters: JointParameters
    parameter_covariance: FloatArray
    deviations: FloatArray
    marker_alone: MixedModelFit


def fit_joint_model(
    time: ArrayLike,
    event: ArrayLike,
    patient: Sequence[Any] | NDArray[Any],
    measured_patient: Sequence[Any] | NDArray[Any],
    measured_at: ArrayLike,
    marker: ArrayLike,
    *,
    covariates: ArrayLike | None = None,
    covariate_names: Sequence[str] = (),
    marker_covariates: ArrayLike | None = None,
    marker_covariate_names: Sequence[str] = (),
    slope_association: bool = False,
    cuts: Sequence[float] | None = None,
    intervals: int = 7,
    nodes: int = 9,
    level: float = 0.95,
) -> JointModelFit:
    """Fit a marker's line and the hazard that follows it together.

    Parameters: `time`, `event` (n,) as in `checked_times`, `patient` (n,) who, each once; one entry a
    measurement: `measured_patient`, `measured_at` (before time 0 is below 0), `marker` (r,), the marker on
    the scale on which its lines are straight (a logarithm for a level); `covariates` (n, r) of the hazard,
    `marker_covariates` (n, q) of the marker's level; `slope_association` also lets the hazard follow the
    slope; the baseline hazard is constant between `cuts`, or in `intervals` parts with as many ends of
    follow-up each; `nodes` of the integral in each direction.

    Raises `ValueError` for a measurement after its patient's end of follow-up, cuts that do not rise within
    follow-up, and what `checked_times` and `marker_histories` refuse; `JointModelError` where there is no
    event, an interval holds none, or no maximum was found.

    y = m(t) + ε, m(t) = (β₀ + b₀ + xᵀβ) + (β₁ + b₁) t, h(t) = ξ_q exp(zᵀγ + α m(t) + α₂ m′(t)); b ~ N(0, D)
    (Wulfsohn and Tsiatis 1997, doi 10.2307/2533118; Rizopoulos 2012, doi 10.1201/b12208). The integral over b
    is by Gauss–Hermite at nodes that follow each patient's posterior; the cumulative hazard is exact. Errors
    come from the observed information.
    """
    times = checked_times(time, event)
    checked_level(level)
    if not times.event.any():
        raise JointModelError("no event among these patients: nothing can be said about the hazard")
    histories = marker_histories(
        patient,
        measured_patient,
        measured_at,
        marker,
        covariates=marker_covariates,
        covariate_names=marker_covariate_names,
    )
    if histories.n != times.n:
        raise ValueError(f"patient has {histories.n} labels where time has {times.n}")
    _refuse_late(times, patient, measured_patient, np.asarray(measured_at, dtype=np.float64))
    z = (
        np.zeros((times.n, 0))
        if covariates is None
        else checked_covariates(covariates, covariate_names, times.n)
    )
    data = joint_data(
        times.time,
        times.event,
        z,
        histories,
        _cuts(times, cuts, intervals),
        with_slope=slope_association,
    )
    alone = fit_mixed_model(histories)
    point, placed = _maximise(data, alone, nodes)
    return _described(data, point, placed, alone, covariate_names, level)


def _refuse_late(
    times: SurvivalTimes,
    patient: Sequence[Any] | NDArray[Any],
    measured_patient: Sequence[Any] | NDArray[Any],
    measured_at: FloatArray,
) -> None:
    end = dict(zip((str(p) for p in patient), times.time.tolist(), strict=True))
    for k, (who, at) in enumerate(zip(measured_patient, measured_at.tolist(), strict=True)):
        if at > end[str(who)]:
            raise ValueError(
                f"measurement {k}: {at:g} is after the follow-up of patient {who!r}, which ends at "
                f"{end[str(who)]:g}"
            )


def _cuts(times: SurvivalTimes, cuts: Sequence[float] | None, intervals: int) -> FloatArray:
    if cuts is None:
        if intervals < 1:
            raise ValueError(f"intervals = {intervals} is not 1 or more")
        found = np.unique(np.quantile(times.time, np.linspace(0, 1, intervals + 1)[1:-1]))
    else:
        found = np.asarray(cuts, dtype=np.float64)
        longest = float(times.time.max())
        if found.ndim != 1 or np.any(np.diff(found) <= 0) or np.any((found <= 0) | (found >= longest)):
            raise ValueError(f"cuts must rise within 0 to {longest:g}, the longest follow-up")
    interval = np.searchsorted(found, times.time[times.event], side="left")
    empty = np.flatnonzero(np.bincount(interval, minlength=found.size + 1) == 0)
    if empty.size:
        edges = np.concatenate(([0.0], found, [times.time.max()]))
        k = int(empty[0])
        raise JointModelError(
            f"no event between {edges[k]:g} and {edges[k + 1]:g}: its baseline hazard has no estimate; "
            "use fewer intervals or other cuts"
        )
    return found


def _maximise(data: JointData, alone: MixedModelFit, count: int) -> tuple[FloatArray, Nodes]:
    """The estimate and the nodes at it, which are placed anew until the likelihood settles."""
    from scipy.optimize import minimize

    fixed = alone.fixed.copy()
    fixed[0] -= data.histories.centre
    exposure = np.bincount(data.pair_interval, weights=2 * data.half, minlength=data.n_intervals)
    events = np.bincount(data.event_interval, weights=data.event, minlength=data.n_intervals)
    # Where D was singular the likelihood is level in its last entry; a step aside shows it the way.
    root = alone.root.copy()
    root[1, 1] = max(root[1, 1], 0.1 * math.sqrt(alone.between[1, 1]))
    start = JointParameters(
        fixed=fixed,
        log_sigma=math.log(alone.residual),
        root=root,
        hazard=np.zeros(int(data.covariates.shape[1])),
        association=np.zeros(2 if data.with_slope else 1),
        log_baseline=np.log(events / exposure),
    )
    point = start.packed()
    nodes = hermite_nodes(*unit_deviations(data.histories, fixed, root, alone.residual), count)
    previous = -math.inf
    for _ in range(_PLACEMENTS):
        at = evaluate(point, data, nodes)
        outer = as_floats(at.score.T @ at.score)
        outer = outer + 1e-8 * float(np.trace(outer)) / point.size * np.eye(point.size)
        found = minimize(
            _objective,
            point,
            args=(data, nodes),
            jac=True,
            method="BFGS",
            options={
                "gtol": _GRADIENT,
                "hess_inv0": _symmetric(as_floats(np.linalg.inv(outer))),
                "maxiter": 500,
            },
        )
        if not math.isfinite(float(found.fun)):
            raise JointModelError(f"the joint model was not fitted: {found.message}")
        point = as_floats(found.x)
        at = evaluate(point, data, nodes)
        nodes = moved_nodes(nodes, at.posterior, count)
        value = float(evaluate(point, data, nodes).log_likelihood.sum())
        if abs(value - previous) < _PLACED * max(1.0, abs(value)) ** 0.5:
            break
        previous = value
    return point, nodes


def _objective(point: FloatArray, data: JointData, nodes: Nodes) -> tuple[float, FloatArray]:
    if not np.all(np.abs(point) < 60):
        return math.inf, np.zeros_like(point)
    with np.errstate(over="ignore", invalid="ignore"):
        at = evaluate(point, data, nodes)
    value = float(at.log_likelihood.sum())
    if not math.isfinite(value):
        return math.inf, np.zeros_like(point)
    return -value, -at.score.sum(axis=0)


def _symmetric(matrix: FloatArray) -> FloatArray:
    return (matrix + matrix.T) / 2


def _information(data: JointData, point: FloatArray, nodes: Nodes) -> FloatArray:
    """Observed information by central differences of the exact score."""
    size = point.size
    columns = np.empty((size, size))
    for k in range(size):
        step = np.zeros(size)
        step[k] = _DIFFERENCE * max(1.0, abs(float(point[k])))
        up = evaluate(point + step, data, nodes).score.sum(axis=0)
        down = evaluate(point - step, data, nodes).score.sum(axis=0)
        columns[:, k] = (down - up) / (2 * step[k])
    return _symmetric(columns)


def _described(
    data: JointData,
    point: FloatArray,
    nodes: Nodes,
    alone: MixedModelFit,
    names: Sequence[str],
    level: float,
) -> JointModelFit:
    information = _information(data, point, nodes)
    try:
        np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        raise JointModelError(
            "the likelihood is flat or rises in some direction at the estimate: these data do not determine "
            "every parameter (fewer intervals, or no slope association, may)"
        ) from None
    covariance = _symmetric(as_floats(np.linalg.inv(information)))
    parameters = unpacked(point, data)
    at = evaluate(point, data, nodes)
    score = at.score.sum(axis=0)
    if float(score @ covariance @ score) > _DECREMENT:
        raise JointModelError("no maximum of the likelihood was reached; fewer intervals may help")
    q, r = parameters.fixed.size, parameters.hazard.size
    s = parameters.association.size
    fixed = parameters.fixed.copy()
    fixed[0] += data.histories.centre
    first = q + 4
    hazard = slice(first, first + r)
    association = slice(first + r, first + r + s)
    associations = wald_terms(
        ("current value", "slope")[:s], point[association], covariance[association, association], level
    )
    # From the marker's mean to a marker of 0: log ξ − α · centre, its error with it.
    intervals = data.n_intervals
    shift = np.zeros((intervals, point.size))
    shift[:, first + r + s :] = np.eye(intervals)
    shift[:, first + r] = -data.histories.centre
    return JointModelFit(
        association=associations[0],
        slope_association=associations[1] if s == 2 else None,
        hazard_terms=wald_terms(tuple(names), point[hazard], covariance[hazard, hazard], level),
        marker_terms=linear_effects(data.histories.names, fixed, covariance[:q, :q], level),
        level=level,
        cuts=data.cuts,
        baseline=np.exp(shift @ point),
        log_baseline_standard_error=np.sqrt(np.einsum("ip,pq,iq->i", shift, covariance, shift)),
        between=parameters.root @ parameters.root.T,
        residual=math.exp(parameters.log_sigma),
        log_likelihood=float(at.log_likelihood.sum()),
        n=data.time.size,
        n_events=int(data.event.sum()),
        n_measurements=int(data.histories.count.sum()),
        longest=float(data.time.max()),
        centre=data.histories.centre,
        parameters=parameters,
        parameter_covariance=covariance,
        deviations=np.einsum("nk,nkj->nj", at.posterior, nodes.u) @ parameters.root.T,
        marker_alone=alone,
    )
