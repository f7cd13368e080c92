"""The shape of a patient file: covariates, doses, levels, toxicity, target, models, options."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from troughline.cohort.question_base import OneLine, Strict

Moment = float | str
"""A time as written: a number of days or hours since the first dose, or a clock time."""

Food = Literal["fasting", "moderate-fat meal", "high-fat meal", "not known"]


def _sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


_Sequence = BeforeValidator(_sequence)
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class PatientHeader(Strict):
    """Who, which drug, and how times are written.

    `time`: `day` or `hour` since the first dose, or `clock` (ISO, in `timezone` unless it has an offset).
    `now`: the moment of the decision; the last record without it.
    """

    id: str = Field(min_length=1, max_length=60)
    title: OneLine = ""
    drug: str = "sorafenib"
    indication: str = ""
    simulated: bool = False
    time: Literal["day", "hour", "clock"] = "day"
    timezone: str | None = None
    now: Moment | None = None
    description: str = ""


class CovariateEntry(Strict):
    """A covariate from `time` on (None: from the start): a number with its unit, or a level."""

    name: str = Field(min_length=1)
    value: float | str
    unit: str | None = None
    time: Moment | None = None


class DoseEntry(Strict):
    """Doses from `start` on, every `interval_h`, until the next entry, `until`, or the decision.

    `amount` 0 is a hold. `amounts` instead of `amount`: a cycle, as 200 and 400 mg in turn. `missed`: times
    of doses that were not taken. `adherence` is what the patient or a pill count says, as a fraction.
    """

    start: Moment
    until: Moment | None = None
    amount: NotNegative | None = None
    amounts: Annotated[tuple[Positive, ...], _Sequence] = ()
    unit: str = "mg"
    interval_h: Positive = 12.0
    missed: Annotated[tuple[Moment, ...], _Sequence] = ()
    food: Food = "not known"
    adherence: float | None = Field(default=None, ge=0, le=1)
    note: str = ""

    @model_validator(mode="after")
    def _one_amount(self) -> DoseEntry:
        if (self.amount is None) == (not self.amounts):
            raise ValueError("give amount, or amounts for a cycle of several")
        return self


class HoldEntry(Strict):
    """A time without doses: `until` None is until the decision."""

    start: Moment
    until: Moment | None = None
    reason: str = ""


class SampleEntry(Strict):
    """A measured level; below the limit of quantification `below_limit` is true and `limit` given."""

    time: Moment
    value: NotNegative | None = None
    unit: str = Field(min_length=1)
    below_limit: bool = False
    limit: Positive | None = None
    method: str = ""
    occasion: int | None = Field(default=None, ge=1)
    use: bool = True
    note: str = ""

    @model_validator(mode="after")
    def _something_measured(self) -> SampleEntry:
        if self.below_limit and self.limit is None:
            raise ValueError("a level below the limit needs the limit")
        if not self.below_limit and self.value is None:
            raise ValueError("give the value, or below_limit = true with the limit")
        return self


class InteractingDrug(Strict):
    """A drug taken beside it; `effect` is on the exposure, where known to whoever writes the file."""

    name: str = Field(min_length=1)
    start: Moment | None = None
    until: Moment | None = None
    kind: Literal["cyp3a4 inducer", "cyp3a4 inhibitor", "ugt1a9 inhibitor", "antibiotic", "other"] | None = (
        None
    )


class ToxicityEntry(Strict):
    """A toxicity so far, by CTCAE grade."""

    time: Moment
    term: str = Field(min_length=1)
    grade: int = Field(ge=0, le=5)
    until: Moment | None = None
    version: str = ""


class Tolerance(Strict):
    """What the patient bears: regimens above `largest_daily_dose_mg` are not offered."""

    largest_daily_dose_mg: Positive | None = None
    reason: str = ""


class TargetEntry(Strict):
    """The target: a published window by id, a study's result, or limits by hand.

    - `published`: `noda-2020/window`, a study of the evidence store and one of its numbers.
    - `study`: a `results.json`, with `question` of kind `window`, `threshold` (the cut and its range) or
      `curve` (where it reaches `at_probability`); `side`: which limit, where the outcome does not say it.
    - `low`, `high`, `unit`, `metric`: by hand, with `source`; `low_interval` and `high_interval` (95 %)
      where they are uncertain.
    - `interval_h`: the dosing interval that its troughs are of, where the source does not say it.
    - `fixed`: take the limits as exact although their uncertainty is known.
    """

    published: str | None = None
    study: str | None = None
    question: str | None = None
    at_probability: Annotated[float, Field(gt=0, lt=1)] | None = None
    side: Literal["lower", "upper"] | None = None
    low: Positive | None = None
    high: Positive | None = None
    low_interval: Annotated[tuple[Positive, Positive] | None, _Sequence] = None
    high_interval: Annotated[tuple[Positive, Positive] | None, _Sequence] = None
    unit: str | None = None
    metric: Literal["trough", "auc"] = "trough"
    hours: Positive = 24.0
    interval_h: Positive | None = None
    source: str = ""
    fixed: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> TargetEntry:
        given = self.low is not None or self.high is not None
        if sum((self.published is not None, self.study is not None, given)) != 1:
            raise ValueError("give one target: published, study with question, or low and high")
        if self.study is not None and self.question is None:
            raise ValueError("a target from a study needs the id of its question")
        if self.study is None and (self.at_probability is not None or self.side is not None):
            raise ValueError("at_probability and side go with study and question")
        if given and self.unit is None:
            raise ValueError("limits given by hand need their unit")
        if given and not self.source:
            raise ValueError("limits given by hand need their source")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"the lower limit {self.low:g} is not below the upper one {self.high:g}")
        return self


class CurveEntry(Strict):
    """Probability of an outcome over exposure: a study's `curve` or `window` question, or points by hand.

    By hand: `exposure`, `probability` with `low` and `high` (95 %), `unit`, `metric`, `source`.
    """

    study: str | None = None
    question: str | None = None
    exposure: Annotated[tuple[Positive, ...], _Sequence] = ()
    probability: Annotated[tuple[float, ...], _Sequence] = ()
    low: Annotated[tuple[float, ...], _Sequence] = ()
    high: Annotated[tuple[float, ...], _Sequence] = ()
    unit: str | None = None
    metric: Literal["trough", "auc"] = "trough"
    endpoint: str = ""
    source: str = ""

    @model_validator(mode="after")
    def _one_source(self) -> CurveEntry:
        if (self.study is None) == (not self.exposure):
            raise ValueError("give one curve: study with question, or exposure with probability")
        if self.study is not None and self.question is None:
            raise ValueError("a curve from a study needs the id of its question")
        if self.exposure:
            n = len(self.exposure)
            if n < 2 or any(len(x) != n for x in (self.probability, self.low, self.high)):
                raise ValueError(
                    "a curve by hand needs exposure, probability, low and high of one length, two or more"
                )
            if any(b <= a for a, b in zip(self.exposure, self.exposure[1:], strict=False)):
                raise ValueError("the exposures of a curve must rise")
            rows = zip(self.low, self.probability, self.high, strict=True)
            if any(not 0 < a <= p <= b < 1 for a, p, b in rows):
                raise ValueError("a curve needs 0 < low ≤ probability ≤ high < 1 at every exposure")
            if self.unit is None or not self.source:
                raise ValueError("a curve by hand needs its unit and its source")
        return self


class Curves(Strict):
    """The curves of severe toxicity and of benefit."""

    toxicity: CurveEntry | None = None
    benefit: CurveEntry | None = None


class ModelEntry(Strict):
    """A model by its id or file, with its prior weight among several and the output that is the level."""

    id: str | None = None
    file: str | None = None
    weight: Positive = 1.0
    output: str | None = None

    @model_validator(mode="after")
    def _one(self) -> ModelEntry:
        if (self.id is None) == (self.file is None):
            raise ValueError("give the model's id or its file")
        return self


class UtilityWeights(Strict):
    """Utility = benefit · P(benefit) − toxicity · P(toxicity)."""

    benefit: NotNegative = 1.0
    toxicity: NotNegative = 1.0


class Options(Strict):
    """How the answer is computed.

    - `regimens`: ids to choose from (empty: all of the drug's that are feasible); `allow`: ids that need
      leave, as `600-bid`; `hold_days`: offer holding for so long before restarting.
    - `horizon_days`: after the decision, when regimens are compared.
    - `draws` of the posterior; `seed`; `level` of the intervals; `parameter_uncertainty`: carry the
      intervals of the model's typical values; `next_sample`: value one more level.
    - `trust_levels`: name a regimen although a level is one that hardly any patient has at these doses;
    - `indistinct`: regimens are told apart where the probability that the first beats the second reaches
      this and it leads by at least `least_lead`, in P(in) or in units of the larger weight of the utility;
      `reach`: the target counts as reached by a regimen with at least this P(in).
    """

    regimens: Annotated[tuple[str, ...], _Sequence] = ()
    allow: Annotated[tuple[str, ...], _Sequence] = ()
    hold_days: Positive | None = None
    horizon_days: Positive = 28.0
    draws: int = Field(default=1000, ge=100, le=200_000)
    seed: int = Field(default=20260101, ge=0)
    level: float = Field(default=0.9, gt=0.5, lt=1)
    parameter_uncertainty: bool = True
    next_sample: bool = True
    trust_levels: bool = False
    indistinct: float = Field(default=0.6, ge=0.5, lt=1)
    least_lead: float = Field(default=0.02, ge=0, lt=1)
    reach: float = Field(default=0.5, gt=0, lt=1)
    utility: UtilityWeights = UtilityWeights()


class PatientFile(Strict):
    """A whole patient file as written."""

    patient: PatientHeader
    covariate: Annotated[tuple[CovariateEntry, ...], _Sequence] = ()
    dose: Annotated[tuple[DoseEntry, ...], _Sequence] = ()
    hold: Annotated[tuple[HoldEntry, ...], _Sequence] = ()
    sample: Annotated[tuple[SampleEntry, ...], _Sequence] = ()
    with_drug: Annotated[tuple[InteractingDrug, ...], _Sequence] = ()
    no_other_drugs: bool = False
    toxicity: Annotated[tuple[ToxicityEntry, ...], _Sequence] = ()
    tolerance: Tolerance = Tolerance()
    target: TargetEntry | None = None
    curves: Curves = Curves()
    model: Annotated[tuple[ModelEntry, ...], _Sequence] = ()
    options: Options = Options()
    earlier: Annotated[tuple[str, ...], _Sequence] = ()
