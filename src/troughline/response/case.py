"""A case: one question with everything the guards need to judge it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from troughline.biomarker.change_facts import ChangeFacts
    from troughline.cohort.cohort import Cohort
    from troughline.cohort.outcomes import BinaryOutcome, TimeToEvent
    from troughline.cohort.question_association import AssociationQuestion
    from troughline.cohort.question_change import ChangeQuestion
    from troughline.cohort.question_interaction import InteractionQuestion
    from troughline.cohort.studyfile import (
        CurveQuestion,
        Predictor,
        SurvivalQuestion,
        ThresholdQuestion,
        WindowQuestion,
    )
    from troughline.evidence.records import Drug
    from troughline.response.association_facts import AssociationFacts
    from troughline.response.interaction_facts import InteractionFacts
    from troughline.response.predictor import PredictorValues

    AnyQuestion = (
        ThresholdQuestion
        | CurveQuestion
        | WindowQuestion
        | SurvivalQuestion
        | AssociationQuestion
        | InteractionQuestion
        | ChangeQuestion
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with its interval, for a guard's finding; None where the data do not bound it."""

    value: float | None
    low: float | None
    high: float | None

    @property
    def ratio(self) -> float | None:
        """high / low, or None where either side is unbounded or not positive."""
        if self.low is None or self.high is None or self.low <= 0:
            return None
        return self.high / self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """An interval printed in a published paper: a quantity, its value and its limits."""

    quantity: str
    value: float
    low: float
    high: float
    source: str


@dataclass(slots=True, kw_only=True)
class Measured:
    """What the analyses found that a guard may need; None where the question did not compute it."""

    youden_apparent: float | None = None
    youden_corrected: float | None = None
    auc_published: Interval | None = None
    auc_published_clipped: bool = False
    auc_guarded: Interval | None = None
    threshold_published: Interval | None = None
    threshold_guarded: Interval | None = None
    threshold_span: str = ""
    threshold_wide: bool = False
    printed: tuple[Printed, ...] = ()
    n_events: int | None = None
    n_non_events: int | None = None
    n_parameters: int = 1
    separated: bool = False
    odds_ratio_published: Interval | None = None
    odds_ratio_unadjusted: Interval | None = None
    odds_ratio_adjusted: Interval | None = None
    window_lower: Interval | None = None
    window_upper: Interval | None = None
    window_lower_published: float | None = None
    window_upper_published: float | None = None
    p_window_exists: float | None = None
    n_to_halve: float | None = None
    n_to_halve_is_least: bool = False
    p_slope_negative: Mapping[str, float] = field(default_factory=dict[str, float])
    hazard_ratio_published: Interval | None = None
    hazard_ratio_guarded: Interval | None = None
    hazard_ratio_adjusted: Interval | None = None
    hazard_ratio_label: str = ""
    n_incomplete_covariates: int = 0
    landmark_day: float | None = None
    early_events: int = 0
    cut_p_naive: float | None = None
    cut_p_corrected: float | None = None
    ph_p: float | None = None
    ph_label: str = ""
    ph_n_events: int | None = None
    naive_incidence: float | None = None
    competing_incidence: float | None = None
    sampling: str = ""
    posterior_poor: str = ""


@dataclass(slots=True, kw_only=True)
class Case:
    """One question under judgement.

    `outcomes` holds the yes/no outcomes by role (`outcome`, `toxicity`, `benefit`); `excluded` says why a
    patient is in neither column of the guarded analysis; `tests` are the p-values of the whole study by
    question id, and `found_cuts` the cuts that other questions found for the same predictor in the same
    patients (question id, cut); both are set once every question has run. `association`, `interaction`
    and `change` are what a question of that kind found.
    """

    cohort: Cohort
    question: AnyQuestion
    drug: Drug | None
    predictor: PredictorValues
    outcomes: dict[str, BinaryOutcome] = field(default_factory=dict[str, "BinaryOutcome"])
    survival: TimeToEvent | None = None
    analysed: tuple[str, ...] = ()
    excluded: dict[str, str] = field(default_factory=dict[str, str])
    measured: Measured = field(default_factory=Measured)
    tests: dict[str, float] = field(default_factory=dict[str, float])
    found_cuts: tuple[tuple[str, float], ...] = ()
    association: AssociationFacts | None = None
    interaction: InteractionFacts | None = None
    change: ChangeFacts | None = None

    @property
    def asked(self) -> Predictor:
        """The predictor as the study file states it. Raises `ValueError` for a question without one."""
        found = self.question.predictor
        if found is None:
            raise ValueError(f"question {self.question.id} has no predictor")
        return found
