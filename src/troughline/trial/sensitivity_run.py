"""One run of a sensitivity analysis: the predictions of two arms, and what could be measured in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.trial.assumed import with_factors
from troughline.trial.cells import MARKERS, the_runner

if TYPE_CHECKING:
    from troughline.mechanism.population import Patients
    from troughline.mechanism.runner import Courses
    from troughline.trial.setup import Setup

Floats = NDArray[np.float64]
MEASURED_DAY = 28.0
ACTIVITY = ("erk_activity", "akt_activity", "stat3_activity")
MEASURED = (
    *(f"{m}, ratio to the start on day {MEASURED_DAY:g}" for m in MARKERS),
    *(
        f"{a.removesuffix('_activity').upper()} activity in a biopsy on day {MEASURED_DAY:g}"
        for a in ACTIVITY
    ),
    "sum of diameters at the first visit, ratio to the start",
    "response rate (mRECIST)",
    "severe toxicity",
    "sum of diameters at the first visit, control",
)


def run_moved(
    setup: Setup, scale: Mapping[str, float], patients: Patients, factors: Mapping[str, float]
) -> Floats:
    """The logarithms of the predictions asked for, then what could be measured (`MEASURED`).

    `factors` move parameters of the best set. NaN: a hazard ratio where an arm has no event, a median that is
    not reached.
    """
    from troughline.mechanism.predictions import scaled

    asked = setup.file.sensitivity
    assert asked is not None
    runner = the_runner(setup.file.population.clearance)
    values = with_factors(runner.mechanism, scaled(runner, setup.sets[0], scale), factors)
    ids = [a.id for a in setup.file.arm]
    arm, control = (
        runner.run(
            patients, setup.arms[ids.index(name)], setup.protocol, values=values,
            sample_days=(0.0, MEASURED_DAY), threads=1,
        )
        for name in (asked.arm, asked.control)
    )  # fmt: skip
    predicted = [_prediction(name, arm, control) for name in asked.prediction]
    names = [c.name for c in runner.mechanism.covariates]
    start = patients.covariates[:, names.index("sum_of_diameters")]
    sampled = arm.sampled
    with np.errstate(invalid="ignore", divide="ignore"):
        measured = [
            _mean(np.log(sampled[:, 1, k] / sampled[:, 0, k]))
            for k in (runner.output_names.index(m) for m in MARKERS)
        ]
    measured += [_mean(sampled[:, 1, runner.output_names.index(a)]) for a in ACTIVITY]
    measured.append(_mean(np.log(arm.seen[:, 0] / start)))
    measured.append(np.count_nonzero((arm.viable_best == 1) | (arm.viable_best == 2)) / len(start))
    measured.append(np.count_nonzero(np.isfinite(arm.severe_day)) / len(start))
    measured.append(_mean(np.log(control.seen[:, 0] / start)))
    return np.array([*predicted, *measured])


def _prediction(name: str, arm: Courses, control: Courses) -> float:
    from troughline.mechanism.endpoints import (
        log_hazard_ratio,
        median_between_visits,
        median_day,
        progression_times,
        survival_times,
    )

    times = survival_times if name.startswith("os_") else progression_times
    treated = times(arm)
    if name.endswith("_hr"):
        try:
            return log_hazard_ratio(treated, times(control))[0]
        except ValueError:
            return math.nan
    day = median_day(treated)
    if name == "ttp_between" and math.isfinite(day):
        day = median_between_visits(treated)
    return math.log(day) if day > 0.0 else math.nan


def _mean(values: Floats) -> float:
    """The mean of the finite values; NaN where there are none."""
    known = values[np.isfinite(values)]
    return float(np.mean(known, dtype=np.float64)) if len(known) else math.nan
