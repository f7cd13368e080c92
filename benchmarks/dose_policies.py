"""Dosing policies over virtual patients: the table, and the speed against one patient at a time.

    python -m benchmarks.dose_policies [PATIENTS]

The naive rival, `patient by patient`, is the same evaluation run for each virtual patient alone, as a loop
over patients would: the same engine, the same numbers, only nothing is done for many at once. Both give the
same levels, which is checked.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from importlib.resources import as_file, files

import numpy as np

from troughline.dosing.policy import simulate as running
from troughline.dosing.policy.population import VirtualPatients, draw_patients
from troughline.dosing.policy.result import evaluate
from troughline.dosing.policy.setup import Setup, load_policy, with_patients
from troughline.dosing.policy.simulate import Simulated, simulate

LOOPED = 40
NAMES = ("policy", "policy-lowest-held", "policy-mismatched")
SHOWN = (
    "inside", "below", "above", "inside_at", "below_at", "toxic", "stopped", "stopped_first", "changes",
    "samples",
)  # fmt: skip


def alone(setup: Setup, patients: VirtualPatients, k: int) -> Simulated:
    """The evaluation of the k-th patient only."""
    one = replace(
        patients,
        names=patients.names[k : k + 1],
        covariates={name: values[k : k + 1] for name, values in patients.covariates.items()},
        **{
            name: getattr(patients, name)[k : k + 1]
            for name in ("subject", "occasion", "missed", "residual", "frailty", "thresholds")
        },
    )
    return running.simulate_patients(setup, one, threads=1)


def table(setup: Setup) -> tuple[list[str], float]:
    """The lines of the table, and the seconds that the evaluation took."""
    begun = time.perf_counter()
    contents = evaluate(setup).contents
    seconds = time.perf_counter() - begun
    lines = [f"{'policy':<20}" + "".join(f"{name:>14}" for name in SHOWN)]
    for policy in contents["policies"]:
        values = (policy["measures"][name]["value"] for name in SHOWN)
        lines.append(f"{policy['id']:<20}" + "".join(f"{value:14.3f}" for value in values))
    lines += [f"  {v['answer']}: {v['sentence']}" for v in contents["verdicts"]]
    lines += [
        f"  regret of {r['policy']}, {r['measure']}: {100 * r['value']:+.1f} points "
        f"({100 * r['low']:+.1f} to {100 * r['high']:+.1f})"
        for r in contents["regret"] if r["measure"] in ("inside", "toxic", "stopped")
    ]  # fmt: skip
    return lines, seconds


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with as_file(files("troughline") / "examples" / "dose") as folder:
        setups = {name: load_policy(folder / f"{name}.toml") for name in NAMES}
    simulate(with_patients(setups["policy"], 2))
    for name, setup in setups.items():
        lines, seconds = table(with_patients(setup, n))
        print(f"{name}: {n} patients, {len(setup.policies)} policies, {seconds:.1f} s")
        print("\n".join(lines))
    few = with_patients(setups["policy"], LOOPED)
    begun = time.perf_counter()
    together = simulate(few)
    batch = time.perf_counter() - begun
    patients = draw_patients(few)
    begun = time.perf_counter()
    single = [alone(few, patients, k) for k in range(LOOPED)]
    looped = time.perf_counter() - begun
    for j, course in enumerate(together.courses):
        levels = np.vstack([one.courses[j].morning for one in single])
        assert np.allclose(levels, course.morning, rtol=1e-9), "the two give different levels"
    print(
        f"{LOOPED} patients together {batch:.2f} s, patient by patient {looped:.2f} s: "
        f"{looped / batch:.1f} times as fast, the same levels"
    )


if __name__ == "__main__":
    main()
