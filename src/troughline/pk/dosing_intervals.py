"""Dosing intervals of a record file: from one administration to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.model.records import DOSE, MISSING, OBSERVATION, RESET, RESET_AND_DOSE

if TYPE_CHECKING:
    from troughline.model.records import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

MISSED_AFTER = 2.0
"""From this many stated intervals on, a next dose does not end an interval: one was left out."""
WITHOUT_ANY_H = 24.0
"""The length of the interval of a single dose after which nothing is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrations:
    """Every dose that is given, repeated ones too, by patient, stretch and time; all arrays (n,).

    `stretch` counts the patient's resets before it (EVID 3 or 4: the body is empty, the clock may begin
    anew). `order`: the record that it comes before or with, so that an administration at the time of a sample
    is before it where `order` is at most the sample's record. `interval_h`: as stated, 0 where none is.
    `infusion_h`: how long its infusion runs, 0 where its rate does not say.
    """

    patient: Ints
    stretch: Ints
    time_h: Floats
    order: Ints
    dose_mg: Floats
    interval_h: Floats
    infusion_h: Floats

    def __len__(self) -> int:
        return len(self.time_h)


@dataclass(frozen=True, slots=True, kw_only=True)
class DosingIntervals:
    """Dosing intervals by patient and time; all arrays (n_intervals,).

    `start_h` to `end_h`; `dose_mg` given at the start; `infusion_h` as in `Administrations`; `stretch` as
    there.
    """

    patient: Ints
    stretch: Ints
    start_h: Floats
    end_h: Floats
    dose_mg: Floats
    infusion_h: Floats

    def __len__(self) -> int:
        return len(self.start_h)


def stretches(records: Records) -> Ints:
    """How many resets of the patient there were up to and with each record (n_records,)."""
    reset = (records.event == RESET) | (records.event == RESET_AND_DOSE)
    total = np.concatenate([[0], np.cumsum(reset)])
    return (total[1:] - total[records.first[:-1]][records.patient_index()]).astype(np.int64)


def administrations(records: Records) -> Administrations:
    """Every dose up to each patient's last record, and the first one after it.

    Repeated doses end at a reset and at a dose that brings its own steady state (SS = 1), as in NONMEM. At
    the time of another record they are given before it. Doses at one time are one administration: its amount
    is the sum over the records into one compartment, and the largest of such sums over compartments, since a
    dose that is absorbed along two ways stands in such files once for each.
    """
    patient, stretch = records.patient_index(), stretches(records)
    dosed = (records.event == DOSE) | (records.event == RESET_AND_DOSE)
    which = np.flatnonzero(dosed & ((records.amount_mg > 0) | (records.rate_mg_per_h > 0)))
    until = _stretch_ends(records, patient, stretch)[which]
    cancelled = _cancelled_at(records, patient, stretch, which, until)
    start, every = records.time_h[which], records.interval_h[which]
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(every > 0, np.floor((until - start) / every + 1e-9) + 1, 0.0)
    repeats = np.clip(np.minimum(records.additional[which], np.nan_to_num(room)), 0, None).astype(np.int64)
    source = np.repeat(np.arange(len(which)), repeats + 1)
    step = np.arange(len(source)) - np.repeat(np.cumsum(repeats + 1) - repeats - 1, repeats + 1)
    time_h = start[source] + step * every[source]
    kept = (step == 0) | (time_h < cancelled[source])
    source, step, time_h = source[kept], step[kept], time_h[kept]
    record = which[source]
    # A repeated dose at the time of a record is given before it, whichever record that is.
    order = np.where(step == 0, record, -1)
    sort = np.lexsort((order, time_h, stretch[record], patient[record]))
    return _merged(records, record[sort], time_h[sort], order[sort], patient, stretch)


