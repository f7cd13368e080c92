"""Where published studies disagree: both sides as references into their files, and what may explain it."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, TypeVar

from pydantic import Field, model_validator

from troughline.evidence.numbers import Identifier, Number, Record, Sequence, Texts
from troughline.evidence.records import Drug, Publication
from troughline.evidence.store import load_drug, load_publication
from troughline.evidence.study_sections import ExposureFinding, Statement

T = TypeVar("T")
Identifiers = Annotated[tuple[Identifier, ...], Sequence]


class Side(Record):
    """One side: a claim, the study or drug it stands on, and the ids of what was printed there."""

    claim: str = Field(min_length=1)
    study: Identifier | None = None
    drug: Identifier | None = None
    numbers: Identifiers = ()
    findings: Identifiers = ()
    statements: Identifiers = ()

    @model_validator(mode="after")
    def _one_source(self) -> Side:
        if (self.study is None) == (self.drug is None):
            raise ValueError(f"side {self.claim!r}: names either a study or a drug")
        if not (self.numbers or self.findings or self.statements):
            raise ValueError(f"side {self.claim!r}: names nothing that was printed")
        return self

    def source(self) -> Publication | Drug:
        """The study or the drug. Raises `ValueError` that lists the known ones."""
        return load_drug(self.drug) if self.drug else load_publication(self.study or "")

    def printed_numbers(self) -> tuple[Number, ...]:
        """The numbers it names. Raises `ValueError` for an unknown id."""
        source = self.source()
        return tuple(source.sourced(i) for i in self.numbers)

    def printed_findings(self) -> tuple[ExposureFinding, ...]:
        """The findings it names. Raises `ValueError` for an unknown id."""
        source = self.source()
        known = {f.id: f for f in source.finding} if isinstance(source, Publication) else {}
        return tuple(_known(known, i, "finding", source.id) for i in self.findings)

    def printed_statements(self) -> tuple[Statement, ...]:
        """The statements it names. Raises `ValueError` for an unknown id."""
        source = self.source()
        known = {s.id: s for s in source.statement} if isinstance(source, Publication) else {}
        return tuple(_known(known, i, "statement", source.id) for i in self.statements)


class Conflict(Record):
    """A question on which studies disagree or seem to, its sides, and what may explain it."""

    id: Identifier
    title: str = Field(min_length=1)
    explanations: Annotated[Texts, Field(min_length=1)]
    side: Annotated[tuple[Side, ...], Sequence, Field(min_length=2)]


@cache
def load_conflicts() -> tuple[Conflict, ...]:
    """Every conflict on file, in file order. Raises `ValueError` for a malformed file."""
    file = files("troughline.evidence").joinpath("data", "conflicts.toml")
    contents = tomllib.loads(file.read_text(encoding="utf-8"))
    return tuple(Conflict.model_validate(c) for c in contents["conflict"])


def _known(known: dict[str, T], identifier: str, what: str, owner: str) -> T:
    if identifier not in known:
        listed = ", ".join(known) or "none"
        raise ValueError(f"{owner} has no {what} {identifier!r}; known: {listed}")
    return known[identifier]
