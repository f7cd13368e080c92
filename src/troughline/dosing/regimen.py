"""Regimens: what is taken and when, made of the tablets that there are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Basis = Literal["label", "practice", "above label"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedDose:
    """An amount (mg) at `time_h` and then `additional` times more, every `interval_h`."""

    time_h: float
    amount_mg: float
    interval_h: float
    additional: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Regimen:
    """A regimen: the amounts of a cycle (mg), one every `interval_h`, after `hold_h` without a dose.

    400 mg twice daily is (400,) every 12 h; 200 and 400 mg on alternate days (200, 400) every 24 h.
    `basis`, `source` and `verified` say where the step comes from.
    """

    id: str
    label: str
    amounts_mg: tuple[float, ...]
    interval_h: float
    hold_h: float = 0.0
    basis: Basis = "label"
    source: str = ""
    verified: bool = False

    def __post_init__(self) -> None:
        if not self.amounts_mg or not all(math.isfinite(a) and a > 0 for a in self.amounts_mg):
            raise ValueError(f"regimen {self.id!r}: every amount must be positive, not {self.amounts_mg}")
        if not (math.isfinite(self.interval_h) and self.interval_h > 0 and self.hold_h >= 0):
            raise ValueError(f"regimen {self.id!r}: the interval must be positive and the hold at least 0")

    @property
    def period_h(self) -> float:
        """Hours after which the amounts repeat."""
        return self.interval_h * len(self.amounts_mg)

    @property
    def daily_dose_mg(self) -> float:
        """The average amount in 24 h, mg."""
        return sum(self.amounts_mg) * 24.0 / self.period_h

    @property
    def largest_dose_mg(self) -> float:
        """The largest single amount, mg."""
        return max(self.amounts_mg)

    def doses(self, start_h: float, until_h: float) -> tuple[RepeatedDose, ...]:
        """The doses from `start_h`, after the hold, before `until_h`: an entry for each amount."""
        first = start_h + self.hold_h
        made: list[RepeatedDose] = []
        for k, amount in enumerate(self.amounts_mg):
            at = first + k * self.interval_h
            count = math.ceil((until_h - at) / self.period_h - 1e-9)
            if count > 0:
                made.append(
                    RepeatedDose(time_h=at, amount_mg=amount, interval_h=self.period_h, additional=count - 1)
                )
        return tuple(made)
