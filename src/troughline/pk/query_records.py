"""One patient's records with the prediction records that questions about exposure need."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.model.records import DOSE, MISSING, OBSERVATION, RESET, RESET_AND_DOSE, Records

if TYPE_CHECKING:
    from troughline.model.model import Model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A moment (h) at which an output is wanted: after every record of that time, or `before` them all."""

    time_h: float
    output: int
    before: bool = False


def with_points(
    model: Model, one: Records, points: list[Point], occasion: int | None
) -> tuple[Records, Ints]:
    """The records of one patient with a prediction record for each point, and the place of each.

    Covariates and the occasion at a new record are those in force at its time, so that the other predictions
    stay what they are. `occasion`: the one in force instead at every point, all of which must then lie at or
    after the last record; doses repeated after that are given in it. Where the clock of the records begins
    anew at a reset, points are on the last clock. Raises `ValueError` for points that cannot be placed.
    """
    times = np.array([p.time_h for p in points])
    before = np.array([p.before for p in points], dtype=bool)
    clock = _last_clock(one)
    if not np.isfinite(times).all():
        raise ValueError("a time of a question about exposure must be finite")
    if len(one) == 0:
        raise ValueError(f"patient {one.patients[0]!r} has no records, so no exposure")
    if occasion is not None:
        if times.min() < one.time_h[-1]:
            raise ValueError(
                f"another occasion can only begin after the last record, at {one.time_h[-1]:g} h: "
                f"{times.min():g} h lies before it"
            )
        one = _in_new_occasion(one, occasion)
    if times.min() < one.time_h[clock] and (clock > 0 or _starts_somewhere(model)):
        raise ValueError(f"{times.min():g} h lies before the records, which begin at {one.time_h[clock]:g} h")
    left = clock + np.searchsorted(one.time_h[clock:], times, side="left")
    right = clock + np.searchsorted(one.time_h[clock:], times, side="right")
    place = np.where(before, left, right)
    return _merged(model, one, points, place, right > left, occasion)


def repetition_times(one: Records, start: float, end: float) -> Floats:
    """When doses are given and infusions of a given rate stop, strictly between two times (h), sorted."""
    clock = _last_clock(one)
    doses = np.flatnonzero((one.event == DOSE) | (one.event == RESET_AND_DOSE))
    times: list[Floats] = []
    for r in doses[doses >= clock].tolist():
        count = int(one.additional[r]) if one.interval_h[r] > 0 else 0
        given = one.time_h[r] + one.interval_h[r] * np.arange(count + 1)
        times.append(given)
        if one.rate_mg_per_h[r] > 0:
            times.append(given + one.amount_mg[r] / one.rate_mg_per_h[r])
    whole = np.unique(np.concatenate(times)) if times else np.empty(0)
    return whole[(whole > start) & (whole < end)]


def reset_times(one: Records, start: float, end: float) -> list[float]:
    """When the course begins anew, strictly between two times (h): at resets and at steady-state doses."""
    anew = (one.event == RESET) | (one.event == RESET_AND_DOSE)
    anew |= (one.event == DOSE) & (one.steady_state == 1)
    inside = anew & (one.time_h > start) & (one.time_h < end)
    inside[: _last_clock(one)] = False
    return np.unique(one.time_h[inside]).tolist()


def _last_clock(one: Records) -> int:
    """Where the last run of non-decreasing times begins: time may begin anew at a reset."""
    back = np.flatnonzero(np.diff(one.time_h) < 0)
    return int(back[-1]) + 1 if len(back) else 0


def _starts_somewhere(model: Model) -> bool:
    """Whether the state before the first record depends on when the records begin."""
    return bool(model.spec.derivatives) or any(s.initial is not None for s in model.spec.states)


