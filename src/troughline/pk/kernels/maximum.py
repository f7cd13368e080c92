"""The maximum a posteriori estimate: Newton steps on exact gradients, from several starts.

The curvature is that of `likelihood.assess` plus a secant correction for what it leaves out (the structured
secant method of Dennis, Gay and Welsch, doi 10.1145/355958.355965, with a symmetric rank-one update), or the
expected information where that is not definite. A step that does not lower the objective enough is
shortened, and none is longer than a few prior standard deviations.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.views import matrix, vector
from troughline.model.kernels.workspace import patient_effects, workspace
from troughline.pk.kernels.likelihood import NONE, assess, assess_size, misfit, objective
from troughline.pk.kernels.matrices import cholesky, cholesky_inverse, cholesky_solve, log_determinant

CONVERGED, ITERATION_LIMIT, NO_LIKELIHOOD, NO_PREDICTION, NO_OBSERVATION, NO_EFFECTS = 0, 1, 2, 3, 4, 5
_LONGEST_STEP = 4.0  # prior standard deviations
_DECREASE = 1e-4
_CONVERGED_AT = 1e-8
"""Expected decrease of the objective, per 1 + |objective|, below which the last step is taken unseen: the
estimate is then about 1e-4 of a standard deviation from the minimum before that step, 1e-6 after it."""
_HELD = 1e19
"""Precision from which on an effect has no variance and nowhere else to start from."""
_NEAR = 0.06
"""Steps up to this many prior standard deviations tell of the curvature at the minimum."""


@kernel
def fill_precision(L: Any, subject: Any, occasion: Any, q: int, out: Any) -> None:
    """The prior precision of a patient's effects, (q, q): the subject block, then one block an occasion."""
    ms, mo = L[at.M_SUBJECT], L[at.M_OCCASION]
    out[:q, :q] = 0.0
    for i in range(ms):
        for j in range(ms):
            out[i, j] = subject[i, j]
    occasions = (q - ms) // mo if mo > 0 else 0
    for k in range(occasions):
        base = ms + k * mo
        for i in range(mo):
            for j in range(mo):
                out[base + i, base + j] = occasion[i, j]


@kernel
def observations_used(L: Any, RI: Any, first: int, last: int) -> int:
    """How many observations of a patient count in the likelihood."""
    count = 0
    for r in range(first, last):
        if RI[r, at.R_EVENT] == at.EV_OBSERVATION and RI[r, at.R_CENSORING] != 3:
            if L[L[at.OUT_KIND] + RI[r, at.R_OUTPUT]] != NONE:
                count += 1
    return count


@kernel
def climb(
    L: Any, C: Any, FN: Any, theta: Any, precision: Any, RF: Any, RI: Any, cov: Any, first: int, last: int,
    W: Any, I: Any, f: Any, df: Any, err: Any, derr: Any, zero_weight: float, max_iterations: int,  # noqa: E741
    eta: Any, information: Any,
) -> Any:  # fmt: skip
    """Minimise Φ from `eta` in place; `information` ← the expected information at the minimum.

    Returns (Φ, status, iterations).
    """
    return descend(
        L, C, FN, theta, precision, RF, RI, cov, first, last, W, I, f, df, err, derr, zero_weight,
        max_iterations, eta, information, np.empty(descend_size(eta.size)),
    )  # fmt: skip


@kernel
def descend_size(q: Any) -> Any:
    """Length of the work array of `descend`."""
    return assess_size(q) + 5 * q + 5 * q * q


