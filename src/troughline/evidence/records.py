"""The shape of an evidence file: a drug or a published study, every number with its source."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from troughline.evidence.drug_sections import (
    Affinity,
    Code,
    DoseLevel,
    ExposureCause,
    ExposureTrend,
    Interaction,
    RegimenStep,
)
from troughline.evidence.numbers import (
    METRICS,
    Doi,
    Identifier,
    Month,
    Number,
    Numbers,
    Record,
    Sequence,
    Texts,
    check_unique,
    number_of,
)
from troughline.evidence.study_sections import (
    AdverseEventTable,
    Arm,
    AtRisk,
    Biomarker,
    ExposureFinding,
    Statement,
)

__all__ = ["METRICS", "Drug", "Number", "Publication"]

_DRUG_NUMBERS = {
    "molar-mass": "g/mol",
    "trough-min-hours-after-dose": "h",
    "steady-state-days": "day",
    "tablet-strength": "mg",
}


class Drug(Record):
    """A drug: names, formula, codes, the numbers every analysis of its levels needs, label doses, targets."""

    kind: Literal["drug"]
    id: Identifier
    names: Annotated[Texts, Field(min_length=1)]
    formula: str = Field(pattern=r"^([A-Z][a-z]?\d*)+$")
    number: Annotated[Numbers, Field(min_length=1)]
    codes: Annotated[tuple[Code, ...], Sequence] = ()
    dose_level: Annotated[tuple[DoseLevel, ...], Sequence] = ()
    regimen: Annotated[tuple[RegimenStep, ...], Sequence] = ()
    exposure_cause: Annotated[tuple[ExposureCause, ...], Sequence] = ()
    exposure_trend: Annotated[tuple[ExposureTrend, ...], Sequence] = ()
    interaction: Annotated[tuple[Interaction, ...], Sequence] = ()
    affinity: Annotated[tuple[Affinity, ...], Sequence] = ()
    note: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Drug:
        check_unique([n.id for n in self.number], "number")
        check_unique([i.id for i in self.interaction], "interaction")
        check_unique([r.id for r in self.regimen], "regimen")
        check_unique([c.id for c in self.exposure_cause], "exposure_cause")
        check_unique([f"{a.target} {a.measure} {a.study}" for a in self.affinity], "affinity")
        units = {n.id: n.unit for n in self.number}
        for identifier, unit in _DRUG_NUMBERS.items():
            if units.get(identifier) != unit:
                raise ValueError(f"a drug needs the number {identifier!r} in {unit}")
        return self

    def sourced(self, identifier: str) -> Number:
        """The number of that id with its source; `ValueError` lists the known ids."""
        return number_of(self.number, identifier, f"drug {self.id!r}")

    @property
    def molar_mass_g_per_mol(self) -> float:
        """Molar mass of the free base, g/mol."""
        return self._value("molar-mass")

    @property
    def trough_min_hours_after_dose(self) -> float:
        """How long after a dose (h) a sample must be drawn to count as a trough."""
        return self._value("trough-min-hours-after-dose")

    @property
    def steady_state_days(self) -> float:
        """Days of unchanged dosing after which levels are at steady state."""
        return self._value("steady-state-days")

    @property
    def tablet_strength_mg(self) -> float:
        """The tablet in which doses come, mg."""
        return self._value("tablet-strength")

    def _value(self, identifier: str) -> float:
        value = self.sourced(identifier).value
        return math.nan if value is None else value


class Publication(Record):
    """A published study: what it was, and the numbers it printed.

    `name` is what a figure calls it where its id with a capital (`noda-2020`, Noda 2020) will not do. `drug`
    is missing where it is about none. `read` says how much of it was read here. `n` is missing where there
    are no patients (a kinase panel, a paper on methods), `year` where what was read does not give it.
    `arms_complete` says that the arms
    together are the whole study.
    """

    kind: Literal["study"]
    id: Identifier
    name: str | None = Field(default=None, min_length=1, max_length=32)
    drug: Identifier | None = None
    title: str = Field(min_length=1)
    citation: str = Field(min_length=1)
    doi: Doi | None = None
    pmid: str | None = Field(default=None, pattern=r"^\d{5,9}$")
    pmcid: str | None = Field(default=None, pattern=r"^PMC\d{5,9}$")
    url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    registry: str | None = None
    read: Literal["abstract", "full text", "secondary", "transcription", "label", "not read"]
    design: str = Field(min_length=1)
    population: str = Field(min_length=1)
    n: int | None = Field(default=None, gt=0)
    year: int | None = Field(default=None, ge=1990, le=2100)
    enrolled_from: Month | None = None
    enrolled_to: Month | None = None
    arms_complete: bool = False
    arm: Annotated[tuple[Arm, ...], Sequence] = ()
    number: Numbers = ()
    finding: Annotated[tuple[ExposureFinding, ...], Sequence] = ()
    adverse_events: Annotated[tuple[AdverseEventTable, ...], Sequence] = ()
    biomarker: Annotated[tuple[Biomarker, ...], Sequence] = ()
    at_risk: Annotated[tuple[AtRisk, ...], Sequence] = ()
    statement: Annotated[tuple[Statement, ...], Sequence] = ()
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Publication:
        for what, items in (
            ("arm", self.arm),
            ("number", self.number),
            ("finding", self.finding),
            ("adverse event table", self.adverse_events),
            ("biomarker", self.biomarker),
            ("at_risk", self.at_risk),
            ("statement", self.statement),
        ):
            check_unique([item.id for item in items], what)
        if not (self.number or self.finding or self.adverse_events or self.biomarker or self.statement):
            raise ValueError("a study needs a number, a finding, adverse events, a biomarker or a statement")
        if self.doi is None and not self.note:
            raise ValueError("a study without a DOI says in its note why")
        known = {a.id for a in self.arm}
        for where, arm in self._arms_named():
            if arm not in known:
                listed = ", ".join(sorted(known)) or "none"
                raise ValueError(f"{where} names the arm {arm!r}; known: {listed}")
        return self

    def _arms_named(self) -> list[tuple[str, str]]:
        named = [(f"number {n.id!r}", a) for n in self.number for a in (n.arm, n.comparator) if a]
        named += [(f"biomarker {b.id!r}", b.arm) for b in self.biomarker if b.arm]
        named += [(f"at_risk {a.id!r}", a.arm) for a in self.at_risk]
        named += [(f"adverse event {r.term!r}", r.arm) for t in self.adverse_events for r in t.row]
        return named

    def sourced(self, identifier: str) -> Number:
        """The number of that id with its source; `ValueError` lists the known ids."""
        return number_of(self.number, identifier, f"publication {self.id!r}")

    def arm_of(self, identifier: str) -> Arm:
        """The arm of that id; `ValueError` lists the known ids."""
        for arm in self.arm:
            if arm.id == identifier:
                return arm
        known = ", ".join(a.id for a in self.arm) or "none"
        raise ValueError(f"publication {self.id!r} has no arm {identifier!r}; known: {known}")

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints that its numbers belong to, in file order."""
        return tuple(dict.fromkeys(n.endpoint for n in self.number if n.endpoint is not None))

    @property
    def drugs(self) -> tuple[str, ...]:
        """The drug the study is about, if any, then the others given in its arms."""
        own = () if self.drug is None else (self.drug,)
        return tuple(dict.fromkeys([*own, *(d for a in self.arm for d in a.drugs)]))
