"""Are a dose's probabilities right? Simulated patients whose truth at the horizon is known.

Among regimens that were given P(in) = p the truth should be inside p of the time, between-occasion
variability
at the horizon included. `python -m benchmarks.dose_calibration --patients 2000`; `--whole` uses the draws of
`dose` (importance sampling) instead of the first-order posterior of `dose_many`, on fewer patients.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.dose_patients import HORIZON_DAYS, NOW_DAY, Simulated, simulate_patients, true_troughs
from troughline.dosing.belief import Working, believe
from troughline.dosing.candidates import drug_regimens
from troughline.dosing.limits import Limits, position
from troughline.dosing.many import dose_many
from troughline.dosing.regimen import Regimen
from troughline.dosing.steady import SteadyPatterns

Floats = NDArray[np.float64]
LIMITS = Limits(metric="trough", low=1.40, high=3.45)
EDGES = (0.0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 1.0)


def probabilities_whole(simulated: Simulated, regimens: tuple[Regimen, ...], *, draws: int) -> Floats:
    """P(in) (n, k) from the posterior that `dose` draws, at steady state at the horizon."""
    working = Working(chosen=simulated.chosen, model=simulated.model)
    patterns = SteadyPatterns(simulated.model, regimens, areas=False)
    n_subject = simulated.model.compiled.n_subject
    made = np.empty((len(simulated.patients), len(regimens)))
    for i, patient in enumerate(simulated.patients):
        belief = believe(patient, [working], draws=draws, seed=1)
        own = belief.shares[0].draws
        new = own[:, -simulated.model.compiled.n_occasion :]
        trough, _ = patterns.exposure(
            np.hstack([own[:, :n_subject], new]), simulated.covariates, simulated.model.spec.theta,
            24.0 * (NOW_DAY + HORIZON_DAYS),
        )  # fmt: skip
        made[i] = position(trough, LIMITS).inside.mean(axis=0)
    return made


def reliability(p: Floats, inside: Floats) -> list[tuple[float, float, float, int]]:
    """Of each bin of stated probabilities its mean, the share that was true, the SE of that, and how many.

    Patients count several times, once for each regimen: the SE is for patients.
    """
    rows: list[tuple[float, float, float, int]] = []
    for low, high in pairwise(EDGES):
        some = (p >= low) & ((p < high) | (high == EDGES[-1]))
        if some.sum() < 20:
            continue
        patients = max(int(some.any(axis=1).sum()), 1)
        share = float(inside[some].mean())
        rows.append(
            (float(p[some].mean()), share, float(np.sqrt(share * (1 - share) / patients)), int(some.sum()))
        )
    return rows


def main() -> None:
    """Print the reliability table and the largest departure of a bin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=1024)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--seed", type=int, default=3)
    given = parser.parse_args()
    regimens = drug_regimens("sorafenib")
    simulated = simulate_patients(given.patients, seed=given.seed)
    start = time.perf_counter()
    if given.whole:
        p = probabilities_whole(simulated, regimens, draws=given.draws)
    else:
        p = dose_many(simulated.model, simulated.patients, regimens, LIMITS, draws=given.draws).p_in
    seconds = time.perf_counter() - start
    trough = true_troughs(simulated, regimens, seed=given.seed + 1)
    inside = position(trough, LIMITS).inside
    known = np.isfinite(p).all(axis=1)
    p, inside = p[known], inside[known]
    print(
        f"{known.sum()} patients, {len(regimens)} regimens, {seconds:.1f} s "
        f"({'whole' if given.whole else 'many'})"
    )
    print("stated  true    SE     n")
    rows = reliability(p, inside)
    for stated, share, error, n in rows:
        print(f"{stated:6.3f}  {share:6.3f} {error:6.3f} {n:6d}")
    largest = max(abs(stated - share) for stated, share, _, _ in rows)
    overall = float((p - inside).mean())
    chosen = p.argmax(axis=1)
    each = np.arange(len(p))
    print(f"largest departure {100 * largest:.1f} points; overall {100 * overall:+.2f} points")
    print(f"chosen regimens: stated {p[each, chosen].mean():.3f}, true {inside[each, chosen].mean():.3f}")
    fixed = {r.id: inside[:, k].mean() for k, r in enumerate(regimens)}
    best = max(fixed, key=lambda k: fixed[k])
    print(
        f"best fixed regimen {best}: {fixed[best]:.3f}; ratio {inside[each, chosen].mean() / fixed[best]:.2f}"
    )


if __name__ == "__main__":
    main()
