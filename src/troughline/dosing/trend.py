"""Exposure that falls over months, for a model that does not know of it: an uncertain factor from a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.pk.posterior import generator_of

if TYPE_CHECKING:
    from troughline.dosing.patient import DosePatient
    from troughline.evidence.drug_sections import ExposureTrend
    from troughline.model.spec import ModelSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TrendFactor:
    """Exposure over that at `from_h`, for each draw: exp(−rate · (days on drug between)).

    `rate_per_day` (n_draws,): the fall acts between `first_day` and `last_day` on the drug only.
    """

    rate_per_day: Floats
    first_day: float
    last_day: float
    from_h: float

    def at(self, times_h: Floats, rows: NDArray[np.int64]) -> Floats:
        """The factor (n_rows, n_times) for some draws; 1 up to `from_h`."""
        day = np.clip(np.maximum(times_h, self.from_h) / 24.0, self.first_day, self.last_day)
        start = float(np.clip(self.from_h / 24.0, self.first_day, self.last_day))
        factor: Floats = np.exp(-np.outer(self.rate_per_day[rows], day - start))
        return factor


def knows_time(spec: ModelSpec) -> bool:
    """Whether a model's exposure depends on the time since its start, apart from dosing."""
    changing = {"t"}
    for name, expression in (*spec.individual, *spec.variables):
        if expression.names & changing:
            changing.add(name)
    used = [e for i in spec.inputs for e in (i.bioavailability, i.rate) if e is not None]
    used += [f.rate for f in spec.flows] + list(spec.derivatives.values())
    return any(e.names & changing for e in used)


def knows_dose(spec: ModelSpec) -> bool:
    """Whether a model's exposure is other than proportional to the dose."""
    changing = {"dose"}
    for name, expression in spec.individual:
        if expression.names & changing:
            changing.add(name)
    return any(i.bioavailability is not None and i.bioavailability.names & changing for i in spec.inputs)


def published_trend(drug_id: str) -> tuple[ExposureTrend, float] | None:
    """The fall of exposure on file for a drug, and its rate in 1/day; None where there is none."""
    from math import log

    from troughline.evidence.store import load_drug, load_publication

    drug = load_drug(drug_id)
    if not drug.exposure_trend:
        return None
    trend = drug.exposure_trend[0]
    study = load_publication(trend.study)
    first, last = study.sourced(trend.first).value, study.sourced(trend.last).value
    if first is None or last is None:
        return None
    return trend, log(first / last) / (trend.last_day - trend.first_day)


def trend_factor(patient: DosePatient, spec: ModelSpec, n: int, from_h: float) -> TrendFactor | None:
    """The factor for a model that has no time in it; None for one that has, or where no fall is on file.

    The rate is normal around the published one, with the relative SD that the drug's file states, keyed by
    the seed and the patient, and so the same for every regimen.
    """
    if knows_time(spec):
        return None
    published = published_trend(patient.drug)
    if published is None:
        return None
    trend, rate = published
    rng = generator_of(patient.options.seed, patient.id, f"trend {spec.id}")
    rates = rate * (1.0 + trend.relative_sd * rng.standard_normal(n))
    return TrendFactor(rate_per_day=rates, first_day=trend.first_day, last_day=trend.last_day, from_h=from_h)
