"""Draw the simulated two-arm cohort of `examples/next-steps`: one predictive marker, one prognostic.

No patient is in it. The design answers the agenda of Kim & Park 2011: which marker tells who benefits from
sorafenib, which only who fares how, and what happens to patients with impaired liver function. The arms'
sizes, their median survival and the treatment's hazard ratio are those printed for the SHARP trial and are
read from the evidence file `sharp-2008`, never written here; the markers and the liver function are invented:

- `target_score`, log-normal: predictive. It does nothing without treatment; the log hazard ratio of treatment
  falls by 0.5 with each doubling.
- `ligand`, log-normal: prognostic. It raises the hazard of death from the tumour 1.8-fold a doubling in both
  arms, and treatment raises it: it is measured before treatment and again on day 28.
- Child-Pugh parts: about three fifths class A, a third B, the rest C. Death is of the tumour or of the liver;
  the second does not depend on treatment and rises steeply with the class.
- `afp`, `etiology`, `macrovascular_invasion`: the last is prognostic, no one is predictive.

Both slopes were made large enough to show in one cohort of this size; smaller ones, tried before, did not.
The seed was not searched for: what came out is what the example shows. Run
`python tools/simulate_next_steps.py [--out DIR]`; the same files come out, byte for byte.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from example_tables import write_tables
from numpy.typing import NDArray

from troughline.evidence.store import load_publication

SEED = 20110901
DAYS_PER_MONTH = 365.25 / 12
PREDICTIVE_SLOPE = -0.5
PROGNOSTIC_SLOPE = math.log(1.8)
RISE_UNDER_TREATMENT = 1.4
SAMPLE_DAY = 28
EXAMPLE = Path(__file__).resolve().parents[1] / "src" / "troughline" / "examples" / "next-steps"

Row = dict[str, object]
Floats = NDArray[np.float64]


def simulate(seed: int = SEED) -> dict[str, list[Row]]:
    """The three tables, as rows of columns in order."""
    rng = np.random.Generator(np.random.PCG64(seed))
    per_arm, control_median_months, hazard_ratio = printed()
    n = sum(per_arm)
    treated = np.repeat([True, False], per_arm)[rng.permutation(n)]
    score = np.exp(math.log(100) + 0.7 * rng.standard_normal(n))
    ligand = np.exp(math.log(60) + 0.6 * rng.standard_normal(n))
    invasion = rng.random(n) < 0.36
    liver = rng.standard_normal(n)
    impaired = np.digitize(liver, [0.35, 1.6])
    base = math.log(2) / (control_median_months * DAYS_PER_MONTH)
    doublings, ligands = np.log2(score / 100), np.log2(ligand / 60)
    log_hazard = (
        treated * (math.log(hazard_ratio) + PREDICTIVE_SLOPE * doublings)
        + PROGNOSTIC_SLOPE * ligands
        + 0.4 * invasion
    )
    tumour = rng.exponential(1 / (0.8 * base * np.exp(log_hazard - 0.2)))
    hepatic = rng.exponential(1 / (0.15 * base * np.array([0.4, 2.0, 7.0])[impaired]))
    leaves = rng.uniform(6, 17, n) * DAYS_PER_MONTH
    end = np.ceil(np.minimum(np.minimum(tumour, hepatic), leaves))
    patients: list[Row] = []
    measurements: list[Row] = []
    events: list[Row] = []
    for i in range(n):
        name = f"N{i + 1:03d}"
        patients.append(
            {
                "patient": name,
                "arm": "sorafenib" if treated[i] else "placebo",
                "target_score": f"{score[i]:.1f}",
                **_liver(liver[i], int(impaired[i]), rng),
                "etiology": str(rng.choice(["HCV", "HBV", "alcohol", "other"], p=[0.3, 0.2, 0.27, 0.23])),
                "macrovascular_invasion": "yes" if invasion[i] else "no",
                "afp": f"{math.exp(4 + 1.8 * rng.standard_normal() + 0.5 * invasion[i]):.1f}",
                "age": f"{rng.normal(65, 10):.0f}",
            }
        )
        measurements.append(_sample(name, 0, ligand[i]))
        later = (
            ligand[i] * math.exp(0.25 * rng.standard_normal()) * (RISE_UNDER_TREATMENT if treated[i] else 1)
        )
        if end[i] > SAMPLE_DAY:
            measurements.append(_sample(name, SAMPLE_DAY, later))
        dies = min(tumour[i], hepatic[i]) <= leaves[i]
        term = "" if not dies else "tumour progression" if tumour[i] <= hepatic[i] else "hepatic failure"
        events.append(
            {"patient": name, "time": int(end[i]), "event": "death" if dies else "last contact", "term": term}
        )
    return {"patients": patients, "measurements": measurements, "events": events}


def printed() -> tuple[tuple[int, int], float, float]:
    """Patients per arm, median survival of placebo (months) and hazard ratio, as SHARP printed them."""
    study = load_publication("sharp-2008")
    sizes = {arm.id: arm.n for arm in study.arm}
    median, ratio = study.sourced("survival-placebo").value, study.sourced("survival-hazard-ratio").value
    treated, control = sizes["sorafenib"], sizes["placebo"]
    if treated is None or control is None or median is None or ratio is None:
        raise ValueError("the evidence file lacks a number that the cohort is drawn with")
    return (treated, control), median, ratio


def _liver(liver: float, impaired: int, rng: np.random.Generator) -> Row:
    """The five parts of the Child-Pugh score, in step with the class that was drawn."""
    mild = max(4.0, 13 * math.exp(0.45 * liver))
    bilirubin = (mild, mild, rng.uniform(52, 90))[impaired]
    albumin = (41 - 2.0 * liver, rng.uniform(29, 34), rng.uniform(22, 27))[impaired]
    return {
        "bilirubin": f"{bilirubin:.0f}",
        "albumin": f"{albumin:.0f}",
        "inr": f"{1.1 + 0.08 * impaired + 0.03 * rng.random():.2f}",
        "ascites": ("none", "mild", "moderate")[impaired],
        "encephalopathy": "none" if impaired < 2 else "grade 1-2",
    }


def _sample(patient: str, day: int, value: float) -> Row:
    return {"patient": patient, "time": day, "analyte": "ligand", "value": f"{value:.1f}", "unit": "pg/mL"}


def main() -> None:
    """Write `patients.csv`, `measurements.csv` and `events.csv`."""
    parser = argparse.ArgumentParser(description="Draw the simulated cohort of examples/next-steps.")
    parser.add_argument("--out", type=Path, default=EXAMPLE, help="folder to write the tables to")
    write_tables(simulate(), parser.parse_args().out)


if __name__ == "__main__":
    main()
