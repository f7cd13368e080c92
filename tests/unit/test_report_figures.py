"""Figures: valid, small, the same at every run, described in words, drawn from whatever parts there are."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest

from tests.unit.report_sample import sample
from troughline.report.figures.drawing import Drawing
from troughline.report.figures.parts import cut_text
from troughline.report.figures.plan import draw_figures, plan_figures
from troughline.report.figures.scale import linear_ticks, log_ticks, scale_of, swarm
from troughline.report.figures.steps import step_at, thin_steps
from troughline.report.figures.style import spread

MOST_SVG_BYTES = 200_000
"""The limit set for one figure, so that a page of twenty stays below 4 MB."""


@pytest.fixture(scope="module")
def drawings() -> list[Drawing]:
    return draw_figures(sample())


def test_every_series_of_the_sample_has_its_figure(drawings: list[Drawing]) -> None:
    assert [d.name for d in drawings] == [p.name for p in plan_figures(sample())]
    assert {d.name for d in drawings} == {
        "exposure",
        "window",
        "window-utility",
        "toxicity-threshold-roc",
        "toxicity-threshold-marker",
        "response-threshold-roc",
        "response-threshold-marker",
        "toxicity-curve",
        "survival-by-band-survival",
        "survival-by-band-hazard",
        "progression-incidence",
        "forest",
    }


def test_svg_is_well_formed_small_and_holds_no_date(drawings: list[Drawing]) -> None:
    for drawing in drawings:
        root = ElementTree.fromstring(drawing.svg)
        assert root.tag.endswith("svg")
        assert len(drawing.svg.encode()) < MOST_SVG_BYTES
        assert "metadata" not in drawing.svg
        assert drawing.png.startswith(b"\x89PNG")
        assert b"tEXt" not in drawing.png


def test_figures_are_described_in_words_and_marked_as_simulated(drawings: list[Drawing]) -> None:
    for drawing in drawings:
        assert len(drawing.title) > 5
        assert len(drawing.caption) > 40
        assert any(c.isdigit() for c in drawing.description)
        assert "nan" not in f"{drawing.caption} {drawing.description}".lower().split()
        assert "simulated data — not patients" in drawing.svg


def test_drawing_twice_gives_the_same_bytes(drawings: list[Drawing]) -> None:
    again = {d.name: d for d in draw_figures(sample())}
    for drawing in drawings:
        assert drawing.svg == again[drawing.name].svg
        assert drawing.png == again[drawing.name].png


def test_numbers_in_the_text_of_a_figure_are_not_cut_short() -> None:
    results = sample()
    results["questions"] = [q for q in results["questions"] if q["id"] == "toxicity-curve"]
    cut = {"label": "tiny 0.98765", "value": 1.23456, "kind": "external"}
    results["questions"][0]["series"]["curve"]["cuts"] = [cut]
    drawing = next(d for d in draw_figures(results) if d.name == "toxicity-curve")
    assert "tiny 0.98765 1.23" in drawing.svg


OPTIONAL = {
    "roc_band",
    "roc_guarded",
    "distribution",
    "threshold_bootstrap",
    "cuts",
    "models",
    "observed",
    "groups",
    "low",
    "high",
    "outcome_label",
    "label",
    "unit",
    "inside",
    "utility",
    "bounds",
    "limits",
    "domain",
    "benefit",
    "toxicity",
    "censored",
    "at_risk",
    "title",
    "origin",
    "n",
    "events",
    "time_unit",
    "reference",
    "naive",
    "below_limit",
    "threshold",
    "best",
    "best_low",
    "best_high",
    "as_published",
    "guarded",
    "external",
    "lower",
    "upper",
    "km_as_published",
    "km_guarded",
    "hazard_curve",
    "cumulative_incidence",
    "value",
}


def _paths(series: dict[str, Any], depth: int = 3) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in series.items():
        if key in OPTIONAL and not (key == "value" and isinstance(value, list)):
            found.append((key,))
        if isinstance(value, dict) and depth:
            found += [(key, *rest) for rest in _paths(value, depth - 1)]
    return found


CASES = [(k, path) for k, q in enumerate(sample()["questions"]) for path in _paths(q["series"])]


@pytest.mark.parametrize(("k", "path"), CASES, ids=lambda v: ".".join(v) if isinstance(v, tuple) else str(v))
def test_any_optional_part_of_a_series_may_be_missing(k: int, path: tuple[str, ...]) -> None:
    question = sample()["questions"][k]
    parent = question["series"]
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    for planned in plan_figures({"questions": [question]}):
        sketch = planned.sketch()
        assert sketch.caption
        assert "None" not in f"{sketch.caption} {sketch.description} {sketch.title}"


def _roc_axes(question: dict[str, Any]) -> Any:
    return (
        next(p for p in plan_figures({"questions": [question]}) if p.name.endswith("roc"))
        .sketch()
        .figure.axes[0]
    )


def test_the_roc_band_belongs_to_the_guarded_curve_and_both_curves_say_how_many() -> None:
    question = sample()["questions"][1]
    axes = _roc_axes(question)
    words = [t.get_text() for t in axes.texts]
    assert {"guarded, n = 24", "as published, n = 26"} <= set(words)
    lines = {line.get_color(): line for line in axes.lines if len(line.get_xdata()) > 5}
    guarded, published = lines["#2b5797"], lines["#7b858e"]
    assert guarded.get_linewidth() > published.get_linewidth()
    assert sorted(guarded.get_ydata()) == sorted(question["series"]["roc_guarded"]["sensitivity"])
    assert sorted(published.get_ydata()) == sorted(question["series"]["roc"]["sensitivity"])
    assert len(axes.collections) == 1


def test_without_a_guarded_curve_no_band_is_drawn_around_the_published_one() -> None:
    question = sample()["questions"][1]
    del question["series"]["roc_guarded"]
    axes = _roc_axes(question)
    assert "as published, n = 26" in [t.get_text() for t in axes.texts]
    assert len(axes.collections) == 0


def test_the_caption_says_what_the_roc_band_is() -> None:
    caption = plan_figures({"questions": [sample()["questions"][1]]})[0].sketch().caption
    assert "pointwise bootstrap interval of the sensitivity of the guarded curve" in caption
    assert "chance" not in caption


def test_equal_curves_are_named_once() -> None:
    question = sample()["questions"][1]
    question["series"]["roc_guarded"] = question["series"]["roc"]
    for e in question["estimates"]:
        e["n"] = 26
    assert "guarded and as published, n = 26" in [t.get_text() for t in _roc_axes(question).texts]


def test_a_long_label_of_a_cut_loses_its_bracket_before_its_letters() -> None:
    cut = {"label": "prespecified trough target (dose increase advised below it)", "value": 3.75}
    assert cut_text(cut) == "prespecified trough target 3.75"


def test_a_bound_that_the_data_do_not_give_is_drawn_as_an_arrow() -> None:
    question = sample()["questions"][0]
    question["series"]["bounds"]["guarded"] = {
        "lower": {"value": None, "low": None, "high": 2.0},
        "upper": {"value": 25.0, "low": 0.1, "high": None},
    }
    assert plan_figures({"questions": [question]})[0].sketch().title == "The therapeutic window"


def test_a_marker_with_negative_values_is_drawn_on_a_linear_axis() -> None:
    question = sample()["questions"][1]
    data = question["series"]["distribution"]
    data["value"] = [v - 4.0 for v in data["value"]]
    question["series"]["cuts"] = [{"label": "ALBI grade 2", "value": -2.6, "kind": "external"}]
    question["series"]["threshold_bootstrap"] = {"edges": [-3.0, -2.0, 0.0], "count": [3, 5]}
    titles = [p.sketch().title for p in plan_figures({"questions": [question]})]
    assert titles == ["ROC curve for grade ≥3 toxicity", "Marker by outcome: grade ≥3 toxicity"]


def test_five_thousand_patients_keep_figures_small() -> None:
    rng = np.random.default_rng(1)
    n = 5000
    value, outcome = np.exp(rng.normal(1.0, 0.6, n)).tolist(), rng.integers(0, 2, n).tolist()
    time = np.sort(rng.exponential(300.0, n)).tolist()
    alive = (1 - np.arange(1, n + 1) / n).tolist()
    group = {"label": "all", "n": n, "time": time, "survival": alive, "low": alive, "high": alive}
    falling, rising = np.linspace(1, 0, n).tolist(), np.linspace(0, 1, n).tolist()
    question = {
        "id": "q",
        "series": {
            "roc": {"specificity": rising, "sensitivity": falling, "threshold": value},
            "distribution": {"value": value, "outcome": outcome, "unit": "ug/mL"},
            "km_guarded": {"time_unit": "day", "groups": [{**group, "censored": time}]},
        },
    }
    samples = [{"patient": f"P{i}", "value": v, "dose_mg_per_day": 400.0} for i, v in enumerate(value)]
    for drawing in draw_figures({"questions": [question], "exposure": {"samples": samples, "unit": "ug/mL"}}):
        assert len(drawing.svg.encode()) < MOST_SVG_BYTES, drawing.name


def test_two_questions_never_share_a_figure_name() -> None:
    question = sample()["questions"][3]
    first, second = {**question, "id": "a"}, {**question, "id": "a-curve"}
    names = [p.name for p in plan_figures({"questions": [first, second]})]
    assert len(set(names)) == len(names)


def test_scales_choose_log_only_where_it_fits() -> None:
    assert scale_of(np.array([0.7, 8.8])).log
    assert not scale_of(np.array([30.0, 60.0])).log
    assert not scale_of(np.array([-1.0, 60.0])).log
    assert scale_of(np.array([2.0, 2.0])).low < 2.0 < scale_of(np.array([2.0, 2.0])).high
    assert log_ticks(0.74, 8.8) == [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0]
    assert linear_ticks(28.0, 62.0) == [30.0, 40.0, 50.0, 60.0]


def test_zeros_have_a_place_beside_values_of_several_decades() -> None:
    values = np.concatenate([np.zeros(5), np.geomspace(2.0, 1200.0, 60)])
    scale = scale_of(values)
    assert scale.bend > 0
    assert not scale.log
    places = scale.places(np.array([0.0, 10.0, 100.0, 1000.0]))
    assert 0 < places[0] < 0.1
    assert places[1] > 0.2, "a linear axis would have it at 0.06"
    assert np.allclose(scale.values(scale.places(values)), values, rtol=1e-9, atol=1e-9)
    assert scale.ticks() == [0.0, 10.0, 100.0, 1000.0]
    assert scale_of(np.array([0.0, 4.0, 5.0, 9.0])).bend == 0


def test_equal_panels_of_a_survival_figure_are_said_to_be_equal() -> None:
    question = next(q for q in sample()["questions"] if q["id"] == "survival-by-band")
    question["series"]["km_guarded"] = question["series"]["km_as_published"]
    caption = plan_figures({"questions": [question]})[0].sketch().caption
    assert "both panels are the same" in caption
    other = next(q for q in sample()["questions"] if q["id"] == "survival-by-band")
    assert "both panels are the same" not in plan_figures({"questions": [other]})[0].sketch().caption


def test_swarmed_dots_do_not_lie_on_one_another() -> None:
    values = np.array([1.0, 1.001, 1.002, 1.01, 2.0, 2.0, 2.0])
    scale = scale_of(np.array([0.5, 5.0]))
    y = swarm(values, scale, width_in=5.0, dot_in=0.1)
    x = scale.places(values) * 50.0
    gaps = np.hypot(x[:, None] - x, y[:, None] - y)[np.triu_indices(values.size, 1)]
    assert gaps.min() > 0.98


def test_labels_are_moved_apart_and_stay_in_order() -> None:
    places = spread([0.5, 0.51, 0.1, 0.99], 0.1, 0.0, 1.0)
    assert np.all(np.diff(np.sort(places)) > 0.0999)
    assert np.argsort(places).tolist() == [2, 0, 1, 3]


def test_thinned_steps_keep_the_curve_within_one_cell() -> None:
    time = np.linspace(0.0, 1000.0, 20_001)
    value = 1.0 - time / 1000.0
    kept = thin_steps(time, value, 1000.0)
    assert kept.size <= 302
    at = np.linspace(0.0, 1000.0, 777)
    assert np.abs(step_at(at, time[kept], value[kept]) - step_at(at, time, value)).max() <= 1 / 300 + 1e-9
