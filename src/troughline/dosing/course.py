"""The course of the levels: of the patient, of the population at his covariates, and ahead under regimens."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.forecast import horizon_end_h, levels_at
from troughline.dosing.result import BandSeries, CurveResult
from troughline.dosing.threads import in_threads

if TYPE_CHECKING:
    from troughline.dosing.belief import Belief
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.regimen import Regimen

Floats = NDArray[np.float64]

DRAWS = 100
PAST_SHOWN, AHEAD_SHOWN, OTHERS_SHOWN = 60, 400, 8
"""Doses of the past, of a forecast that is named, and of another, between which the band is drawn.

Where there are more, others are skipped evenly. Of a named forecast every interval is drawn, so that its
peaks come as often as its doses; the others serve to hold later levels against.
"""
LONG_H = 72.0
"""An interval longer than this is a hold or a gap: it is always drawn, at more points."""
WITHIN = (0.0, 0.25, 0.6)
"""Parts of a dosing interval at which it is drawn, and just before its end."""


def course(
    patient: DosePatient,
    lately: DosePatient,
    belief: Belief,
    prior: Belief,
    regimens: Sequence[Regimen],
    *,
    named: Collection[int],
    start_h: float,
    horizon_h: float,
    level: float,
) -> CurveResult:
    """Bands of the levels from the first dose to the decision, and to the horizon under each regimen.

    `lately`: the patient with the doses that still matter at the decision. `named`: which regimens the
    answer names or are in force; these are drawn interval by interval.
    """
    past = _past_times(patient)

    def ahead(k: int) -> BandSeries:
        regimen, shown = regimens[k], AHEAD_SHOWN if k in named else OTHERS_SHOWN
        end = horizon_end_h(start_h, regimen, horizon_h)
        times = _future_times(regimen, patient.now_h, start_h, end, shown)
        return _band(lately, belief, regimen, times, regimen.label, start_h, level)

    bands = in_threads(ahead, range(len(regimens)))
    return CurveResult(
        unit="mg/L",
        decision_day=patient.now_h / 24.0,
        horizon_day=(start_h + horizon_h) / 24.0,
        patient=_band(patient, belief, None, past, "this patient", start_h, level),
        population=_band(patient, prior, None, past, "patients with these covariates", start_h, level),
        forecast={r.id: band for r, band in zip(regimens, bands, strict=True)},
        doses=tuple({"day": d.time_h / 24.0, "amount_mg": d.amount_mg} for d in patient.doses),
    )


def _band(
    patient: DosePatient, belief: Belief, regimen: Regimen | None, times: Floats, label: str, start_h: float,
    level: float,
) -> BandSeries:  # fmt: skip
    levels = levels_at(patient, belief, regimen, times.tolist(), start_h=start_h, draws=DRAWS)
    tail = (1 - level) / 2
    low, median, high = np.quantile(levels, [tail, 0.5, 1 - tail], axis=0)
    return BandSeries(
        label=label, day=tuple((times / 24.0).tolist()), median=tuple(median.tolist()),
        low=tuple(low.tolist()), high=tuple(high.tolist()),
    )  # fmt: skip


def _past_times(patient: DosePatient) -> Floats:
    """Times between the first dose and the decision, at the same phases of each interval that is drawn."""
    doses = [d.time_h for d in patient.doses]
    ends = [*doses[1:], max(patient.now_h, doses[-1])]
    return _phases(doses, ends, patient.doses[0].time_h, patient.now_h, PAST_SHOWN)


def _future_times(regimen: Regimen, now_h: float, start_h: float, end_h: float, shown: int) -> Floats:
    given = sorted(
        d.time_h + k * d.interval_h
        for d in regimen.doses(start_h, end_h) for k in range(d.additional + 1)
    )  # fmt: skip
    return _phases([now_h, *given], [*given, end_h], now_h, end_h, shown)


def _phases(starts: Sequence[float], ends: Sequence[float], first: float, last: float, shown: int) -> Floats:
    step = max(math.ceil(len(starts) / shown), 1)
    # The last intervals are always drawn.
    offset = (len(starts) - 1) % step
    times = {first, last - 1e-3}
    for k, (a, b) in enumerate(zip(starts, ends, strict=True)):
        if b <= a or (k % step != offset and b - a <= LONG_H):
            continue
        # A hold is long against an interval: the whole of it is drawn.
        parts = WITHIN if b - a <= LONG_H else tuple(np.linspace(0, 0.98, max(int((b - a) / 12.0), 8)))
        times |= {a + part * (b - a) for part in parts} | {b - 1e-3}
    return np.array(sorted(t for t in times if first <= t <= last))
