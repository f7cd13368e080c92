"""Doses in slots of half a day, and the records that a model takes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.policy.setup import SLOT_H
from troughline.model.records import (
    ALL_INPUTS,
    BELOW_LIMIT,
    DOSE,
    MISSING,
    OBSERVATION,
    QUANTIFIED,
    Records,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.dosing.regimen import Regimen

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def prescribe(amounts: Floats, rows: Ints, regimen: Regimen | None, from_slot: Ints) -> None:
    """Write a regimen into `amounts` (n, S), mg, of some rows from each one's slot on; None: no dose."""
    slots = amounts.shape[1]
    step = 1 if regimen is None else round(regimen.interval_h / SLOT_H)
    cycle = np.zeros(1)
    if regimen is not None:
        cycle = np.zeros(step * len(regimen.amounts_mg))
        cycle[::step] = regimen.amounts_mg
    since = np.arange(slots, dtype=np.int64)[None, :] - from_slot[:, None]
    written = cycle[since % len(cycle)]
    amounts[rows] = np.where(since >= 0, written, amounts[rows])


def occasion_of_slot(visit_days: Sequence[int], slots: int) -> Ints:
    """The occasion of each slot (S,): a visit's ends with the night after it."""
    mornings = np.arange(slots) // 2
    return np.searchsorted(np.asarray(visit_days), mornings, side="left").astype(np.int64)


def occasion_of_time(visit_days: Sequence[int], time_h: Floats) -> Ints:
    """The occasion of moments in h; the morning after a visit, before the dose, still belongs to the
    visit's.
    """
    ends = 24.0 * (np.asarray(visit_days, dtype=np.float64) + 1.0)
    return np.searchsorted(ends, time_h - 1e-9, side="left").astype(np.int64)


def course_records(
    names: Sequence[str],
    amounts: Floats,
    until_h: float,
    times_h: Floats,
    *,
    visit_days: Sequence[int],
    covariates: Floats,
    output: int,
    values: Floats | None = None,
    censored: Flags | None = None,
    limits: Floats | None = None,
) -> tuple[Records, Ints]:
    """Records of n patients: the doses `amounts` (n, S) before `until_h`, and observations at their times.

    `times_h` (n, m), NaN where a patient has fewer. `values` (n, m) on the scale of the output's error, with
    `censored` below `limits`; without them the times are for prediction. Returns the records and the place of
    each observation (n, m), −1 where there is none. A level at the time of a dose is that before it. Every
    end of an occasion is marked by a prediction, so that the occasion lasts until then whatever is observed.
    """
    n, slots = amounts.shape
    m, marks = times_h.shape[1], 24.0 * (np.asarray(visit_days, dtype=np.float64) + 1.0)
    marks = np.tile(marks[marks < until_h - 1e-9], (n, 1))
    nothing, times_h = np.full(marks.shape, np.nan), np.hstack([times_h, marks])
    slot_h = SLOT_H * np.arange(slots, dtype=np.float64)
    occasion = occasion_of_slot(visit_days, slots)
    dosed = (amounts > 0) & (slot_h < until_h - 1e-9)[None, :]
    who, slot = np.nonzero(dosed)
    asker, column = np.nonzero(np.isfinite(times_h))
    asked = times_h[asker, column]
    patient = np.r_[who, asker]
    time = np.r_[slot_h[slot], asked]
    is_dose = np.r_[np.ones(len(who), dtype=bool), np.zeros(len(asker), dtype=bool)]
    order = np.lexsort((is_dose, time, patient))
    total = len(order)

    def reals(dose: Floats | float, observation: Floats | float) -> Floats:
        out = np.empty(total, dtype=np.float64)
        out[: len(who)], out[len(who) :] = dose, observation
        return out[order]

    def whole(dose: Ints | int, observation: Ints | int) -> Ints:
        out = np.empty(total, dtype=np.int64)
        out[: len(who)], out[len(who) :] = dose, observation
        return out[order]

    measured, limit, kind = (
        np.full(len(asker), np.nan),
        np.full(len(asker), np.nan),
        np.full(len(asker), MISSING),
    )
    if values is not None:
        measured = np.hstack([values, nothing])[asker, column]
        kind[np.isfinite(measured)] = QUANTIFIED
    if censored is not None and limits is not None:
        limit = np.hstack([limits, nothing])[asker, column]
        kind[np.hstack([censored, nothing > 0])[asker, column]] = BELOW_LIMIT
    first = np.searchsorted(patient[order], np.arange(n + 1, dtype=np.int64))
    records = Records(
        patients=tuple(names),
        first=first.astype(np.int64),
        time_h=time[order],
        event=whole(DOSE, OBSERVATION),
        amount_mg=reals(amounts[who, slot], 0.0),
        rate_mg_per_h=np.zeros(total),
        interval_h=np.zeros(total),
        additional=np.zeros(total, dtype=np.int64),
        steady_state=np.zeros(total, dtype=np.int64),
        compartment=np.full(total, ALL_INPUTS, dtype=np.int64),
        output=np.full(total, output, dtype=np.int64),
        value=reals(np.nan, measured),
        censoring=whole(MISSING, kind),
        limit=reals(np.nan, limit),
        covariates=covariates[patient[order]],
        occasion=whole(occasion[slot], occasion_of_time(visit_days, asked)),
        row=np.zeros(total, dtype=np.int64),
    )
    places = np.full(times_h.shape, -1, dtype=np.int64)
    back = np.empty(total, dtype=np.int64)
    back[order] = np.arange(total, dtype=np.int64)
    places[asker, column] = back[len(who) :]
    return records, places[:, :m]
