"""Compile the engine and the estimation once, for all that run after: `python -m troughline.pk.warm`."""

from __future__ import annotations

import sys
import time

from troughline.model import warm as engine
from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from
from troughline.model.model import load_model


def warm() -> None:
    """Estimate a patient, draw from his posterior and predict his exposure, areas included."""
    from troughline.pk.exposure import ExposureQuery, exposure_draws
    from troughline.pk.individual import estimate_individuals
    from troughline.pk.posterior import PosteriorOptions, draw_posterior

    model = load_model(engine.LINEAR)
    patient = PatientRecord(
        patient="warm",
        samples=[Sample(time_h=4.0, value=1.0), Sample(time_h=24.0, value=0.5)],
        doses=[DoseEvent(time_h=0.0, amount_mg=60.0, interval_h=24.0, additional=2)],
    )
    records = records_from([patient], model.spec)
    individuals = estimate_individuals(model, records)
    posterior = draw_posterior(model, records, individuals, options=PosteriorOptions(seed=1))
    queries = [
        ExposureQuery(quantity="trough", end=48.0),
        ExposureQuery(quantity="cmax", start=24.0, end=48.0),
        ExposureQuery(quantity="auc", start=24.0, end=48.0),
    ]
    exposure_draws(model, records, 0, posterior.draws[0], queries)


def main() -> None:
    """Warm the engine, then the estimation, and say how long each took."""
    engine.main()
    begun = time.perf_counter()
    warm()
    sys.stdout.write(f"estimation: ready in {time.perf_counter() - begun:.1f} s\n")


if __name__ == "__main__":
    main()
