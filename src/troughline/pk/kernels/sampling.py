"""Draws from the posterior of one patient's effects: weights of given points, and a Markov chain."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.batch import call_patient
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.workspace import workspace
from troughline.pk.kernels.likelihood import objective
from troughline.pk.kernels.matrices import cholesky
from troughline.pk.kernels.maximum import fill_precision


@kernel
def objectives_at(
    L: Any, C: Any, FN: Any, theta: Any, subject: Any, occasion: Any, RF: Any, RI: Any, cov: Any,
    lo: int, hi: int, rtol: float, atol: float, max_steps: int, zero_weight: float, points: Any, values: Any,
) -> None:  # fmt: skip
    """values (n,) ← Φ at each of the points (n, q) of one patient; +∞ where there is no likelihood."""
    n_points, q = points.shape
    W, I = workspace(L, 0, rtol, atol, max_steps)  # noqa: E741
    rows = hi - lo
    f, df, err = np.empty(rows), np.empty((rows, 0)), np.empty((rows, 3))
    derr = np.empty((rows, 3, 0))
    precision = np.zeros((q, q))
    fill_precision(L, subject, occasion, q, precision)
    gradient, information = np.empty(0), np.empty((0, 0))
    for k in range(n_points):
        values[k], _ = objective(
            L, C, FN, theta, precision, points[k].copy(), RF, RI, cov, lo, hi, W, I, f, df, err, derr,
            zero_weight, gradient, information,
        )  # fmt: skip


@kernel
def predict_at(
    L: Any, C: Any, FN: Any, theta: Any, RF: Any, RI: Any, cov: Any, lo: int, hi: int,
    rtol: float, atol: float, max_steps: int, points: Any, f: Any, err: Any, status: Any,
) -> None:  # fmt: skip
    """f (n, rows) ← predictions of one patient at each of the points (n, q); err (n, rows, 3)."""
    W, I = workspace(L, 0, rtol, atol, max_steps)  # noqa: E741
    rows = hi - lo
    df, derr = np.empty((rows, 0)), np.empty((rows, 3, 0))
    for k in range(points.shape[0]):
        status[k] = call_patient(
            L, C, FN, theta, points[k].copy(), RF, RI, cov, lo, hi, W, I, f[k], df, err[k], derr
        )
        if status[k] != at.OK:
            f[k, :] = np.nan


@kernel
def log_mixture(
    k: int, x: Any, center: Any, factor: Any, log_t: float, degrees: float, prior_factor: Any,
    log_prior: float, work: Any,
) -> float:  # fmt: skip
    """The log density of `proposal.Proposal` at x (k,); work (k,)."""
    near = 0.0
    for i in range(k):
        s = x[i] - center[i]
        for j in range(i):
            s -= factor[i, j] * work[j]
        work[i] = s / factor[i, i]
        near += work[i] * work[i]
    far = 0.0
    for i in range(k):
        s = x[i]
        for j in range(i):
            s -= prior_factor[i, j] * work[j]
        work[i] = s / prior_factor[i, i]
        far += work[i] * work[i]
    a = log_t - 0.5 * (degrees + k) * math.log(1.0 + near / degrees)
    b = log_prior - 0.5 * far
    top = max(a, b)
    return top + math.log(math.exp(a - top) + math.exp(b - top))


@kernel
def random_walk(
    L: Any, C: Any, FN: Any, theta: Any, subject: Any, occasion: Any, RF: Any, RI: Any, cov: Any,
    lo: int, hi: int, rtol: float, atol: float, max_steps: int, zero_weight: float,
    start: Any, free: Any, normals: Any, uniforms: Any, jumps: Any, center: Any, factor: Any, log_t: float,
    degrees: float, prior_factor: Any, log_prior: float, burn_in: int, thin: int, chain: Any, values: Any,
) -> float:  # fmt: skip
    """A Metropolis chain over the effects that are free; returns its acceptance rate after the burn-in.

    start (q,): all effects; free (k,): which of them move; normals (steps, k), uniforms (steps,). A step is a
    random walk whose covariance, first factor·factorᵀ, adapts during the burn-in, with the scale tuned to an
    acceptance of 0.3 (Haario 2001, doi 10.2307/3318737; Roberts 1997, doi 10.1214/aoap/1034625254); every
    fifth step, while `jumps` (n_jumps, k) last, goes to a point drawn from the mixture that `log_mixture`
    describes, so that the chain can change between modes (Tierney 1994, doi 10.1214/aos/1176325750).
    chain (n, k) ← every `thin`-th state after `burn_in` steps, values (n,) ← Φ there.
    """
    q, k = start.size, free.size
    W, I = workspace(L, 0, rtol, atol, max_steps)  # noqa: E741
    rows = hi - lo
    f, df, err = np.empty(rows), np.empty((rows, 0)), np.empty((rows, 3))
    derr = np.empty((rows, 3, 0))
    precision = np.zeros((q, q))
    fill_precision(L, subject, occasion, q, precision)
    gradient, information = np.empty(0), np.empty((0, 0))
    whole, work = start.copy(), np.empty(k)
    here, there = np.empty(k), np.empty(k)
    for i in range(k):
        here[i] = start[free[i]]
    value, _ = objective(
        L, C, FN, theta, precision, whole, RF, RI, cov, lo, hi, W, I, f, df, err, derr, zero_weight, gradient,
        information,
    )  # fmt: skip
    scale = 2.38 / math.sqrt(float(k))
    mean, spread, use = here.copy(), np.zeros((k, k)), factor.copy()
    accepted, kept, seen, jumped = 0, 0, 0, 0
    for step in range(normals.shape[0]):
        jump = step % 5 == 4 and jumped < jumps.shape[0]
        bias = 0.0
        if jump:
            there[:] = jumps[jumped]
            jumped += 1
            bias = log_mixture(k, here, center, factor, log_t, degrees, prior_factor, log_prior, work)
            bias -= log_mixture(k, there, center, factor, log_t, degrees, prior_factor, log_prior, work)
        else:
            for i in range(k):
                there[i] = here[i]
                for j in range(i + 1):
                    there[i] += scale * use[i, j] * normals[step, j]
        for i in range(k):
            whole[free[i]] = there[i]
        trial, _ = objective(
            L, C, FN, theta, precision, whole, RF, RI, cov, lo, hi, W, I, f, df, err, derr, zero_weight,
            gradient, information,
        )  # fmt: skip
        take = trial < np.inf and (value == np.inf or math.log(uniforms[step]) < 0.5 * (value - trial) + bias)
        if take:
            value = trial
            here[:] = there
        if step < burn_in:
            seen += 1
            _learn(k, here, 1.0 / (seen + 1.0), mean, spread)
            if not jump:
                scale *= math.exp(((1.0 if take else 0.0) - 0.3) / math.sqrt(seen + 1.0))
            if seen % 200 == 0:
                _refactor(k, spread, factor, use)
        else:
            accepted += 1 if take else 0
            if (step - burn_in) % thin == 0 and kept < chain.shape[0]:
                chain[kept] = here
                values[kept] = value
                kept += 1
    return accepted / max(normals.shape[0] - burn_in, 1)


@kernel
def _learn(k: int, here: Any, rate: float, mean: Any, spread: Any) -> None:
    """Mean and covariance of the states seen so far."""
    for i in range(k):
        for j in range(k):
            miss = (here[i] - mean[i]) * (here[j] - mean[j])
            spread[i, j] += rate * (miss - spread[i, j])
    for i in range(k):
        mean[i] += rate * (here[i] - mean[i])


@kernel
def _refactor(k: int, spread: Any, factor: Any, use: Any) -> None:
    """The walk's factor from what the chain has seen; the first one where that is not definite."""
    a = spread.copy()
    if not cholesky(a, k):
        a[:, :] = factor
    for i in range(k):
        for j in range(k):
            use[i, j] = a[i, j] if j <= i else 0.0
