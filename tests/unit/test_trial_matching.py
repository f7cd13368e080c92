"""A placebo arm matched to published medians: met where the factors say, given factors kept, refused else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.unit.test_trial_run import made
from troughline.issues import InputError
from troughline.mechanism.endpoints import median_between_visits, survival_times
from troughline.mechanism.population import individual_values
from troughline.mechanism.predictions import placebo_arm, scaled
from troughline.mechanism.treatment import six_weekly
from troughline.trial import matching
from troughline.trial.cells import patients_of, the_runner
from troughline.trial.matching import match_one
from troughline.trial.run import run_trial
from troughline.trial.setup import Setup

ASIA = {"ttp_day": 36.0, "os_months": 4.2, "source": "asia-pacific-2009"}
LONG = {"title": "t", "replicates": 1, "horizon_months": 19}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer patients than a trial takes."""
    monkeypatch.setattr(matching, "MATCH_PATIENTS", 600)


def matched(**population: Any) -> tuple[Setup, dict[str, float]]:
    """A setup that asks for Asia-Pacific's placebo, and its factors."""
    setup = made(trial=LONG, population={"match_placebo": ASIA, **population})
    return setup, match_one(setup, setup.sets[0])


def survival(setup: Setup, scale: dict[str, float]) -> float:
    """Median survival on placebo in months with the factors, in the patients that matching uses."""
    runner, chosen = the_runner(), setup.sets[0]
    values = scaled(runner, chosen, scale)
    some = patients_of(
        setup.population, chosen, clearance=1.0, n=600, seed=setup.file.trial.seed + matching.MATCH_SEED,
        values=values,
    )  # fmt: skip
    courses = runner.run(some, placebo_arm(), six_weekly(30), values=values, threads=1)
    return median_between_visits(survival_times(courses)) / 30.4375


def test_the_medians_are_met() -> None:
    """Survival of the matched arm, computed again: 4.2 months within a hundredth."""
    setup, scale = matched()
    assert survival(setup, scale) == pytest.approx(4.2, rel=0.011)


def test_a_given_factor_is_applied_once() -> None:
    """A population already scaled ends at the same growth and hazard as one that was not."""
    alone = matched()[1]
    setup, given = matched(scale={"doubling": 0.5, "death_0": 2.0})
    # Computed with other visits, whose steps move one of the 600 deaths (0.4 % of the median) or two.
    assert survival(setup, given) == pytest.approx(4.2, rel=0.02)
    for name in ("doubling", "death_0"):
        assert given[name] == pytest.approx(alone[name], rel=0.08)


def test_another_given_factor_holds_while_matching() -> None:
    """More deaths by size leave less for the baseline hazard to do; the factor itself stays."""
    alone = matched()[1]
    other = matched(scale={"death_size": 2.0})[1]
    assert other["death_size"] == 2.0
    assert other["death_0"] < 0.97 * alone["death_0"]


@pytest.mark.parametrize(("ttp_day", "os_months"), [(3.0, 0.2), (30.0, 90.0)])
def test_what_cannot_be_met_is_refused(ttp_day: float, os_months: float) -> None:
    """Medians no growth and hazard give: one line with the key, no trial."""
    wanted = {"ttp_day": ttp_day, "os_months": os_months, "source": "nobody"}
    setup = made(trial=LONG, population={"match_placebo": wanted})
    with pytest.raises(InputError, match=r"population\.match_placebo") as caught:
        run_trial(setup)
    assert caught.value.configuration


def test_bounds_hold_after_scaling() -> None:
    """Growth scaled to a third: nobody doubles in fewer days than the population's bounds allow."""
    setup = made(trial=LONG, population={"scale": {"doubling": 0.3}})
    chosen, runner = setup.sets[0], the_runner()
    values = scaled(runner, chosen, setup.population.scale)
    some = patients_of(setup.population, chosen, clearance=1.0, n=500, seed=1, values=values)
    days = individual_values(runner.mechanism, ["doubling_time"], some, values)["doubling_time"] / 24.0
    assert days.min() >= 11.0
    assert np.median(days) < 70.0
    unscaled = patients_of(setup.population, chosen, clearance=1.0, n=500, seed=1)
    before = individual_values(runner.mechanism, ["doubling_time"], unscaled, values)["doubling_time"] / 24.0
    assert before.min() < 11.0


def test_a_tumour_too_fast_for_a_step_does_not_end_the_trial() -> None:
    """Doubling in hours and no bounds: everybody's course is finite; who would fill a room is dead."""
    setup = made(
        trial=LONG, population={"scale": {"doubling": 0.02, "death_size": 0.01},
                                "accept": {"doubling_time": [1e-3, 1e6]}},
    )  # fmt: skip
    outcome = run_trial(setup, workers=1)
    deaths = {e["name"]: e for e in outcome.contents["arms"][0]["estimates"] if not e["label"]}["deaths"]
    assert deaths["value"] == 100.0
    assert math.isfinite(deaths["value"])
