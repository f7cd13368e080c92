"""What one trial shows: numbers of its arms, curves, and hazard ratios, from the columns of its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.endpoints import (
    TimeToEvent,
    kaplan_meier,
    log_hazard_ratio,
    median_between_visits,
    median_day,
    survival_at,
)
from troughline.trial.cells import ROUTES, WHY
from troughline.units import DAYS_PER_MONTH

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]
ENDPOINTS = {"os": ("os_day", "died"), "ttp": ("ttp_day", "progressed"), "mttp": ("mttp_day", "mprogressed")}
NE, CR, PR, SD, PD = 0, 1, 2, 3, 4
UNITS = {
    "os_median": "month", "ttp_median": "month", "mttp_median": "month", "ttp_between": "day",
    "duration_median": "day", "dose_mean": "mg", "growth": "mm/day", "daily_dose": "mg/day",
    "dose_changes": "1", "raised": "1", "lowered": "1", "samples": "1",
}  # fmt: skip
"""Units of an arm's numbers; all others are %."""


@dataclass(frozen=True, kw_only=True)
class TrialStatistics:
    """Of one replicate with one set: numbers by arm, curves by arm and endpoint, hazard ratios by pair.

    `curves` survival on the grid; `at_risk` on its own grid. `log_hr`: by (arm, control, endpoint, patients
    an arm; 0: all) the log hazard ratio and its standard error, NaN where an arm has no event.
    """

    numbers: Mapping[str, Mapping[str, float]]
    curves: Mapping[tuple[str, str], NDArray[np.float32]]
    at_risk: Mapping[tuple[str, str], NDArray[np.float32]]
    log_hr: Mapping[tuple[str, str, str, int], tuple[float, float]]
    responses: Mapping[tuple[str, str], Floats]
    routes: Mapping[str, Floats]
    stops: Mapping[str, Floats] = field(default_factory=dict[str, Floats])


def times_of(columns: Columns, endpoint: str, first: int | None = None) -> TimeToEvent:
    """The times of an endpoint, of the first patients of an arm or of all."""
    day_name, event_name = ENDPOINTS[endpoint]
    day = np.asarray(columns[day_name][:first], dtype=np.float64)
    return TimeToEvent(day=day, event=np.asarray(columns[event_name][:first]), weight=np.ones(len(day)))


def statistics_of(
    arms: Mapping[str, Columns],
    pairs: tuple[tuple[str, str], ...],
    *,
    sizes: tuple[int, ...],
    grid: Floats,
    risk_grid: Floats,
) -> TrialStatistics:
    """All numbers of one trial."""
    numbers: dict[str, dict[str, float]] = {}
    curves: dict[tuple[str, str], NDArray[np.float32]] = {}
    at_risk: dict[tuple[str, str], NDArray[np.float32]] = {}
    responses: dict[tuple[str, str], Floats] = {}
    routes: dict[str, Floats] = {}
    stops: dict[str, Floats] = {}
    for name, columns in arms.items():
        numbers[name] = numbers_of(columns) | dosing_numbers(columns)
        for endpoint in ENDPOINTS:
            times = times_of(columns, endpoint)
            days, survival = kaplan_meier(times)
            place = np.searchsorted(days, grid, side="right")
            curves[name, endpoint] = np.concatenate(([1.0], survival))[place].astype(np.float32)
            ordered = np.sort(times.day)
            left = len(ordered) - np.searchsorted(ordered, risk_grid, side="left")
            at_risk[name, endpoint] = left.astype(np.float32)
        for criterion, column in (("recist", "best"), ("mrecist", "mbest")):
            responses[name, criterion] = _shares(columns[column], 5)
        progressed = np.asarray(columns["route"])[np.asarray(columns["progressed"])]
        routes[name] = _shares(progressed, len(ROUTES))
        stops[name] = _shares(columns["stop_why"], len(WHY))
    log_hr: dict[tuple[str, str, str, int], tuple[float, float]] = {}
    for arm, control in pairs:
        for endpoint in ENDPOINTS:
            for size in (0, *sizes):
                log_hr[arm, control, endpoint, size] = _log_hr(
                    times_of(arms[arm], endpoint, size or None),
                    times_of(arms[control], endpoint, size or None),
                )
    return TrialStatistics(
        numbers=numbers, curves=curves, at_risk=at_risk, log_hr=log_hr, responses=responses, routes=routes,
        stops=stops,
    )  # fmt: skip


