"""The evidence store: what it holds agrees with its sources, and it refuses what is unknown or malformed."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Any

import pytest

from troughline.evidence import store
from troughline.evidence.records import Drug, Publication


def substances() -> dict[str, Any]:
    text = files("troughline.evidence").joinpath("data/substances.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def test_molar_mass_follows_from_the_formula() -> None:
    # The same formula with the conventional atomic weights of substances.toml; agreement to 0.001 g/mol.
    drug = store.load_drug("sorafenib")
    weights = substances()["atomic_weights"]["value"]
    parts = re.findall(r"([A-Z][a-z]?)(\d*)", drug.formula)
    total = sum(weights[element] * int(count or 1) for element, count in parts)
    assert drug.molar_mass_g_per_mol == pytest.approx(total, abs=1e-3)


def test_drug_and_substance_tables_agree() -> None:
    drug = store.load_drug("sorafenib")
    (row,) = [s for s in substances()["substance"] if s["name"] == "sorafenib"]
    assert row["formula"] == drug.formula
    assert row["molar_mass_g_per_mol"] == pytest.approx(drug.molar_mass_g_per_mol, abs=1e-3)


def test_tablet_holds_the_labelled_free_base() -> None:
    # The label: 200 mg sorafenib are 274 mg of the tosylate, molar mass 637.0 g/mol; rounded to 1 mg.
    drug = store.load_drug("sorafenib")
    assert drug.tablet_strength_mg * 637.0 / drug.molar_mass_g_per_mol == pytest.approx(274, abs=0.5)


def test_drug_rules_carry_their_source() -> None:
    drug = store.load_drug("sorafenib")
    assert drug.trough_min_hours_after_dose == 10
    assert drug.sourced("trough-min-hours-after-dose").basis == "convention"
    assert drug.steady_state_days == 7
    assert "Swiss label" in drug.sourced("steady-state-days").where


def test_noda_is_held_as_printed() -> None:
    # Abstract of doi 10.1007/s00280-020-04105-0, exact.
    toxicity = store.published_values("noda-2020", "toxicity")
    assert (toxicity.threshold, toxicity.unit, toxicity.metric) == (3.45, "ug/mL", "trough")
    assert (toxicity.auc, toxicity.auc_low, toxicity.auc_high, toxicity.n) == (0.74, 0.54, 0.93, 26)
    response = store.resolve_published("noda-2020/response")
    assert (response.threshold, response.auc) == (1.40, 0.97)
    assert (response.auc_low, response.auc_high) == (0.97, 1.00)
    window = store.resolve_published("noda-2020/window")
    assert (window.window_lower, window.window_upper, window.threshold) == (1.40, 3.45, None)
    medians = [n.value for n in store.published_values("noda-2020", "survival").numbers]
    assert medians == [5.3, 17.8, 9.5]


def test_cuts_are_compared_only_with_like() -> None:
    troughs = store.exposure_cuts("sorafenib", "trough")
    visits = store.exposure_cuts("sorafenib", "clinic-visit")
    assert [c.value for c in troughs] == [1.40, 3.45, 3.75]
    assert [c.value for c in visits] == [4.78, 5.78]
    assert {c.metric for c in troughs} == {"trough"}
    assert {c.unit for c in troughs + visits} == {"ug/mL"}
    assert all(c.verified for c in troughs + visits)
    assert store.exposure_cuts("sorafenib", "level") == ()


def test_what_was_not_found_stays_unverified() -> None:
    numbers = {n.id: n for n in store.load_publication("fukudo-2014").number}
    assert not numbers["survival-above-hypertension-threshold"].verified
    assert not numbers["survival-below-hypertension-threshold"].verified
    assert not store.published_values("fukudo-2014", "survival").verified


def test_what_was_printed_is_held_even_where_it_is_impossible() -> None:
    """The reader takes an interval without its estimate and n above the study's: `check` finds them."""
    data = noda()
    (number,) = [n for n in data["number"] if n["id"] == "toxicity-auc"]
    number.update({"low": 0.80, "n": 27})
    held = Publication.model_validate(data).sourced("toxicity-auc")
    assert (held.value, held.low, held.high, held.n) == (0.74, 0.80, 0.93, 27)


def test_the_values_of_an_endpoint_without_patients_are_refused() -> None:
    """`published_values` promises n; a kinase panel or a paper on methods has none."""
    with pytest.raises(ValueError, match="no number of patients for 'metabolite'"):
        store.published_values("zimmerman-2012", "metabolite")


@pytest.mark.parametrize(
    ("ask", "listed"),
    [
        (lambda: store.load_drug("sorafinib"), "sorafenib"),
        (lambda: store.load_publication("noda-2021"), "noda-2020"),
        (lambda: store.published_values("noda-2020", "toxic"), "toxicity"),
        (lambda: store.exposure_cuts("sorafenib", "peak"), "clinic-visit"),
        (lambda: store.text_of("noda-2021"), "noda-2020"),
        (lambda: store.load_publication("noda-2020").arm_of("full"), "known: none"),
        (lambda: store.resolve_published("noda-2020"), "publication-id/endpoint"),
        (lambda: store.load_drug("sorafenib").sourced("clearance"), "steady-state-days"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(ask: Any, listed: str) -> None:
    with pytest.raises(ValueError, match=re.escape(listed)):
        ask()


def noda() -> dict[str, Any]:
    text = files("troughline.evidence").joinpath("data/studies/noda-2020.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": None}, "go together"),
        ({"interval": None}, "what they span"),
        ({"value": None}, "value is missing"),
        ({"interval": "range"}, "a level goes with"),
        ({"quantity": "threshold", "metric": None}, "needs its metric"),
        ({"p_value": "n.s."}, "pattern"),
        ({"comparator": "full"}, "needs the arm"),
        ({"arm": "full"}, "names the arm 'full'; known: none"),
        ({"value": "0.74"}, "valid number"),
        ({"doi": "doi:10.1000/x"}, "pattern"),
        ({"verfied": True}, "Extra inputs"),
    ],
)
def test_a_malformed_number_is_refused(change: dict[str, Any], message: str) -> None:
    data = noda()
    (number,) = [n for n in data["number"] if n["id"] == "toxicity-auc"]
    number.update(change)
    for key in [k for k, v in change.items() if v is None]:
        del number[key]
    with pytest.raises(ValueError, match=message):
        Publication.model_validate(data)


def test_number_ids_are_unique() -> None:
    data = noda()
    data["number"].append(data["number"][0])
    with pytest.raises(ValueError, match="used twice: trough-median"):
        Publication.model_validate(data)


def test_a_drug_without_its_needed_numbers_is_refused() -> None:
    text = files("troughline.evidence").joinpath("data/drugs/sorafenib.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    data["number"] = [n for n in data["number"] if n["id"] != "steady-state-days"]
    with pytest.raises(ValueError, match="steady-state-days"):
        Drug.model_validate(data)


def test_records_are_frozen() -> None:
    study = store.load_publication("noda-2020")
    with pytest.raises(ValueError, match="frozen"):
        study.n = 27  # type: ignore[misc]
