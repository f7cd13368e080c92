"""`troughline study` holds the example against Noda 2020, and says what cannot be told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.run import troughline

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "exposure-window" / "study.toml"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replication") / "out"
    troughline("study", EXAMPLE, "--out", folder)
    return folder


@pytest.fixture(scope="module")
def blocks(out: Path) -> dict[str, list[dict[str, Any]]]:
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    return {q["id"]: q["replication"] for q in results["questions"]}


def test_every_question_that_names_a_published_endpoint_is_compared(blocks: dict[str, Any]) -> None:
    names = {key: [b["name"] for b in found] for key, found in blocks.items() if found}
    assert names == {
        "toxicity-threshold": ["auc", "threshold"],
        "response-threshold": ["auc", "threshold"],
        "window": ["window_lower", "window_upper"],
        "survival-by-band": ["median_survival"] * 3,
    }


def test_24_patients_do_not_replicate_an_area_of_074(blocks: dict[str, Any]) -> None:
    """0.76 (0.51–0.89) looks like the printed 0.74 (0.54–0.93), and shows neither that nor anything else."""
    area = blocks["toxicity-threshold"][0]
    assert area["agreement"] == "cannot tell"
    assert area["p_difference"] > 0.5
    assert area["posterior"]["width_after"] < area["posterior"]["width_before"]


def test_cuts_printed_without_an_interval_are_shown_with_whether_these_patients_allow_them(
    blocks: dict[str, Any],
) -> None:
    for name in ("toxicity-threshold", "response-threshold"):
        cut = blocks[name][1]
        assert cut["agreement"] == "cannot tell"
        assert cut["pooled"] is None
        assert cut["new_holds_published"] is True


def test_the_impossible_interval_of_noda_is_not_calculated_with(blocks: dict[str, Any]) -> None:
    """0.97–1.00 gives no standard error; the one assumed instead is said to be assumed."""
    area = blocks["response-threshold"][0]
    assert any("same share of events as here assumed" in flag for flag in area["flags"])


def test_figures_and_tables_are_written_and_linked(out: Path) -> None:
    page = (out / "report.html").read_text(encoding="utf-8")
    for name in ("figures/window-replication.svg", "tables/window-against-published.csv"):
        assert (out / name).exists()
        assert f'href="{name}"' in page
    assert page.count("Against what is published</h3>") == 4
