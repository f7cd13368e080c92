"""How far the predictions of Asia-Pacific hang on what is assumed beside its two scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from troughline.mechanism.heldout import asia_quantities
from troughline.mechanism.parameters import ParameterSet
from troughline.mechanism.population import Drawn, Patients, Population, read_populations
from troughline.mechanism.runner import Runner
from troughline.trial.cells import patients_of

SHIPPED_DAY = 35.7
DAYS = (31.0, 33.0, SHIPPED_DAY, 39.0, 41.0)
MORE_HBV = (0.75, 0.08, 0.17)  # HBV, HCV, other: recalled, the abstract prints none
SHOWN = (
    "asia-scale-doubling", "asia-scale-death_0", "asia-ttp-hr", "asia-os-sorafenib", "asia-os-hr",
    "asia-sd-sorafenib", "asia-sd-placebo",
)  # fmt: skip
HEAD = (
    "the placebo arm's curve of progression passes one half on day", "who", "doubling time over SHARP's",
    "baseline hazard over SHARP's", "HR of progression", "survival on sorafenib, months", "HR of death",
    "stable on sorafenib, %", "stable on placebo, %",
)  # fmt: skip


def asia_rows(
    runner: Runner, chosen: ParameterSet, *, os_months: float, n: int, seed: int
) -> list[list[str]]:
    """Rows of the table: other days before the first image, and another share of hepatitis B."""
    base = read_populations()["asia-pacific"]
    hbv = Drawn(kind="levels", shares=MORE_HBV)
    more = replace(base, covariates={**base.covariates, "etiology": hbv})
    rows: list[list[str]] = []
    for population, who, days in (
        (base, "as shipped", DAYS),
        (more, "75 % with hepatitis B (recalled)", (SHIPPED_DAY,)),
    ):

        def draw(values: Mapping[str, float], who: Population = population) -> Patients:
            return patients_of(who, chosen, clearance=1.0, n=n, seed=seed, values=values)

        for day in days:
            found = asia_quantities(runner, draw, chosen, ttp_day=day, os_months=os_months)
            label = f"{day:g}" + (" (shipped)" if day == SHIPPED_DAY and population is base else "")
            rows.append([label, who, *(f"{found[name]:.3g}" for name in SHOWN)])
    return rows
