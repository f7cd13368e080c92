"""Python's `check` takes every kind of file that the command takes, and tells them apart as it does."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

import troughline
from troughline.input_files import kind_of

PACKAGE = Path(str(files("troughline")))
FILES = {
    "study": "examples/exposure-window/study.toml",
    "patient": "examples/dose/low.toml",
    "policy": "examples/dose/policy.toml",
    "trial": "examples/resistance/sharp.toml",
    "model": "model/library/sorafenib/hcc.toml",
    "evidence": "evidence/data/studies/guchelaar-2022.toml",
}


@pytest.mark.parametrize(("kind", "file"), FILES.items())
def test_each_kind_is_told_by_its_sections(kind: str, file: str) -> None:
    assert kind_of(PACKAGE / file) == kind


@pytest.mark.parametrize("kind", ["policy", "trial", "model", "evidence", "study"])
def test_check_in_python_takes_every_kind(kind: str) -> None:
    """Bundled files have no error."""
    assert not troughline.check(PACKAGE / FILES[kind]).errors


def test_the_findings_are_those_of_that_kind(tmp_path: Path) -> None:
    """A patient file without a target has a patient's error, not a list of what a study file lacks."""
    text = (PACKAGE / FILES["patient"]).read_text(encoding="utf-8")
    assert "[target]" in text
    head, tail = text.split("[target]", 1)
    rest = tail[tail.index("\n[") :]
    patient = tmp_path / "patient.toml"
    patient.write_text(head + rest, encoding="utf-8")
    assert "no-target" in {f.code for f in troughline.check(patient).errors}


def test_json_is_a_patient_and_an_empty_file_a_study(tmp_path: Path) -> None:
    patient, empty = tmp_path / "p.json", tmp_path / "e.toml"
    patient.write_text("{}", encoding="utf-8")
    empty.write_text("", encoding="utf-8")
    assert kind_of(patient) == "patient"
    assert kind_of(str(empty)) == "study"
    assert troughline.check(patient).errors


def test_dose_in_python_answers_with_dataframes() -> None:
    """Every table that docs/dose.md names is a DataFrame; one without rows is empty."""
    import pandas as pd

    answer = troughline.dose(PACKAGE / "examples/dose/low.toml", draws=100)
    names = ("regimens", "parameters", "samples", "targets", "causes", "next_sample", "earlier", "curve")
    tables = {name: getattr(answer, name) for name in names}
    assert all(isinstance(t, pd.DataFrame) for t in tables.values())
    assert len(tables["regimens"]) == len(answer.contents["regimens"])
    assert tables["regimens"]["auc_over_trough_h"].gt(0).all()
    assert tables["earlier"].empty


def test_trial_in_python_stays_a_function_once_its_package_is_imported() -> None:
    """`troughline.trial` is the function's name and the package's."""
    import troughline.trial.setup

    assert callable(troughline.trial)
    assert troughline.trial.setup.load_trial
