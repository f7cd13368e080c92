"""The reporting checklists claim an item only where its content is really in the results."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from tests.unit.report_sample import Page, sample
from troughline.report.checklist import CHECKS, Checklist, checklists
from troughline.report.page import render_page


def _items(results: dict[str, object]) -> dict[tuple[str, str], str]:
    remark, strobe = checklists(results)
    return {
        (name, item.number): item.status
        for name, part in (("REMARK", remark), ("STROBE", strobe))
        for item in part.items
    }


def test_the_checklists_have_the_items_of_their_sources() -> None:
    """REMARK has 20 items (doi:10.1186/1741-7015-10-51), STROBE 22 (doi:10.1371/journal.pmed.0040296)."""
    remark, strobe = checklists({})
    assert [i.number for i in remark.items] == [str(n) for n in range(1, 21)]
    assert [i.number for i in strobe.items] == [str(n) for n in range(1, 23)]
    assert (remark.doi, strobe.doi) == ("10.1186/1741-7015-10-51", "10.1371/journal.pmed.0040296")


def test_an_empty_result_satisfies_nothing() -> None:
    assert set(_items({}).values()) == {"not in this report"}


def test_every_check_is_used_and_every_need_is_checked() -> None:
    data = tomllib.loads(files("troughline.report").joinpath("checklist.toml").read_text("utf-8"))
    needs = {need for part in data.values() for item in part["item"] for need in item["needs"]}
    assert needs == set(CHECKS)


def test_items_follow_what_the_results_contain() -> None:
    full = _items(sample())
    assert full["REMARK", "7"] == "in part"
    assert full["REMARK", "16"] == "not in this report"
    assert full["STROBE", "17"] == "in part"
    assert full["STROBE", "22"] == "not in this report"

    without = sample()
    for question in without["questions"]:
        question["series"] = {}
        question["estimates"] = [e for e in question["estimates"] if e["method"].startswith("guarded")]
    fewer = _items(without)
    assert fewer["REMARK", "7"] == "not in this report"
    assert fewer["STROBE", "17"] == "not in this report"


def test_the_multivariable_item_needs_intervals_for_the_marker_and_for_every_other_variable() -> None:
    """REMARK item 16: effects with confidence intervals for the marker and for all other variables."""
    results = sample()
    estimates = results["questions"][4]["estimates"]
    ratio = next(e for e in estimates if e["name"] == "hazard_ratio" and e["method"].startswith("guarded"))
    ratio["method"] = "guarded: Cox, unadjusted"
    assert _items(results)["REMARK", "16"] == "not in this report"
    ratio["method"] = "guarded: Cox, adjusted for albumin"
    assert _items(results)["REMARK", "16"] == "in part"
    estimates.append({**ratio, "name": "covariate_hazard_ratio", "label": "albumin", "high": None})
    assert _items(results)["REMARK", "16"] == "in part"
    estimates[-1]["high"] = 2.0
    assert _items(results)["REMARK", "16"] == "in this report"


def test_an_item_about_all_questions_is_not_met_by_one_of_them() -> None:
    """STROBE 15 asks for the numbers of events, not for those of one of several questions."""
    results = sample()
    results["questions"] = [q for q in results["questions"] if q["id"].endswith("-threshold")]
    assert _items(results)["STROBE", "15"] == "in this report"
    del results["questions"][1]["series"]["distribution"]["outcome"]
    assert _items(results)["STROBE", "15"] == "in part"


def test_an_effect_that_was_not_computed_is_no_size_of_a_bias() -> None:
    """STROBE 19 asks for direction and magnitude of bias."""
    results = sample()
    for question in results["questions"]:
        for guard in question["guards"]:
            guard["effect"] = "Not computed for this question."
    assert _items(results)["STROBE", "19"] == "not in this report"


def test_what_is_missing_of_an_item_met_in_part_stands_in_the_page() -> None:
    text = " ".join(Page(render_page(sample(), [])).text.split())
    remark, _ = checklists(sample())
    parts = [i for i in remark.items if i.status == "in part"]
    assert parts
    assert all(f"Missing: {'; '.join(i.missing)}" in text for i in parts)


def test_what_only_authors_can_write_keeps_an_item_from_being_met() -> None:
    for part in checklists(sample()):
        for item in part.items:
            if any("for the authors" in m for m in item.missing):
                assert item.status != "in this report"
            assert (item.status == "in this report") == (not item.missing)


def test_every_place_an_item_points_to_is_in_the_page() -> None:
    results = sample()
    from troughline.report.figures.plan import draw_figures

    identifiers = set(Page(render_page(results, draw_figures(results))).values("id"))
    parts: tuple[Checklist, ...] = checklists(results)
    assert {p.anchor for part in parts for item in part.items for p in item.places} <= identifiers
