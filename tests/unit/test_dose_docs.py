"""docs/dose.md names every key of the patient file and every file written; its example is read as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.dose_report_sample import sample
from troughline.dosing import patient_schema
from troughline.dosing.checks import check_dose_file
from troughline.dosing.patient_file import load_patient
from troughline.issues import Severity
from troughline.report.dose_tables import dose_tables

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "dose.md").read_text(encoding="utf-8")
PARTS = (
    patient_schema.PatientHeader,
    patient_schema.CovariateEntry,
    patient_schema.DoseEntry,
    patient_schema.HoldEntry,
    patient_schema.SampleEntry,
    patient_schema.InteractingDrug,
    patient_schema.ToxicityEntry,
    patient_schema.Tolerance,
    patient_schema.TargetEntry,
    patient_schema.CurveEntry,
    patient_schema.ModelEntry,
    patient_schema.UtilityWeights,
    patient_schema.Options,
)


@pytest.mark.parametrize("part", PARTS, ids=lambda p: p.__name__)
def test_every_key_of_the_patient_file_is_documented(part: type[patient_schema.Strict]) -> None:
    """Each key of the schema stands in code style."""
    missing = [k for k in part.model_fields if f"`{k}" not in TEXT and f"{{ {k} =" not in TEXT]
    if part is patient_schema.UtilityWeights:
        missing = [k for k in part.model_fields if f"{k} = 1" not in TEXT]
    assert missing == []


def test_every_section_of_the_patient_file_is_documented() -> None:
    sections = patient_schema.PatientFile.model_fields
    assert [s for s in sections if f"[{s}]" not in TEXT and f"`{s}" not in TEXT] == []


def test_defaults_that_are_printed_are_those_of_the_schema() -> None:
    options = patient_schema.Options()
    for name in ("horizon_days", "draws", "seed", "level", "indistinct", "least_lead", "reach"):
        row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{name}`"))
        assert float(row.rstrip(" |").split("| ")[-1]) == getattr(options, name)


def test_the_example_in_the_documentation_is_read_without_a_finding(tmp_path: Path) -> None:
    """The first TOML block of docs/dose.md passes the schema, and models and target are found."""
    path = tmp_path / "patient.toml"
    path.write_text(TEXT.split("```toml")[1].split("```")[0], encoding="utf-8")
    patient, found = load_patient(path)
    assert list(found) == []
    assert len(patient.used_levels) == 2
    findings = check_dose_file(path)
    assert [f.line() for f in findings if f.severity is not Severity.NOTE] == []


def test_every_file_and_key_that_is_written_is_documented() -> None:
    results = sample()
    for name in dose_tables(results):
        assert f"{name}.csv" in TEXT
    for key in results:
        assert f"`{key}`" in TEXT
