"""Dosing and observation records of many patients, flat: what the engine runs over."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = 0, 1, 2, 3, 4
ALL_INPUTS = -1
QUANTIFIED, BELOW_LIMIT, ABOVE_LIMIT, MISSING = 0, 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Records of n_patients patients, sorted by patient and time; all arrays but `first` are (n_records,).

    - `patients`: the patients' names (n_patients,); `first` (n_patients + 1,): where each one's records
      begin.
    - `time_h`: hours. `event`: 0 observation, 1 dose, 2 other (a covariate or occasion change, a prediction
      time without a measurement), 3 reset, 4 reset and dose: NONMEM's EVID.
    - `amount_mg`; `rate_mg_per_h`: 0 bolus (through `ALL_INPUTS`: as each input declares), > 0 infusion,
      −1 modelled rate, −2 modelled duration; `interval_h` (II), `additional` (ADDL), `steady_state` (0, 1,
      2).
    - `compartment`: index of the state a dose enters, or `ALL_INPUTS` (every input of the model); on event 2
      records unused.
    - `output`: index of the output that a record observes or predicts.
    - `value`: the observation in canonical units (on the log scale where the output's error is), NaN where
      there is none; `censoring`: 0 quantified, 1 below `limit`, 2 above `limit`, 3 no measurement (a time at
      which only a prediction is wanted); `limit` on the scale of `value`.
    - `covariates` (n_records, n_covariates): in the units of the model file, already carried so that no entry
      is missing.
    - `occasion`: index 0, 1, … of the occasion within the patient.
    - `row`: the row of the file a record was read from (0: made by the program).
    """

    patients: tuple[str, ...]
    first: Ints
    time_h: Floats
    event: Ints
    amount_mg: Floats
    rate_mg_per_h: Floats
    interval_h: Floats
    additional: Ints
    steady_state: Ints
    compartment: Ints
    output: Ints
    value: Floats
    censoring: Ints
    limit: Floats
    covariates: Floats
    occasion: Ints
    row: Ints

    def __len__(self) -> int:
        return len(self.time_h)

    @property
    def n_patients(self) -> int:
        """How many patients."""
        return len(self.patients)

    @property
    def observed(self) -> NDArray[np.bool_]:
        """The records at which a prediction is made: observations and prediction times (n_records,)."""
        return self.event == OBSERVATION

    def patient_index(self) -> Ints:
        """For each record the index of its patient (n_records,)."""
        return np.repeat(np.arange(self.n_patients), np.diff(self.first))


def records_slice(records: Records, patients_from: int, patients_to: int) -> Records:
    """The records of the patients from index `patients_from` up to, without, `patients_to`.

    The arrays are views of the whole, except `first`, which counts from 0 again. Raises `ValueError`
    where the indices are not in order or reach past the last patient.
    """
    if not 0 <= patients_from <= patients_to <= records.n_patients:
        raise ValueError(
            f"patients {patients_from} to {patients_to} are not among the {records.n_patients} of the records"
        )
    begin, end = int(records.first[patients_from]), int(records.first[patients_to])
    whole = {f.name: getattr(records, f.name) for f in fields(records) if f.name not in ("patients", "first")}
    return Records(
        patients=records.patients[patients_from:patients_to],
        first=records.first[patients_from : patients_to + 1] - begin,
        **{name: array[begin:end] for name, array in whole.items()},
    )
