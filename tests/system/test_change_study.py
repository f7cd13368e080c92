"""The example `cytokine-change` as a user runs it: matched to its source, same bytes twice, guards awake."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.system.run import troughline
from troughline.evidence.store import load_publication

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "src" / "troughline" / "examples" / "cytokine-change"
DOSES = ("200", "400", "800")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cytokines") / "report"
    done = troughline("study", EXAMPLE / "study.toml", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "SIMULATED DATA" in done.stdout
    return out


def question(report: Path, identity: str = "cytokines") -> dict[str, Any]:
    results = json.loads((report / "results.json").read_text(encoding="utf-8"))
    return next(q for q in results["questions"] if q["id"] == identity)


def test_the_tables_are_what_the_script_draws() -> None:
    """Byte for byte."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from simulate_cytokine_change import simulate  # pyright: ignore[reportMissingImports]
    finally:
        sys.path.pop(0)
    for name, rows in simulate().items():
        written = list(csv.DictReader((EXAMPLE / f"{name}.csv").read_text(encoding="utf-8").splitlines()))
        assert written == rows


def test_the_cohort_has_the_printed_sizes_and_directions(report: Path) -> None:
    """Read from the evidence file: sizes, the five significant directions, and nothing else significant."""
    study = load_publication("nagai-2014")
    printed = {(b.marker, str(b.arm).removeprefix("dose-")): b.change for b in study.biomarker if b.arm}
    sizes = {str(a.dose).split()[0]: a.n for a in study.arm}
    p, mean = {}, {}
    for e in question(report)["estimates"]:
        if e["name"] in ("paired_wilcoxon", "mean_change"):
            marker, group = e["label"].split(", ")
            dose = group.removesuffix(" mg")
            assert e["n"] == sizes[dose]
            (p if e["name"] == "paired_wilcoxon" else mean)[marker, dose] = (
                e["p_value"] if e["name"] == "paired_wilcoxon" else e["value"]
            )
    assert len(p) == 9
    for key, value in p.items():
        seen = "none" if value >= 0.05 else "increase" if mean[key] > 0 else "decrease"
        assert seen == printed.get(key, "none")


def test_the_guarded_column_does_not_claim_that_doses_differ(report: Path) -> None:
    """One common effect was simulated: group × time is not significant, and the guard says how often."""
    q = question(report)
    guards = {g["id"]: g for g in q["guards"]}
    assert "of studies" in guards["significant-in-one-group"]["effect"]
    assert {"dose-by-indication", "uncorrected-family", "substituted-limit", "all-below-limit"} <= set(guards)
    between = [e for e in q["estimates"] if e["name"] == "group_by_time"]
    assert len(between) == 3
    assert all(e["p_value"] > 0.05 for e in between)
    assert "never above 0.15 ng/mL in 123 samples of 66 patients" in q["summary"]


def test_the_true_factors_lie_in_the_intervals_of_the_large_group(report: Path) -> None:
    """sTNF-alpha × 1.35, sTNF-R × 1.14, sFas × 0.80, as the script simulates them."""
    truth = {"sTNF-alpha": 1.35, "sTNF-R": 1.14, "sFas": 0.80}
    for e in question(report)["estimates"]:
        if e["name"] in ("change_ratio", "change_ratio_tobit") and e["label"].endswith("400 mg"):
            assert e["low"] < truth[e["label"].split(",")[0]] < e["high"]


def test_what_was_printed_stands_beside_what_was_found(report: Path) -> None:
    """The eight changes of the evidence file, each with the same direction here as published."""
    rows = question(report)["tables"]["printed"]
    assert len(rows) == 8
    for row in rows:
        assert row["as_published_here"].split(" (")[0] == row["printed"]
        assert row["source"] == "nagai-2014, abstract, Results"


def test_deaths_are_held_against_the_change_from_the_second_sample_on(report: Path) -> None:
    """66 began, 9 never came to a second sample (7 deaths); no change was made to go with death."""
    q = question(report, "cytokines-and-death")
    immortal = next(g for g in q["guards"] if g["id"] == "immortal-change")
    assert "9 patients of 66 had the event (7) or were followed no longer (2)" in immortal["finding"]
    ratios = [e for e in q["estimates"] if e["name"] == "hazard_ratio"]
    assert {e["n"] for e in ratios if e["method"].startswith("as-published")} == {66}
    assert {e["n"] for e in ratios if e["method"].startswith("guarded")} == {57}
    changes = [e for e in ratios if e["label"].endswith("change, per doubling")]
    assert len(changes) == 3
    assert all(e["low"] < 1 < e["high"] for e in changes)
    tumour = next(e for e in changes if e["label"].startswith("sTNF-alpha"))
    assert "19 levels beyond a limit drawn 20 times" in tumour["note"]
    for one in ("sTNF-alpha", "sTNF-R", "sFas"):
        first, later = (
            next(e["value"] for e in ratios if e["label"].startswith(f"{one}: fall") and e["method"][:2] == m)
            for m in ("as", "gu")
        )
        assert first < later


def test_the_same_run_gives_the_same_bytes(report: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert troughline("study", EXAMPLE / "study.toml", "--out", again).returncode == 0
    names = sorted(p.relative_to(report) for p in report.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    assert {
        "figures/cytokines-pairs.svg",
        "figures/cytokines-change.svg",
        "figures/cytokines-and-death-survival.svg",
    } <= {str(n) for n in names}
    for name in names:
        assert (report / name).read_bytes() == (again / name).read_bytes(), name
