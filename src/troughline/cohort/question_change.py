"""The question kind `change`: markers measured at several occasions in the same patients."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from troughline.cohort.question_base import Outcome, Predictor, QuestionBase, Strict, only_a_study

ChangeTest = Literal["signed-rank", "prentice-wilcoxon", "sign", "tobit"]
Correction = Literal["westfall-young", "holm", "benjamini-hochberg"]


class Marker(Strict):
    """A marker: the analyte as the measurements table names it, and the unit its levels are turned into.

    `assay` keeps to the levels of one assay; left out, all count.
    """

    analyte: str = Field(min_length=1)
    unit: str = Field(min_length=1)
    assay: str | None = None


class Responder(Strict):
    """Which change of a marker makes a patient a responder in the as-published column.

    A `fall` or a `rise` of at least `percent` of the first level (0: any). `unsampled` says where patients
    without a second level stand: with the non-responders, as where everybody who was treated is compared,
    or left out.
    """

    change: Literal["fall", "rise"] = "fall"
    percent: float = Field(default=0.0, ge=0, le=1000)
    unsampled: Literal["non-responders", "left out"] = "non-responders"

    @model_validator(mode="after")
    def _possible(self) -> Responder:
        if self.change == "fall" and self.percent >= 100:
            raise ValueError(f"percent: no level falls by {self.percent:g} %; a fall is less than 100 %")
        return self


class ChangeQuestion(QuestionBase):
    """What markers did between occasions, within groups of patients and between them.

    - `markers`: one or more;
    - `occasions`: two or more names as in the column `occasion`, or `days`: two or more ranges
      `[first day, last day]`; each later one is compared with the first;
    - `group`: a category declared under `[covariates]`, or `"group"` or `"arm"` of the patients table; left
      out, all patients are one group;
    - `dose`: a number declared under `[covariates]` that orders the groups; left out, the levels of an
      `ordered` category do;
    - `predictor`: a measured or predicted exposure over which the change is held instead of the dose;
    - `scale`: `ratio` (on the log scale) or `difference`;
    - `test`: which test enters the family; `correction`: how the family is corrected;
    - `in_full`: with more markers (times later occasions) than this, all are tested, and so many with the
      smallest p-values are worked out in full: intervals, models, figures;
    - `randomised`: whether chance chose the group;
    - `outcome`: an event or a yes/no outcome that the change is held against, from the second sample on;
      `responder`: who is compared with whom as published; `counted_from`: from when a time, or an outcome
      in a column, counts.
    """

    kind: Literal["change"]
    markers: tuple[Marker, ...] = Field(min_length=1)
    occasions: tuple[str, ...] | None = Field(default=None, min_length=2)
    days: tuple[tuple[float, float], ...] | None = Field(default=None, min_length=2)
    group: str | None = None
    dose: str | None = None
    predictor: Predictor | None = None
    scale: Literal["ratio", "difference"] = "ratio"
    test: ChangeTest = "signed-rank"
    correction: Correction = "westfall-young"
    permutations: int = Field(default=10_000, ge=999, le=1_000_000)
    in_full: int = Field(default=40, ge=1, le=10_000)
    randomised: bool = False
    outcome: Outcome | None = None
    responder: Responder = Responder()
    counted_from: Literal["first dose", "second sample"] = "first dose"

    @field_validator("occasions", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            return value
        items: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType]
        return tuple(str(v) if isinstance(v, (int, float)) else v for v in items)

    @model_validator(mode="after")
    def _consistent(self) -> ChangeQuestion:
        if (self.occasions is None) == (self.days is None):
            raise ValueError(
                "give exactly one of occasions (names as in the column occasion) or days (ranges of days)"
            )
        if self.occasions is not None and len(set(self.occasions)) < len(self.occasions):
            raise ValueError("occasions: each name once")
        for k, (first, last) in enumerate(self.days or ()):
            if first > last:
                raise ValueError(f"days: range {k + 1} runs from {first:g} down to {last:g}")
            if k and first <= (self.days or ())[k - 1][1]:
                raise ValueError(f"days: range {k + 1} begins before range {k} ends")
        names = [(m.analyte.casefold(), m.assay) for m in self.markers]
        if len(set(names)) < len(names):
            raise ValueError("markers: each analyte (and assay) once")
        if self.dose is not None and self.group is None:
            raise ValueError("dose orders the groups: give group as well")
        if self.predictor is not None and self.predictor.analyte is None:
            raise ValueError("predictor is an exposure here: give its analyte (for a dose write dose = ...)")
        if self.test == "tobit" and self.correction == "westfall-young":
            raise ValueError(
                'correction = "westfall-young" exchanges before and after, which the Tobit model does not: '
                'write correction = "holm" with test = "tobit"'
            )
        self._check_outcome()
        only_a_study(self.published)
        return self

    def _check_outcome(self) -> None:
        if self.outcome is None:
            for name in ("responder", "counted_from"):
                if name in self.model_fields_set:
                    raise ValueError(f"{name} goes with outcome")
        elif self.counted_from == "second sample" and (
            self.outcome.time is None and self.outcome.column is None
        ):
            raise ValueError(
                'counted_from = "second sample" goes with an outcome in columns (time and status, or '
                "column); the days of events are counted from there anyway"
            )

    @property
    def is_timed(self) -> bool:
        """Whether the outcome is a time to an event: not a response, a column, or within a stated time."""
        return self.outcome is not None and self.outcome.is_timed

    @property
    def occasion_names(self) -> tuple[str, ...]:
        """What the occasions are called: as in the file, or `day 21–35`."""
        if self.occasions is not None:
            return self.occasions
        return tuple(
            f"day {first:g}" if first == last else f"day {first:g} to {last:g}"
            for first, last in self.days or ()
        )
