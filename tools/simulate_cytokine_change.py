"""Draw the simulated cohort of `examples/cytokine-change`, matched to the printed summary of Nagai 2014.

No patient of that study is in it: the abstract prints group sizes, directions and one limit, and this script
draws 57 patients who have the same. What was matched is read from the evidence file `nagai-2014`, never
written here: patients a dose group; for each marker and group whether Wilcoxon's paired test (half the limit
below it) finds a rise, a fall or nothing at p < 0.05; sFasL below its limit in every sample. Levels, units of
the other markers, limits, liver function and days are invented: the abstract prints none.

How it was matched. One generator with one fixed seed. Patients are drawn once; then each marker is redrawn,
all three groups together, until its three directions are those printed. sTNF-alpha and sFas change by one
factor in every group; sTNF-R rises by one factor too, so that "significant in 400 mg only" is what the group
sizes make of one common effect. The redrawing selects chance, not an effect: nothing but the draw differs
between groups. The dose goes by liver function and weight, as a clinician would choose it.

Follow-up is invented altogether, by a generator of its own: nine more patients who began treatment and died
or were lost before the second sample, and for everybody a time to death that depends on liver function and on
no change of any marker.

Run `python tools/simulate_cytokine_change.py [--out DIR]`; the same four CSV files come out, byte for byte.
"""

from __future__ import annotations

import argparse
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from example_tables import write_tables
from numpy.typing import NDArray

from troughline.evidence.store import load_publication

SEED = 20131121
MOST_ATTEMPTS = 50_000
ALPHA = 0.05
ASSAY = "ELISA (simulated)"
EXAMPLE = Path(__file__).resolve().parents[1] / "src" / "troughline" / "examples" / "cytokine-change"

Array = NDArray[np.float64]
Row = dict[str, str]


@dataclass(frozen=True)
class Printed:
    """What the abstract prints: patients by daily dose, direction by (marker, dose), the limit of sFasL."""

    sizes: dict[str, int]
    direction: dict[tuple[str, str], str]
    highest_fas_ligand: float


@dataclass(frozen=True)
class Invented:
    """A marker's law: median and log-SD of the patients, log-SD of a level, factor of change, limit."""

    analyte: str
    unit: str
    median: float
    patient_sd: float
    error_sd: float
    factor: float
    limit: float
    digits: int


MARKERS = (
    Invented("sTNF-alpha", "pg/mL", 3.2, 0.65, 0.30, 1.35, 2.0, 1),
    Invented("sTNF-R", "ng/mL", 2.4, 0.40, 0.22, 1.14, 0.5, 2),
    Invented("sFas", "ng/mL", 4.1, 0.45, 0.20, 0.80, 0.5, 2),
)
DOSES = ("200", "400", "800")
N_UNSAMPLED, N_LOST = 9, 2
EARLY_IMPAIRMENT = 1.0
MEAN_DAYS, HAZARD_PER_IMPAIRMENT = 330.0, 0.45
FIRST_DAY_OUT, LAST_DAY_OUT = 240, 800


def printed_summary() -> Printed:
    """The targets, from the evidence file."""
    study = load_publication("nagai-2014")
    sizes = {str(arm.dose).split()[0]: int(arm.n or 0) for arm in study.arm}
    direction = {
        (b.marker, b.arm.removeprefix("dose-")): b.change
        for b in study.biomarker
        if b.arm is not None and b.change is not None
    }
    highest = study.sourced("fas-ligand-highest").high
    if highest is None:
        raise ValueError("nagai-2014 prints no highest level of sFasL")
    return Printed(sizes=sizes, direction=direction, highest_fas_ligand=highest)


