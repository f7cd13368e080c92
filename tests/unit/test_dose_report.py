"""The pages of a dose question: every number of the result, nothing unknown as 0, no network, one sheet."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from pypdf import PdfReader

from tests.unit.dose_report_sample import Json, sample, sample_without_curves
from tests.unit.report_sample import Page
from troughline.report import dose_view
from troughline.report.dose_page import render_dose_page, render_summary
from troughline.report.dose_words import parameter_rows
from troughline.report.dose_write import dose_files
from troughline.report.figures.dose_plan import (
    draw_dose_figures,
    draw_narrow_course,
    draw_summary_course,
)
from troughline.report.figures.drawing import Drawing
from troughline.report.numbers import interval, number, percent

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def figures() -> list[Drawing]:
    return draw_dose_figures(sample())


@pytest.fixture(scope="module")
def html(figures: list[Drawing]) -> str:
    return render_dose_page(sample(), figures)


@pytest.fixture(scope="module")
def summary() -> str:
    return render_summary(sample(), draw_summary_course(sample()))


def _rows(html: str) -> dict[str, str]:
    """The text of each candidate's row by its id."""
    body = html.split('<table class="regimens">')[1].split("</table>")[0]
    rows = re.findall(r'<tr[^>]*data-regimen="([^"]+)">(.*?)</tr>', body, re.DOTALL)
    return {identity: " ".join(Page(row).text.split()) for identity, row in rows}


def test_the_page_is_well_formed_and_every_link_within_it_has_its_target(html: str, summary: str) -> None:
    for one in (html, summary):
        page = Page(one)
        assert page.mismatched == []
        assert page.open == []
        identifiers = page.values("id")
        assert sorted(set(identifiers)) == sorted(identifiers)
        assert {h[1:] for h in page.values("href") if h.startswith("#")} <= set(identifiers)
        levels = [level for level, _ in page.headings]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_pages_need_no_network_and_no_script(html: str, summary: str) -> None:
    for one in (html, summary):
        page = Page(one)
        assert [page.count(tag) for tag in ("script", "link", "img", "iframe")] == [0, 0, 0, 0]
        assert page.values("src") == []
        assert not re.search(r"@import|url\(\s*['\"]?https?:", one)
        assert "default-src 'none'" in one


def test_the_sentence_comes_first_and_is_the_heading(html: str, summary: str) -> None:
    sentence = dose_view.micro(sample()["sentence"])
    for one in (html, summary):
        assert Page(one).headings[0] == (1, sentence)


def test_every_number_of_the_candidates_stands_in_their_rows(html: str) -> None:
    rows = _rows(html)
    for one in sample()["regimens"]:
        text = rows[one["regimen"]["id"]]
        for metric in ("trough", "auc"):
            spread = one[metric]
            assert number(spread["median"]) in text
            assert interval(spread["low"], spread["high"], value=spread["median"]) in text
        for name in ("p_below", "p_in", "p_above", "p_error", "p_best", "p_in_as_printed"):
            assert percent(one[name]) in text, name
        for name in ("p_toxicity", "p_benefit"):
            assert percent(one[name]) in text
            assert interval(one[f"{name}_low"], one[f"{name}_high"], "percent") in text
        for name in ("utility", "utility_error", "utility_low", "utility_high"):
            assert dose_view.utility_text(one[name]) in text, name
        assert dose_view.day_text(float(f"{one['time_to_steady']['days']:.2g}")) in text
        assert dose_view.day_text(one["regimen"]["daily_dose_mg"]) in text


def test_samples_targets_causes_and_the_next_sample_are_on_the_page(html: str) -> None:
    results, text = sample(), " ".join(Page(html).text.split())
    for one in results["samples"]:
        assert dose_view.sample_value(one) in text
    for one in results["alternatives"]:
        assert one["target"]["label"] in text
        assert one["reason"] in text
    for one in results["explanation"]["causes"]:
        assert one["text"] in text
    for one in results["next_sample"]["candidates"]:
        assert one["label"] in text
        assert dose_view.utility_text(one["gain"]) in text
    assert results["following"]["drift"]["text"] in text
    assert results["issues"][0]["message"] in text
    assert "not used: the file says not to use it" in text


