"""Gates: windows that follow each dose, or the clock, during which a rate is switched on."""

from __future__ import annotations

from typing import Any

from troughline.model.kernels import layout as at
from troughline.model.kernels.advance import refresh
from troughline.model.kernels.jit import inner
from troughline.model.kernels.pending import drop, dtime, is_switch, push
from troughline.model.kernels.views import matrix, vector


@inner
def clock_switches(L: Any, C: Any, FN: Any, theta: Any, eta: Any, W: Any, I: Any) -> int:  # noqa: E741
    """Set the gates that follow the clock for this moment and put their next switches among the pending."""
    if I[at.FRESH] != at.CURRENT:
        refresh(L, C, FN, theta, eta, W, I)
    p, dp = vector(W, I[at.P], L[at.N_SLOTS]), matrix(W, I[at.DPG], I[at.Q], L[at.N_SLOTS])
    for g in range(L[at.N_GATES]):
        gate = vector(L, L[at.GATES] + g * at.GATE_SIZE, at.GATE_SIZE)
        if gate[at.GATE_KIND] != 1:
            continue
        length, windows = p[gate[at.GATE_LENGTH]], 0.0
        if not length >= 0.0:
            return at.NEGATIVE
        if length >= at.DAILY:
            windows = 1.0
        else:
            for h in range(gate[at.GATE_COUNT]):
                hour = C[gate[at.GATE_AT] + 1 + h] - C[gate[at.GATE_AT]]
                since = (W[at.S_T] - hour) % at.DAILY
                # A window that shuts right now has still to do so: its end may depend on the random effects.
                open_now = 0.0 < since <= length
                windows += 1.0 if open_now else 0.0
                opened = W[at.S_T] - since
                opens = opened if since == 0.0 else opened + at.DAILY
                k = push(W, I, at.GATE_OPENS, g, opens, at.DAILY)
                shuts = (opened if open_now else opens) + length
                k = push(W, I, at.GATE_SHUTS, g, shuts, at.DAILY) if k >= 0 else k
                if k < 0:
                    return at.TOO_MANY_PENDING
                for j in range(I[at.Q]):
                    dtime(W, I, k)[j] = dp[j, gate[at.GATE_LENGTH]]
        W[I[at.GATE_OPEN] + g] = windows
        W[I[at.GATE_ON] + g] = 1.0 if windows > 0.0 else 0.0
        I[at.FRESH] = at.STALE
    return at.OK


@inner
def dose_gates(L: Any, W: Any, I: Any) -> int:  # noqa: E741
    """Shut the gates that follow a dose and plan their windows after the dose given now.

    The slots must be current. Returns a status.
    """
    q, ns = I[at.Q], L[at.N_SLOTS]
    p, dp = vector(W, I[at.P], ns), matrix(W, I[at.DPG], q, ns)
    for g in range(L[at.N_GATES]):
        gate = vector(L, L[at.GATES] + g * at.GATE_SIZE, at.GATE_SIZE)
        if gate[at.GATE_KIND] != 0:
            continue
        shut_gate(W, I, g)
        start, length = gate[at.GATE_START], gate[at.GATE_LENGTH]
        after = 0.0 if start < 0 else p[start]
        if not after >= 0.0 or (length >= 0 and not p[length] >= 0.0):
            return at.NEGATIVE
        k = push(W, I, at.GATE_OPENS, g, W[at.S_T] + after, 0.0)
        if k < 0:
            return at.TOO_MANY_PENDING
        if start >= 0:
            for j in range(q):
                dtime(W, I, k)[j] = dp[j, start]
        if length >= 0:
            s = push(W, I, at.GATE_SHUTS, g, W[at.S_T] + after + p[length], 0.0)
            if s < 0:
                return at.TOO_MANY_PENDING
            for j in range(q):
                dtime(W, I, s)[j] = dtime(W, I, k)[j] + dp[j, length]
    return at.OK


@inner
def shut_gate(W: Any, I: Any, gate: int) -> None:  # noqa: E741
    """A gate is shut and none of its windows is to come."""
    k = I[at.P_COUNT]
    while k > 0:
        k -= 1
        if is_switch(I, k) and I[I[at.P_STATE] + k] == gate:
            drop(W, I, k)
    W[I[at.GATE_OPEN] + gate] = 0.0
    if W[I[at.GATE_ON] + gate] != 0.0:
        W[I[at.GATE_ON] + gate] = 0.0
        I[at.FRESH] = at.STALE
