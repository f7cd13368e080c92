"""The shape of a trial file: model, population, visits, arms, comparisons, targets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from troughline.cohort.question_base import OneLine, Strict
from troughline.trial.dosing_schema import ArmPolicy, Dosing

Item = TypeVar("Item")


def _sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else _sequence(value)


def repeated(values: Sequence[Item]) -> list[Item]:
    """What stands more than once among values, once each."""
    return list(dict.fromkeys(x for k, x in enumerate(values) if x in values[:k]))


_Sequence = BeforeValidator(_sequence)
LEAST_SOBOL = 8
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Width = Annotated[float, Field(ge=1e-3, le=1e3)]
Factor = Annotated[float, Field(ge=1e-3, le=1e3)]
Dose = Annotated[float, Field(ge=0, le=100)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Id = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.+-]*$")]
Endpoint = Literal["os", "ttp", "mttp"]
QUANTITY = Literal[
    "os_median", "ttp_median", "ttp_between", "os_hr", "ttp_hr", "pr", "sd", "dcr", "severe", "reductions",
    "os_1_year", "deaths", "duration", "growth",
]  # fmt: skip
"""What a published value can be held against."""


class Header(Strict):
    """What the trial is about and how often it is repeated.

    `patients`: `randomised`, other patients in each arm, or `same`, the same patients in every arm. `alpha`
    is two-sided. `step_days`: the longest step of the slow system.
    """

    title: OneLine = Field(min_length=1)
    description: str = ""
    seed: int = Field(default=20260101, ge=0, le=2**31)
    replicates: int = Field(default=20, ge=1, le=10_000)
    horizon_months: float = Field(default=24.0, gt=0, le=120)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    primary: Endpoint = "os"
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    patients: Literal["randomised", "same"] = "randomised"
    step_days: float = Field(default=3.5, ge=0.5, le=14)


class Model(Strict):
    """Which reading of target potency, and all sets or the best of each reading."""

    reading: Literal["Kd", "IC50", "both"] = "both"
    sets: Literal["all", "best"] = "all"


class Spread(Strict):
    """A log-normal covariate (`median`, `spread` the SD of the logarithm), or a normal one (`mean`, `sd`)."""

    median: Positive | None = None
    spread: Width | None = None
    mean: Finite | None = None
    sd: Width | None = None
    low: Finite
    high: Finite
    source: str = "assumed"

    @model_validator(mode="after")
    def _whole(self) -> Spread:
        log, normal = (self.median, self.spread), (self.mean, self.sd)
        if not (None not in log and normal == (None, None)) and not (
            None not in normal and log == (None, None)
        ):
            raise ValueError("give median and spread, or mean and sd")
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self


class MatchPlacebo(Strict):
    """Growth and baseline hazard scaled, for each set, until a placebo arm shows this."""

    ttp_day: float = Field(ge=1, le=3660)
    os_months: float = Field(ge=0.1, le=120)
    source: str = Field(min_length=1)

    @property
    def medians(self) -> tuple[float, float]:
        """Day of progression between visits, months of survival."""
        return self.ttp_day, self.os_months


class Population(Strict):
    """Who is treated: a population of the mechanism with some of it replaced.

    Shares of `etiology` (HBV, HCV, other), `child_pugh` (A, B), `bclc` (B: no vascular invasion or spread,
    C: with it) add to 1. `accept`: bounds of covariates and individual quantities of the mechanism, times
    in days and rates a day, with the values that `scale` and `match_placebo` leave. `scale` multiplies
    typical values; `clearance` the clearance of sorafenib.
    """

    base: str = "sharp"
    label: OneLine = ""
    source: str = "assumed"
    etiology: dict[Literal["HBV", "HCV", "other"], Share] | None = None
    child_pugh: dict[Literal["A", "B"], Share] | None = None
    bclc: dict[Literal["B", "C"], Share] | None = None
    tumour_mm: Spread | None = None
    albumin: Spread | None = None
    weight: Spread | None = None
    accept: dict[str, Annotated[tuple[float, float], _Sequence]] = Field(
        default_factory=dict[str, tuple[float, float]]
    )
    scale: dict[str, Factor] = Field(default_factory=dict[str, float])
    match_placebo: MatchPlacebo | None = None
    clearance: Factor = 1.0

    @model_validator(mode="after")
    def _shares(self) -> Population:
        for name in ("etiology", "child_pugh", "bclc"):
            given: dict[str, float] | None = getattr(self, name)
            if given is not None and abs(sum(given.values()) - 1) > 1e-6:
                raise ValueError(f"the shares of {name} add to {sum(given.values()):g}, not 1")
        for name, (low, high) in self.accept.items():
            if not low < high:
                raise ValueError(f"accept: {name} has low {low:g}, which is not below high {high:g}")
        return self


class Visits(Strict):
    """Days of imaging: every so many days up to the horizon, or a list."""

    every_days: Positive | None = None
    days: Annotated[tuple[Positive, ...], _Sequence, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Visits:
        if self.every_days is not None and self.days is not None:
            raise ValueError("give every_days or days, not both")
        if self.days is not None and any(b <= a for a, b in pairwise(self.days)):
            raise ValueError("the days of the visits must rise")
        if any((2 * d) % 1.0 != 0.0 for d in (*(self.days or ()), self.every_days or 42.0)):
            raise ValueError("visits are on whole or half days")
        return self


class FollowUp(Strict):
    """How long patients were followed when the trial was read: recruitment speeds up by the set's power."""

    shortest_months: NotNegative
    longest_months: Positive

    @model_validator(mode="after")
    def _rises(self) -> FollowUp:
        if not self.shortest_months < self.longest_months:
            raise ValueError("shortest_months is not below longest_months")
        return self


