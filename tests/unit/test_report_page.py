"""The page stands alone, is well formed and accessible, escapes its data, and says what is simulated."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import pairwise

import pytest

from tests.unit.report_sample import Page, sample, small_sample
from troughline.report.figures.drawing import Drawing
from troughline.report.figures.plan import draw_figures
from troughline.report.figures.style import (
    BENEFIT,
    GUARDED,
    INK,
    MUTED,
    PUBLISHED_TEXT,
    RAMPS,
    TOXICITY_TEXT,
    text_color,
)
from troughline.report.page import linked, render_page


@pytest.fixture(scope="module")
def figures() -> list[Drawing]:
    return draw_figures(sample())


@pytest.fixture(scope="module")
def html(figures: list[Drawing]) -> str:
    return render_page(sample(), figures)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_tags_are_balanced_and_identifiers_unique(page: Page) -> None:
    assert page.mismatched == []
    assert page.open == []
    identifiers = page.values("id")
    assert sorted(set(identifiers)) == sorted(identifiers)


def test_every_link_within_the_page_has_its_target(page: Page) -> None:
    identifiers = set(page.values("id"))
    targets = {h[1:] for h in page.values("href") if h.startswith("#")}
    assert targets - identifiers == set()
    labelled = {i for a in ("aria-labelledby", "aria-describedby") for v in page.values(a) for i in v.split()}
    assert labelled - identifiers == set()


def test_the_page_needs_no_network_and_no_script(html: str, page: Page) -> None:
    assert page.count("script") == 0
    assert page.count("link") == 0
    assert page.count("img") == 0
    assert not re.search(r"@import|url\(\s*['\"]?https?:", html)
    assert page.values("src") == []
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_headings_do_not_skip_a_level(page: Page) -> None:
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(words.strip() for _, words in page.headings)


def test_header_cells_have_a_scope_and_figures_a_description(page: Page, figures: list[Drawing]) -> None:
    assert all(attributes.get("scope") in {"col", "row"} for tag, attributes in page.tags if tag == "th")
    assert sum(attributes.get("role") == "img" for tag, attributes in page.tags if tag == "svg") == len(
        figures
    )
    assert page.count("figure") == page.count("figcaption") == len(figures)


def test_every_question_has_its_verdict_summary_guards_and_numbers(page: Page) -> None:
    text = " ".join(page.text.split())
    for question in sample()["questions"]:
        assert question["summary"].replace("ug/mL", "µg/mL") in text
        for guard in question["guards"]:
            assert guard["finding"] in text
            assert guard["remedy"] in text
            assert guard["effect"] in text
    for words in ("Answered with caution", "Not analysable", "Refused", "1 answered"):
        assert words in text


@pytest.mark.parametrize("simulated", [True, False])
def test_simulated_data_are_said_to_be_simulated_and_others_are_not(simulated: bool) -> None:
    results = small_sample()
    results["study"]["simulated"] = simulated
    results["study"]["description"] = ""
    html = render_page(results, [])
    assert ("SIMULATED DATA" in html) is simulated
    assert ('class="print-ribbon"' in html) is simulated
    assert ("no number here was measured in a patient" in html) is simulated


def test_text_of_the_data_is_escaped_everywhere() -> None:
    evil = "<script>alert('x')</script>"
    results = sample()
    results["study"]["title"] = results["study"]["description"] = evil
    results["issues"][0]["message"] = evil
    results["table1"]["rows"][0][0] = evil
    results["exposure"]["label"] = evil
    results["exposure"]["samples"][0]["patient"] = evil
    window = results["questions"][0]
    window["title"] = window["summary"] = evil
    window["tables"]["patients"][0]["patient"] = evil
    window["guards"][0]["reference"] = evil + ' doi:10.1000/x"><script>'
    window["series"]["label"] = window["series"]["benefit"]["outcome_label"] = evil
    window["estimates"][0]["label"] = window["estimates"][0]["note"] = evil
    results["provenance"]["inputs"] = {evil: evil}
    results["questions"] = [window]
    html = render_page(results, draw_figures(results))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 12
    assert Page(html).mismatched == []


def test_long_tables_are_closed_on_screen_and_open_in_print(html: str) -> None:
    folds = [attributes for tag, attributes in Page(html).tags if tag == "details"]
    assert folds
    assert all("open" not in attributes for attributes in folds)
    printed = html[html.index("@media print {\n  html") :]
    assert "::details-content { display: block; content-visibility: visible" in printed


def test_patients_left_out_stand_folded_in_their_question() -> None:
    results = small_sample()
    results["questions"] = results["questions"][:1]
    results["questions"][0]["tables"] = {"left-out": [{"patient": "P07", "reason": "drawn after the event"}]}
    page = Page(render_page(results, []))
    assert "P07" in page.text
    assert "drawn after the event" in page.text
    assert "tables/window-left-out.csv" in page.values("href")
    folded = [a for tag, a in page.tags if tag == "details"]
    del results["questions"][0]["tables"]
    assert page.count("details") == len(folded) == Page(render_page(results, [])).count("details") + 1


def test_a_range_is_never_bold_and_a_single_number_is() -> None:
    results = small_sample()
    base = {"low": 1.25, "high": 4.5, "unit": "1", "n": 24, "level": 0.95, "method": "guarded: x"}
    results["questions"] = [
        {"id": "q", "estimates": [{**base, "name": "threshold", "value": None, "label": ""}]},
        {"id": "r", "estimates": [{**base, "name": "threshold", "value": 2.5, "label": ""}]},
    ]
    html = render_page(results, [])
    assert '<span class="value range">1.25–4.50</span>' in html
    assert '<span class="range">1.25–4.50</span>' in html
    assert "<b>1.25–4.50</b>" not in html
    assert "<b>2.50</b>" in html


def test_an_effect_that_was_not_computed_is_muted() -> None:
    results = small_sample()
    results["questions"] = results["questions"][:1]
    guard = results["questions"][0]["guards"][0]
    guard["effect"] = "Not computed for this question."
    assert '<dd class="muted">Not computed for this question.</dd>' in render_page(results, [])
    guard["effect"] = "The odds ratio falls."
    assert "<dd>The odds ratio falls.</dd>" in render_page(results, [])


def test_the_samples_shown_say_whose_question_they_belong_to(page: Page, figures: list[Drawing]) -> None:
    results = sample()
    identity = results["exposure"]["question"]
    title = next(q["title"] for q in results["questions"] if q["id"] == identity)
    caption = next(f.caption for f in figures if f.name == "exposure")
    assert f"“{title}”" in caption
    assert " ".join(page.text.split()).count(title) >= 4
    del results["exposure"]["question"]
    assert "Other questions may use other samples" not in render_page(results, figures)


def test_dois_become_links_and_the_rest_is_escaped() -> None:
    assert linked("doi 10.1002/sim.2324") == (
        '<a href="https://doi.org/10.1002/sim.2324">doi:10.1002/sim.2324</a>'
    )
    assert linked("A & B. doi:10.1007/s00280-020-04105-0.") == (
        'A &amp; B. <a href="https://doi.org/10.1007/s00280-020-04105-0">doi:10.1007/s00280-020-04105-0</a>.'
    )


@pytest.mark.parametrize(
    "results", [{}, {"questions": []}, {"study": {"title": "T"}, "questions": [{"id": "a"}]}]
)
def test_what_is_missing_is_left_out(results: dict[str, object]) -> None:
    page = Page(render_page(results, draw_figures(results)))
    assert page.mismatched == []
    assert "Table 1." not in page.text


@pytest.mark.parametrize("key", sorted(sample()))
def test_any_part_may_be_missing(key: str) -> None:
    results = small_sample()
    del results[key]
    assert Page(render_page(results, [])).mismatched == []


def _contrast(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_text_colours_have_the_contrast_that_wcag_aa_asks_for() -> None:
    css = files("troughline.report").joinpath("templates/style.css").read_text("utf-8")
    named = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", css))
    for name in ("ink", "muted", "guarded", "published", "good", "warn", "stop"):
        assert _contrast(named[name]) >= 4.5, name
    for color in (INK, MUTED, GUARDED, BENEFIT, TOXICITY_TEXT, PUBLISHED_TEXT):
        assert _contrast(color) >= 4.5, color
    for color in {c for ramp in RAMPS.values() for c in ramp}:
        assert _contrast(text_color(color)) >= 4.5, color
