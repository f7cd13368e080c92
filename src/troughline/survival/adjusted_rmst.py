"""Difference in restricted mean survival time between two groups, adjusted for covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival.censoring import censoring_curve
from troughline.survival.cox import checked_covariates
from troughline.survival.effects import LinearEffect, linear_effects
from troughline.survival.times import (
    FloatArray,
    SurvivalTimes,
    as_floats,
    checked_horizon,
    checked_level,
    checked_times,
    coded_groups,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedRestrictedMean:
    """`difference` is `group` minus `reference` at the same covariates; `terms` are the covariates' effects.

    `intercept` is the mean of the reference group with all covariates 0; `covariance` (2 + p, 2 + p) is that
    of intercept, difference and terms.
    """

    group: str
    reference: str
    tau: float
    level: float
    intercept: LinearEffect
    difference: LinearEffect
    terms: tuple[LinearEffect, ...]
    covariance: FloatArray
    n: int
    n_censored_before_tau: int


def adjusted_restricted_mean(
    time: ArrayLike,
    event: ArrayLike,
    group: Sequence[Any] | NDArray[Any],
    covariates: ArrayLike,
    names: Sequence[str],
    *,
    tau: float,
    order: Sequence[str] | None = None,
    level: float = 0.95,
) -> AdjustedRestrictedMean:
    """Regress the time alive up to `tau` on the group and covariates (n, p), weighted for censoring.

    Parameters: `time`, `event`, `group`, `order` as in `kaplan_meier`, two groups, the first the reference;
    `covariates`, `names` as in `fit_cox`, possibly none; `tau` as in `restricted_mean_survival`. Without any
    covariate the difference is that of the two areas under the Kaplan–Meier curves.

    Raises `ValueError` for other than two groups, a `tau` beyond the longest follow-up of either, collinear
    covariates, and what `checked_times` refuses.

    E[min(T, τ)] = a + d·1{group} + xᵀβ, by weighted least squares over those who had the event or were
    followed to τ, weights 1/G_group(min(T, τ)−); variance by influence functions, the estimation of G
    included (Tian, Zhao and Wei 2014, doi 10.1093/biostatistics/kxt050; R's `survRM2::rmst2`, which reads G
    at T instead of T−).
    """
    times = checked_times(time, event)
    codes, labels = coded_groups(group, times.n, order)
    checked_level(level)
    if len(labels) != 2:
        raise ValueError(f"an adjusted difference needs two groups; there are {len(labels)}")
    x = checked_covariates(covariates, names, times.n) if names else np.zeros((times.n, 0))
    checked_horizon(tau, times, codes, labels)
    design = np.column_stack((np.ones(times.n), codes == 1, x)).astype(np.float64)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError(f"{', '.join(names)}: collinear, constant, or the same thing as the group")
    lived = np.minimum(times.time, tau)
    censored = ~times.event & (times.time < tau)
    weight = _weights(times, lived, censored, codes)
    cross = design.T @ (design * weight[:, np.newaxis])
    beta = as_floats(np.linalg.solve(cross, design.T @ (weight * lived)))
    score = design * (weight * (lived - design @ beta))[:, np.newaxis]
    influence = score + _weight_influence(lived, censored, codes, score)
    bread = as_floats(np.linalg.inv(cross))
    covariance = bread @ (influence.T @ influence) @ bread
    found = linear_effects(("intercept", f"{labels[1]} - {labels[0]}", *names), beta, covariance, level)
    return AdjustedRestrictedMean(
        group=labels[1],
        reference=labels[0],
        tau=float(tau),
        level=level,
        intercept=found[0],
        difference=found[1],
        terms=found[2:],
        covariance=covariance,
        n=times.n,
        n_censored_before_tau=int(censored.sum()),
    )


def _weights(
    times: SurvivalTimes, lived: FloatArray, censored: NDArray[np.bool_], codes: NDArray[np.int64]
) -> FloatArray:
    weight = np.zeros(times.n)
    for code in (0, 1):
        rows = codes == code
        curve = censoring_curve(lived[rows], censored[rows], events_first=True)
        kept = ~censored[rows]
        weight[rows] = np.divide(1.0, curve.before(lived[rows]), out=np.zeros(int(rows.sum())), where=kept)
    return weight


def _weight_influence(
    lived: FloatArray, censored: NDArray[np.bool_], codes: NDArray[np.int64], score: FloatArray
) -> FloatArray:
    """∫ (Σ_{T_k > s} score_k) / Y(s) dM_i(s) of each patient, M the martingale of censoring in a group."""
    found = np.zeros_like(score)
    for code in (0, 1):
        rows = np.flatnonzero(codes == code)
        curve = censoring_curve(lived[rows], censored[rows], events_first=True)
        own = np.searchsorted(curve.time, lived[rows])
        summed = np.zeros((curve.time.size + 1, score.shape[1]))
        np.add.at(summed, own, score[rows])
        later = summed[::-1].cumsum(axis=0)[::-1][1:]
        share = (
            later
            * np.divide(1.0, curve.at_risk, out=np.zeros_like(curve.at_risk), where=curve.at_risk > 0)[
                :, np.newaxis
            ]
        )
        compensator = np.concatenate(
            (np.zeros((1, score.shape[1])), np.cumsum(share * curve.hazard[:, np.newaxis], axis=0))
        )
        lost = censored[rows]
        found[rows] = (
            np.where(lost[:, np.newaxis], share[own], 0.0) - compensator[np.where(lost, own + 1, own)]
        )
    return found
