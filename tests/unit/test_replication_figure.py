"""The figure of a comparison: every published study, the pooled one, the new, both together."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from tests.unit.report_sample import Page, small_sample
from troughline.evidence.comparison_words import comparison_contents, table_row
from troughline.evidence.effects import Effect
from troughline.evidence.replication import Rules, compare
from troughline.report.figures.plan import draw_figures
from troughline.report.page import render_page
from troughline.results import plain

PUBLISHED = (
    Effect(label="SHARP", value=0.69, low=0.55, high=0.87, n=602),
    Effect(label="Asia-Pacific", value=0.68, low=0.50, high=0.93, n=226),
    Effect(label="Recalled", value=0.50, low=0.40, high=0.60, verified=False),
)
LABEL = "sorafenib vs placebo"


def block(new: Effect, published: tuple[Effect, ...] = PUBLISHED) -> dict[str, Any]:
    found = compare(new, published, Rules(null=1.0))
    return plain(comparison_contents(found, name="hazard_ratio", label=LABEL))


def results(*blocks: dict[str, Any]) -> dict[str, Any]:
    sample = small_sample()
    sample["questions"] = sample["questions"][:1]
    sample["questions"][0]["replication"] = list(blocks)
    sample["questions"][0]["tables"] = {"against-published": [table_row(b) for b in blocks]}
    return sample


HERE = Effect(label="these patients", value=0.80, low=0.60, high=1.07, n=240)


def test_every_row_is_drawn_and_described() -> None:
    (drawing,) = draw_figures(results(block(HERE)))
    ElementTree.fromstring(drawing.svg)
    assert drawing.name.endswith("replication")
    for words in (
        "SHARP: 0.690",
        "2 studies pooled: 0.686",
        "Recalled, not verified",
        "these patients (n = 240)",
        "together",
        "prediction interval",
    ):
        assert words in drawing.description
    assert "prediction interval" in drawing.caption
    assert drawing.description.startswith("Hazard ratio, sorafenib vs placebo, cannot tell")


def test_every_mark_has_one_meaning() -> None:
    """Pooled and together, without an interval and not used: four marks, each explained where it is drawn."""
    bare = Effect(label="Print", value=0.7)
    (drawing,) = draw_figures(results(block(HERE, (*PUBLISHED, bare))))
    for words in ("diamond: all published together", "cross: these patients and the published as one"):
        assert words in drawing.caption
    assert "Open ring: printed without an interval" in drawing.caption
    assert "Open square: not used" in drawing.caption
    (one,) = draw_figures(results(block(HERE, PUBLISHED[:1])))
    assert "diamond" not in one.caption
    assert "cross" in one.caption


def test_drawing_twice_gives_the_same_bytes() -> None:
    first, second = (draw_figures(results(block(HERE)))[0] for _ in range(2))
    assert (first.svg, first.png) == (second.svg, second.png)


def test_an_open_interval_and_a_bare_point_are_drawn() -> None:
    new = Effect(label="these patients", value=0.80, low=0.60, n=240)
    bare = Effect(label="Print", value=0.7)
    (drawing,) = draw_figures(results(block(new, (bare,))))
    assert "0.800 (from 0.600)" in drawing.description
    assert "Print: 0.700" in drawing.description
    assert "diamond" not in drawing.caption


def test_the_page_has_the_sentence_the_figure_and_the_table() -> None:
    contents = results(block(HERE))
    html = render_page(contents, draw_figures(contents))
    page = Page(html)
    assert "Against what is published" in [text for _, text in page.headings]
    assert "cannot tell whether what is published holds" in page.text
    assert html.count('id="fig-') == 1
    assert page.mismatched == []


def test_a_result_of_before_has_no_such_section() -> None:
    contents = small_sample()
    html = render_page(contents, [])
    assert "Against what is published" not in html
