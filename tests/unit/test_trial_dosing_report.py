"""Dosing policies on the page of a trial: every number from results.json, none without a policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.report_sample import Page
from tests.unit.trial_report_sample import Json, estimate, sample
from troughline.dosing.policy import schema as policy_schema
from troughline.report.figures.trial_plan import draw_trial_figures, planned_trial_figures
from troughline.report.trial_dosing import dosing_table, dosing_words, regimen_table
from troughline.report.trial_page import render_trial_page
from troughline.report.trial_tables import trial_tables
from troughline.trial import dosing_schema

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "trial.md").read_text(encoding="utf-8")


def dosed() -> Json:
    """The sample with policies in its second and third arm."""
    results = sample()
    results["setup"]["dosing"] = {
        "target": "trough of 1.4 to 3.45 ug/mL", "target_source": "Noda <2020>", "low": 1.4, "high": 3.45,
        "visit_days": [14, 28], "turnaround_days": 1, "count_from_day": 14, "samples": "assay error of 10 %",
        "limit": 0.05, "truth": "sorafenib/hcc", "truth_shifted": [], "assumed": "sorafenib/other",
        "shifted": [], "matched": False, "between_occasions": 1.0, "label_daily_mg": 800.0, "regimens": [],
    }  # fmt: skip
    for k, arm in enumerate(results["arms"][1:]):
        arm["estimates"] += [
            estimate("daily_dose", 600.0 - 120 * k, 580.0 - 120 * k, 620.0 - 120 * k, "mg/day"),
            estimate("days_inside", 47.0 + 20 * k, 45.0, 70.0, "%"),
            estimate("samples", 2.5 * k, None, None, "1"),
        ]
        arm["dosing"] = {
            "kind": "model" if k else "label", "model": "sorafenib/other" if k else None, "shifted": [],
            "not_estimated": 3 * k, "day": [0, 7, 14, 21, 28, 35],
            "on_first_line": [100.0, 99.0, 97.0, 90.0, 88.0, 4.0], "held": [0.0, 1.0, 2.0, 3.0, 3.0, None],
            "inside": [0.0, 40.0, 45.0, 50.0, 55.0, 50.0], "below": [100.0, 30.0, 30.0, 25.0, 25.0, 25.0],
            "above": [0.0, 30.0, 25.0, 25.0, 20.0, 25.0], "trough": [None, 2.5, 2.4, 2.2, 2.0, 1.9],
            "mean_dose_mg": [800.0, 790.0, 780.0, 640.0, 600.0, 512.5],
            "regimens": [
                {"id": "400-qd", "label": "400 mg once daily", "daily_dose_mg": 400.0,
                 "share": [0.0, 5.0, 10.0, 40.0, 45.0, 50.0]},
                {"id": "400-bid", "label": "400 mg twice daily", "daily_dose_mg": 800.0,
                 "share": [100.0, 94.0, 88.0, 57.0, 52.0, 50.0]},
            ],
        }  # fmt: skip
    return results


def test_the_section_holds_what_the_policies_did() -> None:
    """Dose, intensity, days inside, hazard ratios against the control, and who takes what."""
    table = dosing_table(dosed())
    rows = dict(table["rows"])
    assert table["arms"] == ["sorafenib <400 mg>", "sorafenib + erlotinib"]
    assert rows["Dose intensity, of 800 mg a day"] == ["75%", "60%"]
    assert rows["Days inside the target"] == ["47% (45–70%)", "67% (45–70%)"]
    assert rows["Hazard ratio of death against placebo"][1] == "–"
    assert rows["Hazard ratio of death against placebo"][0].startswith("0.70")
    assert rows["Hazard ratio of death against sorafenib <400 mg>"][1].startswith("1.08")
    regimens = regimen_table(dosed())
    assert regimens["header"][3:5] == ("400 mg twice daily", "400 mg once daily")
    assert regimens["rows"][0][1:4] == ("0", "100%", "100%")
    assert [r[1] for r in regimens["rows"][:3]] == ["0", "21", "35"]


def test_a_model_that_is_not_the_truth_is_said() -> None:
    """And how many decisions had no estimate."""
    words = " ".join(dosing_words(dosed()))
    assert "sorafenib/other, not the model that makes the levels here. 3 decisions had no estimate" in words
    assert "Noda <2020>" in words


def test_the_page_is_whole_and_escaped() -> None:
    """One section more, well formed, its figure described, the text of a source escaped."""
    results = dosed()
    html = render_trial_page(results, draw_trial_figures(results))
    page = Page(html)
    assert page.mismatched == []
    assert "dosing" in page.values("id")
    assert "Noda &lt;2020&gt;" in html
    assert "Inside the target, sorafenib &lt;400 mg&gt;: 55% on day 28" in html or "55% on day 28" in html


def test_tables_have_a_row_a_day() -> None:
    """Six days of two arms; of each regimen too."""
    tables = trial_tables(dosed())
    assert len(tables["doses"]) == 12
    assert len(tables["regimens"]) == 24
    assert tables["doses"][0]["mean_dose_mg"] == 800.0
    assert {f"`{name}.csv`" in TEXT for name in ("doses", "regimens")} == {True}


def test_without_a_policy_there_is_no_section() -> None:
    """Nothing is drawn, told or tabulated of what is not there."""
    assert "dosing" not in [name for name, _ in planned_trial_figures(sample())]
    assert "doses" not in trial_tables(sample())
    assert 'id="dosing"' not in render_trial_page(sample(), [])


@pytest.mark.parametrize(
    "model", [dosing_schema.Dosing, dosing_schema.LevelVisits, policy_schema.Policy]
)  # fmt: skip
def test_every_key_of_a_policy_is_documented(model: type[dosing_schema.Dosing]) -> None:
    """docs/trial.md names them all."""
    for key in model.model_fields:
        assert f"`{key}`" in TEXT, key
