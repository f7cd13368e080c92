"""The shape of an evidence file: a drug or a published study, every number with its source."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Metric = Literal["trough", "clinic-visit", "level"]
METRICS: tuple[str, ...] = get_args(Metric)

Interval = Literal["confidence", "interquartile", "range"]

Quantity = Literal[
    "auc",
    "coefficient-of-variation",
    "constant",
    "count",
    "hazard-ratio",
    "mean",
    "mean-dose",
    "median",
    "median-survival",
    "proportion",
    "target",
    "threshold",
    "window",
]

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
Doi = Annotated[str, Field(pattern=r"^10\.\d{4,9}/\S+$")]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


def _sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Number(_Record):
    """One number from a source.

    `value` may be missing where only an interval was printed (a `window`); `low` and `high` are as printed,
    `interval` says what they span and `level` the level of a confidence interval. `endpoint` groups the
    numbers that belong to one analysis; `group` names the patients or the arm it applies to where that is
    not the whole population. `where` tells the place in the source that was read and `verified` whether it
    was read there; an unverified number is shown but never calculated with silently. `basis` separates what
    was published from what was computed or agreed here. Without a `doi` of its own, a study's number takes
    the study's.
    """

    id: Identifier
    quantity: Quantity
    value: float | None = None
    low: float | None = None
    high: float | None = None
    interval: Interval | None = None
    level: float | None = Field(default=None, gt=0, lt=1)
    unit: str = Field(min_length=1)
    n: int | None = Field(default=None, gt=0)
    endpoint: Identifier | None = None
    metric: Metric | None = None
    group: str | None = None
    p_value: str | None = None
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
        if (self.low is None) != (self.interval is None) and self.quantity != "window":
            raise ValueError(f"number {self.id!r}: low and high go together with interval (what they span)")
        if self.value is None and (self.quantity != "window" or self.low is None):
            raise ValueError(f"number {self.id!r}: value is missing")
        inside = [x for x in (self.low, self.value, self.high) if x is not None]
        if inside != sorted(inside):
            raise ValueError(f"number {self.id!r}: low, value and high do not rise")
        if self.level is not None and self.interval != "confidence":
            raise ValueError(f"number {self.id!r}: a level goes with interval = 'confidence'")
        if self.quantity in ("threshold", "target", "window") and (
            self.metric is None or self.endpoint is None
        ):
            raise ValueError(f"number {self.id!r}: a {self.quantity} needs its metric and its endpoint")
        return self


Numbers = Annotated[tuple[Number, ...], BeforeValidator(_sequence), Field(min_length=1)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_sequence)]


def _check_ids(numbers: tuple[Number, ...]) -> None:
    ids = [n.id for n in numbers]
    twice = sorted({i for i in ids if ids.count(i) > 1})
    if twice:
        raise ValueError(f"number id used twice: {', '.join(twice)}")


class Code(_Record):
    """A code of a drug in a public terminology."""

    system: Literal["ATC", "RxNorm", "CAS"]
    code: str = Field(min_length=1)
    meaning: str
    verified: bool
    where: str = Field(min_length=1)


_DRUG_NUMBERS = {
    "molar-mass": "g/mol",
    "trough-min-hours-after-dose": "h",
    "steady-state-days": "day",
    "tablet-strength": "mg",
}


class Drug(_Record):
    """A drug: names, formula, codes, and the numbers that every analysis of its levels needs."""

    kind: Literal["drug"]
    id: Identifier
    names: Annotated[Texts, Field(min_length=1)]
    formula: str = Field(pattern=r"^([A-Z][a-z]?\d*)+$")
    number: Numbers
    codes: Annotated[tuple[Code, ...], BeforeValidator(_sequence)] = ()
    note: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Drug:
        _check_ids(self.number)
        units = {n.id: n.unit for n in self.number}
        for identifier, unit in _DRUG_NUMBERS.items():
            if units.get(identifier) != unit:
                raise ValueError(f"a drug needs the number {identifier!r} in {unit}")
        return self

    def sourced(self, identifier: str) -> Number:
        """The number of that id with its source; `ValueError` lists the known ids."""
        return _find(self.number, identifier, f"drug {self.id!r}")

    @property
    def molar_mass_g_per_mol(self) -> float:
        """Molar mass of the free base, g/mol."""
        return self._value("molar-mass")

    @property
    def trough_min_hours_after_dose(self) -> float:
        """How long after a dose (h) a sample must be drawn to count as a trough."""
        return self._value("trough-min-hours-after-dose")

    @property
    def steady_state_days(self) -> float:
        """Days of unchanged dosing after which levels are at steady state."""
        return self._value("steady-state-days")

    @property
    def tablet_strength_mg(self) -> float:
        """The tablet in which doses come, mg."""
        return self._value("tablet-strength")

    def _value(self, identifier: str) -> float:
        value = self.sourced(identifier).value
        return math.nan if value is None else value


class Publication(_Record):
    """A published study: what it was, and the numbers it printed.

    `read` says how much of it was read here: `abstract`, `full text` or `secondary`.
    """

    kind: Literal["study"]
    id: Identifier
    drug: Identifier
    title: str = Field(min_length=1)
    citation: str = Field(min_length=1)
    doi: Doi | None = None
    url: str | None = Field(default=None, pattern=r"^https://\S+$")
    read: Literal["abstract", "full text", "secondary"]
    design: str = Field(min_length=1)
    population: str = Field(min_length=1)
    n: int = Field(gt=0)
    year: int = Field(ge=1990, le=2100)
    enrolled_from: Month | None = None
    enrolled_to: Month | None = None
    number: Numbers
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Publication:
        _check_ids(self.number)
        for n in self.number:
            if n.n is not None and n.n > self.n:
                raise ValueError(f"number {n.id!r}: n = {n.n} exceeds the study's {self.n}")
        if self.doi is None and not self.note:
            raise ValueError("a study without a DOI says in its note why")
        return self

    def sourced(self, identifier: str) -> Number:
        """The number of that id with its source; `ValueError` lists the known ids."""
        return _find(self.number, identifier, f"publication {self.id!r}")

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints that its numbers belong to, in file order."""
        return tuple(dict.fromkeys(n.endpoint for n in self.number if n.endpoint is not None))


def _find(numbers: tuple[Number, ...], identifier: str, owner: str) -> Number:
    for n in numbers:
        if n.id == identifier:
            return n
    raise ValueError(f"{owner} has no number {identifier!r}; known: {', '.join(n.id for n in numbers)}")
