"""Predict: a compiled model over the records of many patients, exactly, over the cores there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.model.records import Records

if TYPE_CHECKING:
    from troughline.model.compiled import Compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STATUS_TEXT = {
    0: "done",
    1: "the solver reached its step limit",
    2: "a prediction is not a finite number",
    3: "there is no steady state",
    4: "the model gives no such input: a modelled rate or duration without an expression, or a steady state "
    "whose interval has no period in common with the clock gates, or of rates that follow the time itself",
    5: "more than 512 doses are under way at once",
    6: "a lag, a duration, the length of a gate or a step of time is negative, or a rate is not positive",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Error control of the stiff solver; linear models are exact and do not use it.

    Linear models whose rates vary smoothly in time are held to a thousandth of `relative`, not below 1e-11.

    The error of a step is held to `absolute` + `relative`·|amount|, in mg or the unit of the state where that
    is smaller. After `max_steps` steps between two events the run stops with a status, never with a number.
    """

    relative: float = 1e-8
    absolute: float = 1e-10
    max_steps: int = 100_000


class PredictionError(ValueError):
    """A patient could not be predicted; the message names the patient and says why."""

    def __init__(self, patients: Iterable[str], status: Iterable[int]) -> None:
        self.failed = dict(zip(patients, status, strict=True))
        first = ", ".join(f"{p}: {STATUS_TEXT[s]}" for p, s in list(self.failed.items())[:5])
        more = f" and {len(self.failed) - 5} more" if len(self.failed) > 5 else ""
        super().__init__(f"{len(self.failed)} patient(s) could not be predicted ({first}{more})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Predictions at observation records.

    `value` (n_records,): canonical units, natural scale, NaN at records that observe nothing; `error`
    (n_records, 3): the additive, proportional and power parts of the residual error there; `jacobian`
    (n_records, q) ∂value/∂effects, or None; `status` (n_patients,): 0, or why a patient has no prediction.
    """

    value: Floats
    error: Floats
    jacobian: Floats | None
    status: Ints


def record_arrays(records: Records) -> tuple[Floats, Ints, Floats]:
    """The record arrays of the kernels: RF (n, 6), RI (n, 7) and covariates (n, n_covariates)."""
    reals = np.column_stack(
        [records.time_h, records.amount_mg, records.rate_mg_per_h, records.interval_h, records.value,
         records.limit]
    )  # fmt: skip
    ints = np.column_stack(
        [records.event, records.additional, records.steady_state, records.compartment, records.output,
         records.occasion, records.censoring]
    )  # fmt: skip
    return (
        np.ascontiguousarray(reals, dtype=np.float64),
        np.ascontiguousarray(ints, dtype=np.int64),
        np.ascontiguousarray(records.covariates, dtype=np.float64),
    )


def effects_per_patient(compiled: Compiled, records: Records) -> Ints:
    """How many random effects each patient has (n_patients,): n_subject + n_occasions · n_occasion."""
    if compiled.n_occasion == 0:
        return np.full(records.n_patients, compiled.n_subject, dtype=np.int64)
    occasions = np.array(
        [
            records.occasion[a:b].max(initial=-1) + 1
            for a, b in zip(records.first, records.first[1:], strict=False)
        ],
        dtype=np.int64,
    )
    return compiled.n_subject + occasions * compiled.n_occasion


def predict(
    compiled: Compiled,
    records: Records,
    *,
    theta: Floats,
    effects: Floats | None = None,
    tangents: bool = False,
    tolerance: Tolerance | None = None,
    threads: int | None = None,
    check: bool = True,
) -> Prediction:
    """Predictions at the observation records of every patient.

    `theta` (n_parameters,) canonical; `effects` (n_patients, q) with each patient's between-subject effects
    first and then those of each occasion (None: all zero, the population prediction). `tangents` adds the
    exact derivatives by the effects. `threads`: None for the number of cores. Raises `PredictionError` for
    patients without a prediction when `check`; otherwise their values are NaN and `status` says
    why. Raises `ValueError` for records that do not fit the model.
    """
    from troughline.model.kernels.batch import predict_batch
    from troughline.model.record_checks import check_records

    check_records(compiled, records)
    reals, ints, covariates = record_arrays(records)
    n, n_patients = len(records), records.n_patients
    q = int(effects_per_patient(compiled, records).max(initial=0))
    given = np.zeros((n_patients, q)) if effects is None else np.ascontiguousarray(effects, dtype=np.float64)
    if given.shape[0] != n_patients or given.shape[1] < q:
        raise ValueError(f"effects has shape {given.shape}; needed: ({n_patients}, {q})")
    control = tolerance or Tolerance()
    value, error = np.full(n, np.nan), np.zeros((n, 3))
    jacobian = np.zeros((n, given.shape[1])) if tangents else np.zeros((n, 0))
    status = np.zeros(n_patients, dtype=np.int64)
    first = np.ascontiguousarray(records.first, dtype=np.int64)
    parameters = np.ascontiguousarray(theta, dtype=np.float64)

    def run(begin: int, end: int) -> None:
        predict_batch(
            compiled.layout, compiled.coefficients, compiled.addresses, parameters, given, reals, ints,
            covariates, first, begin, end, tangents, control.relative, control.absolute, control.max_steps,
            value, jacobian, error, status,
        )  # fmt: skip

    over_patients(run, n_patients, threads)
    if check and np.any(status != 0):
        bad = np.flatnonzero(status)
        raise PredictionError([records.patients[i] for i in bad], [int(status[i]) for i in bad])
    return Prediction(value=value, error=error, jacobian=jacobian if tangents else None, status=status)


def over_patients(
    run: Callable[[int, int], Any], n_patients: int, threads: int | None, *, chunk: int = 256
) -> None:
    """Call `run(begin, end)` over chunks of patients on `threads` threads; small jobs stay on one."""
    workers = threads if threads is not None else (os.cpu_count() or 1)
    if workers <= 1 or n_patients <= chunk:
        run(0, n_patients)
        return
    with ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(run, b, min(b + chunk, n_patients)) for b in range(0, n_patients, chunk)]
        for job in jobs:
            job.result()
