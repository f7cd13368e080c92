"""What a regimen would give: trough and area at the horizon, the course until then, when it is steady."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.belief import spread_rows
from troughline.dosing.patient_times import due_after
from troughline.dosing.records import patient_records
from troughline.dosing.threads import in_threads
from troughline.model.build import DoseEvent
from troughline.pk.exposure import ExposureQuery, exposure_draws

if TYPE_CHECKING:
    from troughline.dosing.belief import Belief, Share
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.regimen import Regimen
    from troughline.model.records import Records

Floats = NDArray[np.float64]

STEADY_WITHIN = 0.10
KEPT_DAYS = (4, 7, 14, 28, 56)
_NEGLIGIBLE, _TRIED_DRAWS = 2e-3, 60
_CYCLES_LOOKED_AT = 40


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A regimen's exposure at the horizon for every draw (n_draws,): mg/L, and mg·h/L in 24 h.

    `trough`: the mean of the levels just before each dose of the cycle that ends at `end_h`.
    """

    regimen: Regimen
    trough: Floats
    auc_24h: Floats
    end_h: float


def next_dose_h(patient: DosePatient) -> float:
    """When the next dose is due, h: after the last one taken, at the decision if that is past."""
    last = patient.doses[-1]
    step = last.interval_h
    due = due_after(patient.origin, last.time_h, step, step)
    while due < patient.now_h - 1e-6 and patient.regimen is not None:
        due = due_after(patient.origin, due, step, step)
    return max(due, patient.now_h)


def horizon_end_h(start_h: float, regimen: Regimen, horizon_h: float) -> float:
    """The end of the cycle in which the horizon lies, h; a hold comes before the cycles."""
    first = start_h + regimen.hold_h
    cycles = max(math.ceil((start_h + horizon_h - first) / regimen.period_h - 1e-9), 1)
    return first + cycles * regimen.period_h


def forecasts(
    patient: DosePatient,
    belief: Belief,
    regimens: Sequence[Regimen],
    *,
    horizon_h: float,
    start_h: float | None = None,
    new_occasion: int = 1,
    threads: int | None = None,
) -> tuple[Forecast, ...]:
    """Every regimen's exposure at the horizon over all draws, exactly: dose after dose from the decision on.

    The future is the `new_occasion`-th occasion after those of the records (0 or 1), drawn from its prior.
    """
    start = next_dose_h(patient) if start_h is None else start_h
    patient = recent_doses(patient, belief, start_h=start, until_h=start + horizon_h)

    def one(regimen: Regimen) -> Forecast:
        end = horizon_end_h(start, regimen, horizon_h)
        queries = _horizon_queries(regimen, end)
        answers = asked(
            patient, belief, regimen, queries, start_h=start, end_h=end, new_occasion=new_occasion
        )
        troughs = answers[:, :-1].mean(axis=1)
        return Forecast(
            regimen=regimen, trough=troughs, auc_24h=answers[:, -1] * 24.0 / regimen.period_h, end_h=end
        )

    return tuple(in_threads(one, regimens, threads))


def recent_doses(patient: DosePatient, belief: Belief, *, start_h: float, until_h: float) -> DosePatient:
    """The patient with only those doses that still matter at a later time; for forecasts, not for estimates.

    Doses older than 4, 7, 14, 28 or 56 days before `start_h` are left out where they leave at `until_h`, on
    average over 60 draws, at most 1/500 of the level at `start_h`: far below the Monte-Carlo error of a
    median or a probability.
    """
    whole: Floats | None = None

    def left(one: DosePatient, time_h: float) -> Floats:
        moment = [ExposureQuery(quantity="at", end=time_h)]
        return asked(one, belief, None, moment, start_h=start_h, end_h=until_h, draws=_TRIED_DRAWS)[:, 0]

    for days in KEPT_DAYS:
        cut = start_h - 24.0 * days
        kept = tuple(d for d in patient.doses if d.time_h >= cut)
        if not kept:
            continue
        if len(kept) == len(patient.doses):
            return patient
        old = replace(patient, doses=tuple(d for d in patient.doses if d.time_h < cut))
        whole = left(patient, start_h) if whole is None else whole
        if float(np.mean(left(old, until_h) / whole)) <= _NEGLIGIBLE:
            return replace(patient, doses=kept)
    return patient


def _horizon_queries(regimen: Regimen, end_h: float) -> list[ExposureQuery]:
    n = len(regimen.amounts_mg)
    troughs = [
        ExposureQuery(quantity="trough", end=end_h - k * regimen.interval_h) for k in reversed(range(n))
    ]
    return [*troughs, ExposureQuery(quantity="auc", start=end_h - regimen.period_h, end=end_h)]


