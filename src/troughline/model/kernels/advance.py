"""Bring one patient's state from one moment to the next, with its derivatives by the random effects."""

from __future__ import annotations

from typing import Any

from troughline.model.kernels import layout as at
from troughline.model.kernels.calls import call_coefficients, call_coefficients_d, call_part, call_rhs
from troughline.model.kernels.jit import inner
from troughline.model.kernels.views import clear, cube, matrix, vector


@inner
def refresh(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> None:  # noqa: E741
    """`evaluate`, by its address."""
    call_part(FN[at.F_REFRESH], (L, C, FN, theta, eta, W, I), 0.0, 0.0)


@inner
def evaluate(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """The slots, their derivatives and the rate matrix for the conditions in force."""
    q, ns = I[at.Q], L[at.N_SLOTS]
    ms, mo = L[at.M_SUBJECT], L[at.M_OCCASION]
    local = vector(W, I[at.ETA], ms + mo)
    for k in range(ms):
        local[k] = eta[k]
    first = ms + I[at.OCCASION] * mo
    for k in range(mo):
        local[ms + k] = eta[first + k]
    cov = vector(W, I[at.COV], L[at.N_COVARIATES])
    gates = vector(W, I[at.GATE_ON], L[at.N_GATES])
    ctx = context(W, I)
    p = vector(W, I[at.P], ns)
    clear(W, I[at.DPG], q * ns)
    if q > 0 and I[at.SEEDING] == 0:
        dp, whole = matrix(W, I[at.DP], ms + mo, ns), matrix(W, I[at.DPG], q, ns)
        call_coefficients_d(FN[at.F_COEFFICIENTS_D], theta, cov, local, gates, ctx, p, dp)
        for k in range(ms + mo):
            direction = k if k < ms else first + k - ms
            for s in range(ns):
                whole[direction, s] = dp[k, s]
    else:
        call_coefficients(FN[at.F_COEFFICIENTS], theta, cov, local, gates, ctx, p)
    if L[at.KIND] != at.NONLINEAR:
        _fill_matrix(L, C, W, I)
        _fill_constants(L, C, W, I)
    # Propagators of constant rates are kept with their rates; a gate that shuts again finds its own.
    if I[at.FRESH] == at.STALE and L[at.KIND] != at.LINEAR:
        I[at.CACHE_COUNT] = 0
        I[at.CACHE_NEXT] = 0
    I[at.FRESH] = at.CURRENT
    return at.OK


@inner
def context(W: Any, I: Any) -> Any:  # noqa: E741
    """The context array [t, tad, dose, interval] for the present moment."""
    ctx = vector(W, I[at.CTX], 4)
    ctx[0] = W[at.S_T]
    ctx[1] = W[at.S_TAD]
    ctx[2] = W[at.S_DOSE]
    ctx[3] = W[at.S_INTERVAL]
    return ctx


@inner
def _fill_matrix(L: Any, C: Any, W: Any, I: Any) -> None:  # noqa: E741
    """The rate matrix from the slots."""
    q, ns, nnz = I[at.Q], L[at.N_SLOTS], L[at.NNZ]
    p, dp = vector(W, I[at.P], ns), matrix(W, I[at.DPG], q, ns)
    val, dval = vector(W, I[at.VAL], nnz), matrix(W, I[at.DVAL], q, nnz)
    slot, coefficient = vector(L, L[at.A_SLOT], nnz), vector(C, L[at.C_A], nnz)
    for k in range(nnz):
        val[k] = coefficient[k] * p[slot[k]]
        for j in range(q):
            dval[j, k] = coefficient[k] * dp[j, slot[k]]


@inner
def _fill_constants(L: Any, C: Any, W: Any, I: Any) -> None:  # noqa: E741
    """The rates at which the model itself feeds its states; none where only its homogeneous part counts."""
    q, n, ns = I[at.Q], L[at.N], L[at.N_SLOTS]
    p, dp = vector(W, I[at.P], ns), matrix(W, I[at.DPG], q, ns)
    u, du = vector(W, I[at.UVAL], n), matrix(W, I[at.DUVAL], q, n)
    slot, coefficient = vector(L, L[at.U_SLOT], n), vector(C, L[at.C_U], n)
    clear(W, I[at.UVAL], n)
    clear(W, I[at.DUVAL], q * n)
    if I[at.HOMOGENEOUS] != 0:
        return
    for i in range(n):
        if slot[i] >= 0:
            u[i] = coefficient[i] * p[slot[i]]
            for j in range(q):
                du[j, i] = coefficient[i] * dp[j, slot[i]]


@inner
def advance(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, until: float) -> int:  # noqa: E741
    """Move the state to time `until` (h); nothing happens on the way. Returns a status."""
    dt = until - W[at.S_T]
    if dt <= 0.0:
        return at.OK if dt > -1e-9 else at.NEGATIVE
    varying = L[at.KIND] == at.VARYING
    # Rates that vary in time are evaluated as time goes on; only new conditions need to be put in place.
    if I[at.FRESH] == at.STALE or (I[at.FRESH] != at.CURRENT and not varying):
        refresh(L, C, FN, theta, eta, W, I)
    status = call_part(FN[at.F_STEP], (L, C, FN, theta, W, I), dt, 0.0)
    W[at.S_T] = until
    W[at.S_TAD] += dt
    if varying:
        I[at.FRESH] = at.CONTEXT_CHANGED
    return status


@inner
def rates_now(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, f: Any) -> None:  # noqa: E741
    """f ← dx/dt at this moment, inputs included."""
    n, nnz, kind = L[at.N], L[at.NNZ], L[at.KIND]
    if I[at.FRESH] != at.CURRENT:
        refresh(L, C, FN, theta, eta, W, I)
    x, rate = vector(W, I[at.X], n), vector(W, I[at.RATE], n)
    if kind == at.NONLINEAR:
        call_rhs(FN[at.F_RHS], context(W, I), x, vector(W, I[at.P], L[at.N_SLOTS]), f)
        for i in range(n):
            f[i] += rate[i]
        return
    row, col = vector(L, L[at.A_ROW], nnz), vector(L, L[at.A_COL], nnz)
    val, u = vector(W, I[at.VAL], nnz), vector(W, I[at.UVAL], n)
    for i in range(n):
        f[i] = rate[i] + u[i]
    for k in range(nnz):
        f[row[k]] += val[k] * x[col[k]]


@inner
def reserve(W: Any, I: Any, start: float, dt: float) -> int:  # noqa: E741
    """A place in the cache for a new propagator; the oldest gives way."""
    place = I[at.CACHE_NEXT] % at.CACHE_SIZE
    I[at.CACHE_NEXT] = place + 1
    I[at.CACHE_COUNT] = max(I[at.CACHE_COUNT], place + 1)
    keys = matrix(W, I[at.CACHE_DT], at.CACHE_SIZE, 2)
    keys[place, 0] = start
    keys[place, 1] = dt
    return place


@inner
def keep_rates(L: Any, W: Any, I: Any, place: int) -> None:  # noqa: E741
    """The rate matrix in force and its derivatives, kept with the propagator at a place of the cache."""
    size, q = L[at.NNZ], I[at.Q]
    values, slopes = I[at.CACHE_VAL] + place * size, I[at.CACHE_DVAL] + place * q * size
    for k in range(size):
        W[values + k] = W[I[at.VAL] + k]
    for k in range(q * size):
        W[slopes + k] = W[I[at.DVAL] + k]


@inner
def of_these_rates(L: Any, W: Any, I: Any, place: int) -> bool:  # noqa: E741
    """Whether the propagator at a place of the cache is that of the rate matrix in force."""
    size, q = L[at.NNZ], I[at.Q]
    values, slopes = I[at.CACHE_VAL] + place * size, I[at.CACHE_DVAL] + place * q * size
    same = True
    for k in range(size):
        same = same and W[values + k] == W[I[at.VAL] + k]
    for k in range(q * size if same else 0):
        same = same and W[slopes + k] == W[I[at.DVAL] + k]
    return same


@inner
def cached_phi(L: Any, W: Any, I: Any, place: int) -> Any:  # noqa: E741
    """The propagator (n, n) kept at a place of the cache."""
    n = L[at.N]
    return matrix(W, I[at.CACHE_PHI] + place * n * n, n, n)


@inner
def cached_dphi(L: Any, W: Any, I: Any, place: int) -> Any:  # noqa: E741
    """Its derivatives (q, n, n)."""
    n, q = L[at.N], I[at.Q]
    return cube(W, I[at.CACHE_DPHI] + place * q * n * n, q, n, n)
