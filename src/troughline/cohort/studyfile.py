"""The study file: which drug, which tables, which questions. Schema-checked, nothing guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from troughline.cohort.question_association import AssociationQuestion
from troughline.cohort.question_base import (
    MODEL_METRICS,
    GradeRule,
    OneLine,
    Outcome,
    Positive,
    Predictor,
    QuestionBase,
    Strict,
)
from troughline.cohort.question_change import ChangeQuestion
from troughline.cohort.question_interaction import InteractionQuestion
from troughline.issues import Findings, InputError, Severity
from troughline.toml_file import read_toml

__all__ = [
    "MODEL_METRICS", "TABLES", "AssociationQuestion", "ChangeQuestion", "CovariateSpec", "CurveQuestion",
    "GradeRule", "InteractionQuestion", "Limits",
    "Outcome", "Predictor", "Question", "Study", "StudyHeader", "SurvivalQuestion", "ThresholdQuestion",
    "Utility", "WindowQuestion", "load_study",
]  # fmt: skip

TABLES = ("patients", "doses", "measurements", "events")


class Limits(Strict):
    """The probabilities that define a window: benefit at least, toxicity at most."""

    benefit_at_least: float = Field(gt=0, lt=1)
    toxicity_at_most: float = Field(gt=0, lt=1)


class Utility(Strict):
    """Utility = P(benefit) − `toxicity_weight` · P(toxicity); the window lies `within` of its maximum."""

    toxicity_weight: float = Field(default=1.0, gt=0)
    within: float = Field(default=0.05, gt=0, lt=1)


class ThresholdQuestion(QuestionBase):
    """Which level separates those with the outcome from those without: ROC, cut points, their uncertainty."""

    kind: Literal["threshold"]
    predictor: Predictor
    outcome: Outcome
    at: tuple[float, ...] = ()
    optimise: bool = True

    @model_validator(mode="after")
    def _something_to_do(self) -> ThresholdQuestion:
        if not self.optimise and not self.at:
            raise ValueError("with optimise = false give the cuts to judge: at = [...]")
        return self


class CurveQuestion(QuestionBase):
    """The probability of an outcome as a function of exposure."""

    kind: Literal["curve"]
    predictor: Predictor
    outcome: Outcome
    at: tuple[Positive, ...] = ()
    monotone: bool = True


class WindowQuestion(QuestionBase):
    """The exposure that gives enough benefit without too much toxicity, both bounds as one estimand."""

    kind: Literal["window"]
    predictor: Predictor
    toxicity: Outcome
    benefit: Outcome
    limits: Limits
    utility: Utility = Utility()
    at: tuple[Positive, ...] = ()
    monotone: bool = True


class SurvivalQuestion(QuestionBase):
    """Time to an event by band of exposure, by group, or over continuous exposure."""

    kind: Literal["survival"]
    predictor: Predictor
    outcome: Outcome
    competing: tuple[str, ...] = ()
    landmark_days: float | None = Field(default=None, gt=0)
    rmst_days: float | None = Field(default=None, gt=0)

    @field_validator("competing", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _competing_in_events(self) -> SurvivalQuestion:
        if self.competing and self.outcome.event is None:
            raise ValueError(
                "competing events are found in the events table: give the outcome as event = ..., not as "
                "time and status columns, which do not say which event ended the follow-up"
            )
        same = sorted(set(self.competing) & set(self.outcome.event or ()))
        if same:
            raise ValueError(f"{', '.join(same)} cannot compete with itself: it is part of the outcome")
        return self


Question = Annotated[
    ThresholdQuestion
    | CurveQuestion
    | WindowQuestion
    | SurvivalQuestion
    | AssociationQuestion
    | InteractionQuestion
    | ChangeQuestion,
    Field(discriminator="kind"),
]


class CovariateSpec(Strict):
    """A covariate: a `unit` for a number, or its `levels` in order (`ordered`) for a category.

    `is_level_of` names the drug or marker whose measured level the number is.
    """

    unit: str | None = None
    levels: tuple[str, ...] | None = None
    ordered: bool = False
    is_level_of: str | None = Field(default=None, min_length=1)

    @field_validator("levels", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        return tuple(map(str, value)) if isinstance(value, (list, tuple)) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]

    @model_validator(mode="after")
    def _one_form(self) -> CovariateSpec:
        if (self.unit is None) == (self.levels is None):
            raise ValueError("give a unit (a number; '1' if it has none) or levels (a category)")
        if self.is_level_of is not None and self.unit is None:
            raise ValueError("is_level_of goes with a unit: a measured level is a number")
        return self


class StudyHeader(Strict):
    """The study as a whole."""

    title: OneLine = Field(min_length=1)
    drug: str = "sorafenib"
    simulated: bool = False
    time: Literal["day", "clock"] = "day"
    timezone: str | None = None
    level: float = Field(default=0.95, gt=0.5, lt=1)
    seed: int = Field(default=20260101, ge=0)
    description: str = ""


class Study(Strict):
    """A whole study file. `folder` is where relative table paths start."""

    study: StudyHeader
    tables: dict[Literal["patients", "doses", "measurements", "events"], str]
    columns: dict[Literal["patients", "doses", "measurements", "events"], dict[str, str]] = Field(default={})
    covariates: dict[str, CovariateSpec] = Field(default={})
    question: tuple[Question, ...] = Field(min_length=1)
    path: Path = Path("study.toml")

    @property
    def folder(self) -> Path:
        """The folder that holds the study file."""
        return self.path.parent

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        ids = [q.id for q in self.question]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"question id used twice: {', '.join(twice)}")
        if "patients" not in self.tables:
            raise ValueError("tables: 'patients' is needed")
        return self


def load_study(path: str | Path) -> Study:
    """Read and check a study file.

    Raises `InputError` (configuration) with one finding for each thing wrong with it.
    """
    file = Path(path)
    found = Findings()
    read = read_toml(file, found, called=str(path))
    if read is None:
        raise InputError(found, configuration=True)
    data, _ = read
    if "path" in data:
        found.add(Severity.ERROR, "study-file", "unknown key", file=file.name, column="path")
        raise InputError(found, configuration=True)
    from troughline.cohort.studyfile_messages import by_schema

    study = by_schema(Study, data, found, file=file.name, code="study-file", path=file)
    if study is None:
        raise InputError(found, configuration=True)
    return study
