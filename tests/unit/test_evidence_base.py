"""The evidence base that ships: complete, honest about what was read, and with the findings one expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from troughline.evidence import store
from troughline.evidence.checks import check_base
from troughline.evidence.comparable import Compared, comparable_numbers, short_name
from troughline.evidence.conflicts import Side, load_conflicts
from troughline.evidence.records import Publication

STUDIES = store.list_publications()

EXPECTED = {
    # PMC6095169 prints 3.5 % of partial responses; 5 of 150 are 3.3 %, as printed elsewhere.
    ("asia-pacific-2009", "partial-response-sorafenib", "percentage-no-count"),
    # As transcribed: Fent 0.498 (0.464 to 0.498).
    ("jain-2011", "recirculated-fraction", "interval-ends-at-estimate"),
    # "121 (17.5 %)" of 782 patients are 15.5 %: another denominator.
    ("kim-782", "discontinued", "percentage-against-count"),
    # 0.97 (0.97 to 1.00) in 26 patients.
    ("noda-2020", "response-auc", "interval-ends-at-estimate"),
    ("noda-2020", "response-auc", "area-interval-too-narrow"),
    # Ratios turned over for print.
    ("reig-2014", "performance-status-hazard-ratio", "hazard-ratio-asymmetric"),
    ("reig-2014", "bclc-hazard-ratio", "hazard-ratio-asymmetric"),
    # 1.586 beside medians of 95 and 224 days: hazards that are not proportional.
    ("space-2016", "untaceable-hazard-ratio", "hazard-ratio-against-medians"),
}
"""Study, number and rule of everything `evidence check` finds in the base; a new finding belongs here."""


def test_the_base_gives_exactly_the_findings_one_expects() -> None:
    found = [(str(f.file).removesuffix(".toml"), f.message.partition(":")[0], f.code) for f in check_base()]
    assert sorted(found) == sorted(EXPECTED)


def test_every_finding_has_the_line_of_its_number() -> None:
    for finding in check_base():
        text = store.text_of(str(finding.file).removesuffix(".toml"))
        item = finding.message.partition(":")[0]
        assert finding.row is not None
        assert text.splitlines()[finding.row - 1] == f'id = "{item}"'


@pytest.mark.parametrize("publication_id", STUDIES)
def test_every_study_loads_and_says_where_it_is_from(publication_id: str) -> None:
    """A DOI, or a note that says why there is none; every item with its place."""
    study = store.load_publication(publication_id)
    assert study.id == publication_id
    assert study.doi is not None or "DOI" in study.note
    places = [*study.arm, *study.number, *study.finding, *study.adverse_events, *study.biomarker]
    assert all(item.where for item in places)


@pytest.mark.parametrize(
    "publication_id",
    [
        "noda-2020", "nagai-2014", "nagai-2012", "nagai-2015", "miyahara-2017", "zhu-2017", "huy-undated",
        "kim-park-2011", "labeur-2020", "guchelaar-2022", "fukudo-2014", "boudou-rouquette-2012-plos",
        "boudou-rouquette-2012", "mir-2012", "arrondeau-2012", "furuse-2008", "miller-2009", "wiens-2023",
        "yin-2025", "dumortier-2026", "exposure-confounding-2026", "van-der-kleij-2023", "verheijen-2017",
        "reig-2014", "azad-2009", "reiss-2017", "chord-2020", "kim-782", "bmc-gastro-2016", "al-rajabi",
        "nojiri-2012", "sharp-2008", "asia-pacific-2009", "resorce-2017", "reflect-2018", "imbrave150-2020",
        "calgb-80802-2019", "space-2016", "tactics-2020", "tace-2-2017", "post-tace-2011", "gideon-2016",
        "gideon-interim", "gideon-china-2016", "llovet-2012", "bruix-2017", "jackson-2017",
        "sorafenib-arms-trend", "jain-2011", "hornecker-2012", "awada-2005", "strumberg-2005",
        "abou-alfa-2006", "abou-alfa-2011", "fucile-2015", "minami-2008", "davis-2011", "wilhelm-2004",
    ],
)  # fmt: skip
def test_a_study_of_the_collection_is_there(publication_id: str) -> None:
    """The seed studies, the exposure–response and dose studies, the trials, those of the calibration."""
    assert publication_id in STUDIES


@pytest.mark.parametrize(
    ("publication_id", "number_id", "value", "verified"),
    [
        ("fukudo-2014", "hand-foot-threshold", 5.78, True),
        ("fukudo-2014", "survival-above-hypertension-threshold", 12.0, False),
        ("guchelaar-2022", "trough-target", 3.75, True),
        ("sharp-2008", "survival-hazard-ratio", 0.69, True),
        ("sharp-2008", "progression-hazard-ratio", 0.58, True),
        ("sharp-2008", "survival-1-year-sorafenib", 44.0, False),
        ("sharp-2008", "deaths", 321.0, True),
        ("sharp-2008", "deaths-sorafenib", 143.0, False),
        ("sharp-2008", "dose-reduction-sorafenib", 26.0, False),
        ("sharp-2008", "interruption-placebo", 30.0, False),
        ("sharp-2008", "partial-response-sorafenib", 7.0, True),
        ("asia-pacific-2009", "dose-reduction-sorafenib", 30.9, False),
        ("gideon-2016", "survival-a", 13.6, True),
        ("gideon-2016", "survival-c", 2.6, False),
        ("gideon-2016", "progression-a", 4.7, False),
        ("tactics-2020", "pfs-sorafenib", 25.2, True),
        ("tactics-2020", "pfs-hazard-ratio", 0.59, False),
        ("post-tace-2011", "dose", 385.0, True),
        ("bruix-2017", "survival-hazard-ratio", 0.70, False),
        ("bruix-2017", "hcv-benefit", 0.47, True),
        ("jackson-2017", "hcv-log-hazard-ratio", -0.27, True),
        ("arrondeau-2012", "auc-progression", 33.2, True),
        ("jain-2011", "clearance", 8.13, False),
        ("reflect-2018", "survival-hazard-ratio", 0.92, True),
    ],
)
def test_what_was_read_and_what_was_not(
    publication_id: str, number_id: str, value: float, verified: bool
) -> None:
    """The verification page of the facts: read, read in a secondary source, corrected, not found."""
    number = store.load_publication(publication_id).sourced(number_id)
    assert (number.value, number.verified) == (value, verified)


def test_numbers_at_risk_were_recalled_and_say_so() -> None:
    for publication_id in ("sharp-2008", "asia-pacific-2009"):
        tables = store.load_publication(publication_id).at_risk
        assert len(tables) == 2
        assert not any(table.verified for table in tables)
        assert all("verify before any use" in table.where for table in tables)


def test_derived_numbers_are_called_computed() -> None:
    """exp(-0.27) and the molar mass were computed, nothing else; pooled numbers stand in no file."""
    computed = {
        (s.id, n.id) for s in map(store.load_publication, STUDIES) for n in s.number if n.basis == "computed"
    }
    assert computed == {
        ("jackson-2017", "hcv-hazard-ratio"),
    }
    assert store.load_drug("sorafenib").sourced("molar-mass").basis == "computed"


@pytest.mark.parametrize("publication_id", STUDIES)
def test_an_arm_with_the_name_of_a_drug_had_that_drug_alone(publication_id: str) -> None:
    """Numbers are matched by the arm: sorafenib after or beside chemoembolisation is another arm."""
    study = store.load_publication(publication_id)
    known = {drug for i in STUDIES for arm in store.load_publication(i).arm for drug in arm.drugs}
    words = f"{study.title} {study.population}".lower()
    local = any(word in words for word in ("chemoembolisation", "tace", "beads"))
    for arm in study.arm:
        if arm.id in known:
            assert set(arm.drugs) - {"placebo"} in ({arm.id}, set()), arm.id
            assert not local, arm.id


@pytest.mark.parametrize(
    ("quantity", "group", "other"),
    [
        ("median_survival", "sorafenib", "tactics-2020"),
        ("hazard_ratio", "sorafenib vs placebo", "space-2016"),
        ("median_survival", None, "refametinib"),
    ],
)
def test_sorafenib_alone_is_not_compared_with_sorafenib_and_something_else(
    quantity: Compared, group: str | None, other: str
) -> None:
    found = comparable_numbers("sorafenib", "survival", quantity, group=group)
    assert other not in {c.publication_id for c in found}


@pytest.mark.parametrize("publication_id", STUDIES)
def test_what_was_read_says_where(publication_id: str) -> None:
    """`verified` with "secondary source" or "page read" alone names nothing that one could look up."""
    study = store.load_publication(publication_id)
    for item in (*study.arm, *study.number, *study.finding, *study.biomarker, *study.statement):
        assert not (item.verified and item.where in ("secondary source", "page read")), item.id


def test_studies_of_no_drug_name_none() -> None:
    """Tumour growth, surrogacy, a marker, methods: nothing that sorafenib's numbers are compared with."""
    without = {i for i in STUDIES if store.load_publication(i).drug is None}
    assert {"huy-undated", "nathani-2021", "an-2015", "terashima-2016"} <= without


