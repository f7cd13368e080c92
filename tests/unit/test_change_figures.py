"""The figures of a change question: what is drawn, what the caption counts, the same bytes twice."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from benchmarks.change_cohorts import change_cohort, change_records

from troughline.report.figures.drawing import draw
from troughline.report.figures.plan import plan_figures
from troughline.response.study import answer


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """Two groups of 14, some levels below the limit."""
    rows = change_records((14, 14), np.random.default_rng(5), limit=4.3)
    return answer(change_cohort(rows)).contents


def drawn(results: dict[str, Any], name: str) -> Any:
    (planned,) = [p for p in plan_figures(results) if p.name == name]
    return draw(planned.name, planned.question, planned.sketch, simulated=True)


def test_both_figures_are_planned_and_say_that_the_data_are_simulated(results: dict[str, Any]) -> None:
    assert [p.name for p in plan_figures(results)] == ["change-pairs", "change"]
    assert "simulated data" in drawn(results, "change-pairs").svg


def test_the_caption_counts_the_levels_beyond_the_limit(results: dict[str, Any]) -> None:
    groups = results["questions"][0]["series"]["change"]["markers"][0]["groups"]
    below = sum(sum(g[k]) for g in groups for k in ("before_below", "after_below"))
    assert below > 0
    assert f"{below} hollow ends" in drawn(results, "change-pairs").caption
    both = sum(b and a for g in groups for b, a in zip(g["before_below"], g["after_below"], strict=True))
    assert f"{both} changes between two levels beyond a limit" in drawn(results, "change").caption


def test_the_same_data_give_the_same_bytes(results: dict[str, Any]) -> None:
    for name in ("change-pairs", "change"):
        assert drawn(results, name).svg == drawn(results, name).svg


def test_of_many_markers_six_are_drawn_and_the_caption_says_so(results: dict[str, Any]) -> None:
    many = copy.deepcopy(results)
    change = many["questions"][0]["series"]["change"]
    change["markers"] = [{**change["markers"][0], "marker": f"IL-{k}"} for k in range(9)]
    for name in ("change-pairs", "change"):
        figure = drawn(many, name)
        assert "3 more are in the tables." in figure.caption
        assert "IL-5" in figure.description
        assert "IL-6" not in figure.description


def test_a_group_without_a_test_is_drawn_without_an_estimate(results: dict[str, Any]) -> None:
    single = copy.deepcopy(results)
    group = single["questions"][0]["series"]["change"]["markers"][0]["groups"][1]
    for key in ("change", "low", "high", "p", "p_adjusted"):
        group[key] = None
    figure = drawn(single, "change-pairs")
    assert "not tested" in figure.description
    assert drawn(single, "change").svg


def test_an_open_interval_is_drawn_with_an_arrow(results: dict[str, Any]) -> None:
    """And a change without a value is not drawn as one."""
    open_one = copy.deepcopy(results)
    group = open_one["questions"][0]["series"]["change"]["markers"][0]["groups"][0]
    group["change"], group["high"] = None, None
    assert "no single value" in drawn(open_one, "change").description
