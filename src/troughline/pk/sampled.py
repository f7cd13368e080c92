"""Observation records beside what the model predicts there: of the typical patient and of each estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.model.records import ABOVE_LIMIT, BELOW_LIMIT, QUANTIFIED
from troughline.pk.prior_prediction import centred

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records
    from troughline.model.spec import Output
    from troughline.pk.individual import Individuals

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What is predicted at the observation records of some patients; all arrays (n_observations,).

    `record`: which of the records these are. `observed`, `limit`, `population` and `individual` are levels in
    the output's unit, `individual_sd` the residual error's SD at the individual prediction, in that unit or,
    where the error is on the log scale, of the logarithm; `iwres` in SDs. `probability`: that of a level at
    least as far out before any sample; `far`: whether it is too small. NaN where there is none.
    """

    record: Ints
    observed: Floats
    limit: Floats
    population: Floats
    individual: Floats
    individual_sd: Floats
    iwres: Floats
    probability: Floats
    far: Flags


def predict_samples(
    model: Model,
    records: Records,
    individuals: Individuals,
    *,
    probability: Floats,
    far: Flags,
    threads: int | None = None,
) -> Sampled:
    """Predict at every observation record; `probability` and `far` (n_records,) from `outlying`."""
    outputs, at = model.spec.outputs, np.flatnonzero(records.observed)
    output, code = records.output[at], records.censoring[at]
    tolerance = individuals.options.tolerance
    population = model.predict(
        records, theta=individuals.theta, tolerance=tolerance, threads=threads, check=False
    )
    own = model.predict(
        records, theta=individuals.theta, effects=individuals.filled(), tolerance=tolerance, threads=threads,
        check=False,
    )  # fmt: skip
    lost = np.isin(individuals.status, (2, 3))[records.patient_index()[at]]
    individual = np.where(lost, np.nan, own.value[at])
    made = centred(outputs, output, individual[None, :], own.error[at][None, :])
    logged = np.array([o.error.on_log_scale for o in outputs], dtype=bool)[output]
    factor = factors(outputs)[output]
    censored = (code == BELOW_LIMIT) | (code == ABOVE_LIMIT)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        iwres = (records.value[at] - made.centre[0]) / made.sd[0]
        observed = np.where(logged, np.exp(records.value[at]), records.value[at]) / factor
        limit = np.where(logged, np.exp(records.limit[at]), records.limit[at]) / factor
    return Sampled(
        record=at,
        observed=_as_written(np.where(code == QUANTIFIED, observed, np.nan)),
        limit=_as_written(np.where(censored | (code == QUANTIFIED), limit, np.nan)),
        population=population.value[at] / factor,
        individual=individual / factor,
        individual_sd=made.sd[0] / np.where(logged, 1.0, factor),
        iwres=np.where((code == QUANTIFIED) & np.isfinite(iwres), iwres, np.nan),
        probability=probability[at],
        far=far[at],
    )


def _as_written(levels: Floats) -> Floats:
    """Levels without what two conversions of their unit and scale did to the last digits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = 11 - np.floor(np.log10(np.abs(levels)))
        scale = 10.0 ** np.where(np.isfinite(digits), np.clip(digits, -300, 300), 0.0)
        return np.where(np.isfinite(digits), np.round(levels * scale) / scale, levels)


def factors(outputs: tuple[Output, ...]) -> Floats:
    """How many canonical units one unit of each output is (n_outputs,)."""
    return np.array([float(o.factor) for o in outputs], dtype=np.float64)
