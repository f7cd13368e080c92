"""Linear systems whose rates change smoothly with time: dx/dt = A(t) x + rate, several states at once.

Dormand & Prince's method 8(5,3) with error control (Hairer, Nørsett & Wanner 1993, doi
10.1007/978-3-540-78862-1), of the states and of their derivatives by the random effects together. With one
state it gives a trajectory; with the n unit states and no input it gives the propagator.

Status: 0 done; 1 step limit reached; 2 something is not finite, or dt < 0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from troughline.model.kernels.calls import call_coefficients, call_coefficients_d
from troughline.model.kernels.jit import inner, kernel
from troughline.model.kernels.products import borrowed, sparse_product, weighted_sum
from troughline.model.kernels.rates import row_width

OK, STEP_LIMIT, NOT_FINITE = 0, 1, 2

_method = json.loads(Path(__file__).with_name("dop853.json").read_text(encoding="utf-8"))
_STAGES = int(_method["stages"])
_A = np.zeros((_STAGES, _STAGES))
for _stage, _row in enumerate(_method["a"]):
    _A[_stage, : len(_row)] = _row
_NODES, _WEIGHTS = np.array(_method["nodes"]), np.array(_method["weights"])
_ERROR5, _ERROR3 = np.array(_method["error5"]), np.array(_method["error3"])

_RTOL = 1e-11
_FLOOR = 0.1
"""A state is held to `rtol` of itself, or of this share of the largest state beside it if that is more."""
_SAFETY, _SHRINK, _GROW, _ORDER = 0.9, 0.2, 6.0, 8.0
_FIRST = 0.5
"""The first step tried, in the fastest state's mean residence times."""


@kernel
def work_size(n: Any, q: Any) -> Any:
    """Length of `work` (float64) for n states, q directions and up to n states at once."""
    entries = n * (n + 1)
    vectors = (_STAGES + 7) * ((1 + q) * n * row_width(n) + 8)
    return n + (3 + q) * entries + _STAGES + 16 + vectors


@kernel
def propagate_varying(
    n: Any, row: Any, col: Any, slot: Any, coefficient: Any, u_slot: Any, u_coefficient: Any, q: Any,
    directions: Any, address: Any, address_d: Any, theta: Any, cov: Any, eta: Any, gates: Any, ctx: Any,
    p: Any, dp: Any, total: Any, dtotal: Any, constants: Any, dt: Any, many: Any, dmany: Any,
    max_steps: Any, work: Any, rtol: Any = _RTOL,
) -> Any:  # fmt: skip
    """many (nv, n) ← its nv states after dt h, and dmany (q, nv, n) ← their derivatives. Returns a status.

    A[row[k], col[k]] = coefficient[k] · p[slot[k]], where the function at `address` gives the slots p at the
    time in ctx = [t, tad, dose, interval], and that at `address_d` also dp (m, n_slots), their derivatives by
    the m local effects; effect l is direction directions[l]. Into state i of each of the nv flow total[i],
    with derivatives dtotal (q, n), and, where `constants` is true, u_coefficient[i] · p[u_slot[i]] (no slot:
    −1), per h. ctx holds the time at the start and, afterwards, at the end; p and dp are then those of the
    last time tried. rtol: the error allowed in a step. work: `work_size(n, q)` numbers; nv ≤ n. Where the
    status is not 0, `many` and `dmany` are as they were.
    """
    if dt == 0.0:
        return OK
    if not (dt > 0.0 and dt < np.inf):
        return NOT_FINITE
    work = borrowed(work)
    nv, entries = many.shape[0], n * (n + 1)
    width = 1 if nv == 1 else row_width(nv)
    size = ((1 + q) * n * width + 7) & -8
    first = (-(work.ctypes.data >> 3)) & 7
    ints = work[first : first + n + 2 * entries].view(np.int64)
    stop, column, place = ints[:n], ints[n : n + entries], ints[n + entries :]
    free = first + n + 2 * entries
    value, slope = work[free : free + entries], work[free + entries : free + (1 + q) * entries]
    free += (1 + q) * entries
    weights = work[free : free + _STAGES]
    free = first + ((free + _STAGES - first + 7) & -8)
    vectors = work[free : free + (_STAGES + 7) * size]
    for i in range(5 * size):
        vectors[i] = 0.0
    for i in range(q * entries):
        slope[i] = 0.0
    zeros, init, y = vectors[:size], vectors[size : 2 * size], vectors[2 * size : 3 * size]
    _place_entries(n, width, row, col, stop, column, place)
    _load(n, q, width, many, dmany, total, dtotal, y, init)
    rates = (
        row.size, n, q, width, slot, coefficient, u_slot, u_coefficient, directions, theta, cov, eta, gates,
        p, dp, total, dtotal, constants, place, stop, column, value, slope, init,
    )  # fmt: skip
    status = _integrate(
        rates, address, address_d, ctx, nv, size, dt, max_steps, rtol, zeros, y, weights, vectors
    )
    if status == OK:
        block = n * width
        for v in range(nv):
            for i in range(n):
                many[v, i] = y[i * width + v]
                for j in range(q):
                    dmany[j, v, i] = y[(1 + j) * block + i * width + v]
    return status


@inner
def _place_entries(n: Any, width: Any, row: Any, col: Any, stop: Any, column: Any, place: Any) -> None:
    """The entries row by row, as `products` takes them: entry k is at place[k]."""
    for i in range(n):
        stop[i] = i * (n + 1)
    for k in range(row.size):
        e = stop[row[k]]
        column[e] = col[k] * width
        place[k] = e
        stop[row[k]] = e + 1


