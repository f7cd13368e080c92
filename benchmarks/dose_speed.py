"""How long a dose takes: one patient from a cold process, and many at once against one by one.

`python -m benchmarks.dose_speed --patients 2000`. Targets: a cold decision within 2 s once the engine is
compiled, 10,000 patients within 60 s.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from importlib.resources import as_file, files

from benchmarks.dose_patients import simulate_patients
from troughline.dosing.candidates import drug_regimens
from troughline.dosing.dose import dose
from troughline.dosing.limits import Limits
from troughline.dosing.many import dose_many

COLD = (
    "import sys, time; begin = time.perf_counter(); from troughline.dosing.dose import dose_file; "
    "dose_file(sys.argv[1]); print(time.perf_counter() - begin)"
)


def main() -> None:
    """Print both times and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2000)
    given = parser.parse_args()
    with as_file(files("troughline") / "examples" / "dose" / "patient.toml") as example:
        for _ in range(5):
            begin = time.perf_counter()
            made = subprocess.run(
                [sys.executable, "-c", COLD, str(example)], check=True, capture_output=True, text=True
            )
            whole = time.perf_counter() - begin
            print(f"cold process: {float(made.stdout):.2f} s to the answer, {whole:.2f} s until it has ended")
    simulated = simulate_patients(given.patients, seed=5)
    regimens = drug_regimens("sorafenib")
    limits = Limits(metric="trough", low=1.40, high=3.45)
    dose_many(simulated.model, simulated.patients[:4], regimens, limits)
    begin = time.perf_counter()
    dose_many(simulated.model, simulated.patients, regimens, limits)
    each = (time.perf_counter() - begin) / given.patients
    begin = time.perf_counter()
    for patient in simulated.patients[:5]:
        dose(patient)
    alone = (time.perf_counter() - begin) / 5
    print(f"many at once: {1000 * each:.1f} ms a patient, {10_000 * each:.0f} s for 10,000")
    print(f"one by one, with everything: {1000 * alone:.0f} ms a patient, ratio {alone / each:.0f}")


if __name__ == "__main__":
    main()
