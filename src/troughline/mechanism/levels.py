"""Levels that were measured beside the trials: exposure, ERK under a MEK inhibitor, IL-2 at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.evidence.store import load_publication
from troughline.mechanism.heldout import without_limits
from troughline.mechanism.predictions import scaled
from troughline.mechanism.treatment import Arm, DoseLevel, Protocol, read_criteria, read_second_drugs

if TYPE_CHECKING:
    from troughline.mechanism.parameters import ParameterSet
    from troughline.mechanism.population import Patients
    from troughline.mechanism.runner import Runner

Floats = NDArray[np.float64]
TROUGH_DAY, AUC_DAY, FALL_DAYS, ERK_DAY = 28.0, 60.0, (15.0, 120.0), 28.0
INTERVAL_H = 12.0


def level_quantities(runner: Runner, patients: Patients, chosen: ParameterSet) -> dict[str, float]:
    """Medians over patients at the full dose, of whom none stops or dies, and the share with low IL-2.

    `exposure-trough` (mg/L) on day 28 and `exposure-auc` (mg·h/L over 12 h) on day 60 of 400 mg twice daily;
    `exposure-fall`, the area on day 120 over that on day 15; `trametinib-erk`, the change of the tumour's ERK
    after 28 days of trametinib alone, in %; `il-2-low`, in % the patients below the cut of Huy at the start.
    """
    treated = without_limits(patients.with_spread(runner.mechanism, chosen.sd))
    values = scaled(runner, chosen, {})
    full = Arm(name="full dose", levels=(DoseLevel(dose_mg=400.0, interval_h=INTERVAL_H),))
    c = runner.run(
        treated, full, _quiet(TROUGH_DAY + 1.0), values=values, sample_days=(0.0, TROUGH_DAY), threads=1
    )
    trough = c.sampled[:, 1, len(runner.output_names)]
    low = _cut_of_il_2()
    il_2 = c.sampled[:, 0, runner.output_names.index("IL2")]

    def area(day: float) -> Floats:
        ends = [day, day + 1.0]
        means = [runner.run(treated, full, _quiet(d), values=values, threads=1).mean_level for d in ends]
        return INTERVAL_H * (means[1] * ends[1] - means[0] * ends[0])

    early, late = (area(day) for day in FALL_DAYS)
    second = Arm(
        name="trametinib", levels=(DoseLevel(dose_mg=0.0, second=dict(read_second_drugs()["trametinib"])),)
    )
    blocked = runner.run(
        treated, second, _quiet(ERK_DAY + 1.0), values=values, sample_days=(ERK_DAY,), threads=1
    )
    erk = blocked.sampled[:, 0, runner.output_names.index("erk_activity")]
    return {
        "exposure-trough": float(np.median(trough)),
        "exposure-auc": float(np.median(area(AUC_DAY))),
        "exposure-fall": float(np.median(late / early)),
        "trametinib-erk": 100.0 * (float(np.median(erk)) - 1.0),
        "il-2-low": 100.0 * float(np.mean(il_2 < low)),
    }


def _cut_of_il_2() -> float:
    cut = next(m.cutoff for m in load_publication("huy-undated").biomarker if m.id == "il-2-cut")
    if cut is None:
        raise ValueError("huy-undated has no cut of IL-2")
    return cut


def _quiet(days: float) -> Protocol:
    """Nobody is imaged."""
    return Protocol(visit_days=(), horizon_days=days, criteria=read_criteria())
