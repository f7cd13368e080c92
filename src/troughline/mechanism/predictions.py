"""What a parameter set predicts for each target of a placebo-controlled trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.endpoints import (
    doubling_days,
    growth_mm_per_day,
    log_hazard_ratio,
    median_between_visits,
    median_day,
    progression_times,
    share,
    survival_at,
    survival_times,
)
from troughline.mechanism.population import individual_values
from troughline.mechanism.treatment import Arm, DoseLevel, Protocol, six_weekly, sorafenib_levels
from troughline.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from troughline.mechanism.parameters import ParameterSet
    from troughline.mechanism.population import Patients
    from troughline.mechanism.runner import Courses, Runner

Floats = NDArray[np.float64]
HORIZON_MONTHS = 19.0
STEP_DAYS = 7.0  # of the fit and its predictions
FOLLOW_UP_MONTHS = (6.0, 19.0)
WEEK_12, WEEK_4 = 84.0, 28.0
COMPLETE, PARTIAL, STABLE = 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class TwoArms:
    """The same patients on sorafenib and on placebo."""

    patients: Patients
    protocol: Protocol
    sorafenib: Courses
    placebo: Courses
    cut_day: Floats
    weight: Floats | None = None


def placebo_arm() -> Arm:
    """Placebo."""
    return Arm(name="placebo", levels=(DoseLevel(dose_mg=0.0),))


def sorafenib_arm() -> Arm:
    """Sorafenib by the label."""
    return Arm(name="sorafenib", levels=sorafenib_levels())


def two_arms(
    runner: Runner,
    patients: Patients,
    chosen: ParameterSet,
    *,
    scale: Mapping[str, float] | None = None,
    months: float = HORIZON_MONTHS,
    weight: Floats | None = None,
    threads: int | None = 1,
) -> TwoArms:
    """Sorafenib and placebo in the same patients; `scale` multiplies typical values in this population."""
    protocol = six_weekly(months, step_days=STEP_DAYS)
    values = scaled(runner, chosen, scale or {})
    treated = patients.with_spread(runner.mechanism, chosen.sd)
    runs = [
        runner.run(treated, arm, protocol, values=values, sample_days=(0.0, WEEK_12), threads=threads)
        for arm in (sorafenib_arm(), placebo_arm())
    ]
    low, high = FOLLOW_UP_MONTHS
    cut = DAYS_PER_MONTH * (low + (high - low) * patients.follow_up**chosen.follow_up_power)
    return TwoArms(
        patients=treated, protocol=protocol, sorafenib=runs[0], placebo=runs[1], cut_day=cut, weight=weight
    )


def scaled(runner: Runner, chosen: ParameterSet, scale: Mapping[str, float]) -> dict[str, float]:
    """A set's typical values with some multiplied."""
    file = {p.name: p.value_as_written for p in runner.mechanism.parameters}
    values = dict(chosen.values)
    for name, factor in scale.items():
        values[name] = values.get(name, file[name]) * factor
    return values


def sharp_quantities(
    runner: Runner, both: TwoArms, chosen: ParameterSet, *, prefix: str = "sharp"
) -> dict[str, float]:
    """Every quantity of a placebo-controlled trial, by the ids of the targets."""
    w = both.weight
    s, p = both.sorafenib, both.placebo
    found: dict[str, float] = {}
    ttp = {
        "sorafenib": progression_times(s, both.cut_day, w),
        "placebo": progression_times(p, both.cut_day, w),
    }
    os = {"sorafenib": survival_times(s, None, w), "placebo": survival_times(p, None, w)}
    for name, courses in (("sorafenib", s), ("placebo", p)):
        found[f"{prefix}-ttp-{name}"] = median_day(ttp[name]) / DAYS_PER_MONTH
        found[f"{prefix}-ttp-{name}-between"] = median_between_visits(ttp[name])
        found[f"{prefix}-os-{name}"] = median_between_visits(os[name]) / DAYS_PER_MONTH
        found[f"{prefix}-survival-1-year-{name}"] = 100.0 * survival_at(os[name], 365.25)
        found[f"{prefix}-pr-{name}"] = 100.0 * share(
            (courses.best == PARTIAL) | (courses.best == COMPLETE), w
        )
        found[f"{prefix}-sd-{name}"] = 100.0 * share(courses.best == STABLE, w)
        # Toxicity is recorded while treated and followed.
        seen = ~np.isnan(courses.severe_day) & (courses.severe_day <= both.cut_day)
        found[f"{prefix}-severe-{name}"] = 100.0 * share(seen, w)
    cut = {k: survival_times(c, both.cut_day, w) for k, c in (("s", s), ("p", p))}
    found[f"{prefix}-ttp-hr"] = float(np.exp(log_hazard_ratio(ttp["sorafenib"], ttp["placebo"])[0]))
    found[f"{prefix}-os-hr"] = float(np.exp(log_hazard_ratio(cut["s"], cut["p"])[0]))
    found[f"{prefix}-deaths"] = 50.0 * (share(cut["s"].event, w) + share(cut["p"].event, w))
    found[f"{prefix}-reductions"] = 100.0 * share(s.reductions > 0, w)
    start = both.patients.covariates[
        :, [c.name for c in runner.mechanism.covariates].index("sum_of_diameters")
    ]
    slope = growth_mm_per_day(s, both.protocol.visit_days, start)
    use = np.isfinite(slope)
    found[f"{prefix}-growth"] = float(np.average(slope[use], weights=None if w is None else w[use]))
    found[f"{prefix}-sum-doubling"] = float(np.median(doubling_days(slope[use], start[use])))
    slow = use & (slope < found[f"{prefix}-growth"])
    for name, rows in (("slow", slow), ("fast", use & ~slow)):
        times = survival_times(s, None, w)
        part = type(times)(day=times.day[rows], event=times.event[rows], weight=times.weight[rows])
        found[f"kolamunnage-os-{name}"] = median_between_visits(part)
    for marker, label in (("VEGF", "vegf"), ("sKIT", "skit"), ("Ang2", "ang2")):
        place = runner.output_names.index(marker)
        for name, courses in (("sorafenib", s), ("placebo", p)):
            ratio = courses.sampled[:, 1, place] / courses.sampled[:, 0, place]
            found[f"{label}-week-12-{name}"] = float(np.nanmedian(ratio))
    return found


def doubling(runner: Runner, patients: Patients, chosen: ParameterSet) -> dict[str, float]:
    """Volume doubling times without treatment of these patients: the median in months, and the shares in %.

    The shares are those under 3 and over 9 months. Who is drawn counts, within a population's bounds and with
    its causes of the disease, not the law that the patients' growth is drawn from.
    """
    treated = patients.with_spread(runner.mechanism, chosen.sd)
    days = individual_values(runner.mechanism, ["doubling_time"], treated, chosen.values)["doubling_time"]
    months = days / (24.0 * DAYS_PER_MONTH)
    return {
        "doubling-mean": float(np.median(months)),
        "doubling-fast": 100.0 * share(months < 3.0),
        "doubling-slow": 100.0 * share(months > 9.0),
    }
