"""A cell whose doses a policy decides: the mechanism lives from visit to visit, the policy sees its levels.

The truth is the mechanism's own exposure. Between visits the patient loop runs; at a visit a level is read
off it and measured with its error, `dosing.policy` chooses the regimen, and the loop goes on with the new
doses. A toxicity that limits the dose pauses a patient, and the policy says what follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.trial.policies import policy_setup

if TYPE_CHECKING:
    from troughline.dosing.policy.course import Course
    from troughline.dosing.policy.population import VirtualPatients
    from troughline.dosing.policy.setup import Setup as PolicySetup
    from troughline.mechanism.population import Patients
    from troughline.mechanism.runner import Courses, Runner
    from troughline.mechanism.stepwise import Stepwise
    from troughline.trial.cells import Cell

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
GRID_DAYS = 7
"""How far apart the days are on which doses and levels of an arm are kept."""
COLUMNS = (
    "samples", "raised", "lowered", "first_line_days", "first_line_mg", "counted_days", "inside_days",
    "below_days", "above_days",
)  # fmt: skip
"""Of each patient of an arm with a policy; NaN in other arms."""


@dataclass(frozen=True, kw_only=True)
class Dosed:
    """What a policy did in a cell: columns by patient, and sums over patients on each day of the grid.

    `sums` (K, n_grid): patients on the first line, held among them, inside, below, above the target; mg a day
    of the regimens in force (0 where held); sum of the logarithm of the trough and the number it is of; then
    patients on each of the regimens. `not_estimated`: decisions of a model that had no estimate.
    """

    columns: Mapping[str, NDArray[Any]]
    sums: Floats
    not_estimated: int


SUMS = ("on", "held", "inside", "below", "above", "dose_mg", "log_trough", "with_trough")


def run_dosed(
    runner: Runner, cell: Cell, patients: Patients, last_day: Floats | None = None
) -> tuple[Courses, Dosed]:
    """The courses of a cell's patients under its policy, on one thread, until each one's data end.

    Raises `RunError` where a patient's state is not a finite number, `ValueError` where the policy's model
    fails.
    """
    from troughline.dosing.policy.course import Course
    from troughline.dosing.policy.simulate import decide
    from troughline.dosing.policy.truth import as_measured, error_parts
    from troughline.mechanism.stepwise import Stepwise

    setup = policy_setup(cell.policy)
    virtual = virtual_patients(runner, patients, setup)
    policy = setup.file.policy[0]
    course = Course(setup, virtual, policy)
    spans = course.day_interval_h()
    live = Stepwise(
        runner, patients, cell.arm, cell.protocol, values=cell.values, sample_days=cell.marker_days,
        prescribed=(course.amounts, spans, course.morning), last_day=last_day,
    )  # fmt: skip
    parts = error_parts(setup, virtual)
    hold_days = round(cell.arm.hold_days)
    for visit, day in enumerate(setup.ends):
        live.take_effects(_in_occasion(runner, patients, virtual, visit))
        _live_until(live, course, spans, day, hold_days)
        if visit == len(setup.file.visits.days):
            break
        course.measured[:, visit] = as_measured(
            setup, course.morning[:, day], parts, virtual.residual[:, visit]
        )
        before = course.since_day.copy()
        decide(course, visit, day, 1)
        changed = np.flatnonzero(course.since_day != before)
        live.note_change(changed, float(day + setup.file.visits.turnaround_days))
        # The visit's occasion lasts until the next morning.
        _live_until(live, course, spans, day + 1, hold_days)
    live.note_reductions(course.reduced)
    return live.courses(), _dosed(course, live.first_line_end)


def _live_until(live: Stepwise, course: Course, spans: Floats, day: int, hold_days: int) -> None:
    """Live on until a day; toxicity acts on the way as the policy says."""
    places = np.arange(len(course.regimens), dtype=np.int64)
    no_lower = course.reduced_from(places)[1] if course.policy.reduces else np.zeros(len(places), dtype=bool)
    while True:
        spans[:] = course.day_interval_h()
        live.note_lowest(no_lower[course.current])
        rows = live.go(float(day))
        _end(live, course)
        if not len(rows):
            return
        when = live.day[rows]
        course.amounts[rows, np.round(2.0 * when).astype(np.int64)] = 0.0  # the half-day before the next day
        whole = np.ceil(when).astype(np.int64)
        course.toxicity(
            rows, whole, course.morning[rows, np.floor(when).astype(np.int64)], hold_days=hold_days
        )
        live.note_levels(rows, course.reduced[rows])


def _end(live: Stepwise, course: Course) -> None:
    """Treatment that toxicity, progression, the liver, the patient or death has ended takes no more doses."""
    end = live.first_line_end
    rows = np.flatnonzero(np.isfinite(end) & ~course.stopped)
    course.stop(rows, np.ceil(end[rows]).astype(np.int64))


def virtual_patients(runner: Runner, patients: Patients, setup: PolicySetup) -> VirtualPatients:
    """A trial's patients as `dosing.policy` knows them; occasions and errors follow from (seed, id).

    All doses are taken; toxicity is the mechanism's, so that its draws are left out.
    """
    from troughline.dosing.policy.population import VirtualPatients

    visits, within = len(setup.ends), setup.truth.spec.covariance("occasion")
    n, subjects = len(patients), len(setup.truth.spec.subject_effects)
    occasions, residual = patients.between_visits(visits, len(within))
    factor = np.linalg.cholesky(within) if len(within) and np.any(within) else np.zeros(within.shape)
    covariates: dict[str, NDArray[np.object_] | Floats] = {}
    for spec, table in (
        (runner.mechanism, patients.covariates),
        (runner.kinetics, patients.pk_covariates),
    ):
        for k, covariate in enumerate(spec.covariates):
            if covariate.name not in {c.name for c in setup.file.population.covariate}:
                continue
            values: NDArray[np.object_] | Floats = table[:, k].copy()
            if covariate.levels is not None:
                values = np.array([covariate.levels[int(v)] for v in table[:, k]], dtype=object)
            covariates.setdefault(covariate.name, values)
    return VirtualPatients(
        names=tuple(map(str, patients.ids.tolist())),
        covariates=covariates,
        subject=patients.pk_effects[:, :subjects].copy(),
        occasion=occasions @ factor.T,
        missed=np.zeros((n, setup.slots), dtype=bool),
        residual=residual,
        frailty=np.ones(n),
        thresholds=np.zeros((n, 0)),
    )


def _in_occasion(runner: Runner, patients: Patients, virtual: VirtualPatients, occasion: int) -> Floats:
    """The random effects of the exposure in an occasion (n, q)."""
    effects = patients.pk_effects.copy()
    effects[:, len(runner.kinetics.subject_effects) :] += virtual.occasion[:, occasion]
    return effects


def _dosed(course: Course, end: Floats) -> Dosed:
    """Columns and sums of a finished course; `end` (n,): when each first line ended."""
    from troughline.dosing.policy.course import HELD
    from troughline.dosing.policy.outcomes import metric_by_day

    setup = course.setup
    horizon = setup.file.visits.horizon_day
    last = np.minimum(np.where(np.isfinite(end), end, horizon), horizon)
    metric = metric_by_day(course)
    low, high = setup.low_mg_per_l, setup.high_mg_per_l
    days = np.arange(horizon + 1)
    on = days[None, :] < last[:, None]
    counted = on & (days >= (setup.file.visits.count_from_day or setup.file.visits.days[0]))[None, :]
    below, above = metric < low, metric > high
    inside = ~below & ~above
    daily_mg = course.amounts[:, 0::2] + course.amounts[:, 1::2]
    columns: dict[str, NDArray[Any]] = {
        "samples": course.used.sum(axis=1).astype(np.float64),
        "raised": course.raised.astype(np.float64), "lowered": course.lowered.astype(np.float64),
        "first_line_days": last, "first_line_mg": (daily_mg * on).sum(axis=1),
        "counted_days": counted.sum(axis=1).astype(np.float64),
        "inside_days": (counted & inside).sum(axis=1).astype(np.float64),
        "below_days": (counted & below).sum(axis=1).astype(np.float64),
        "above_days": (counted & above).sum(axis=1).astype(np.float64),
    }  # fmt: skip
    at = grid_of(horizon)
    on_grid, taken = on[:, at], course.day_regimen[:, at]
    held = on_grid & (taken == HELD)
    known = on_grid & ~held & (metric[:, at] > 0)
    logs = np.log(np.where(known, metric[:, at], 1.0))
    rows = [on_grid, held, *(on_grid & x[:, at] for x in (inside, below, above))]
    sums = [r.sum(axis=0).astype(np.float64) for r in rows]
    # The dose of the regimen in force: that of a single day would swing with regimens of every other day.
    prescribed = np.where(taken >= 0, course.daily[np.maximum(taken, 0)], 0.0)
    sums += [(prescribed * on_grid).sum(axis=0), logs.sum(axis=0), known.sum(axis=0).astype(np.float64)]
    sums += [(on_grid & (taken == k)).sum(axis=0).astype(np.float64) for k in range(len(course.regimens))]
    return Dosed(columns=columns, sums=np.stack(sums), not_estimated=course.not_estimated)


def grid_of(horizon_day: int) -> Ints:
    """The days on which doses and levels of an arm are kept."""
    return np.arange(0, horizon_day + 1, GRID_DAYS, dtype=np.int64)


def no_columns(n: int) -> dict[str, NDArray[Any]]:
    """The columns of an arm without a policy."""
    return {name: np.full(n, np.nan) for name in COLUMNS}
