"""Predictions that no fit has seen: Asia-Pacific, erlotinib added, surrogacy, bands of the trough."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.endpoints import (
    TimeToEvent,
    log_hazard_ratio,
    median_between_visits,
    median_day,
    progression_times,
    survival_times,
)
from troughline.mechanism.matching import Medians, matched_scale
from troughline.mechanism.predictions import (
    HORIZON_MONTHS,
    STEP_DAYS,
    placebo_arm,
    scaled,
    sharp_quantities,
    sorafenib_arm,
    two_arms,
)
from troughline.mechanism.treatment import Arm, six_weekly, sorafenib_levels
from troughline.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from troughline.mechanism.parameters import ParameterSet
    from troughline.mechanism.population import Patients
    from troughline.mechanism.runner import Courses, Runner
    from troughline.mechanism.treatment import Protocol

Floats = NDArray[np.float64]
POTENCIES = (0.15, 0.4, 1.0, 2.5)
BANDS = ("below", "inside", "above")


def placebo_medians(
    runner: Runner, patients: Patients, values: Mapping[str, float], protocol: Protocol
) -> Medians:
    """Medians of untreated patients: the day of progression between visits, the months of survival."""
    c = runner.run(patients, placebo_arm(), protocol, values=values, threads=1)
    ttp = median_between_visits(progression_times(c))
    return ttp, median_between_visits(survival_times(c)) / DAYS_PER_MONTH


def asia_quantities(
    runner: Runner,
    draw: Callable[[Mapping[str, float]], Patients],
    chosen: ParameterSet,
    *,
    ttp_day: float,
    os_months: float,
) -> dict[str, float]:
    """The Asia-Pacific trial with the two scales of its placebo arm, and the scales (`asia-scale-…`).

    `draw` gives the patients for typical values, so that the bounds of the population hold with every scale
    that is tried, as in a trial file's `match_placebo`. Raises `MatchError` where no scales do.
    """
    protocol = six_weekly(HORIZON_MONTHS, step_days=STEP_DAYS)

    def medians(scale: Mapping[str, float]) -> Medians:
        values = scaled(runner, chosen, scale)
        treated = draw(values).with_spread(runner.mechanism, chosen.sd)
        return placebo_medians(runner, treated, values, protocol)

    scale = matched_scale(medians, ttp_day=ttp_day, os_months=os_months)
    both = two_arms(runner, draw(scaled(runner, chosen, scale)), chosen, scale=scale)
    found = sharp_quantities(runner, both, chosen, prefix="asia")
    kept = {k: v for k, v in found.items() if k.startswith("asia-")}
    return {**kept, **{f"asia-scale-{name}": value for name, value in scale.items()}}


def stop_times(courses: Courses) -> TimeToEvent:
    """How long the first line was taken, death and the horizon being ends like others."""
    n = len(courses.stop_day)
    return TimeToEvent(day=courses.stop_day, event=np.ones(n, dtype=bool), weight=np.ones(n))


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Sorafenib with a second drug against sorafenib: log hazard ratios, durations, and the toxicity used."""

    log_hr_ttp: float
    log_hr_os: float
    duration_alone: float
    duration_added: float
    toxicity: float


def add_second_drug(
    runner: Runner,
    patients: Patients,
    chosen: ParameterSet,
    second: dict[str, float],
    *,
    duration_ratio: float | None = None,
    scale: dict[str, float] | None = None,
) -> Added:
    """What a second drug adds to sorafenib in the same patients.

    `second`: by node the fraction blocked. With `duration_ratio`, the toxicity that the second drug adds is
    what makes the time on treatment with it so much shorter (a trial's tolerability, taken as given);
    otherwise `second` names it.
    """
    protocol = six_weekly(HORIZON_MONTHS, step_days=STEP_DAYS)
    treated = patients.with_spread(runner.mechanism, chosen.sd)
    values = scaled(runner, chosen, scale or {})

    def run(arm: Arm) -> Courses:
        return runner.run(treated, arm, protocol, values=values, threads=1)

    def both(toxicity: float) -> Courses:
        levels = sorafenib_levels(second={**second, "toxicity": toxicity})
        return run(Arm(name="added", levels=levels))

    alone = run(sorafenib_arm())
    single = median_day(stop_times(alone))
    toxicity = second.get("toxicity", 0.0)
    if duration_ratio is not None:
        toxicity = _solve(lambda t: median_day(stop_times(both(t))) / single - duration_ratio, 0.0, 16.0)
    added = both(toxicity)
    return Added(
        log_hr_ttp=log_hazard_ratio(progression_times(added), progression_times(alone))[0],
        log_hr_os=log_hazard_ratio(survival_times(added), survival_times(alone))[0],
        duration_alone=single,
        duration_added=median_day(stop_times(added)),
        toxicity=toxicity,
    )