@kernel
def descend(
    L: Any, C: Any, FN: Any, theta: Any, precision: Any, RF: Any, RI: Any, cov: Any, first: int, last: int,
    W: Any, I: Any, f: Any, df: Any, err: Any, derr: Any, zero_weight: float, max_iterations: int,  # noqa: E741
    eta: Any, information: Any, work: Any,
) -> Any:  # fmt: skip
    """`climb`, with the arrays it works in."""
    q = eta.size
    here, after = assess_size(q), assess_size(q) + 5 * q
    g, g_new, step = vector(work, here, q), vector(work, here + q, q), vector(work, here + 2 * q, q)
    trial, miss = vector(work, here + 3 * q, q), vector(work, here + 4 * q, q)
    factor, extra = matrix(work, after, q, q), matrix(work, after + q * q, q, q)
    h_new, curve = matrix(work, after + 2 * q * q, q, q), matrix(work, after + 3 * q * q, q, q)
    c_new = matrix(work, after + 4 * q * q, q, q)
    extra[:, :] = 0.0
    value, status = assess(
        L, C, FN, theta, precision, eta, RF, RI, cov, first, last, W, I, f, df, err, derr, zero_weight, g,
        information, curve, work,
    )  # fmt: skip
    if status != at.OK:
        return value, NO_PREDICTION, 0
    if value == np.inf:
        return value, NO_LIKELIHOOD, 0
    expected = False
    for iteration in range(max_iterations):
        if not _newton_step(q, g, information, curve, extra, factor, step, expected):
            return value, NO_LIKELIHOOD, iteration
        slope, length = 0.0, _length(q, precision, step)
        for i in range(q):
            slope += g[i] * step[i]
        if -slope <= _CONVERGED_AT * (1.0 + abs(value)):
            for i in range(q):
                eta[i] += step[i]
            return value + 0.5 * slope, CONVERGED, iteration
        share = min(1.0, _LONGEST_STEP * math.sqrt(float(q)) / length) if length > 0.0 else 1.0
        accepted = False
        value_new = value
        for _ in range(40):
            for i in range(q):
                trial[i] = eta[i] + share * step[i]
            value_new, status = assess(
                L, C, FN, theta, precision, trial, RF, RI, cov, first, last, W, I, f, df, err, derr,
                zero_weight, g_new, h_new, c_new, work,
            )  # fmt: skip
            if value_new <= value + _DECREASE * share * slope:
                accepted = True
                break
            if share * -slope <= 1e-13 * (1.0 + abs(value)):
                break
            # the minimum of the parabola through both values and the slope, within bounds
            if value_new < np.inf:
                better = -0.5 * slope * share * share / (value_new - value - slope * share)
                share = min(max(better, 0.1 * share), 0.5 * share)
            else:
                share *= 0.25
        if not accepted:
            # Rounding of the predictions (a stiff solver's error) is then all that is left of the slope.
            if -slope <= 1e-7 * (1.0 + abs(value)):
                return value, CONVERGED, iteration
            if expected:
                return value, ITERATION_LIMIT, iteration
            expected = True
            continue
        expected = False
        if share * length <= _NEAR:
            _correct(q, share, step, g, g_new, c_new, extra, miss)
        for i in range(q):
            eta[i] = trial[i]
            g[i] = g_new[i]
            for j in range(q):
                information[i, j] = h_new[i, j]
                curve[i, j] = c_new[i, j]
        value = value_new
    return value, ITERATION_LIMIT, max_iterations


@kernel
def _newton_step(
    q: int, g: Any, information: Any, curve: Any, extra: Any, factor: Any, step: Any, expected: bool
) -> bool:
    """step ← −½ H⁻¹ g with H the corrected curvature or, where told or needed, the expected information."""
    good = False
    if not expected:
        for i in range(q):
            for j in range(q):
                factor[i, j] = curve[i, j] + extra[i, j]
        good = cholesky(factor, q)
    if not good:
        factor[:, :] = information
        extra[:, :] = 0.0
        good = cholesky(factor, q)
    for i in range(q):
        step[i] = -0.5 * g[i]
    if good:
        cholesky_solve(factor, q, step)
    return good


@kernel
def _length(q: int, precision: Any, step: Any) -> float:
    """√(s′Ω⁻¹s): how long a step is in prior standard deviations."""
    total = 0.0
    for i in range(q):
        for j in range(q):
            total += step[i] * precision[i, j] * step[j]
    return math.sqrt(max(total, 0.0))


@kernel
def _correct(q: int, share: float, step: Any, g: Any, g_new: Any, c_new: Any, extra: Any, miss: Any) -> None:
    """The symmetric rank-one update of what the curvature leaves out, from the last move, share · step."""
    against, size_miss, size_step = 0.0, 0.0, 0.0
    for i in range(q):
        miss[i] = 0.5 * (g_new[i] - g[i])
        for j in range(q):
            miss[i] -= (c_new[i, j] + extra[i, j]) * share * step[j]
    for i in range(q):
        against += miss[i] * share * step[i]
        size_miss += miss[i] * miss[i]
        size_step += (share * step[i]) ** 2
    if abs(against) > 1e-8 * math.sqrt(size_miss * size_step):
        for i in range(q):
            for j in range(q):
                extra[i, j] += miss[i] * miss[j] / against


