"""What a model file says, checked and in canonical units (h, mg, L): the input of the compiler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from troughline.model.expressions import Expression

Floats = NDArray[np.float64]
CONTEXT_NAMES = ("t", "tad", "dose", "interval")
"""Names an expression may use beside the model's own: time since the start (h), time after the last dose
(h), the amount of the dose in question (mg), its dosing interval (h, 0 where it has none)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where numbers come from."""

    id: str
    citation: str
    doi: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A typical value. `value` is in canonical units, `value_as_written` in `unit`."""

    name: str
    value: float
    unit: str
    value_as_written: float
    low: float | None = None
    high: float | None = None
    level: float | None = None
    rse_percent: float | None = None
    source: str = ""
    verified: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariate:
    """A covariate; data hold it in `unit` (or as a level, coded 0, 1, …).

    One data value is `factor` canonical units. `hard` is the range outside which nothing is computed,
    `soft` the range studied; both in `unit`. `carry`: a value holds back to the record before it (`next`,
    NONMEM's rule) or on to the record after it (`last`).
    """

    name: str
    unit: str
    factor: Fraction
    default: float | None
    hard: tuple[float, float] | None
    soft: tuple[float, float] | None
    carry: Literal["next", "last"] = "next"
    levels: tuple[str, ...] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A compartment or other state, in file order (NONMEM's compartment number is its position + 1).

    `transit` marks a compartment of a chain that a flow made.
    """

    name: str
    unit: str = "mg"
    initial: Expression | None = None
    transit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A first-order flow: rate · amount leaves `source` and enters `target` (None: leaves the body)."""

    source: str
    target: str | None
    rate: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A switch that is 1 inside its windows and 0 outside.

    `after-dose`: open from `start` h after each dose for `length` h (None: until the next dose). `clock`:
    open from each hour of `at` (0 to 24, clock time, with time 0 at `clock_origin_h`) for `length` h.
    """

    name: str
    kind: Literal["after-dose", "clock"]
    start: Expression | None = None
    length: Expression | None = None
    at: tuple[float, ...] = ()
    clock_origin_h: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A way a dose enters: into which compartment, how much of it, how late and for how long."""

    compartment: str
    bioavailability: Expression | None = None
    lag: Expression | None = None
    duration: Expression | None = None
    rate: Expression | None = None


ErrorKind = Literal[
    "additive", "proportional", "combined", "combined-sd", "exponential", "log-combined", "power", "none"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorModel:
    """Residual error of one output; a (additive SD), b (proportional SD), c (power) are expressions.

    With f the prediction: additive V = a²; proportional V = (b·f)²; combined V = a² + (b·f)²; combined-sd
    V = (a + b·f)²; power V = (b·f^c)², with a: a² + (b·f^c)²; exponential: on the log scale V = b²;
    log-combined: on the log scale V = b² + (a/f)². none: a quantity that is predicted and never measured.
    """

    kind: ErrorKind
    additive: Expression | None = None
    proportional: Expression | None = None
    power: Expression | None = None

    @property
    def on_log_scale(self) -> bool:
        """Whether the residual is added to the logarithm."""
        return self.kind in ("exponential", "log-combined")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What is observed. Data hold it in `unit`; one data unit is `factor` canonical units.

    `lower_limit`: the limit of quantification in `unit`. `compartments`: the states whose NONMEM number
    in CMT means this output.
    """

    name: str
    prediction: Expression
    unit: str
    factor: Fraction
    error: ErrorModel
    lower_limit: float | None = None
    upper_limit: float | None = None
    compartments: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomBlock:
    """Random effects with a joint covariance (n, n)."""

    level: Literal["subject", "occasion"]
    effects: tuple[str, ...]
    covariance: Floats
    source: str = ""
    verified: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestDose:
    """A dose of a self-test: time h, amount mg, `rate` mg/h or `duration` h."""

    time: float
    amount: float
    interval: float = 0.0
    additional: int = 0
    steady_state: bool = False
    compartment: str | None = None
    duration: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A number that a self-test expects, in the output's unit (AUC: · h; tmax: h)."""

    quantity: Literal["at", "auc", "cmax", "tmax", "cmin"]
    value: float
    output: str
    time: float = 0.0
    start: float = 0.0
    end: float = 0.0
    relative_tolerance: float = 1e-3
    absolute_tolerance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """A test that a model file carries."""

    name: str
    doses: tuple[TestDose, ...]
    expectations: tuple[Expectation, ...]
    covariates: Mapping[str, float] = field(default_factory=dict[str, float])
    parameters: Mapping[str, float] = field(default_factory=dict[str, float])
    effects: Mapping[str, float] = field(default_factory=dict[str, float])
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A whole model file. Expressions refer to names; every number is canonical (h, mg, L).

    `individual` and `variables` are in an order in which each uses only what stands before it; `variables`
    may use states, `individual` may not. `derivatives` adds to the flows' contribution, per state.
    """

    id: str
    title: str
    drug: str
    revision: int
    description: str
    population: str
    time_unit: str
    amount_unit: str
    sources: Mapping[str, Source]
    parameters: tuple[Parameter, ...]
    covariates: tuple[Covariate, ...]
    random: tuple[RandomBlock, ...]
    individual: tuple[tuple[str, Expression], ...]
    variables: tuple[tuple[str, Expression], ...]
    states: tuple[State, ...]
    flows: tuple[Flow, ...]
    derivatives: Mapping[str, Expression]
    gates: tuple[Gate, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    tests: tuple[SelfTest, ...]
    notes: tuple[str, ...]
    calibrated: bool
    sha256: str

    @property
    def subject_effects(self) -> tuple[str, ...]:
        """The between-subject effects, in file order."""
        return tuple(e for block in self.random if block.level == "subject" for e in block.effects)

    @property
    def occasion_effects(self) -> tuple[str, ...]:
        """The between-occasion effects, in file order."""
        return tuple(e for block in self.random if block.level == "occasion" for e in block.effects)

    def covariance(self, level: Literal["subject", "occasion"]) -> Floats:
        """The covariance of the effects of a level, block-diagonal (n, n)."""
        blocks = [b.covariance for b in self.random if b.level == level]
        size = sum(len(b) for b in blocks)
        whole = np.zeros((size, size))
        at = 0
        for block in blocks:
            whole[at : at + len(block), at : at + len(block)] = block
            at += len(block)
        return whole

    @property
    def theta(self) -> Floats:
        """The typical values (n_parameters,), canonical units."""
        return np.array([p.value for p in self.parameters], dtype=np.float64)
