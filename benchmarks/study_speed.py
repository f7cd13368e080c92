"""Whole studies as whole processes: the 26-patient example and 5,000 simulated patients.

The rival is R with pROC and survival computing the as-published column alone of the same 26 patients, in a
process of its own in the same run; Troughline computes both columns, the guards and the report. Prints
medians, the ratio, and how far each run lies under the limit the project sets itself (15 s and 60 s).
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "exposure-window"
LIMITS_S = {26: 15.0, 5000: 60.0}


def simulated_study(folder: Path, n: int, seed: int) -> Path:
    """Write a study of `n` patients with three troughs each, and the example's questions."""
    rng = np.random.default_rng(seed)
    log_exposure = np.log(2.91) + 0.62 * rng.standard_normal(n)
    patients = ["patient,albumin,bilirubin"]
    levels = ["patient,time,analyte,value,unit,time_after_dose_h"]
    events = ["patient,time,event,term,grade,version,response,criterion"]
    for i, x in enumerate(log_exposure):
        patients.append(f"{i},{rng.normal(36, 5):.1f},{np.exp(rng.normal(2.7, 0.5)):.1f}")
        levels += [
            f"{i},{day},sorafenib,{np.exp(x + 0.2 * rng.standard_normal()):.3f},ug/mL,12"
            for day in (14, 28, 56)
        ]
        if rng.random() < 1 / (1 + np.exp(0.4 - 1.6 * (x - np.log(3.3)))):
            events.append(f"{i},{rng.integers(20, 60)},adverse event,hand-foot skin reaction,3,5.0,,")
        best = "SD" if rng.random() < 1 / (1 + np.exp(-2.2 * (x - np.log(1.8)))) else "PD"
        events.append(f"{i},58,response,,,,{best},mRECIST")
        end = max(60, round(rng.exponential(400)))
        events.append(f"{i},{end},{'death' if rng.random() < 0.8 else 'last contact'},,,,,")
    for name, rows in (("patients", patients), ("measurements", levels), ("events", events)):
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    questions = (EXAMPLE / "study.toml").read_text(encoding="utf-8")
    header = (
        '[study]\ntitle = "Speed"\ndrug = "sorafenib"\nsimulated = true\n'
        '[tables]\npatients = "patients.csv"\nmeasurements = "measurements.csv"\nevents = "events.csv"\n'
        '[covariates]\nalbumin = { unit = "g/L" }\nbilirubin = { unit = "umol/L" }\n'
    )
    study = folder / "study.toml"
    study.write_text(header + questions[questions.index("[[question]]") :], encoding="utf-8")
    return study


def seconds(command: list[str], accepted: tuple[int, ...] = (0,)) -> float:
    """How long a command takes as a whole process."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in accepted:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return time.perf_counter() - started


def main() -> None:
    """Time both studies and the rival in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    if shutil.which("Rscript") is None:
        raise SystemExit("Rscript is not installed: r-cran-proc and r-cran-survival are needed for the rival")
    rival = ["Rscript", str(HERE / "as_published.R"), str(EXAMPLE)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)

        def ours(study: Path) -> list[str]:
            return [sys.executable, "-m", "troughline", "study", str(study), "--out", str(folder / "out")]

        seconds(ours(EXAMPLE / "study.toml"), (0, 1))
        pairs = [(seconds(ours(EXAMPLE / "study.toml"), (0, 1)), seconds(rival)) for _ in range(repeats)]
        mine, r = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"26 patients, both columns, guards, report: {mine:.1f} s (limit {LIMITS_S[26]:.0f} s)")
        print(f"R, as-published column alone, no report:  {r:.1f} s; R / Troughline = {ratio:.2f}")
        study = simulated_study(folder, 5000, seed=5)
        large = seconds(ours(study), (0, 1))
        print(f"5,000 patients, the same questions:        {large:.1f} s (limit {LIMITS_S[5000]:.0f} s)")


if __name__ == "__main__":
    main()
