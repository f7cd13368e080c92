"""The tables of `estimate`: their columns, and the rows of some patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.model.records import ABOVE_LIMIT, BELOW_LIMIT, MISSING, QUANTIFIED
from troughline.pk.individual import STATUS
from troughline.pk.interval_exposure import QUANTITIES
from troughline.pk.outlying import FAR_OUTSIDE
from troughline.pk.sampled import factors

if TYPE_CHECKING:
    from troughline.model.records import Records
    from troughline.model.spec import Output
    from troughline.pk.dosing_intervals import DosingIntervals
    from troughline.pk.individual import Individuals
    from troughline.pk.interval_exposure import IntervalExposure
    from troughline.pk.sampled import Sampled
    from troughline.pk.table_file import Kind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = dict[str, NDArray[Any]]

TABLES = ("individuals", "predictions", "exposure", "parameters")
NO_DOSE = "no dose: no dosing interval"
CENSORING = {QUANTIFIED: "quantified", BELOW_LIMIT: "below", ABOVE_LIMIT: "above", MISSING: "not measured"}
_BOUNDS = ("median", "low", "high")


def table_kinds(names: tuple[str, ...]) -> dict[str, dict[str, Kind]]:
    """The columns of each table and what they hold; `names` (q,): the effects of the file's patients."""
    individuals: dict[str, Kind] = {"patient": "text"}
    individuals |= dict.fromkeys(
        (*names, *_covariance_names(names), "objective", "objective_focei"), "number"
    )
    individuals |= {
        "n_observations": "integer", "status": "text", "effective_sample_size": "number", "method": "text",
    }  # fmt: skip
    predictions: dict[str, Kind] = {
        "row": "integer", "patient": "text", "time_h": "number", "output": "text", "unit": "text",
        "observed": "number", "censoring": "text", "limit": "number", "population": "number",
        "individual": "number", "individual_sd": "number", "iwres": "number",
        "prior_tail_probability": "number", "flag": "text", "status": "text",
    }  # fmt: skip
    exposure: dict[str, Kind] = {
        "patient": "text", "output": "text", "unit": "text", "start_h": "number", "end_h": "number",
        "interval_h": "number", "dose_mg": "number",
    }  # fmt: skip
    exposure |= dict.fromkeys((f"{q}_{bound}" for q in QUANTITIES for bound in _BOUNDS), "number")
    exposure |= {"method": "text", "status": "text"}
    parameters: dict[str, Kind] = {
        "patient": "text", "parameter": "text", "unit": "text", "estimate": "number", "median": "number",
        "low": "number", "high": "number", "status": "text",
    }  # fmt: skip
    return {
        "individuals": individuals,
        "predictions": predictions,
        "exposure": exposure,
        "parameters": parameters,
    }


def individual_rows(
    individuals: Individuals, names: tuple[str, ...], effective: Floats, method: list[str]
) -> Rows:
    """A row for each patient; `effective` and `method` (n_patients,) tell how the posterior was drawn."""
    n, q = individuals.effects.shape
    rows: Rows = {"patient": np.array(individuals.patients, dtype=object)}
    own = np.array([np.arange(q) < k for k in individuals.n_effects], dtype=bool).reshape(n, q)
    effects = np.where(own, individuals.effects, np.nan)
    covariance = np.where(own[:, :, None] & own[:, None, :], individuals.covariance, np.nan)
    for i, name in enumerate(names):
        rows[name] = effects[:, i] if i < q else np.full(n, np.nan)
    for i, a in enumerate(names):
        for j, b in enumerate(names[: i + 1]):
            rows[f"cov_{a}_{b}"] = covariance[:, i, j] if i < q else np.full(n, np.nan)
    rows["objective"] = _finite(individuals.objective)
    rows["objective_focei"] = _finite(individuals.objective_focei)
    rows["n_observations"] = individuals.n_observations
    rows["status"] = status_texts(individuals.status)
    rows["effective_sample_size"] = effective
    rows["method"] = np.array(method, dtype=object)
    return rows


