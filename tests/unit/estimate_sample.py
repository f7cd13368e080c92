"""A small model and files for the tests of estimates: a bolus or infusion into one compartment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from troughline.cohort.nonmem import read_nonmem
from troughline.model.model import Model
from troughline.model.read import read_model
from troughline.model.records import Records

OMEGA_CL, OMEGA_V, KAPPA_CL, SIGMA = 0.09, 0.04, 0.02, 0.2
CL, V = 4.0, 70.0

TEXT = """
[model]
id = "drug/small"
title = "One compartment"
drug = "sorafenib"
revision = 1
description = "A made-up drug for tests."
population = "nobody"
[parameters]
CL_pop = { value = 4, unit = "L/h" }
V_pop = { value = 70, unit = "L" }
sigma = { value = 0.2, unit = "1" }
[covariates.weight]
unit = "kg"
default = 70
[covariates.fasting]
levels = ["no", "yes"]
default = "no"
carry = "last"
[[random]]
level = "subject"
effects = ["eta_CL", "eta_V"]
covariance = [[0.09, 0], [0, 0.04]]
OCCASION
[individual]
CL = "CL_pop * exp(eta_CLKAPPA)"
V = "V_pop * weight / 70[kg] * exp(eta_V)"
F = "0.8 if fasting == \\"yes\\" else 1"
[compartments]
central = {}
[[flows]]
from = "central"
rate = "CL / V"
[[doses]]
compartment = "central"
bioavailability = "F"
[outputs.OUTPUT]
prediction = "central / V"
unit = "UNIT"
label = "drug in plasma"
error = { kind = "KIND", proportional = "sigma" }
"""
OCCASION = """
[[random]]
level = "occasion"
effects = ["kappa_CL"]
variance = [0.02]
"""


def model_text(
    *, occasions: bool = False, kind: str = "exponential", unit: str = "mg/L", output: str = "plasma"
) -> str:
    """The model file."""
    text = TEXT.replace("OCCASION\n", OCCASION if occasions else "")
    text = text.replace("KAPPA", " + kappa_CL" if occasions else "")
    return text.replace("KIND", kind).replace("UNIT", unit).replace("OUTPUT", output)


@cache
def small_model(
    *, occasions: bool = False, kind: str = "exponential", unit: str = "mg/L", output: str = "plasma"
) -> Model:
    """The model, compiled once for all tests of a process."""
    text = model_text(occasions=occasions, kind=kind, unit=unit, output=output)
    spec, found = read_model(text, file="small.toml")
    assert spec is not None, [f.line() for f in found]
    return Model(spec)


def write_rows(folder: Path, header: str, rows: Sequence[str]) -> Path:
    """A CSV file `data.csv`."""
    path = folder / "data.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def records_from(folder: Path, model: Model, header: str, *rows: str) -> Records:
    """The records of a NONMEM-style file with these rows."""
    return read_nonmem(write_rows(folder, header, rows), model.spec).records
