"""What questions of a study file are made of: outcomes, predictors, and what every kind has."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

MODEL_METRICS = ("auc", "average", "cmax")
"""Metrics of a dosing interval that no single level is: they need a model."""


class Strict(BaseModel):
    """A frozen value without unknown keys."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


def _one_line(text: str) -> str:
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in text):
        raise ValueError(f"{text!r} has a line break or another control character: write it on one line")
    return text


OneLine = Annotated[str, AfterValidator(_one_line)]
"""A title or label: it stands in a cell, a legend or a heading."""


class GradeRule(Strict):
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


class Outcome(Strict):
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

    @property
    def is_timed(self) -> bool:
        """Whether it is a time to an event: not a response, a column, or within a stated time."""
        return self.time is not None or (self.event is not None and self.within_days is None)

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


class Predictor(Strict):
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


Positive = Annotated[float, Field(gt=0)]


def only_a_study(published: str | None) -> None:
    """Refuse `study/endpoint` where markers are asked about: what was printed of them has no endpoint.

    Raises `ValueError`.
    """
    if published is not None and "/" in published:
        raise ValueError(
            f"published = {published!r}: name the study alone, as in {published.split('/')[0]!r}; what it "
            "printed of these markers is shown"
        )


class QuestionBase(Strict):
    """What a question of any kind has."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)
    title: OneLine | None = None
    published: str | None = None
    adjust: tuple[str, ...] = ()
    bootstrap: int = Field(default=2000, ge=200, le=100_000)