def prediction_rows(
    outputs: tuple[Output, ...], records: Records, individuals: Individuals, sampled: Sampled
) -> Rows:
    """A row for each observation record, also where only a prediction was asked for."""
    at, patient = sampled.record, records.patient_index()[sampled.record]
    output = records.output[at]
    words = np.array([CENSORING[k] for k in range(len(CENSORING))], dtype=object)
    return {
        "row": records.row[at],
        "patient": np.array(records.patients, dtype=object)[patient],
        "time_h": records.time_h[at],
        "output": np.array([o.name for o in outputs], dtype=object)[output],
        "unit": np.array([o.unit for o in outputs], dtype=object)[output],
        "observed": sampled.observed,
        "censoring": words[records.censoring[at]],
        "limit": sampled.limit,
        "population": _finite(sampled.population),
        "individual": _finite(sampled.individual),
        "individual_sd": _finite(sampled.individual_sd),
        "iwres": _finite(sampled.iwres),
        "prior_tail_probability": sampled.probability,
        "flag": np.where(sampled.far, FAR_OUTSIDE, "").astype(object),
        "status": status_texts(individuals.status)[patient],
    }


def exposure_rows(
    outputs: tuple[Output, ...],
    individuals: Individuals,
    intervals: DosingIntervals,
    exposure: IntervalExposure,
    method: list[str],
) -> Rows:
    """A row for each dosing interval and output, and one for each patient without an interval."""
    n_out = len(outputs)
    without = np.setdiff1d(np.arange(len(individuals.patients)), intervals.patient)
    patient = np.concatenate([np.repeat(intervals.patient, n_out), without])
    order = np.argsort(patient, kind="stable")
    n = len(intervals) * n_out
    unit_of = factors(outputs)

    def column(values: Floats) -> Floats:
        return np.concatenate([np.repeat(values, n_out), np.full(len(without), np.nan)])[order]

    def text(values: list[str], nothing: str) -> NDArray[Any]:
        every = np.array([*values, nothing], dtype=object)
        index = np.concatenate([np.tile(np.arange(n_out), len(intervals)), np.full(len(without), n_out)])
        return every[index[order]]

    rows: Rows = {
        "patient": np.array(individuals.patients, dtype=object)[patient[order]],
        "output": text([o.name for o in outputs], ""),
        "unit": text([o.unit for o in outputs], ""),
        "start_h": column(intervals.start_h),
        "end_h": column(intervals.end_h),
        "interval_h": column(intervals.end_h - intervals.start_h),
        "dose_mg": column(intervals.dose_mg),
    }
    for k, quantity in enumerate(QUANTITIES):
        for bound, values in zip(_BOUNDS, (exposure.median, exposure.low, exposure.high), strict=True):
            in_unit = _finite(values[:, :, k] / unit_of)
            rows[f"{quantity}_{bound}"] = np.concatenate([in_unit.ravel(), np.full(len(without), np.nan)])[
                order
            ]
    rows["method"] = np.array(method, dtype=object)[patient[order]]
    texts = status_texts(individuals.status)[patient]
    texts[n:] = NO_DOSE
    rows["status"] = texts[order]
    return rows


def parameter_rows(
    individuals: Individuals, names: tuple[str, ...], units: tuple[str, ...], values: Floats, bounds: Floats
) -> Rows:
    """A row for each patient and quantity; `values` (n, k) at the estimate, `bounds` (n, k, 3)."""
    n, k = values.shape
    return {
        "patient": np.repeat(np.array(individuals.patients, dtype=object), k),
        "parameter": np.tile(np.array(names, dtype=object), n),
        "unit": np.tile(np.array(units, dtype=object), n),
        "estimate": _finite(values.ravel()),
        "median": _finite(bounds[:, :, 0].ravel()),
        "low": _finite(bounds[:, :, 1].ravel()),
        "high": _finite(bounds[:, :, 2].ravel()),
        "status": np.repeat(status_texts(individuals.status), k),
    }


def status_texts(status: Ints) -> NDArray[Any]:
    """What each status means (n,)."""
    return np.array([STATUS[k] for k in range(len(STATUS))], dtype=object)[status]


def _covariance_names(names: tuple[str, ...]) -> list[str]:
    """The lower triangle, row by row."""
    return [f"cov_{a}_{b}" for i, a in enumerate(names) for b in names[: i + 1]]


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
