"""What the stored calibration says of SHARP, in virtual patients that no fit has seen."""

from __future__ import annotations

from tests.unit.mechanism_sample import runner
from troughline.mechanism.parameters import read_sets
from troughline.mechanism.population import draw_patients, read_populations
from troughline.mechanism.predictions import scaled, sharp_quantities, two_arms
from troughline.mechanism.targets import read_targets

FIRM = (
    "sharp-ttp-placebo", "sharp-ttp-sorafenib", "sharp-os-placebo", "sharp-os-sorafenib", "sharp-ttp-hr",
    "sharp-os-hr", "sharp-pr-sorafenib", "sharp-growth",
)  # fmt: skip


def test_the_best_set_shows_sharp() -> None:
    """Medians, hazard ratios, responses and growth of SHARP (Llovet 2008) within their tolerances."""
    r, chosen = runner(), read_sets(reading="Kd")[0]
    some = draw_patients(
        r.mechanism, r.kinetics, read_populations()["sharp"], n=2000, seed=20_260_202, sd=chosen.sd,
        values=scaled(r, chosen, {}),
    )  # fmt: skip
    found = sharp_quantities(r, two_arms(r, some, chosen), chosen)
    targets = {t.id: t for t in read_targets()}
    for name in FIRM:
        assert targets[name].met(found[targets[name].quantity]), (name, found[targets[name].quantity])