def _in_new_occasion(one: Records, occasion: int) -> Records:
    """The records with every dose that repeats past the last record parted there, the rest in `occasion`."""
    last = one.time_h[-1]
    additional = one.additional.copy()
    rows: list[int] = []
    times: list[float] = []
    left: list[int] = []
    repeats = (one.event == DOSE) | (one.event == RESET_AND_DOSE)
    repeats &= (one.additional > 0) & (one.interval_h > 0)
    # What a reset or a steady-state dose ended does not come back.
    ends = np.flatnonzero((one.event >= RESET) | ((one.event == DOSE) & (one.steady_state == 1)))
    repeats[: ends[-1] if len(ends) else 0] = False
    for r in np.flatnonzero(repeats).tolist():
        done = int(np.floor((last - one.time_h[r]) / one.interval_h[r] + 1e-9))
        if done < one.additional[r]:
            rows.append(r)
            times.append(float(one.time_h[r] + (done + 1) * one.interval_h[r]))
            left.append(int(one.additional[r]) - done - 1)
            additional[r] = done
    order = np.argsort(times, kind="stable")
    index = np.r_[np.arange(len(one)), np.array(rows, dtype=np.int64)[order]]
    whole = {f.name: getattr(one, f.name)[index] for f in fields(one) if f.name not in ("patients", "first")}
    new = np.arange(len(one), len(index))
    whole["additional"] = np.r_[additional, np.array(left, dtype=np.int64)[order]]
    whole["time_h"][new] = np.array(times)[order]
    whole["event"][new] = DOSE
    whole["steady_state"][new] = 0
    whole["occasion"][new] = occasion
    whole["covariates"][new] = one.covariates[-1]
    return replace(one, first=np.array([0, len(index)], dtype=np.int64), **whole)


def _merged(
    model: Model, one: Records, points: list[Point], place: Ints, at_record: NDArray[np.bool_],
    occasion: int | None,
) -> tuple[Records, Ints]:  # fmt: skip
    """Records with the new ones before the old record at each `place`, in order of time."""
    n_old, n_new = len(one), len(points)
    times = np.array([p.time_h for p in points])
    # Old records keep their order; a new one stands just before the old record of its place.
    source = np.lexsort((np.r_[np.zeros(n_old), times], np.r_[np.arange(n_old), place - 0.5]))
    position = np.empty(n_old + n_new, dtype=np.int64)
    position[source] = np.arange(n_old + n_new)
    previous, following = np.clip(place - 1, 0, None), np.clip(place, None, n_old - 1)
    # At the time of a record and after it, its own conditions are in force; between two, those of the next.
    before = np.array([p.before for p in points], dtype=bool)
    current = np.where(at_record & ~before, previous, following)
    covariates = np.empty((n_new, one.covariates.shape[1]))
    for k, covariate in enumerate(model.spec.covariates):
        covariates[:, k] = one.covariates[current if covariate.carry == "next" else previous, k]
    occasions = one.occasion[current] if occasion is None else np.full(n_new, occasion)

    def column(old: NDArray[np.generic], value: float) -> NDArray[np.generic]:
        return np.r_[old, np.full(n_new, value, dtype=old.dtype)][source]

    merged = replace(
        one,
        first=np.array([0, n_old + n_new], dtype=np.int64),
        time_h=np.r_[one.time_h, times][source],
        event=column(one.event, OBSERVATION),
        amount_mg=column(one.amount_mg, 0.0),
        rate_mg_per_h=column(one.rate_mg_per_h, 0.0),
        interval_h=column(one.interval_h, 0.0),
        additional=column(one.additional, 0),
        steady_state=column(one.steady_state, 0),
        compartment=column(one.compartment, -1),
        output=np.r_[one.output, [p.output for p in points]][source],
        value=column(one.value, np.nan),
        censoring=column(one.censoring, MISSING),
        limit=column(one.limit, np.nan),
        covariates=np.r_[one.covariates, covariates][source],
        occasion=np.r_[one.occasion, occasions][source],
        row=column(one.row, 0),
    )
    return merged, position[n_old:]