@inner
def _load(
    n: Any, q: Any, width: Any, many: Any, dmany: Any, total: Any, dtotal: Any, y: Any, init: Any
) -> None:
    """y ← the states and their derivatives, (1 + q, n, width); init ← the constant input, likewise."""
    block = n * width
    for v in range(many.shape[0]):
        for i in range(n):
            y[i * width + v] = many[v, i]
            init[i * width + v] = total[i]
            for j in range(q):
                y[(1 + j) * block + i * width + v] = dmany[j, v, i]
                init[(1 + j) * block + i * width + v] = dtotal[j, i]


@inner
def _derivative(rates: Any, address: Any, address_d: Any, ctx: Any, now: Any, f: Any, out: Any) -> None:
    """f[out :] ← A(t) now + input at the time in ctx, and the derivatives of that."""
    (
        nnz, n, q, width, slot, coefficient, u_slot, u_coefficient, directions, theta, cov, eta, gates,
        p, dp, total, dtotal, constants, place, stop, column, value, slope, init,
    ) = rates  # fmt: skip
    entries, block = n * (n + 1), n * width
    local = directions.size if q > 0 else 0
    if local > 0:
        call_coefficients_d(address_d, theta, cov, eta, gates, ctx, p, dp)
    else:
        call_coefficients(address, theta, cov, eta, gates, ctx, p)
    for k in range(nnz):
        value[place[k]] = coefficient[k] * p[slot[k]]
    for j in range(local):
        first = directions[j] * entries
        for k in range(nnz):
            slope[first + place[k]] = coefficient[k] * dp[j, slot[k]]
    if constants:
        for i in range(n):
            s = u_slot[i]
            if s >= 0:
                for lane in range(width):
                    init[i * width + lane] = total[i] + u_coefficient[i] * p[s]
                for j in range(local):
                    d = directions[j]
                    for lane in range(width):
                        init[(1 + d) * block + i * width + lane] = dtotal[d, i] + u_coefficient[i] * dp[j, s]
    sparse_product(n, q, width, n + 1, stop, column, value, slope, init, 1.0, now, 0, f, out)


@inner
def _integrate(
    rates: Any, address: Any, address_d: Any, ctx: Any, nv: Any, size: Any, dt: Any, max_steps: Any,
    rtol: Any, zeros: Any, y: Any, weights: Any, vectors: Any,
) -> Any:  # fmt: skip
    """y ← y after dt, by steps of the length that the error allows."""
    n, q, width, value, place = rates[1], rates[2], rates[3], rates[21], rates[18]
    new, errors = vectors[3 * size : 4 * size], vectors[4 * size : 5 * size]
    coarse = vectors[5 * size : 6 * size]
    f = vectors[6 * size :]
    start, start_tad, done, steps, ends = ctx[0], ctx[1], 0.0, 0, False
    _derivative(rates, address, address_d, ctx, y, f, 0 * size)
    fastest = 0.0
    for k in range(rates[0]):
        fastest = max(fastest, abs(value[place[k]]))
    h = dt if fastest * dt <= _FIRST else _FIRST / fastest
    while not ends or done < dt:
        if steps >= max_steps or not h > 1e-14 * dt:
            return STEP_LIMIT
        steps += 1
        ends = done + 1.01 * h >= dt
        if ends:
            h = dt - done
        for s in range(1, _STAGES + 1):
            share = 1.0
            for k in range(s):
                weights[k] = h * (_A[s, k] if s < _STAGES else _WEIGHTS[k])
            if s < _STAGES:
                share = _NODES[s]
            weighted_sum(s, size, y, weights, f, new)
            ctx[0] = start + (done + share * h)
            ctx[1] = start_tad + (done + share * h)
            _derivative(rates, address, address_d, ctx, new, f, s * size)
        for k in range(_STAGES):
            weights[k] = h * _ERROR5[k]
        weighted_sum(_STAGES, size, zeros, weights, f, errors)
        for k in range(_STAGES):
            weights[k] = h * _ERROR3[k]
        weighted_sum(_STAGES, size, zeros, weights, f, coarse)
        error = _error(n, q, nv, width, rtol, y, new, errors, coarse)
        if not error < np.inf:
            return NOT_FINITE
        factor = _GROW if error == 0.0 else min(_GROW, max(_SHRINK, _SAFETY * error ** (-1.0 / _ORDER)))
        if error <= 1.0:
            done += h
            for i in range(size):
                y[i] = new[i]
                f[i] = f[_STAGES * size + i]
        else:
            factor = min(factor, 1.0)
            ends = False
        if not ends:
            h *= factor
    ctx[0], ctx[1] = start + dt, start_tad + dt
    return OK


@inner
def _error(n: Any, q: Any, nv: Any, width: Any, rtol: Any, y: Any, new: Any, errors: Any, coarse: Any) -> Any:
    """The largest error of any of the states and derivatives in units of what is allowed (1: just so)."""
    worst = 0.0
    for v in range(nv):
        beside = 0.0
        for i in range(n):
            beside = max(beside, abs(y[i * width + v]), abs(new[i * width + v]))
        for b in range(1 + q):
            first = b * n * width + v
            largest = beside
            if b > 0:
                for i in range(n):
                    largest = max(largest, abs(y[first + i * width]), abs(new[first + i * width]))
            fine, rough = 0.0, 0.0
            for i in range(n):
                k = first + i * width
                allowed = rtol * max(abs(y[k]), abs(new[k]), _FLOOR * largest)
                if allowed > 0.0 or not allowed >= 0.0:
                    fine += (errors[k] / allowed) ** 2
                    rough += (coarse[k] / allowed) ** 2
            if fine + rough > 0.0 or not fine + rough >= 0.0:
                worst = max(worst, fine / np.sqrt((fine + 0.01 * rough) * n))
                if not worst >= 0.0 or not fine + rough >= 0.0:
                    return np.nan
    return worst
