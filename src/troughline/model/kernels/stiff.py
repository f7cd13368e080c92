"""A stiff solver with exact tangents: the Rosenbrock–Wanner method Rodas5P.

A step solves eight linear systems with the one matrix I/(hγ) − J, so that it needs no iteration and its
derivative by any parameter is again eight solves with the same factors: the tangents are the derivatives
of the numbers computed, not a second approximation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from troughline.model.kernels.calls import (
    call_jacobian,
    call_jacobian_tangent,
    call_rhs,
    call_rhs_tangent,
    call_time_derivative,
    call_time_derivative_tangent,
)
from troughline.model.kernels.dense import lu_factor, lu_pattern, lu_solve_pattern
from troughline.model.kernels.jit import inner, kernel

OK, STEP_LIMIT, NOT_FINITE, UNSUPPORTED = 0, 1, 2, 4
STAGES = 8
_SMALLEST_FACTOR, _LARGEST_FACTOR, _SAFETY = 0.2, 6.0, 0.9
_MOST_FAILURES = 20  # reductions of one step for numbers that are not finite before giving up


def _tableau() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("rodas5p.json").read_text(encoding="utf-8"))


def _lower(rows: list[list[float]]) -> Any:
    full = np.zeros((STAGES, STAGES))
    for i, row in enumerate(rows):
        full[i, : len(row)] = row
    return full


# Numba compiles arrays of a module as constants.
A, C = _lower(_tableau()["a"]), _lower(_tableau()["c"])
ALPHA, D, GAMMA = np.array(_tableau()["alpha"]), np.array(_tableau()["d"]), float(_tableau()["gamma"])


class Model(NamedTuple):
    """The addresses of a model's generated functions; the time terms are skipped where `autonomous`."""

    rhs: Any
    jac: Any
    rhs_d: Any
    jac_d: Any
    time_d: Any
    time_dd: Any
    autonomous: Any


class Buffers(NamedTuple):
    """Views of the caller's work arrays; args and u (8, n) are the stage arguments and the stages U_i."""

    jac: Any
    lu: Any
    args: Any
    u: Any
    du: Any
    f: Any
    ft: Any
    darg: Any
    dft: Any
    new: Any
    dnew: Any
    moves: Any
    piv: Any
    pattern: Any


@kernel
def work_size(n: Any, q: Any) -> Any:
    """Length of `work` (float64) for n states and q directions."""
    return 2 * n * n + (3 * STAGES + 5) * n + q * n + q


@kernel
def iwork_size(n: Any) -> Any:
    """Length of `iwork` (int64) for n states."""
    return n * (n + 2)


@inner
def _buffers(n: Any, q: Any, work: Any, iwork: Any) -> Any:
    square, stages = n * n, STAGES * n
    at = 2 * square + 3 * stages
    return Buffers(
        work[:square].reshape((n, n)),
        work[square : 2 * square].reshape((n, n)),
        work[2 * square : 2 * square + stages].reshape((STAGES, n)),
        work[2 * square + stages : 2 * square + 2 * stages].reshape((STAGES, n)),
        work[2 * square + 2 * stages : at].reshape((STAGES, n)),
        work[at : at + n],
        work[at + n : at + 2 * n],
        work[at + 2 * n : at + 3 * n],
        work[at + 3 * n : at + 4 * n],
        work[at + 4 * n : at + 5 * n],
        work[at + 5 * n : at + 5 * n + q * n].reshape((q, n)),
        work[at + 5 * n + q * n : at + 5 * n + q * n + q],
        iwork[:n],
        iwork[n : n * (n + 2)].reshape((n, n + 1)),
    )


@inner
def _stage_sums(i: Any, n: Any, h: Any, base: Any, u: Any, arg: Any) -> None:
    """arg ← base + Σ a_ij u_j and u_i ← Σ (c_ij/h) u_j over the stages before i."""
    per_h = 1.0 / h
    for m in range(n):
        arg[m] = base[m]
        u[i, m] = 0.0
    for j in range(i):
        a, c = A[i, j], C[i, j] * per_h
        for m in range(n):
            arg[m] += a * u[j, m]
            u[i, m] += c * u[j, m]


