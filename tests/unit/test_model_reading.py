"""Reading a model file: what a valid one becomes, and where its lines are."""

from __future__ import annotations

import pickle
import tomllib
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from troughline.issues import InputError
from troughline.model.places import line_numbers
from troughline.model.read import load_spec, read_model
from troughline.model.spec import ModelSpec

EXAMPLE = Path(__file__).parent / "fixtures" / "made-up-model.toml"
MINIMAL = """
[model]
id = "nothing/least"
title = "The least that a model needs"
drug = "nothing"
revision = 1
[compartments]
body = {}
[[doses]]
compartment = "body"
[outputs.level]
prediction = "body/5[L]"
unit = "mg/L"
error = { kind = "none" }
"""


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return load_spec(EXAMPLE)


def read(text: str) -> ModelSpec:
    model, found = read_model(text, file="model.toml")
    assert model is not None, [finding.line() for finding in found]
    return model


def test_a_valid_file_has_no_findings() -> None:
    """Neither the example, which uses every part of the language, nor the least model has any."""
    for text in (EXAMPLE.read_text(encoding="utf-8"), MINIMAL):
        model, found = read_model(text, file="model.toml")
        assert [finding.line() for finding in found] == []
        assert model is not None


def test_parameters_become_canonical(spec: ModelSpec) -> None:
    """135.5 mL/min is 8.13 L/h and 80 kg is 8e7 mg, to the last bit; limits stay as written."""
    by_name = {p.name: p for p in spec.parameters}
    assert by_name["CL_pop"].value == 8.13
    assert (by_name["CL_pop"].value_as_written, by_name["CL_pop"].low) == (135.5, 100.0)
    assert by_name["WT_ref"].value == 8e7
    assert (by_name["F_pop"].value, by_name["F_pop"].unit) == (0.5, "1")
    assert spec.theta[0] == 8.13
    assert {p.source for p in spec.parameters} == {"paper"}


def test_covariates_keep_the_unit_of_the_data(spec: ModelSpec) -> None:
    """The factor leads to canonical units; a level is its position."""
    weight, sex = spec.covariates
    assert (weight.unit, weight.factor, weight.default) == ("kg", Fraction(10**6), 80.0)
    assert (weight.hard, weight.soft, weight.carry) == ((20.0, 250.0), (40.0, 150.0), "next")
    assert (sex.levels, sex.default, sex.carry) == (("male", "female"), 0.0, "last")


def test_random_effects_take_each_form_of_variance(spec: ModelSpec) -> None:
    """A matrix as it is; cv_percent: log(1 + cv²); sd: its square. Blocks stand on the diagonal."""
    assert spec.subject_effects == ("eta_CL", "eta_V", "eta_F")
    assert spec.occasion_effects == ("kappa_CL",)
    whole = spec.covariance("subject")
    assert whole[:2, :2].tolist() == [[0.0319, 0.0864], [0.0864, 0.3866]]
    assert whole[2, 2] == pytest.approx(np.log(1 + 0.3**2), rel=1e-15)
    assert not whole[2, :2].any()
    assert spec.covariance("occasion")[0, 0] == pytest.approx(0.16, rel=1e-15)


def test_a_correlation_is_a_covariance_over_both_standard_deviations() -> None:
    """Jain 2011: 18.0 % and 68.7 % with r 0.778 give variances .0319, .3866, covariance .0864."""
    text = EXAMPLE.read_text(encoding="utf-8").replace(
        "covariance = [[0.0319, 0.0864], [0.0864, 0.3866]]",
        'cv_percent = [18.0, 68.7]\ncorrelation = [["eta_CL", "eta_V", 0.778]]',
    )
    covariance = read(text).random[0].covariance
    assert covariance == pytest.approx(np.array([[0.0319, 0.0864], [0.0864, 0.3866]]), abs=1e-4)
    assert covariance[0, 1] == covariance[1, 0]


def test_quantities_follow_what_they_use(spec: ModelSpec) -> None:
    """`k = CL/V` is written first and comes after both."""
    names = [name for name, _ in spec.individual]
    assert names.index("k") > max(names.index("CL"), names.index("V"))
    assert set(names) == {"k", "CL", "V", "F1", "MTT"}
    assert [name for name, _ in spec.variables] == ["C"]


def test_a_transit_chain_becomes_compartments_after_the_declared_ones(spec: ModelSpec) -> None:
    """Three compartments and four flows at one rate; NONMEM's numbers of the others do not move."""
    names = [state.name for state in spec.states]
    chain = ["depot_central_1", "depot_central_2", "depot_central_3"]
    assert names == ["depot", "central", "bile", *chain]
    assert [state.name for state in spec.states if state.transit] == chain
    stops = ["depot", *chain, "central"]
    assert [(f.source, f.target, f.rate.text) for f in spec.flows[:4]] == [
        (a, b, "ka") for a, b in pairwise(stops)
    ]
    assert spec.flows[4].target is None


