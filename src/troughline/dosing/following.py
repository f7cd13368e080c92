"""A patient over his dates: drift, and how what earlier results predicted compares with what came."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.dosing.drift import drift_over_models
from troughline.dosing.result import EarlierPrediction, Following, Spread
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.dosing.belief import Belief
    from troughline.dosing.patient import DosePatient, GivenDose, Level


TRANSITION_H = 7 * 24.0
"""A regimen that begins so much later than the decision was still what followed it."""


def follow(patient: DosePatient, belief: Belief, found: Findings, *, level: float) -> Following:
    """Test for drift, and hold the levels after each earlier result against its forecast."""
    drift = drift_over_models(patient, belief, level=level)
    named = patient.file.earlier if patient.file is not None else ()
    earlier = earlier_predictions(patient, found)
    errors = [e.error_percent for e in earlier if e.error_percent is not None]
    # The mean error on the log scale, so that half and twice weigh alike.
    bias = 100.0 * math.expm1(float(np.mean([math.log1p(e / 100.0) for e in errors]))) if errors else None
    return Following(
        drift=drift, earlier=tuple(earlier), bias_percent=bias, text=_words(len(named), earlier, bias)
    )


def earlier_predictions(patient: DosePatient, found: Findings) -> list[EarlierPrediction]:
    """The levels after each earlier result that the file names, against its forecast."""
    made: list[EarlierPrediction] = []
    for k, written in enumerate(patient.file.earlier if patient.file is not None else ()):
        made += _against(patient, written, f"earlier.{k + 1}", found)
    return made


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
        # What was not told apart names no regimen alone: each of them then follows it.
        among = (str(said),) if said else tuple(map(str, contents["recommendation"]["among"]))
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
        found_taken = _taken(patient, regimens, decided, one.time_h)
        if found_taken is not None and found_taken[0] in forecast:
            band = forecast[found_taken[0]]
            made.append(_one(written, decided, among, found_taken, band, one, sd, level))
    if later and not made:
        found.add(
            Severity.WARNING, "earlier-result",
            f"{written}: what was taken after it is none of the regimens that it drew, begun within "
            f"{TRANSITION_H / 24:g} days and taken until levels were steady: nothing can be held against it",
            file=patient.path.name if patient.path is not None else "patient", column=place,
        )  # fmt: skip
    return made


def _taken(
    patient: DosePatient, regimens: dict[str, dict[str, Any]], decided_h: float, until_h: float
) -> tuple[str, float] | None:
    """The earlier result's regimen that was taken before a level, and how late it began (h).

    The doses from some moment up to the level follow it. Doses before that moment are a transition: it lasts
    at most `TRANSITION_H`, and the level lies at least the drug's time to steady state after it, so that
    little of it is left. None where no regimen was taken so.
    """
    from troughline.evidence.store import load_drug

    doses = [d for d in patient.doses if decided_h - 1e-6 <= d.time_h < until_h]
    settled_h = 24.0 * load_drug(patient.drug).steady_state_days
    for first in range(len(doses)):
        late = doses[first].time_h - decided_h
        if first and (late > TRANSITION_H + 1e-6 or until_h - doses[first].time_h < settled_h - 1e-6):
            return None
        for identifier, r in regimens.items():
            if not r["hold_days"] and _follow(doses[first:], r["amounts_mg"], r["interval_h"]):
                return identifier, late if first else 0.0
    return None


def _follow(doses: Sequence[GivenDose], amounts: Sequence[float], interval_h: float) -> bool:
    """Whether doses are those of a regimen; a missed dose leaves a gap of several intervals."""
    gaps = [b.time_h - a.time_h for a, b in pairwise(doses)]
    spaced = all(abs(g / interval_h - round(g / interval_h)) < 0.05 and g > 0.5 * interval_h for g in gaps)
    if not spaced or abs(doses[-1].interval_h - interval_h) > 0.05 * interval_h:
        return False
    if not {d.amount_mg for d in doses} <= set(amounts):
        return False
    average = sum(amounts) / len(amounts)
    return abs(sum(d.amount_mg for d in doses) / len(doses) - average) <= 0.1 * average


def _one(
    written: str, decided_h: float, named: tuple[str, ...], taken: tuple[str, float], band: dict[str, Any],
    one: Level, sd: float, level: float,
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
        result=written, decided_day=decided_h / 24.0, recommended=named[0] if len(named) == 1 else None,
        among=named, taken=taken[0], late_days=taken[1] / 24.0,
        followed=taken[0] in named if named else None, day=day, measured=one.value, predicted=predicted,
        error_percent=error, inside=inside,
    )  # fmt: skip


def _at_day(band: dict[str, Any], key: str, day: float) -> float:
    """A band's curve on a day, by straight lines in the logarithm."""
    levels = np.log(np.maximum(np.asarray(band[key], dtype=np.float64), 1e-12))
    return float(np.exp(np.interp(day, np.asarray(band["day"], dtype=np.float64), levels)))


def _words(named: int, earlier: list[EarlierPrediction], bias: float | None) -> str:
    if not named:
        return "No earlier result is named, so no prediction can be held against what came."
    if not earlier:
        results = "An earlier result is" if named == 1 else f"{named} earlier results are"
        return f"{results} named, but no level can be held against what was predicted: the findings say why."
    told = [e for e in earlier if e.inside is not None]
    hit = sum(bool(e.inside) for e in told)
    text = f"{hit} of {len(told)} later levels fell inside what the earlier results predicted"
    late = max(e.late_days for e in earlier)
    if late > 0:
        text += f", though the regimen began up to {late:.1f} days after the decision"
    return text + (f"; on average the levels were {bias:+.0f} % off." if bias is not None else ".")
