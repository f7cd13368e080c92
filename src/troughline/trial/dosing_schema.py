"""The shape of a trial file's dosing policies: what all of them share, and what an arm's own is.

The words are those of a policy file (`dosing.policy.schema`), and mean the same.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from troughline.cohort.question_base import Strict
from troughline.dosing.policy.schema import NotNegative, Policy, Samples, Target, Treatment, World


def _sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


class LevelVisits(Strict):
    """Days on which levels may be drawn and doses changed, from `turnaround_days` later on.

    Every such day ends an occasion. Days inside the target are counted from `count_from_day` on (the first
    visit without).
    """

    days: Annotated[tuple[Annotated[int, Field(gt=0)], ...], BeforeValidator(_sequence), Field(min_length=1)]
    turnaround_days: int = Field(default=1, ge=1)
    count_from_day: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _rise(self) -> LevelVisits:
        if any(b <= a for a, b in pairwise(self.days)):
            raise ValueError("the days of the visits must rise")
        if any(b - a <= self.turnaround_days for a, b in pairwise(self.days)):
            raise ValueError(f"turnaround_days {self.turnaround_days} reaches the next visit")
        return self


class Dosing(Strict):
    """What the arms with a policy share.

    `treatment`: the starting regimen and those that guided policies may choose. `assumed`: the model that the
    policies take for true; the trial's own kinetics without. `between_occasions` multiplies the variance
    between occasions of the trial's kinetics in these arms.
    """

    visits: LevelVisits
    samples: Samples = Samples()
    target: Target
    treatment: Treatment
    assumed: World | None = None
    between_occasions: NotNegative = 1.0


class ArmPolicy(Policy):
    """A policy as an arm has it: it needs no id, for the arm has one."""

    id: str = Field(default="policy", min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]*$")
