"""`examples/resistance/policies.toml` as a user runs it, with few patients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from tests.system.run import troughline

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "resistance" / "policies.toml"


def test_the_example_of_policies_runs_and_workers_change_nothing(tmp_path: Path) -> None:
    """More days inside under guidance; page, tables, patients; one worker and two give the same."""
    contents: list[dict[str, Any]] = []
    for workers in ("1", "2"):
        done = troughline(
            "trial", EXAMPLE, "--out", tmp_path / workers, "--patients", "30", "--replicates", "1",
            "--workers", workers,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        contents.append(json.loads((tmp_path / workers / "results.json").read_text(encoding="utf-8")))
        contents[-1]["provenance"].pop("created")
    assert contents[0] == contents[1]
    arms = {a["id"]: a for a in contents[0]["arms"]}

    def value(arm: str, name: str) -> float:
        found = [e for e in arms[arm]["estimates"] if e["name"] == name and not e["label"]]
        return float(found[0]["value"])

    assert value("model", "days_inside") > value("label", "days_inside")
    assert value("threshold", "samples") > 1.0
    assert value("label", "samples") == 0.0
    assert value("label", "daily_dose") > value("threshold", "daily_dose")
    assert arms["wrong-model"]["dosing"]["shifted"]
    assert {c["control"] for c in contents[0]["comparisons"]} == {"label"}
    page = (tmp_path / "1" / "report.html").read_text(encoding="utf-8")
    assert "Dosing policies" in page
    assert "not the model that makes the levels here" in page
    doses = pd.read_csv(tmp_path / "1" / "tables" / "doses.csv", comment="#")
    assert set(doses["arm"]) == set(arms)
    patients = pd.read_parquet(tmp_path / "1" / "patients.parquet")
    assert {"samples", "inside_days", "first_line_mg"} <= set(patients.columns)
    assert len(patients) == 6 * 30 * 2
