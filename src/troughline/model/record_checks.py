"""Whether records fit a compiled model: the kernels do not look where an index leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.model.kernels import layout as at
from troughline.model.records import DOSE, OBSERVATION, RESET_AND_DOSE, Records

if TYPE_CHECKING:
    from troughline.model.compiled import Compiled


def check_records(compiled: Compiled, records: Records) -> None:
    """Raise `ValueError`, naming the first record at fault, where records do not fit the model.

    Events, compartments, outputs and occasions must exist, times, amounts and rates be finite, repeated doses
    have an interval, and the covariates be as many as the model's.
    """
    layout = compiled.layout
    n, wanted = len(records), int(layout[at.N_COVARIATES])
    if records.covariates.shape != (n, wanted):
        raise ValueError(f"covariates have shape {records.covariates.shape}; the model needs ({n}, {wanted})")
    first = records.first
    whole = len(first) == records.n_patients + 1 and first[0] == 0 and first[-1] == n
    if not whole or np.any(np.diff(first) < 0):
        raise ValueError(f"first must rise from 0 to the number of records, {n}")
    dose = (records.event == DOSE) | (records.event == RESET_AND_DOSE)
    seen = records.event == OBSERVATION
    states, outputs = int(layout[at.N_CORE]), int(layout[at.N_OUTPUTS])
    rate = records.rate_mg_per_h
    faults = (
        (~np.isfinite(records.time_h), "its time is not finite"),
        (~np.isin(records.event, np.arange(5)), "its event is none of 0 to 4"),
        (records.occasion < 0, "its occasion is negative"),
        (
            dose & ((records.compartment < -1) | (records.compartment >= states)),
            f"its compartment does not exist: the model has {states}, counted from 0; -1 is every input",
        ),
        (
            seen & ((records.output < 0) | (records.output >= outputs)),
            f"its output does not exist: the model has {outputs}, counted from 0",
        ),
        (dose & ~np.isfinite(records.amount_mg), "its amount is not finite"),
        (
            dose & ~(np.isfinite(rate) & ((rate >= 0) | (rate == -1) | (rate == -2))),
            "its rate is neither a number of at least 0 nor -1 nor -2",
        ),
        (
            dose & ~(np.isfinite(records.interval_h) & (records.interval_h >= 0)),
            "its interval is no number of at least 0",
        ),
        (dose & (records.additional < 0), "its number of additional doses is negative"),
        (dose & (records.additional > 0) & (records.interval_h == 0), "additional doses need an interval"),
        (dose & ~np.isin(records.steady_state, (0, 1, 2)), "its steady state is none of 0, 1 and 2"),
    )
    for wrong, why in faults:
        if np.any(wrong):
            raise ValueError(_named(records, wrong) + why)


def _named(records: Records, wrong: NDArray[np.bool_]) -> str:
    """The first record at fault, by its patient and time."""
    k = int(np.flatnonzero(wrong)[0])
    patient = records.patients[int(np.searchsorted(records.first, k, side="right")) - 1]
    row = f", row {records.row[k]}" if records.row[k] else ""
    return f"patient {patient!r}, record {k}{row} at {records.time_h[k]:g} h: "
