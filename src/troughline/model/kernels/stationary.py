"""The stationary state of a nonlinear model under constant infusion, and its tangents."""

from __future__ import annotations

from typing import Any

from troughline.model.kernels.calls import call_jacobian, call_rhs, call_rhs_tangent
from troughline.model.kernels.dense import lu_factor, lu_singular, lu_solve
from troughline.model.kernels.jit import inner, kernel

OK, SINGULAR = 0, 3
_GROWTH = 10.0  # of the pseudo-time step after each iteration that helped, at least
_SLOWEST = 1e-8  # of the fastest rate: below it the damping is dropped and the step is Newton's
_ROUNDING = 1e-14


@kernel
def stationary_work_size(n: Any) -> Any:
    """Length of `work` (float64) of `stationary_state` for n states."""
    return 2 * n * n + 3 * n


@inner
def _net_rate(core: Any, rhs: Any, ctx: Any, p: Any, rate: Any, x: Any, out: Any) -> Any:
    """out ← f(x) + rate; returns the largest magnitude among the leading `core` states."""
    call_rhs(rhs, ctx, x, p, out)
    largest = 0.0
    for m in range(core):
        out[m] += rate[m]
        # The second test keeps a nan once met; the first alone would lose it.
        if abs(out[m]) > largest or out[m] != out[m]:
            largest = abs(out[m])
    return largest


@inner
def _factor_damped(n: Any, damping: Any, jac: Any, lu: Any, piv: Any) -> Any:
    """lu ← the factors of damping·I − J."""
    for i in range(n):
        for j in range(n):
            lu[i, j] = -jac[i, j]
        lu[i, i] += damping
    return lu_factor(n, lu, piv)


@inner
def _fastest_rate(n: Any, jac: Any) -> Any:
    """The largest row sum of |J|, a bound of its eigenvalues."""
    fastest = 0.0
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += abs(jac[i, j])
        fastest = max(fastest, total)
    return fastest


@inner
def _stationary_tangents(
    core: Any, q: Any, jac: Any, rhs_d: Any, ctx: Any, p: Any, dp: Any, drate: Any, x: Any, dx: Any,
    matrix: Any, lu: Any, zero: Any, piv: Any,
) -> Any:  # fmt: skip
    """dx ← −J⁻¹(f_p·dp + drate) at the stationary state x; 3 where J is singular there."""
    matrix[:, :] = 0.0
    call_jacobian(jac, ctx, x, p, matrix)
    if _factor_damped(core, 0.0, matrix, lu, piv) != OK or lu_singular(core, lu):
        return SINGULAR
    zero[:] = 0.0
    for k in range(q):
        call_rhs_tangent(rhs_d, ctx, x, p, zero, dp[k], dx[k])
        for m in range(core):
            dx[k, m] += drate[k, m]
        lu_solve(core, lu, piv, dx[k])
    return OK


@inner
def _try_step(n: Any, x: Any, step: Any, rtol: Any, atol: Any, nonnegative: Any, trial: Any) -> Any:
    """trial ← x + step, kept off negative amounts; returns the largest |step|/(atol + rtol·|trial|)."""
    # A state that is zero beside large ones is known only to their rounding error.
    floor, largest = atol, 0.0
    for m in range(n):
        floor = max(floor, _ROUNDING * abs(x[m]))
    for m in range(n):
        trial[m] = x[m] + step[m]
        ratio = abs(step[m]) / (floor + rtol * abs(trial[m]))
        if ratio > largest or ratio != ratio:
            largest = ratio
        if nonnegative and trial[m] < -floor:
            trial[m] = max(0.1 * x[m], 0.0)
            largest = max(largest, 2.0)
    return largest


@kernel
def stationary_state(
    n: Any, q: Any, rhs: Any, jac: Any, rhs_d: Any, ctx: Any, p: Any, dp: Any, rate: Any, drate: Any, x: Any,
    dx: Any, rtol: Any, atol: Any, max_iterations: Any, work: Any, iwork: Any, nonnegative: Any = True,
    core: Any = -1,
) -> Any:  # fmt: skip
    """Solve f(x; p) + rate = 0 from the guess in x, in place, and set dx = −J⁻¹(f_p·dp + drate).

    Arguments as in `stiff.propagate_stiff`; time stands still at ctx. The iteration is
    (λI − J) s = f(x) + rate, x ← x + s: an implicit Euler step of length 1/λ, so that from a poor guess it
    follows the model in time towards the state it tends to, and Newton's step once λ = 0. It ends when
    Newton's step is within atol + rtol·|x| in every state. `nonnegative`: states are amounts; a step below
    zero is cut to a tenth of the state, which keeps the iteration off the roots of saturable elimination at
    negative amounts. `core`: only so many leading states, on which the others have no influence, are to stand
    still (−1: all of them). work: `stationary_work_size(n)` float64, iwork: n int64.

    Returns 0, or 3 where no stationary state was found within max_iterations (input above the capacity of
    elimination) or J is singular at it (a closed system); x is then not to be used.

    Kelley CT, Keyes DE. Convergence analysis of pseudo-transient continuation. SIAM J Numer Anal
    1998;35:508-523. doi:10.1137/S0036142996304796
    """
    square = n * n
    matrix, lu = work[:square].reshape((n, n)), work[square : 2 * square].reshape((n, n))
    net, step = work[2 * square : 2 * square + n], work[2 * square + n : 2 * square + 2 * n]
    trial = work[2 * square + 2 * n : 2 * square + 3 * n]
    core = n if core < 0 else core
    trial[:] = x
    size = _net_rate(core, rhs, ctx, p, rate, x, net)
    damping, fastest, fresh = -1.0, 0.0, False
    for _ in range(max_iterations):
        if not fresh:
            matrix[:, :] = 0.0
            call_jacobian(jac, ctx, x, p, matrix)
            fastest, fresh = _fastest_rate(core, matrix), True
            if damping < 0.0:
                damping = fastest
        factored = _factor_damped(core, damping, matrix, lu, iwork) == OK
        step[:] = net
        if factored:
            lu_solve(core, lu, iwork, step)
        largest = _try_step(core, x, step, rtol, atol, nonnegative, trial)
        if factored and damping == 0.0 and largest <= 1.0:
            x[:] = trial
            return _stationary_tangents(
                core, q, jac, rhs_d, ctx, p, dp, drate, x, dx, matrix, lu, step, iwork
            )
        after = _net_rate(core, rhs, ctx, p, rate, trial, step)
        if factored and after <= 2.0 * size:
            x[:] = trial
            net[:] = step
            if after < size:
                damping *= min(1.0 / _GROWTH, after / size)
            if largest <= 1.0 or damping < _SLOWEST * fastest:
                damping = 0.0
            size, fresh = after, False
        else:
            damping = max(_GROWTH * damping, _SLOWEST * fastest)
    return SINGULAR