def test_figures_name_trials_as_they_name_themselves() -> None:
    names = {i: short_name(store.load_publication(i)) for i in ("sharp-2008", "search-2015", "noda-2020")}
    assert names == {
        "sharp-2008": "SHARP 2008", "search-2015": "SEARCH 2015", "noda-2020": "Noda 2020",
    }  # fmt: skip


def test_the_safety_table_is_the_labels() -> None:
    """SHARP, label: diarrhoea 55/10/<1 against 25/2/0, hand-foot skin reaction 21/8/0 against 3/<1/0."""
    (table,) = store.load_publication("sharp-2008").adverse_events
    rows = {(r.term, r.arm): (r.any_grade, r.grade_3, r.grade_4) for r in table.row}
    assert rows["diarrhoea", "sorafenib"] == (55, 10, "<1")
    assert rows["diarrhoea", "placebo"] == (25, 2, 0)
    assert rows["hand-foot skin reaction", "placebo"] == (3, "<1", 0)
    assert len(rows) == 24


def test_the_label_doses_are_feasible_with_its_tablet() -> None:
    """400 mg twice daily, 400 mg daily, 400 mg every other day: whole tablets, daily dose falling."""
    drug = store.load_drug("sorafenib")
    levels = [(d.level, d.amount_mg, d.interval_h) for d in drug.dose_level]
    assert levels == [(0, 400.0, 12.0), (1, 400.0, 24.0), (2, 400.0, 48.0)]
    assert all(d.amount_mg % drug.tablet_strength_mg == 0 for d in drug.dose_level)


