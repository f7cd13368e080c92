"""Lay out the arrays one patient's run works in."""

from __future__ import annotations

from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels import stiff
from troughline.model.kernels.exponential import work_size
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.stationary import stationary_work_size
from troughline.model.kernels.varying import work_size as varying_work_size


@kernel
def workspace(L: Any, q: int, rtol: float, atol: float, max_steps: int) -> Any:
    """W (float64) and I (int64) for a model and at most q derivatives (also set as the number in use)."""
    n, ns, nnz = L[at.N], L[at.N_SLOTS], L[at.NNZ]
    m = L[at.M_SUBJECT] + L[at.M_OCCASION]
    rows = max(q, n) if L[at.KIND] == at.NONLINEAR else q
    ints = np.zeros(at.I_HEADER + 4 * at.CAPACITY + m + max(stiff.iwork_size(n), n) + 1, dtype=np.int64)
    scratch = max(work_size(n, rows), varying_work_size(n, rows))
    if L[at.KIND] == at.NONLINEAR:
        scratch = max(scratch, stiff.work_size(n, rows), stationary_work_size(n))
    sizes = (
        (at.X, n), (at.DX, rows * n), (at.P, ns), (at.DP, m * ns), (at.DPG, rows * ns), (at.VAL, nnz),
        (at.DVAL, rows * nnz), (at.UVAL, n), (at.DUVAL, rows * n), (at.RATE, n), (at.DRATE, rows * n),
        (at.RTOT, n), (at.DRTOT, rows * n), (at.ETA, m), (at.COV, L[at.N_COVARIATES]),
        (at.GATE_ON, L[at.N_GATES]), (at.GATE_OPEN, L[at.N_GATES]), (at.CTX, 4),
        (at.P_TIME, at.CAPACITY), (at.P_VALUE, at.CAPACITY), (at.P_DTIME, at.CAPACITY * rows),
        (at.P_DVALUE, at.CAPACITY * rows),
        (at.CACHE_DT, 2 * at.CACHE_SIZE), (at.CACHE_PHI, at.CACHE_SIZE * n * n),
        (at.CACHE_DPHI, at.CACHE_SIZE * rows * n * n), (at.CACHE_VAL, at.CACHE_SIZE * nnz),
        (at.CACHE_DVAL, at.CACHE_SIZE * rows * nnz), (at.F_BEFORE, n), (at.F_AFTER, n), (at.OUT, 4),
        (at.H_X, n), (at.H_P, ns), (at.IN_VALUES, 4), (at.DIN_VALUES, 4 * rows),
        (at.SEEN_DT, 2 * at.CACHE_SIZE), (at.ATOL, n), (at.SCRATCH, scratch),
    )  # fmt: skip
    place = at.W_SCALARS
    for name, size in sizes:
        ints[name] = place
        place += size
    place_i = at.I_HEADER
    for name in (at.P_KIND, at.P_STATE, at.P_RECORD, at.P_LEFT):
        ints[name] = place_i
        place_i += at.CAPACITY
    ints[at.DIRECTIONS] = place_i
    ints[at.ISCRATCH] = place_i + m
    ints[at.Q] = q
    ints[at.MAX_STEPS] = max_steps
    ints[at.OCCASION] = -1
    floats = np.zeros(place)
    floats[at.S_RTOL] = rtol
    floats[at.S_ATOL] = atol
    return floats, ints


@kernel
def patient_effects(L: Any, RI: Any, first: int, last: int) -> int:
    """How many random effects a patient has: between subjects, and those of each occasion."""
    occasions = 0
    for r in range(first, last):
        occasions = max(occasions, RI[r, at.R_OCCASION] + 1)
    return L[at.M_SUBJECT] + occasions * L[at.M_OCCASION]
