"""What the stored calibration says of SHARP, in virtual patients that no fit has seen."""

from __future__ import annotations

from tests.unit.mechanism_sample import runner
from troughline.mechanism.levels import level_quantities
from troughline.mechanism.parameters import read_sets
from troughline.mechanism.population import draw_patients, read_populations
from troughline.mechanism.predictions import doubling, scaled, sharp_quantities, two_arms
from troughline.mechanism.subgroups import subgroup_quantities
from troughline.mechanism.targets import read_targets

FIRM = (
    "sharp-ttp-placebo", "sharp-ttp-sorafenib", "sharp-os-placebo", "sharp-os-sorafenib", "sharp-ttp-hr",
    "sharp-os-hr", "sharp-pr-sorafenib", "sharp-sd-sorafenib", "sharp-sd-placebo", "sharp-growth",
)  # fmt: skip
KNOWN_MISSES = (
    "sharp-sum-doubling", "gideon-os-a", "gideon-os-b", "bruix-hr-hcv", "bruix-hr-no-spread",
    "exposure-trough", "exposure-auc",
)  # fmt: skip
NEAR = (
    "doubling-mean", "doubling-fast", "doubling-slow", "bruix-hr-no-hcv", "bruix-hr-spread", "exposure-fall",
    "trametinib-erk", "il-2-low",
)  # fmt: skip


def test_the_best_set_shows_sharp() -> None:
    """Medians, hazard ratios and responses of SHARP (Llovet 2008), and growth on sorafenib (Kolamunnage-Dona
    2021), within their tolerances.
    """
    r, chosen = runner(), read_sets(reading="Kd")[0]
    some = draw_patients(
        r.mechanism, r.kinetics, read_populations()["sharp"], n=2000, seed=20_260_202, sd=chosen.sd,
        values=scaled(r, chosen, {}),
    )  # fmt: skip
    found = sharp_quantities(r, two_arms(r, some, chosen), chosen)
    targets = {t.id: t for t in read_targets()}
    for name in FIRM:
        assert targets[name].met(found[targets[name].quantity]), (name, found[targets[name].quantity])


def test_the_known_misses_are_rows_of_the_report() -> None:
    """What the best set misses by its own definitions is a target, and is missed: not met by another formula.

    The doubling of the sum (Kolamunnage-Dona 2021), survival by Child-Pugh class (GIDEON) and the benefit
    with HCV (Bruix 2017), the trough (Noda 2020). Who mends one of them moves it to the list above.
    """
    r, chosen = runner(), read_sets(reading="Kd")[0]
    some = draw_patients(
        r.mechanism, r.kinetics, read_populations()["sharp"], n=2000, seed=20_260_202, sd=chosen.sd,
        values=scaled(r, chosen, {}),
    )  # fmt: skip
    found = {
        **sharp_quantities(r, two_arms(r, some, chosen), chosen),
        **doubling(r, some, chosen),
        **subgroup_quantities(r, some, chosen),
        **level_quantities(r, some, chosen),
    }
    targets = {t.id: t for t in read_targets()}
    missed = {name for name in (*KNOWN_MISSES, *NEAR) if not targets[name].met(found[name])}
    assert missed == set(KNOWN_MISSES), {name: found[name] for name in (*KNOWN_MISSES, *NEAR)}
