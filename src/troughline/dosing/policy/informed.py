"""A model-informed visit: what all samples so far say of each patient, and the regimen with the best score.

Posterior: the maximum a posteriori effects and NONMEM's first-order covariance of them, taken as normal. Each
feasible regimen is predicted at the next visit by the model's steady state on that day, with the effects at
`POINTS` quasi-random points of that normal and a new occasion from its prior; P(below), P(in) and P(above)
are those of the log-normal with the points' mean and SD. With `criterion = "dose"` typical values are
uncertain too, and the regimen is chosen from the points as `troughline dose` does (`dose_rules`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.policy.dose_rules import chosen_as_dose
from troughline.dosing.policy.doses import course_records
from troughline.dosing.policy.population import covariate_matrix
from troughline.dosing.policy.setup import SLOT_H
from troughline.dosing.policy.truth import PEAK_HOURS, sample_time_h
from troughline.model.records import ALL_INPUTS, DOSE, MISSING, OBSERVATION, Records

if TYPE_CHECKING:
    from troughline.dosing.policy.course import Course
    from troughline.dosing.policy.world import WorldModel
    from troughline.dosing.regimen import Regimen
    from troughline.pk.individual import Individuals

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POINTS = 32
CYCLE_DAYS = 8
"""How long a cycle of several amounts is run after the steady state of its mean amount."""
LEAST_KNOWN = 0.9
"""Points without a steady state, far out in the first-order posterior, are left out up to one in ten."""
_LEAST_SD = 1e-3
_SAME_RATIO = 1e-6
_SEQUENCE_SEED = 20210505


def decide_by_model(course: Course, visit: int, day: int, threads: int | None) -> None:
    """A model policy's visit: sample, estimate, predict every allowed regimen, move where that gains."""
    setup, policy = course.setup, course.policy
    rows = course.open_at(day)
    if not len(rows):
        return
    next_day = setup.ends[visit + 1]
    world = course.world
    covariates = covariate_matrix(course.patients, world, setup)[rows]
    if policy.kind == "known":
        points = np.repeat(course.patients.subject[rows][:, None, :], POINTS, axis=1)
        known = np.ones(len(rows), dtype=bool)
    else:
        course.used[rows, visit] = True
        found = _estimates(course, world, covariates, rows, visit, threads)
        points, known = subject_points(found, world)
        course.not_estimated += int((~known).sum())
    rows, points, covariates = rows[known], points[known], covariates[known]
    if not len(rows):
        return
    values = forecast(
        world, covariates, points, setup.regimens, next_day, metric=setup.file.target.metric, threads=threads
    )
    predicted = np.isfinite(values).all(axis=1).mean(axis=1) >= LEAST_KNOWN
    course.not_estimated += int((~predicted).sum())
    rows, values = rows[predicted], values[predicted]
    if not len(rows):
        return
    current: list[Regimen] = [course.regimens[c] for c in course.current[rows].tolist()]
    p_below, p_in, p_above = probabilities(values, setup.low_mg_per_l, setup.high_mg_per_l)
    if policy.criterion == "dose":
        chosen = chosen_as_dose(
            values, setup.limits, setup.regimens, current=current, cap_mg=course.cap_mg[rows]
        )
        probability = taken_p_in(p_in, chosen, setup.regimens, current)
    else:
        score = p_in
        if policy.criterion == "utility":
            score = p_in - policy.below * p_below - policy.above * p_above
        chosen, probability = preferred(
            score, p_in, course.daily[course.current[rows]], course.cap_mg[rows], setup.regimens,
            current=current, least_gain=policy.least_gain,
        )  # fmt: skip
    places = np.array([course.regimens.index(r) for r in setup.regimens], dtype=np.int64)
    after = np.where(chosen >= 0, places[np.maximum(chosen, 0)], course.current[rows])
    course.forecasts.append((visit, (rows, probability)))
    course.change(rows, after, day + setup.file.visits.turnaround_days)


def _estimates(
    course: Course, world: WorldModel, covariates: Floats, rows: Ints, visit: int, threads: int | None
) -> Individuals:
    """The maximum a posteriori effects of some rows from the samples used so far."""
    from troughline.pk.individual import EstimateOptions, estimate_individuals

    setup, patients = course.setup, course.patients
    believed = course.amounts[rows] * world.dose_factor(SLOT_H * np.arange(setup.slots, dtype=np.float64))
    if setup.file.adherence.known:
        believed = np.where(patients.missed[rows], 0.0, believed)
    times = np.array([sample_time_h(setup, d) for d in setup.ends[: visit + 1]])
    used, level = course.used[rows, : visit + 1], course.measured[rows, : visit + 1]
    limit = setup.limit_mg_per_l
    on_log = world.spec.outputs[world.output].error.on_log_scale
    # Without a limit of quantification a level of 0 has no logarithm: such a sample tells nothing here.
    asked = used & np.isfinite(level) & ((level > 0) | (limit > 0))
    below = asked & (level < limit)
    shown = np.where(below, np.nan, np.where(asked, level, np.nan))
    values, limits = shown, np.full(shown.shape, limit if limit > 0 else np.nan)
    if on_log:
        values, limits = np.log(shown), np.log(limits)
    asked_h = np.tile(times, (len(rows), 1)).astype(np.float64)
    asked_h[~asked] = np.nan
    records, _ = course_records(
        patients.named(rows), believed, float(times[-1]), asked_h,
        visit_days=setup.file.visits.days, covariates=covariates, output=world.output, values=values,
        censored=below, limits=limits,
    )  # fmt: skip
    options = EstimateOptions(starts="first", threads=threads)
    return estimate_individuals(world.model, records, theta=world.theta, options=options)