def _solve(miss: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function passes 0, by bisection; the end where it does not pass."""
    if miss(low) <= 0.0:
        return low
    if miss(high) >= 0.0:
        return high
    for _ in range(7):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if miss(middle) > 0.0 else (low, middle)
    return 0.5 * (low + high)


def surrogacy(
    runner: Runner, patients: Patients, chosen: ParameterSet, potencies: Sequence[float] = POTENCIES
) -> tuple[float, list[tuple[float, float]]]:
    """The slope of log HR of death on log HR of progression over virtual trials, and the pairs.

    The trials compare sorafenib-like drugs of other potency with placebo in the same patients; the line has
    an intercept, as in a meta-regression.
    """
    protocol = six_weekly(HORIZON_MONTHS, step_days=STEP_DAYS)
    treated = patients.with_spread(runner.mechanism, chosen.sd)
    base = scaled(runner, chosen, {})
    control = runner.run(treated, placebo_arm(), protocol, values=base, threads=1)
    pairs: list[tuple[float, float]] = []
    for factor in potencies:
        values = scaled(runner, chosen, {"site_potency": factor})
        c = runner.run(treated, sorafenib_arm(), protocol, values=values, threads=1)
        pairs.append(
            (
                log_hazard_ratio(progression_times(c), progression_times(control))[0],
                log_hazard_ratio(survival_times(c), survival_times(control))[0],
            )
        )
    x, y = np.array(pairs).T
    away = x - x.mean()
    return float(away @ (y - y.mean()) / (away @ away)), pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """Median survival (months) below, inside and above a window of the trough, and the share in each.

    `middle_best`: in how many of the studies of `n_study` patients the middle band lives longest.
    """

    months: tuple[float, ...]
    shares: tuple[float, ...]
    middle_best: float


def trough_bands(
    runner: Runner,
    patients: Patients,
    chosen: ParameterSet,
    *,
    low: float,
    high: float,
    n_study: int,
    day: float = 28.0,
    toxic: bool = True,
    replicates: int = 400,
) -> Bands:
    """Survival by the trough on a day, among those still treated then; without toxicity if not `toxic`.

    Median survival counts from the first dose. Bands: below `low`, up to `high`, above (mg/L).
    """
    protocol = six_weekly(36.0, step_days=STEP_DAYS)
    treated = patients.with_spread(runner.mechanism, chosen.sd)
    values = scaled(runner, chosen, {} if toxic else {"limiting": 0.0})
    c = runner.run(treated, sorafenib_arm(), protocol, values=values, sample_days=(day,), threads=1)
    level = c.sampled[:, 0, len(runner.output_names)]
    on = (np.nan_to_num(c.stop_day, nan=np.inf) > day) & (c.death_day > day) & np.isfinite(level)
    rows = [on & (level < low), on & (level >= low) & (level < high), on & (level >= high)]
    times = survival_times(c)

    def months(pick: NDArray[np.int64]) -> float:
        if not len(pick):
            return float("nan")
        part = TimeToEvent(day=times.day[pick], event=times.event[pick], weight=times.weight[pick])
        return median_between_visits(part) / DAYS_PER_MONTH

    rng = np.random.default_rng([20200101, n_study])
    indices = np.flatnonzero(on)
    band = np.select(rows, [0, 1, 2], default=-1)
    won = counted = 0
    for _ in range(replicates):
        pick = rng.choice(indices, n_study)
        medians = [months(pick[band[pick] == b]) for b in range(3)]
        if np.all(np.isfinite(medians)):
            counted += 1
            won += int(np.argmax(medians) == 1)
    return Bands(
        months=tuple(months(np.flatnonzero(r)) for r in rows),
        shares=tuple(float(r.sum() / max(on.sum(), 1)) for r in rows),
        middle_best=won / counted if counted else float("nan"),
    )


def without_limits(patients: Patients) -> Patients:
    """The same patients, of whom none dies or leaves early: to watch markers over weeks."""
    uniform = patients.uniform.copy()
    uniform[:] = 1.0 - 2.0**-53
    return replace(patients, uniform=uniform)
