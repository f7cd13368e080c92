"""What a calibrated set predicts for every target, and the table of targets with their misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from troughline.mechanism.cytokines import cytokine_powers
from troughline.mechanism.heldout import add_second_drug, asia_quantities, surrogacy, trough_bands
from troughline.mechanism.levels import level_quantities
from troughline.mechanism.parameters import ParameterSet
from troughline.mechanism.population import Patients, draw_patients, read_populations
from troughline.mechanism.predictions import doubling, scaled, sharp_quantities, two_arms
from troughline.mechanism.runner import Runner
from troughline.mechanism.subgroups import subgroup_quantities
from troughline.mechanism.targets import Target
from troughline.mechanism.treatment import read_second_drugs

SIZES = {200: 10, 400: 37, 800: 10}
FIRST_VISIT_SHARE = 0.85
VISIT_DAYS = 42.0


def short(value: float) -> str:
    """Three digits, and never a power of ten."""
    return f"{value:.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"


def held_out(
    runner: Runner, chosen: ParameterSet, targets: Sequence[Target], *, seed: int, n: int = 2000
) -> dict[str, float]:
    """Every quantity that a target asks for, in virtual patients that no fit has seen."""
    by_id = {t.id: t for t in targets}
    populations = read_populations()

    def patients(name: str, values: Mapping[str, float]) -> Patients:
        return draw_patients(
            runner.mechanism, runner.kinetics, populations[name], n=n, seed=seed, sd=chosen.sd, values=values
        )

    west = patients("sharp", scaled(runner, chosen, {}))
    both = two_arms(runner, west, chosen)
    found = {**sharp_quantities(runner, both, chosen), **doubling(runner, west, chosen)}
    found |= asia_quantities(
        runner, partial(patients, "asia-pacific"), chosen, ttp_day=FIRST_VISIT_SHARE * VISIT_DAYS,
        os_months=by_id["asia-os-placebo"].value,
    )  # fmt: skip
    ratio = _duration_ratio()
    # The trial's time on treatment sets the toxicity here, set by set; the data file holds the median.
    erlotinib = {k: v for k, v in read_second_drugs()["erlotinib"].items() if k != "toxicity"}
    added = add_second_drug(runner, west, chosen, erlotinib, duration_ratio=ratio)
    found["search-ttp-hr"] = float(np.exp(added.log_hr_ttp))
    found["search-os-hr"] = float(np.exp(added.log_hr_os))
    found["search-duration-sorafenib"] = added.duration_alone
    found["search-toxicity"] = added.toxicity
    free = add_second_drug(runner, west, chosen, erlotinib)
    found["search-ttp-hr-tolerable"] = float(np.exp(free.log_hr_ttp))
    found["search-os-hr-tolerable"] = float(np.exp(free.log_hr_os))
    found["surrogacy-slope"] = surrogacy(runner, west, chosen)[0]
    for toxic, suffix in ((True, ""), (False, "-without-toxicity")):
        bands = trough_bands(runner, west, chosen, low=1.40, high=3.45, n_study=26, toxic=toxic)
        for name, months in zip(("below", "inside", "above"), bands.months, strict=True):
            found[f"noda-os-{name}{suffix}"] = months
        found[f"noda-middle-best{suffix}"] = 100.0 * bands.middle_best
    found |= subgroup_quantities(runner, west, chosen)
    found |= level_quantities(runner, west, chosen)
    found |= cytokine_powers(runner, west, chosen, SIZES, seed=5, draws=1000)
    return found


def _duration_ratio() -> float:
    from troughline.evidence.store import load_publication

    study = load_publication("search-2015")
    added, alone = (study.sourced(f"duration-{arm}").value for arm in ("erlotinib", "sorafenib"))
    if added is None or alone is None:
        raise ValueError("search-2015 has no durations of treatment")
    return added / alone


def target_rows(
    targets: Sequence[Target],
    chosen: Sequence[ParameterSet],
    predicted: Mapping[str, Mapping[str, float]],
) -> list[list[str]]:
    """The rows of the fit report: target, use, published, best set, range over all sets, inside or a miss."""
    rows: list[list[str]] = []
    for t in targets:
        values = [predicted[s.id][t.quantity] for s in chosen]
        best = values[0]
        inside = sum(t.met(v) for v in values)
        verdict = "inside" if t.met(best) else "**miss**"
        if t.use == "shown":
            verdict = f"({verdict.strip('*')})"
        rows.append(
            [
                f"`{t.id}`",
                t.use,
                t.printed or (f"{t.value:.3g} {t.unit}" if t.unit != "1" else f"{t.value:.3g}"),
                f"{t.low:g} to {t.high:g}",
                short(best),
                f"{short(min(values))} to {short(max(values))}",
                verdict,
                f"{inside} of {len(values)}",
                t.source + ("" if t.verified else " (not verified)"),
            ]
        )
    return rows
