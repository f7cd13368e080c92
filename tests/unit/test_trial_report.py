"""The report of a virtual trial: every number from results.json, each miss said, nothing unknown as 0."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from tests.unit.report_sample import Page
from tests.unit.trial_report_sample import Json, estimate, sample
from troughline.cli.trial import exit_status
from troughline.report.figures.drawing import Drawing
from troughline.report.figures.trial_plan import draw_trial_figures, planned_trial_figures
from troughline.report.figures.trial_swimmer import sketch_swimmer
from troughline.report.figures.trial_targets import sketch_targets
from troughline.report.sensitivity_view import sensitivity_words
from troughline.report.trial_page import render_trial_page
from troughline.report.trial_tables import trial_tables
from troughline.report.trial_view import (
    arm_tables,
    comparison_table,
    hazard_ratios,
    success_by_size,
    target_rows,
    value_text,
)
from troughline.report.trial_write import trial_files, write_trial_report

FIGURES = [
    "os", "ttp", "hazard-ratios", "success", "response", "waterfall", "swimmer", "markers", "routes",
    "targets", "combinations", "sensitivity-os-hr",
]  # fmt: skip


@pytest.fixture(scope="module")
def figures() -> list[Drawing]:
    return draw_trial_figures(sample())


@pytest.fixture(scope="module")
def html(figures: list[Drawing]) -> str:
    return render_trial_page(sample(), figures, patients=True)


def test_the_page_is_well_formed_and_every_link_within_it_has_its_target(html: str) -> None:
    page = Page(html)
    assert page.mismatched == []
    assert page.open == []
    identifiers = page.values("id")
    assert sorted(set(identifiers)) == sorted(identifiers)
    assert {h[1:] for h in page.values("href") if h.startswith("#")} <= set(identifiers)


def test_the_sentence_comes_first_and_the_labels_are_there(html: str) -> None:
    """Before any figure: the sentence, that it is research software, and that the patients are virtual."""
    text = Page(html).text
    start = text[: text.rindex("Survival and progression")]
    assert "hazard ratio of death 0.70 (0.55–0.89)" in start
    assert "Research software, not a medical device." in start
    assert "VIRTUAL PATIENTS" in text
    assert "no forecast for a patient has been validated" in start


def test_too_few_trials_for_intervals_are_said_where_the_intervals_would_stand(html: str) -> None:
    """The captions of arms and curves speak of the middle of the trials only where there is an interval."""
    few = sample()
    for arm in few["arms"]:
        for e in arm["estimates"]:
            e["low"] = e["high"] = None
    assert re.search(r"with the middle 95.?% of these trials", Page(html).text)
    without = Page(render_trial_page(few, draw_trial_figures(few))).text
    assert "the same weight; too few trials for an interval." in without
    assert "with the middle" not in without
    assert without.count("bands: about the least to the greatest of them") == 2
    assert "bands: about the least" not in Page(html).text


def test_each_miss_is_printed_as_a_miss_and_nothing_else_is(html: str) -> None:
    """In the table, and in the figure's description, with what was published."""
    rows = re.findall(r'<tr data-target="([^"]+)">(.*?)</tr>', html, re.DOTALL)
    assert [name for name, row in rows if "MISS" in row] == ["band", "far"]
    assert [name for name, _ in rows] == ["band", "far", "hr", "words"]  # held out first
    assert "2 of 2 held-out missed" in Page(html).text
    band = dict(rows)["band"]
    assert "17.8 month" in band
    assert "11.0–25.0" in band
    assert ">10.1<" in band
    assert "not verified" in dict(rows)["far"]
    assert "an increase" in dict(rows)["words"]


def test_every_figure_is_drawn_and_says_that_it_is_simulated(figures: list[Drawing]) -> None:
    assert [f.name for f in figures] == FIGURES
    for figure in figures:
        assert "simulated data — not patients" in figure.svg
        assert figure.caption
        assert figure.description


def test_a_figure_without_data_is_left_out() -> None:
    """No combinations, no sensitivity, one size, no targets: no figure, and the page still stands."""
    results = sample()
    results["combinations"] = results["sensitivity"] = None
    results["targets"] = []
    for one in results["comparisons"]:
        one["success"] = [s for s in one["success"] if s["n"] == 300]
    names = [name for name, _ in planned_trial_figures(results)]
    assert names == [
        n for n in FIGURES if n not in {"combinations", "sensitivity-os-hr", "success", "targets"}
    ]
    page = Page(render_trial_page(results, draw_trial_figures(results)))
    assert page.mismatched == []
    assert "Published against predicted" not in page.text


def test_a_trial_of_one_arm_has_a_page() -> None:
    """Nothing to compare with: no hazard ratio, and nothing breaks."""
    results = sample()
    results["arms"], results["comparisons"], results["targets"] = results["arms"][:1], [], []
    page = Page(render_trial_page(results, draw_trial_figures(results)))
    assert page.open == []
    assert "Hazard ratios and probability of success" not in page.text
    assert exit_status(results) == 0