def test_the_proportional_answer_and_what_the_model_says_of_itself_are_on_the_page(html: str) -> None:
    text = " ".join(Page(html).text.split())
    assert "If exposure rose in proportion to the dose" in text
    assert "400 mg once daily3.112.4361%78%" in text
    assert "What the model says of itself" in text
    assert "Whether exposure is less than proportional is <disputed>." in text


def test_a_target_with_one_limit_and_a_toxicity_that_lasts_have_badges_of_their_own() -> None:
    """Neither says that one regimen is preferred."""
    results = sample()
    results["recommendation"] |= {"answer": "regimen", "ranked": False}
    assert dose_view.answer_badge(results)[1].startswith("The smallest change that reaches the target")
    results["recommendation"]["regimen"] = "400-bid"
    assert dose_view.answer_badge(results)[1].startswith("The regimen in force reaches the target")
    results["issues"].append(
        {
            "severity": "warning",
            "code": "ongoing-toxicity",
            "message": "",
            "file": "",
            "row": None,
            "column": "",
        }
    )
    assert dose_view.answer_badge(results) == ("refused", "Hold: a severe toxicity is not over")


def test_what_is_not_known_is_said_with_its_reason_and_never_as_zero() -> None:
    results = sample_without_curves()
    html = render_dose_page(results, [])
    text = " ".join(Page(html).text.split())
    assert "not known: no curve of toxicity is named" in text
    assert "not known: no curve of benefit is named" in text
    assert "not known: needs P(grade ≥ 3 toxicity) and P(benefit)" in text
    header = html.split('<table class="regimens">')[1].split("</thead>")[0]
    assert "toxicity" not in header
    assert "utility" not in header
    one = sample()
    one["regimens"][0]["p_toxicity"] = None
    row = _rows(render_dose_page(one, []))[one["regimens"][0]["regimen"]["id"]]
    assert "not known" in row
    assert "not known" in Page(render_summary(one, None)).text


def test_a_warning_stands_at_the_top_and_makes_the_badge_a_cautious_one() -> None:
    results = sample()
    head = render_dose_page(results, []).split("</header>")[0]
    assert "badge-caution" in head
    assert "One regimen is preferred, with a warning" in head
    assert results["issues"][0]["message"] in head
    results["issues"] = [{**results["issues"][0], "severity": "note"}]
    head = render_dose_page(results, []).split("</header>")[0]
    assert "badge-answered" in head
    assert "with a warning" not in head
    assert results["issues"][0]["message"] not in head


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("regimen", "One regimen is preferred"),
        ("not distinguished", "The evidence does not distinguish these regimens"),
        ("target not reached", "No feasible regimen reaches the target"),
    ],
)
def test_every_answer_is_named_and_its_regimens_are_marked(answer: str, words: str) -> None:
    results = sample()
    results["recommendation"]["answer"] = answer
    if answer == "not distinguished":
        results["recommendation"] |= {"regimen": None, "among": ["400-qd", "200-qd"]}
    html = render_dose_page(results, [])
    assert words in Page(html).text
    assert words in Page(render_summary(results, None)).text
    marked = set(re.findall(r'<tr class="named" data-regimen="([^"]+)"', html))
    assert marked == ({"400-qd", "200-qd"} if answer == "not distinguished" else {"200-400-alternating"})


def test_a_probability_that_no_draw_counts_is_no_zero() -> None:
    assert dose_view.probability_text(0.0, 500.0) == "< 0.2%"
    assert dose_view.probability_text(1.0, 500.0) == "> 99.8%"
    assert dose_view.probability_text(0.31, 500.0) == "31%"
    results = sample()
    results["regimens"][0]["p_below"] = 0.0
    assert "below < 0.1%" in _rows(render_dose_page(results, []))["400-bid"]


@pytest.mark.parametrize("simulated", [True, False])
def test_simulated_data_are_said_to_be_simulated_and_others_are_not(simulated: bool) -> None:
    results = sample() | {"simulated": simulated}
    for one in (render_dose_page(results, []), render_summary(results, None)):
        assert ("SIMULATED DATA" in one) is simulated
        assert "Research software, not a medical device" in Page(one).text


