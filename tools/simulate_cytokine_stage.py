"""Draw the simulated cohort of `examples/cytokine-stage`, matched to the printed summary of Huy.

No patient of that study is in it: its abstract prints a summary only, and this script draws patients who have
the same summary. What was matched is read from the evidence file `huy-undated`, never written here: n; mean
and standard deviation of the marker printed as IL-2, to the last digit; the number of patients below the
printed limit; associated with size, volume and BCLC stage (p < 0.05 by the tests a paper would use),
TNF-alpha with none. Everything else is invented: the numbers in each stage, liver function, and the unit and
limit of TNF-alpha.

How: one generator with one fixed seed, redrawn until the targets are met.

1. tumour burden and liver impairment, correlated; from them the parts of the BCLC stage and of the Child-Pugh
   score, so that stage and score are what Troughline computes;
2. the marker: falls with stage and with the logarithm of size, plus noise; moved and stretched to the printed
   mean and standard deviation;
3. TNF-alpha: log-normal, of no relation to anything; what lies below its limit is written as below the limit.

Run `python tools/simulate_cytokine_stage.py [--out DIR]`; the same two CSV files come out, byte for byte.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from example_tables import write_tables
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import f_oneway, pearsonr
from simulated_course import normal_draws, patient_name

from troughline.cohort.scores import bclc_stage, child_pugh_class, child_pugh_points
from troughline.evidence.store import load_publication

SEED = 86
MOST_ATTEMPTS = 20_000
STAGES = ("0", "A", "B", "C", "D")
FEWEST_A_STAGE = 5
TNF_LIMIT_PG_ML = 4.0
ASSAY = "IMMULITE 1000 (simulated)"
EXAMPLE = Path(__file__).resolve().parents[1] / "src" / "troughline" / "examples" / "cytokine-stage"

Array = NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True)
class Printed:
    """The printed summary: IL-2 in U/mL."""

    n: int
    mean: float
    sd: float
    limit: float
    n_low: int


def printed_summary() -> Printed:
    """The targets, from the evidence file."""
    study = load_publication("huy-undated")
    mean, low = study.sourced("il-2-mean"), study.sourced("il-2-low")
    cut = next(b for b in study.biomarker if b.id == "il-2-cut")
    if None in (study.n, mean.value, mean.sd, low.value, cut.cutoff):
        raise ValueError("the evidence file lacks a number that the cohort is matched to")
    n = int(study.n or 0)
    return Printed(
        n=n,
        mean=float(mean.value or 0),
        sd=float(mean.sd or 0),
        limit=float(cut.cutoff or 0),
        n_low=round(float(low.value or 0) / 100 * n),
    )


def draw_patients(rng: np.random.Generator, n: int) -> tuple[list[Row], Array] | None:
    """Rows of the patients table and each patient's stage (0 to 4); None where a stage is nearly empty."""
    burden = normal_draws(rng, n)
    impairment = 0.35 * burden + 0.94 * normal_draws(rng, n)
    size = np.round(np.clip(np.exp(1.35 + 0.62 * burden + 0.25 * normal_draws(rng, n)), 1.0, 16.0), 1)
    number = 1 + (rng.random(n) < expit(-0.2 + 0.5 * burden)) * (1 + np.floor(3.5 * rng.random(n)))
    volume = np.pi / 6 * size**3 * (1 + 0.3 * (number - 1)) * np.exp(0.15 * normal_draws(rng, n))
    invasion = rng.random(n) < expit(-2.2 + 1.3 * burden)
    spread = rng.random(n) < expit(-3.2 + 1.0 * burden)
    frail = 0.4 * burden + 0.4 * impairment + 0.8 * normal_draws(rng, n)
    status = np.digitize(frail, [0.75, 1.3, 1.75])
    albumin = np.round(36.5 - 3.4 * impairment + 1.8 * normal_draws(rng, n))
    bilirubin = np.round(np.exp(np.log(16) + 0.45 * impairment + 0.3 * normal_draws(rng, n)))
    inr = np.round(1.12 + 0.13 * impairment + 0.06 * normal_draws(rng, n), 2)
    fluid = np.digitize(0.7 * impairment + 0.7 * normal_draws(rng, n), [0.7, 1.6])
    mind = 0.6 * impairment + 0.8 * normal_draws(rng, n) > 1.6
    points = child_pugh_points(
        bilirubin_mg_per_dl=bilirubin / 17.1,
        albumin_g_per_dl=albumin / 10,
        inr=inr,
        ascites_points=fluid + 1.0,
        encephalopathy_points=mind + 1.0,
    )
    names = bclc_stage(
        performance_status=status,
        child_pugh=child_pugh_class(points),
        tumour_number=number,
        largest_tumour_cm=size,
        vascular_invasion=invasion,
        extrahepatic_spread=spread,
    )
    stage = np.array([STAGES.index(name) for name in names], dtype=np.float64)
    if min(int((stage == k).sum()) for k in range(len(STAGES))) < FEWEST_A_STAGE:
        return None
    age = np.round(58 + 10 * normal_draws(rng, n))
    female = rng.random(n) < 0.15
    rows = [
        {
            "patient": patient_name(i),
            "age": int(np.clip(age[i], 28, 84)),
            "sex": "female" if female[i] else "male",
            "tumour_size": f"{size[i]:.1f}",
            "tumour_volume": f"{volume[i]:.1f}",
            "tumour_number": int(number[i]),
            "vascular_invasion": "yes" if invasion[i] else "no",
            "extrahepatic_spread": "yes" if spread[i] else "no",
            "performance_status": int(status[i]),
            "albumin": int(albumin[i]),
            "bilirubin": int(bilirubin[i]),
            "inr": f"{inr[i]:.2f}",
            "ascites": ("none", "mild", "moderate")[int(fluid[i])],
            "encephalopathy": "grade 1-2" if mind[i] else "none",
        }
        for i in range(n)
    ]
    return rows, stage


