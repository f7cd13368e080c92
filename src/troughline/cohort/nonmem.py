"""NONMEM-style files (CSV, TSV, XLSX, Parquet, with the columns of NM-TRAN) to records of a model.

Every row of the file becomes one record, in the file's order. Amounts and times are in the units that the
model file names for its data, observations in the unit of their output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from troughline.cohort.nonmem_columns import Flags, Floats, Ints, Reading, standard_columns
from troughline.cohort.nonmem_doses import Events, read_events
from troughline.cohort.nonmem_observations import read_observations
from troughline.cohort.nonmem_times import Timeline, check_order, timeline
from troughline.cohort.readers import read_table
from troughline.cohort.record_covariates import covariates_of_file, name_patients, occasion_index
from troughline.issues import Findings, InputError, Severity
from troughline.model.records import MISSING, Records

if TYPE_CHECKING:
    from troughline.model.spec import ModelSpec
    from troughline.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class NonmemData:
    """A NONMEM-style file as records of a model.

    `columns`: for each standard name (`DV`) or covariate the column of the file; `record_rows`
    (n_records,): the spreadsheet row of each record; `input_hashes`: the file's SHA-256 by its name.
    """

    records: Records
    findings: Findings
    columns: Mapping[str, str]
    record_rows: Ints
    input_hashes: Mapping[str, str]


def read_nonmem(
    path: str | Path,
    spec: ModelSpec,
    *,
    columns: Mapping[str, str | None] | None = None,
    progress: Progress | None = None,
) -> NonmemData:
    """Read a NONMEM-style file for a model.

    Columns are known by their names in any case: ID, TIME (in the model's time unit, or hh:mm with DATE),
    AMT, RATE, DUR, EVID, MDV, CMT (a number or a state's name), II, ADDL, SS, DV, LDV (on the log scale),
    DVID (an output's name or number), OCC, BLQ or CENS with LLOQ or LIMIT, and the model's covariates.
    `columns` names others ({"DV": "cp", "weight": "WT"}), None leaves a column out; after an XLSX path
    `#Sheet name` picks a sheet.

    A covariate is carried to where it is missing: `next` takes the value of the next record, NONMEM's rule
    by which a record's value holds over the time before it, `last` that of the record before.
    Raises `InputError` with every finding where one of them is an error.
    """
    whole = Path(path)
    found = Findings()
    if progress is not None:
        progress(f"reading {whole.name}", 0, 2)
    result = read_table(whole.name, whole.parent, found)
    reading = None
    if result.table is not None:
        reading = standard_columns(result.table, spec, columns or {}, found)
    if reading is None:
        raise InputError(found)
    if progress is not None:
        progress("checking the records", 1, 2)
    records = _records(reading)
    found.raise_errors()
    hashes = {} if result.sha256 is None else {whole.name.partition("#")[0]: result.sha256}
    return NonmemData(
        records=records,
        findings=found,
        columns=dict(reading.table.names),
        record_rows=records.row,
        input_hashes=hashes,
    )


def _records(reading: Reading) -> Records:
    line = timeline(reading)
    events = read_events(reading)
    check_order(reading, line, events.event)
    observations = read_observations(reading, events, line)
    covariates = covariates_of_file(reading, line)
    occasion = occasion_index(_occasions(reading), line.first)
    _report_patients(reading, line, events, observations.censoring)
    return Records(
        patients=line.patients,
        first=line.first,
        time_h=line.time_h,
        event=events.event,
        amount_mg=events.amount_mg,
        rate_mg_per_h=events.rate_mg_per_h,
        interval_h=events.interval_h,
        additional=events.additional,
        steady_state=events.steady_state,
        compartment=events.compartment,
        output=observations.output,
        value=observations.value,
        censoring=observations.censoring,
        limit=observations.limit,
        covariates=covariates,
        occasion=occasion,
        row=np.asarray(reading.table.rows, dtype=np.int64),
    )


def _occasions(reading: Reading) -> Floats:
    """A number for each record's occasion, the same for the same cell (n_records,)."""
    known: dict[str, float] = {}
    labels, _ = reading.code("OCC", lambda cell: known.setdefault(cell, float(len(known))))
    if not reading.has("OCC") and reading.spec.occasion_effects:
        reading.say(
            Severity.NOTE, "one-occasion", "there is no column OCC: each patient has a single occasion"
        )
    return labels


def _report_patients(reading: Reading, line: Timeline, events: Events, censoring: Ints) -> None:
    """A warning about patients without a dose, a note about those without an observation."""

    def counts(which: Flags) -> Ints:
        return np.bincount(line.patient[which], minlength=len(line.patients))

    measured, dosed = counts(censoring != MISSING), counts(events.is_dose)
    if not measured.any():
        reading.say(
            Severity.NOTE,
            "no-observation",
            "nothing was measured: all that can be had is the prediction before data",
        )
    _say_who(reading, Severity.WARNING, "no-dose", line, dosed == 0, "no dose is given to")
    if measured.any():
        _say_who(
            reading, Severity.NOTE, "no-observation", line, measured == 0, "prediction before data alone for"
        )


def _say_who(
    reading: Reading, severity: Severity, code: str, line: Timeline, which: Flags, message: str
) -> None:
    without = np.flatnonzero(which).tolist()
    if without:
        reading.say(severity, code, f"{message} {name_patients([line.patients[i] for i in without])}")
