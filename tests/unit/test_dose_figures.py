"""Figures of a dose question: there for what the result holds, described, the same twice, odd or not."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from tests.unit.dose_report_sample import Json, sample, sample_without_curves
from troughline.report.figures.dose_parts import (
    ABOVE,
    BELOW,
    INSIDE,
    history_text,
    shown_regimens,
    target_name,
    target_text,
)
from troughline.report.figures.dose_plan import (
    FIGURES,
    draw_dose_figures,
    draw_summary_course,
    plan_dose_figures,
)
from troughline.report.figures.drawing import Drawing
from troughline.report.numbers import number, percent

MOST_SVG_BYTES = 200_000


@pytest.fixture(scope="module")
def drawings() -> dict[str, Drawing]:
    return {d.name: d for d in draw_dose_figures(sample())}


def test_every_part_of_the_sample_has_its_figure(drawings: dict[str, Drawing]) -> None:
    assert tuple(drawings) == FIGURES


def test_figures_are_small_well_formed_described_and_marked_as_simulated(
    drawings: dict[str, Drawing],
) -> None:
    for drawing in drawings.values():
        assert ElementTree.fromstring(drawing.svg).tag.endswith("svg")
        assert len(drawing.svg.encode()) < MOST_SVG_BYTES
        assert drawing.png == b""
        assert "simulated data" in drawing.svg
        assert len(drawing.caption) > 40
        assert any(c.isdigit() for c in drawing.description)


def test_the_same_result_gives_the_same_bytes(drawings: dict[str, Drawing]) -> None:
    assert {d.name: d.svg for d in draw_dose_figures(sample())} == {n: d.svg for n, d in drawings.items()}


def test_the_descriptions_hold_the_numbers_that_are_drawn(drawings: dict[str, Drawing]) -> None:
    results = sample()
    for one in results["regimens"]:
        assert number(one["trough"]["median"]) in drawings["regimens"].description
        assert percent(one["p_in"]) in drawings["regimens"].description
    for one in results["samples"]:
        value = number(one["value"]) if one["value"] is not None else f"below {number(one['limit'])}"
        assert value in drawings["course"].description
    assert "not comparable" in drawings["targets"].description


def test_the_course_says_what_its_marks_mean(drawings: dict[str, Drawing]) -> None:
    caption = drawings["course"].caption
    for words in ("limit of quantification", "does not use", "Violet", "Green", "95% interval"):
        assert words in caption


def test_a_level_that_is_not_used_does_not_stretch_the_axis(drawings: dict[str, Drawing]) -> None:
    """31.7 is not used: it is named at the upper end of an axis that the other levels need."""
    assert "31.7, not used" in drawings["course"].svg


def _changed(kind: str) -> Json:
    results = sample()
    if kind == "no samples":
        results["samples"] = []
    elif kind == "no target limits":
        results["target"] |= {"low": None, "high": None}
    elif kind == "open target":
        results["target"] |= {"low": 3.75, "high": None, "low_interval": None, "high_interval": None}
    elif kind == "target of area":
        results["target"] |= {"metric": "auc", "unit": "ug*h/mL", "low": 40.0, "high": 90.0}
        results["alternatives"] = [
            {**a, "target": {**a["target"], "unit": "ug*h/mL"}} for a in results["alternatives"]
        ]
    elif kind == "on hold":
        results["regimens"] = [
            {**r, "regimen": {**r["regimen"], "current": False}} for r in results["regimens"]
        ]
        results["individual"]["regimen"] = ""
    elif kind == "not distinguished":
        results["recommendation"] |= {"answer": kind, "regimen": None, "among": ["400-qd", "400-bid"]}
    elif kind == "no gain":
        for one in results["next_sample"]["candidates"]:
            one |= {"gain": 0.0, "gain_error": 0.0, "p_wrong_before": 0.0, "p_wrong_after": 0.0}
        results["next_sample"]["best"] = None
    elif kind == "an interval that is missing":
        for one in results["regimens"]:
            one["trough"] |= {"low": None, "high": None}
    return results


@pytest.mark.parametrize(
    "kind",
    [
        "no samples",
        "no target limits",
        "open target",
        "target of area",
        "on hold",
        "not distinguished",
        "no gain",
        "an interval that is missing",
    ],
)
def test_results_of_every_kind_are_drawn(kind: str) -> None:
    results = _changed(kind)
    drawn = {d.name for d in draw_dose_figures(results)}
    assert {"course", "regimens", "prior", "next-sample"} <= drawn
    assert draw_summary_course(results) is not None


def test_figures_without_data_are_not_planned() -> None:
    results = sample_without_curves()
    results["next_sample"] = None
    results["alternatives"] = results["alternatives"][:1]
    assert set(plan_dose_figures(results)) == {"course", "regimens", "prior"}
    results["curve"]["patient"]["day"] = []
    assert draw_summary_course(results) is None


def test_below_in_and_above_differ_in_lightness() -> None:
    """Neighbours in the bar differ by a contrast of 2 or more, so that a grey print keeps them apart."""

    def luminance(color: str) -> float:
        channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for one, other in ((BELOW, INSIDE), (INSIDE, ABOVE)):
        light, dark = sorted((luminance(one), luminance(other)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 2


def test_names_in_words() -> None:
    published: Json = {
        "id": "noda-2020/window",
        "label": "proposed range",
        "kind": "published",
        "unit": "ug/mL",
    }
    assert target_name(published) == "Noda 2020, proposed range"
    assert target_name(published | {"kind": "given"}) == "proposed range"
    assert target_name(published | {"label": "Noda 2020, range"}) == "Noda 2020, range"
    assert target_text(published | {"low": 1.4, "high": 3.45}) == "1.40–3.45 µg/mL"
    assert target_text(published | {"low": 3.75}) == "at least 3.75 µg/mL"
    assert target_text(published | {"high": 5.0}) == "at most 5.00 µg/mL"
    assert target_text(published) == "no limits"
    assert history_text({"amount_mg": 400.0, "interval_h": 12.0}) == "400 mg every 12 h"


def test_the_regimen_in_force_stands_first_among_those_not_told_apart() -> None:
    results: Json = {
        "recommendation": {"answer": "not distinguished", "regimen": "b", "among": ["a", "b", "c"]}
    }
    assert shown_regimens(results) == ["b", "a", "c"]
    assert shown_regimens({"recommendation": {"answer": "regimen", "regimen": "b", "among": ["a"]}}) == ["b"]
