"""The shape of a policy file: population, truth, assumption, visits, target, toxicity, policies."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from troughline.cohort.question_base import OneLine, Strict


def _sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


_Sequence = BeforeValidator(_sequence)
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Header(Strict):
    """What the evaluation is about; `level` of its intervals."""

    title: OneLine = Field(min_length=1)
    drug: str = "sorafenib"
    description: str = ""
    level: float = Field(default=0.95, gt=0.5, lt=1)


class CovariateDraw(Strict):
    """How a covariate is spread over the population.

    - `normal`: `mean`, `sd`; `lognormal`: `median`, `cv` (SD of the logarithm = √log(1 + cv²)); both cut at
      `low` and `high` where given (drawn again until inside); `uniform`: `low`, `high`.
    - `levels`: the probability of each level; `constant`: `value`.
    - `source`: where the numbers are from, or `assumed`.
    """

    name: str = Field(min_length=1)
    distribution: Literal["normal", "lognormal", "uniform", "levels", "constant"]
    unit: str | None = None
    mean: float | None = None
    sd: Positive | None = None
    median: Positive | None = None
    cv: Positive | None = None
    low: float | None = None
    high: float | None = None
    levels: dict[str, NotNegative] = Field(default_factory=dict[str, float])
    value: float | str | None = None
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> CovariateDraw:
        needed = {
            "normal": ("mean", "sd"), "lognormal": ("median", "cv"), "uniform": ("low", "high"),
            "levels": ("levels",), "constant": ("value",),
        }[self.distribution]  # fmt: skip
        missing = [key for key in needed if getattr(self, key) in (None, {})]
        if missing:
            raise ValueError(f"a {self.distribution} distribution needs {' and '.join(missing)}")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        if self.levels and abs(sum(self.levels.values()) - 1) > 1e-6:
            raise ValueError(f"the probabilities of the levels add to {sum(self.levels.values()):g}, not 1")
        return self


class Population(Strict):
    """`n` virtual patients; every draw depends on `seed` and the patient's number alone."""

    n: int = Field(gt=0, le=200_000)
    seed: int = Field(default=20260101, ge=0)
    covariate: Annotated[tuple[CovariateDraw, ...], _Sequence] = ()


class Shift(Strict):
    """A parameter's typical value replaced (`value`, in the unit of the model file) or multiplied
    (`times`).
    """

    value: float | None = None
    times: Positive | None = None

    @model_validator(mode="after")
    def _one(self) -> Shift:
        if (self.value is None) == (self.times is None):
            raise ValueError("give value or times")
        return self


class Falling(Strict):
    """Exposure that falls to 1 − `fraction` of the first with half-time `half_time_days`, beside the
    model.
    """

    fraction: float = Field(gt=0, lt=1)
    half_time_days: Positive
    source: str = Field(min_length=1)


class World(Strict):
    """A model: of the truth, or of what the policies assume.

    `parameters` shifts typical values. Of the truth alone: `between_subjects` and `between_occasions`
    multiply the variances of the random effects, `falling` adds a fall of exposure to a model that has none.
    """

    model: str = Field(min_length=1)
    output: str | None = None
    parameters: dict[str, Shift] = Field(default_factory=dict[str, Shift])
    between_subjects: NotNegative = 1.0
    between_occasions: NotNegative = 1.0
    falling: Falling | None = None


class Adherence(Strict):
    """Doses not taken: a patient's share has mean `missed` and SD `spread` (a beta distribution).

    `known`: those who decide know which doses were missed; otherwise they believe that all were taken.
    """

    missed: Share = 0.0
    spread: NotNegative = 0.0
    known: bool = False
    source: str = "assumed"

    @model_validator(mode="after")
    def _possible(self) -> Adherence:
        if self.spread**2 >= self.missed * (1 - self.missed) and self.spread > 0:
            raise ValueError(
                f"no share with mean {self.missed:g} has SD {self.spread:g}; it must stay below "
                f"{(self.missed * (1 - self.missed)) ** 0.5:.3g}"
            )
        return self


class Visits(Strict):
    """Days of the visits, and the last day; a decision takes effect `turnaround_days` after its visit.

    Every visit ends an occasion. Days inside the target are counted from `count_from_day` on (the first
    visit without).
    """

    days: Annotated[tuple[Annotated[int, Field(gt=0)], ...], _Sequence, Field(min_length=1)]
    horizon_day: int = Field(gt=0, le=1500)
    turnaround_days: int = Field(default=1, ge=1)
    count_from_day: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Visits:
        ends = (*self.days, self.horizon_day)
        if any(b <= a for a, b in pairwise(ends)):
            raise ValueError("the visits must rise and end before the horizon")
        if min(b - a for a, b in pairwise(ends)) <= self.turnaround_days:
            raise ValueError(f"turnaround_days {self.turnaround_days} reaches the next visit")
        if self.count_from_day is not None and self.count_from_day > self.horizon_day:
            raise ValueError("count_from_day lies after the horizon")
        return self


class Samples(Strict):
    """Levels at the visits: before the morning dose, or `hours_after_dose`.

    `error` `model`: the residual error of the true model; `assay`: log-normal with `cv` and nothing else.
    `limit` of quantification in `unit`.
    """

    hours_after_dose: Positive | None = Field(default=None, lt=12)
    error: Literal["model", "assay"] = "model"
    cv: Positive | None = None
    limit: Positive | None = None
    unit: str = "ug/mL"
    source: str = "assumed"

    @model_validator(mode="after")
    def _error(self) -> Samples:
        if (self.error == "assay") != (self.cv is not None):
            raise ValueError("cv goes with error = 'assay'")
        return self


