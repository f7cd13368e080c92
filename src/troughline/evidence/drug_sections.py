"""The parts of a drug's file beside its numbers: codes, label doses, interactions, what it binds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from troughline.evidence.numbers import Doi, Identifier, Record


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