def asked(
    patient: DosePatient,
    belief: Belief,
    regimen: Regimen | None,
    queries: Sequence[ExposureQuery],
    *,
    start_h: float,
    end_h: float,
    new_occasion: int = 1,
    draws: int | None = None,
    from_steady: bool = False,
) -> Floats:
    """Answers (n_draws, n_queries) under a regimen from `start_h` until `end_h`; None: no further dose.

    `draws`: how many of the draws, spread over the shares; None: all. `from_steady`: as if the regimen had
    been taken for ever before `start_h`, and nothing else.
    """
    from troughline.dosing.trend import trend_factor

    parts: list[Floats] = []
    for share, rows in spread_rows(belief, draws):
        ahead = belief.n_occasions + new_occasion
        if from_steady and regimen is not None:
            records = _steady_records(patient, share, regimen, start_h, end_h, ahead)
        else:
            records = _records(patient, share, regimen, start_h, end_h, ahead)
        mine = [replace(q, output=share.output) for q in queries]
        answers = exposure_draws(
            share.working.model, records, 0, share.draws[rows], mine, theta=share.posterior.theta
        )
        factor = trend_factor(patient, share.working.chosen.model.spec, len(share.draws), start_h)
        if factor is not None:
            ends = np.array([q.end for q in queries])
            answers = answers * factor.at(ends, rows)
        parts.append(answers)
    return np.vstack(parts)


def _records(
    patient: DosePatient, share: Share, regimen: Regimen | None, start_h: float, end_h: float, occasion: int
) -> Records:
    future = () if regimen is None else regimen.doses(start_h, end_h)
    return patient_records(
        patient, share.working.chosen, share.working.model, future=future, future_occasion=occasion,
    )  # fmt: skip


def _steady_records(
    patient: DosePatient, share: Share, regimen: Regimen, start_h: float, end_h: float, occasion: int
) -> Records:
    """Steady-state doses of the regimen from its start; the first cycle's later doses enter on top."""
    doses = regimen.doses(start_h, end_h)
    steady = [
        DoseEvent(
            time_h=d.time_h, amount_mg=d.amount_mg, interval_h=d.interval_h, additional=d.additional,
            steady_state=1 if k == 0 else 2, occasion=occasion,
        )
        for k, d in enumerate(doses)
    ]  # fmt: skip
    return patient_records(
        patient, share.working.chosen, share.working.model, events=steady, with_levels=False
    )


def levels_at(
    patient: DosePatient,
    belief: Belief,
    regimen: Regimen | None,
    times_h: Sequence[float],
    *,
    start_h: float,
    kind: Literal["at", "trough"] = "at",
    new_occasion: int = 1,
    draws: int | None = None,
) -> Floats:
    """Levels (n_draws, n_times) at times before and after the decision, mg/L."""
    queries = [ExposureQuery(quantity=kind, end=t) for t in times_h]
    end = max([*times_h, start_h]) + 1.0
    return asked(
        patient, belief, regimen, queries, start_h=start_h, end_h=end, new_occasion=new_occasion, draws=draws
    )


def days_to_steady(
    patient: DosePatient, belief: Belief, regimen: Regimen, *, start_h: float, draws: int = 60
) -> Floats:
    """Days from `start_h` to the first trough from which on all are within 10 % of the steady one (n_draws,).

    Steady is what the regimen gives at the same moment had it been taken for long before; a hold counts. The
    occasion in force goes on: what a new one changes is no approach to steady levels. +∞ where it is not
    reached within 40 cycles (at least 28 days).
    """
    cycles = max(_CYCLES_LOOKED_AT, math.ceil(28 * 24.0 / regimen.period_h))
    first = start_h + regimen.hold_h
    times = [first + k * regimen.period_h for k in range(1, cycles + 1)]
    queries = [ExposureQuery(quantity="trough", end=t) for t in times]
    end = times[-1] + 1.0
    # The last occasion of the records goes on.
    reached, steady = (
        asked(
            patient, belief, regimen, queries, start_h=start_h, end_h=end, new_occasion=-1, draws=draws,
            from_steady=from_steady,
        )
        for from_steady in (False, True)
    )  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        off = ~(np.abs(reached / steady - 1) <= STEADY_WITHIN)
    last_off = np.where(off.any(axis=1), cycles - np.argmax(off[:, ::-1], axis=1), 0)
    days = (regimen.hold_h + (last_off + 1) * regimen.period_h) / 24.0
    return np.where(last_off < cycles, days, np.inf)