@inner
def start_step(n: Any, model: Any, ctx: Any, p: Any, x: Any, buf: Any) -> None:
    """The Jacobian, and ∂f/∂t where the model has time in it, at the start of a step."""
    buf.jac[:, :] = 0.0
    call_jacobian(model.jac, ctx, x, p, buf.jac)
    if not model.autonomous:
        call_time_derivative(model.time_d, ctx, x, p, buf.ft)


@inner
def step_states(
    n: Any, model: Any, ctx: Any, p: Any, rate: Any, t: Any, tad: Any, h: Any, x: Any, buf: Any
) -> Any:
    """One step of the states: buf.new ← x(t + h), buf.u[7] ← the error estimate; False where singular."""
    diagonal = 1.0 / (h * GAMMA)
    for i in range(n):
        for j in range(n):
            buf.lu[i, j] = -buf.jac[i, j]
        buf.lu[i, i] += diagonal
    if lu_factor(n, buf.lu, buf.piv) != OK:
        return False
    lu_pattern(n, buf.lu, buf.pattern)
    u, f = buf.u, buf.f
    for i in range(STAGES):
        arg = buf.args[i]
        _stage_sums(i, n, h, x, u, arg)
        ctx[0], ctx[1] = t + ALPHA[i] * h, tad + ALPHA[i] * h
        call_rhs(model.rhs, ctx, arg, p, f)
        for m in range(n):
            u[i, m] += f[m] + rate[m]
        if not model.autonomous:
            for m in range(n):
                u[i, m] += h * D[i] * buf.ft[m]
        lu_solve_pattern(n, buf.lu, buf.piv, buf.pattern, u[i])
    for m in range(n):
        buf.new[m] = buf.args[STAGES - 1, m] + u[STAGES - 1, m]
    return True


@inner
def step_tangent(
    n: Any, model: Any, ctx: Any, p: Any, dp: Any, drate: Any, t: Any, tad: Any, h: Any, x: Any, dx: Any,
    dnew: Any, buf: Any,
) -> None:  # fmt: skip
    """dnew ← the derivative, along (dx, dp, drate), of the step `step_states` just made; buf.du[7] its error.

    Differentiating a stage equation leaves its matrix on the left and adds dJ·U_i on the right.
    """
    du, darg, df = buf.du, buf.darg, buf.f
    if not model.autonomous:
        ctx[0], ctx[1] = t, tad
        call_time_derivative_tangent(model.time_dd, ctx, x, p, dx, dp, buf.dft)
    for i in range(STAGES):
        _stage_sums(i, n, h, dx, du, darg)
        ctx[0], ctx[1] = t + ALPHA[i] * h, tad + ALPHA[i] * h
        call_rhs_tangent(model.rhs_d, ctx, buf.args[i], p, darg, dp, df)
        for m in range(n):
            du[i, m] += df[m] + drate[m]
        ctx[0], ctx[1] = t, tad
        call_jacobian_tangent(model.jac_d, ctx, x, p, dx, dp, buf.u[i], df)
        for m in range(n):
            du[i, m] += df[m]
        if not model.autonomous:
            for m in range(n):
                du[i, m] += h * D[i] * buf.dft[m]
        lu_solve_pattern(n, buf.lu, buf.piv, buf.pattern, du[i])
    for m in range(n):
        dnew[m] = darg[m] + du[STAGES - 1, m]


@inner
def _error_norm(n: Any, error: Any, old: Any, new: Any, rtol: Any, atol: Any) -> Any:
    """Root mean square of error/(atol_m + rtol·max(|old|, |new|)); 1 is the tolerance."""
    total = 0.0
    for m in range(n):
        ratio = error[m] / (atol[m] + rtol * max(abs(old[m]), abs(new[m])))
        total += ratio * ratio
    return np.sqrt(total / n)


