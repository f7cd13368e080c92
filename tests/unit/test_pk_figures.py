"""Figures and page of individual estimates: well formed, small, the same at every run, escaped, complete."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.pk_report_sample import estimates
from tests.unit.report_sample import Page
from troughline.report.figures.drawing import Drawing
from troughline.report.figures.pk_parts import times_of, trend, unpadded
from troughline.report.figures.pk_plan import draw_estimate_figures, plan_estimate_figures
from troughline.report.figures.pk_predictions import fold_errors
from troughline.report.pk_page import render_estimates_page, write_estimates_report

Json = dict[str, Any]
MOST_SVG_BYTES = 250_000
"""The limit set for one figure, so that a page stays below 2 MB."""
HOSTILE = '<script>alert("x")</script> & $\\frac{1}{2}$'
_SAMPLE = estimates()


def sample() -> Json:
    return copy.deepcopy(_SAMPLE)


@pytest.fixture(scope="module")
def drawings() -> list[Drawing]:
    return draw_estimate_figures(sample())


@pytest.fixture(scope="module")
def html(drawings: list[Drawing]) -> str:
    return render_estimates_page(sample(), drawings)


def test_every_diagnostic_of_the_sample_has_its_figure(drawings: list[Drawing]) -> None:
    assert [d.name for d in drawings] == [
        "sorafenib-predictions",
        "sorafenib-residuals",
        "sorafenib-npde",
        "sorafenib-vpc",
        "sorafenib-fits",
    ]


def test_figures_are_well_formed_small_described_and_marked_as_simulated(drawings: list[Drawing]) -> None:
    for drawing in drawings:
        assert ElementTree.fromstring(drawing.svg).tag.endswith("svg")
        assert len(drawing.svg.encode()) < MOST_SVG_BYTES
        assert drawing.png.startswith(b"\x89PNG")
        assert len(drawing.caption) > 40
        assert any(c.isdigit() for c in drawing.description)
        assert "nan" not in f"{drawing.caption} {drawing.description}".lower().split()
        assert "simulated data — not patients" in drawing.svg


def test_drawing_twice_gives_the_same_bytes(drawings: list[Drawing]) -> None:
    for drawing, again in zip(drawings, draw_estimate_figures(sample()), strict=True):
        assert drawing.svg == again.svg
        assert drawing.png == again.png


def test_a_large_data_set_stays_small() -> None:
    for drawing in draw_estimate_figures(estimates(n_patients=800, n_simulated=40)):
        assert len(drawing.svg.encode()) < MOST_SVG_BYTES


PARTS = [
    *[("predictions", k) for k in ("population", "individual", "below_limit")],
    *[("residuals", k) for k in ("iwres", "pwres", "individual", "population")],
    *[("npde", k) for k in ("time_h", "prediction", "tests", "n_simulations")],
    *[("vpc", k) for k in ("edges", "below", "below_low", "points", "level", "median", "n_left_out")],
    *[
        (None, k)
        for k in ("label", "unit", "limit", "shrinkage", "error", "n", "predictions", "npde", "fits")
    ],
]


@pytest.mark.parametrize(("group", "key"), PARTS)
def test_any_optional_part_may_be_missing(group: str | None, key: str) -> None:
    results = sample()
    output = results["outputs"][0]
    del (output if group is None else output[group])[key]
    planned = [p for p in plan_estimate_figures(results) if group is None or p.name.endswith(group)]
    assert len(planned) == (1 if group else 4 if key in {"predictions", "npde", "fits"} else 5)
    for one in planned:
        drawn = one.sketch()
        assert "nan" not in f"{drawn.caption} {drawn.description}".lower().split()
    render_estimates_page(results, [])


@pytest.mark.parametrize("key", ["low", "population", "individual"])
def test_a_fit_may_lack_band_curve_or_typical_patient(key: str) -> None:
    results = sample()
    for fit in results["outputs"][0]["fits"]:
        del fit["curve"][key]
        fit.pop("note")
        fit.pop("limit")
        fit.pop("doses_h")
    drawings = draw_estimate_figures({"outputs": [{"fits": results["outputs"][0]["fits"][:2]}]})
    assert [d.name for d in drawings] == ["output-1-fits"]


def test_a_patient_without_samples_is_drawn() -> None:
    fit: Json = {"patient": "A", "curve": {"time_h": [0.0, 400.0], "individual": [1.0, 0.1]}}
    drawing = draw_estimate_figures({"outputs": [{"fits": [fit], "fits_log": True}]})[0]
    assert "A: 0 samples" in drawing.description
    assert "time (days)" in drawing.svg


def test_arrays_serve_as_well_as_lists() -> None:
    lists, arrays = sample(), sample()
    for group in ("predictions", "residuals", "npde", "vpc"):
        part = arrays["outputs"][0][group]
        for key, value in part.items():
            if isinstance(value, list):
                part[key] = np.array(value)
    planned = zip(plan_estimate_figures(lists), plan_estimate_figures(arrays), strict=True)
    for one, other in planned:
        assert one.sketch().caption == other.sketch().caption
    assert render_estimates_page(lists, []) == render_estimates_page(arrays, [])


def test_text_of_the_data_is_escaped_in_figures_and_page() -> None:
    results = sample()
    results["title"] = results["model"]["description"] = results["methods"][0] = HOSTILE
    results["typical_values"][0]["name"] = results["random_effects"][0]["name"] = HOSTILE
    results["findings"][0]["message"] = results["tables"][0]["rows"][0]["quantity"] = HOSTILE
    results["model"]["notes"] = results["provenance"]["command"] = [HOSTILE]
    output = results["outputs"][0]
    output["label"] = output["name"] = output["unit"] = output["error"] = HOSTILE
    output["fits"][0]["patient"] = output["fits"][0]["note"] = HOSTILE
    drawings = draw_estimate_figures(results)
    for drawing in drawings:
        ElementTree.fromstring(drawing.svg)
    html = render_estimates_page(results, drawings)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    page = Page(html)
    assert page.count("script") == 0
    assert page.mismatched == []
    assert page.open == []


def test_the_page_stands_alone_and_its_links_have_targets(html: str) -> None:
    page = Page(html)
    assert page.mismatched == []
    assert page.open == []
    identifiers = page.values("id")
    assert sorted(set(identifiers)) == sorted(identifiers)
    assert {h[1:] for h in page.values("href") if h.startswith("#")} - set(identifiers) == set()
    labelled = {i for a in ("aria-labelledby", "aria-describedby") for v in page.values(a) for i in v.split()}
    assert labelled - set(identifiers) == set()
    assert page.count("script") == page.count("link") == page.count("img") == 0
    assert "SIMULATED DATA" in html
    assert len(html.encode()) < 2_000_000


def test_the_page_says_what_it_must(html: str) -> None:
    for words in (
        "60 patients gave 300 samples",
        "1 patient could not be estimated",
        "sorafenib/example, revision 1",
        "https://doi.org/10.1111/j.1365-2125.2011.03963.x",
        "8.13 L/h",
        "not verified",
        "this concerns eta_V",
        "weight 180 kg is outside the range",
        "Research software, not a medical device.",
    ):
        assert words in html


def test_a_conflict_with_the_model_is_said_at_a_glance(drawings: list[Drawing]) -> None:
    results = sample()
    results["outputs"][0]["npde"]["tests"]["global_p"] = 0.0004
    html = render_estimates_page(results, drawings)
    assert "Differs from the model" in html
    assert "p &lt; 0.001" in html


def test_a_calibrated_model_is_said_to_be_one(drawings: list[Drawing]) -> None:
    results = sample()
    assert "calibrated to aggregate data" not in render_estimates_page(results, drawings)
    results["model"]["calibrated"] = True
    assert "calibrated to aggregate data" in render_estimates_page(results, drawings)


def test_model_and_counts_are_enough(tmp_path: Path) -> None:
    results: Json = {"model": {"id": "x/y"}, "counts": {"patients": 1, "samples": 0}}
    page = write_estimates_report(results, tmp_path / "new" / "folder").read_text("utf-8")
    assert "1 patient gave 0 samples. Without samples every estimate is that of the typical patient." in page
    assert "SIMULATED" not in page


def test_writing_replaces_the_page_and_leaves_nothing_else(tmp_path: Path, html: str) -> None:
    (tmp_path / "report.html").write_text("old")
    written = write_estimates_report(sample(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert written.read_text("utf-8") == html


def test_a_folder_in_the_place_of_the_page_is_named(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match="it is a folder"):
        write_estimates_report({"model": {"id": "x"}, "counts": {}}, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_fold_errors_by_hand() -> None:
    """Ratios 2 and ½ and 4: geometric mean 4^(1/3); two of three within twofold."""
    bias, within = fold_errors(np.array([2.0, 1.0, 4.0, -1.0]), np.array([1.0, 2.0, 1.0, 1.0]))
    assert bias == pytest.approx(4 ** (1 / 3))
    assert within == pytest.approx(2 / 3)


def test_the_trend_of_a_straight_line_is_the_line() -> None:
    x = np.linspace(0, 10, 60)
    place, height = trend(x, 3 - 2 * x)
    np.testing.assert_allclose(height, 3 - 2 * place, atol=1e-10)
    assert trend(np.array([1.0, 1.0]), np.array([1.0, 2.0]))[0].size == 0


def test_times_and_axes() -> None:
    assert times_of(np.array([0.0, 48.0])).unit == "h"
    assert times_of(np.array([0.0, 2400.0])).shown([24.0]).tolist() == [1.0]
    assert unpadded(np.array([1.0, 10.0])).low < 0.0
    assert unpadded(np.array([100.0, 101.0])).low > 99.0
