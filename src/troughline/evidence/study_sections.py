"""The parts of a study's file beside its numbers: arms, adverse events, findings, biomarkers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from troughline.evidence.numbers import Doi, Identifier, Metric, Record, Sequence, Texts

Percent = float | Annotated[str, Field(pattern=r"^<\d+(\.\d+)?$")]
"""A percentage as printed: a number, or a bound such as `<1`."""

Exposure = Metric | Literal["dose", "cumulative-dose", "dose-reduction", "time-on-drug", "start-dose"]


class Arm(Record):
    """Patients who were treated alike or belong to one class; arms of a study do not overlap.

    `n` is the number randomised or enrolled, `n_safety` the number in whom adverse events were counted,
    `events` the deaths, `drugs` what was given. `verified` and `where` are about n.
    """

    id: Identifier
    label: str = Field(min_length=1)
    n: int | None = Field(default=None, gt=0)
    n_safety: int | None = Field(default=None, gt=0)
    events: int | None = Field(default=None, ge=0)
    drugs: Texts = ()
    dose: str | None = None
    verified: bool
    where: str = Field(min_length=1)
    note: str = ""


class AdverseEventRow(Record):
    """How many percent of an arm had an adverse event, by grade."""

    term: str = Field(min_length=1)
    arm: Identifier
    n: int | None = Field(default=None, gt=0)
    any_grade: Percent | None = None
    grade_3: Percent | None = None
    grade_4: Percent | None = None
    grade_3_or_more: Percent | None = None

    @model_validator(mode="after")
    def _something(self) -> AdverseEventRow:
        if all(p is None for p in (self.any_grade, self.grade_3, self.grade_4, self.grade_3_or_more)):
            raise ValueError(f"adverse event {self.term!r} of arm {self.arm!r}: no percentage")
        return self


class AdverseEventTable(Record):
    """One printed table of adverse events; `attribution` says whether any or only drug-related ones count."""

    id: Identifier
    label: str = Field(min_length=1)
    attribution: Literal["any", "drug-related", "not stated"]
    verified: bool
    where: str = Field(min_length=1)
    source: str | None = None
    doi: Doi | None = None
    note: str = ""
    row: Annotated[tuple[AdverseEventRow, ...], Sequence, Field(min_length=1)]


class ExposureFinding(Record):
    """What a study says about an exposure and an outcome: an association, or none found.

    `association` is `positive` where more exposure goes with more of the outcome (more toxicity, longer
    survival), `negative` where with less, `window` where with most at exposures in between, `none` where the
    study found none: not a proof that there is none.
    """

    id: Identifier
    exposure: Exposure
    outcome: Identifier
    association: Literal["positive", "negative", "window", "none"]
    p_value: str | None = Field(default=None, pattern=r"^<?\d*\.?\d+$")
    n: int | None = Field(default=None, gt=0)
    adjusted: bool | None = None
    label: str = Field(min_length=1)
    verified: bool
    where: str = Field(min_length=1)
    note: str = ""


class Biomarker(Record):
    """A marker in blood or tissue: how it changed on treatment, what it said about the outcome.

    `change` is from before to after treatment; `role` keeps apart what says how patients do (`prognostic`)
    and what says who gains from the drug (`predictive`), which needs a control group. `p_interaction`
    belongs to the latter. `cutoff` with `cutoff_side` is a level that a study proposed, in `unit`.
    """

    id: Identifier
    marker: str = Field(min_length=1)
    unit: str | None = None
    arm: Identifier | None = None
    n: int | None = Field(default=None, gt=0)
    change: Literal["increase", "decrease", "none", "undetectable"] | None = None
    role: Annotated[
        tuple[Literal["prognostic", "not prognostic", "predictive", "not predictive"], ...], Sequence
    ] = ()
    cutoff: float | None = None
    cutoff_side: Literal["<", ">", "<=", ">="] | None = None
    p_value: str | None = Field(default=None, pattern=r"^<?\d*\.?\d+$")
    p_interaction: str | None = Field(default=None, pattern=r"^<?\d*\.?\d+$")
    label: str = Field(min_length=1)
    verified: bool
    where: str = Field(min_length=1)
    note: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Biomarker:
        if (self.cutoff is None) != (self.cutoff_side is None):
            raise ValueError(f"biomarker {self.id!r}: cutoff and cutoff_side go together")
        if self.cutoff is not None and self.unit is None:
            raise ValueError(f"biomarker {self.id!r}: a cutoff needs its unit")
        return self


class AtRisk(Record):
    """A printed row of numbers at risk under a survival curve: `n` patients at each of `time` (in `unit`)."""

    id: Identifier
    endpoint: Identifier
    arm: Identifier
    unit: str = Field(min_length=1)
    time: Annotated[tuple[float, ...], Sequence, Field(min_length=1)]
    n: Annotated[tuple[int, ...], Sequence, Field(min_length=1)]
    verified: bool
    where: str = Field(min_length=1)
    note: str = ""

    @model_validator(mode="after")
    def _paired(self) -> AtRisk:
        if len(self.time) != len(self.n):
            raise ValueError(f"at_risk {self.id!r}: {len(self.time)} times for {len(self.n)} numbers")
        return self


class Statement(Record):
    """What a paper says without a number of its own."""

    id: Identifier
    text: str = Field(min_length=1)
    verified: bool
    where: str = Field(min_length=1)