@inner
def _moves(dx: Any, dp: Any, drate: Any) -> Any:
    for values in (dx, dp, drate):
        for value in values:
            if value != 0.0:
                return True
    return False


@inner
def _first_step(
    n: Any, model: Any, ctx: Any, p: Any, rate: Any, t: Any, tad: Any, dt: Any, x: Any, rtol: Any, atol: Any,
    buf: Any,
) -> Any:  # fmt: skip
    """A first step from the size of the states and of two derivatives (Hairer, Nørsett & Wanner, II.4)."""
    slope, later = buf.f, buf.ft
    ctx[0], ctx[1] = t, tad
    call_rhs(model.rhs, ctx, x, p, slope)
    for m in range(n):
        slope[m] += rate[m]
    size, speed = _error_norm(n, x, x, x, rtol, atol), _error_norm(n, slope, x, x, rtol, atol)
    if speed == 0.0 and model.autonomous:
        return dt
    h = 0.01 * size / speed if size > 1e-5 and speed > 1e-5 else 1e-6
    h = min(h, dt)
    for m in range(n):
        buf.new[m] = x[m] + h * slope[m]
    ctx[0], ctx[1] = t + h, tad + h
    call_rhs(model.rhs, ctx, buf.new, p, later)
    for m in range(n):
        later[m] += rate[m] - slope[m]
    steepest = max(speed, _error_norm(n, later, x, x, rtol, atol) / h)
    second = (0.01 / steepest) ** 0.2 if steepest > 1e-15 else max(1e-6, h * 1e-3)
    chosen = min(100.0 * h, second, dt)
    return chosen if chosen > 0.0 else min(1e-6, dt)


@inner
def _tangents_and_error(
    n: Any, q: Any, model: Any, ctx: Any, p: Any, dp: Any, drate: Any, t: Any, tad: Any, h: Any, x: Any,
    dx: Any, rtol: Any, atol: Any, buf: Any,
) -> Any:  # fmt: skip
    """buf.dnew ← the tangents after the step; returns the largest error norm among them."""
    largest = 0.0
    for k in range(q):
        if buf.moves[k] != 0.0:
            dnew = buf.dnew[k]
            step_tangent(n, model, ctx, p, dp[k], drate[k], t, tad, h, x, dx[k], dnew, buf)
            norm = _error_norm(n, buf.du[STAGES - 1], dx[k], dnew, rtol, atol)
            # The second test keeps a nan once met; the first alone would lose it.
            if norm > largest or norm != norm:
                largest = norm
    return largest


@inner
def _step_factor(error: Any, last_error: Any, growth: Any) -> Any:
    """The factor of the next step: error^(−1/5), damped by how the error grew (Gustafsson 1994)."""
    if error == 0.0:
        return _LARGEST_FACTOR
    factor = _SAFETY * error**-0.2
    if last_error > 0.0:
        factor = min(factor, _SAFETY * growth * (last_error / (error * error)) ** 0.2)
    return min(_LARGEST_FACTOR, max(_SMALLEST_FACTOR, factor))