def _log_hr(treated: TimeToEvent, control: TimeToEvent) -> tuple[float, float]:
    try:
        return log_hazard_ratio(treated, control)
    except ValueError:
        return float("nan"), float("nan")


def _shares(codes: NDArray[Any], count: int) -> Floats:
    """The share of each code in %; NaN where there is nobody."""
    if not len(codes):
        return np.full(count, np.nan)
    counted = np.bincount(np.asarray(codes, dtype=np.int64), minlength=count)
    return 100.0 * counted.astype(np.float64) / len(codes)


def dosing_numbers(columns: Columns) -> dict[str, float]:
    """What a policy did in an arm; nothing where it has none.

    Shares of days are of all days of the first line from the first visit on, over all patients; changes and
    samples are means of a patient.
    """
    if "samples" not in columns or np.isnan(columns["samples"]).all():
        return {}
    sums = {name: float(np.sum(columns[name])) for name in ("counted_days", "first_line_days")}
    days = {name: float(np.sum(columns[f"{name}_days"])) for name in ("inside", "below", "above")}
    means = {name: float(np.mean(columns[name])) for name in ("raised", "lowered", "samples")}
    daily = float(np.sum(columns["first_line_mg"])) / sums["first_line_days"]
    return {
        "daily_dose": daily,
        **{
            f"days_{name}": 100.0 * value / sums["counted_days"] if sums["counted_days"] else float("nan")
            for name, value in days.items()
        },
        "dose_changes": means["raised"] + means["lowered"] + float(np.mean(columns["reductions"])),
        **means,
    }


def _alive_at(times: TimeToEvent, day: float) -> float:
    """The share alive on a day, %: 0 where everybody died before it, NaN where nobody was followed to it."""
    last = int(np.argmax(times.day))
    ended = bool(times.event[times.day == times.day[last]].all())
    return 100.0 * survival_at(times, day) if times.day[last] >= day or ended else float("nan")


def numbers_of(columns: Columns) -> dict[str, float]:
    """The numbers of an arm; a median that was not reached is ∞, a mean over nobody NaN."""
    os, ttp, viable = (times_of(columns, e) for e in ENDPOINTS)
    best, viable_best = np.asarray(columns["best"]), np.asarray(columns["mbest"])

    def percent(flags: NDArray[Any]) -> float:
        return 100.0 * float(np.mean(flags))

    def months(times: TimeToEvent) -> float:
        day = median_day(times)
        return day / DAYS_PER_MONTH if np.isfinite(day) else float("inf")

    last = np.asarray(columns["os_day"], dtype=np.float64)
    # Treatment that goes on when the data end is censored there; death ends it.
    duration = median_day(
        TimeToEvent(
            day=np.asarray(columns["stop_day"], dtype=np.float64),
            event=np.asarray(columns["stop_why"]) != WHY.index("on treatment"),
            weight=np.ones(len(last)),
        )
    )
    growth = np.asarray(columns["growth"], dtype=np.float64)
    reached = float(kaplan_meier(ttp)[1][-1]) <= 0.5 if ttp.event.any() else False
    return {
        "os_median": months(os),
        "ttp_median": months(ttp),
        "mttp_median": months(viable),
        "ttp_between": median_between_visits(ttp) if reached else float("inf"),
        "os_1_year": _alive_at(os, 365.25),
        "cr": percent(best == CR),
        "pr": percent(best == PR),
        "orr": percent((best == CR) | (best == PR)),
        "sd": percent(best == SD),
        "dcr": percent((best >= CR) & (best <= SD)),
        "m_orr": percent((viable_best == CR) | (viable_best == PR)),
        "m_dcr": percent((viable_best >= CR) & (viable_best <= SD)),
        "severe": percent(np.isfinite(np.asarray(columns["severe_day"], dtype=np.float64))),
        "reductions": percent(np.asarray(columns["reductions"]) > 0),
        "stopped_toxic": percent(np.asarray(columns["stop_why"]) == WHY.index("toxicity")),
        "deaths": percent(os.event),
        "duration_median": duration if np.isfinite(duration) else float("inf"),
        "dose_mean": float(np.mean(columns["dose_mg"])),
        "growth": float(np.nanmean(growth)) if np.isfinite(growth).any() else float("nan"),
    }
