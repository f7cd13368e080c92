"""From a study file to a cohort: every table read, checked together, and converted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.checks import check_after_death, check_questions, note_patients_without_records
from troughline.cohort.cohort import Cohort
from troughline.cohort.derived import SCORE_SPECS, add_scores
from troughline.cohort.doses import dose_frame
from troughline.cohort.events import event_frame
from troughline.cohort.measurements import measurement_frame
from troughline.cohort.patients import Roster, check_declarations, patient_frame, patient_roster
from troughline.cohort.question_association import check_associations
from troughline.cohort.question_checks import check_drug, check_outcome_columns
from troughline.cohort.readers import read_table
from troughline.cohort.schema import SCHEMA, Table, TableName, standard_table
from troughline.cohort.times import check_timezone
from troughline.cohort.values import note_missing_words
from troughline.issues import Findings, InputError

if TYPE_CHECKING:
    import pandas as pd

    from troughline.cohort.studyfile import CovariateSpec, Study
    from troughline.progress import Progress

_COLUMNS: dict[TableName, tuple[str, ...]] = {
    "doses": ("patient", "day", "amount_mg", "interval_h", "additional", "steady_state", "row"),
    "measurements": (
        "patient",
        "day",
        *(c.name for c in SCHEMA["measurements"] if c.name not in ("patient", "time")),
        "row",
    ),
    "events": (
        "patient",
        "day",
        *(c.name for c in SCHEMA["events"] if c.name not in ("patient", "time")),
        "row",
    ),
}


@dataclass(slots=True)
class _Reading:
    """What has been read so far."""

    found: Findings = field(default_factory=Findings)
    hashes: dict[str, str] = field(default_factory=dict[str, str])
    patients: pd.DataFrame | None = None
    covariates: dict[str, CovariateSpec] = field(default_factory=dict[str, "CovariateSpec"])
    frames: dict[TableName, tuple[str, pd.DataFrame]] = field(
        default_factory=dict[TableName, "tuple[str, pd.DataFrame]"]
    )


def load_cohort(study: Study, *, progress: Progress | None = None) -> Cohort:
    """Read the tables of a study into a cohort.

    `progress` is called before each table is read.
    Raises `InputError` with every finding of every table when any of them is an error; it is marked as a
    configuration error where only the study file is to blame. Warnings and notes are in `findings`.
    """
    reading = _read(study, progress)
    errors = reading.found.errors
    if errors or reading.patients is None:
        raise InputError(reading.found, configuration=all(e.file == study.path.name for e in errors))
    return _cohort(study, reading, reading.patients)


def check_study(study: Study) -> Findings:
    """Every finding about the tables of a study; no question is answered and bad data do not raise."""
    return _read(study, None).found


def _cohort(study: Study, reading: _Reading, patients: pd.DataFrame) -> Cohort:
    return Cohort(
        study=study,
        patients=patients,
        doses=_frame(reading, "doses"),
        measurements=_frame(reading, "measurements"),
        events=_frame(reading, "events"),
        covariates=reading.covariates,
        findings=tuple(reading.found),
        input_hashes=reading.hashes,
    )


def _read(study: Study, progress: Progress | None) -> _Reading:
    reading = _Reading()
    found = reading.found
    check_timezone(study.study.timezone, file=study.path.name, found=found)
    check_declarations(study, found)
    if study.path.is_file():
        reading.hashes[study.path.name] = hashlib.sha256(study.path.read_bytes()).hexdigest()
    if found.errors:
        # A wrong zone or unit would repeat itself in every row.
        return reading
    check_drug(study, found)
    tables: dict[TableName, Table] = {}
    given: list[TableName] = [name for name in SCHEMA if name in study.tables]
    for done, name in enumerate(given):
        if progress is not None:
            progress(f"reading {study.tables[name]}", done, len(given) + 1)
        table = _table(name, study, reading)
        if table is not None:
            tables[name] = table
    if "patients" not in tables:
        return reading
    if progress is not None:
        progress("checking the tables", len(given), len(given) + 1)
    roster = patient_roster(tables["patients"], study, found)
    patients = patient_frame(tables["patients"], study, found)
    reading.patients, reading.covariates = add_scores(patients, study.covariates, roster.file, found)
    _other_tables(tables, roster, study, reading)
    known = [*reading.covariates, *(name for name in SCORE_SPECS if name in reading.patients.columns)]
    check_questions(study, reading.frames.get("measurements"), dict.fromkeys(known), found)
    check_associations(study, reading.frames.get("measurements"), reading.covariates, found)
    check_outcome_columns(study, tables["patients"], reading.patients, found)
    if any(q.predictor is not None and q.predictor.exposure is not None for q in study.question):
        from troughline.cohort.model_checks import check_models

        sound = None if found.errors else _cohort(study, reading, reading.patients)
        check_models(study, known, sound, found, reading.hashes)
    return reading


def _table(name: TableName, study: Study, reading: _Reading) -> Table | None:
    result = read_table(study.tables[name], study.folder, reading.found)
    if result.sha256 is not None:
        reading.hashes[study.tables[name].partition("#")[0]] = result.sha256
    if result.table is None:
        return None
    table = standard_table(result.table, name, study, reading.found)
    if table is not None:
        note_missing_words(table, reading.found)
    return table


def _other_tables(tables: dict[TableName, Table], roster: Roster, study: Study, reading: _Reading) -> None:
    found, frames = reading.found, reading.frames
    if "doses" in tables:
        frames["doses"] = (tables["doses"].file, dose_frame(tables["doses"], roster, found))
    if "measurements" in tables:
        table = tables["measurements"]
        frames["measurements"] = (table.file, measurement_frame(table, roster, study.study.drug, found))
    events: tuple[str, pd.DataFrame, NDArray[np.bool_]] | None = None
    if "events" in tables:
        frame, whole = event_frame(tables["events"], roster, found)
        frames["events"] = (tables["events"].file, frame)
        events = (tables["events"].file, frame, whole)
    others = {kind: frames[name] for kind, name in _AFTER_DEATH if name in frames}
    check_after_death(others, events, found)
    note_patients_without_records(roster, [frame for _, frame in frames.values()], found)


_AFTER_DEATH: tuple[tuple[str, TableName], ...] = (("sample", "measurements"), ("dose", "doses"))


def _frame(reading: _Reading, name: TableName) -> pd.DataFrame:
    import pandas as pd

    if name in reading.frames:
        return reading.frames[name][1]
    numbers = ("day", "value", "limit", "amount_mg", "interval_h", "additional", "grade", "lesion_sum_mm")
    types = {"row": "int64", "time_after_dose_h": "float64"}
    types |= dict.fromkeys(("below_limit", "above_limit", "steady_state"), "bool")
    return pd.DataFrame(
        {
            column: pd.Series(dtype=types.get(column, "float64" if column in numbers else "object"))
            for column in _COLUMNS[name]
        }
    )
