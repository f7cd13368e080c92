"""Many patients, one after the other: the loop that a thread runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.calls import call_part
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.workspace import patient_effects, workspace


@kernel
def call_patient(
    L: Any, C: Any, FN: Any, theta: Any, eta: Any, RF: Any, RI: Any, cov: Any, first: int, last: int,
    W: Any, I: Any, f: Any, df: Any, err: Any, derr: Any,  # noqa: E741
) -> int:  # fmt: skip
    """`patient.run_patient` by its address; df may have more columns than the patient has effects."""
    I[at.DF_COLUMNS] = df.shape[1]
    arrays = (L, C, FN, theta, eta, RF, RI, cov, W, I, f, df, err, derr)
    return call_part(FN[at.F_PATIENT], arrays, float(first), float(last))


@kernel
def predict_batch(
    L: Any, C: Any, FN: Any, theta: Any, effects: Any, RF: Any, RI: Any, cov: Any, first: Any,
    begin: int, end: int, tangents: bool, rtol: float, atol: float, max_steps: int,
    f: Any, df: Any, err: Any, status: Any,
) -> None:  # fmt: skip
    """Predict at the records of patients `begin` to `end`, writing into the whole arrays.

    effects (n_patients, q_max); f (n_records,), df (n_records, q_max) where `tangents`, err (n_records, 3);
    status (n_patients,). A patient whose status is not 0 keeps NaN in f.
    """
    q_max = effects.shape[1]
    W, I = workspace(L, q_max if tangents else 0, rtol, atol, max_steps)  # noqa: E741
    no_derr = np.empty((0, 3, 0))
    for i in range(begin, end):
        lo, hi = first[i], first[i + 1]
        q = patient_effects(L, RI, lo, hi)
        I[at.Q] = q if tangents else 0
        derr = np.empty((hi - lo, 3, q)) if L[at.ERROR_USES_EFFECTS] != 0 else no_derr
        status[i] = call_patient(
            L, C, FN, theta, effects[i, :q].copy(), RF, RI, cov, lo, hi, W, I, f[lo:hi], df[lo:hi],
            err[lo:hi], derr,
        )  # fmt: skip
        if status[i] != at.OK:
            f[lo:hi] = np.nan
