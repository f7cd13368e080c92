"""docs/trial.md against the code: every key, every table, an example that is read."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from tests.unit.trial_report_sample import sample
from troughline.report.trial_tables import trial_tables
from troughline.trial import schema
from troughline.trial.setup import load_trial

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "trial.md").read_text(encoding="utf-8")
SCHEMAS = (
    schema.Header, schema.Model, schema.Population, schema.MatchPlacebo, schema.Visits, schema.FollowUp,
    schema.Markers, schema.Drug, schema.Second, schema.Line, schema.Local, schema.Arm, schema.Compare,
    schema.Target, schema.Sizes, schema.Combinations, schema.Sensitivity, schema.Run,
)  # fmt: skip


@pytest.mark.parametrize("model", SCHEMAS)
def test_every_key_of_the_trial_file_is_documented(model: type[BaseModel]) -> None:
    for key in model.model_fields:
        assert f"`{key}`" in TEXT, key


def test_every_quantity_of_a_target_is_documented() -> None:
    for quantity in get_args(schema.QUANTITY):
        assert f"`{quantity}`" in TEXT


def test_every_table_and_key_that_is_written_is_documented() -> None:
    for name in trial_tables(sample()):
        assert f"`{name}.csv`" in TEXT
    for key in sample():
        assert f"`{key}`" in TEXT


def test_the_example_in_the_documentation_is_read_without_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text(TEXT.split("```toml")[1].split("```")[0], encoding="utf-8")
    assert [f.line() for f in load_trial(path).findings] == []
