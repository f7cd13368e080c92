"""What a parameter set predicts for trials that no fit has seen, and how far trials of that size scatter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.endpoints import (
    TimeToEvent,
    log_hazard_ratio,
    median_day,
    progression_times,
    survival_times,
)
from troughline.mechanism.population import Drawn, draw_patients, read_populations
from troughline.mechanism.predictions import COMPLETE, PARTIAL, STABLE, STEP_DAYS, scaled
from troughline.mechanism.tace_on_demand import sessions_on_demand, untaceable_day
from troughline.mechanism.treatment import (
    Arm,
    DoseLevel,
    LocalTherapy,
    Protocol,
    read_second_drugs,
    six_weekly,
    sorafenib_levels,
)
from troughline.mechanism.trial_designs import PROPORTIONS
from troughline.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from troughline.mechanism.parameters import ParameterSet
    from troughline.mechanism.population import Patients
    from troughline.mechanism.runner import Courses, Runner
    from troughline.mechanism.trial_designs import Measured, TreatedArm, TrialDesign

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
DAYS_IN = {"day": 1.0, "week": 7.0, "month": DAYS_PER_MONTH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """An arm's patients as the trial counts them: times from its origin, and flags, each (n,)."""

    survival: TimeToEvent
    progression: TimeToEvent
    progression_free: TimeToEvent
    duration: TimeToEvent
    responded: Flags
    controlled: Flags
    reduced: Flags
    repeated: Flags

    def take(self, rows: NDArray[np.int64]) -> Followed:
        """Some of the patients, with repeats."""
        return Followed(
            survival=_rows(self.survival, rows),
            progression=_rows(self.progression, rows),
            progression_free=_rows(self.progression_free, rows),
            duration=_rows(self.duration, rows),
            responded=self.responded[rows],
            controlled=self.controlled[rows],
            reduced=self.reduced[rows],
            repeated=self.repeated[rows],
        )

    def __len__(self) -> int:
        return len(self.responded)


def run_design(
    runner: Runner,
    chosen: ParameterSet,
    design: TrialDesign,
    *,
    n: int,
    seed: int,
    values: Mapping[str, float] | None = None,
) -> dict[str, Followed]:
    """Every arm of a trial in the same `n` virtual patients (or the trial's own number), by the arm's id.

    `values` replaces typical values of the set (the file's units).
    """
    typical = {**scaled(runner, chosen, design.scale), **(values or {})}
    base = read_populations()[design.population]
    fixed = {name: Drawn(kind="fixed", center=float(at)) for name, at in design.fixed.items()}
    population = replace(base, covariates={**base.covariates, **fixed})
    patients = draw_patients(
        runner.mechanism, runner.kinetics, population, n=design.patients or n, seed=seed, sd=chosen.sd,
        values=typical,
    )  # fmt: skip
    protocol = six_weekly(design.horizon_months, every_days=design.every_days, step_days=STEP_DAYS)
    found: dict[str, Followed] = {}
    for arm in design.arms:
        courses, sessions = courses_of(runner, patients, design, arm, protocol, typical)
        made = followed(runner, courses, sessions, design, protocol)
        if design.origin == "second line":
            alone = replace(arm_of(design, arm), second_line=())
            first = runner.run(patients, alone, protocol, values=typical, threads=1)
            made = _from_second_line(made, courses, first.reductions <= design.most_reductions)
        found[arm.id] = made
    return found


def _from_second_line(made: Followed, courses: Courses, tolerant: Flags) -> Followed:
    """Survival from the second line on, of who got it and was `tolerant` of the first."""
    rows = np.flatnonzero(np.isfinite(courses.next_line_day) & tolerant)
    part = made.take(rows)
    day = part.survival.day - courses.next_line_day[rows]
    return replace(part, survival=replace(part.survival, day=day))


def arm_of(design: TrialDesign, given: TreatedArm) -> Arm:
    """An arm of a trial as the mechanism runs it. Raises `ValueError` for a drug that is not on file."""
    drugs = read_second_drugs()

    def effects(name: str) -> Mapping[str, float]:
        if name not in drugs:
            raise ValueError(f"the trial {design.id!r} gives {name!r}; on file: {', '.join(sorted(drugs))}")
        return drugs[name]

    levels = sorafenib_levels(second=None if given.second is None else effects(given.second))
    if given.sorafenib == "reduced":
        levels = levels[1:]
    if given.sorafenib == "none":
        levels = tuple(replace(level, dose_mg=0.0, interval_h=12.0) for level in levels)
        levels = levels if given.second else levels[:1]
    later: tuple[DoseLevel, ...] = ()
    if given.second_line == "placebo":
        later = (DoseLevel(dose_mg=0.0),)
    elif given.second_line is not None:
        later = tuple(
            replace(level, dose_mg=0.0, interval_h=12.0)
            for level in sorafenib_levels(second=effects(given.second_line))
        )
    days = design.tace_days if given.tace != "none" else ()
    return Arm(
        name=given.id,
        levels=levels,
        second_line=later,
        local=tuple(LocalTherapy(day=day, kind="tace") for day in days),
        stop_at_progression=design.stop_at_progression,
    )