def simulate(seed: int = SEED) -> dict[str, list[Row]]:
    """The four tables, as rows of columns in order."""
    rng = np.random.Generator(np.random.PCG64(seed))
    target = printed_summary()
    n = sum(target.sizes.values())
    impairment = rng.normal(size=n)
    # Poor liver function and low weight go with a low dose.
    preference = -0.9 * impairment + rng.normal(size=n)
    dose = np.empty(n, dtype=object)
    order = np.argsort(preference, kind="stable")
    bounds = np.cumsum([0, *(target.sizes[d] for d in DOSES)])
    for k, name in enumerate(DOSES):
        dose[order[bounds[k] : bounds[k + 1]]] = name
    names = [f"SIM-{i + 1:02d}" for i in range(n)]
    patients = _patients(rng, names, dose, impairment)
    batch = [f"plate {1 + i // 15}" for i in range(n)]
    first_day = -rng.integers(0, 4, size=n)
    later_day = 28 + rng.integers(-2, 3, size=n)
    rows: list[Row] = []
    for marker in MARKERS:
        before, after = matched(rng, marker, dose, impairment, target)
        for i, name in enumerate(names):
            for when, day, level in (
                ("before", first_day[i], before[i]),
                ("week 4", later_day[i], after[i]),
            ):
                rows.append(_level(name, int(day), marker, float(level), when, batch[i]))
    ligand = _ligand()
    for i, name in enumerate(names):
        for when, day in (("before", first_day[i]), ("week 4", later_day[i])):
            rows.append(_level(name, int(day), ligand, 0.0, when, batch[i]))
    later = np.random.Generator(np.random.PCG64([seed, 1]))
    unsampled, more, events = _without_second_sample(later, n)
    patients += unsampled
    rows += more
    events = _follow_up(later, names, later_day, impairment) + events
    rows.sort(key=lambda r: (r["patient"], int(r["time"])))
    dose = np.concatenate([dose, [p["daily_dose_mg"] for p in unsampled]])
    names = [p["patient"] for p in patients]
    doses = [
        {"patient": name, "time": "0", "amount": amount, "unit": "mg", "interval_h": interval}
        for name, d in zip(names, dose, strict=True)
        for amount, interval in [("400", "12") if d == "800" else (str(d), "24")]
    ]
    return {"patients": patients, "measurements": rows, "doses": doses, "events": events}


def _without_second_sample(rng: np.random.Generator, n: int) -> tuple[list[Row], list[Row], list[Row]]:
    """Patients, first levels and ends of those who died or were lost before the second sample."""
    names = [f"SIM-{n + i + 1:02d}" for i in range(N_UNSAMPLED)]
    impairment = EARLY_IMPAIRMENT + 0.7 * rng.normal(size=N_UNSAMPLED)
    dose = np.where(impairment > np.median(impairment), "200", "400").astype(object)
    patients = _patients(rng, names, dose, impairment)
    levels: list[Row] = []
    first_day = -rng.integers(0, 4, size=N_UNSAMPLED)
    for marker in MARKERS:
        patient = marker.patient_sd * (0.4 * impairment + math.sqrt(1 - 0.16) * rng.normal(size=N_UNSAMPLED))
        before = marker.median * np.exp(patient + marker.error_sd * rng.normal(size=N_UNSAMPLED))
        for i, name in enumerate(names):
            level = round(float(before[i]), marker.digits)
            levels.append(_level(name, int(first_day[i]), marker, level, "before", "plate 4"))
    ligand = _ligand()
    levels += [_level(p, int(first_day[i]), ligand, 0.0, "before", "plate 4") for i, p in enumerate(names)]
    end = rng.integers(5, 25, size=N_UNSAMPLED)
    lost = set(rng.permutation(N_UNSAMPLED)[:N_LOST].tolist())
    events = [
        _event(name, int(end[i]), "last contact" if i in lost else "death") for i, name in enumerate(names)
    ]
    return patients, levels, events


def _follow_up(
    rng: np.random.Generator, names: list[str], second_day: NDArray[np.int64], impairment: Array
) -> list[Row]:
    """Death or last contact of those sampled twice; the hazard goes by liver function alone."""
    scale = MEAN_DAYS * np.exp(-HAZARD_PER_IMPAIRMENT * impairment)
    death = second_day + 1 + np.floor(scale * rng.exponential(size=len(names)))
    out = rng.integers(FIRST_DAY_OUT, LAST_DAY_OUT, size=len(names))
    return [
        _event(name, int(min(death[i], out[i])), "death" if death[i] <= out[i] else "last contact")
        for i, name in enumerate(names)
    ]


