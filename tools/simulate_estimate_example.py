"""Draw `examples/estimate`: levels of 12 made-up patients on sorafenib, as a clinic would bring them.

Every patient is simulated from the bundled model `sorafenib/hcc` with its own variability and residual
error, and named `SIM-…`. Each is on sorafenib at steady state and comes once or twice. Three things are
there on purpose: levels below the limit of quantification (after the drug was stopped), a level ten times too
large (a slip of the decimal point, `SIM-07`), and a patient without any sample (`SIM-12`).

Run `python tools/simulate_estimate_example.py [--out DIR]`; the same file comes out, byte for byte.
"""

from __future__ import annotations

import argparse
import csv
import io
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from troughline.cohort.nonmem import read_nonmem
from troughline.model.model import Model, load_model
from troughline.pk.replicates import replicates

SEED = 20110816
MODEL = "sorafenib/hcc"
LIMIT = 0.3
SLIP = 10.0
EXAMPLE = Path(__file__).resolve().parents[1] / "src" / "troughline" / "examples" / "estimate"
HEADER = (
    "ID", "TIME", "EVID", "AMT", "II", "SS", "DV", "BLQ", "LLOQ", "OCC", "WEIGHT", "CHILD_PUGH_CLASS",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A day on treatment, the dose taken then at steady state, and hours after it of samples."""

    day: int
    dose_mg: float = 400.0
    interval_h: float = 12.0
    samples_h: tuple[float, ...] = ()
    slipped: bool = False


@dataclass(frozen=True, kw_only=True)
class Patient:
    """A made-up patient."""

    name: str
    weight: float
    child_pugh: str
    visits: tuple[Visit, ...]


PATIENTS = tuple(
    Patient(name=f"SIM-{k:02d}", weight=weight, child_pugh=grade, visits=visits)
    for k, (weight, grade, visits) in enumerate(
        (
            (71, "A", (Visit(day=14, samples_h=(11.5,)), Visit(day=56, samples_h=(10.8,)))),
            (58, "A", (Visit(day=15, samples_h=(2.0, 6.0, 11.8)),)),
            (83, "B", (Visit(day=28, dose_mg=200, samples_h=(11.2,)),)),
            (64, "A", (Visit(day=14, samples_h=(4.5,)), Visit(day=70, dose_mg=200, samples_h=(11.9,)))),
            (49, "B", (Visit(day=21, dose_mg=200, interval_h=24, samples_h=(23.0,)),)),
            (92, "A", (Visit(day=14, samples_h=(11.0, 144.0, 240.0)),)),
            (77, "A", (Visit(day=28, samples_h=(3.5,), slipped=True), Visit(day=84, samples_h=(11.4,)))),
            (66, "A", (Visit(day=30, samples_h=(1.0, 8.0)),)),
            (70, "B", (Visit(day=14, samples_h=(11.7,)), Visit(day=42, dose_mg=200, samples_h=(11.6,)))),
            (61, "A", (Visit(day=35, interval_h=24, samples_h=(22.5, 168.0)),)),
            (80, "A", (Visit(day=14, samples_h=(11.3,)), Visit(day=112, samples_h=(11.1,)))),
            (55, "A", (Visit(day=14),)),
        ),
        start=1,
    )
)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=EXAMPLE)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    (out / "data.csv").write_text(example_text(load_model(MODEL)), encoding="utf-8")


def example_text(model: Model) -> str:
    """The file as text: the design, with levels that the model draws."""
    with TemporaryDirectory() as folder:
        design = Path(folder) / "design.csv"
        design.write_text(_text(None), encoding="utf-8")
        records = read_nonmem(design, model.spec).records
    drawn = [
        np.where(part.records.observed, part.simulated, np.nan)
        for part in replicates(model, records, draws=1, seed=SEED)
    ]
    return _text(np.concatenate(drawn))


def _text(levels: np.ndarray | None) -> str:
    """The rows; without levels, a level of 1 everywhere."""
    file = io.StringIO()
    writer = csv.DictWriter(file, HEADER, restval=".", lineterminator="\n")
    writer.writeheader()
    k = 0
    for patient in PATIENTS:
        same = {"ID": patient.name, "WEIGHT": f"{patient.weight:g}", "CHILD_PUGH_CLASS": patient.child_pugh}
        for occasion, visit in enumerate(patient.visits, start=1):
            same["OCC"] = str(occasion)
            dose = {"EVID": 1, "AMT": f"{visit.dose_mg:g}", "II": f"{visit.interval_h:g}", "SS": 1}
            writer.writerow({**same, "TIME": f"{24 * visit.day:g}", **dose})
            k += 1
            for hours in visit.samples_h:
                level = 1.0 if levels is None else float(levels[k])
                shown = _level(level * (SLIP if visit.slipped else 1.0))
                writer.writerow({**same, "TIME": f"{24 * visit.day + hours:g}", "EVID": 0, **shown})
                k += 1
    return file.getvalue()


def _level(level: float) -> dict[str, str]:
    below = level < LIMIT
    return {"DV": "." if below else f"{level:.2f}", "BLQ": str(int(below)), "LLOQ": f"{LIMIT:g}"}


if __name__ == "__main__":
    main()
