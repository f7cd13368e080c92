"""Kaplan–Meier curves and a log-rank test of two groups: this package against lifelines in the same run.

    python benchmarks/survival_speed.py --rival-python /path/to/python [--patients 100000] [--repeats 15]

lifelines forces pandas 2 and so lives in an environment of its own:

    python -m venv lifelines-venv && lifelines-venv/bin/pip install lifelines

Without `--rival-python` only this package is timed. Each side is timed inside its own process, imports and a
first call left out; the two take turns, so that neither has the quieter machine. Two cohorts: times to the
minute, nearly all different, and times in whole days. Ours is timed as two calls (`kaplan_meier`, `log_rank`)
and as one (`compare_survival`). The ratios are of the medians. Exits with 1 below a ratio of 5 with times to
the minute in one call, or where the two sides disagree.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from troughline.survival.compare_survival import compare_survival
from troughline.survival.kaplan_meier import kaplan_meier
from troughline.survival.log_rank import log_rank

TARGET_RATIO = 5.0
ROUNDS = 3

RIVAL = """
import json, sys, time, numpy as np
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
data = np.load(sys.argv[1]); t, e, g = data["time"], data["event"], data["group"] == 1
def once():
    curves = [KaplanMeierFitter().fit(t[rows], e[rows]) for rows in (~g, g)]
    return curves, logrank_test(t[~g], t[g], e[~g], e[g])
once(); seconds = []
for _ in range(int(sys.argv[2])):
    begin = time.perf_counter(); curves, test = once(); seconds.append(time.perf_counter() - begin)
import lifelines
print(json.dumps({"seconds": seconds, "statistic": float(test.test_statistic),
    "version": lifelines.__version__, "medians": [float(c.median_survival_time_) for c in curves]}))
"""


def cohort(n: int, *, whole_days: bool) -> dict[str, np.ndarray]:
    """Exponential survival with a hazard ratio of 0.7 and uniform censoring over five years, in days."""
    rng = np.random.default_rng(2008)
    group = rng.integers(0, 2, n)
    dies = rng.exponential(np.where(group == 1, 460.0, 320.0))
    leaves = rng.uniform(0, 1826, n)
    end = np.minimum(dies, leaves)
    days = np.ceil(end) if whole_days else np.ceil(end * 1440) / 1440
    return {"time": np.maximum(days, 1 / 1440), "event": dies <= leaves, "group": group}


def timed(work: Any, repeats: int) -> list[float]:
    """Seconds of each of `repeats` calls, after one that is not counted."""
    work()
    seconds: list[float] = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return seconds


def rival(python: str, table: Path, repeats: int) -> dict[str, Any]:
    """lifelines' seconds, log-rank statistic and median survival times, from a process of its own."""
    answer = subprocess.run(
        [python, "-c", RIVAL, str(table), str(repeats)], capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        sys.exit(f"lifelines did not run under {python}: {answer.stderr.strip().splitlines()[-1]}")
    return json.loads(answer.stdout)


def main() -> None:
    """Run the comparison and print the medians and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--rival-python", default=None, help="a Python that has lifelines")
    options = parser.parse_args()
    failed = False
    for whole_days in (False, True):
        data = cohort(options.patients, whole_days=whole_days)
        t, e, g = data["time"], data["event"], data["group"]
        two: list[float] = []
        one: list[float] = []
        theirs: list[float] = []
        answer: dict[str, Any] = {}
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "cohort.npz"
            np.savez(table, time=t, event=e, group=g)
            for _ in range(ROUNDS):
                per_round = max(1, options.repeats // ROUNDS)
                two += timed(lambda: (kaplan_meier(t, e, g), log_rank(t, e, g)), per_round)  # noqa: B023
                one += timed(lambda: compare_survival(t, e, g), per_round)  # noqa: B023
                if options.rival_python:
                    answer = rival(options.rival_python, table, per_round)
                    theirs += answer["seconds"]
        kind = "whole days" if whole_days else "to the minute"
        apart, ours = statistics.median(two), statistics.median(one)
        print(
            f"{options.patients:,} patients, times {kind}: {apart * 1e3:.1f} ms in two calls, "
            f"{ours * 1e3:.1f} ms in one (median of {len(one)})"
        )
        if not theirs:
            continue
        rivals = statistics.median(theirs)
        ratio = rivals / ours
        print(
            f"  lifelines {answer['version']}: {rivals * 1e3:.1f} ms; {rivals / apart:.1f} times ours in two "
            f"calls, {ratio:.1f} in one"
        )
        found = compare_survival(t, e, g)
        same = np.allclose(
            [found.test.statistic, *(c.median for c in found.curves)],
            [answer["statistic"], *answer["medians"]],
            rtol=1e-9,
        )
        if not same:
            print("  the two sides disagree")
        failed |= not same or (not whole_days and ratio < TARGET_RATIO)
    if not options.rival_python:
        print("no --rival-python: lifelines was not timed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
