"""The parts of a model file as TOML holds them: their keys, types and plain limits, strictly checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from troughline.model.spec import ErrorKind


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _as_text(value: Any) -> Any:
    """A number that stands where an expression may is the expression of that number."""
    return repr(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


Text = Annotated[str, Field(min_length=1)]
Formula = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Range = Annotated[list[float], Field(min_length=2, max_length=2)]


class HeaderItem(_Strict):
    """`[model]`."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9.-]*$", max_length=80)
    title: Text
    drug: Text
    revision: int = Field(ge=1)
    description: str = ""
    population: str = ""
    source: str | None = None
    calibrated: bool = False
    notes: list[str] = []


class UnitsItem(_Strict):
    """`[units]`: of the times and amounts in a NONMEM-style file."""

    time: str = "h"
    amount: str = "mg"


class SourceItem(_Strict):
    """`[sources.ID]`."""

    citation: Text
    doi: str | None = Field(default=None, pattern=r"^10\.\d{4,9}/\S+$")
    note: str = ""


class ParameterItem(_Strict):
    """One of `[parameters]`: a table, or a bare number."""

    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    level: float | None = Field(default=None, gt=0, lt=1)
    rse_percent: NotNegative | None = None
    source: str | None = None
    verified: bool = False
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        bare = isinstance(value, (int, float)) and not isinstance(value, bool)
        return {"value": value, "unit": "1"} if bare else value


class CovariateItem(_Strict):
    """`[covariates.NAME]`: a number with a unit, or a category with levels."""

    unit: str | None = None
    levels: Annotated[list[Text], Field(min_length=2)] | None = None
    default: float | str | None = None
    hard: Range | None = None
    soft: Range | None = None
    carry: Literal["next", "last"] = "next"
    note: str = ""


class RandomItem(_Strict):
    """One of `[[random]]`."""

    level: Literal["subject", "occasion"]
    effects: Annotated[list[str], Field(min_length=1)]
    covariance: list[list[float]] | None = None
    variance: list[NotNegative] | None = None
    sd: list[NotNegative] | None = None
    cv_percent: list[NotNegative] | None = None
    correlation: list[Annotated[list[str | float], Field(min_length=3, max_length=3)]] | None = None
    source: str | None = None
    verified: bool = False
    note: str = ""


class CompartmentItem(_Strict):
    """One of `[compartments]`."""

    initial: Formula | None = None
    unit: str = "mg"


class FlowItem(_Strict):
    """One of `[[flows]]`."""

    source: str = Field(alias="from")
    target: str | None = Field(default=None, alias="to")
    rate: Formula
    transits: int = Field(default=0, ge=0, le=100)


class GateItem(_Strict):
    """`[gates.NAME]`."""

    kind: Literal["clock", "after-dose"]
    start: Formula | None = None
    length: Formula | None = None
    at: list[float] | None = None
    clock_origin: float = Field(default=0.0, ge=0, lt=24)


class DoseItem(_Strict):
    """One of `[[doses]]`."""

    compartment: str
    bioavailability: Formula | None = None
    lag: Formula | None = None
    duration: Formula | None = None
    rate: Formula | None = None


class ErrorItem(_Strict):
    """The residual error of an output."""

    kind: ErrorKind
    additive: Formula | None = None
    proportional: Formula | None = None
    power: Formula | None = None


class OutputItem(_Strict):
    """`[outputs.NAME]`."""

    prediction: Formula
    unit: str
    error: ErrorItem
    label: str = ""
    compartments: list[str] = []
    lower_limit: Positive | None = None
    upper_limit: Positive | None = None


class TestDoseItem(_Strict):
    """A dose of a self-test."""

    time: NotNegative = 0.0
    amount: NotNegative
    interval: NotNegative = 0.0
    additional: int = Field(default=0, ge=0)
    steady_state: bool = False
    compartment: str | None = None
    duration: NotNegative = 0.0


class ExpectationItem(_Strict):
    """A number that a self-test expects."""

    quantity: Literal["at", "auc", "cmax", "tmax", "cmin"]
    value: float
    output: str | None = None
    time: NotNegative | None = None
    start: NotNegative | None = None
    end: NotNegative | None = None
    relative_tolerance: NotNegative | None = None
    absolute_tolerance: NotNegative | None = None


class TestItem(_Strict):
    """One of `[[tests]]`."""

    name: Text
    doses: list[TestDoseItem] = []
    expect: Annotated[list[ExpectationItem], Field(min_length=1)]
    covariates: dict[str, float | str] = {}
    parameters: dict[str, float] = {}
    effects: dict[str, float] = {}
    source: str = ""
