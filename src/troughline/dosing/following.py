"""A patient over his dates: drift, and how what earlier results predicted compares with what came."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.dosing.drift import drift_of
from troughline.dosing.result import EarlierPrediction, Following, Spread
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from troughline.dosing.belief import Working
    from troughline.dosing.patient import DosePatient, Level


def follow(patient: DosePatient, working: Working, found: Findings, *, level: float) -> Following:
    """Test for drift, and hold the levels after each earlier result against its forecast."""
    drift = drift_of(patient, working, level=level)
    earlier: list[EarlierPrediction] = []
    for k, written in enumerate(patient.file.earlier if patient.file is not None else ()):
        earlier += _against(patient, written, f"earlier.{k + 1}", found)
    errors = [e.error_percent for e in earlier if e.error_percent is not None]
    # The mean error on the log scale, so that half and twice weigh alike.
    bias = 100.0 * math.expm1(float(np.mean([math.log1p(e / 100.0) for e in errors]))) if errors else None
    return Following(drift=drift, earlier=tuple(earlier), bias_percent=bias, text=_words(earlier, bias))


def _against(patient: DosePatient, written: str, place: str, found: Findings) -> list[EarlierPrediction]:
    from troughline.dosing.study_results import NotInResults, results_of

    def fault(message: str) -> list[EarlierPrediction]:
        found.add(
            Severity.ERROR, "earlier-result", message,
            file=patient.path.name if patient.path is not None else "patient", column=place,
        )  # fmt: skip
        return []

    try:
        contents = results_of(patient, written)
        decided = float(contents["decision"]["time_h"])
        forecast, said = contents["curve"]["forecast"], contents["recommendation"]["regimen"]
        regimens: dict[str, dict[str, Any]] = {r["regimen"]["id"]: r["regimen"] for r in contents["regimens"]}
        sd = float(contents["decision"]["residual_sd"])
        level = float(contents["level"])
    except NotInResults as reason:
        return fault(str(reason))
    except (KeyError, TypeError, ValueError):
        return fault(f"{written} is no result of a dose question")
    if contents.get("patient") != patient.id:
        return fault(f"{written} is of patient {contents.get('patient')!r}, not of {patient.id!r}")
    if contents.get("drug") != patient.drug:
        return fault(f"{written} is of {contents.get('drug')}, not of {patient.drug}")
    later = [v for v in patient.levels if v.time_h > decided + 1e-6]
    if not later:
        found.add(
            Severity.NOTE, "earlier-result", f"{written}: no level came after it",
            file=patient.path.name if patient.path is not None else "patient", column=place,
        )  # fmt: skip
    made: list[EarlierPrediction] = []
    for one in later:
        taken = _taken(patient, regimens, decided, one.time_h)
        if taken is not None and taken in forecast:
            made.append(_one(written, decided, said, taken, forecast[taken], one, sd, level))
    if later and not made:
        found.add(
            Severity.WARNING, "earlier-result",
            f"{written}: what was taken after it is none of its regimens, so nothing can be held against it",
            file=patient.path.name if patient.path is not None else "patient", column=place,
        )  # fmt: skip
    return made


def _taken(
    patient: DosePatient, regimens: dict[str, dict[str, Any]], decided_h: float, until_h: float
) -> str | None:
    """The earlier result's regimen that the doses between the decision and a level follow, or None."""
    doses = [d for d in patient.doses if decided_h - 1e-6 <= d.time_h < until_h]
    for identifier, r in regimens.items():
        amounts, interval = r["amounts_mg"], r["interval_h"]
        if r["hold_days"] or not doses:
            continue
        gaps = [b.time_h - a.time_h for a, b in pairwise(doses)]
        # A missed dose leaves a gap of several intervals.
        spaced = all(abs(g / interval - round(g / interval)) < 0.05 and g > 0.5 * interval for g in gaps)
        if not spaced or abs(doses[-1].interval_h - interval) > 0.05 * interval:
            continue
        if {d.amount_mg for d in doses} <= set(amounts) and doses[-1].amount_mg in amounts:
            average = sum(amounts) / len(amounts)
            given = sum(d.amount_mg for d in doses) / len(doses)
            if abs(given - average) <= 0.1 * average:
                return identifier
    return None


def _one(
    written: str, decided_h: float, said: str | None, taken: str, band: dict[str, Any], one: Level, sd: float,
    level: float,
) -> EarlierPrediction:  # fmt: skip
    day = one.time_h / 24.0
    median, low, high = (_at_day(band, key, day) for key in ("median", "low", "high"))
    # The band is of the level itself; what is measured has its error on top.
    half = NormalDist().inv_cdf(0.5 + level / 2) * sd
    down = math.exp(-math.hypot(math.log(median / max(low, 1e-12)), half))
    up = math.exp(math.hypot(math.log(max(high, 1e-12) / median), half))
    predicted = Spread(median=median, low=median * down, high=median * up, unit="mg/L")
    error = inside = None
    if one.value is not None:
        error = 100.0 * (one.value - median) / median
        inside = median * down <= one.value <= median * up
    return EarlierPrediction(
        result=written, decided_day=decided_h / 24.0, recommended=said,
        followed=None if said is None else taken == said, day=day, measured=one.value, predicted=predicted,
        error_percent=error, inside=inside,
    )  # fmt: skip


def _at_day(band: dict[str, Any], key: str, day: float) -> float:
    """A band's curve on a day, by straight lines in the logarithm."""
    levels = np.log(np.maximum(np.asarray(band[key], dtype=np.float64), 1e-12))
    return float(np.exp(np.interp(day, np.asarray(band["day"], dtype=np.float64), levels)))


def _words(earlier: list[EarlierPrediction], bias: float | None) -> str:
    if not earlier:
        return "No earlier result is named, so no prediction can be held against what came."
    told = [e for e in earlier if e.inside is not None]
    hit = sum(bool(e.inside) for e in told)
    text = f"{hit} of {len(told)} later levels fell inside what the earlier results predicted"
    return text + (f"; on average the levels were {bias:+.0f} % off." if bias is not None else ".")
