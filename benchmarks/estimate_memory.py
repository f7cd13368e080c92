"""How much memory individual estimates take: peak resident size for 200, 10,000 and 100,000 patients.

    python -m benchmarks.estimate_memory

Each size in a process of its own; the records of the patients are part of it. Linear in patients means that
a patient more costs the same between 200 and 10,000 as between 10,000 and 100,000.
"""

from __future__ import annotations

import resource
import subprocess
import sys

SIZES = (200, 10_000, 100_000)


def peak_mib(patients: int) -> float:
    """Peak memory of this process after estimating so many patients."""
    from benchmarks.pk_data import repeated, sorafenib_like
    from troughline.pk.individual import estimate_individuals

    model, records = sorafenib_like()
    estimate_individuals(model, repeated(records, patients // records.n_patients))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    if len(sys.argv) > 1:
        print(peak_mib(int(sys.argv[1])))
        return
    peaks: list[float] = []
    for size in SIZES:
        command = [sys.executable, "-m", "benchmarks.estimate_memory", str(size)]
        peaks.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(f"{size:9,} patients {peaks[-1]:8.0f} MiB")
    for k in range(1, len(SIZES)):
        each = (peaks[k] - peaks[k - 1]) / (SIZES[k] - SIZES[k - 1])
        print(f"{SIZES[k - 1]:9,} to {SIZES[k]:,}: {1024 * each:.2f} KiB more per patient")


if __name__ == "__main__":
    main()
