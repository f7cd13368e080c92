"""What the mechanism says of other doses than the one it was fitted to: the same patients, doses scaled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from troughline.mechanism.endpoints import log_hazard_ratio, progression_times, share, survival_times
from troughline.mechanism.parameters import ParameterSet
from troughline.mechanism.population import read_populations
from troughline.mechanism.predictions import (
    HORIZON_MONTHS,
    STEP_DAYS,
    placebo_arm,
    scaled,
)
from troughline.mechanism.runner import Runner
from troughline.mechanism.treatment import six_weekly
from troughline.trial.cells import patients_of
from troughline.trial.combinations import SORAFENIB, treatment

FACTORS = (0.125, 0.25, 0.5, 1.0, 2.0)
HEAD = (
    "of the label's dose", "start, mg twice daily", "hazard ratio of death", "Kd", "IC50",
    "hazard ratio of progression", "grade 3 or more, %",
)  # fmt: skip


def dose_rows(runner: Runner, chosen: Sequence[ParameterSet], *, n: int, seed: int) -> list[list[str]]:
    """Rows of the table: against placebo in the same patients, the best set and the range over the sets."""
    protocol = six_weekly(HORIZON_MONTHS, step_days=STEP_DAYS)
    found: dict[float, list[tuple[float, float, float]]] = {factor: [] for factor in FACTORS}
    for one in chosen:
        values = scaled(runner, one, {})
        patients = patients_of(
            read_populations()["sharp"], one, clearance=1.0, n=n, seed=seed, values=values
        ).with_spread(runner.mechanism, one.sd)
        control = runner.run(patients, placebo_arm(), protocol, values=values, threads=1)
        for factor in FACTORS:
            arm = treatment(((SORAFENIB, factor),), {})
            courses = runner.run(patients, arm, protocol, values=values, threads=1)
            found[factor].append(
                (
                    float(np.exp(log_hazard_ratio(survival_times(courses), survival_times(control))[0])),
                    float(
                        np.exp(log_hazard_ratio(progression_times(courses), progression_times(control))[0])
                    ),
                    100.0 * share(np.isfinite(courses.severe_day)),
                )
            )
    return [_row(factor, found[factor], [s.reading for s in chosen]) for factor in FACTORS]


def _row(factor: float, values: Sequence[tuple[float, float, float]], readings: Sequence[str]) -> list[str]:
    death, progression, toxic = (np.array(column) for column in zip(*values, strict=True))
    kinds = np.array(readings)

    def span(some: np.ndarray, digits: int) -> str:
        return f"{some.min():.{digits}f} to {some.max():.{digits}f}"

    return [
        f"{factor:g}" + (" (SHARP)" if factor == 1.0 else ""), f"{400 * factor:g}",
        f"{death[0]:.2f} (best set)", span(death[kinds == "Kd"], 2), span(death[kinds == "IC50"], 2),
        span(progression, 2), span(toxic, 0),
    ]  # fmt: skip
