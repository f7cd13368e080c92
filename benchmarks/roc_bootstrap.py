"""Bootstrap of AUC, best threshold, sensitivity and specificity: this package against pROC in the same run.

    python benchmarks/roc_bootstrap.py [--patients 200] [--replicates 2000] [--repeats 7]

Each side measures its own work inside its own process, start-up and imports left out. The ratio is printed
against pROC's `ci.coords` alone, which gives no area, and against `ci.coords` with the bootstrapped `ci.auc`.
Needs R with pROC (Debian: r-base-core, r-cran-proc); exits with 1 without them or below a ratio of 20.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from troughline.response.bootstrap import bootstrap_roc, percentile_interval

SCRIPT = Path(__file__).with_name("proc_coords.R")
QUANTITIES = ("threshold", "sensitivity", "specificity", "auc")
TARGET_RATIO = 20.0


def cohort(n_patients: int) -> tuple[np.ndarray, np.ndarray]:
    """Log-normal exposures (log SD 0.62) with AUC 0.74, a third of the patients cases, two decimals."""
    rng = np.random.default_rng(2020)
    is_case = np.arange(n_patients) < n_patients // 3
    return np.round(np.exp(1.0 + rng.normal(0.0, 0.62, n_patients) + 0.564 * is_case), 2), is_case


def run_proc(
    values: np.ndarray, is_case: np.ndarray, replicates: int, repeats: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seconds of `ci.coords` and of `ci.auc` (repeats,), and the limits (repeats, 4, 2)."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "cohort.csv"
        rows = "\n".join(
            f"{value!r},{int(case)}" for value, case in zip(values.tolist(), is_case, strict=True)
        )
        table.write_text(f"value,case\n{rows}\n")
        answer = subprocess.run(
            ["Rscript", str(SCRIPT), str(table), str(replicates), str(repeats)],
            capture_output=True,
            text=True,
        )
    if answer.returncode != 0:
        sys.exit(f"pROC did not run (Debian package r-cran-proc): {answer.stderr.strip()}")
    numbers = np.array([[float(x) for x in line.split()] for line in answer.stdout.splitlines()])
    return numbers[:, 0], numbers[:, 1], numbers[:, 2:].reshape(-1, 4, 2)


def run_ours(
    values: np.ndarray, is_case: np.ndarray, replicates: int, repeats: int
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds (repeats,) of the bootstrap with its four intervals, and the limits (repeats, 4, 2)."""
    seconds, limits = np.empty(repeats), np.empty((repeats, 4, 2))
    for k in range(repeats):
        start = time.perf_counter()
        found = bootstrap_roc(values, is_case, n_replicates=replicates, rng=np.random.default_rng(k))
        limits[k] = [percentile_interval(getattr(found, name)) for name in QUANTITIES]
        seconds[k] = time.perf_counter() - start
    return seconds, limits


def main() -> None:
    """Run both and print medians, ratios and the limits side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    if shutil.which("Rscript") is None:
        sys.exit("Rscript is missing (Debian packages r-base-core and r-cran-proc): nothing to compare with")
    values, is_case = cohort(arguments.patients)
    run_ours(values, is_case, arguments.replicates, 1)  # the first call pays for imports
    ours, our_limits = run_ours(values, is_case, arguments.replicates, arguments.repeats)
    coords, auc, proc_limits = run_proc(values, is_case, arguments.replicates, arguments.repeats)
    ratio = float(np.median(coords) / np.median(ours))
    print(f"{arguments.patients} patients, {arguments.replicates} replicates, median of {arguments.repeats}")
    print(f"  troughline  AUC + threshold + sensitivity + specificity  {np.median(ours) * 1e3:8.1f} ms")
    print(f"  pROC        ci.coords (no AUC)                           {np.median(coords) * 1e3:8.1f} ms")
    print(f"  pROC        ci.auc, bootstrap                            {np.median(auc) * 1e3:8.1f} ms")
    print(
        f"  ratio to ci.coords alone {ratio:.1f}, with ci.auc {np.median(coords + auc) / np.median(ours):.1f}"
    )
    print("95 % percentile limits, median over repeats (range over pROC's repeats)")
    for k, name in enumerate(QUANTITIES):
        for end, label in enumerate(("low", "high")):
            theirs = proc_limits[:, k, end]
            print(
                f"  {name:<12}{label:<5} troughline {np.median(our_limits[:, k, end]):7.4f}"
                f"   pROC {np.median(theirs):7.4f} ({theirs.min():.4f} to {theirs.max():.4f})"
            )
    if ratio < TARGET_RATIO:
        sys.exit(f"the ratio {ratio:.1f} is below {TARGET_RATIO:.0f}")


if __name__ == "__main__":
    main()
