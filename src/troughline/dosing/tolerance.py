"""Severe toxicity that the patient has had, and the daily dose at which it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.regimen import Regimen

SEVERE = 3
_WINDOW_H = 96.0
"""A daily dose is that of the four days before."""
_SAME = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class SevereToxicity:
    """A toxicity of grade 3 or more, the day, and the average daily dose (mg) of the four days before."""

    term: str
    grade: int
    day: float
    daily_dose_mg: float

    @property
    def words(self) -> str:
        """It in words: `grade 3 diarrhoea on day 29 at 800 mg a day`."""
        return f"grade {self.grade} {self.term} on day {self.day:.0f} at {self.daily_dose_mg:.0f} mg a day"


def severe_toxicities(patient: DosePatient) -> tuple[SevereToxicity, ...]:
    """The severe toxicities in the order in which they came, each with the dose before it."""
    made: list[SevereToxicity] = []
    for t in patient.toxicity:
        if t.grade < SEVERE:
            continue
        before = [d for d in patient.doses if t.time_h - _WINDOW_H <= d.time_h < t.time_h]
        days = min(_WINDOW_H, max(t.time_h - patient.doses[0].time_h, 24.0)) / 24.0
        daily = sum(d.amount_mg for d in before) / days
        made.append(SevereToxicity(term=t.term, grade=t.grade, day=t.time_h / 24.0, daily_dose_mg=daily))
    return tuple(made)


def at_or_below(patient: DosePatient, regimen: Regimen) -> tuple[SevereToxicity, ...]:
    """The severe toxicities that came at no more than a regimen's daily dose."""
    most = regimen.daily_dose_mg + _SAME
    return tuple(t for t in severe_toxicities(patient) if 0 < t.daily_dose_mg <= most)
