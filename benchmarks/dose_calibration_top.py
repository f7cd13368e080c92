"""Are the highest probabilities right? Patients with some regimen near certain, judged with many draws.

The few draws of a quick look choose patients, and fresh ones state the probability: a bin of probabilities
that noise has put there would seem too sure. `python -m benchmarks.dose_calibration_top --patients 3000`
simulates that many, keeps those in whom some regimen has P(in) of at least 0.8 by 64 draws, and holds P(in)
by 1,024 draws against the truth; `--whole` patients of these also by the draws of `dose`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.dose_calibration import LIMITS, probabilities_whole
from benchmarks.dose_patients import simulate_patients, true_troughs
from troughline.dosing.candidates import drug_regimens
from troughline.dosing.limits import position
from troughline.dosing.many import dose_many

Floats = NDArray[np.float64]
EDGES = (0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0)


def table(name: str, p: Floats, inside: Floats) -> None:
    """Print each bin's stated mean, the share that was true, its SE (over patients) and how many."""
    print(f"{name}: stated  true    SE     regimens patients")
    for low, high in pairwise(EDGES):
        some = (p >= low) & (p < high)
        if not some.any():
            continue
        patients = int(some.any(axis=1).sum())
        share = float(inside[some].mean())
        error = float(np.sqrt(max(share * (1 - share), 1e-9) / patients))
        print(f"  {p[some].mean():6.3f}  {share:6.3f} {error:6.3f} {int(some.sum()):6d} {patients:6d}")


def main() -> None:
    """Print the reliability of the highest probabilities."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=3000)
    parser.add_argument("--levels", type=int, default=2)
    parser.add_argument("--draws", type=int, default=1024)
    parser.add_argument("--least", type=float, default=0.8)
    parser.add_argument("--whole", type=int, default=0)
    parser.add_argument("--seed", type=int, default=11)
    given = parser.parse_args()
    regimens = drug_regimens("sorafenib")
    simulated = simulate_patients(given.patients, seed=given.seed, levels=given.levels)
    inside = position(true_troughs(simulated, regimens, seed=given.seed + 1), LIMITS).inside
    model = simulated.model
    quick = dose_many(model, simulated.patients, regimens, LIMITS, draws=64).p_in
    table("64 draws, the same that choose", quick, inside)
    chosen = np.flatnonzero(np.nan_to_num(quick).max(axis=1) >= given.least)
    few = replace(
        simulated, patients=tuple(simulated.patients[i] for i in chosen), subject=simulated.subject[chosen]
    )
    print(
        f"{len(chosen)} of {given.patients} patients have a regimen with P(in) of at least {given.least:g}",
        flush=True,
    )
    p = dose_many(model, few.patients, regimens, LIMITS, draws=given.draws, seed=4).p_in
    table(f"{given.draws} fresh draws", p, inside[chosen])
    if given.whole:
        some = replace(few, patients=few.patients[: given.whole], subject=few.subject[: given.whole])
        exact = probabilities_whole(some, regimens, draws=2000)
        kept = inside[chosen][: given.whole]
        table("whole posterior", exact, kept)
        table("first order, the same patients", p[: given.whole], kept)


if __name__ == "__main__":
    main()
