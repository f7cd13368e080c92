"""What the documentation says exists, and what exists is documented."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from troughline.cohort import question_association, question_change, studyfile

ROOT = Path(__file__).resolve().parents[2]


def _options() -> list[str]:
    models = (
        studyfile.StudyHeader, studyfile.Predictor, studyfile.Outcome, studyfile.Limits, studyfile.Utility,
        studyfile.ThresholdQuestion, studyfile.CurveQuestion, studyfile.WindowQuestion,
        studyfile.SurvivalQuestion, studyfile.CovariateSpec, question_association.AssociationQuestion,
        question_association.Marker, question_association.Characteristic,
        question_association.ReferenceLimit,
        studyfile.InteractionQuestion, studyfile.ChangeQuestion, question_change.Marker,
    )  # fmt: skip
    names: set[str] = set()
    for model in models:
        assert issubclass(model, BaseModel)
        names |= set(model.model_fields)
    return sorted(names)


@pytest.mark.parametrize("option", _options())
def test_every_option_of_the_study_file_is_documented(option: str) -> None:
    """docs/study-file.md names each key of the schema."""
    assert f"`{option}" in (ROOT / "docs" / "study-file.md").read_text(encoding="utf-8")


def test_the_example_in_the_documentation_is_a_valid_study_file(tmp_path: Path) -> None:
    """The first TOML block of docs/study-file.md passes the schema."""
    text = (ROOT / "docs" / "study-file.md").read_text(encoding="utf-8")
    block = text.split("```toml")[1].split("```")[0]
    tomllib.loads(block)
    path = tmp_path / "study.toml"
    path.write_text(block, encoding="utf-8")
    assert studyfile.load_study(path).question[0].id == "window"


def test_the_generated_pages_are_current() -> None:
    """docs/guards.md and docs/models.md are what `make docs` writes."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "write_docs.py"), "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_no_committed_text_names_a_machine_path_or_a_registry() -> None:
    """The constraints and the documentation hold no address of a package registry."""
    for name in ("constraints.txt", "pyproject.toml", "Makefile", "README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text or name == "README.md"
        assert "index-url" not in text