class Markers(Strict):
    """Days on which serum markers are kept; the first is the one that others are a ratio to."""

    days: Annotated[tuple[NotNegative, ...], _Sequence, Field(min_length=2)] = (0, 14, 28, 42, 84, 168)

    @model_validator(mode="after")
    def _rises(self) -> Markers:
        if any(b <= a for a, b in pairwise(self.days)):
            raise ValueError("the days of the markers must rise")
        return self


class Drug(Strict):
    """A second drug: the fraction of each node that its usual dose blocks, and its toxicity.

    `toxicity`: the hazard of dose-limiting toxicity it adds, in units of sorafenib's at 4 mg/L.
    """

    id: Id
    label: OneLine = ""
    blocks: dict[str, Annotated[float, Field(ge=0, lt=1)]]
    toxicity: float = Field(default=0.0, ge=0, le=20)
    source: str = "assumed"


class Second(Strict):
    """A second drug in an arm; `dose` relative to its usual one."""

    drug: str
    dose: Dose = 1.0


class Regimen(Strict):
    """Sorafenib: mg every so many hours."""

    dose_mg: float = Field(ge=0, le=10_000)
    every_h: float = Field(default=12.0, ge=12, le=336)


def _form(value: Any) -> str:
    return "word" if isinstance(value, str) else "regimen"


_Words = Annotated[Literal["label", "none"], Tag("word")]
Sorafenib = Annotated[_Words | Annotated[Regimen, Tag("regimen")], Discriminator(_form)]


class Line(Strict):
    """The second line, begun `after_days` after the progression that ended the first."""

    sorafenib: Sorafenib = "none"
    second: Annotated[tuple[Second, ...], _Sequence] = ()
    after_days: float = Field(default=14.0, ge=0, le=3660)


class Local(Strict):
    """Sessions of TACE or ablation; `amount` 1 is the session of the mechanism.

    A session kills 1 − exp(−amount·rate·half-life/log 2) of what lives.
    """

    kind: Literal["tace", "ablation"]
    days: Annotated[tuple[NotNegative, ...], _Sequence, Field(min_length=1)]
    amount: float = Field(default=1.0, gt=0, le=100)

    @model_validator(mode="after")
    def _once(self) -> Local:
        if again := repeated(self.days):
            raise ValueError(f"day {again[0]:g} is given twice: a session of twice the amount is amount = 2")
        return self


class Arm(Strict):
    """An arm of `n` patients.

    `sorafenib`: the label's doses, none, or a regimen. After a dose-limiting toxicity the dose is held for a
    week; then `toxicity` says: `reduce` (the label's next level; a regimen: half, then a quarter, in
    whole tablets), `hold`
    (the same dose goes on), `stop`. Whatever it says, a share of `stop_share` stops for good.

    `policy`: a dosing policy instead of a fixed plan: it says the start, what follows from levels, and what
    from toxicity; `sorafenib` and `toxicity` are then left out.
    """

    id: Id
    label: OneLine = ""
    n: int = Field(ge=2, le=1_000_000)
    sorafenib: Sorafenib = "label"
    toxicity: Literal["reduce", "hold", "stop"] = "reduce"
    policy: ArmPolicy | None = None
    second: Annotated[tuple[Second, ...], _Sequence] = ()
    second_line: Line | None = None
    local: Annotated[tuple[Local, ...], _Sequence] = ()
    stop_share: Share = 0.2
    stop_at_progression: Share = 0.8

    @model_validator(mode="after")
    def _one_plan(self) -> Arm:
        if self.policy is not None and self.sorafenib == "none":
            raise ValueError("an arm without sorafenib has no dose that a policy could change")
        if self.policy is not None and self.sorafenib != "label":
            raise ValueError("give sorafenib or policy, not both: the policy has its own start")
        if self.policy is not None and self.toxicity != "reduce":
            raise ValueError("with a policy toxicity is said inside it: policy.toxicity is hold or reduce")
        return self