def test_numbers_at_risk_stand_under_their_curve(figures: list[Drawing]) -> None:
    """All of them, by arm."""
    svg = next(f.svg for f in figures if f.name == "os")
    for arm in sample()["arms"]:
        for n in arm["curves"]["os"]["at_risk"]:
            assert f">{n}<" in svg


def test_what_is_not_reached_is_not_a_number(html: str) -> None:
    """A median that no trial reaches is said in words, in table and figure."""
    assert "not reached" in html
    assert value_text(None) == "not given"
    assert value_text(estimate("orr", 0.0, 0.0, 0.4, "%")) == "0% (0–0.4%)"
    assert value_text(estimate("os_hr", 0.7, 0.56, 0.875)) == "0.700 (0.560–0.875)"


def test_hazard_ratios_are_those_over_all_readings() -> None:
    """The estimate without a label; its share of shown trials is that of the planned size."""
    first = hazard_ratios(sample())[0]
    assert (first.arm, first.control, first.endpoint) == ("sorafenib", "placebo", "os")
    assert (first.value, first.success) == (0.70, 0.75)
    assert success_by_size(sample())[0].n == (100, 200, 300)


def test_text_from_the_file_is_escaped(html: str) -> None:
    assert "sorafenib <400 mg>" not in html
    assert "sorafenib &lt;400 mg&gt;" in html


def test_every_table_is_complete_and_says_that_it_is_simulated() -> None:
    """CSV files hold every row; the last column says that patients are simulated."""
    files = trial_files(sample(), report=False)
    tables = trial_tables(sample())
    assert {f"tables/{n}.csv" for n in tables} | {"results.json"} == set(files)
    for name, rows in tables.items():
        read = list(csv.DictReader(io.StringIO(files[f"tables/{name}.csv"].decode())))
        assert len(read) == len(rows)
        assert {r["simulated"] for r in read} == {"yes"}
    assert len(tables["replicates"]) == 2 * 2 * 8
    assert len(tables["curves"]) == 3 * 2 * 10
    assert json.loads(files["results.json"]) == sample()


def test_the_same_results_give_the_same_bytes() -> None:
    assert trial_files(sample()) == trial_files(sample())


def test_the_patients_are_moved_in_or_nothing_is_written(tmp_path: Path) -> None:
    """Moved beside the page; a number that JSON has no word for leaves the folder as it was."""
    made = tmp_path / "made.parquet"
    made.write_bytes(b"PAR1")
    out = tmp_path / "out"
    written = write_trial_report(sample(), out, patients=made)
    assert out / "patients.parquet" in written
    assert (out / "patients.parquet").read_bytes() == b"PAR1"
    before = {f: f.read_bytes() for f in out.rglob("*") if f.is_file()}
    broken: Json = sample()
    broken["level"] = float("nan")
    with pytest.raises(ValueError, match=r"results\.json"):
        write_trial_report(broken, out)
    assert {f: f.read_bytes() for f in out.rglob("*") if f.is_file()} == before
    write_trial_report(sample(), out, report=False)
    assert not (out / "report.html").exists()
    assert not (out / "patients.parquet").exists()


def test_status_tells_what_has_a_hazard_ratio() -> None:
    """0 all, 1 some, 2 none; a missed target changes nothing."""
    results = sample()
    assert exit_status(results) == 0
    results["comparisons"][0]["estimates"] = [estimate("os_hr", None, None, None)]
    assert exit_status(results) == 1
    results["comparisons"][1]["estimates"] = []
    assert exit_status(results) == 2


SEVEN = tuple(f"sorafenib with a second drug, number {k}" for k in range(7))


def seven_arms() -> Json:
    """A trial of seven arms with long names, in the same patients."""
    results = sample()
    arm = results["arms"][1]
    results["arms"] = [{**arm, "id": f"arm {k}", "label": name} for k, name in enumerate(SEVEN)]
    one = results["comparisons"][0]
    results["comparisons"] = [
        {
            **one,
            "arm": f"arm {k}",
            "control": "arm 0",
            "label": f"{SEVEN[k]} against {SEVEN[0]}",
            "success": [],
        }
        for k in range(1, 7)
    ]
    results["targets"] = []
    return results


def test_seven_arms_have_seven_names_and_no_wide_table() -> None:
    """Every arm in the key of the markers, no table with more than four arms, no empty column of success."""
    results = seven_arms()
    figures = draw_trial_figures(results)
    markers = next(f.svg for f in figures if f.name == "markers")
    hazard = next(f.svg for f in figures if f.name == "hazard-ratios")
    for name in SEVEN:
        assert f">{name}<" in markers
        assert name == SEVEN[0] or f">{name}<" in hazard
    assert "…" not in hazard
    tables = arm_tables(results)
    assert [len(t["arms"]) for t in tables] == [4, 3]
    assert [name for t in tables for name in t["arms"]] == list(SEVEN)
    text = Page(render_trial_page(results, figures)).text
    assert "probability of success" not in text
    assert "not computed" not in text


