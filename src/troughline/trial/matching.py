"""The growth and baseline hazard that `population.match_placebo` of a trial file asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from troughline.mechanism.matching import MatchError, Medians, matched_scale
from troughline.trial.cells import patients_of, the_runner
from troughline.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from troughline.mechanism.parameters import ParameterSet
    from troughline.mechanism.treatment import Protocol
    from troughline.trial.setup import Setup

MATCH_PATIENTS, MATCH_SEED = 2000, 4_000_037


def match_one(setup: Setup, chosen: ParameterSet) -> dict[str, float]:
    """The population's factors on typical values, with growth and hazard such that placebo has its medians.

    The patients are those within the population's bounds with the values tried. Visits are the trial's, and
    go on as far as the medians need. Raises `MatchError`.
    """
    from troughline.mechanism.heldout import placebo_medians
    from troughline.mechanism.predictions import scaled

    match = setup.file.population.match_placebo
    assert match is not None
    clearance = setup.file.population.clearance
    protocol = _long_enough(setup.protocol, match.ttp_day, DAYS_PER_MONTH * match.os_months)
    runner = the_runner(clearance)

    def medians(scale: Mapping[str, float]) -> Medians:
        values = scaled(runner, chosen, scale)
        try:
            patients = patients_of(
                setup.population, chosen, clearance=clearance, n=MATCH_PATIENTS,
                seed=setup.file.trial.seed + MATCH_SEED, values=values,
            )  # fmt: skip
            return placebo_medians(runner, patients, values, protocol)
        except ValueError as error:
            factors = ", ".join(f"{name} times {factor:.3g}" for name, factor in scale.items())
            raise MatchError(f"with {factors} no placebo arm can be run: {error}") from None

    return matched_scale(
        medians, ttp_day=match.ttp_day, os_months=match.os_months, given=setup.population.scale
    )


def _long_enough(protocol: Protocol, *days: float) -> Protocol:
    """The protocol, followed at least twice as long as a median, with visits that go on as the last did."""
    horizon = math.ceil(max(protocol.horizon_days, *(2.0 * day for day in days)))
    visits = list(protocol.visit_days)
    gap = visits[-1] - (visits[-2] if len(visits) > 1 else 0.0)
    while visits[-1] + gap <= horizon:
        visits.append(visits[-1] + gap)
    return replace(protocol, visit_days=tuple(visits), horizon_days=float(horizon))
