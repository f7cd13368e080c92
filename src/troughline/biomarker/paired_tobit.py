"""The Tobit mixed model: censored normal levels with a random intercept a patient, by maximum likelihood.

For levels measured more than once in a patient: it has a random intercept and takes intervals of any kind,
and is judged by likelihood ratios. `troughline.biomarker.tobit` is the regression of one level a patient,
censored from below alone, with a concave likelihood and t intervals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Censored
from troughline.biomarker.maximum import maximise

Floats = NDArray[np.float64]
Whole = NDArray[np.intp]

_REACH, _NODES = 7.5, 61
_LOG_ROOT = 0.5 * math.log(2 * math.pi)
# How far a mean may run from the levels, in their standard deviations, before it is called unbounded.
_FARTHEST = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TobitFit:
    """A fitted model: `coefficients` of the columns of the design, and the two standard deviations.

    `between_sd` is that of the random intercept, `within_sd` that of a single level about it. `unbounded`
    tells for each coefficient whether it ran away: the likelihood rises towards infinity there. `converged`
    tells whether a maximum was reached; who compares likelihoods asks for `reached()`.
    """

    coefficients: Floats
    between_sd: float
    within_sd: float
    log_likelihood: float
    converged: bool
    unbounded: NDArray[np.bool_]

    def reached(self) -> TobitFit:
        """The fit itself. Raises `ValueError` where no maximum was reached, whose likelihood says nothing."""
        if not self.converged:
            raise ValueError(
                "the Tobit mixed model did not converge: no maximum of its likelihood was reached"
            )
        return self

    @property
    def start(self) -> Floats:
        """Where a fit of a similar model may start: coefficients, log within SD, log between SD."""
        return np.concatenate([self.coefficients, [math.log(self.within_sd), math.log(self.between_sd)]])


@dataclass(frozen=True, slots=True)
class Records:
    """Levels of several patients as a model sees them: row i belongs to patient `patient[i]` (0, 1, …)."""

    level: Censored
    patient: Whole

    @property
    def n_patients(self) -> int:
        """How many patients there are."""
        return int(self.patient.max()) + 1 if len(self.patient) else 0


def fit_tobit(
    records: Records, design: Floats, *, offset: Floats | None = None, start: Floats | None = None
) -> TobitFit:
    """Fit y = offset + design · β + u + e, u ~ N(0, between²) a patient, e ~ N(0, within²), y censored.

    `design` is (n_rows, n_coefficients). A patient's quantified levels are integrated in closed form; what
    they leave of u is integrated over the probabilities of the censored ones with the trapezoidal rule,
    which for a normal weight converges faster than any power of the number of nodes. Gradients are exact
    (the score is the mean of the complete-data score). Model: Thiébaut & Jacqmin-Gadda 2004,
    doi 10.1016/j.cmpb.2003.08.004.
    Raises `ValueError` where there are fewer than two quantified levels, or all are equal.
    """
    model = _Likelihood(records, design, np.zeros(len(records.patient)) if offset is None else offset)
    n = design.shape[1]
    first = model.start() if start is None else start
    centre, spread = model.centre, model.spread
    bounds = [(-_FARTHEST * spread + min(0.0, centre), _FARTHEST * spread + max(0.0, centre))] * n
    log_spread = math.log(spread)
    bounds += [(log_spread - 9.0, log_spread + 4.0), (log_spread - 9.0, log_spread + 4.0)]
    first = np.clip(first, [b[0] for b in bounds], [b[1] for b in bounds])
    scale = np.append(np.full(n, spread), [1.0, 1.0])
    found = maximise(model.objective, first, bounds, scale)
    if start is not None and not found.converged:
        # A mean that had run away can lead a neighbouring model astray: begin again from the levels.
        own = np.clip(model.start(), [b[0] for b in bounds], [b[1] for b in bounds])
        found = maximise(model.objective, own, bounds, scale)
    theta = found.at
    ends = np.array(bounds)[:n]
    width = ends[:, 1] - ends[:, 0]
    ran_away = (theta[:n] - ends[:, 0] < 0.3 * width) | (ends[:, 1] - theta[:n] < 0.3 * width)
    return TobitFit(
        coefficients=theta[:n], between_sd=math.exp(theta[n + 1]), within_sd=math.exp(theta[n]),
        log_likelihood=found.log_likelihood, converged=found.converged, unbounded=ran_away,
    )  # fmt: skip


class _Likelihood:
    """The log-likelihood with its gradient; what does not depend on the parameters is worked out once."""

    def __init__(self, records: Records, design: Floats, offset: Floats) -> None:
        level, patient = records.level, records.patient
        exact = level.exact
        # Censored levels patient after patient, so that those of one are summed as a block.
        cut = np.flatnonzero(~exact)
        cut = cut[np.argsort(patient[cut], kind="stable")]
        self.design_exact, self.design_cut = design[exact], design[cut]
        self.y = level.low[exact] - offset[exact]
        self.low, self.high = level.low[cut] - offset[cut], level.high[cut] - offset[cut]
        self.owner, n = patient[exact], records.n_patients
        if len(self.y) < 2:
            raise ValueError(f"{len(self.y)} quantified levels: a model of levels needs two or more")
        self.centre, self.spread = float(self.y.mean()), float(self.y.std())
        if not self.spread > 0:
            raise ValueError("every quantified level is the same: a model has no spread to work with")
        self.n_exact = np.bincount(self.owner, minlength=n).astype(np.float64)
        self.with_cut, self.block, self.place = np.unique(
            patient[cut], return_index=True, return_inverse=True
        )
        self.n = n
        self.z = np.linspace(-_REACH, _REACH, _NODES)
        self.log_weight = -(self.z**2) / 2 - _LOG_ROOT + math.log(self.z[1] - self.z[0])

    def start(self) -> Floats:
        """Least squares with each censored level at its limit."""
        design = np.concatenate([self.design_exact, self.design_cut])
        limit = np.where(np.isfinite(self.high), self.high, self.low)
        y = np.concatenate([self.y, limit])
        beta = np.linalg.lstsq(design, y, rcond=None)[0]
        sd = max(float((y - design @ beta).std()), 0.05 * self.spread)
        return np.concatenate([beta, [math.log(0.7 * sd), math.log(0.7 * sd)]])

    def objective(self, theta: Floats) -> tuple[float, Floats]:
        """Minus the log-likelihood, and its gradient."""
        beta, within, between = theta[:-2], math.exp(theta[-2]), math.exp(theta[-1])
        r = self.y - self.design_exact @ beta
        n_i = self.n_exact
        sum_r = np.bincount(self.owner, r, minlength=self.n)
        sum_r2 = np.bincount(self.owner, r**2, minlength=self.n)
        precision = n_i / within**2 + 1 / between**2
        mean, variance = sum_r / within**2 / precision, 1 / precision
        # log of the density of a patient's quantified levels, u integrated out.
        value = float(
            (
                -n_i * (_LOG_ROOT + math.log(within)) - sum_r2 / within**2 / 2
                - math.log(between) - np.log(precision) / 2 + mean**2 * precision / 2
            ).sum()
        )  # fmt: skip
        u1, u2 = mean.copy(), mean**2 + variance
        by_cut = np.zeros(len(self.low))
        by_log_within_cut = 0.0
        if len(self.low):
            gain, u1_cut, u2_cut, by_cut, by_log_within_cut = self._censored(beta, within, mean, variance)
            value += gain
            u1[self.with_cut], u2[self.with_cut] = u1_cut, u2_cut
        slope_exact = (r - u1[self.owner]) / within**2
        by_beta = self.design_exact.T @ slope_exact + self.design_cut.T @ by_cut
        square = float((sum_r2 - 2 * u1 * sum_r + n_i * u2).sum()) / within**2
        by_log_within = square - float(n_i.sum()) + by_log_within_cut
        by_log_between = float(u2.sum()) / between**2 - self.n
        return -value, -np.concatenate([by_beta, [by_log_within, by_log_between]])

    def _censored(
        self, beta: Floats, within: float, mean: Floats, variance: Floats
    ) -> tuple[float, Floats, Floats, Floats, float]:
        """What the censored levels add to the log-likelihood, the moments of u given all, and the scores."""
        m, sd = mean[self.with_cut], np.sqrt(variance[self.with_cut])
        u = m[:, None] + sd[:, None] * self.z
        fixed = self.design_cut @ beta
        a = (self.low[:, None] - fixed[:, None] - u[self.place]) / within
        b = (self.high[:, None] - fixed[:, None] - u[self.place]) / within
        log_p, fa, fb, ga, gb = interval_terms(a, b)
        joint = np.add.reduceat(log_p, self.block, axis=0) + self.log_weight
        top = joint.max(axis=1, keepdims=True)
        weight = np.exp(joint - top)
        total = weight.sum(axis=1, keepdims=True)
        weight /= total
        gain = float((top[:, 0] + np.log(total[:, 0])).sum())
        each = weight[self.place]
        by_mean = (each * (fa - fb)).sum(axis=1) / within
        by_log_within = float((each * (ga - gb)).sum())
        return gain, (weight * u).sum(axis=1), (weight * u**2).sum(axis=1), by_mean, by_log_within


def interval_terms(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """log P, φ(a)/P, φ(b)/P, aφ(a)/P, bφ(b)/P with P = Φ(b) − Φ(a), for standardised ends a < b."""
    from scipy.special import log_ndtr

    if not np.isfinite(a).any():
        log_p = log_ndtr(b)
        fb = np.exp(-(b**2) / 2 - _LOG_ROOT - log_p)
        zero = np.zeros_like(b)
        return log_p, zero, fb, zero, b * fb
    # On the side where both tails are small, so that their difference keeps its digits.
    flip = a > 0
    high, low = np.where(flip, -a, b), np.where(flip, -b, a)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        top, bottom = log_ndtr(high), log_ndtr(low)
        log_p = top + np.log1p(-np.exp(np.minimum(bottom - top, -1e-15)))
        fa = np.exp(-(a**2) / 2 - _LOG_ROOT - log_p)
        fb = np.exp(-(b**2) / 2 - _LOG_ROOT - log_p)
    return log_p, fa, fb, np.where(np.isfinite(a), a, 0.0) * fa, np.where(np.isfinite(b), b, 0.0) * fb