@kernel
def propagate_stiff(
    n: Any, q: Any, rhs: Any, jac: Any, rhs_d: Any, jac_d: Any, time_d: Any, time_dd: Any, autonomous: Any,
    ctx: Any, p: Any, dp: Any, rate: Any, drate: Any, t0: Any, dt: Any, x: Any, dx: Any, rtol: Any, atol: Any,
    max_steps: Any, h_state: Any, work: Any, iwork: Any, control_tangents: Any = False,
) -> Any:  # fmt: skip
    """Move x and its tangents dx, in place, over dt of dx/dt = f(t, tad, x; p) + rate.

    rhs … time_dd: addresses of the generated functions (`calls`); those of tangents may be 0 where q is 0,
    those of time where `autonomous`. ctx: time and time after dose stand in ctx[0], ctx[1] and advance
    together (ctx[0] is set to t0; both have moved by dt afterwards). p (n_slots,), dp (q, n_slots),
    rate (n,), drate (q, n), x (n,), dx (q, n). The error of a step is held to atol + rtol·|x| (atol (n,),
    above 0) in the root mean square over the states, and over each tangent too where `control_tangents`.
    max_steps: steps tried. h_state[0]: the step to begin with, 0 to choose one; the step last in use
    afterwards. work, iwork: `work_size(n, q)` float64, `iwork_size(n)` int64; nothing in them is kept between
    calls.

    Returns 0; 1 at the step limit, or where a step no longer advances time; 2 where numbers are not finite
    however small the step; 4 for a negative dt. After 1 and 2, x is the state at the time in ctx[0].

    Steinebach G. Construction of Rosenbrock–Wanner method Rodas5P and numerical benchmarks within the Julia
    Differential Equations package. BIT Numer Math 2023;63:27. doi:10.1007/s10543-023-00967-x
    """
    model = Model(rhs, jac, rhs_d, jac_d, time_d, time_dd, autonomous)
    buf = _buffers(n, q, work, iwork)
    tad0 = ctx[1]
    ctx[0] = t0
    if not dt > 0.0:
        return OK if dt == 0.0 else UNSUPPORTED
    for k in range(q):
        # A direction that nothing feeds, such as an effect of a later occasion, stays zero at no cost.
        buf.moves[k] = 1.0 if _moves(dx[k], dp[k], drate[k]) else 0.0
    free = h_state[0]
    if not free > 0.0:
        free = _first_step(n, model, ctx, p, rate, t0, tad0, dt, x, rtol, atol, buf)
        ctx[0], ctx[1] = t0, tad0
    done, last_h, last_error, failures, rejected, stale = 0.0, 0.0, 0.0, 0, False, True
    for _ in range(max_steps):
        t, tad, left = t0 + done, tad0 + done, dt - done
        # Two equal last steps rather than a full one and a sliver.
        h = left if free >= left else (0.5 * left if free > 0.5 * left else free)
        if t + h == t and h < left:
            return NOT_FINITE if failures > 0 else STEP_LIMIT
        if stale:
            start_step(n, model, ctx, p, x, buf)
            stale = False
        error = np.inf
        if step_states(n, model, ctx, p, rate, t, tad, h, x, buf):
            error = _error_norm(n, buf.u[STAGES - 1], x, buf.new, rtol, atol)
            if q > 0 and error <= 1.0:
                tangents = _tangents_and_error(
                    n, q, model, ctx, p, dp, drate, t, tad, h, x, dx, rtol, atol, buf
                )
                if not np.isfinite(tangents) or (control_tangents and tangents > error):
                    error = tangents
        if error <= 1.0:
            done = dt if h == left else done + h
            ctx[0], ctx[1] = t0 + done, tad0 + done
            x[:] = buf.new
            for k in range(q):
                if buf.moves[k] != 0.0:
                    dx[k, :] = buf.dnew[k]
            factor = _step_factor(error, last_error, h / last_h if last_h > 0.0 else 1.0)
            proposed = h * (min(factor, 1.0) if rejected else factor)
            # A step cut short by the end of the interval says nothing against the longer one.
            free = max(free, proposed) if h < free else proposed
            if done == dt:
                h_state[0] = free
                return OK
            last_h, last_error, failures, rejected, stale = h, max(error, 1e-2), 0, False, True
        else:
            ctx[0], ctx[1] = t, tad
            rejected = True
            if np.isfinite(error):
                free = h * max(_SMALLEST_FACTOR, _SAFETY * error**-0.2)
            else:
                failures += 1
                if failures > _MOST_FAILURES:
                    return NOT_FINITE
                free = 0.1 * h
    return STEP_LIMIT
