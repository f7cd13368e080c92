"""Values known at some records, carried to the records where they are not."""

from __future__ import annotations

from typing import Literal

import numpy as np

from troughline.model.records import Floats, Ints


def carried(
    values: Floats, first: Ints, rule: Literal["next", "last"], *, time_h: Floats | None = None
) -> Floats:
    """`values` (n_records,) with each NaN replaced by another record's value of the same patient.

    `next`: by the next value (NONMEM's rule: a value holds back to the record before it), after the last
    one by that; `last`: by the last value, before the first one by that. NaN is left where a patient has no
    value. `first` (n_patients + 1,): where each patient's records begin.

    With `time_h` (n_records,) the records of a patient at one time share the last value known there before
    values are carried; without it only the order of the records counts, as it does for NONMEM.
    """
    if not np.isnan(values).any():
        return values
    patient = np.repeat(np.arange(len(first) - 1), np.diff(first))
    there = ~np.isnan(values)
    positions = np.arange(len(values))
    before = np.maximum.accumulate(np.where(there, positions, -1))
    after = np.minimum.accumulate(np.where(there, positions, len(values))[::-1])[::-1]
    if time_h is not None:
        start, end = _moments(patient, time_h)
        # The last value known at the moment itself, where there is one.
        own = before[end - 1]
        before = np.where(own >= start, own, before)
        after = np.where(own >= start, own, after)
    before = np.where(before >= first[patient], before, -1)
    after = np.where(after < first[patient + 1], after, -1)
    pick = np.where(after >= 0, after, before) if rule == "next" else np.where(before >= 0, before, after)
    filled = np.where(pick >= 0, values[np.maximum(pick, 0)], np.nan)
    return filled if time_h is not None else np.where(there, values, filled)


def _moments(patient: Ints, time_h: Floats) -> tuple[Ints, Ints]:
    """For each record where the records of its patient at its time begin and end (n_records,) each."""
    changes = np.ones(len(patient) + 1, dtype=bool)
    changes[1:-1] = (np.diff(patient) != 0) | (np.diff(time_h) != 0)
    edges = np.flatnonzero(changes)
    moment = np.cumsum(changes[:-1]) - 1
    return edges[moment], edges[moment + 1]
