"""Small models for the tests that turn data into records."""

from __future__ import annotations

from troughline.model.read import read_model
from troughline.model.spec import ModelSpec

ORAL = """
[model]
id = "drug/oral"
title = "A drug by mouth"
drug = "sorafenib"
revision = 1
[units]
{units}
[parameters]
CL = {{ value = 4, unit = "L/h" }}
V = {{ value = 70, unit = "L" }}
ka = {{ value = 1, unit = "1/h" }}
D = {{ value = 2, unit = "h" }}
R = {{ value = 5, unit = "mg/h" }}
{covariates}
[individual]
F = "1{terms}"
[compartments]
depot = {{}}
central = {{}}
{compartments}
[[flows]]
from = "depot"
to = "central"
rate = "ka"
[[flows]]
from = "central"
rate = "CL/V"
{gates}
{doses}
{outputs}
"""
DEPOT = '[[doses]]\ncompartment = "depot"\nbioavailability = "F"\n'
PLASMA = """
[outputs.plasma]
prediction = "central/V"
unit = "ng/mL"
error = { kind = "proportional", proportional = "0.2" }
"""
LOGGED = PLASMA.replace('kind = "proportional"', 'kind = "exponential"')
PARENT_AND_METABOLITE = """
[outputs.parent]
prediction = "depot/V"
unit = "mg/L"
compartments = ["depot"]
error = { kind = "proportional", proportional = "0.2" }
[outputs.metabolite]
prediction = "central/V"
unit = "mg/L"
compartments = ["central"]
error = { kind = "proportional", proportional = "0.2" }
"""


def small_model(
    *,
    covariates: str = "",
    terms: str = "",
    doses: str = DEPOT,
    outputs: str = PLASMA,
    units: str = 'time = "h"\namount = "mg"',
    gates: str = "",
    compartments: str = "",
) -> ModelSpec:
    """A one-compartment model by mouth; `terms` must use each covariate that `covariates` declares."""
    text = ORAL.format(
        covariates=covariates,
        terms=terms,
        doses=doses,
        outputs=outputs,
        units=units,
        gates=gates,
        compartments=compartments,
    )
    spec, found = read_model(text, file="small.toml")
    assert spec is not None, "\n".join(f.line() for f in found)
    return spec


WEIGHT_AND_SEX = """
[covariates.weight]
unit = "kg"
default = 80
hard = [20, 250]
soft = [40, 150]
carry = "{carry}"
[covariates.sex]
levels = ["male", "female"]
{default}
"""
WEIGHT_AND_SEX_TERMS = " * (weight/80[kg]) * (0.8 if sex == 'female' else 1)"


def covariate_model(*, carry: str = "next", default: str = 'default = "male"') -> ModelSpec:
    """The small model with a weight (default 80 kg) and a sex."""
    return small_model(
        covariates=WEIGHT_AND_SEX.format(carry=carry, default=default), terms=WEIGHT_AND_SEX_TERMS
    )
