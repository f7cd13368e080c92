"""Growth and baseline hazard scaled until a placebo arm has the medians of a publication."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.trial.cells import patients_of, the_runner
from troughline.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from troughline.mechanism.parameters import ParameterSet
    from troughline.mechanism.treatment import Protocol
    from troughline.trial.setup import Setup

Floats = NDArray[np.float64]
SCALED = ("doubling", "death_0")
MATCH_PATIENTS, MATCH_SEED = 2000, 4_000_037
CLOSE = 0.01
"""A median within this share of the one asked for is met."""
MOST_ROUNDS = 25
WIDEST = 20.0
"""The largest and, inverted, the smallest factor that is tried."""


class MatchError(ValueError):
    """No factors give the placebo arm the medians asked for; the message says how near they came."""


def match_one(setup: Setup, chosen: ParameterSet) -> dict[str, float]:
    """The population's factors on typical values, with growth and hazard such that placebo has its medians.

    The two factors are found by Broyden's method on logarithms (doi 10.1090/S0025-5718-1965-0198670-6), in
    the same draws at every step, the patients being those within the population's bounds with the values
    tried. `ttp_day` is where the curve of progression passes one half between visits; visits are the
    trial's, and go on as far as the medians need. Raises `MatchError`.
    """
    match = setup.file.population.match_placebo
    assert match is not None
    wanted = np.log([match.ttp_day, match.os_months])
    protocol = _long_enough(setup.protocol, match.ttp_day, DAYS_PER_MONTH * match.os_months)
    given = setup.population.scale
    x = np.zeros(2)
    inverse = np.diag([1.0, -1.0])  # of the derivative of log medians by log factors, to begin with
    miss, shown = _miss(setup, chosen, protocol, _scale(given, x), wanted)
    for _ in range(MOST_ROUNDS):
        if np.all(np.abs(miss) < math.log1p(CLOSE)):
            return _scale(given, x)
        step = np.clip(-inverse @ miss, -0.7, 0.7)
        if np.any(np.abs(x + step) > math.log(WIDEST)):
            raise MatchError(_words(match.ttp_day, match.os_months, shown, f"factors up to {WIDEST:g}"))
        after, shown = _miss(setup, chosen, protocol, _scale(given, x + step), wanted)
        change = inverse @ (after - miss)
        along = float(step @ change)
        if abs(along) > 1e-9:
            inverse = inverse + np.outer(step - change, step @ inverse) / along
        x, miss = x + step, after
    raise MatchError(_words(match.ttp_day, match.os_months, shown, f"{MOST_ROUNDS} rounds"))


def _words(ttp_day: float, os_months: float, shown: tuple[float, float], within: str) -> str:
    return (
        f"no growth and hazard within {within} give placebo its progression on day {ttp_day:g} and "
        f"{os_months:g} months of survival: the last gave day {shown[0]:.0f} and {shown[1]:.1f} months"
    )


def _scale(given: Mapping[str, float], x: Floats) -> dict[str, float]:
    found = {name: given.get(name, 1.0) * math.exp(float(v)) for name, v in zip(SCALED, x, strict=True)}
    return {**given, **found}


def _miss(
    setup: Setup, chosen: ParameterSet, protocol: Protocol, scale: Mapping[str, float], wanted: Floats
) -> tuple[Floats, tuple[float, float]]:
    """Log of the medians over those asked for (2,), and the medians: day, months."""
    from troughline.mechanism.endpoints import median_between_visits, progression_times, survival_times
    from troughline.mechanism.predictions import placebo_arm, scaled

    runner = the_runner(setup.file.population.clearance)
    values = scaled(runner, chosen, scale)
    try:
        patients = patients_of(
            setup.population, chosen, clearance=setup.file.population.clearance, n=MATCH_PATIENTS,
            seed=setup.file.trial.seed + MATCH_SEED, values=values,
        )  # fmt: skip
        courses = runner.run(patients, placebo_arm(), protocol, values=values, threads=1)
    except ValueError as error:
        factors = ", ".join(f"{name} times {scale[name]:.3g}" for name in SCALED)
        raise MatchError(f"with {factors} no placebo arm can be run: {error}") from None
    ttp = median_between_visits(progression_times(courses))
    os = median_between_visits(survival_times(courses)) / DAYS_PER_MONTH
    return np.log([ttp, os]) - wanted, (ttp, os)


def _long_enough(protocol: Protocol, *days: float) -> Protocol:
    """The protocol, followed at least twice as long as a median, with visits that go on as the last did."""
    horizon = math.ceil(max(protocol.horizon_days, *(2.0 * day for day in days)))
    visits = list(protocol.visit_days)
    gap = visits[-1] - (visits[-2] if len(visits) > 1 else 0.0)
    while visits[-1] + gap <= horizon:
        visits.append(visits[-1] + gap)
    return replace(protocol, visit_days=tuple(visits), horizon_days=float(horizon))
