"""One patient's records from first to last: predictions and their derivatives by the random effects."""

from __future__ import annotations

from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import context, refresh
from troughline.model.kernels.calls import call_output, call_part
from troughline.model.kernels.dosing import administer
from troughline.model.kernels.gates import clock_switches
from troughline.model.kernels.jit import inner
from troughline.model.kernels.pending import drop, pass_time, push
from troughline.model.kernels.views import clear, matrix, vector


@inner
def run_patient(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, RF: Any, RI: Any, cov: Any, first: int, last: int,
    W: Any, I: Any, f: Any, df: Any, err: Any, derr: Any,  # noqa: E741
) -> int:  # fmt: skip
    """Run records `first` to `last` (without) of one patient at `eta` (n_subject + n_occasions·n_occasion,).

    RF (n_records, 6), RI (n_records, 7), cov (n_records, n_covariates) as in `layout`. For each observation
    record r (counted from `first`): f[r] the prediction, df[r] (q,) its derivatives, err[r] (3,) the values
    of the additive, proportional and power parts of its error, derr[r] (3, q) theirs where the error depends
    on effects. I[Q] says how many derivatives; 0 for none. Returns a status.
    """
    if last <= first:
        return at.OK
    _conditions(L, W, I, RI, cov, first, first)
    status = _set_out(L, C, FN, theta, eta, W, I, RF[first, at.R_TIME], L[at.N])
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
            # Areas under curves go on through a reset.
            status = _set_out(L, C, FN, theta, eta, W, I, time, L[at.N_CORE])
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


@inner
def _begin(L: Any, W: Any, I: Any, emptied: int) -> None:  # noqa: E741
    """Nothing in the `emptied` leading states, nothing pending, no dose yet."""
    n, q, ns = L[at.N], I[at.Q], L[at.N_SLOTS]
    for k in range(at.S_STEP + 1):
        W[k] = 0.0
    clear(W, I[at.X], emptied)
    for j in range(q):
        clear(W, I[at.DX] + j * n, emptied)
    clear(W, I[at.RATE], n)
    clear(W, I[at.DRATE], q * n)
    clear(W, I[at.GATE_ON], L[at.N_GATES])
    clear(W, I[at.GATE_OPEN], L[at.N_GATES])
    clear(W, I[at.DP], (L[at.M_SUBJECT] + L[at.M_OCCASION]) * ns)
    clear(W, I[at.SEEN_DT], 2 * at.CACHE_SIZE)
    I[at.P_COUNT] = 0
    I[at.CACHE_COUNT] = 0
    I[at.CACHE_NEXT] = 0
    I[at.SEEN_NEXT] = 0
    I[at.FRESH] = at.STALE
    I[at.SEEDING] = 0
    I[at.HOMOGENEOUS] = 0


@inner
def _set_out(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, time: float, emptied: int,  # noqa: E741
) -> int:  # fmt: skip
    """The state in which a patient's records begin, or begin again after a reset. Returns a status."""
    n, q, ns = L[at.N], I[at.Q], L[at.N_SLOTS]
    _begin(L, W, I, emptied)
    W[at.S_T] = time
    refresh(L, C, FN, theta, eta, W, I)
    p, dp = vector(W, I[at.P], ns), matrix(W, I[at.DPG], q, ns)
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    for i in range(n):
        slot = L[L[at.X0_SLOT] + i]
        if slot >= 0:
            x[i] = p[slot]
            for j in range(q):
                dx[j, i] = dp[j, slot]
    return clock_switches(L, C, FN, theta, eta, W, I) if L[at.HAS_CLOCK_GATE] != 0 else at.OK


@inner
def _conditions(L: Any, W: Any, I: Any, RI: Any, cov: Any, r: int, before: int) -> None:  # noqa: E741
    """Put record r's covariates and occasion in force; a covariate that is carried on is that of `before`."""
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


