"""Reading a patient file: TOML or JSON, schema-checked; every fault is a finding."""

from __future__ import annotations

import json
import tomllib
from datetime import date, datetime, time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from troughline.dosing.patient_schema import PatientFile
from troughline.issues import Findings, InputError, Severity
from troughline.provenance import sha256_of
from troughline.toml_file import parsed, read_text

if TYPE_CHECKING:
    from troughline.dosing.patient import DosePatient


def load_patient(path: str | Path) -> tuple[DosePatient, Findings]:
    """Read and check a patient file; the patient, and what was found that does not stop the reading.

    Raises `InputError` (configuration) with one finding for each thing wrong with it.
    """
    patient, found = check_patient(path)
    if patient is None:
        raise InputError(found, configuration=True)
    return patient, found


def check_patient(path: str | Path) -> tuple[DosePatient | None, Findings]:
    """Every finding about a patient file that needs no model, and the patient if none of them is an error."""
    from troughline.dosing.patient_build import build_patient

    file, found = Path(path), Findings()
    data = _read(file, found)
    if data is None:
        return None, found
    contents = _validated(data[0], file.name, found)
    if contents is None:
        return None, found
    patient = build_patient(contents, file=file.name, found=found, path=file, sha256=data[1])
    return (None if found.errors else patient), found


def patient_from(data: dict[str, Any], *, file: str = "patient") -> tuple[DosePatient | None, Findings]:
    """A patient from the contents of a file, as a web page or a program holds them; files that they name
    are looked for in the working folder."""
    from troughline.dosing.patient_build import build_patient

    found = Findings()
    contents = _validated(_plain_times(data), file, found)
    if contents is None:
        return None, found
    patient = build_patient(contents, file=file, found=found)
    return (None if found.errors else patient), found


def _read(file: Path, found: Findings) -> tuple[dict[str, Any], str] | None:
    read = read_text(file, found, called=str(file))
    if read is None:
        return None
    if file.suffix.lower() == ".json":
        made = parsed(
            read, partial(json.loads, parse_constant=_no_constant), file.name, found, language="JSON"
        )
    else:
        made = parsed(read, tomllib.loads, file.name, found)
    if made is None:
        return None
    data, raw = made
    if not isinstance(data, dict):
        found.add(Severity.ERROR, "patient-file", "must be a table of keys", file=file.name)
        return None
    return _plain_times(data), sha256_of(raw)  # pyright: ignore[reportUnknownArgumentType]


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _plain_times(value: Any) -> Any:
    """TOML's own dates and times as the text they stand for."""
    if isinstance(value, dict):
        return {k: _plain_times(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_plain_times(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    return value.isoformat() if isinstance(value, (datetime, date, time)) else value


def _validated(data: dict[str, Any], file: str, found: Findings) -> PatientFile | None:
    from troughline.cohort.studyfile_messages import by_schema

    return by_schema(PatientFile, data, found, file=file, code="patient-file")