def draw_il2(rng: np.random.Generator, size: Array, stage: Array, target: Printed) -> Array | None:
    """The marker in U/mL with the printed mean, SD and number below the limit, or None."""
    raw = -0.38 * stage - 0.35 * np.log(size) + normal_draws(rng, target.n)
    value = np.round(target.mean + target.sd * (raw - raw.mean()) / raw.std(ddof=1), 1)
    as_printed = (round(float(value.mean()), 1), round(float(value.std(ddof=1)), 1))
    good = as_printed == (target.mean, target.sd) and int((value < target.limit).sum()) == target.n_low
    return value if good and value.min() > 50 else None


def draw_tnf(rng: np.random.Generator, n: int) -> Array:
    """TNF-alpha in pg/mL."""
    return np.round(np.exp(np.log(7.5) + 0.55 * normal_draws(rng, n)), 1)


def printed_p(values: Array, size: Array, volume: Array, stage: Array) -> tuple[float, float, float]:
    """p of the tests a paper would use: Pearson with size and volume, analysis of variance over stages."""
    groups = [values[stage == k] for k in np.unique(stage)]
    return (
        float(pearsonr(values, size).pvalue),
        float(pearsonr(values, volume).pvalue),
        float(f_oneway(*groups).pvalue),
    )


def simulate(seed: int = SEED) -> dict[str, list[Row]]:
    """The two tables, as rows of columns in order."""
    rng = np.random.Generator(np.random.PCG64(seed))
    target = printed_summary()
    for _ in range(MOST_ATTEMPTS):
        drawn = draw_patients(rng, target.n)
        if drawn is None:
            continue
        rows, stage = drawn
        size = np.array([float(r["tumour_size"]) for r in rows])
        volume = np.array([float(r["tumour_volume"]) for r in rows])
        il2 = draw_il2(rng, size, stage, target)
        if il2 is None or max(printed_p(il2, size, volume, stage)) >= 0.05:
            continue
        tnf = draw_tnf(rng, target.n)
        taken = np.where(tnf < TNF_LIMIT_PG_ML, TNF_LIMIT_PG_ML / 2, tnf)
        if min(printed_p(taken, size, volume, stage)) < 0.05:
            continue
        return {"patients": rows, "measurements": _measurements(rows, il2, tnf)}
    raise RuntimeError(f"the targets were met in none of {MOST_ATTEMPTS} draws")


def _measurements(rows: list[Row], il2: Array, tnf: Array) -> list[Row]:
    made: list[Row] = []
    for row, first, second in zip(rows, il2, tnf, strict=True):
        below = second < TNF_LIMIT_PG_ML
        common = {"patient": row["patient"], "time": 0}
        made.append(
            {**common, "analyte": "IL-2", "value": f"{first:.1f}", "unit": "U/mL", "below_limit": 0,
             "limit": "", "assay": ASSAY}
        )  # fmt: skip
        made.append(
            {**common, "analyte": "TNF-alpha", "value": "" if below else f"{second:.1f}", "unit": "pg/mL",
             "below_limit": int(below), "limit": f"{TNF_LIMIT_PG_ML:g}", "assay": ASSAY}
        )  # fmt: skip
    return made


def main() -> None:
    """Write `patients.csv` and `measurements.csv`."""
    parser = argparse.ArgumentParser(description="Draw the simulated cohort of examples/cytokine-stage.")
    parser.add_argument("--out", type=Path, default=EXAMPLE, help="folder to write the two tables to")
    write_tables(simulate(), parser.parse_args().out)


if __name__ == "__main__":
    main()
