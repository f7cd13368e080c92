"""What studies printed beside what the same design gives here: reproduced, or missed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.policy.checks import published_number
from troughline.dosing.policy.outcomes import daily_dose_until, toxic_until
from troughline.dosing.policy.simulate import course_of
from troughline.issues import Findings
from troughline.pk.posterior import generator_of

if TYPE_CHECKING:
    from troughline.dosing.policy.course import Course
    from troughline.dosing.policy.schema import Beside
    from troughline.dosing.policy.simulate import Simulated
    from troughline.evidence.numbers import Number

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

STUDIES = 2000
"""Virtual studies of the published size that are drawn from the population."""
WITHIN = 0.95
WEEKS_AFTER_RAISE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideResult:
    """A published value, and the range of it in virtual studies of the same size.

    `published` in `unit`; `value` in the whole population; `low`, `high`: the central 95 % of studies of
    `n_study` patients drawn from those who count (`n`). `reproduced`: whether the published value lies in it.
    """

    reference: str
    label: str
    citation: str
    verified: bool
    quantity: str
    policy: str
    day: int
    unit: str
    published: float
    n_study: int
    value: float
    low: float
    high: float
    n: int
    reproduced: bool
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A quantity of a course: who counts (n,), each one's value (n,), and how a study sums them up.

    `group` (n,): whose values enter the statistic; the others count in the study's size alone.
    """

    counts: Flags
    values: Floats
    group: Flags
    statistic: Callable[[Floats], float]
    kind: str


def sampled_at(course: Course, visit: int) -> tuple[Flags, Floats]:
    """Who has a quantified level at a visit while on treatment (n,), and the level (n,), mg/L."""
    setup = course.setup
    level = course.measured[:, visit]
    on = course.day_regimen[:, setup.ends[visit]] >= 0
    return on & (level >= setup.limit_mg_per_l) & (level > 0), level


def quantity_of(course: Course, name: str, day: int) -> Quantity:
    """A quantity by the name that a policy file gives it, at a visit's day or the horizon."""
    setup = course.setup
    visit = setup.ends.index(day)
    toxic = toxic_until(course, day)
    counts, level = sampled_at(course, visit)
    everyone = np.ones(len(course), dtype=bool)
    with_toxicity = toxic if "with severe" in name else ~toxic if "without severe" in name else everyone
    if "trough" in name and "target" not in name:
        return Quantity(counts=counts, values=level, group=with_toxicity, statistic=_median, kind="level")
    if name.startswith("daily dose"):
        dose = daily_dose_until(course, day)
        return Quantity(counts=counts, values=dose, group=with_toxicity, statistic=_mean, kind="dose")
    if name == "below target at some sample":
        seen = [sampled_at(course, v) for v in range(visit + 1)]
        below = np.any([on & (x < setup.low_mg_per_l) for on, x in seen], axis=0)
        return _share_of(below, everyone)
    if name == "severe toxicity by day":
        return _share_of(toxic, everyone)
    if name == "dose raised by level":
        return _share_of(course.raised > 0, everyone)
    reached, raised = reached_after_raise(course)
    return _share_of(reached, raised)


def reached_after_raise(course: Course) -> tuple[Flags, Flags]:
    """Of those raised by level, who shows the target at the first sample four weeks later, without
    toxicity.
    """
    setup = course.setup
    raised = course.first_raise_day >= 0
    reached, judged = np.zeros(len(course), dtype=bool), np.zeros(len(course), dtype=bool)
    for visit, day in enumerate(setup.ends):
        due = (
            raised
            & ~judged
            & (day - course.first_raise_day >= 7 * WEEKS_AFTER_RAISE - setup.file.visits.turnaround_days)
        )
        counts, level = sampled_at(course, visit)
        between = (course.event_day >= course.first_raise_day[:, None]) & (course.event_day <= day)
        reached |= due & counts & (level >= setup.low_mg_per_l) & ~between.any(axis=1)
        judged |= due
    return reached & judged, judged


def _share_of(event: Flags, among: Flags) -> Quantity:
    return Quantity(
        counts=among, values=event.astype(np.float64), group=np.ones(len(event), dtype=bool), statistic=_mean,
        kind="share",
    )  # fmt: skip


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _mean(values: Floats) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def beside_published(simulated: Simulated) -> tuple[BesideResult, ...]:
    """Every published value that the file names, beside the simulation's."""
    return tuple(_beside(simulated, k, one) for k, one in enumerate(simulated.setup.file.beside))


def _beside(simulated: Simulated, k: int, one: Beside) -> BesideResult:
    setup = simulated.setup
    found = published_number(one.published, "beside", setup.name, Findings())
    assert found is not None
    study, number = found
    day = one.day or setup.file.visits.horizon_day
    quantity = quantity_of(course_of(simulated, one.policy), one.quantity, day)
    published, size = _printed(number, study.n, quantity.kind)
    unit = {"level": "mg/L", "dose": "mg/day", "share": "1"}[quantity.kind]
    values, rng = virtual_studies(quantity, size, setup.file.population.seed, f"beside {k}")
    del rng
    known = values[np.isfinite(values)]
    low, high = (
        (float(v) for v in np.quantile(known, [(1 - WITHIN) / 2, (1 + WITHIN) / 2]))
        if len(known)
        else (math.nan, math.nan)
    )
    whole = quantity.statistic(quantity.values[quantity.counts & quantity.group])
    return BesideResult(
        reference=one.published, label=number.label, citation=study.citation, verified=number.verified,
        quantity=one.quantity, policy=one.policy, day=day, unit=unit, published=published, n_study=size,
        value=whole, low=low, high=high, n=int(quantity.counts.sum()),
        reproduced=bool(low <= published <= high), note=one.note,
    )  # fmt: skip


def _printed(number: Number, n_study: int | None, kind: str) -> tuple[float, int]:
    """A published number in our unit, and the size of its study."""
    from troughline.units import convert

    size = int(number.n or n_study or 1)
    value = math.nan if number.value is None else float(number.value)
    if kind == "share":
        if number.quantity == "count":
            return value / size, size
        return (value / 100.0 if number.unit == "%" else value), size
    return float(convert(value, number.unit, "mg/L" if kind == "level" else "mg/day")), size


def virtual_studies(
    quantity: Quantity, size: int, seed: int, purpose: str
) -> tuple[Floats, np.random.Generator]:
    """The statistic in `STUDIES` studies of `size` patients drawn with replacement from those who count."""
    rng = generator_of(seed, "studies", purpose)
    who = np.flatnonzero(quantity.counts)
    values = np.full(STUDIES, np.nan)
    if len(who):
        for s in range(STUDIES):
            some = who[rng.integers(len(who), size=size)]
            values[s] = quantity.statistic(quantity.values[some[quantity.group[some]]])
    return values, rng
