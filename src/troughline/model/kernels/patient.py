"""One patient's records from first to last: predictions and their derivatives by the random effects."""

from __future__ import annotations

from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import context, refresh
from troughline.model.kernels.calls import call_output, call_part
from troughline.model.kernels.dosing import administer
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.layout import matrix, vector
from troughline.model.kernels.pending import clock_switches, drop, pass_time, push


@kernel
def run_patient(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, RF: Any, RI: Any, cov: Any, first: int, last: int,
    W: Any, I: Any, f: Any, df: Any, err: Any, derr: Any,  # noqa: E741
) -> int:  # fmt: skip
    """Run records `first` to `last` (exclusive) of one patient at effects `eta` (n_subject + n_occ·n_occasion,).

    RF (n_records, 6), RI (n_records, 7), cov (n_records, n_covariates) as in `layout`. For each observation
    record r (counted from `first`): f[r] the prediction, df[r] (q,) its derivatives, err[r] (3,) the values of
    the additive, proportional and power parts of its error, derr[r] (3, q) theirs where the error depends on
    effects. I[Q] says how many derivatives; 0 for none. Returns a status.
    """
    _begin(L, W, I)
    if last <= first:
        return at.OK
    W[at.S_T] = RF[first, at.R_TIME]
    _conditions(L, W, I, RI, cov, first, first)
    _initial_state(L, C, FN, theta, eta, W, I)
    if L[at.HAS_CLOCK_GATE] != 0:
        status = clock_switches(L, C, FN, theta, eta, W, I)
        if status != at.OK:
            return status
    for r in range(first, last):
        time, event = RF[r, at.R_TIME], RI[r, at.R_EVENT]
        resets = event == at.EV_RESET or event == at.EV_RESET_DOSE
        if r > first:
            _conditions(L, W, I, RI, cov, r, r - 1)
        if not (resets and time < W[at.S_T]):
            status = _until(L, C, FN, theta, eta, RF, RI, cov, W, I, time, r)
            if status != at.OK:
                return status
        _conditions(L, W, I, RI, cov, r, r)
        if resets:
            W[at.S_T] = time
            _begin(L, W, I)
            W[at.S_T] = time
            _conditions(L, W, I, RI, cov, r, r)
            _initial_state(L, C, FN, theta, eta, W, I)
            if L[at.HAS_CLOCK_GATE] != 0:
                status = clock_switches(L, C, FN, theta, eta, W, I)
                if status != at.OK:
                    return status
        if event == at.EV_DOSE or event == at.EV_RESET_DOSE:
            status = _dose(L, C, FN, theta, eta, RF, RI, r, W, I)
            if status != at.OK:
                return status
        elif event == at.EV_OBSERVATION:
            _observe(L, C, FN, theta, eta, W, I, RI[r, at.R_OUTPUT], r - first, f, df, err, derr)
            if not np.isfinite(f[r - first]):
                return at.NOT_FINITE
    return at.OK


@kernel
def _begin(L: Any, W: Any, I: Any) -> None:  # noqa: E741
    """Nothing in the body, nothing pending, no dose yet."""
    n, q, ns = L[at.N], I[at.Q], L[at.N_SLOTS]
    for k in range(at.S_STEP + 1):
        W[k] = 0.0
    vector(W, I[at.X], n)[:] = 0.0
    matrix(W, I[at.DX], q, n)[:] = 0.0
    vector(W, I[at.RATE], n)[:] = 0.0
    matrix(W, I[at.DRATE], q, n)[:] = 0.0
    vector(W, I[at.UVAL], n)[:] = 0.0
    matrix(W, I[at.DUVAL], q, n)[:] = 0.0
    vector(W, I[at.GATE_ON], L[at.N_GATES])[:] = 0.0
    matrix(W, I[at.DP], L[at.M_SUBJECT] + L[at.M_OCCASION], ns)[:] = 0.0
    vector(W, I[at.SEEN_DT], 2 * at.CACHE_SIZE)[:] = 0.0
    vector(W, I[at.VAL], L[at.NNZ])[:] = 0.0
    I[at.P_COUNT] = 0
    I[at.CACHE_COUNT] = 0
    I[at.CACHE_NEXT] = 0
    I[at.SEEN_NEXT] = 0
    I[at.FRESH] = at.STALE
    I[at.SEEDING] = 0
    I[at.HOMOGENEOUS] = 0


@kernel
def _conditions(L: Any, W: Any, I: Any, RI: Any, cov: Any, r: int, before: int) -> None:  # noqa: E741
    """Put the covariates and the occasion of record r in force; `last`-carried covariates those of `before`."""
    current = vector(W, I[at.COV], L[at.N_COVARIATES])
    changed = I[at.OCCASION] != RI[r, at.R_OCCASION]
    for k in range(L[at.N_COVARIATES]):
        row = r if L[L[at.CARRY] + k] == 0 else before
        value = cov[row, k]
        if current[k] != value:
            current[k] = value
            changed = True
    if changed:
        I[at.OCCASION] = RI[r, at.R_OCCASION]
        I[at.FRESH] = at.STALE