def _event(name: str, day: int, event: str) -> Row:
    return {"patient": name, "time": str(day), "event": event}


def _ligand() -> Invented:
    """sFasL: no level was above its limit."""
    limit = printed_summary().highest_fas_ligand
    return Invented("sFasL", "ng/mL", math.nan, math.nan, math.nan, 1.0, limit, 2)


def matched(
    rng: np.random.Generator, marker: Invented, dose: NDArray[np.object_], impairment: Array, target: Printed
) -> tuple[Array, Array]:
    """Levels before and after, redrawn until every printed direction of this marker is met."""
    wanted = {d: target.direction.get((marker.analyte, d), "none") for d in DOSES}
    for _ in range(MOST_ATTEMPTS):
        n = len(dose)
        patient = marker.patient_sd * (0.4 * impairment + math.sqrt(1 - 0.16) * rng.normal(size=n))
        before = marker.median * np.exp(patient + marker.error_sd * rng.normal(size=n))
        after = marker.median * marker.factor * np.exp(patient + marker.error_sd * rng.normal(size=n))
        before, after = np.round(before, marker.digits), np.round(after, marker.digits)
        if all(_direction(before[dose == d], after[dose == d], marker.limit) == wanted[d] for d in DOSES):
            return before, after
    raise RuntimeError(f"{marker.analyte}: no draw in {MOST_ATTEMPTS} has the printed directions")


def _direction(before: Array, after: Array, limit: float) -> str:
    """`increase`, `decrease` or `none` by Wilcoxon's paired test with half the limit below it."""
    from scipy.stats import wilcoxon

    x = np.where(before < limit, limit / 2, before)
    y = np.where(after < limit, limit / 2, after)
    change = y - x
    if not np.any(change != 0):
        return "none"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = np.abs(change)
        plain = len(np.unique(sizes)) == len(sizes) and bool(np.all(sizes > 0))
        p = float(wilcoxon(change, method="auto" if plain else "approx").pvalue)
    if p >= ALPHA:
        return "none"
    return "increase" if float(np.median(change)) > 0 else "decrease"


def _patients(
    rng: np.random.Generator, names: list[str], dose: NDArray[np.object_], impairment: Array
) -> list[Row]:
    n = len(names)
    age = np.clip(np.round(69 + 8 * rng.normal(size=n)), 45, 86)
    male = rng.random(n) < 0.8
    weight = np.round(np.where(male, 62, 52) - 2.5 * impairment + 7 * rng.normal(size=n), 1)
    albumin = np.round(35 - 3.2 * impairment + 2.0 * rng.normal(size=n))
    bilirubin = np.round(np.exp(2.75 + 0.35 * impairment + 0.25 * rng.normal(size=n)))
    return [
        {
            "patient": name,
            "daily_dose": f"{dose[i]} mg",
            "daily_dose_mg": str(dose[i]),
            "age": f"{age[i]:.0f}",
            "sex": "male" if male[i] else "female",
            "weight": f"{weight[i]:.1f}",
            "albumin": f"{albumin[i]:.0f}",
            "bilirubin": f"{bilirubin[i]:.0f}",
        }
        for i, name in enumerate(names)
    ]


def _level(name: str, day: int, marker: Invented, level: float, when: str, batch: str) -> Row:
    below = level < marker.limit
    return {
        "patient": name,
        "time": str(day),
        "analyte": marker.analyte,
        "value": "" if below else f"{level:.{marker.digits}f}",
        "unit": marker.unit,
        "below_limit": "1" if below else "0",
        "limit": f"{marker.limit:g}",
        "assay": ASSAY,
        "batch": batch,
        "occasion": when,
    }


def main() -> None:
    """Write the example's tables."""
    parser = argparse.ArgumentParser(description="Draw the simulated cohort of examples/cytokine-change.")
    parser.add_argument("--out", type=Path, default=EXAMPLE)
    write_tables(simulate(), parser.parse_args().out)


if __name__ == "__main__":
    main()
