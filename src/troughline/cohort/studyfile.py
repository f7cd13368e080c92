"""The study file: which drug, which tables, which questions. Schema-checked, nothing guessed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from troughline.cohort.question_association import AssociationQuestion
from troughline.cohort.question_base import QuestionBase as _Question
from troughline.cohort.question_base import Strict as _Strict
from troughline.issues import Findings, InputError, Severity

TABLES = ("patients", "doses", "measurements", "events")
MODEL_METRICS = ("auc", "average", "cmax")
"""Metrics of a dosing interval that no single level is: they need a model."""


class GradeRule(_Strict):
    """A comparison of a CTCAE grade, written `">=3"`, `">2"`, `"=1"` or as a bare number."""

    operator: Literal[">=", ">", "=", "<=", "<"]
    grade: int = Field(ge=0, le=5)

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, int):
            return {"operator": "=", "grade": value}
        if isinstance(value, str):
            match = re.fullmatch(r"\s*(>=|<=|>|<|=)?\s*([0-5])\s*", value)
            if match is None:
                raise ValueError(f"{value!r} is no grade rule: write '>=3', '>2', '<=1' or '=2'")
            return {"operator": match[1] or "=", "grade": int(match[2])}
        return value

    def holds(self, grade: float) -> bool:
        """Whether a grade satisfies the rule."""
        g = self.grade
        return {
            ">=": grade >= g,
            ">": grade > g,
            "=": grade == g,
            "<=": grade <= g,
            "<": grade < g,
        }[self.operator]

    def __str__(self) -> str:
        return f"{self.operator}{self.grade}"


class Outcome(_Strict):
    """What is counted: an event, a tumour response, or columns of the patients table.

    - `event` (a name or several), optionally with `grade`, `term`, `within_days`;
    - `response` (best response among these), optionally `or_stable_for_days`, `criterion`;
    - `time` and `status`: columns of the patients table holding time to event and 1/0, with `unit`;
    - `column` and `equals`: a column of the patients table that holds the outcome.
    """

    event: tuple[str, ...] | None = None
    grade: GradeRule | None = None
    term: str | None = None
    within_days: float | None = Field(default=None, gt=0)
    response: tuple[Literal["CR", "PR", "SD", "PD"], ...] | None = None
    or_stable_for_days: float | None = Field(default=None, gt=0)
    criterion: str | None = None
    time: str | None = None
    status: str | None = None
    status_value: str = "1"
    unit: str = "day"
    column: str | None = None
    equals: str | None = None

    @field_validator("event", "response", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("equals", "status_value", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _one_form(self) -> Outcome:
        forms = [
            self.event is not None,
            self.response is not None,
            self.time is not None,
            self.column is not None,
        ]
        if sum(forms) != 1:
            raise ValueError(
                "give exactly one of event, response, time (with status) or column (with equals)"
            )
        if (self.time is None) != (self.status is None):
            raise ValueError("time and status go together")
        if (self.column is None) != (self.equals is None):
            raise ValueError("column and equals go together")
        if self.grade is not None and self.event != ("adverse event",):
            raise ValueError("grade goes with event = 'adverse event'")
        return self


class Predictor(_Strict):
    """What is held against the outcome: a measured level, a covariate, or a group defined by what happened.

    - `analyte`, `metric`, `unit`: a level; `metric` is `trough`, `clinic-visit` (any time after a dose) or
      `level` (a marker); `summary` says how a patient's samples become one value in the as-published column
      (`every` takes each sample as if it were another patient, as some papers do; a guard says so);
      `exposure` names a population model (`model:sorafenib/hcc`, or `model:FILE.toml` beside the study file)
      that turns a level drawn at any time into the guarded value: its `trough`, or `auc`, `average` or
      `cmax` of the dosing interval;
    - `covariate`: a column of the patients table declared under `[covariates]`;
    - `response` (with `or_stable_for_days`) or `event`: a group defined after time zero.

    `bands` are cut points, or `median`, `tertiles`, `quartiles`, or `optimal` (searched in these data).
    `direction` says whether a higher value means the outcome; `auto` lets the data choose (a guard says so).
    """

    analyte: str | None = None
    metric: Literal["trough", "clinic-visit", "level", "auc", "average", "cmax"] = "trough"
    exposure: str | None = None
    unit: str | None = None
    summary: Literal["mean", "geometric-mean", "median", "first", "last", "max", "every"] = "mean"
    covariate: str | None = None
    log: bool | None = None
    response: tuple[Literal["CR", "PR", "SD", "PD"], ...] | None = None
    or_stable_for_days: float | None = Field(default=None, gt=0)
    event: tuple[str, ...] | None = None
    bands: tuple[float, ...] | Literal["median", "tertiles", "quartiles", "optimal"] | None = None
    bands_from: Literal["these data", "elsewhere"] | None = None
    direction: Literal["higher", "lower", "auto"] = "higher"

    @field_validator("event", "response", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_form(self) -> Predictor:
        forms = [
            self.analyte is not None,
            self.covariate is not None,
            self.response is not None,
            self.event is not None,
        ]
        if sum(forms) != 1:
            raise ValueError("give exactly one of analyte, covariate, response or event")
        if self.analyte is not None and self.unit is None:
            raise ValueError("an analyte needs its unit")
        self._check_exposure()
        if isinstance(self.bands, tuple) and list(self.bands) != sorted(set(self.bands)):
            raise ValueError("bands rise from the lowest cut to the highest, each once")
        return self

    def _check_exposure(self) -> None:
        if self.exposure is None:
            if self.metric in MODEL_METRICS:
                raise ValueError(
                    f'metric = {self.metric!r} needs a model: exposure = "model:sorafenib/hcc" or '
                    '"model:FILE.toml"'
                )
            return
        if self.analyte is None:
            raise ValueError("exposure goes with an analyte: a model predicts it from its levels")
        if not re.fullmatch(r"model:\s*\S.*", self.exposure):
            raise ValueError(
                f'exposure = {self.exposure!r}: write "model:" and a model\'s id or a model file, as in '
                '"model:sorafenib/hcc"'
            )
        if self.metric not in ("trough", *MODEL_METRICS):
            raise ValueError(
                f"metric = {self.metric!r} is what was measured; with a model write "
                f"{', '.join(map(repr, ('trough', *MODEL_METRICS)))}"
            )

    @property
    def level_unit(self) -> str | None:
        """The unit that measured levels are converted to: `unit`, or mg/L where that is one of an area."""
        return "mg/L" if self.metric == "auc" else self.unit


class Limits(_Strict):
    """The probabilities that define a window: benefit at least, toxicity at most."""

    benefit_at_least: float = Field(gt=0, lt=1)
    toxicity_at_most: float = Field(gt=0, lt=1)


class Utility(_Strict):
    """Utility = P(benefit) − `toxicity_weight` · P(toxicity); the window lies `within` of its maximum."""

    toxicity_weight: float = Field(default=1.0, gt=0)
    within: float = Field(default=0.05, gt=0, lt=1)


Positive = Annotated[float, Field(gt=0)]


class ThresholdQuestion(_Question):
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


class CurveQuestion(_Question):
    """The probability of an outcome as a function of exposure."""

    kind: Literal["curve"]
    predictor: Predictor
    outcome: Outcome
    at: tuple[Positive, ...] = ()
    monotone: bool = True


class WindowQuestion(_Question):
    """The exposure that gives enough benefit without too much toxicity, both bounds as one estimand."""

    kind: Literal["window"]
    predictor: Predictor
    toxicity: Outcome
    benefit: Outcome
    limits: Limits
    utility: Utility = Utility()
    at: tuple[Positive, ...] = ()
    monotone: bool = True


class SurvivalQuestion(_Question):
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
    ThresholdQuestion | CurveQuestion | WindowQuestion | SurvivalQuestion | AssociationQuestion,
    Field(discriminator="kind"),
]


class CovariateSpec(_Strict):
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


class StudyHeader(_Strict):
    """The study as a whole."""

    title: str = Field(min_length=1)
    drug: str = "sorafenib"
    simulated: bool = False
    time: Literal["day", "clock"] = "day"
    timezone: str | None = None
    level: float = Field(default=0.95, gt=0.5, lt=1)
    seed: int = Field(default=20260101, ge=0)
    description: str = ""


class Study(_Strict):
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
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        found.add(Severity.ERROR, "file-unreadable", f"cannot be read: {error.strerror}", file=str(path))
        raise InputError(found, configuration=True) from None
    except UnicodeDecodeError:
        found.add(Severity.ERROR, "not-utf-8", "is not UTF-8 text", file=file.name)
        raise InputError(found, configuration=True) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found.add(Severity.ERROR, "not-toml", f"is not valid TOML: {error}", file=file.name)
        raise InputError(found, configuration=True) from None
    if "path" in data:
        found.add(Severity.ERROR, "study-file", "unknown key", file=file.name, column="path")
        raise InputError(found, configuration=True)
    try:
        return Study.model_validate({**data, "path": file})
    except ValidationError as error:
        from troughline.cohort.studyfile_messages import mistakes

        for place, message in mistakes(error, data, Study):
            found.add(Severity.ERROR, "study-file", message, file=file.name, column=place)
        raise InputError(found, configuration=True) from None
