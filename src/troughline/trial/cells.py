"""A cell of a trial: some patients of one arm, one replicate and one parameter set, run on their own.

A cell needs nothing from any other, so that it may run in any thread, process or place, and again if lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from troughline.mechanism.parameters import ParameterSet
    from troughline.mechanism.population import Patients, Population
    from troughline.mechanism.runner import Courses, Runner
    from troughline.mechanism.treatment import Arm, Protocol

Floats = NDArray[np.float64]
BATCH = 2000
"""Patients a cell at most."""
ARM_IDS, BATCH_IDS, REPLICATE_SEEDS = 10**12, 10**7, 10_000_019
MARKERS = ("VEGF", "sVEGFR2", "sKIT", "Ang2", "AFP", "sTNF_alpha", "sTNF_R", "sFas", "IL2")
ROUTES = (
    "none", "new lesion", "resistant cells", "tolerant cells", "PI3K/AKT", "JAK-STAT", "HIF-2α and EGFR",
    "EMT", "no adaptation",
)  # fmt: skip
ADAPTED = {"PI3K/AKT": ("akt_adapted",), "JAK-STAT": ("stat_adapted",), "HIF-2α and EGFR": ("hif2", "egfr"),
           "EMT": ("emt",)}  # fmt: skip
_ADAPTING = frozenset(name for group in ADAPTED.values() for name in group)
LEAST_RISE = 0.1
"""By how much an adaptation must have risen over its untreated level to be called a route."""
WHY = ("on treatment", "toxicity", "progression", "other", "liver", "died on treatment")
"""Why the first line had ended by the end of the data, as the loop numbers it; the last is read here."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What a cell runs: `count` patients from `first_id` on, with a set's standard deviations.

    `values`: typical values, scaled as the population asks. `cut`: shortest and longest follow-up in months,
    or None. `clearance`: factor on the clearance of sorafenib. `policy`: the arm's, as
    `trial.policies` wrote it; empty for an arm without one, None in a trial where no arm has any.
    """

    chosen: ParameterSet
    replicate: int
    arm_index: int
    arm: Arm
    protocol: Protocol
    population: Population
    values: Mapping[str, float]
    seed: int
    first_id: int
    count: int
    marker_days: tuple[float, ...]
    cut: tuple[float, float] | None
    clearance: float
    policy: str | None = None


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """What a cell gave: `columns` of equal length, and sums over patients of each marker's log ratio.

    `marker_sums` (3, n_days, n_markers): number, sum, and sum of squares. `dosing_sums`: those of `Dosed`, in
    an arm with a policy, and `not_estimated`.
    """

    columns: Mapping[str, NDArray[np.generic]]
    marker_sums: Floats
    dosing_sums: Floats | None = None
    not_estimated: int = 0


@cache
def the_runner(clearance: float = 1.0) -> Runner:
    """The runner of the shipped mechanism, with sorafenib's clearance multiplied."""
    from troughline.mechanism.runner import load_runner

    if clearance == 1.0:
        return load_runner()
    base = the_runner()
    changed = tuple(
        replace(p, value=p.value * clearance) if p.name == "CL_pop" else p for p in base.kinetics.parameters
    )
    return replace(base, kinetics=replace(base.kinetics, parameters=changed))


def patients_of(
    population: Population,
    chosen: ParameterSet,
    *,
    clearance: float,
    n: int,
    seed: int,
    first_id: int = 0,
    values: Mapping[str, float] | None = None,
) -> Patients:
    """Patients of a parameter set, within the population's bounds with the typical `values` that they have.

    `values`: None for the set's own. Raises `ValueError` for a population that cannot be drawn.
    """
    from troughline.mechanism.population import draw_patients

    runner = the_runner(clearance)
    return draw_patients(
        runner.mechanism, runner.kinetics, population, n=n, seed=seed, first_id=first_id, sd=chosen.sd,
        values=chosen.values if values is None else values,
    )  # fmt: skip


def run_cell(cell: Cell) -> CellResult:
    """Draw and run the patients of a cell on one thread.

    Raises `ValueError` for a population that cannot be drawn, `RunError` for a state that is not finite.
    """
    runner = the_runner(cell.clearance)
    patients = patients_of(
        cell.population, cell.chosen, clearance=cell.clearance, n=cell.count, seed=cell.seed,
        first_id=cell.first_id, values=cell.values,
    )  # fmt: skip
    last_day = _last_day(cell, patients)
    dosed = None
    if cell.policy:
        from troughline.trial.dosed import run_dosed

        courses, dosed = run_dosed(runner, cell, patients, last_day)
    else:
        courses = runner.run(
            patients, cell.arm, cell.protocol, values=cell.values, sample_days=cell.marker_days,
            last_day=last_day, threads=1,
        )  # fmt: skip
    places = [runner.output_names.index(m) for m in MARKERS]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(courses.sampled[:, :, places] / courses.sampled[:, :1, places])
    there = np.isfinite(ratio)
    clean = np.where(there, ratio, 0.0)
    sums = np.stack([there.sum(axis=0).astype(np.float64), clean.sum(axis=0), (clean**2).sum(axis=0)])
    columns = _columns(cell, runner, patients, courses)
    if cell.policy is not None:
        from troughline.trial.dosed import no_columns

        columns |= no_columns(len(patients)) if dosed is None else dosed.columns
    return CellResult(
        columns=columns, marker_sums=sums, dosing_sums=None if dosed is None else dosed.sums,
        not_estimated=0 if dosed is None else dosed.not_estimated,
    )  # fmt: skip


