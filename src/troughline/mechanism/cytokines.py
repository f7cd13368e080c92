"""The power of a before-and-after study of cytokines: what groups of the published sizes would have shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.heldout import without_limits
from troughline.mechanism.predictions import STEP_DAYS, scaled
from troughline.mechanism.treatment import Arm, DoseLevel, six_weekly

if TYPE_CHECKING:
    from troughline.mechanism.parameters import ParameterSet
    from troughline.mechanism.population import Patients
    from troughline.mechanism.runner import Runner

Floats = NDArray[np.float64]
GROUPS: Mapping[int, tuple[float, float]] = {200: (200.0, 24.0), 400: (400.0, 24.0), 800: (400.0, 12.0)}
"""By daily dose (mg): a dose (mg) and its interval (h)."""
MARKERS = {"tnf": ("sTNF_alpha", 1.0), "tnfr": ("sTNF_R", 1.0), "fas": ("sFas", -1.0)}
"""By name: the output, and the direction that was published (+1 rise, −1 fall)."""
ALPHA = 0.05
WEEK_4 = 28.0


def cytokine_powers(
    runner: Runner,
    patients: Patients,
    chosen: ParameterSet,
    sizes: Mapping[int, int],
    *,
    seed: int,
    draws: int = 300,
    markers: Sequence[str] = tuple(MARKERS),
) -> dict[str, float]:
    """In % of studies, how often Wilcoxon's paired test finds the published direction after 4 weeks.

    `sizes`: patients by daily dose. Keys: `tnf-power-400` and so on. Each level carries its assay's error.
    """
    from scipy.stats import wilcoxon

    protocol = six_weekly(2.0, step_days=STEP_DAYS)
    treated = without_limits(patients.with_spread(runner.mechanism, chosen.sd))
    values = scaled(runner, chosen, {})
    rng = np.random.default_rng([seed, 4])
    errors = {o.name: _error(runner, o.name) for o in runner.mechanism.outputs}
    found: dict[str, float] = {}
    for dose, n in sizes.items():
        amount, every = GROUPS[dose]
        arm = Arm(name=str(dose), levels=(DoseLevel(dose_mg=amount, interval_h=every),))
        c = runner.run(treated, arm, protocol, values=values, sample_days=(0.0, WEEK_4), threads=1)
        for marker in markers:
            output, sign = MARKERS[marker]
            place = runner.output_names.index(output)
            change = np.log(c.sampled[:, 1, place] / c.sampled[:, 0, place])
            hits = 0
            for _ in range(draws):
                noise = errors[output] * np.sqrt(2.0) * rng.standard_normal(n)
                d = change[rng.integers(0, len(change), n)] + noise
                hits += bool(sign * np.median(d) > 0 and wilcoxon(d).pvalue < ALPHA)
            found[f"{marker}-power-{dose}"] = 100.0 * hits / draws
    return found


def _error(runner: Runner, output: str) -> float:
    """The assay's SD on the log scale, as the mechanism's file gives it: a plain number."""
    error = next(o.error for o in runner.mechanism.outputs if o.name == output)
    return 0.0 if error.proportional is None else float(error.proportional.text)