def subject_points(found: Individuals, world: WorldModel) -> tuple[Floats, NDArray[np.bool_]]:
    """Points (n, POINTS, a) of each patient's effects between subjects, and whether he has an estimate
    (n,).
    """
    width = len(world.spec.subject_effects)
    mean, spread = found.effects[:, :width], found.covariance[:, :width, :width]
    known = (
        np.isin(found.status, (0, 4)) & np.isfinite(spread).all(axis=(1, 2)) & np.isfinite(mean).all(axis=1)
    )
    even = sequence(width + len(world.spec.occasion_effects))[:, :width]
    safe = np.where(known[:, None, None], spread, np.eye(width))
    values, vectors = np.linalg.eigh((safe + np.swapaxes(safe, 1, 2)) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    centre = np.where(known[:, None], mean, 0.0)
    return centre[:, None, :] + np.einsum("mk,njk->nmj", even, root), known


@cache
def sequence(width: int) -> Floats:
    """`POINTS` points (POINTS, width) that fill a standard normal evenly (scrambled Sobol), mean 0 and
    SD 1.
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    if width == 0:
        return np.zeros((POINTS, 0))
    uniform = qmc.Sobol(width, scramble=True, seed=_SEQUENCE_SEED).random(POINTS)
    normal: Floats = ndtri(np.clip(uniform, 1e-6, 1 - 1e-6))
    return (normal - normal.mean(axis=0)) / normal.std(axis=0)


def forecast(
    world: WorldModel, covariates: Floats, points: Floats, regimens: tuple[Regimen, ...], day: int, *,
    metric: str, threads: int | None = None,
) -> Floats:  # fmt: skip
    """The metric of every regimen on a day in a new occasion: (n, n_regimens, POINTS), mg/L, NaN at a point
    without a steady state.

    `points` (n, POINTS, a): effects between subjects; the new occasion's are the sequence's next columns.
    Amounts with one interval differ by a factor in a linear model: where two points of every patient give the
    same factor, the other points take it.
    """
    n, m, width = points.shape
    within = world.spec.covariance("occasion")
    even = sequence(width + len(within))[:, width:]
    values, vectors = np.linalg.eigh(within) if len(within) else (np.zeros(0), np.zeros((0, 0)))
    new = even @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    effects = np.concatenate([points, np.broadcast_to(new, (n, m, new.shape[1]))], axis=2)
    made = np.empty((n, len(regimens), m))

    def run(k: int, some: int) -> Floats:
        records, per = _at_horizon(
            world, np.repeat(covariates, some, axis=0), regimens[k], 24.0 * day, metric
        )
        own = effects[:, :some].reshape(n * some, -1)
        found = world.model.predict(records, theta=world.theta, effects=own, threads=threads, check=False)
        level = found.value[records.event == OBSERVATION].reshape(n * some, per)
        return (level.max(axis=1) if metric == "cmax" else level.mean(axis=1)).reshape(n, some)

    alike: dict[float, int] = {}
    for k, regimen in enumerate(regimens):
        like = alike.get(regimen.interval_h) if len(regimen.amounts_mg) == 1 else None
        if like is not None:
            ratio = run(k, 2) / made[:, like, :2]
            if np.allclose(ratio[:, 0], ratio[:, 1], rtol=_SAME_RATIO, atol=0.0):
                made[:, k] = made[:, like] * ratio[:, :1]
                continue
        made[:, k] = run(k, m)
        if len(regimen.amounts_mg) == 1:
            alike.setdefault(regimen.interval_h, k)
    return made


def _at_horizon(
    world: WorldModel, covariates: Floats, regimen: Regimen, end_h: float, metric: str
) -> tuple[Records, int]:
    """Records of pseudo-patients under a regimen that ends a cycle at `end_h`; how many levels each has."""
    n = len(covariates)
    amounts, period = regimen.amounts_mg, regimen.period_h
    cycles = 1 if len(amounts) == 1 else max(round(24.0 * CYCLE_DAYS / period), 1)
    begin = end_h - cycles * period
    # A cycle starts from the steady state of its mean amount, which the engine has in closed form.
    dose_h = begin + regimen.interval_h * np.arange(len(amounts))
    given, repeats, steady = np.array(amounts), np.full(len(amounts), cycles - 1), np.zeros(len(amounts))
    if len(amounts) == 1:
        steady[:] = 1
    else:
        dose_h = np.r_[begin - regimen.interval_h, dose_h]
        given, repeats, steady = np.r_[given.mean(), given], np.r_[0, repeats], np.r_[1, steady]
    between = np.where(steady > 0, regimen.interval_h, period)
    last = end_h - period
    if metric == "cmax":
        mornings = np.arange(0.0, max(period, 24.0), 24.0)
        asked = (last + mornings[:, None] + np.array((0.0, *PEAK_HOURS))).ravel()
        asked = asked[asked <= end_h]
    else:
        mornings = np.arange(0.0, period if len(amounts) > 1 else 1.0, 24.0)
        asked = end_h - mornings[::-1]
    time = np.r_[dose_h, asked]
    is_dose = np.r_[np.ones(len(dose_h), dtype=bool), np.zeros(len(asked), dtype=bool)]
    order = np.lexsort((is_dose, time))
    size, none = len(time), np.zeros(len(asked))
    given = given * world.dose_factor(np.full(len(given), end_h))

    def reals(of_doses: Floats) -> Floats:
        return np.tile(np.r_[of_doses, none][order], n)

    def whole(of_doses: Floats | Ints, of_others: int = 0) -> Ints:
        both = np.r_[of_doses.astype(np.int64), np.full(len(asked), of_others, dtype=np.int64)]
        return np.tile(both[order], n)

    records = Records(
        patients=tuple(map(str, range(n))),
        first=np.arange(n + 1) * size,
        time_h=np.tile(time[order], n),
        event=whole(np.full(len(given), DOSE), OBSERVATION),
        amount_mg=reals(given),
        rate_mg_per_h=np.zeros(n * size),
        interval_h=reals(between),
        additional=whole(repeats),
        steady_state=whole(steady),
        compartment=np.full(n * size, ALL_INPUTS, dtype=np.int64),
        output=np.full(n * size, world.output, dtype=np.int64),
        value=np.full(n * size, np.nan),
        censoring=np.full(n * size, MISSING, dtype=np.int64),
        limit=np.full(n * size, np.nan),
        covariates=np.repeat(covariates, size, axis=0),
        occasion=np.zeros(n * size, dtype=np.int64),
        row=np.zeros(n * size, dtype=np.int64),
    )
    return records, len(asked)


def probabilities(values: Floats, low: float, high: float) -> tuple[Floats, Floats, Floats]:
    """P(below), P(in) and P(above) (n, k) of the log-normals with the mean and SD of values (n, k,
    POINTS), those that are known.
    """
    from scipy.special import ndtr

    logs = np.log(np.maximum(values, 1e-300))
    if np.isfinite(logs).all():
        mean, spread = logs.mean(axis=2), logs.std(axis=2, ddof=1)
    else:
        mean, spread = np.nanmean(logs, axis=2), np.nanstd(logs, axis=2, ddof=1)
    sd = np.maximum(spread, _LEAST_SD)
    below, above = np.zeros(mean.shape), np.zeros(mean.shape)
    if low > 0:
        below[:] = ndtr((np.log(low) - mean) / sd)
    if np.isfinite(high):
        above[:] = ndtr(-(np.log(high) - mean) / sd)
    return below, 1.0 - below - above, above


def taken_p_in(p_in: Floats, chosen: Ints, regimens: tuple[Regimen, ...], current: list[Regimen]) -> Floats:
    """P(in) of what is taken (n,), of every regimen's (n, k); NaN where one that is none of them stays."""
    now = np.array([regimens.index(r) if r in regimens else -1 for r in current], dtype=np.int64)
    taken = np.where(chosen >= 0, chosen, now)
    return np.where(taken >= 0, p_in[np.arange(len(taken)), np.maximum(taken, 0)], np.nan)


def preferred(
    score: Floats, p_in: Floats, current_dose: Floats, cap_mg: Floats, regimens: tuple[Regimen, ...], *,
    current: list[Regimen], least_gain: float,
) -> tuple[Ints, Floats]:  # fmt: skip
    """The place of the preferred regimen (n,), −1 to stay, and P(in) of what is then taken (n,), NaN unknown.

    The best score among those with a daily dose up to `cap_mg`; the present regimen stays unless it is left
    behind by at least `least_gain`, or is above the cap.
    """
    doses = np.array([r.daily_dose_mg for r in regimens])
    allowed = doses[None, :] <= cap_mg[:, None] + 1e-9
    open_score = np.where(allowed, score, -np.inf)
    best = np.argmax(open_score, axis=1)
    rows = np.arange(len(score))
    now = np.array([regimens.index(r) if r in regimens else -1 for r in current], dtype=np.int64)
    # A regimen that is none of them has no score: it is left for the best of them.
    gain = np.where(now >= 0, score[rows, best] - score[rows, np.maximum(now, 0)], np.inf)
    stays = (current_dose <= cap_mg + 1e-9) & (gain < least_gain)
    stays |= ~allowed.any(axis=1)
    chosen = np.where(stays, -1, best)
    return chosen, taken_p_in(p_in, chosen, regimens, current)