def _last_day(cell: Cell, patients: Patients) -> Floats:
    """The day on which each patient's data end (n,): of the file's follow-up, or else the horizon."""
    if cell.cut is None:
        return np.full(len(patients), cell.protocol.horizon_days)
    low, high = cell.cut
    return DAYS_PER_MONTH * (low + (high - low) * patients.follow_up**cell.chosen.follow_up_power)


def _columns(
    cell: Cell, runner: Runner, patients: Patients, courses: Courses
) -> dict[str, NDArray[np.generic]]:
    from troughline.mechanism.endpoints import growth_mm_per_day, progression_times, survival_times

    os, ttp = survival_times(courses), progression_times(courses)
    viable = progression_times(courses, criterion="mrecist")
    names = [c.name for c in runner.mechanism.covariates]
    visits, error = cell.protocol.visit_days, cell.protocol.criteria.error
    true_start = patients.covariates[:, names.index("sum_of_diameters")]
    start = true_start * np.exp(error * patients.noise(len(visits))[:, 0])  # as the loop measures it
    still = WHY.index("on treatment")
    why = np.where(courses.died & (courses.stop_why == still), WHY.index("died on treatment"),
                   courses.stop_why)  # fmt: skip
    made: dict[str, NDArray[np.generic]] = {"patient": patients.ids}
    for name in ("sum_of_diameters", "albumin", "etiology", "child_pugh_class", "spread"):
        made[name] = patients.covariates[:, names.index(name)]
    made |= {
        "os_day": os.day, "died": os.event, "ttp_day": ttp.day, "progressed": ttp.event,
        "reason": courses.progression_reason, "mttp_day": viable.day, "mprogressed": viable.event,
        "best": courses.best, "mbest": courses.viable_best,
        "best_change_percent": _best_change(courses, cell.protocol, start),
        "growth": growth_mm_per_day(courses, visits, start),
        "stop_day": courses.stop_day, "stop_why": why, "next_line_day": courses.next_line_day,
        "reductions": courses.reductions, "next_line_reductions": courses.next_reductions,
        "dose_mg": courses.dose_mg, "severe_day": courses.severe_day, "limiting_day": courses.limiting_day,
        "mean_level": courses.mean_level, "route": routes_of(runner, courses),
    }  # fmt: skip
    return made


def _best_change(courses: Courses, protocol: Protocol, start: Floats) -> Floats:
    """The lowest measured sum until progression against the measured start, % (n,); NaN without an image."""
    days = np.asarray(protocol.visit_days)
    last = np.where(courses.progressed, courses.progression_day, np.inf)
    seen = np.where(days[None, :] <= last[:, None], courses.seen, np.nan)
    lowest = np.fmin.reduce(seen, axis=1)
    return np.asarray(100.0 * (lowest / start - 1.0), dtype=np.float64)


def routes_of(runner: Runner, courses: Courses) -> NDArray[np.int64]:
    """Which route of escape each progression shows, as a place in `ROUTES` (n,).

    A new lesion first; then the larger of resistant and tolerant cells where it is most of the living
    tumour; else the adaptation that has risen most over its untreated level, if any rose by `LEAST_RISE`.
    The rises are those of the mechanism's states as they stand: of unlike things, on no common scale.
    """
    names = [s.name for s in runner.mechanism.states]
    x = courses.states_at_progression
    untreated = {
        s.name: float(s.initial.text if s.initial else 0)
        for s in runner.mechanism.states
        if s.name in _ADAPTING
    }

    def state(name: str) -> Floats:
        return x[:, names.index(name)]

    sensitive, tolerant, resistant = state("sensitive"), state("tolerant"), state("resistant")
    rises = np.column_stack(
        [np.max([state(s) - untreated[s] for s in group], axis=0) for group in ADAPTED.values()]
    )
    first = ROUTES.index(next(iter(ADAPTED)))
    adapted = np.where(
        rises.max(axis=1) >= LEAST_RISE, first + rises.argmax(axis=1), ROUTES.index("no adaptation")
    )
    route = np.select(
        [
            ~courses.progressed,
            courses.progression_reason == 2,
            (resistant >= tolerant) & (resistant > sensitive),
            tolerant > sensitive,
        ],
        [0, 1, 2, 3],
        adapted,
    )
    return route.astype(np.int64)
