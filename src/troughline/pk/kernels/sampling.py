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
from troughline.pk.kernels.maximum import fill_precision


@kernel
def objectives_at(
    L: Any, C: Any, FN: Any, theta: Any, subject: Any, occasion: Any, RF: Any, RI: Any, cov: Any,
    lo: int, hi: int, rtol: float, atol: float, max_steps: int, zero_weight: float, points: Any, values: Any,
) -> None:  # fmt: skip
    """values (n,) ← Φ at each of the points (n, q) of one patient; +∞ where there is no likelihood."""
    n_points, q = points.shape
    W, I = workspace(L, 0, rtol, atol, max_steps)  # noqa: E741, N806
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
    W, I = workspace(L, 0, rtol, atol, max_steps)  # noqa: E741, N806
    rows = hi - lo
    df, derr = np.empty((rows, 0)), np.empty((rows, 3, 0))
    for k in range(points.shape[0]):
        status[k] = call_patient(
            L, C, FN, theta, points[k].copy(), RF, RI, cov, lo, hi, W, I, f[k], df, err[k], derr
        )
        if status[k] != at.OK:
            f[k, :] = np.nan


@kernel
def random_walk(
    L: Any, C: Any, FN: Any, theta: Any, subject: Any, occasion: Any, RF: Any, RI: Any, cov: Any,
    lo: int, hi: int, rtol: float, atol: float, max_steps: int, zero_weight: float,
    start: Any, factor: Any, normals: Any, uniforms: Any, burn_in: int, thin: int, chain: Any,
) -> float:  # fmt: skip
    """Random-walk Metropolis with a proposal that adapts during the burn-in; returns the acceptance rate.

    start (q,); factor (q, q) lower factor of the first proposal covariance; normals (steps, q), uniforms
    (steps,); chain (n, q) ← every `thin`-th state after `burn_in` steps. The scale is 2.38/√q and is tuned
    to an acceptance of 0.3 (Haario 2001, doi 10.2307/3318737; Roberts 1997, doi 10.1214/aoap/1034625254).
    """
    q = start.size
    W, I = workspace(L, 0, rtol, atol, max_steps)  # noqa: E741, N806
    rows = hi - lo
    f, df, err = np.empty(rows), np.empty((rows, 0)), np.empty((rows, 3))
    derr = np.empty((rows, 3, 0))
    precision = np.zeros((q, q))
    fill_precision(L, subject, occasion, q, precision)
    gradient, information = np.empty(0), np.empty((0, 0))
    here, there = start.copy(), np.empty(q)
    value, _ = objective(
        L, C, FN, theta, precision, here, RF, RI, cov, lo, hi, W, I, f, df, err, derr, zero_weight, gradient,
        information,
    )  # fmt: skip
    scale = 2.38 / math.sqrt(float(q))
    mean, spread = here.copy(), np.zeros((q, q))
    use = factor.copy()
    accepted, kept, seen = 0, 0, 0
    for step in range(normals.shape[0]):
        for i in range(q):
            there[i] = here[i]
            for j in range(i + 1):
                there[i] += scale * use[i, j] * normals[step, j]
        trial, _ = objective(
            L, C, FN, theta, precision, there, RF, RI, cov, lo, hi, W, I, f, df, err, derr, zero_weight,
            gradient, information,
        )  # fmt: skip
        take = trial < np.inf and math.log(uniforms[step]) < 0.5 * (value - trial)
        if take:
            value = trial
            here[:] = there
        if step < burn_in:
            seen += 1
            rate = 1.0 / (seen + 1.0)
            for i in range(q):
                for j in range(q):
                    miss = (here[i] - mean[i]) * (here[j] - mean[j])
                    spread[i, j] += rate * (miss - spread[i, j])
            for i in range(q):
                mean[i] += rate * (here[i] - mean[i])
            scale *= math.exp(((1.0 if take else 0.0) - 0.3) / math.sqrt(seen + 1.0))
            if seen % 200 == 0:
                _refactor(q, spread, factor, use)
        else:
            accepted += 1 if take else 0
            if (step - burn_in) % thin == 0 and kept < chain.shape[0]:
                chain[kept] = here
                kept += 1
    return accepted / max(normals.shape[0] - burn_in, 1)


@kernel
def _refactor(q: int, spread: Any, factor: Any, use: Any) -> None:
    """The proposal's factor from what the chain has seen; the first one where that is not definite."""
    a = spread.copy()
    for i in range(q):
        a[i, i] += 1e-10
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s -= a[i, k] * a[j, k]
            if i == j:
                if not s > 0.0:
                    use[:, :] = factor
                    return
                a[i, i] = math.sqrt(s)
            else:
                a[i, j] = s / a[j, j]
    for i in range(q):
        for j in range(q):
            use[i, j] = a[i, j] if j <= i else 0.0