def test_success_is_told_by_reading_of_potency() -> None:
    """Pooled with the same weight, and beside it under each reading."""
    results = sample()
    one = results["comparisons"][0]
    one["success"] = [
        {"endpoint": "os", "n": 300, "label": label, "share": share, "low": 0.1, "high": 0.9, "trials": 8}
        for label, share in (("", 0.5), ("Kd", 0.4), ("IC50", 0.6))
    ]
    assert comparison_table(results)["rows"][0][-1] == "50% (Kd 40%, IC50 60%)"
    assert hazard_ratios(results)[0].success == 0.5


def test_figure_and_table_of_responses_agree() -> None:
    """The figure prints the medians of the table where the table has them, though bars are means."""
    results = sample()
    arm = results["arms"][0]
    arm["responses"]["recist"] = {"CR": 0.0, "PR": 3.4, "SD": 60.0, "PD": 30.0, "NE": 6.6}
    arm["estimates"] += [estimate("orr", 4.2, 1.0, 7.0, "%"), estimate("dcr", 66.0, 60.0, 70.0, "%")]
    results["arms"] = [arm]
    results["comparisons"], results["targets"] = [], []
    svg = next(f.svg for f in draw_trial_figures(results) if f.name == "response")
    assert ">4%<" in svg
    assert ">66%<" in svg
    assert ">63%<" not in svg


def test_an_interval_without_an_upper_bound_has_its_line() -> None:
    """A median that some trials do not reach: the line runs to the end of the axis, with an arrow."""
    results = sample()
    target = {**results["targets"][0], "low": 0.6, "high": 0.8, "predicted": 0.7, "inside": True}
    results["targets"] = [{**target, "predicted_low": 0.65, "predicted_high": None}]
    [axes] = sketch_targets(results).figure.axes
    lines = [[float(x) for x in line.get_xdata()] for line in axes.lines]  # pyright: ignore
    assert [pytest.approx(-0.5), 3.0] in lines
    assert [3.0] in lines
    results["targets"] = [{**target, "predicted_low": None, "predicted_high": None}]
    [axes] = sketch_targets(results).figure.axes
    assert not [line for line in axes.lines if 3.0 in line.get_xdata()]  # pyright: ignore


def test_a_target_without_a_label_is_named_by_what_it_is() -> None:
    results = sample()
    results["targets"][0]["label"] = "hr"
    results["targets"][0]["control"] = "placebo"
    assert target_rows(results)[2]["label"] == "Hazard ratio of death, sorafenib / placebo"


def test_what_a_prediction_hangs_on_is_said_with_its_intervals(html: str) -> None:
    """The first parameters with what is known of them, their ranks, and the measurement that narrows most."""
    text = " ".join(Page(html).text.split())
    assert "hangs most on parameter_0 (from a source), parameter_1 (fitted to trials)" in text
    assert "growth before (31% of the variance)" in text
    words = sensitivity_words(sample(), sample()["sensitivity"]["predictions"][0])
    assert "parameter_2 (assumed)" in words
    assert "parameter_3" not in words  # its rank may be 7


def test_a_prediction_that_is_not_said_is_named_and_changes_the_status() -> None:
    """Asked for and without an answer: the page says so, and the status is 1."""
    results = sample()
    results["sensitivity"]["asked"] = ["os_hr", "ttp_between"]
    page = Page(render_trial_page(results, draw_trial_figures(results)))
    assert "Nothing is said of the median progression between visits, sorafenib" in page.text
    assert exit_status(results) == 1
    results["sensitivity"]["predictions"] = []
    assert "Nothing is said of the hazard ratio of death" in Page(render_trial_page(results, [])).text


def test_no_column_of_success_where_there_is_none(figures: list[Drawing]) -> None:
    """The same patients in every arm: no trial that could be held, and no column that says nothing."""
    results = sample()
    for one in results["comparisons"]:
        one["success"] = []
    assert "Success" not in Page(render_trial_page(results, draw_trial_figures(results))).text
    assert "Success" in Page(render_trial_page(sample(), figures)).text


def test_the_lanes_of_single_patients_end_where_the_longest_follow_up_does() -> None:
    """Followed for two months of a year: the axis has two months, with a tick each."""
    short = sample()
    short["setup"]["follow_up"] = {"shortest_months": 0.0, "longest_months": 2.0}
    sketch = sketch_swimmer(short)
    for axes in (a for a in sketch.figure.axes if a.get_xlabel() == "months"):
        assert axes.get_xlim() == (0.0, 2.0)
        assert list(axes.get_xticks()) == [0.0, 1.0, 2.0]