@kernel
def estimate_batch(
    L: Any, C: Any, FN: Any, theta: Any, subject: Any, occasion: Any, log_prior: Any, RF: Any, RI: Any,
    cov: Any, first: Any, begin: int, end: int, rtol: float, atol: float, max_steps: int, zero_weight: float,
    starts: int, max_iterations: int, effects: Any, covariance: Any, summary: Any, status: Any,
) -> None:  # fmt: skip
    """Estimate patients `begin` to `end`.

    subject, occasion: precisions of the two levels; log_prior: log |Ω| of each (2,). effects (n_patients,
    q_max) ← η̂, covariance (n_patients, q_max, q_max) ← the inverse information, summary (n_patients, 4) ←
    Φ(η̂), the FOCEI objective, iterations, starts used. `starts` 1: from η = 0 alone; 2: further starts where
    the first looks wrong; 3: always.
    """
    q_max, rows = effects.shape[1], 0
    for p in range(begin, end):
        rows = max(rows, first[p + 1] - first[p])
    W, I = workspace(L, q_max, rtol, atol, max_steps)  # noqa: E741
    ms, mo = L[at.M_SUBJECT], L[at.M_OCCASION]
    f, slopes, err, derr = np.empty(rows), np.empty(rows * q_max), np.empty((rows, 3)), np.empty((0, 3, 0))
    etas, squares, work = np.empty(2 * q_max), np.empty(3 * q_max * q_max), np.empty(descend_size(q_max))
    for p in range(begin, end):
        lo, hi = first[p], first[p + 1]
        q = patient_effects(L, RI, lo, hi)
        df, eta, other = matrix(slopes, 0, hi - lo, q), vector(etas, 0, q), vector(etas, q, q)
        if L[at.ERROR_USES_EFFECTS] != 0:
            derr = np.empty((hi - lo, 3, q))
        precision, information = matrix(squares, 0, q, q), matrix(squares, q * q, q, q)
        spare = matrix(squares, 2 * q * q, q, q)
        fill_precision(L, subject, occasion, q, precision)
        I[at.Q] = q
        used = observations_used(L, RI, lo, hi)
        eta[:] = 0.0
        value, code, iterations = descend(
            L, C, FN, theta, precision, RF, RI, cov, lo, hi, W, I, f, df, err, derr, zero_weight,
            max_iterations, eta, information, work,
        )  # fmt: skip
        tried = 1
        if starts >= 3 or (starts == 2 and _looks_wrong(q, used, code, eta, precision, misfit(work))):
            for k in range(2 * ms):
                if precision[k // 2, k // 2] >= _HELD:
                    continue
                other[:] = 0.0
                size = 1.5 / math.sqrt(precision[k // 2, k // 2])
                other[k // 2] = size if k % 2 == 0 else -size
                found, code_2, more = descend(
                    L, C, FN, theta, precision, RF, RI, cov, lo, hi, W, I, f, df, err, derr, zero_weight,
                    max_iterations, other, spare, work,
                )  # fmt: skip
                tried += 1
                iterations += more
                finished = code_2 == CONVERGED and code != CONVERGED and found <= value + 1e-6
                if found < value - 1e-9 or finished:
                    value, code = found, code_2
                    eta[:] = other
                    information[:, :] = spare
        log_omega = log_prior[0] + ((q - ms) // mo * log_prior[1] if mo > 0 else 0.0)
        summary[p, 0], summary[p, 2], summary[p, 3] = value, iterations, tried
        summary[p, 1] = _report(q, log_omega, value, information, spare, covariance[p])
        for i in range(q):
            effects[p, i] = eta[i]
        if q == 0 and code == CONVERGED:
            status[p] = NO_EFFECTS
        else:
            status[p] = NO_OBSERVATION if used == 0 and code == CONVERGED else code


@kernel
def _looks_wrong(q: int, used: int, code: int, eta: Any, precision: Any, misfit: float) -> bool:
    """Whether another mode may be better: no estimate, or effects or samples that are far off."""
    if code != CONVERGED:
        return True
    if used == 0:
        return False
    far = _length(q, precision, eta) ** 2 > q + 3.0 * math.sqrt(2.0 * q)
    return far or misfit > used + 4.0 * math.sqrt(2.0 * used)


@kernel
def _report(q: int, log_omega: float, value: float, information: Any, factor: Any, covariance: Any) -> float:
    """covariance (≥ q, ≥ q) ← the inverse of the information, NaN where it has none; the FOCEI objective."""
    factor[:, :] = information
    if not cholesky(factor, q):
        return np.nan
    cholesky_inverse(factor, q, covariance)
    return value + log_omega + log_determinant(factor, q)


@kernel
def objectives_given(
    L: Any, C: Any, FN: Any, theta: Any, subject: Any, occasion: Any, log_prior: Any, RF: Any, RI: Any,
    cov: Any, first: Any, rtol: float, atol: float, max_steps: int, zero_weight: float, effects: Any,
    values: Any, focei: Any,
) -> None:  # fmt: skip
    """values, focei (n_patients,) ← the objectives at effects (n_patients, q_max); nothing is optimised."""
    W, I = workspace(L, effects.shape[1], rtol, atol, max_steps)  # noqa: E741
    ms, mo = L[at.M_SUBJECT], L[at.M_OCCASION]
    for p in range(first.size - 1):
        lo, hi = first[p], first[p + 1]
        q, n = patient_effects(L, RI, lo, hi), hi - lo
        f, df, err = np.empty(n), np.empty((n, q)), np.empty((n, 3))
        derr = np.empty((n, 3, q)) if L[at.ERROR_USES_EFFECTS] != 0 else np.empty((0, 3, 0))
        precision, information = np.zeros((q, q)), np.zeros((q, q))
        fill_precision(L, subject, occasion, q, precision)
        I[at.Q] = q
        values[p], _ = objective(
            L, C, FN, theta, precision, effects[p, :q].copy(), RF, RI, cov, lo, hi, W, I, f, df, err, derr,
            zero_weight, np.empty(q), information,
        )  # fmt: skip
        if cholesky(information, q):
            log_omega = log_prior[0] + ((q - ms) // mo * log_prior[1] if mo > 0 else 0.0)
            focei[p] = values[p] + log_omega + log_determinant(information, q)
