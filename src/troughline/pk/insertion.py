"""Prediction times put among records, without changing what is predicted at the records themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.model.records import ALL_INPUTS, MISSING, OBSERVATION
from troughline.pk.dosing_intervals import stretches

if TYPE_CHECKING:
    from troughline.model.records import Records
    from troughline.model.spec import ModelSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def with_times(
    spec: ModelSpec, records: Records, *, patient: Ints, stretch: Ints, time_h: Floats, output: Ints
) -> tuple[Records, Ints]:
    """The records with a prediction record for each of the moments, and where those stand (n_moments,).

    `patient`: index; `stretch`: as `stretches` counts; `time_h`; `output`: index, those past the model's own
    are the areas of `compiled_with_areas`. A moment comes after every record of its time, and its doses.
    Occasion and covariates are those of the record after it (of the one before it for a covariate that is
    carried by `last`, and where there is none after): so they hold over the same times as before, and what is
    predicted at the records stays as it was.
    """
    n_old, n_new = len(records), len(time_h)
    own = records.patient_index()
    keys = (
        np.concatenate([np.arange(n_old), np.full(n_new, n_old)]),
        np.concatenate([records.time_h, time_h]),
        np.concatenate([stretches(records), stretch]),
        np.concatenate([own, patient]),
    )
    source = np.lexsort(keys)
    place = np.empty(n_old + n_new, dtype=np.int64)
    place[source] = np.arange(n_old + n_new)
    who = np.concatenate([own, patient])[source]
    follows, leads = _neighbours(source, n_old, who, records.first)
    old = source < n_old
    taken = np.where(old, source, follows)

    def column(values: NDArray[Any], new: float) -> NDArray[Any]:
        return np.where(old, values[taken], np.asarray(new, dtype=values.dtype))

    outputs = np.concatenate([records.output, output])[source]
    covariates = records.covariates[taken]
    for k, covariate in enumerate(spec.covariates):
        if covariate.carry == "last":
            covariates[:, k] = records.covariates[np.where(old, source, leads), k]
    counts = np.bincount(np.concatenate([own, patient]), minlength=records.n_patients)
    merged = replace(
        records,
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        time_h=keys[1][source],
        event=column(records.event, OBSERVATION),
        amount_mg=column(records.amount_mg, 0.0),
        rate_mg_per_h=column(records.rate_mg_per_h, 0.0),
        interval_h=column(records.interval_h, 0.0),
        additional=column(records.additional, 0),
        steady_state=column(records.steady_state, 0),
        compartment=column(records.compartment, ALL_INPUTS),
        output=outputs.astype(np.int64),
        value=column(records.value, np.nan),
        censoring=column(records.censoring, MISSING),
        limit=column(records.limit, np.nan),
        covariates=covariates,
        occasion=records.occasion[taken],
        row=column(records.row, 0),
    )
    return merged, place[n_old:]


def _neighbours(source: Ints, n_old: int, who: Ints, first: Ints) -> tuple[Ints, Ints]:
    """For each place of the merged records the records at or after and at or before it, of its patient.

    Where there is none on one side it is that on the other. `who` (n_merged,): the patient of each place.
    """
    n = len(source)
    here = np.arange(n)
    after = np.minimum.accumulate(np.where(source < n_old, here, n)[::-1])[::-1]
    before = np.maximum.accumulate(np.where(source < n_old, here, -1))
    begin, end = first[who], first[who + 1] - 1
    follows = np.where(after < n, source[np.minimum(after, n - 1)], n_old)
    leads = np.where(before >= 0, source[np.maximum(before, 0)], -1)
    return np.minimum(follows, end), np.maximum(leads, begin)
