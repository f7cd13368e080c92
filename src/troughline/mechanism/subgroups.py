"""What the mechanism says of kinds of patients: liver, cause of the disease, spread.

The same virtual patients are given one covariate and run again, so that a group differs by that alone. A
trial's or a registry's group differs by more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.endpoints import log_hazard_ratio, median_between_visits, survival_times
from troughline.mechanism.predictions import HORIZON_MONTHS, STEP_DAYS, placebo_arm, scaled, sorafenib_arm
from troughline.mechanism.treatment import six_weekly
from troughline.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from troughline.mechanism.parameters import ParameterSet
    from troughline.mechanism.population import Patients
    from troughline.mechanism.runner import Runner
    from troughline.model.spec import ModelSpec

Floats = NDArray[np.float64]
CLASSES = {"a": "A", "b": "B"}
HORIZON = 30.0  # months: long enough for GIDEON's median of Child-Pugh A


def given(runner: Runner, patients: Patients, name: str, value: float | str) -> Patients:
    """The same patients with one covariate of both models set: a level's name, or a number.

    Raises `ValueError` for a covariate that the mechanism does not have, or a level that it does not.
    """
    if name not in [c.name for c in runner.mechanism.covariates]:
        raise ValueError(f"the mechanism has no covariate {name!r}")
    return replace(
        patients,
        covariates=_set(runner.mechanism, patients.covariates, name, value),
        pk_covariates=_set(runner.kinetics, patients.pk_covariates, name, value),
    )


def _set(spec: ModelSpec, table: Floats, name: str, value: float | str) -> Floats:
    made = table.copy()
    for i, c in enumerate(spec.covariates):
        if c.name != name:
            continue
        if isinstance(value, str):
            if c.levels is None or value not in c.levels:
                raise ValueError(f"{name} has no level {value!r}")
            made[:, i] = c.levels.index(value)
        else:
            made[:, i] = value
    return made


def subgroup_quantities(runner: Runner, patients: Patients, chosen: ParameterSet) -> dict[str, float]:
    """Median survival by Child-Pugh class on sorafenib, and hazard ratios of death by HCV and by spread."""
    treated = patients.with_spread(runner.mechanism, chosen.sd)
    values = scaled(runner, chosen, {})
    found: dict[str, float] = {}
    for key, level in CLASSES.items():
        some = given(runner, treated, "child_pugh_class", level)
        protocol = six_weekly(HORIZON, step_days=STEP_DAYS)
        c = runner.run(some, sorafenib_arm(), protocol, values=values, threads=1)
        found[f"gideon-os-{key}"] = median_between_visits(survival_times(c)) / DAYS_PER_MONTH
    place = [c.name for c in runner.mechanism.covariates].index("etiology")
    levels = runner.mechanism.covariates[place].levels or ()
    without = treated.covariates.copy()
    without[without[:, place] == levels.index("HCV"), place] = levels.index("other")
    groups = {
        "bruix-hr-hcv": given(runner, treated, "etiology", "HCV"),
        "bruix-hr-no-hcv": replace(treated, covariates=without),
        "bruix-hr-no-spread": given(runner, treated, "spread", 0.0),
        "bruix-hr-spread": given(runner, treated, "spread", 1.0),
    }
    protocol = six_weekly(HORIZON_MONTHS, step_days=STEP_DAYS)
    for key, some in groups.items():
        arms = [
            survival_times(runner.run(some, arm, protocol, values=values, threads=1))
            for arm in (sorafenib_arm(), placebo_arm())
        ]
        found[key] = float(np.exp(log_hazard_ratio(*arms)[0]))
    return found
