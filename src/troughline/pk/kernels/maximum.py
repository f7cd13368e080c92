"""The maximum a posteriori estimate: structured quasi-Newton on exact gradients, from several starts.

The curvature is the expected information plus a secant correction for what it leaves out (the structured
secant method of Dennis, Gay and Welsch, doi 10.1145/355958.355965, with a symmetric rank-one update); a step
that does not lower the objective enough is halved, and a step is never longer than a few prior standard
deviations.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.workspace import patient_effects, workspace
from troughline.pk.kernels.likelihood import objective
from troughline.pk.kernels.matrices import cholesky, cholesky_inverse, cholesky_solve, log_determinant

CONVERGED, ITERATION_LIMIT, NO_LIKELIHOOD, NO_PREDICTION, NO_OBSERVATION, NO_EFFECTS = 0, 1, 2, 3, 4, 5
_LONGEST_STEP = 4.0  # prior standard deviations
_DECREASE = 1e-4
_BOUNDARY = 1e-11


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
            if L[L[at.OUT_KIND] + RI[r, at.R_OUTPUT]] != 7:
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
    q = eta.size
    g, g_new, step, trial = np.empty(q), np.empty(q), np.empty(q), np.empty(q)
    h_new, factor, extra = np.empty((q, q)), np.empty((q, q)), np.zeros((q, q))
    value, status = objective(
        L, C, FN, theta, precision, eta, RF, RI, cov, first, last, W, I, f, df, err, derr, zero_weight, g,
        information,
    )  # fmt: skip
    if status != at.OK:
        return value, NO_PREDICTION, 0
    if value == np.inf:
        return value, NO_LIKELIHOOD, 0
    for iteration in range(max_iterations):
        for i in range(q):
            for j in range(q):
                factor[i, j] = information[i, j] + extra[i, j]
        if not cholesky(factor, q):
            factor[:, :] = information
            extra[:, :] = 0.0
            if not cholesky(factor, q):
                return value, NO_LIKELIHOOD, iteration
        slope = 0.0
        for i in range(q):
            step[i] = -0.5 * g[i]
        cholesky_solve(factor, q, step)
        length = 0.0
        for i in range(q):
            slope += g[i] * step[i]
            for j in range(q):
                length += step[i] * precision[i, j] * step[j]
        if -slope <= _BOUNDARY * (1.0 + abs(value)) and iteration > 0:
            return value, CONVERGED, iteration
        share = min(1.0, _LONGEST_STEP * math.sqrt(float(q)) / math.sqrt(length)) if length > 0.0 else 1.0
        accepted = False
        value_new = value
        for _ in range(40):
            for i in range(q):
                trial[i] = eta[i] + share * step[i]
            value_new, status = objective(
                L, C, FN, theta, precision, trial, RF, RI, cov, first, last, W, I, f, df, err, derr,
                zero_weight, g_new, h_new,
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
            small = -slope <= 1e-7 * (1.0 + abs(value))
            value, status = objective(
                L, C, FN, theta, precision, eta, RF, RI, cov, first, last, W, I, f, df, err, derr,
                zero_weight, g, information,
            )  # fmt: skip
            if small:
                return value, CONVERGED, iteration
            changed = False
            for i in range(q):
                for j in range(q):
                    changed = changed or extra[i, j] != 0.0
            extra[:, :] = 0.0
            if not changed:
                return value, ITERATION_LIMIT, iteration
            continue
        _correct(q, eta, trial, g, g_new, h_new, extra)
        for i in range(q):
            eta[i] = trial[i]
            g[i] = g_new[i]
            for j in range(q):
                information[i, j] = h_new[i, j]
        value = value_new
    return value, ITERATION_LIMIT, max_iterations


@kernel
def _correct(q: int, eta: Any, trial: Any, g: Any, g_new: Any, h_new: Any, extra: Any) -> None:
    """The symmetric rank-one update of what the information leaves out of the curvature."""
    miss = np.empty(q)
    against, size_miss, size_step = 0.0, 0.0, 0.0
    for i in range(q):
        miss[i] = 0.5 * (g_new[i] - g[i])
        for j in range(q):
            miss[i] -= (h_new[i, j] + extra[i, j]) * (trial[j] - eta[j])
    for i in range(q):
        move = trial[i] - eta[i]
        against += miss[i] * move
        size_miss += miss[i] * miss[i]
        size_step += move * move
    if abs(against) > 1e-8 * math.sqrt(size_miss * size_step):
        for i in range(q):
            for j in range(q):
                extra[i, j] += miss[i] * miss[j] / against


@kernel
def estimate_batch(
    L: Any, C: Any, FN: Any, theta: Any, subject: Any, occasion: Any, log_prior: Any, RF: Any, RI: Any, cov: Any,
    first: Any, begin: int, end: int, rtol: float, atol: float, max_steps: int, zero_weight: float, starts: int,
    max_iterations: int, effects: Any, covariance: Any, summary: Any, status: Any,
) -> None:  # fmt: skip
    """Estimate patients `begin` to `end`.

    subject, occasion: precisions of the two levels; log_prior: log |Ω| of each (2,). effects (n_patients,
    q_max) ← η̂, covariance (n_patients, q_max, q_max) ← the inverse information, summary (n_patients, 5) ←
    Φ(η̂), the FOCEI objective, iterations, χ² = Σ (y − h)²/V of the prior's start, starts used.
    `starts` 1: from η = 0 alone; 2: further starts where the first looks wrong; 3: always.
    """
    q_max = effects.shape[1]
    W, I = workspace(L, q_max, rtol, atol, max_steps)  # noqa: E741, N806
    ms, mo = L[at.M_SUBJECT], L[at.M_OCCASION]
    for p in range(begin, end):
        lo, hi = first[p], first[p + 1]
        q = patient_effects(L, RI, lo, hi)
        n = hi - lo
        f, df, err = np.empty(n), np.empty((n, q)), np.empty((n, 3))
        derr = np.empty((n, 3, q)) if L[at.ERROR_USES_EFFECTS] != 0 else np.empty((0, 3, 0))
        precision, information = np.zeros((q, q)), np.zeros((q, q))
        fill_precision(L, subject, occasion, q, precision)
        eta = np.zeros(q)
        I[at.Q] = q
        used = observations_used(L, RI, lo, hi)
        if q == 0:
            summary[p, 0], code = objective(
                L, C, FN, theta, precision, eta, RF, RI, cov, lo, hi, W, I, f, df, err, derr, zero_weight,
                np.empty(0), information,
            )  # fmt: skip
            summary[p, 1] = summary[p, 0]
            status[p] = NO_EFFECTS if code == at.OK else NO_PREDICTION
            continue
        value, code, iterations = climb(
            L, C, FN, theta, precision, RF, RI, cov, lo, hi, W, I, f, df, err, derr, zero_weight,
            max_iterations, eta, information,
        )  # fmt: skip
        tried = 1
        excess = value - used * 0.0
        suspicious = code == ITERATION_LIMIT or code == NO_LIKELIHOOD or code == NO_PREDICTION
        if code == CONVERGED and used > 0:
            suspicious = _looks_wrong(q, used, eta, precision)
        if (starts == 2 and suspicious) or starts >= 3:
            best, best_information = eta.copy(), information.copy()
            for k in range(2 * ms):
                other = np.zeros(q)
                size = 1.0 / math.sqrt(precision[k // 2, k // 2])
                other[k // 2] = 1.5 * size if k % 2 == 0 else -1.5 * size
                found, code_2, more = climb(
                    L, C, FN, theta, precision, RF, RI, cov, lo, hi, W, I, f, df, err, derr, zero_weight,
                    max_iterations, other, information,
                )  # fmt: skip
                tried += 1
                iterations += more
                if (code_2 == CONVERGED and code != CONVERGED) or found < value - 1e-9:
                    value, code = found, code_2
                    best[:] = other
                    best_information[:, :] = information
            eta[:] = best
            information[:, :] = best_information
        _report(L, q, mo, ms, log_prior, eta, information, value, iterations, tried, effects, covariance, summary, p)
        status[p] = NO_OBSERVATION if used == 0 and code == CONVERGED else code
        summary[p, 3] = excess


@kernel
def _looks_wrong(q: int, used: int, eta: Any, precision: Any) -> bool:
    """Whether the effects lie so far from the prior that another mode may be better."""
    distance = 0.0
    for i in range(q):
        for j in range(q):
            distance += eta[i] * precision[i, j] * eta[j]
    return distance > q + 3.0 * math.sqrt(2.0 * q)


@kernel
def _report(
    L: Any, q: int, mo: int, ms: int, log_prior: Any, eta: Any, information: Any, value: float, iterations: int,
    tried: int, effects: Any, covariance: Any, summary: Any, p: int,
) -> None:  # fmt: skip
    factor = information.copy()
    good = cholesky(factor, q)
    log_omega = log_prior[0] + ((q - ms) // mo * log_prior[1] if mo > 0 else 0.0)
    inverse = np.full((q, q), np.nan)
    focei = np.nan
    if good:
        cholesky_inverse(factor, q, inverse)
        focei = value + log_omega + log_determinant(factor, q)
    for i in range(q):
        effects[p, i] = eta[i]
        for j in range(q):
            covariance[p, i, j] = inverse[i, j]
    summary[p, 0] = value
    summary[p, 1] = focei
    summary[p, 2] = iterations
    summary[p, 4] = tried
