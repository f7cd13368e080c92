"""Predictions at the records of a data file: of the typical patient, of individuals, and simulated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.issues import Findings, InputError, Severity
from troughline.progress import silent

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records
    from troughline.model.spec import Output
    from troughline.pk.table_file import Kind
    from troughline.progress import Progress

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Table = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationRequest:
    """What to predict, and where to write it.

    `data`: a NONMEM-style file, with `columns` as `read_nonmem` takes them; `out`: a CSV or Parquet file.
    `individuals`: a table with the effects of each patient, for individual predictions. `draws`: how many
    replicates to simulate instead, from `seed`; 0 for none.
    """

    data: Path
    model: Model
    out: Path
    columns: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    individuals: Path | None = None
    draws: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.draws < 0 or self.seed < 0:
            raise ValueError(f"draws and seed must be at least 0, not {self.draws} and {self.seed}")
        if self.draws and self.individuals is not None:
            raise ValueError("individuals are predicted and replicates drawn, not both at once")

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that are read; a sheet is no part of its name."""
        data = Path(str(self.data).partition("#")[0])
        return (data,) if self.individuals is None else (data, self.individuals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What was written: `n_rows` of `n_patients`; `failed`: patients without a prediction, and why."""

    n_rows: int
    n_patients: int
    failed: Mapping[str, str]
    findings: Findings


def simulate(request: SimulationRequest, *, progress: Progress = silent) -> Simulation:
    """Predict at the observation records of a data file and write a table of them.

    Columns: `row` of the data file, `patient`, `time_h`, `output`, `unit`, then in that unit `population`,
    and `individual` where individuals are given; or, with draws, `replicate` first and in the unit
    `prediction` (with the drawn random effects) and `simulated` (with residual error too).

    A patient without a prediction has empty cells and a reason in `failed`. Raises `InputError` for data that
    cannot be used, `PredictionError` where no patient has a prediction, `OSError` where `out` cannot be
    written; then nothing is written.
    """
    from troughline.cohort.nonmem import read_nonmem
    from troughline.model.engine import STATUS_TEXT, PredictionError
    from troughline.pk.individual_table import read_individuals
    from troughline.pk.table_file import check_table_target, table_file

    check_table_target(request.out, inputs=request.inputs)
    data = read_nonmem(request.data, request.model.spec, columns=request.columns, progress=progress)
    records, found = data.records, Findings(list(data.findings))
    if not records.observed.any():
        found.add(
            Severity.ERROR,
            "no-observation",
            "has no observation record (EVID 0), so there is nothing to predict",
            file=request.data.name,
        )
        raise InputError(found)
    progress("compiling the model, which takes minutes the first time", 0, 1)
    effects = None
    if request.individuals is not None:
        effects, more = read_individuals(request.individuals, request.model, records)
        found.extend(more)
    failed: dict[str, int] = {}
    make = _simulated if request.draws else _predicted
    with table_file(request.out, _kinds(request)) as table:
        for rows, done, status in make(request, records, effects):
            table.write(rows)
            failed = {**status, **failed}
            progress("predicting patients", done, records.n_patients)
        if len(failed) == records.n_patients:
            raise PredictionError(failed, failed.values())
    return Simulation(
        n_rows=table.rows,
        n_patients=records.n_patients,
        failed={patient: STATUS_TEXT[status] for patient, status in failed.items()},
        findings=found,
    )


def _kinds(request: SimulationRequest) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {
        "row": "integer", "patient": "text", "time_h": "number", "output": "text", "unit": "text",
    }  # fmt: skip
    if request.draws:
        return {"replicate": "integer", **kinds, "prediction": "number", "simulated": "number"}
    last: dict[str, Kind] = {} if request.individuals is None else {"individual": "number"}
    return {**kinds, "population": "number", **last}


_Chunks = Iterator[tuple[Table, int, dict[str, int]]]


def _predicted(request: SimulationRequest, records: Records, effects: Floats | None) -> _Chunks:
    """The rows of the table by chunks, how many patients are done, and those that failed."""
    from troughline.model.records import records_slice
    from troughline.pk.replicates import chunks

    for begin, end, _, _ in chunks(records):
        some = records_slice(records, begin, end)
        in_unit = _converter(request.model.spec.outputs, some)
        population = request.model.predict(some, check=False)
        rows = {**_places(request.model.spec.outputs, some), "population": in_unit(population.value)}
        failed = _failed(some, population.status)
        if effects is not None:
            own = effects[begin:end]
            known = ~np.asarray(np.isnan(own).any(axis=1), dtype=bool)
            individual = request.model.predict(some, effects=np.where(known[:, None], own, 0.0), check=False)
            value = np.where(known[some.patient_index()], individual.value, np.nan)
            rows["individual"] = in_unit(value)
            failed |= _failed(some, individual.status)
        yield rows, end, failed


def _simulated(request: SimulationRequest, records: Records, _: Floats | None) -> _Chunks:
    from troughline.pk.replicates import replicates

    done: set[str] = set()
    for made in replicates(request.model, records, draws=request.draws, seed=request.seed):
        in_unit = _converter(request.model.spec.outputs, made.records)
        rows = {
            "replicate": made.replicate[made.records.observed],
            **_places(request.model.spec.outputs, made.records),
            "prediction": in_unit(made.prediction),
            "simulated": in_unit(made.simulated),
        }
        done.update(made.records.patients)
        yield rows, len(done), _failed(made.records, made.status)


def _places(outputs: tuple[Output, ...], records: Records) -> Table:
    """Where and what each observation record observes."""
    observed = records.observed
    output = records.output[observed]
    return {
        "row": records.row[observed],
        "patient": np.array(records.patients, dtype=object)[records.patient_index()[observed]],
        "time_h": records.time_h[observed],
        "output": np.array([o.name for o in outputs], dtype=object)[output],
        "unit": np.array([o.unit for o in outputs], dtype=object)[output],
    }


def _converter(outputs: tuple[Output, ...], records: Records) -> Callable[[Floats], Floats]:
    """Takes values of all records in canonical units to those of the observations in the output's unit."""
    observed = records.observed
    output = records.output[observed]
    times = np.array([float(o.factor.denominator) for o in outputs])[output]
    over = np.array([float(o.factor.numerator) for o in outputs])[output]

    def convert(values: Floats) -> Floats:
        in_unit = values[observed] * times / over
        return np.where(np.isfinite(in_unit), in_unit, np.nan)

    return convert


def _failed(records: Records, status: Ints) -> dict[str, int]:
    return {records.patients[i]: int(status[i]) for i in np.flatnonzero(status).tolist()}
