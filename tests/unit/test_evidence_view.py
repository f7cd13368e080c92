"""How numbers of the evidence base are written, and what stands below a table on the screen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.evidence_sample import CI, PLACE, arms, number, study
from troughline.evidence import store
from troughline.evidence.conflicts import load_conflicts
from troughline.evidence.records import METRICS
from troughline.evidence.study_sections import ExposureFinding
from troughline.report import evidence_view as view
from troughline.report.model_view import TextTable


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"quantity": "hazard-ratio", "value": 0.5, "low": 0.4, "high": 0.63, "decimals": 2, **CI},
         "0.50 (CI 95 % 0.40 to 0.63)"),
        ({"quantity": "median", "value": 2.91, "low": 0.74, "high": 8.8, "interval": "range",
          "unit": "ug/mL"}, "2.91 µg/mL (range 0.74 to 8.8)"),
        ({"quantity": "median", "value": 25.0, "low": 10.0, "high": 42.0, "interval": "interquartile",
          "unit": "week"}, "25 weeks (quartiles 10 to 42)"),
        ({"quantity": "window", "low": 1.4, "high": 3.45, "unit": "ug/mL", "metric": "trough",
          "endpoint": "w"}, "1.4 to 3.45 µg/mL"),
        ({"quantity": "mean", "value": 355.7, "sd": 137.4, "unit": "U/mL"}, "355.7 U/mL (SD 137.4)"),
        ({"quantity": "ratio", "value": 2.0, "relation": "<"}, "< 2"),
        ({"quantity": "proportion", "value": 62.8, "unit": "%"}, "62.8 %"),
    ],
)  # fmt: skip
def test_a_number_is_written_as_printed(given: dict[str, Any], text: str) -> None:
    assert view.printed(study(number(**given)).number[0]) == text


def test_what_was_read_is_counted_over_every_item() -> None:
    held = study(number(quantity="constant", value=1.0, verified=False), arm=arms())
    assert view.verified_share(held) == "3/4"
    assert view.verified_line(held) == "3 of 4 items were read in the place named"
    table = view.number_table(held.number)
    assert table.rows[0][table.header.index("verified")] == view.UNVERIFIED == "NO"


def test_places_and_notes_stand_below_the_table() -> None:
    table = TextTable(
        ("id", "printed", "where", "note"),
        (("a", "1", "abstract", ""), ("b", "2", "abstract", "odd"), ("c", "3", "Table 2", "")),
    )
    narrow, places, notes = view.notes_below(table)
    assert narrow == TextTable(("id", "printed"), (("a", "1"), ("b", "2"), ("c", "3")))
    assert places == ("abstract: a, b", "Table 2: c")
    assert notes == ("b: odd",)
    assert view.notes_below(TextTable(("id", "where"), (("a", "here"),)))[1] == ("here: all",)


def test_a_band_without_its_own_n_is_not_given_the_studys() -> None:
    """Noda's bands: how many of the 26 were in each was not printed."""
    (conflict,) = [c for c in load_conflicts() if c.id == "trough-and-outcome"]
    rows = {row[4]: row for row in view.conflict_table(conflict).rows}
    assert rows["median overall survival inside the range (1.40-3.45 ug/mL)"][3] == ""
    assert rows["median trough (range)"][3] == "26"
    (reduced,) = [c for c in load_conflicts() if c.id == "dose-reduction"]
    ratio = [row for row in view.conflict_table(reduced).rows if row[4].startswith("death, reduced against")]
    assert ratio[0][3] == "4903"


def test_adverse_events_keep_their_bounds() -> None:
    """`<1` stays a bound; a grade that was not printed stays empty."""
    (table,) = store.load_publication("sharp-2008").adverse_events
    rows = {(r[0], r[1]): r[2:] for r in view.adverse_event_table(table).rows}
    assert rows["diarrhoea", "sorafenib"] == ("", "55", "10", "< 1", "")
    assert rows["alopecia", "placebo"] == ("", "2", "", "", "")
    assert "attribution: any" in view.adverse_event_title(table)


def test_statements_that_were_not_read_say_so() -> None:
    statements = [
        {"id": "a", "text": "So.", **PLACE},
        {"id": "b", "text": "Not so.", **PLACE, "verified": False},
    ]
    assert view.statement_lines(study(statement=statements)) == ("So.", "Not so. (not verified)")


def test_a_drugs_tables_are_in_order() -> None:
    """Full dose first; the tightest binding first within Kd and IC50."""
    drug = store.load_drug("sorafenib")
    assert [row[:2] for row in view.dose_table(drug).rows] == [
        ("full dose", "400 mg every 12 h"),
        ("reduction 1", "400 mg every 24 h"),
        ("reduction 2", "400 mg every 48 h"),
    ]
    kd = [row for row in view.affinity_table(drug).rows if row[1] == "Kd"]
    assert kd[0][:3] == ("DDR1", "Kd", "1.5 nM")
    changes = {row[0]: row[2] for row in view.interaction_table(drug).rows}
    assert changes == {
            "rifampicin": "AUC -37 %", "ketoconazole": "AUC +0 %", "high-fat-meal": "AUC -30 %",
            "neomycin": "AUC -54 %", "cyp3a4-inducers": "not read",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("exposure", "outcome", "association", "words"),
    [
        ("dose-reduction", "survival", "positive", "longer with dose reduction"),
        ("time-on-drug", "hand-foot", "positive", "more with longer time on the drug"),
        ("trough", "toxicity", "positive", "more with higher troughs"),
        ("dose", "bioavailability", "negative", "less with a higher dose"),
        ("trough", "survival", "window", "longest at troughs in between"),
        ("level", "survival", "none", "no association found"),
    ],
)
def test_an_association_is_worded_by_its_exposure(
    exposure: str, outcome: str, association: str, words: str
) -> None:
    """Less of the drug is no "more exposure"."""
    finding = ExposureFinding.model_validate(
        {"id": "x", "exposure": exposure, "outcome": outcome, "association": association, "label": "x",
         "verified": True, "where": "test"}
    )  # fmt: skip
    assert view.association(finding) == words


def test_every_kind_of_exposure_has_words() -> None:
    for kind in (*METRICS, "dose", "cumulative-dose", "dose-reduction", "time-on-drug", "start-dose"):
        finding = ExposureFinding.model_validate(
            {"id": "x", "exposure": kind, "outcome": "y", "association": "positive", "label": "x",
             "verified": True, "where": "test"}
        )  # fmt: skip
        assert view.association(finding).startswith("more with ")


def test_a_conflict_names_arms_by_their_labels() -> None:
    tables = [view.conflict_table(conflict) for conflict in load_conflicts()]
    cells = [cell for table in tables for row in table.rows for cell in row]
    assert any("800 mg/day throughout" in cell for cell in cells)
    assert not any("dose-800" in cell for cell in cells)
