"""Whether a study of levels would see the link between exposure and toxicity that is true here.

Those who had a severe toxicity have had their dose cut: their level, drawn afterwards, is no longer the one
that harmed them. The same test is made on the levels of the first visit, before anything was cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.policy.outcomes import toxic_until
from troughline.dosing.policy.published import sampled_at
from troughline.pk.posterior import generator_of

if TYPE_CHECKING:
    from troughline.dosing.policy.course import Course
    from troughline.dosing.policy.simulate import Simulated

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

STUDIES = 1000
DEFAULT_SIZE = 100
SIGNIFICANT = 0.05
_FEWEST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSeen:
    """What a comparison of levels with severe toxicity shows at one sample of one policy.

    `when`: `first visit` (levels before, toxicity until the horizon, in those without one yet) or `last
    visit` (levels after, toxicity until then). `median_toxic`, `median_other`: mg/L. `auc`: the probability
    that a patient with toxicity has the higher level (0.5: no link), with DeLong's interval. `found`,
    `reversed`: the shares of `STUDIES` virtual studies of `size` patients whose Mann–Whitney test has p <
    0.05, with the higher levels in those with toxicity, or the lower.
    """

    policy: str
    when: Literal["first visit", "last visit"]
    day: int
    n_toxic: int
    n_other: int
    median_toxic: float
    median_other: float
    auc: float
    auc_low: float
    auc_high: float
    size: int
    found: float
    reversed: float


def links_seen(simulated: Simulated, *, size: int) -> tuple[LinkSeen, ...]:
    """The link as seen at the first and the last visit under every policy; nothing without toxicity."""
    setup = simulated.setup
    if setup.file.toxicity is None:
        return ()
    made: list[LinkSeen] = []
    last = len(setup.file.visits.days) - 1
    for course in simulated.courses:
        first_day, last_day = setup.ends[0], setup.ends[last]
        counts, level = sampled_at(course, 0)
        free = counts & ~toxic_until(course, first_day)
        later = toxic_until(course, setup.file.visits.horizon_day)
        made += _seen(course, "first visit", first_day, free, level, later, size)
        if last > 0:
            counts, level = sampled_at(course, last)
            before = toxic_until(course, last_day)
            made += _seen(course, "last visit", last_day, counts, level, before, size)
    return tuple(made)


def _seen(
    course: Course, when: Literal["first visit", "last visit"], day: int, counts: Flags, level: Floats,
    toxic: Flags, size: int,
) -> list[LinkSeen]:  # fmt: skip
    from troughline.response.auc_interval import delong

    values, case = level[counts], toxic[counts]
    if case.sum() < _FEWEST or (~case).sum() < _FEWEST:
        return []
    area = delong(values, case)
    seed = course.setup.file.population.seed
    found, other_way = _virtual(values, case, size, generator_of(seed, course.policy.id, f"link {when}"))
    return [
        LinkSeen(
            policy=course.policy.id, when=when, day=day, n_toxic=int(case.sum()), n_other=int((~case).sum()),
            median_toxic=float(np.median(values[case])), median_other=float(np.median(values[~case])),
            auc=area.value, auc_low=area.low, auc_high=area.high, size=size, found=found, reversed=other_way,
        )
    ]  # fmt: skip


def _virtual(values: Floats, case: Flags, size: int, rng: np.random.Generator) -> tuple[float, float]:
    """The shares of virtual studies that find the link, and that find the opposite (normal approximation)."""
    from scipy.stats import rankdata

    up = down = 0
    for _ in range(STUDIES):
        some = rng.integers(len(values), size=size)
        is_case = case[some]
        a, b = int(is_case.sum()), int((~is_case).sum())
        if min(a, b) < 2:
            continue
        ranks = rankdata(values[some])
        u = float(ranks[is_case].sum()) - a * (a + 1) / 2
        sd = math.sqrt(a * b * (a + b + 1) / 12)
        z = (u - a * b / 2) / sd
        significant = math.erfc(abs(z) / math.sqrt(2)) < SIGNIFICANT
        up += significant and z > 0
        down += significant and z < 0
    return up / STUDIES, down / STUDIES
