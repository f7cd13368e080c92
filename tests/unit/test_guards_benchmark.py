"""The benchmark of intervals and guards: its truths are true, and its cohorts do not depend on workers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from benchmarks.cohorts import CLEAN_QUESTIONS, LOG_SD, MEDIAN_UG_ML, TOXICITY_SLOPE, chance
from benchmarks.operating_characteristics import (
    CERTAIN,
    TOXICITY,
    TOXICITY_AT_LIMIT,
    TOXICITY_EVEN,
    UPPER,
    Task,
    compute,
    coverage_of_cohort,
    coverage_table,
    error,
    guard_table,
    guards_of_cohort,
    tasks,
    work,
)

from troughline.response.guards import REGISTRY
from troughline.response.roc import roc_curve
from troughline.response.thresholds import optimal_threshold


def test_the_true_area_and_the_true_cut_are_those_of_a_very_large_sample() -> None:
    """200,000 patients: error .0012 of the area; the cut converges slowly (n^-1/3), so its index counts."""
    rng = np.random.default_rng(1)
    exposure = MEDIAN_UG_ML * np.exp(LOG_SD * rng.normal(size=200_000))
    toxicity = rng.random(200_000) < chance(exposure, TOXICITY_EVEN, TOXICITY_SLOPE)
    curve = roc_curve(exposure, toxicity)
    best = optimal_threshold(curve)
    assert curve.auc == pytest.approx(TOXICITY.auc, abs=0.004)
    assert best.youden == pytest.approx(TOXICITY.youden, abs=0.008)
    assert best.threshold == pytest.approx(TOXICITY.cut, rel=0.08)


def test_toxicity_reaches_its_limit_at_the_true_upper_bound() -> None:
    assert chance(np.array([UPPER]), TOXICITY_EVEN, TOXICITY_SLOPE)[0] == pytest.approx(TOXICITY_AT_LIMIT)


def test_a_cohort_depends_on_seed_and_number_alone() -> None:
    assert coverage_of_cohort(1, 26, 3) == coverage_of_cohort(1, 26, 3)
    assert coverage_of_cohort(1, 26, 3) != coverage_of_cohort(2, 26, 3)
    assert guards_of_cohort(1, "missing-data", 0) == {"missing-data": 1.0, "dichotomised-predictor": 1.0}


def test_every_planned_cohort_comes_once() -> None:
    planned = tasks(12, 1)
    assert sum(len(t[3]) for t in planned if t[0] == "coverage" and t[2] == 74) == 12
    assert {t[2] for t in planned if t[0] == "guard"} >= set(CERTAIN)


def test_a_log_is_taken_up_where_it_ended(tmp_path: Path) -> None:
    """The second run reads the chunk of the first and adds its own."""
    log = tmp_path / "log.jsonl"
    planned: list[Task] = [("guard", 1, "double-dipping", range(1)), ("guard", 1, "below-limit", range(1))]
    first = compute(planned[:1], 1, log)
    task, rows = work(planned[0])
    assert task == planned[0]
    assert first == {("guard", "double-dipping"): rows}
    log.write_text(log.read_text().replace('double-dipping": 1.0', 'marked": 1.0'))
    both = compute(planned, 1, log)
    assert "marked" in both["guard", "double-dipping"][0]
    assert "below-limit" in both["guard", "below-limit"][0]
    assert len(log.read_text().splitlines()) == 2


def test_the_tables_flag_what_falls_short() -> None:
    held = {"threshold|guarded range": 1.0, "threshold|open": 0.0, "threshold|factor": math.nan}
    missed = {**held, "threshold|guarded range": 0.0}
    found: dict[tuple[str, str | int], list[dict[str, float]]] = {
        ("coverage", n): [held] * 9 + [missed] for n in (26, 74, 200)
    }
    rows = coverage_table(found)
    assert [(r["coverage"], r["flag"], r["median_factor"]) for r in rows] == [(0.9, "below 93 %", None)] * 3
    silent: dict[tuple[str, str | int], list[dict[str, float]]] = {
        ("guard", kind): [{}] * 9 + [{"immortal-time": 1.0}] for kind in CLEAN_QUESTIONS
    }
    silent["guard", "immortal-time"] = [{"immortal-time": 1.0}] * 9 + [{}]
    flags = {r["guard"]: r["flag"] for r in guard_table(silent)}
    assert flags["immortal-time"] == "fires below 95 %, fires above 5 % without"
    assert flags["missing-data"] == "no simulated trap"
    assert set(flags) == set(REGISTRY)


def test_the_monte_carlo_error_is_not_zero_where_every_cohort_agrees() -> None:
    assert error(0.5, 100) == pytest.approx(0.05, rel=0.01)
    assert error(1.0, 100) == pytest.approx(0.0098, abs=0.0005)
