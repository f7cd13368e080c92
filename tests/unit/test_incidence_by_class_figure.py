"""The incidence by class and arm: what the figure draws is what the table says, at the horizon."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.interaction_cohorts import QUESTION, asked, predictive, rows_of
from benchmarks.simulated_records import Records

from troughline.report.figures.drawing import Drawing, draw
from troughline.report.figures.exposure import sketch_exposure
from troughline.report.figures.plan import plan_figures
from troughline.response.study import answer


def contents(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(4)
    made: Records = rows_of(predictive(160, rng), rng)
    for row in made.events:
        if row["event"] == "death":
            row["term"] = str(rng.choice(["tumour", "liver"], p=[0.7, 0.3]))
    cohort = asked(
        made, outcome={"event": "death", "term": "tumour"}, competing="death", liver_class="invasion",
        horizon_days=180, **changes,
    )  # fmt: skip
    return answer(cohort).contents


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return contents()


def drawing(results: dict[str, Any]) -> Drawing:
    (planned,) = [p for p in plan_figures(results) if p.name.endswith("incidence")]
    return draw(planned.name, planned.question, planned.sketch, simulated=True)


def test_each_curve_ends_at_the_horizon_where_the_table_has_it(found: dict[str, Any]) -> None:
    question = found["questions"][0]
    rows = {r["group"]: r for r in question["tables"]["incidence-by-class"] if r["cause"] == "tumour"}
    said = drawing(found).description
    for group, row in rows.items():
        assert f"{group}: {100 * row['incidence']:.0f}%" in said
    data = question["series"]["incidence_by_class"]
    for one in data["classes"]:
        for arm in one["arms"]:
            row = rows[f"{one['label']}, {arm['label']}"]
            assert max(arm["time"]) <= data["horizon"]
            assert arm["incidence"][-1] == pytest.approx(row["incidence"], rel=1e-8)
            assert arm["low"][-1] <= arm["incidence"][-1] <= arm["high"][-1]
            assert arm["at_risk"][0] == arm["n"] == row["n"]
            assert arm["at_risk"] == sorted(arm["at_risk"], reverse=True)


def test_the_figure_has_numbers_at_risk_and_names_arms_and_classes(found: dict[str, Any]) -> None:
    svg = drawing(found).svg
    for words in ("number at risk", "sorafenib", "placebo", "invasion no", "invasion yes"):
        assert words in svg
    assert "Dashed and grey: the control arm" in drawing(found).caption
    assert drawing(found).svg == drawing(found).svg


def test_a_class_without_a_control_arm_is_one_curve() -> None:
    rng = np.random.default_rng(4)
    made = rows_of(predictive(160, rng), rng)
    for row in made.patients.values():
        row["arm"] = "sorafenib"
    for row in made.events:
        if row["event"] == "death":
            row["term"] = str(rng.choice(["tumour", "liver"], p=[0.7, 0.3]))
    question = {
        **QUESTION, "control": None, "outcome": {"event": "death", "term": "tumour"}, "competing": "death",
        "liver_class": "invasion", "horizon_days": 180,
    }  # fmt: skip
    results = answer(asked(made, **question)).contents
    assert "Dashed" not in drawing(results).caption
    assert "invasion yes" in drawing(results).svg


def samples(dose: float | None) -> list[dict[str, Any]]:
    return [
        {"patient": f"P{k // 2}", "value": 50.0 + k, "used": "guarded", "dose_mg_per_day": dose}
        for k in range(12)
    ]


def test_the_caption_of_the_levels_counts_samples_and_names_a_dose_only_where_there_is_one() -> None:
    with_dose = sketch_exposure({"label": "level", "unit": "pg/mL", "samples": samples(800.0)}).caption
    assert "(12 samples of 6 patients), in the row of the daily dose." in with_dose
    without = sketch_exposure({"label": "level", "unit": "pg/mL", "samples": samples(None)}).caption
    assert without.startswith("Each dot is one sample (12 samples of 6 patients). ")
    many = [{**s, "patient": f"P{k}"} for k in range(60) for s in samples(None)]
    assert sketch_exposure({"label": "l", "unit": "pg/mL", "samples": many}).caption.startswith(
        "How often each level was measured (720 samples of 60 patients). "
    )
