"""A model as SBML: valid, with the values and sources of its file, and refused where SBML cannot hold it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from troughline.model.library import list_models, model_path
from troughline.model.read import read_model
from troughline.model.sbml import to_sbml
from troughline.model.spec import ModelSpec

FOLDER = Path(__file__).resolve().parents[1] / "reference" / "models"
ZOO = sorted((FOLDER / "zoo").glob("*.toml"))
SBML = "{http://www.sbml.org/sbml/level3/version2/core}"

UNIT_OF_A_NUMBER_UNKNOWN = 99505

SMALL = """
[model]
id = "sbml/small"
title = "A <small> & strange\\u0001 model"
drug = "none"
revision = 1
[units]
time = "h"
amount = "mg"
[parameters]
CL = { value = 6, unit = "L/h" }
V = { value = 40, unit = "L" }
[covariates.weight]
unit = "kg"
hard = [20, 250]
[[random]]
level = "subject"
effects = ["eta"]
variance = [0.1]
[individual]
k = "CL / V * (weight / 70[kg]) * exp(eta)"
[compartments]
central = {}
[[flows]]
from = "central"
rate = "k"
[[doses]]
compartment = "central"
[outputs.plasma]
prediction = "central / V"
unit = "ng/mL"
error = { kind = "proportional", proportional = "0.1" }
"""


def read(text: str, name: str = "small.toml") -> ModelSpec:
    spec, found = read_model(text, file=name)
    assert spec is not None, [str(finding) for finding in found.items]
    return spec


def library(model_id: str) -> ModelSpec:
    return read(model_path(model_id).read_text(encoding="utf-8"), model_id)


def parameters(text: str) -> dict[str, str | None]:
    """The initial values of a document's parameters, as written."""
    root = ElementTree.fromstring(text)
    return {p.attrib["id"]: p.get("value") for p in root.iter(f"{SBML}parameter")}


@pytest.mark.parametrize("name", [*list_models(), *(p.stem for p in ZOO)])
def test_every_document_is_consistent_in_structure_and_units(name: str) -> None:
    """libSBML's full check, of units too, finds nothing but that the numbers 0 and infinity have none."""
    libsbml: Any = pytest.importorskip("libsbml", reason="python-libsbml is not installed")
    spec = library(name) if "/" in name else read((FOLDER / "zoo" / f"{name}.toml").read_text("utf-8"))
    document = libsbml.readSBMLFromString(to_sbml(spec))
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, True)
    document.checkConsistency()
    found = [document.getError(i) for i in range(document.getNumErrors())]
    assert [e.getMessage() for e in found if e.getErrorId() != UNIT_OF_A_NUMBER_UNKNOWN] == []
    assert document.getModel().getNumRules() > len(spec.states)


def test_values_are_those_of_the_file_and_of_the_caller() -> None:
    """Parameters in h, mg and L, a covariate in the unit of data, effects zero unless given."""
    values = parameters(to_sbml(read(SMALL), covariates={"weight": 84}, effects={"eta": 0.25}))
    assert values["CL"] == "6"
    assert values["weight"] == "84"
    assert values["eta"] == "0.25"
    assert parameters(to_sbml(read(SMALL), covariates={"weight": 84}))["eta"] == "0"


def test_a_level_is_given_by_name_or_code() -> None:
    """`sex = "female"` is code 1 of male, female."""
    spec = library("regorafenib/keunecke-2020")
    by_name = to_sbml(spec, covariates={"sex": "female"})
    assert by_name == to_sbml(spec, covariates={"sex": 1})
    assert parameters(by_name)["sex"] == "1"


def test_doses_begin_as_those_of_the_first_self_test() -> None:
    """Jain: 400 mg every 12 h at steady state, which here is doses without end."""
    values = parameters(to_sbml(library("sorafenib/jain-2011")))
    names = ("dose_amount", "dose_interval", "n_doses", "next_dose_time")
    assert [values[name] for name in names] == ["400", "12", "INF", "0"]


def test_sources_and_what_sbml_has_no_place_for_stand_in_words() -> None:
    """DOIs as annotations; the covariance and the residual error in notes."""
    spec = library("sorafenib/jain-2011")
    text = to_sbml(spec)
    assert "https://identifiers.org/doi:10.1111/j.1365-2125.2011.03963.x" in text
    assert "isDescribedBy" in text
    assert "Random effects between patients: eta_CL, eta_V; covariance" in text
    assert "residual error, which is no part of this document: log-combined" in text
    calibrated = to_sbml(library("sorafenib/hcc"))
    assert "This model is calibrated to aggregate data." in calibrated


def test_text_that_xml_cannot_hold_leaves_a_valid_document() -> None:
    """`<` and `&` are escaped, control characters dropped."""
    root = ElementTree.fromstring(to_sbml(read(SMALL), covariates={"weight": 70}))
    model = root.find(f"{SBML}model")
    assert model is not None
    assert model.get("name") == "A <small> & strange model"


def test_names_of_the_model_come_first() -> None:
    """A model's own `dose_amount` keeps its id; that of the document is another."""
    text = SMALL.replace("CL = {", "dose_amount = {").replace('"CL / V', '"dose_amount / V')
    values = parameters(to_sbml(read(text), covariates={"weight": 70}))
    assert values["dose_amount"] == "6"
    assert values["dose_amount_"] == "0"


@pytest.mark.parametrize(
    ("covariates", "effects", "message"),
    [
        ({}, {}, "the covariate weight has no default: give it a value"),
        ({"weight": 70, "size": 1}, {}, "has no covariate size; its covariates: weight"),
        ({"weight": 10}, {}, "weight = 10 lies outside 20 to 250 kg"),
        ({"weight": "heavy"}, {}, "'heavy' is not a number"),
        ({"weight": float("nan")}, {}, "lies outside"),
        ({"weight": 70}, {"eta_1": 0.1}, "has no random effect eta_1; its effects: eta"),
    ],
)
def test_what_cannot_be_given_is_refused(
    covariates: dict[str, float | str], effects: dict[str, float], message: str
) -> None:
    """In one line that says what and which limit."""
    with pytest.raises(ValueError, match=message) as raised:
        to_sbml(read(SMALL), covariates=covariates, effects=effects)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("* exp(eta)", "* phi(eta)", r"individual\.k"),
        ('rate = "k"', 'rate = "k * phi(0.5)"', "the flow from central"),
        ('compartment = "central"', 'compartment = "central"\nbioavailability = "phi(eta)"', "doses"),
        ('"central / V"', '"central / V * phi(eta)"', r"outputs\.plasma"),
    ],
)
def test_a_function_that_sbml_lacks_is_refused_with_its_place(old: str, new: str, place: str) -> None:
    """SBML has no error function; no model of the library uses one."""
    spec = read(SMALL.replace(old, new))
    with pytest.raises(ValueError, match=rf"SBML cannot hold sbml/small: .*{place}.*phi\(\)") as raised:
        to_sbml(spec, covariates={"weight": 70})
    assert "\n" not in str(raised.value)
