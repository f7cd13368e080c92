"""One number of a source: what it is, how it was printed, where it stands and whether it was read there."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Metric = Literal["trough", "clinic-visit", "level", "auc", "cumulative-auc", "cmax"]
METRICS: tuple[str, ...] = get_args(Metric)

Interval = Literal["confidence", "interquartile", "range"]

Quantity = Literal[
    "auc",
    "coefficient-of-variation",
    "constant",
    "correlation",
    "count",
    "geometric-mean",
    "hazard-ratio",
    "log-hazard-ratio",
    "mean",
    "mean-dose",
    "median",
    "median-survival",
    "median-time",
    "proportion",
    "range",
    "ratio",
    "target",
    "threshold",
    "window",
]
WITHOUT_VALUE: tuple[str, ...] = ("range", "window")
"""Quantities of which two limits may be all that was printed."""

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
Doi = Annotated[str, Field(pattern=r"^10\.\d{4,9}/\S+$")]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


def _sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


Sequence = BeforeValidator(_sequence)
"""Makes a TOML array a tuple, which a frozen record can hold."""

Texts = Annotated[tuple[str, ...], Sequence]


class Record(BaseModel):
    """A frozen part of an evidence file; unknown keys and values of another type are refused."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Number(Record):
    """One number from a source, as printed: an impossible one can be held, and `evidence.checks` finds it.

    `value` may be missing where only two limits were printed (a `window`, a `range`); `low` and `high` are as
    printed, `interval` says what they span and `level` the level of a confidence interval. `relation` stands
    where the source printed a bound (`<`) instead of a value, `sd` where it printed a standard deviation.
    `decimals` is how many were printed, where a last 0 would be lost. `endpoint` groups the numbers of one
    analysis; `interval_h` is the dosing interval of a trough, where the source states it; `arm` and
    `comparator` name arms of the study, `group` other patients the number applies to, where that is not the
    whole population. `n` counts the patients, `events` those of them with the event or
    the outcome. `where` tells the place in the source that was read and `verified` whether it was read there;
    an unverified number is shown but never calculated with silently. `basis` separates what was published
    from what was computed or agreed here. Without a `doi` of its own, a study's number takes the study's.
    """

    id: Identifier
    quantity: Quantity
    value: float | None = None
    relation: Literal["<", "<=", ">", ">="] | None = None
    low: float | None = None
    high: float | None = None
    interval: Interval | None = None
    level: float | None = Field(default=None, gt=0, lt=1)
    sd: float | None = None
    decimals: int | None = Field(default=None, ge=0, le=6)
    unit: str = Field(min_length=1)
    n: int | None = Field(default=None, gt=0)
    events: int | None = Field(default=None, ge=0)
    endpoint: Identifier | None = None
    metric: Metric | None = None
    interval_h: float | None = Field(default=None, gt=0)
    arm: Identifier | None = None
    comparator: Identifier | None = None
    group: str | None = None
    p_value: str | None = Field(default=None, pattern=r"^<?\d*\.?\d+$")
    label: str = Field(min_length=1)
    basis: Literal["published", "computed", "convention"] = "published"
    verified: bool
    where: str = Field(min_length=1)
    source: str | None = None
    doi: Doi | None = None
    note: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Number:
        if (self.low is None) != (self.high is None):
            raise ValueError(f"number {self.id!r}: low and high go together")
        if (self.low is None) != (self.interval is None) and self.quantity not in WITHOUT_VALUE:
            raise ValueError(f"number {self.id!r}: low and high go together with interval (what they span)")
        if self.value is None and (self.quantity not in WITHOUT_VALUE or self.low is None):
            raise ValueError(f"number {self.id!r}: value is missing")
        if self.level is not None and self.interval != "confidence":
            raise ValueError(f"number {self.id!r}: a level goes with interval = 'confidence'")
        if self.quantity in ("threshold", "target", "window") and (
            self.metric is None or self.endpoint is None
        ):
            raise ValueError(f"number {self.id!r}: a {self.quantity} needs its metric and its endpoint")
        if self.comparator is not None and self.arm is None:
            raise ValueError(f"number {self.id!r}: a comparator needs the arm that is compared with it")
        return self


Numbers = Annotated[tuple[Number, ...], Sequence]


def number_of(numbers: tuple[Number, ...], identifier: str, owner: str) -> Number:
    """The number of that id; `ValueError` names the owner and the known ids."""
    for n in numbers:
        if n.id == identifier:
            return n
    raise ValueError(f"{owner} has no number {identifier!r}; known: {', '.join(n.id for n in numbers)}")


def check_unique(identifiers: list[str], what: str) -> None:
    """Raises `ValueError` that names the ids used twice."""
    twice = sorted({i for i in identifiers if identifiers.count(i) > 1})
    if twice:
        raise ValueError(f"{what} id used twice: {', '.join(twice)}")