def test_gates_doses_and_outputs_are_read(spec: ModelSpec) -> None:
    """Each optional part is an expression or None."""
    meal, released = spec.gates
    assert (meal.kind, meal.at, meal.length and meal.length.text) == ("clock", (8.0, 12.0, 18.0), "0.5[h]")
    assert (released.kind, released.start and released.start.text, released.length) == (
        "after-dose", "t_empty", None,
    )  # fmt: skip
    oral, direct = spec.inputs
    assert (oral.compartment, oral.lag and oral.lag.text, oral.duration) == ("depot", "30[min]", None)
    assert (direct.bioavailability and direct.bioavailability.text) == "1 - F1"
    output = spec.outputs[0]
    assert (output.factor, output.lower_limit, output.compartments) == (Fraction(1, 1000), 10.0, ("central",))
    assert output.error.proportional is not None
    assert output.error.proportional.text == "0.514"


def test_self_tests_are_read_in_the_units_the_engine_takes(spec: ModelSpec) -> None:
    """Parameters canonical (100 mL/min is 6 L/h), covariates as data hold them, levels as codes."""
    test = spec.tests[0]
    assert test.parameters == {"CL_pop": 6.0}
    assert test.covariates == {"weight": 70.0, "sex": 1.0}
    assert test.effects == {"eta_CL": 0.1}
    assert (test.doses[0].amount, test.doses[0].steady_state) == (400.0, True)
    auc, at = test.expectations
    assert (auc.quantity, auc.output, auc.end, auc.relative_tolerance) == ("auc", "sorafenib", 12.0, 1e-3)
    assert (at.quantity, at.time, at.relative_tolerance) == ("at", 12.0, 0.01)


def test_a_model_can_be_pickled(spec: ModelSpec) -> None:
    """What comes back is the same, the arrays of the random effects included."""
    copy: ModelSpec = pickle.loads(pickle.dumps(spec))
    assert replace(copy, random=()) == replace(spec, random=())
    for one, other in zip(copy.random, spec.random, strict=True):
        assert one.effects == other.effects
        assert np.array_equal(one.covariance, other.covariance)


def test_the_hash_is_that_of_the_text() -> None:
    """A comment changes it; the model stays."""
    one, other = read(MINIMAL), read(MINIMAL + "# a remark\n")
    assert one.sha256 != other.sha256
    assert replace(one, sha256="") == replace(other, sha256="")


def test_load_spec_reports_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, and one that is no text, are findings with the file's name."""
    with pytest.raises(InputError, match="cannot be read"):
        load_spec(tmp_path / "missing.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary\.toml: is not UTF-8 text"):
        load_spec(binary)
    marked = tmp_path / "marked.toml"
    marked.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert load_spec(marked).id == "nothing/least"


AWKWARD = r'''# [not.a.header]
title = "a # b [c] = \" d" # comment
[a."quoted.key"]
x = 1
[a.'other key'] # after a header
text = """
[not.a.table]
y = "2"""""
list = [
  { p = 1, q = [1, 2] }, # one
  { p = 2 },
  [
    3, 4
  ],
]
[[many]]
name = "first"
[many.inner]
deep.er = 1
[[many]]
name = 'C:\'
raw = \'\'\'
z = 3\'\'\'
inner = { k = "}" , l = 'two' }
date = 2020-01-01 10:00:00
'''.replace("\\'\\'\\'", "'''")


def test_lines_of_every_place_are_found_in_awkward_toml() -> None:
    """Comments, quoted keys, texts over several lines, nested lists and arrays of tables."""
    lines = line_numbers(AWKWARD)
    rows = AWKWARD.splitlines()

    def row(start: str, after: int = 0) -> int:
        return next(i for i, line in enumerate(rows, 1) if i > after and line.lstrip().startswith(start))

    second = row("[[many]]", after=row("[[many]]"))
    expected: dict[tuple[str | int, ...], int] = {
        ("title",): row("title"),
        ("a", "quoted.key", "x"): row("x = 1"),
        ("a", "other key"): row("[a.'other"),
        ("a", "other key", "text"): row("text"),
        ("a", "other key", "list", 0, "q", 1): row("{ p = 1"),
        ("a", "other key", "list", 1, "p"): row("{ p = 2"),
        ("a", "other key", "list", 2, 1): row("3, 4"),
        ("many", 0, "name"): row('name = "first'),
        ("many", 0, "inner", "deep", "er"): row("deep.er"),
        ("many", 1): second,
        ("many", 1, "raw"): row("raw"),
        ("many", 1, "inner", "l"): row("inner"),
        ("many", 1, "date"): row("date"),
    }
    assert {path: lines.get(path) for path in expected} == expected


def test_every_key_that_the_parser_reads_has_a_line() -> None:
    """Against the standard library's parser: the same places, no more and no fewer."""

    def places(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
        items = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        return {path} | {place for key, inner in items for place in places(inner, (*path, key))}

    for text in (AWKWARD, EXAMPLE.read_text(encoding="utf-8")):
        assert set(line_numbers(text)) == places(tomllib.loads(text)) - {()}
