"""The shape of CURVE.toml: where a printed curve or its summary is, and how finely it was read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

TimeUnit = Literal["day", "week", "month", "year"]


def _sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _pair(value: Any) -> Any:
    """Two calibration points, each a list of two numbers."""
    if isinstance(value, list):
        return tuple(_sequence(point) for point in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Numbers = Annotated[tuple[float, ...], BeforeValidator(_sequence)]
Counts = Annotated[tuple[int, ...], BeforeValidator(_sequence)]
Point = tuple[float, float]
Points = Annotated[tuple[Point, Point], BeforeValidator(_pair)]


class CurveHeader(_Strict):
    """The figure or summary as a whole; `study` is its id in the evidence base, where it stands there."""

    title: str = Field(min_length=1)
    source: str = ""
    study: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]*$")
    endpoint: str = "survival"
    time_unit: TimeUnit
    simulated: bool = False
    level: float = Field(default=0.95, gt=0.5, lt=1)
    seed: int = Field(default=20260101, ge=0)
    readings: int = Field(default=200, ge=0, le=5000)


class ReadingSection(_Strict):
    """How clicks were read: the axis, the reading steps, and what the columns are called."""

    survival: Literal["fraction", "percent"] = "fraction"
    step: float | None = Field(default=None, gt=0, lt=0.2)
    time_step: float | None = Field(default=None, gt=0)
    columns: dict[Literal["time", "survival", "at_risk"], str] = {}


class FigureSection(_Strict):
    """A vector figure and its axes: two points of each, as [position, value]."""

    file: str = Field(min_length=1)
    page: int = Field(default=1, ge=1)
    time: Points
    survival: Points

    @model_validator(mode="after")
    def _distinct(self) -> FigureSection:
        for name in ("time", "survival"):
            (a, x), (b, y) = getattr(self, name)
            if a == b or x == y:
                raise ValueError(f"the two points of the {name} axis must differ in position and in value")
        return self


class PathSection(_Strict):
    """Which path of the figure is the curve."""

    stroke: str | None = Field(default=None, pattern=r"^#[0-9a-fA-F]{6}$")
    id: str | None = None
    index: int | None = Field(default=None, ge=1)


class PrintedNumber(_Strict):
    """A printed number with its interval, the digits after its point, and whether its source was read."""

    value: float
    low: float | None = None
    high: float | None = None
    decimals: int | None = Field(default=None, ge=0, le=6)
    source: str = ""
    verified: bool = False
    note: str = ""

    @model_validator(mode="after")
    def _whole(self) -> PrintedNumber:
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high go together")
        inside = [x for x in (self.low, self.value, self.high) if x is not None]
        if inside != sorted(inside):
            raise ValueError("low, value and high do not rise")
        return self

    @property
    def digits(self) -> int:
        """The digits after the point: as stated, or as many as the number or its interval is written with."""
        if self.decimals is not None:
            return self.decimals
        written = (repr(float(x)) for x in (self.value, self.low, self.high) if x is not None)
        return max(len(text.split(".")[1].rstrip("0")) if "e" not in text else 6 for text in written)


class PrintedCount(_Strict):
    """A printed number of patients, events or months with its source."""

    value: float = Field(ge=0)
    source: str = ""
    verified: bool = False
    note: str = ""


class SummarySection(_Strict):
    """What is printed of both arms together; the hazard ratio is that of the second arm against the first."""

    hazard_ratio: PrintedNumber | None = None
    events: PrintedCount | None = None
    accrual: PrintedCount | None = None
    follow_up: PrintedCount | None = None


class RiskSection(_Strict):
    """Numbers at risk written into the file."""

    time: Numbers
    at_risk: Counts

    @model_validator(mode="after")
    def _same_length(self) -> RiskSection:
        if len(self.time) != len(self.at_risk):
            raise ValueError(f"{len(self.time)} times and {len(self.at_risk)} numbers at risk")
        return self


class ArmSection(_Strict):
    """One arm: `clicks` (a table), `path` (of the figure) or `median` (of a summary)."""

    name: str = Field(min_length=1, max_length=80)
    clicks: str | None = None
    path: PathSection | None = None
    median: PrintedNumber | None = None
    n: int | None = Field(default=None, ge=1)
    n_source: str = ""
    n_verified: bool = False
    events: int | None = Field(default=None, ge=0)
    risk_table: str | None = None
    at_risk: RiskSection | None = None
    ticks: Numbers = ()

    @model_validator(mode="after")
    def _one_form(self) -> ArmSection:
        if sum(x is not None for x in (self.clicks, self.path, self.median)) != 1:
            raise ValueError("give one of clicks (a table), path (of [figure]) or median (of a summary)")
        if self.median is not None:
            if self.n is None:
                raise ValueError("n, the number of patients, is needed beside a median")
            if self.risk_table is not None or self.at_risk is not None or self.ticks:
                raise ValueError("numbers at risk and ticks go with clicks or a path, not with a summary")
        elif self.n is None and self.risk_table is None and self.at_risk is None:
            raise ValueError("give risk_table (a file) or at_risk, or n where neither is printed")
        if self.risk_table is not None and self.at_risk is not None:
            raise ValueError("give risk_table (a file) or at_risk (numbers), not both")
        return self


class CurveFile(_Strict):
    """A whole CURVE.toml. `path` is where it lies; relative files start in its folder."""

    curve: CurveHeader
    reading: ReadingSection = ReadingSection()
    figure: FigureSection | None = None
    summary: SummarySection | None = None
    arm: Annotated[tuple[ArmSection, ...], BeforeValidator(_sequence)] = Field(min_length=1)
    path: Annotated[Path, Field(strict=False)] = Path("curve.toml")

    @model_validator(mode="after")
    def _consistent(self) -> CurveFile:
        names = [a.name for a in self.arm]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"arm name used twice: {', '.join(twice)}")
        if any(a.path for a in self.arm) and self.figure is None:
            raise ValueError("an arm has a path: [figure] names the file and its axes")
        printed = [a.median is not None for a in self.arm]
        if any(printed) and not all(printed):
            raise ValueError("arms from a summary and arms from a curve do not go into one file")
        if any(printed) and len(self.arm) > 2:
            raise ValueError("a summary has one arm or two; write a file for each comparison")
        if self.summary is not None and not any(printed):
            raise ValueError("[summary] goes with arms that give a median")
        return self

    @property
    def from_summary(self) -> bool:
        """Whether only a summary is printed, so that the patients are approximate."""
        return self.arm[0].median is not None