def test_text_of_the_patient_file_is_escaped_everywhere() -> None:
    evil = "<script>alert('x')</script>"
    results: Json = sample()
    for key in ("sentence", "title", "patient", "drug"):
        results[key] = evil
    results["regimens"][0]["regimen"]["label"] = results["regimens"][0]["notes"] = evil
    results["regimens"][0]["notes"] = [evil]
    results["samples"][0]["method"] = results["samples"][3]["reason"] = evil
    results["target"]["label"] = results["alternatives"][0]["target"]["label"] = evil
    results["explanation"]["sentences"] = [evil]
    results["explanation"]["causes"][0]["text"] = evil
    results["issues"][0]["message"] = results["toxicity"][0]["term"] = evil
    figures = draw_dose_figures(results)
    for one in (render_dose_page(results, figures), render_summary(results, draw_summary_course(results))):
        assert "<script" not in one
        assert one.count("&lt;script&gt;") >= 6
        assert Page(one).mismatched == []


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to print with")
@pytest.mark.parametrize("long", [False, True])
def test_the_summary_prints_on_one_sheet_of_a4(tmp_path: Path, long: bool) -> None:
    results = sample()
    if long:
        words = "What was found in the file, which limit it breaks, where it stands and what was done. " * 4
        results["sentence"] += f" {words[:120]}"
        results["explanation"]["sentences"] = [words] * 5
        results["issues"] = [{**results["issues"][0], "message": words}] * 5
        results["regimens"] = [
            {**r, "regimen": {**r["regimen"], "id": f"{r['regimen']['id']}-{k}"}}
            for k in range(3)
            for r in results["regimens"]
        ]
        for cause in results["explanation"]["causes"]:
            cause["status"] = "present"
    page, sheet = tmp_path / "summary.html", tmp_path / "summary.pdf"
    page.write_bytes(dose_files(results)["summary.html"])
    subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-pdf-header-footer",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--print-to-pdf={sheet}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    pages = PdfReader(sheet).pages
    assert len(pages) == 1
    assert (float(pages[0].mediabox.width), float(pages[0].mediabox.height)) == pytest.approx(
        (595.3, 841.9), abs=1.5
    )
    if long:
        assert "more in report.html" in pages[0].extract_text()


def test_a_phone_gets_a_course_of_its_own_and_no_figure_that_the_table_repeats() -> None:
    """The course 3.9 inches wide in place of 7; the regimens' bars stand in their table."""
    results = sample()
    narrow = draw_narrow_course(results)
    assert narrow is not None
    assert float(re.search(r'viewBox="0 0 ([0-9.]+) ', narrow.svg)[1]) == pytest.approx(3.9 * 72, abs=1)  # type: ignore[index]
    html = render_dose_page(results, draw_dose_figures(results), narrow=narrow)
    course = html.split('<figure id="fig-course">')[1].split("</figure>")[0]
    assert '<div class="plot wide"' in course
    assert '<div class="narrow-plot"><svg' in course
    assert course.count('aria-labelledby="title-course"') == 2
    assert '<div class="wide"><figure id="fig-regimens">' in html


def test_nothing_is_said_twice_and_no_test_that_was_not_made(html: str) -> None:
    """One sentence on the lead, one on earlier results, no statistic of a drift with two occasions."""
    text = " ".join(Page(html).text.split())
    assert "The first leads the second" not in text
    assert "No earlier result was given" not in text
    assert "statistic –" not in text
    one = sample()
    one["following"]["drift"] |= {"statistic": -2.1, "p_value": 0.04, "detected": True}
    assert "statistic -2.1" in Page(render_dose_page(one, [])).text.replace("\u2212", "-")


def test_the_populations_area_stands_beside_the_patients(html: str) -> None:
    """Trough, area and mean level, each with what patients with these covariates have."""
    rows = {r[0]: r for r in parameter_rows(sample())}
    assert number(110.0) in rows["AUC over 24 h now"][2]
    assert number(4.6) in rows["average level now"][2]


def test_the_summary_says_how_uncertain_the_target_is() -> None:
    """The last of the sentences that `explain` gives on it comes among those that have room, in short."""
    results = sample()
    results["explanation"]["sentences"] = [*"abcd", "The target is 1.4 to 3.45 mg/L (long)."]
    text = " ".join(Page(render_summary(results, None)).text.split())
    assert f"n = {results['target']['n']}), and uncertain: lower limit" in text
    assert "2 more in report.html" in text