def courses_of(
    runner: Runner,
    patients: Patients,
    design: TrialDesign,
    given: TreatedArm,
    protocol: Protocol,
    typical: Mapping[str, float],
) -> tuple[Courses, Ints]:
    """The courses of an arm's patients, what lives sampled at every image, and how many sessions (n,)."""
    arm = arm_of(design, given)
    if given.tace == "on demand" and design.on_demand is not None:
        return sessions_on_demand(runner, patients, arm, protocol, design.on_demand, values=typical)
    days = (0.0, *protocol.visit_days) if design.criterion == "untaceable" else ()
    courses = runner.run(patients, arm, protocol, values=typical, sample_days=days, threads=1)
    due = np.array([s.day for s in arm.local])
    return courses, np.asarray((due[None, :] <= courses.death_day[:, None]).sum(axis=1), dtype=np.int64)


def followed(
    runner: Runner, courses: Courses, sessions: Ints, design: TrialDesign, protocol: Protocol
) -> Followed:
    """What a trial counts of an arm's courses."""
    survival = survival_times(courses)
    if design.on_demand is not None and design.criterion == "untaceable":
        progression = untaceable_day(runner, courses, protocol, design.on_demand)
    else:
        progression = progression_times(courses, criterion=design.criterion)
    best = courses.viable_best if design.criterion != "recist" else courses.best
    n = len(courses.died)
    everybody = np.ones(n)
    return Followed(
        survival=survival,
        progression=progression,
        progression_free=TimeToEvent(
            day=np.where(courses.died & ~progression.event, survival.day, progression.day),
            event=progression.event | courses.died,
            weight=everybody,
        ),
        duration=TimeToEvent(day=courses.stop_day, event=np.ones(n, dtype=bool), weight=everybody),
        responded=(best == COMPLETE) | (best == PARTIAL),
        controlled=(best == COMPLETE) | (best == PARTIAL) | (best == STABLE),
        reduced=courses.reductions > 0,
        repeated=sessions >= 2,
    )


def measure_of(arms: Mapping[str, Followed], wanted: Measured) -> float:
    """A measure in the target's unit; NaN for a median that is not reached or a ratio without events."""
    arm = arms[wanted.arm]
    name = wanted.measure
    if name in PROPORTIONS:
        flags = {
            "orr": arm.responded, "dcr": arm.controlled, "reductions": arm.reduced, "repeated": arm.repeated,
        }[name]  # fmt: skip
        return 100.0 * float(flags.mean()) if len(flags) else float("nan")
    if wanted.control is not None:
        a, b = _times(arm, name), _times(arms[wanted.control], name)
        if not a.event.any() or not b.event.any():
            return float("nan")
        return float(np.exp(log_hazard_ratio(a, b)[0]))
    times = _times(arm, name)
    return median_day(times) / DAYS_IN[wanted.target.unit] if len(times.day) else float("nan")


def _times(arm: Followed, measure: str) -> TimeToEvent:
    kind = measure.split("_", 1)[0]
    return {
        "os": arm.survival, "pfs": arm.progression_free, "ttp": arm.progression, "duration": arm.duration,
    }[kind]  # fmt: skip


def scatter(
    arms: Mapping[str, Followed], design: TrialDesign, wanted: Measured, *, draws: int, seed: int
) -> Floats:
    """The measure in `draws` trials of the printed size, patients drawn anew in each arm (draws,)."""
    rng = np.random.default_rng([seed, len(wanted.target.id), *wanted.target.id.encode()])
    names = [wanted.arm] + ([wanted.control] if wanted.control is not None else [])
    found = np.empty(draws)
    for k in range(draws):
        trial = {
            name: arms[name].take(rng.integers(0, len(arms[name]), design.arm(name).n)) for name in names
        }
        found[k] = measure_of(trial, wanted)
    return found


def _rows(times: TimeToEvent, rows: NDArray[np.int64]) -> TimeToEvent:
    return TimeToEvent(day=times.day[rows], event=times.event[rows], weight=times.weight[rows])
