"""What a dose question answers: the typed contents of `result.json`, from which the report is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from troughline.issues import Finding

Answer = Literal["regimen", "not distinguished", "target not reached", "no level", "level in doubt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A quantity's posterior: median and central interval of the result's `level`, in `unit`."""

    median: float | None
    low: float | None
    high: float | None
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterRow:
    """An individual quantity (clearance, volume) of one model beside the population's.

    `population` is the spread before any level was seen, with the patient's covariates. `label`: the
    quantity in words, empty where none is known.
    """

    model: str
    name: str
    label: str = ""
    patient: Spread
    population: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Individual:
    """The patient's exposure now, under the regimen in force at the decision.

    - `regimen`: its label; `trough`, `auc` (24 h), `average`: at the decision; `population_…`: the same of
      patients with these covariates and doses, before any level.
    - `method`, `effective_draws`: how the posterior was drawn, and what its draws count for.
    """

    parameters: tuple[ParameterRow, ...]
    regimen: str
    trough: Spread
    auc: Spread
    average: Spread
    population_trough: Spread
    population_auc: Spread
    population_average: Spread
    method: str
    effective_draws: float
    n_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimenCard:
    """A regimen as it is shown: what is taken, and where the step comes from.

    `amounts_mg` is the cycle of amounts, one every `interval_h`, after `hold_days` without a dose;
    `tablets` says it in tablets. `basis`: `label`, `practice` or `above label`; `source` and `verified` of
    the step.
    """

    id: str
    label: str
    amounts_mg: tuple[float, ...]
    interval_h: float
    daily_dose_mg: float
    hold_days: float
    tablets: str
    basis: str
    source: str
    verified: bool
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyTime:
    """Days from the decision until the trough stays within 10 % of the regimen's steady one."""

    days: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimenResult:
    """A candidate regimen at the horizon.

    - `p_below`, `p_in`, `p_above`: of the target, with `p_error`, the Monte-Carlo standard error of `p_in`.
    - `p_in_as_printed`: of the target with its limits taken as exact.
    - `p_toxicity` (grade 3 or more), `p_benefit`: posterior means with their intervals, None without a
      curve.
    - `utility`: expected, with its Monte-Carlo error and its interval; None where it cannot be computed.
    - `p_best`: the probability that this is the best candidate, by the criterion of the recommendation.
    - `auc_over_trough_h`: the median of AUC in 24 h over trough, h: what a trough of this interval tells.
    - `notes`: what speaks for care with it: severe toxicity at that dose, no step of the label, another
      interval than that of the target's troughs.
    """

    regimen: RegimenCard
    trough: Spread
    auc: Spread
    p_below: float
    p_in: float
    p_above: float
    p_error: float
    p_in_as_printed: float
    p_toxicity: float | None
    p_toxicity_low: float | None
    p_toxicity_high: float | None
    p_benefit: float | None
    p_benefit_low: float | None
    p_benefit_high: float | None
    utility: float | None
    utility_error: float | None
    utility_low: float | None
    utility_high: float | None
    p_best: float
    auc_over_trough_h: float
    time_to_steady: SteadyTime
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendationResult:
    """What is recommended, and by which rule.

    - `answer`: a `regimen`; `not distinguished` (`among` lists those that cannot be told apart, `regimen`
      is None or the one in force where it is among them); `target not reached` (`regimen` is the nearest);
      `no level` (`regimen` is the one in force).
    - `criterion`: `utility` or `p_in`; `margin`: by how much the best leads the second, with its
      Monte-Carlo error; `ranked`: whether regimens are ranked at all (a target with one limit does not
      rank them), `p_best` is None where not; `rules`: the rules that were applied, with their limits.
    """

    answer: Answer
    regimen: str | None
    among: tuple[str, ...]
    criterion: Literal["utility", "p_in"]
    margin: float | None
    margin_error: float | None
    p_best: float | None
    sentence: str
    rules: tuple[str, ...]
    ranked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BandSeries:
    """A curve with its band: times in days since the first dose, levels in `unit`."""

    label: str
    day: tuple[float, ...]
    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveResult:
    """The course: of the patient, of the population at his covariates, and ahead under some regimens.

    `doses`: rows of day and amount; `decision_day`: where the past ends; `forecast` maps a regimen's id to
    its band, which starts at the decision.
    """

    unit: str
    decision_day: float
    horizon_day: float
    patient: BandSeries
    population: BandSeries
    forecast: dict[str, BandSeries]
    doses: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleResult:
    """A level with what was predicted at its time.

    `value` is None below the limit. `predicted`: of the patient; `population`: before any level; `without`:
    of the patient as the other levels tell (leave-one-out); all with error of measurement. `influence`: by
    what fraction the level moves the expected trough of the best regimen. `p_value`: two-sided, of the level
    given the others. `used`: whether the estimate uses it; `reason`: why not.
    """

    number: int
    day: float
    clock: str | None
    value: float | None
    limit: float | None
    unit: str
    method: str
    hours_after_dose: float | None
    used: bool
    reason: str
    predicted: Spread | None
    population: Spread | None
    without: Spread | None
    influence: float | None
    p_value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResult:
    """A target: its limits as they are used, and where they come from.

    - `metric`: `trough` or `auc`; `low`, `high`: the limits (None: open), with the interval of each where
      it is uncertain (`low_interval`, `high_interval`: 95 %), in `unit`.
    - `kind`: `published`, `study`, `given`; `id` names it; `n`, `design`, `population`, `citation`, `doi`,
      `verified`, `endpoint` of the source; `uncertainty` says how uncertain limits were drawn.
    - `interval_h`: the dosing interval that a target's troughs are of, and `interval_source` where that
      comes from; None for an area.
    """

    id: str
    label: str
    kind: Literal["published", "study", "given"]
    metric: str
    low: float | None
    high: float | None
    low_interval: tuple[float | None, float | None] | None
    high_interval: tuple[float | None, float | None] | None
    unit: str
    n: int | None
    design: str
    population: str
    citation: str
    doi: str | None
    verified: bool
    uncertainty: str
    note: str = ""
    interval_h: float | None = None
    interval_source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeTarget:
    """Another target of the literature with the recommended regimen's probabilities under it.

    `comparable`: whether it is of the same metric as the prediction; where not, `reason` says why and the
    probabilities are None or of the same number read as a trough. `used`: whether it is the file's target.
    `best`: the regimen with the highest P(in) under it.
    """

    target: TargetResult
    used: bool
    comparable: bool
    reason: str
    p_below: float | None
    p_in: float | None
    p_above: float | None
    best: str | None
    best_p_in: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A common cause of a level that is too low or too high, held against the file.

    `status`: `present`, `absent`, `not known` (the file says nothing); `direction`: `low` or `high`, what
    it does to the exposure, or `unbound`: the total level then understates the unbound one; `effect`: whether
    studies have `shown` that, disagree (`conflicting`), found `none`, or none was read (`unknown`); `text`
    says what the file shows; `size`, `source`, `verified` from the evidence.
    """

    id: str
    direction: Literal["low", "high", "unbound"]
    label: str
    status: Literal["present", "absent", "not known"]
    text: str
    size: str
    source: str
    verified: bool
    effect: Literal["shown", "conflicting", "none", "unknown"] = "shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProportionalRow:
    """A regimen's median trough (mg/L) and P(in) as answered, and with dose-proportional exposure."""

    regimen: str
    label: str
    trough: float
    p_in: float
    trough_if_proportional: float
    p_in_if_proportional: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IfProportional:
    """What the answer would be if exposure rose in proportion to the dose.

    `anchor_mg`: the dose before the last level, from which it would; `answer` and `among` as those of
    `RecommendationResult`; `same`: whether they are those of the answer; `text` says it in words.
    """

    anchor_mg: float
    answer: Answer
    among: tuple[str, ...]
    same: bool
    rows: tuple[ProportionalRow, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What drove the answer.

    - `sentences`: in plain words, the first most important.
    - `shrinkage`: what share of the prior's variance of log exposure the levels left (1: they told
      nothing).
    - `exposure_ratio`: the patient's exposure over the population's at his covariates.
    - `direction`: whether he lies `low`, `high` or `typical`; `causes`: the usual ones, in that direction
      first.
    - `if_proportional`: the answer with dose-proportional exposure, None where no model says otherwise;
      `model_notes`: what the models' files say of themselves, by model.
    """

    sentences: tuple[str, ...]
    shrinkage: float
    exposure_ratio: Spread
    direction: Literal["low", "high", "typical"]
    causes: tuple[Cause, ...]
    if_proportional: IfProportional | None = None
    model_notes: dict[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleValue:
    """What one more level at a time would bring.

    `day`, `hours_after_dose`: when; `gain`: expected gain of the criterion by deciding with it, with its
    error; `loss_before`, `loss_after`: expected score lost against knowing the patient fully, without and
    with the level; `p_wrong_before`, `p_wrong_after`: probability that the regimen chosen is not the best
    one; `narrower`: expected width of the log-trough interval over the present one; `p_change`: probability
    that the recommendation changes.
    """

    day: float
    clock: str | None
    hours_after_dose: float
    label: str
    gain: float
    gain_error: float
    loss_before: float
    loss_after: float
    p_wrong_before: float
    p_wrong_after: float
    p_change: float
    narrower: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSample:
    """The value of one more level over candidate times; `best` is the index of the best, or None."""

    criterion: Literal["utility", "p_in"]
    candidates: tuple[SampleValue, ...]
    best: int | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftResult:
    """Whether clearance drifts over the levels, against between-occasion noise.

    `statistic`, `p_value`: of the test named in `test`, with its size `alpha`;
    `change_percent_per_30_days`: of the exposure at the same dose, with its interval; None with fewer than
    three occasions.
    """

    n_occasions: int
    test: str
    alpha: float
    statistic: float | None
    p_value: float | None
    change_percent_per_30_days: Spread | None
    detected: bool | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierPrediction:
    """A level that came after an earlier result, against what that result predicted for it.

    `recommended`: the regimen that was named; None where several were, `among`. `taken`: the regimen that was
    taken, begun `late_days` after the decision; `followed`: whether it is one of those named, None where
    none was. `error_percent`: (measured − predicted median)/predicted; `inside`: whether it fell in the
    interval.
    """

    result: str
    decided_day: float
    recommended: str | None
    among: tuple[str, ...]
    taken: str
    late_days: float
    followed: bool | None
    day: float
    measured: float | None
    predicted: Spread
    error_percent: float | None
    inside: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """The patient over his dates: drift, and how earlier predictions did. `text` says it in words."""

    drift: DriftResult
    earlier: tuple[EarlierPrediction, ...]
    bias_percent: float | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """A model that was used: its weight before and after the levels, and what it is."""

    id: str
    title: str
    population: str
    prior_weight: float
    weight: float
    log_marginal: float | None
    effective_draws: float
    calibrated: bool
    uncertain_parameters: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSource:
    """Where P(toxicity) or P(benefit) comes from, or why there is none."""

    role: Literal["toxicity", "benefit"]
    available: bool
    reason: str
    source: str = ""
    endpoint: str = ""
    metric: str = ""
    unit: str = ""
    n: int | None = None
    domain: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseResult:
    """The whole answer. `contents` (see `troughline.dosing.contents`) is what `result.json` holds."""

    sentence: str
    title: str
    patient: str
    drug: str
    simulated: bool
    level: float
    decision: dict[str, Any]
    individual: Individual
    regimens: tuple[RegimenResult, ...]
    recommendation: RecommendationResult
    target: TargetResult
    alternatives: tuple[AlternativeTarget, ...]
    curves: tuple[CurveSource, ...]
    utility: dict[str, Any]
    curve: CurveResult
    samples: tuple[SampleResult, ...]
    covariates: tuple[dict[str, Any], ...]
    history: tuple[dict[str, Any], ...]
    toxicity: tuple[dict[str, Any], ...]
    explanation: Explanation
    next_sample: NextSample | None
    following: Following
    models: tuple[ModelUse, ...]
    methods: tuple[str, ...]
    references: tuple[str, ...]
    findings: tuple[Finding, ...]
    provenance: dict[str, Any] = field(default_factory=dict[str, Any])