def reported_intervals(records: Records, *, interval_h: float | None = None) -> DosingIntervals:
    """The dosing interval in which, or after whose beginning, each measured sample lies, and the last one.

    An interval begins with an administration and ends

    - with the next one (or a reset), unless that comes two stated intervals (II) later or more: then a dose
      was left out, and the interval has its stated length;
    - where none follows: after the stated length; without one after `interval_h`; without that after as long
      as the interval before; for a single dose with the patient's last record; where nothing is recorded
      after it, 24 h later.

    A sample before any dose has no interval. The last interval is that of the last administration by the
    patient's last record.
    """
    given = administrations(records)
    if not len(given):
        none = np.empty(0)
        nobody = np.empty(0, dtype=np.int64)
        return DosingIntervals(
            patient=nobody, stretch=nobody, start_h=none, end_h=none, dose_mg=none, infusion_h=none
        )
    patient, stretch = records.patient_index(), stretches(records)
    sampled = np.flatnonzero((records.event == OBSERVATION) & (records.censoring != MISSING))
    last = records.first[1:][np.diff(records.first) > 0] - 1
    before = _latest(given, patient[sampled], stretch[sampled], records.time_h[sampled], sampled)
    beyond = np.full(len(last), len(records))
    final = _latest(given, patient[last], stretch[last], records.time_h[last], beyond)
    chosen = np.unique(np.concatenate([before, final]))
    chosen = chosen[chosen >= 0]
    return DosingIntervals(
        patient=given.patient[chosen],
        stretch=given.stretch[chosen],
        start_h=given.time_h[chosen],
        end_h=_ends(records, given, patient, stretch, interval_h)[chosen],
        dose_mg=given.dose_mg[chosen],
        infusion_h=given.infusion_h[chosen],
    )


def time_after_dose(records: Records) -> Floats:
    """Time since the last administration before each record (n_records,), h; NaN before the first."""
    given = administrations(records)
    every = np.arange(len(records))
    before = _latest(given, records.patient_index(), stretches(records), records.time_h, every)
    out = np.full(len(records), np.nan)
    after = before >= 0
    out[after] = records.time_h[after] - given.time_h[before[after]]
    return out


def _merged(
    records: Records, record: Ints, time_h: Floats, order: Ints, patient: Ints, stretch: Ints
) -> Administrations:
    """Administrations of doses that are in order: those at one time are one."""
    who, part = patient[record], stretch[record]
    if not len(record):
        begins = np.empty(0, dtype=np.int64)
    else:
        new = (np.diff(who) != 0) | (np.diff(part) != 0) | (np.diff(time_h) != 0)
        begins = np.concatenate([[0], np.flatnonzero(new) + 1])
    group = np.zeros(len(record), dtype=np.int64)
    group[begins[1:]] = 1
    group = np.cumsum(group)
    rate, amount = records.rate_mg_per_h[record], records.amount_mg[record]
    with np.errstate(divide="ignore", invalid="ignore"):
        infusion = np.where(rate > 0, amount / rate, 0.0)
    return Administrations(
        patient=who[begins],
        stretch=part[begins],
        time_h=time_h[begins],
        order=order[begins],
        dose_mg=_largest_sum(group, records.compartment[record], amount, len(begins)),
        interval_h=_largest(group, records.interval_h[record], len(begins)),
        infusion_h=_largest(group, infusion, len(begins)),
    )


