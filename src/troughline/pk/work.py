"""How much of a file is drawn and simulated: settled before anything is computed, and said in the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.pk.outlying import PRIOR_DRAWS, measured

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DEFAULT_DRAWS = 1000
MOST_DRAWN = 2000
"""Patients beyond which nothing is drawn unless draws are asked for."""
MOST_DIAGNOSED = 1000
"""Patients that figures and simulations are made of at most."""
MOST_SIMULATED = 10_000
"""Samples that are simulated at most."""
FEWEST_DIAGNOSED = 20
_MICROSECONDS = ((2.0, 1.0), (300.0, 5.0), (25.0, 25.0))
"""What a record and a repeated dose take about: linear, linear with rates that vary in time, nonlinear."""
_DRAW_BUDGET_S, _PRIOR_BUDGET_S = 1800.0, 600.0
"""Time of one core that drawing and simulating may take by this reckoning, if nothing else is asked for."""
_PASSES_OF_A_DRAW = 2
"""A draw costs about one proposal and half a prediction of the exposure, at many more times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is drawn and simulated.

    `draws` of each posterior (0: first order), and why there are none where none were refused;
    `simulate_tails`: every sample's prior probability by simulation; `simulations` of the patients
    `diagnosed` (indices, spread evenly over the file).
    """

    draws: int
    why_none: str
    simulate_tails: bool
    simulations: int
    diagnosed: Ints


def plan_work(model: Model, records: Records, *, draws: int | None, simulations: int) -> Plan:
    """Settle what is drawn and simulated from the size of the file and the kind of the model alone.

    - Draws that are asked for are drawn. Otherwise 1,000, but none for more than 2,000 patients nor where
      the reckoned time of one core (doses and records · µs each) is over half an hour.
    - Prior probabilities are simulated for up to 2,000 patients and ten minutes.
    - Simulations and figures are of at most 1,000 patients, 10,000 samples and ten minutes, but of 20
      patients at least; the patients are spread evenly over those with samples.

    Raises `ValueError` for negative numbers.
    """
    if (draws is not None and draws < 0) or simulations < 0:
        raise ValueError(f"draws and simulations must be at least 0, not {draws} and {simulations}")
    seconds = _seconds_of_a_prediction(model, records)
    few = records.n_patients <= MOST_DRAWN
    too_long = float(seconds.sum()) * DEFAULT_DRAWS * _PASSES_OF_A_DRAW > _DRAW_BUDGET_S
    why = "" if few else f"the file has more than {MOST_DRAWN:,} patients"
    if few and too_long:
        why = f"{DEFAULT_DRAWS:,} draws of each patient would take long with this model and so many doses"
    chosen = draws if draws is not None else 0 if why else DEFAULT_DRAWS
    return Plan(
        draws=chosen,
        why_none=why if draws is None else "",
        simulate_tails=few and float(seconds.sum()) * PRIOR_DRAWS <= _PRIOR_BUDGET_S,
        simulations=simulations,
        diagnosed=_diagnosed(model, records, seconds * max(simulations, 1)),
    )


def _seconds_of_a_prediction(model: Model, records: Records) -> Floats:
    """About how long one prediction of each patient takes (n_patients,)."""
    of_record, of_repeat = _MICROSECONDS[model.compiled.kind]
    every = 1e-6 * (of_record + of_repeat * repeated_doses(records))
    return np.bincount(records.patient_index(), weights=every, minlength=records.n_patients).astype(
        np.float64
    )


def repeated_doses(records: Records) -> Ints:
    """How often each record's dose is repeated by its patient's last record (n_records,)."""
    if not len(records):
        return np.empty(0, dtype=np.int64)
    last = records.time_h[np.maximum(records.first[1:] - 1, 0)][records.patient_index()]
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(records.interval_h > 0, np.floor((last - records.time_h) / records.interval_h), 0.0)
    return np.clip(np.minimum(records.additional, np.nan_to_num(room)), 0, None).astype(np.int64)


def _diagnosed(model: Model, records: Records, seconds: Floats) -> Ints:
    samples = np.bincount(records.patient_index()[measured(model, records)], minlength=records.n_patients)
    sampled = np.flatnonzero(samples)
    if not len(sampled):
        return sampled.astype(np.int64)
    n = min(len(sampled), MOST_DIAGNOSED)
    n = min(n, int(MOST_SIMULATED / samples[sampled].mean()))
    affordable = int(_PRIOR_BUDGET_S / max(float(seconds[sampled].mean()), 1e-12))
    n = max(min(n, affordable), min(FEWEST_DIAGNOSED, len(sampled)))
    return sampled[np.unique(np.linspace(0, len(sampled) - 1, n).round().astype(np.int64))].astype(np.int64)