class Compare(Strict):
    """Two arms held against each other."""

    arm: str
    control: str


class Target(Strict):
    """A published value and what the trial gives for it: a target of the mechanism by its id, or by hand.

    `low` to `high` is what counts as approached. `note` is printed beside it.
    """

    id: Id
    target: str | None = None
    label: OneLine = ""
    quantity: QUANTITY
    arm: str
    control: str | None = None
    value: Finite | None = None
    unit: str | None = None
    low: Finite | None = None
    high: Finite | None = None
    use: Literal["calibrated", "held out", "shown"] | None = None
    source: str = ""
    note: OneLine = ""

    @model_validator(mode="after")
    def _whole(self) -> Target:
        by_hand = (self.value, self.unit, self.low, self.high, self.use)
        if self.target is None and (None in by_hand or not self.source):
            raise ValueError("give target, or value, unit, low, high, use and source")
        if self.target is not None and any(x is not None for x in by_hand):
            raise ValueError("a target of the mechanism has its own value, unit, low, high and use")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        value, low, high = self.value, self.low, self.high
        if value is not None and low is not None and high is not None and not low <= value <= high:
            raise ValueError(f"value {value:g} lies outside low {low:g} to high {high:g}")
        if self.quantity.endswith("_hr") != (self.control is not None):
            raise ValueError("control goes with a hazard ratio")
        return self


class Sizes(Strict):
    """Patients an arm for which the probability of success is given too: the first of each arm."""

    n: Annotated[tuple[Annotated[int, Field(ge=10)], ...], _Sequence, Field(min_length=1)]


class Combinations(Strict):
    """Second drugs added to sorafenib, alone and in pairs, at doses relative to the usual one.

    Run in `n` patients, the same in every arm; `draws` of the assumed numbers for robustness.
    """

    drugs: Annotated[tuple[str, ...], _Sequence, Field(min_length=1)]
    doses: Annotated[tuple[Annotated[float, Field(gt=0, le=100)], ...], _Sequence, Field(min_length=1)] = (
        1.0,
    )
    n: int = Field(default=1000, ge=50, le=200_000)
    pairs: bool = True
    draws: int = Field(default=8, ge=0, le=1000)

    @model_validator(mode="after")
    def _once(self) -> Combinations:
        for name in ("drugs", "doses"):
            given: tuple[Any, ...] = getattr(self, name)
            if again := repeated(given):
                raise ValueError(f"{name}: {again[0]} is given twice")
        return self


Prediction = Literal["os_hr", "ttp_hr", "os_median", "ttp_between"]


class Sensitivity(Strict):
    """Which parameters predictions hang on: Morris first, then Sobol over the `keep` largest of each.

    `prediction`: one or a list of them; medians are those of `arm`. `sobol`: 0 (none) or the size of a base
    sample, rounded up to a power of two.
    """

    prediction: Annotated[tuple[Prediction, ...], BeforeValidator(_one_or_more), Field(min_length=1)] = (
        "os_hr",
    )
    arm: str
    control: str
    n: int = Field(default=300, ge=50, le=100_000)
    trajectories: int = Field(default=8, ge=2, le=1000)
    sobol: int = Field(default=32, ge=0, le=16_384)
    keep: int = Field(default=5, ge=2, le=20)
    width: float = Field(default=0.3, gt=0, le=2)

    @model_validator(mode="after")
    def _sizes(self) -> Sensitivity:
        if len(set(self.prediction)) < len(self.prediction):
            raise ValueError("a prediction is given twice")
        if 0 < self.sobol < LEAST_SOBOL:
            raise ValueError(f"sobol is 0 or at least {LEAST_SOBOL}, not {self.sobol}")
        if self.arm == self.control:
            raise ValueError(f"{self.arm!r} is held against itself")
        return self


class Run(Strict):
    """Where it runs: threads here, or a Dask scheduler's address (`local`: one started for the run)."""

    scheduler: str = Field(min_length=1)


class TrialFile(Strict):
    """A whole trial file as written."""

    trial: Header
    model: Model = Model()
    population: Population = Population()
    visits: Visits = Visits(every_days=42.0)
    follow_up: FollowUp | None = None
    markers: Markers = Markers()
    drug: Annotated[tuple[Drug, ...], _Sequence] = ()
    dosing: Dosing | None = None
    arm: Annotated[tuple[Arm, ...], _Sequence, Field(min_length=1)]
    compare: Annotated[tuple[Compare, ...], _Sequence] = ()
    target: Annotated[tuple[Target, ...], _Sequence] = ()
    sizes: Sizes | None = None
    combinations: Combinations | None = None
    sensitivity: Sensitivity | None = None
    run: Run | None = None
