"""Speed of virtual trials: two workers against one, and the memory of a long run.

    python -m benchmarks.trial_speed [--patients 20000] [--memory 100000]

Prints seconds of wall time with one and two workers (each the best of three), their ratio, and the largest
resident memory with patients streamed to Parquet. On a machine whose cores others use, or share, the ratio
says little: beside it stands what two processes that share nothing reach on it.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from troughline.trial.run import run_trial
from troughline.trial.setup import Setup, setup_of


def trial_of(patients: int) -> Setup:
    """Two arms over a year with the best set of one reading."""
    arms = [
        {"id": "placebo", "n": patients // 2, "sorafenib": "none"},
        {"id": "sorafenib", "n": patients // 2},
    ]
    data = {
        "trial": {"title": "speed", "replicates": 1, "horizon_months": 12},
        "model": {"reading": "Kd", "sets": "best"},
        "arm": arms,
    }
    setup, found = setup_of(data, name="speed.toml")
    if setup is None:
        raise ValueError("\n".join(f.line() for f in found))
    return setup


def alone(patients: int) -> float:
    """Seconds of a trial with one worker in a process of its own, its start not counted."""
    run_trial(trial_of(200), workers=1)
    start = time.perf_counter()
    run_trial(trial_of(patients), workers=1)
    return time.perf_counter() - start


def of_the_machine(patients: int) -> float:
    """How much two processes that share nothing do in the time of one: what two workers could reach here."""
    best = 0.0
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for _ in range(3):
            one = pool.submit(alone, patients).result()
            two = [future.result() for future in [pool.submit(alone, patients) for _ in range(2)]]
            best = max(best, 2.0 * one / max(two))
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--memory", type=int, default=100_000)
    given = parser.parse_args()
    run_trial(trial_of(200), workers=1)
    setup = trial_of(given.patients)
    best: dict[int, float] = {1: float("inf"), 2: float("inf")}
    for _ in range(3):
        for workers in best:
            start = time.perf_counter()
            run_trial(setup, workers=workers)
            best[workers] = min(best[workers], time.perf_counter() - start)
    times = f"one worker {best[1]:.2f} s, two {best[2]:.2f} s, {best[1] / best[2]:.2f} x"
    own = of_the_machine(given.patients)
    print(f"{given.patients} patients: {times}; two processes that share nothing: {own:.2f} x")
    for patients in (given.memory // 4, given.memory):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            run_trial(trial_of(patients), workers=2, patients=Path(folder) / "patients.parquet")
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{patients} patients streamed: {time.perf_counter() - start:.1f} s, at most {used:.0f} MB")


if __name__ == "__main__":
    main()