class Target(Strict):
    """The target: a published window or target by its id, or limits by hand with unit and source.

    `metric` `trough`: the level before the next dose; `cmax`: the peak of a day. Limits are taken as exact.
    """

    published: str | None = None
    low: Positive | None = None
    high: Positive | None = None
    unit: str | None = None
    metric: Literal["trough", "cmax"] = "trough"
    source: str = ""

    @model_validator(mode="after")
    def _one_source(self) -> Target:
        given = self.low is not None or self.high is not None
        if (self.published is not None) == given:
            raise ValueError("give one target: published, or low and high")
        if given and (self.unit is None or not self.source):
            raise ValueError("limits given by hand need their unit and their source")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"the lower limit {self.low:g} is not below the upper one {self.high:g}")
        return self


class Toxicity(Strict):
    """Severe toxicity (grade ≥ 3): h = events_per_28_days / 28 · Z · times_per_doubling^log₂(level / at).

    `level` is that before the morning dose, `at` in `unit`; Z a gamma frailty of mean 1 and CV `frailty_cv`,
    independent of all else. After an event doses are held for `hold_days`, without further events; then the
    policy says what is taken.
    """

    events_per_28_days: Positive
    at: Positive
    unit: str = "ug/mL"
    times_per_doubling: Positive
    frailty_cv: NotNegative = 0.0
    hold_days: int = Field(default=7, ge=1)
    source: str = Field(min_length=1)


class Treatment(Strict):
    """The starting regimen, and those that guided policies may choose, by the ids of the drug's file."""

    start: str
    regimens: Annotated[tuple[str, ...], _Sequence, Field(min_length=1)]


class Policy(Strict):
    """A policy.

    - `fixed`: the starting regimen whatever happens, but for holds (`toxicity = "hold"`).
    - `label`: the same, with the label's reductions and the stop after the last of them.
    - `threshold`: one step of the regimens up below the target, one down above it, by the last sample alone.
    - `model`: the regimen with the best expected score, by the posterior from all samples so far.
    - `known`: as `model` with the patient's own parameters known exactly, a bound that nobody reaches.

    `toxicity`: after a severe toxicity the dose is `reduce`d by the label, or only `hold`. `reductions`: the
    regimens of the reductions, where they are not the label's; treatment stops after the last. `cap`: not
    above the reduced dose again. `directions`: a threshold policy may step `both` ways, `up` or `down`.
    `lowest`: after a severe toxicity on a dose below which there is no reduction, treatment `stop`s, or the
    dose is `hold`: held, and the same taken again.
    `threshold_low`, `threshold_high`: in the target's unit, where they are not the target's own.
    `criterion`: of a model policy, P(in), or the utility P(in) − `below`·P(below) − `above`·P(above); it
    moves only where that gains `least_gain`. `dose`: by the rules of `troughline dose`, with typical values
    and published limits uncertain (`dose_rules`). `assumes`: the assumed model, or the true one.
    `first_visit`: the number of the visit from which on it decides.
    """

    id: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]*$")
    kind: Literal["fixed", "label", "threshold", "model", "known"]
    label: OneLine = ""
    start: str | None = None
    toxicity: Literal["hold", "reduce"] | None = None
    reductions: Annotated[tuple[str, ...], _Sequence] = ()
    cap: bool = True
    directions: Literal["both", "up", "down"] = "both"
    threshold_low: Positive | None = None
    threshold_high: Positive | None = None
    lowest: Literal["stop", "hold"] = "stop"
    criterion: Literal["p_in", "utility", "dose"] = "p_in"
    below: NotNegative = 0.0
    above: NotNegative = 0.0
    least_gain: Share = 0.05
    assumes: Literal["assumed", "truth"] = "assumed"
    first_visit: int = Field(default=1, ge=1)

    @property
    def reduces(self) -> bool:
        """Whether severe toxicity reduces the dose."""
        return (self.toxicity or ("hold" if self.kind == "fixed" else "reduce")) == "reduce"

    @property
    def samples(self) -> bool:
        """Whether the policy asks for levels."""
        return self.kind in ("threshold", "model")


QUANTITIES = Literal[
    "median trough",
    "trough with severe toxicity",
    "trough without severe toxicity",
    "daily dose with severe toxicity",
    "daily dose without severe toxicity",
    "below target at some sample",
    "severe toxicity by day",
    "dose raised by level",
    "reached target after raise",
]
"""What a published value can be held against; see `published.quantity_of`."""


class Beside(Strict):
    """A published value to print beside what a policy gives; `day` is that of a visit or the horizon."""

    published: str = Field(min_length=3)
    quantity: QUANTITIES
    policy: str
    day: int | None = Field(default=None, gt=0)
    note: str = ""


class PolicyFile(Strict):
    """A whole policy file as written."""

    evaluation: Header
    population: Population
    truth: World
    assumed: World | None = None
    adherence: Adherence = Adherence()
    visits: Visits
    samples: Samples = Samples()
    target: Target
    toxicity: Toxicity | None = None
    treatment: Treatment
    policy: Annotated[tuple[Policy, ...], _Sequence, Field(min_length=1)]
    beside: Annotated[tuple[Beside, ...], _Sequence] = ()
