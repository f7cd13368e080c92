"""How uncertain a published cut is that was printed without an interval."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import Field

from troughline.evidence.numbers import Doi, Record


class CutSpread(Record):
    """The central `level` of a cut over its true value, `low` to `high`, in cohorts of `n` patients.

    In cohorts of another size the logarithms scale by (n/size)^exponent.
    """

    n: int = Field(gt=0)
    low: float = Field(gt=0, lt=1)
    high: float = Field(gt=1)
    level: float = Field(gt=0, lt=1)
    exponent: float = Field(gt=0, le=1)
    basis: Literal["computed"]
    verified: bool
    where: str = Field(min_length=1)
    note: str = ""
    doi: Doi | None = None

    def factors(self, patients: int) -> tuple[float, float]:
        """The limits of a cut over its true value in cohorts of so many patients."""
        power = (self.n / patients) ** self.exponent
        return self.low**power, self.high**power


@cache
def cut_spread() -> CutSpread:
    """The spread on file."""
    text = files("troughline.evidence").joinpath("data", "cut-spread.toml").read_text(encoding="utf-8")
    return CutSpread.model_validate(tomllib.loads(text)["cut_spread"])