def _largest_sum(group: Ints, compartment: Ints, amount: Floats, n: int) -> Floats:
    """Per group the largest of the sums of `amount` over each compartment (n,)."""
    width = int(compartment.max(initial=0)) + 2
    key, place = np.unique(group * width + compartment + 1, return_inverse=True)
    sums = np.zeros(len(key))
    np.add.at(sums, place, amount)
    return _largest(key // width, sums, n)


def _largest(group: Ints, values: Floats, n: int) -> Floats:
    out = np.zeros(n)
    np.maximum.at(out, group, values)
    return out


def _stretch_ends(records: Records, patient: Ints, stretch: Ints) -> Floats:
    """For each record the time of the last record of its stretch (n_records,)."""
    if not len(records):
        return np.empty(0)
    ends = np.flatnonzero((np.diff(patient) != 0) | (np.diff(stretch) != 0))
    ends = np.append(ends, len(records) - 1)
    return records.time_h[ends[np.searchsorted(ends, np.arange(len(records)))]]


def _cancelled_at(records: Records, patient: Ints, stretch: Ints, which: Ints, until: Floats) -> Floats:
    """When the repeats of the doses `which` are forgotten: the next reset or SS = 1 dose; ∞ where none is.

    A reset at which the clock begins anew says nothing of the hours after `until`, the last record before.
    """
    dosed = (records.event == DOSE) | (records.event == RESET_AND_DOSE)
    forget = (records.event == RESET) | (records.event == RESET_AND_DOSE)
    forget |= dosed & (records.steady_state == 1)
    at = np.flatnonzero(forget)
    if not len(at):
        return np.full(len(which), np.inf)
    place = np.searchsorted(at, which, side="right")
    following = at[np.minimum(place, len(at) - 1)]
    there = (place < len(at)) & (patient[following] == patient[which])
    there &= (stretch[following] == stretch[which]) | (records.time_h[following] >= until)
    return np.where(there, records.time_h[following], np.inf)


def _latest(given: Administrations, patient: Ints, stretch: Ints, time_h: Floats, order: Ints) -> Ints:
    """For each moment the last administration before it, −1 where there is none."""
    n, m = len(given), len(time_h)
    if not n:
        return np.full(m, -1, dtype=np.int64)
    keys = [
        np.concatenate([a, b])
        for a, b in (
            (np.zeros(n), np.ones(m)), (given.order, order), (given.time_h, time_h),
            (given.stretch, stretch), (given.patient, patient),
        )
    ]  # fmt: skip
    sort = np.lexsort(keys)
    place = np.where(sort < n, sort, -1)
    seen = np.maximum.accumulate(place)
    out = np.empty(n + m, dtype=np.int64)
    out[sort] = seen
    out = out[n:]
    found = np.maximum(out, 0)
    mine = (out >= 0) & (given.patient[found] == patient) & (given.stretch[found] == stretch)
    return np.where(mine, out, -1)


def _ends(
    records: Records, given: Administrations, patient: Ints, stretch: Ints, interval_h: float | None
) -> Floats:
    """When the interval of each administration ends (n_administrations,)."""
    n = len(given)
    same = np.zeros(n, dtype=bool)
    same[:-1] = (np.diff(given.patient) == 0) & (np.diff(given.stretch) == 0)
    following = np.where(same, np.append(given.time_h[1:], np.inf), np.inf)
    following = np.minimum(following, _next_reset(records, given, patient, stretch))
    stated = given.interval_h
    missed = following >= given.time_h + MISSED_AFTER * stated
    end = np.where((stated > 0) & missed, given.time_h + stated, following)
    earlier = np.concatenate([[False], same[:-1]])
    spacing = np.where(earlier, given.time_h - np.concatenate([[0.0], given.time_h[:-1]]), np.nan)
    rest = _last_time(records, given, patient, stretch) - given.time_h
    length = np.where(rest > 0, rest, WITHOUT_ANY_H)
    length = np.where(np.isfinite(spacing), spacing, length)
    if interval_h is not None:
        length = np.full(n, interval_h)
    return np.where(np.isfinite(end), end, given.time_h + length)


def _last_time(records: Records, given: Administrations, patient: Ints, stretch: Ints) -> Floats:
    """The time of the last record in the stretch of each administration."""
    width = int(stretch.max(initial=0)) + 1
    key = patient * width + stretch
    place = np.searchsorted(key, given.patient * width + given.stretch, side="right") - 1
    return records.time_h[place]


def _next_reset(records: Records, given: Administrations, patient: Ints, stretch: Ints) -> Floats:
    """When the stretch of each administration is ended by a reset that is not before it; ∞ where never."""
    reset = np.flatnonzero((records.event == RESET) | (records.event == RESET_AND_DOSE))
    width = int(stretch.max(initial=0)) + 2
    key = patient[reset] * width + stretch[reset]
    wanted = given.patient * width + given.stretch + 1
    place = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
    out = np.full(len(given), np.inf)
    if len(key):
        there = key[place] == wanted
        time_h = records.time_h[reset[place]]
        out = np.where(there & (time_h > given.time_h), time_h, np.inf)
    return out