@inner
def _until(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, RF: Any, RI: Any, cov: Any, W: Any, I: Any,  # noqa: E741
    time: float, r: int,
) -> int:  # fmt: skip
    """Advance to the time of record r, giving the repeated doses on the way.

    A repeated dose is given under the covariates of its own record, as NONMEM does, at its own time.
    """
    while True:
        status = pass_time(L, C, FN, theta, eta, W, I, time, at.INCLUSIVE)
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


@inner
def _repeat(W: Any, I: Any, record: int, time: float, left: int) -> bool:  # noqa: E741
    """The dose of a record is to come again at `time`, `left` times in all; whether there was room."""
    k = push(W, I, at.ADDITIONAL, at.NONE, time, 0.0)
    if k < 0:
        return False
    I[I[at.P_RECORD] + k] = record
    I[I[at.P_LEFT] + k] = left
    return True


@inner
def _dose(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, RF: Any, RI: Any, r: int, W: Any, I: Any,  # noqa: E741
) -> int:  # fmt: skip
    """Give the dose of record r, after the steady state that it asks for. Returns a status."""
    amount, rate, interval = RF[r, at.R_AMOUNT], RF[r, at.R_RATE], RF[r, at.R_INTERVAL]
    steady, state = RI[r, at.R_STEADY], RI[r, at.R_STATE]
    if steady != 0:
        W[at.S_AMOUNT] = amount
        W[at.S_RATE] = rate
        W[at.S_EVERY] = interval
        W[at.S_STATE] = state
        W[at.S_ADD] = 1.0 if steady == 2 else 0.0
        status = call_part(FN[at.F_STEADY], (L, C, FN, theta, eta, W, I), 0.0, 0.0)
        if status != at.OK or interval <= 0.0:
            return status
    status = administer(L, C, FN, theta, eta, W, I, amount, rate, interval, state)
    if status != at.OK:
        return status
    left = RI[r, at.R_ADDITIONAL]
    if left > 0 and not _repeat(W, I, r, W[at.S_T] + interval, left):
        return at.TOO_MANY_PENDING
    return at.OK


@inner
def _observe(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any, output: int, row: int,  # noqa: E741
    f: Any, df: Any, err: Any, derr: Any,
) -> None:  # fmt: skip
    """Write the prediction of an output now, its derivatives and its error into `row` of the results."""
    n, q, ns = L[at.N], I[at.Q], L[at.N_SLOTS]
    # Slots that do not follow time stay right while it passes, those of the output among them or not.
    if I[at.FRESH] == at.STALE or L[at.OUTPUTS_USE_TIME] != 0:
        refresh(L, C, FN, theta, eta, W, I)
    p, dp = vector(W, I[at.P], ns), matrix(W, I[at.DPG], q, ns)
    x, dx = vector(W, I[at.X], n), matrix(W, I[at.DX], q, n)
    out, hx, hp = vector(W, I[at.OUT], 1), vector(W, I[at.H_X], n), vector(W, I[at.H_P], ns)
    clear(W, I[at.H_X], n)
    clear(W, I[at.H_P], ns)
    call_output(FN[at.F_OUTPUT + output], context(W, I), x, p, out, hx, hp)
    f[row] = out[0]
    for j in range(q):
        total = 0.0
        for i in range(n):
            if hx[i] != 0.0 and dx[j, i] != 0.0:
                total += hx[i] * dx[j, i]
        for s in range(ns):
            if hp[s] != 0.0 and dp[j, s] != 0.0:
                total += hp[s] * dp[j, s]
        df[row, j] = total
    for part in range(3):
        slot = L[L[at.OUT_ERROR] + 3 * output + part]
        err[row, part] = p[slot] if slot >= 0 else 0.0
        if L[at.ERROR_USES_EFFECTS] != 0:
            for j in range(q):
                derr[row, part, j] = dp[j, slot] if slot >= 0 else 0.0
