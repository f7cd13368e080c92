"""The models that tests run: each reads without a finding, and its expected values are those of SciPy."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.reference.models.zoo.expected import EXPECTED
from troughline.model.read import read_model

FOLDER = Path(__file__).resolve().parents[1] / "reference" / "models"
FILES = sorted(FOLDER.rglob("*.toml"))
ZOO = sorted((FOLDER / "zoo").glob("*.toml"))
EFFECTS_OF_RUN = {
    "001": 3, "003": 4, "005": 4, "008": 4, "101": 4, "203": 4, "301": 3, "401": 5, "403": 3, "405": 3,
    "407": 3, "503": 3, "901": 3, "931": 4,
}  # fmt: skip
"""The random effects of each NONMEM run, as many as its table has ETA columns."""


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_model_reads_without_a_finding(path: Path) -> None:
    """Neither an error nor a warning: nothing unknown, unused or of the wrong unit."""
    spec, found = read_model(path.read_text(encoding="utf-8"), file=path.name)
    assert [str(finding) for finding in found.items] == []
    assert spec is not None
    assert spec.id.partition("/")[2] == path.stem


@pytest.mark.parametrize(("run", "count"), EFFECTS_OF_RUN.items())
def test_effects_of_a_nonmem_run_are_named_as_its_columns(run: str, count: int) -> None:
    """ETA1, ETA2, … of NONMEM's table are eta_1, eta_2, … of the model, in this order."""
    path = FOLDER / f"run{run}.toml"
    spec, _ = read_model(path.read_text(encoding="utf-8"), file=path.name)
    assert spec is not None
    assert spec.subject_effects == tuple(f"eta_{i}" for i in range(1, count + 1))
    assert spec.occasion_effects == ()


def test_every_nonmem_run_has_a_model() -> None:
    """Fourteen runs, fourteen files."""
    assert {p.stem for p in FOLDER.glob("run*.toml")} == {f"run{run}" for run in EFFECTS_OF_RUN}


def test_every_zoo_model_has_an_integration() -> None:
    """expected.py knows each file of its folder and no other."""
    assert {p.stem for p in ZOO} == set(EXPECTED)


@pytest.mark.parametrize("path", ZOO, ids=lambda p: p.stem)
def test_expected_values_are_those_of_an_independent_integration(path: Path) -> None:
    """The numbers in the file's tests, rounded to nine digits, are SciPy's (tolerance 5e-9 relative)."""
    tests = tomllib.loads(path.read_text(encoding="utf-8"))["tests"]
    values = EXPECTED[path.stem]()
    assert [len(test["expect"]) for test in tests] == [len(row) for row in values]
    for test, row in zip(tests, values, strict=True):
        assert [e["value"] for e in test["expect"]] == pytest.approx(row, rel=5e-9)


@pytest.mark.parametrize("path", ZOO, ids=lambda p: p.stem)
def test_zoo_models_stay_short(path: Path) -> None:
    """A structure fits 60 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
