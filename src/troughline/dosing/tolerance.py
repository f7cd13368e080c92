"""Severe toxicity that the patient has had: the daily dose at which it came, and whether it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.dosing.patient import DosePatient, Toxicity
    from troughline.dosing.regimen import Regimen

SEVERE = 3
LAG_H = 28 * 24.0
"""A toxicity is booked at the dose in force before the last dose taken, for so long after that dose."""
RECENT_H = 14 * 24.0
"""A severe toxicity that began or ended so shortly before the decision still speaks for a hold."""
HOLD_DAYS = 7.0
"""How long a hold is offered for an ongoing severe toxicity where the file sets no `hold_days`."""
_SAME = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class SevereToxicity:
    """A toxicity of grade 3 or more, and the daily dose (mg) in force before the last dose taken.

    `since_dose_h`: hours from that dose; `daily_dose_mg` is 0 where it came before any dose, or more than
    28 days after the last one. `ongoing`: the file gives no end of it, or an end or a begin within 14 days.
    """

    term: str
    grade: int
    day: float
    daily_dose_mg: float
    since_dose_h: float = 0.0
    ongoing: bool = False

    @property
    def words(self) -> str:
        """It in words: `grade 3 diarrhoea on day 29 at 800 mg a day`."""
        said = f"grade {self.grade} {self.term} on day {self.day:.0f}"
        if self.daily_dose_mg <= 0:
            return said
        days = self.since_dose_h / 24.0
        later = f", {days:.0f} days after the last dose" if days >= 2 else ""
        return f"{said} at {self.daily_dose_mg:.0f} mg a day{later}"


def severe_toxicities(patient: DosePatient) -> tuple[SevereToxicity, ...]:
    """The severe toxicities in the order in which they came, each with the dose that it is booked at."""
    made: list[SevereToxicity] = []
    for t in patient.toxicity:
        if t.grade < SEVERE:
            continue
        # What was held or missed is no dose: the last one that was taken says what was in force.
        last = next((d for d in reversed(patient.doses) if d.time_h <= t.time_h + _SAME), None)
        since = 0.0 if last is None else t.time_h - last.time_h
        daily = 0.0 if last is None or since > LAG_H else last.prescribed_daily_mg
        made.append(
            SevereToxicity(
                term=t.term, grade=t.grade, day=t.time_h / 24.0, daily_dose_mg=daily, since_dose_h=since,
                ongoing=_ongoing(t, patient.now_h),
            )
        )  # fmt: skip
    return tuple(made)


def _ongoing(toxicity: Toxicity, now_h: float) -> bool:
    return toxicity.until_h is None or toxicity.until_h >= now_h - RECENT_H - _SAME


def ongoing_severe(patient: DosePatient) -> tuple[SevereToxicity, ...]:
    """The severe toxicities that are not said to be over for 14 days."""
    return tuple(t for t in severe_toxicities(patient) if t.ongoing)


def at_or_below(patient: DosePatient, regimen: Regimen) -> tuple[SevereToxicity, ...]:
    """The severe toxicities that came at no more than a regimen's daily dose."""
    most = regimen.daily_dose_mg + _SAME
    return tuple(t for t in severe_toxicities(patient) if 0 < t.daily_dose_mg <= most)


def offered_again(patient: DosePatient) -> SevereToxicity | None:
    """The last severe toxicity at a dose that the largest one the patient bears does not rule out."""
    most = patient.largest_daily_dose_mg
    return next(
        (
            t for t in reversed(severe_toxicities(patient))
            if t.daily_dose_mg > 0 and (most is None or t.daily_dose_mg <= most + _SAME)
        ), None,
    )  # fmt: skip


def with_toxicity(sentence: str, patient: DosePatient, named: Sequence[Regimen]) -> str:
    """An answer's sentence with the severe toxicity in it: a hold before it while one is ongoing.

    Where none is, those at a dose no higher than that of a regimen that the answer names stand behind it.
    """
    ongoing = ongoing_severe(patient)
    had = {t.words: t for r in named for t in at_or_below(patient, r)}
    if ongoing:
        again = " A dose named here is no lower than the one at which it came." if had else ""
        last = ongoing[-1]
        hold = "Hold the drug" if patient.regimen is not None else "Stay on hold"
        return (
            f"{hold}: by this file the {last.words} is not over, or has been over for less than "
            f"{RECENT_H / 24:g} days, and the label's rules for severe toxicity come before any target. "
            f"{sentence}{again}"
        )
    return f"{sentence} But the patient had {list(had)[-1]}." if had else sentence
