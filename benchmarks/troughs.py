"""10,000 patients × 180 troughs, beside libRoadRunner with events on some of the same patients.

    python -m benchmarks.troughs [--patients 10000] [--rival 5] [--repeats 5]

400 mg each 12 h for 90 days, a trough three minutes before each next dose, clearance and volume drawn for
each patient. The model is `sorafenib-like.toml`; libRoadRunner gets it as the SBML document that `models
export` writes, with its dosing event, loaded and compiled once. Its time is taken on a few patients and said
per patient. Times are the processor's. Ends with an error where a trough differs by more than 1e-5.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

import numpy as np
import roadrunner
from numpy.typing import NDArray

from benchmarks.pk_data import MODEL, repeated
from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from
from troughline.model.model import Model, load_model
from troughline.model.records import Records
from troughline.model.sbml import to_sbml

Floats = NDArray[np.float64]
DOSE_MG, EVERY_H, DOSES = 400.0, 12.0, 180
TROUGHS_H = EVERY_H * np.arange(1, DOSES + 1) - 0.05
TARGET_RATIO, SAME = 1000.0, 1e-5


def regimen(model: Model, n: int) -> Records:
    """Ninety days of doses and troughs for n patients."""
    one = PatientRecord(
        patient="1",
        doses=(DoseEvent(time_h=0, amount_mg=DOSE_MG, interval_h=EVERY_H, additional=DOSES - 1),),
        samples=tuple(Sample(time_h=float(t)) for t in TROUGHS_H),
    )
    return repeated(records_from([one], model.spec), n)


def rival_troughs(model: Model, effects: Floats) -> tuple[Floats, float]:
    """Troughs by libRoadRunner (n, 180) and its seconds per patient."""
    # SUNDIALS would warn at each event that its first step is small.
    os.environ.setdefault("SUNLOGGER_WARNING_FILENAME", os.devnull)
    simulator: Any = roadrunner.RoadRunner(to_sbml(model.spec))
    simulator.integrator.relative_tolerance = 1e-8
    simulator.integrator.absolute_tolerance = 1e-8
    settings = {
        "dose_amount": DOSE_MG,
        "dose_interval": EVERY_H,
        "n_doses": float(DOSES),
        "next_dose_time": 0.0,
    }
    troughs = np.zeros((len(effects), DOSES))
    start = time.process_time()
    for k, eta in enumerate(effects):
        for name, value in (
            settings | dict(zip(model.spec.subject_effects, eta.tolist(), strict=True))
        ).items():
            simulator[f"init({name})"] = value
        simulator.resetAll()
        simulator.timeCourseSelections = ["time", "output_sorafenib"]
        troughs[k] = np.asarray(simulator.simulate(times=[0.0, *TROUGHS_H.tolist()]))[1:, 1]
    return troughs, (time.process_time() - start) / len(effects)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--rival", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    model = load_model(MODEL)
    effects = np.random.default_rng(1).normal(0.0, np.sqrt(np.log(1.25)), (given.patients, 2))
    records = regimen(model, given.patients)
    seconds: list[float] = []
    for _ in range(given.repeats + 1):
        start = time.process_time()
        predicted = model.predict(records, effects=effects, threads=1)
        seconds.append((time.process_time() - start) / given.patients)
    ours = predicted.value[records.observed].reshape(given.patients, DOSES)
    theirs, rival = rival_troughs(model, effects[: given.rival])
    median = statistics.median(seconds[1:])  # the first run may have compiled
    apart = np.max(np.abs(ours[: given.rival] / theirs - 1.0))
    print(f"libRoadRunner with events       {1e3 * rival:9.3f} ms per patient ({given.rival} patients)")
    print(f"Troughline, one core            {1e3 * median:9.4f} ms per patient (median of {given.repeats})")
    print(
        f"{given.patients:,} patients × {DOSES} troughs {given.patients * median:9.2f} s; "
        f"libRoadRunner, scaled from {given.rival}: {given.patients * rival:.0f} s"
    )
    print(f"ratio                           {rival / median:9.0f} (at least {TARGET_RATIO:.0f} wanted)")
    print(f"largest relative difference     {apart:9.1e}")
    if not apart <= SAME:
        raise SystemExit("the troughs differ")


if __name__ == "__main__":
    main()
