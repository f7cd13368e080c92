"""The size of each cytokine's change under full stress: a study of the published size would show it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from mechanism_fit import SEED

from troughline.mechanism.cytokines import cytokine_powers
from troughline.mechanism.parameters import ParameterSet
from troughline.mechanism.population import draw_patients, read_populations
from troughline.mechanism.runner import Runner

KEYS = {"TNF_drug": "tnf-power-400", "TNFR_drug": "tnfr-power-400", "sFas_drug": "fas-power-400"}
ENDS = {"TNF_drug": (0.02, 2.0), "TNFR_drug": (0.02, 2.0), "sFas_drug": (0.02, 0.95)}
WANTED_POWER = 90.0
GROUP = {400: 37}
STEPS, DRAWS = 9, 1600


def sized_cytokines(runner: Runner, chosen: ParameterSet, say: Callable[[str], None] = print) -> ParameterSet:
    """The set with its three sizes, in the fit's virtual patients; says where a search ends at a bound."""
    population = read_populations()["sharp"]
    patients = draw_patients(
        runner.mechanism, runner.kinetics, population, n=1500, seed=SEED, sd=chosen.sd, values=chosen.values
    )
    made = chosen
    for name, key in KEYS.items():

        def power(size: float, before: ParameterSet = made, name: str = name, key: str = key) -> float:
            trial = replace(before, values={**before.values, name: size})
            marker = key.split("-", 1)[0]
            return cytokine_powers(runner, patients, trial, GROUP, seed=3, draws=DRAWS, markers=(marker,))[
                key
            ]

        size, end = search(power, *ENDS[name], wanted=WANTED_POWER, steps=STEPS)
        if end:
            say(
                f"{chosen.id}: {name} is at the {end} end of its search, {size:g}: the published direction "
                "does not determine it"
            )
        made = replace(made, values={**made.values, name: size})
    return made


def search(
    rising: Callable[[float], float], low: float, high: float, *, wanted: float, steps: int
) -> tuple[float, str]:
    """Where a rising function is `wanted`, by bisection of the logarithm; and `lower` or `upper` at an end.

    At an end nothing was found: the function is `wanted` or more at the lower, or not yet at the upper.
    """
    if rising(low) >= wanted:
        return low, "lower"
    if rising(high) < wanted:
        return high, "upper"
    a, b = math.log(low), math.log(high)
    for _ in range(steps):
        middle = 0.5 * (a + b)
        a, b = (middle, b) if rising(math.exp(middle)) < wanted else (a, middle)
    return math.exp(0.5 * (a + b)), ""