def test_targets_name_studies_that_are_on_file() -> None:
    """Kd of Davis 2011 and IC50 of Wilhelm 2004; exact."""
    drug = store.load_drug("sorafenib")
    assert {a.study for a in drug.affinity} == {"davis-2011", "wilhelm-2004"}
    assert {a.study for a in drug.affinity} <= set(STUDIES)
    values = {(a.target, a.measure): a.value_nm for a in drug.affinity}
    assert values["VEGFR2", "Kd"] == 59
    assert values["VEGFR2", "IC50"] == 90
    assert values["BRAF V600E", "IC50"] == 38


def test_another_drugs_cut_is_no_cut_of_sorafenib() -> None:
    """Pazopanib's 20 mg/L and lenvatinib's area are on file and stay out of sorafenib's cuts."""
    assert store.load_publication("verheijen-2017").sourced("trough-threshold").value == 20
    assert [c.value for c in store.exposure_cuts("sorafenib", "trough")] == [1.40, 3.45, 3.75]
    assert store.exposure_cuts("sorafenib", "auc") == ()
    assert [c.value for c in store.exposure_cuts("sorafenib", "cumulative-auc")] == [3161]


def test_every_conflict_has_sides_that_exist() -> None:
    for conflict in load_conflicts():
        assert len(conflict.side) >= 2
        for side in conflict.side:
            printed = [*side.printed_numbers(), *side.printed_findings(), *side.printed_statements()]
            assert printed
    named = {side.study for conflict in load_conflicts() for side in conflict.side}
    assert {"noda-2020", "labeur-2020", "fukudo-2014", "azad-2009", "reiss-2017", "kim-782"} <= named


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"study": "noda-2020", "numbers": ("window", "windows")}, "has no number 'windows'"),
        ({"study": "noda-2020", "findings": ("windows",)}, "has no finding 'windows'; known: toxicity"),
        ({"drug": "sorafenib", "statements": ("x",)}, "has no statement 'x'; known: none"),
        ({"study": "noda-2021", "numbers": ("window",)}, "unknown publication"),
    ],
)
def test_a_side_that_names_nothing_on_file_is_refused(given: dict[str, object], message: str) -> None:
    side = Side.model_validate({"claim": "none", **given})
    with pytest.raises(ValueError, match=message):
        _ = [*side.printed_numbers(), *side.printed_findings(), *side.printed_statements()]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"numbers": ("window",)}, "either a study or a drug"),
        ({"study": "noda-2020"}, "nothing that was printed"),
    ],
)
def test_a_side_without_a_source_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Side.model_validate({"claim": "none", **given})


def test_arms_and_their_sizes_are_those_of_the_trials() -> None:
    sizes = {
        i: [a.n for a in store.load_publication(i).arm] for i in ("sharp-2008", "resorce-2017", "nagai-2014")
    }
    assert sizes == {"sharp-2008": [299, 303], "resorce-2017": [379, 194], "nagai-2014": [10, 37, 10]}


def test_a_file_is_named_by_its_id_and_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the wrong folder, or with another id than its name, is refused."""
    path = tmp_path / "noda-2020.toml"
    path.write_text('kind = "drug"\nid = "noda-2020"\n', encoding="utf-8")
    monkeypatch.setattr(store, "_index", lambda kind: {"noda-2020": path})
    with pytest.raises(ValueError, match="kind 'drug' and id 'noda-2020', not 'study' and its name"):
        store.load_publication.__wrapped__("noda-2020")


def test_studies_are_read_once() -> None:
    """Looking a study up again gives the same frozen record."""
    assert store.load_publication("sharp-2008") is store.load_publication("sharp-2008")
    assert isinstance(store.load_publication("sharp-2008"), Publication)
