"""A visit decided as `troughline dose` decides: typical values and limits uncertain, no idle change.

What `dose` answers is turned into a deed: the regimen that it names; where it tells several not apart and the
one in force is among them, that one; where it is not, the first that it names; where none reaches the target,
the nearest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.limits import position
from troughline.dosing.patient_schema import Options
from troughline.dosing.recommend import Rules, choose
from troughline.dosing.scores import Scores

if TYPE_CHECKING:
    from troughline.dosing.limits import Limits
    from troughline.dosing.policy.schema import Policy
    from troughline.dosing.policy.setup import Setup
    from troughline.dosing.policy.world import WorldModel
    from troughline.dosing.regimen import Regimen

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
_SAME_DOSE = 1e-9


def world_of_policy(setup: Setup, policy: Policy) -> WorldModel:
    """What a policy takes for true; with `criterion = "dose"` typical values that have intervals are
    uncertain.
    """
    world = setup.world(policy)
    if policy.kind != "model" or policy.criterion != "dose":
        return world
    from troughline.dosing.uncertain_model import with_uncertain_parameters

    return replace(world, model=with_uncertain_parameters(world.model))


def chosen_as_dose(
    values: Floats, limits: Limits, regimens: tuple[Regimen, ...], *, current: list[Regimen], cap_mg: Floats
) -> Ints:
    """The regimen of each patient by the rules and default options of `troughline dose`.

    `values` (n, n_regimens, n_points): the metric of each regimen at each point, mg/L; points with a NaN are
    left out. Regimens above `cap_mg` are not offered. The points are repeated to as many as `dose` draws, so
    that its allowance for the simulation's error is the same. Returns the place of the regimen that is taken
    (n,), −1 to stay.
    """
    options = Options()
    rules = Rules(reach=options.reach, least_lead=options.least_lead, indistinct=options.indistinct)
    n, _, points = values.shape
    times = -(-options.draws // points)
    at, printed = position(values, limits), position(values, limits.exact()).inside
    daily = np.array([r.daily_dose_mg for r in regimens])
    chosen = np.full(n, -1, dtype=np.int64)
    for row in range(n):
        offered = np.flatnonzero(daily <= cap_mg[row] + _SAME_DOSE)
        now = next((k for k, place in enumerate(offered) if regimens[place] == current[row]), None)
        if not len(offered):
            continue

        known = np.isfinite(values[row]).all(axis=0)

        def drawn(values: Floats, row: int = row, offered: Ints = offered, known: Flags = known) -> Floats:
            return np.tile(values[row, offered].T[known], (times, 1))

        scores = Scores(
            trough=drawn(values), auc_24h=drawn(values), below=drawn(at.below), inside=drawn(at.inside),
            above=drawn(at.above), inside_as_printed=drawn(printed), toxicity=None, benefit=None,
            utility=None, outside_curve={}, effective=float(options.draws),
        )  # fmt: skip
        choice = choose(scores, limits, daily[offered].tolist(), rules, current=now)
        taken = choice.best
        if choice.answer == "not distinguished" and now is not None and now in choice.among:
            taken = now
        chosen[row] = -1 if taken == now else offered[taken]
    return chosen
