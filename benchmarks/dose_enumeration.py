"""Does a dose recommend what an exhaustive enumeration does?

For simulated patients the regimen with the highest P(in) by the draws that `dose` takes (1,000) is
compared with
that by 100,000 draws of the posterior; where they differ the difference of P(in) must lie within the
Monte-Carlo
error. `python -m benchmarks.dose_enumeration --patients 200 --draws 100000` takes about half an hour of CPU.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks.dose_calibration import LIMITS, probabilities_whole
from benchmarks.dose_patients import HORIZON_DAYS, NOW_DAY, simulate_patients
from troughline.dosing.candidates import drug_regimens
from troughline.dosing.limits import position
from troughline.dosing.records import patient_records
from troughline.dosing.steady import SteadyPatterns
from troughline.pk.individual import estimate_individuals
from troughline.pk.posterior import PosteriorOptions, draw_posterior


def main() -> None:
    """Print how often the two agree, and the largest regret in standard errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--draws", type=int, default=100_000)
    given = parser.parse_args()
    regimens = drug_regimens("sorafenib")
    simulated = simulate_patients(given.patients, seed=17)
    model = simulated.model
    begin = time.perf_counter()
    stated = probabilities_whole(simulated, regimens, draws=1000)
    fast = time.perf_counter() - begin
    patterns = SteadyPatterns(model, regimens, areas=False)
    n_subject, n_new = model.compiled.n_subject, model.compiled.n_occasion
    same, worst, begin = 0, 0.0, time.perf_counter()
    for i, patient in enumerate(simulated.patients):
        records = patient_records(patient, simulated.chosen, model)
        options = PosteriorOptions(
            draws=given.draws, proposals=max(given.draws // 4, 1000), most_proposals=given.draws,
            new_occasions=1, seed=99,
        )  # fmt: skip
        posterior = draw_posterior(model, records, estimate_individuals(model, records), options=options)
        own = posterior.draws[0]
        trough, _ = patterns.exposure(
            np.hstack([own[:, :n_subject], own[:, -n_new:]]), simulated.covariates, model.spec.theta,
            24.0 * (NOW_DAY + HORIZON_DAYS),
        )  # fmt: skip
        inside = position(trough, LIMITS).inside
        p = inside.mean(axis=0)
        chosen, best = int(stated[i].argmax()), int(p.argmax())
        same += chosen == best
        if chosen != best:
            # What the fast choice loses, in standard errors of the fast comparison of these two.
            error = float(np.std(inside[:, best] - inside[:, chosen])) / np.sqrt(500.0)
            worst = max(worst, float(p[best] - p[chosen]) / error)
    slow = time.perf_counter() - begin
    print(
        f"{given.patients} patients: the same regimen in {same}; largest regret {worst:.1f} standard errors"
    )
    print(f"1,000 draws {fast:.0f} s, {given.draws} draws {slow:.0f} s, ratio {slow / fast:.0f}")


if __name__ == "__main__":
    main()
