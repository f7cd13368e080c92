"""The levels of a patient one by one: predicted with all, without it, and before any; what each one moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.belief import Belief, NoEstimate, Working, believe
from troughline.dosing.forecast import asked, horizon_end_h
from troughline.dosing.level_prediction import PredictedLevels, predict_levels
from troughline.dosing.result import SampleResult, Spread
from troughline.dosing.threads import in_threads
from troughline.pk.exposure import ExposureQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.dosing.patient import DosePatient, Level
    from troughline.dosing.regimen import Regimen

Floats = NDArray[np.float64]

LEFT_OUT_DRAWS = 250
MOST_LEFT_OUT = 12
"""Levels that are left out in turn, the latest ones; older ones have no influence computed."""


@dataclass(frozen=True, kw_only=True)
class LevelRows:
    """The rows, in the file's order of time, and `most`: the index of the most influential, None without.

    `regimen`: the label of the regimen on whose trough the influence is.
    """

    regimen: str
    rows: tuple[SampleResult, ...]
    most: int | None


def level_rows(
    patient: DosePatient,
    lately: DosePatient,
    models: Sequence[Working],
    belief: Belief,
    prior: Belief,
    regimen: Regimen,
    *,
    start_h: float,
    horizon_h: float,
    level: float,
    seed: int,
) -> LevelRows:
    """Predict every level, and estimate the patient anew without each one of the last 12.

    `lately`: the patient with the doses that still matter at the horizon. The influence of a level is the
    expected log trough of `regimen` at the horizon with it less that without it, as a fraction of exposure:
    exp(difference) − 1.
    """
    used = patient.used_levels
    with_all = predict_levels(patient, belief, seed=seed) if used else None
    before = predict_levels(patient, prior, seed=seed) if used else None
    whole = _log_trough(lately, belief, regimen, start_h, horizon_h)

    def leaving_out(one: Level) -> tuple[PredictedLevels, float] | None:
        try:
            other = believe(patient, models, draws=LEFT_OUT_DRAWS, seed=seed, leave_out={one.number})
        except NoEstimate:
            return None
        moved = whole - _log_trough(lately, other, regimen, start_h, horizon_h)
        return predict_levels(patient, other, seed=seed), float(np.expm1(moved))

    last = used[-MOST_LEFT_OUT:]
    left_out = in_threads(leaving_out, last)
    without = {one.number: made for one, made in zip(last, left_out, strict=True) if made is not None}
    rows: list[SampleResult] = []
    for one in patient.levels:
        k = used.index(one) if one in used else None
        rows.append(_row(patient, one, k, with_all, before, without.get(one.number), level))
    influences = [(abs(r.influence), i) for i, r in enumerate(rows) if r.influence is not None]
    return LevelRows(
        regimen=regimen.label,
        rows=tuple(rows),
        most=max(influences)[1] if influences else None,
    )


def _log_trough(
    patient: DosePatient, belief: Belief, regimen: Regimen, start_h: float, horizon_h: float
) -> float:
    end = horizon_end_h(start_h, regimen, horizon_h)
    queries = [ExposureQuery(quantity="trough", end=end)]
    made = asked(patient, belief, regimen, queries, start_h=start_h, end_h=end, draws=LEFT_OUT_DRAWS)
    return float(np.log(np.maximum(made, 1e-12)).mean())


def _row(
    patient: DosePatient, one: Level, k: int | None, with_all: PredictedLevels | None,
    before: PredictedLevels | None, without: tuple[PredictedLevels, float] | None, level: float,
) -> SampleResult:  # fmt: skip
    previous = [d.time_h for d in patient.doses if d.time_h < one.time_h - 1e-9]

    def spread(predicted: PredictedLevels | None) -> Spread | None:
        if k is None or predicted is None:
            return None
        return spread_of(predicted.measured[:, k], level, "mg/L")

    left = None if without is None else without[0]
    p_value = None
    if left is not None and k is not None and one.value is not None:
        above = float(np.mean(left.measured[:, k] >= one.value))
        p_value = 2 * min(above, 1 - above)
    elif left is not None and k is not None and one.limit is not None:
        p_value = float(np.mean(left.measured[:, k] < one.limit))
    return SampleResult(
        number=one.number, day=one.time_h / 24.0, clock=patient.clock(one.time_h), value=one.value,
        limit=one.limit, unit="mg/L", method=one.method,
        hours_after_dose=one.time_h - previous[-1] if previous else None, used=one.use, reason=one.reason,
        predicted=spread(with_all), population=spread(before), without=spread(left),
        influence=None if without is None else without[1], p_value=p_value,
    )  # fmt: skip


def spread_of(draws: Floats, level: float, unit: str) -> Spread:
    """Median and central interval of draws (n,)."""
    tail = (1 - level) / 2
    low, median, high = (float(v) for v in np.quantile(draws, [tail, 0.5, 1 - tail]))
    return Spread(median=median, low=low, high=high, unit=unit)
