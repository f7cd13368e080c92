"""One patient estimated by a fresh process, once the code is compiled: start, import, estimate, end.

    python -m benchmarks.cold_start [--model sorafenib/jain-2011] [--repeats 7]

Beside it a fresh process that does no more than import NumPy and SciPy's optimiser. A first run compiles
what is not compiled yet and is not counted. Clock and processor time; medians.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time

TARGET_S = 1.5
ESTIMATE = """
from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from
from troughline.model.model import load_model
from troughline.pk.individual import estimate_individuals

model = load_model({model!r})
patient = PatientRecord(
    patient="1",
    doses=(DoseEvent(time_h=0, amount_mg=400, interval_h=12, steady_state=1),),
    samples=(Sample(time_h=4, value=6.0), Sample(time_h=11, value=4.5)),
)
found = estimate_individuals(model, records_from([patient], model.spec))
assert found.status[0] == 0
"""
IMPORTS = "import numpy, scipy.optimize"


def seconds(script: str) -> tuple[float, float]:
    """Clock and processor seconds of a fresh interpreter that runs `script`."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", script], check=True)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="sorafenib/jain-2011")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    scripts = {
        "one patient estimated": ESTIMATE.format(model=given.model),
        "NumPy and SciPy imported": IMPORTS,
    }
    for script in scripts.values():
        seconds(script)
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in scripts}
    for _ in range(given.repeats):
        for name, script in scripts.items():
            runs[name].append(seconds(script))
    for name, times in runs.items():
        clock, processor = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{name:26} {clock:6.2f} s, of the processor {processor:.2f} s")
    clock = statistics.median(c for c, _ in runs["one patient estimated"])
    print(f"{clock / TARGET_S:.0%} of the {TARGET_S} s aimed at")


if __name__ == "__main__":
    main()
