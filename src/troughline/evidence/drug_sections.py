"""The parts of a drug's file beside its numbers: codes, label doses, interactions, what it binds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from troughline.evidence.numbers import Doi, Identifier, Record, Sequence, Texts


class Code(Record):
    """A code of a drug in a public terminology."""

    system: Literal["ATC", "RxNorm", "CAS"]
    code: str = Field(min_length=1)
    meaning: str
    verified: bool
    where: str = Field(min_length=1)


class DoseLevel(Record):
    """A dose of the label: level 0 is the full dose, 1 the first reduction.

    `amount_mg` is given every `interval_h` hours.
    """

    level: int = Field(ge=0)
    amount_mg: float = Field(gt=0)
    interval_h: float = Field(gt=0)
    indication: str = Field(min_length=1)
    verified: bool
    where: str = Field(min_length=1)
    source: str | None = None
    note: str = ""


class RegimenStep(Record):
    """A regimen that the drug's tablets make: the cycle `amounts_mg`, one of them every `interval_h` hours.

    `basis`: `label` (for the indications named), `practice` (used, on no label), `above label`;
    `needs_leave`: offered only where a patient file allows it by its id.
    """

    id: Identifier
    label: str = Field(min_length=1)
    amounts_mg: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Sequence, Field(min_length=1)]
    interval_h: float = Field(gt=0)
    basis: Literal["label", "practice", "above label"]
    indication: str = ""
    needs_leave: bool = False
    verified: bool
    where: str = Field(min_length=1)
    source: str | None = None
    note: str = ""


class ExposureCause(Record):
    """A common cause of a level that misleads or misses, and what of a patient file shows it.

    `direction`: it makes the exposure `low` or `high`, or leaves the total level and changes the `unbound`
    one, which the total then understates. `effect`: what studies say of that: `shown`, `conflicting`,
    `none` where one looked and found none, `unknown` where none was read.

    `sign` says where to look: `adherence` below `limit`, doses `missed` (a share above `limit`), `food`
    (of the kinds in `words`), an `other drug` (a kind, or a name, in `words`), a `covariate` beyond `limit`
    (below it, or above it where `beyond` is `above`) or with a level in `words`, `time on drug` above `limit`
    days. `size` is in words, as far as a source gives one.
    """

    id: Identifier
    direction: Literal["low", "high", "unbound"]
    effect: Literal["shown", "conflicting", "none", "unknown"] = "shown"
    label: str = Field(min_length=1)
    sign: Literal["adherence", "missed", "food", "other drug", "covariate", "time on drug"]
    covariate: str | None = None
    words: Texts = ()
    limit: float | None = None
    beyond: Literal["below", "above"] = "below"
    unit: str | None = None
    size: str = ""
    verified: bool
    where: str = Field(min_length=1)
    source: str | None = None
    doi: Doi | None = None
    note: str = ""

    @model_validator(mode="after")
    def _whole(self) -> ExposureCause:
        if (self.sign == "covariate") != (self.covariate is not None):
            raise ValueError(f"cause {self.id!r}: a covariate goes with the sign 'covariate'")
        if self.limit is None and not self.words:
            raise ValueError(f"cause {self.id!r}: needs a limit or words")
        return self


class ExposureTrend(Record):
    """How exposure at one dose changes with time on the drug: two numbers of a study, and when they are of.

    `first` and `last` are ids of numbers of `study`, on day `first_day` and `last_day`. `relative_sd`: how
    uncertain the rate of change is, where the study prints no interval a convention that `note` explains.
    """

    study: Identifier
    first: Identifier
    last: Identifier
    first_day: float = Field(ge=0)
    last_day: float = Field(gt=0)
    relative_sd: float = Field(gt=0)
    verified: bool
    where: str = Field(min_length=1)
    note: str = ""


class Interaction(Record):
    """What another drug or food does to the exposure; `change` is a fraction (-0.3: 30 % less)."""

    id: Identifier
    partner: str = Field(min_length=1)
    change: float | None = Field(default=None, gt=-1)
    of: str = "AUC"
    mechanism: str = ""
    verified: bool
    where: str = Field(min_length=1)
    source: str | None = None
    doi: Doi | None = None
    note: str = ""


class Affinity(Record):
    """How tightly a target is bound (`Kd`), or how much drug halves its activity (`IC50`), in nM."""

    target: str = Field(min_length=1)
    measure: Literal["Kd", "IC50"]
    value_nm: float = Field(gt=0)
    study: Identifier
    verified: bool
    where: str = Field(min_length=1)
    note: str = ""
