"""The `interaction` question: does a marker tell who benefits from a treatment, or only who fares how."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from troughline.cohort.question_base import Outcome, Positive, Predictor, QuestionBase


class InteractionQuestion(QuestionBase):
    """Predictive against prognostic: treatment × marker interaction, with a control arm.

    `predictor` is the marker. `control` and `treated` name the arms in the `arm` column of the patients
    table; without both only the prognostic answer is given. The endpoint is `outcome` (time to an event, or
    yes/no) or `value`, a covariate that is a number. `randomised` says how the arms came about. `subgroups`
    are categories for the subgroup forest, with a half-normal prior of scale `shrinkage` on the log ratio
    (or in standard deviations of `value`). `competing` and `liver_class` ask for the incidence by class and
    arm. `over_time` follows a measured marker: at a `landmark_days` (the later sample from no more than
    `landmark_window_days` before it), or by a joint model. `signature` is a
    list of covariates for a penalised Cox model with penalty `penalty`, judged at `horizon_days`. The tests
    over the marker take `draws` random draws; `flexibility` is how freely the powers of the fractional
    polynomial are chosen, 1 (those of the main effect) to 4 (a power of its own in each arm).
    """

    kind: Literal["interaction"]
    predictor: Predictor
    outcome: Outcome | None = None
    value: str | None = None
    treated: str | None = None
    control: str | None = None
    randomised: bool | None = None
    subgroups: tuple[str, ...] = ()
    shrinkage: Positive = 0.5
    competing: tuple[str, ...] = ()
    liver_class: str | None = None
    over_time: Literal["landmark", "joint"] | None = None
    landmark_days: Positive | None = None
    landmark_window_days: Positive | None = None
    rmst_days: Positive | None = None
    signature: tuple[str, ...] = ()
    signature_log: tuple[str, ...] | None = None
    penalty: Literal["ridge", "lasso", "elastic-net"] = "elastic-net"
    horizon_days: Positive | None = None
    draws: int = Field(default=1000, ge=200, le=100_000)
    flexibility: Literal[1, 2, 3, 4] = 2

    @field_validator("competing", "subgroups", "signature", "signature_log", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _whole(self) -> InteractionQuestion:
        if (self.outcome is None) == (self.value is None):
            raise ValueError(
                "give exactly one of outcome (an event, a response) or value (a covariate that is a number)"
            )
        if self.control is not None and self.control == self.treated:
            raise ValueError(f"control and treated are both {self.control!r}: name two arms")
        self._check_events()
        if self.over_time is not None and self.predictor.analyte is None:
            raise ValueError("over_time follows a measured marker: give the predictor as an analyte")
        if self.landmark_days is not None and self.over_time != "landmark":
            raise ValueError('landmark_days goes with over_time = "landmark"')
        if self.landmark_window_days is not None and self.landmark_days is None:
            raise ValueError("landmark_window_days goes with landmark_days")
        if self.over_time == "landmark" and self.landmark_days is None:
            raise ValueError('over_time = "landmark" needs landmark_days')
        if len(self.signature) == 1:
            raise ValueError("signature: a signature needs two covariates or more")
        alien = [name for name in self.signature_log or () if name not in self.signature]
        if alien:
            raise ValueError(f"signature_log: {', '.join(alien)} is not in the signature")
        if isinstance(self.predictor.bands, tuple) and len(self.predictor.bands) != 1:
            raise ValueError("bands: the as-published column splits at one cut, 'median' or 'optimal'")
        if self.predictor.bands in ("tertiles", "quartiles"):
            raise ValueError("bands: the as-published column splits at one cut, 'median' or 'optimal'")
        return self

    def _check_events(self) -> None:
        outcome = self.outcome
        if (self.competing or self.liver_class) and (outcome is None or outcome.event is None):
            raise ValueError("competing and liver_class need an outcome given as event = ...")
        if outcome is not None and outcome.term is None:
            same = sorted(set(self.competing) & set(outcome.event or ()))
            if same:
                raise ValueError(f"{', '.join(same)} cannot compete with itself: it is part of the outcome")
        if self.liver_class and not self.competing:
            raise ValueError("liver_class needs competing: which other events end the follow-up")
        timed = self.is_timed
        for name in ("signature", "over_time", "rmst_days"):
            if getattr(self, name) and not timed:
                raise ValueError(f"{name} needs a time to an event as outcome")

    @property
    def is_timed(self) -> bool:
        """Whether the endpoint is a time to an event: not a response, a column, or within a stated time."""
        return self.outcome is not None and self.outcome.is_timed