@kernel
def _initial_state(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> None:  # noqa: E741
    n, q, ns = L[at.N], I[at.Q], L[at.N_SLOTS]
    refresh(L, C, FN, theta, eta, W, I)
    p, dp = vector(W, I[at.P], ns), matrix(W, I[at.DPG], q, ns)
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    for i in range(n):
        slot = L[L[at.X0_SLOT] + i]
        if slot >= 0:
            x[i] = p[slot]
            for j in range(q):
                dx[j, i] = dp[j, slot]


@kernel
def _until(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, RF: Any, RI: Any, cov: Any, W: Any, I: Any,  # noqa: E741
    time: float, r: int,
) -> int:  # fmt: skip
    """Advance to the time of record r, giving the repeated doses on the way.

    A repeated dose is given under the covariates of its own record, as NONMEM does, at its own time.
    """
    while True:
        status = pass_time(L, C, FN, theta, eta, W, I, time, True)
        if status >= 0:
            return status
        k = -1 - status
        record, left = I[I[at.P_RECORD] + k], I[I[at.P_LEFT] + k]
        when = W[I[at.P_TIME] + k]
        drop(W, I, k)
        interval = RF[record, at.R_INTERVAL]
        _conditions(L, W, I, RI, cov, record, record)
        status = administer(
            L, C, FN, theta, eta, W, I, RF[record, at.R_AMOUNT], RF[record, at.R_RATE], interval,
            RI[record, at.R_STATE],
        )  # fmt: skip
        _conditions(L, W, I, RI, cov, r, r - 1)
        if status != at.OK:
            return status
        if left > 1 and not _repeat(W, I, record, when + interval, left - 1):
            return at.TOO_MANY_PENDING


@kernel
def _repeat(W: Any, I: Any, record: int, time: float, left: int) -> bool:  # noqa: E741
    k = push(W, I, at.ADDITIONAL, -1, time, 0.0)
    if k < 0:
        return False
    I[I[at.P_RECORD] + k] = record
    I[I[at.P_LEFT] + k] = left
    return True


@kernel
def _dose(
    L: Any,
    C: Any,
    FN: Any,
    theta: Any,
    eta: Any,
    RF: Any,
    RI: Any,
    r: int,
    W: Any,
    I: Any,  # noqa: E741
) -> int:
    amount, rate, interval = RF[r, at.R_AMOUNT], RF[r, at.R_RATE], RF[r, at.R_INTERVAL]
    steady, state = RI[r, at.R_STEADY], RI[r, at.R_STATE]
    if steady != 0:
        W[at.S_AMOUNT] = amount
        W[at.S_RATE] = rate
        W[at.S_EVERY] = interval
        W[at.S_STATE] = state
        W[at.S_ADD] = 1.0 if steady == 2 else 0.0
        arrays = (
            L.ctypes.data, C.ctypes.data, FN.ctypes.data, theta.ctypes.data, eta.ctypes.data, W.ctypes.data,
            I.ctypes.data,
        )  # fmt: skip
        status = call_part(FN[at.F_STEADY], arrays, 0.0, 0.0)
        if status != at.OK or interval <= 0.0:
            return status
    status = administer(L, C, FN, theta, eta, W, I, amount, rate, interval, state)
    if status != at.OK:
        return status
    left = RI[r, at.R_ADDITIONAL]
    if left > 0 and not _repeat(W, I, r, W[at.S_T] + interval, left):
        return at.TOO_MANY_PENDING
    return at.OK


@kernel
def _observe(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, output: int, row: int,  # noqa: E741
    f: Any, df: Any, err: Any, derr: Any,
) -> None:  # fmt: skip
    n, q, ns = L[at.N], I[at.Q], L[at.N_SLOTS]
    if L[at.OUTPUTS_USE_TIME] != 0 and I[at.FRESH] == at.CURRENT:
        I[at.FRESH] = at.CONTEXT_CHANGED
    if I[at.FRESH] != at.CURRENT:
        refresh(L, C, FN, theta, eta, W, I)
    p, dp = vector(W, I[at.P], ns), matrix(W, I[at.DPG], q, ns)
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    out, hx, hp = vector(W, I[at.OUT], 1), vector(W, I[at.H_X], n), vector(W, I[at.H_P], ns)
    hx[:] = 0.0
    hp[:] = 0.0
    call_output(FN[at.F_OUTPUT + output], context(W, I), x, p, out, hx, hp)
    f[row] = out[0]
    for j in range(q):
        total = 0.0
        for i in range(n):
            if hx[i] != 0.0:
                total += hx[i] * dx[j, i]
        for s in range(ns):
            if hp[s] != 0.0:
                total += hp[s] * dp[j, s]
        df[row, j] = total
    for part in range(3):
        slot = L[L[at.OUT_ERROR] + 3 * output + part]
        err[row, part] = p[slot] if slot >= 0 else 0.0
        if L[at.ERROR_USES_EFFECTS] != 0:
            for j in range(q):
                derr[row, part, j] = dp[j, slot] if slot >= 0 else 0.0
