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
WENT_ON_H = 28 * 24.0
"""A toxicity without an end is taken as over where doses went on for so long after it began."""
WORST = 4
"""From this grade on the dose at which a toxicity came is not offered again, even where it is in force."""
HOLD_H = 36.0
"""Half of the least time without a dose that counts as a hold after a toxicity without an end."""
HOLD_DAYS = 7.0
"""How long a hold is offered for an ongoing severe toxicity where the file sets no `hold_days`."""
_SAME = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class SevereToxicity:
    """A toxicity of grade 3 or more, and the daily dose (mg) in force before the last dose taken.

    `since_dose_h`: hours from that dose; `daily_dose_mg` is 0 where it came before any dose, or more than
    28 days after the last one. `ongoing`: not over at the decision (see `ongoing`). `end_known`: whether
    the file says when it ended.
    """

    term: str
    grade: int
    day: float
    daily_dose_mg: float
    since_dose_h: float = 0.0
    ongoing: bool = False
    end_known: bool = True

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
                ongoing=ongoing(patient, t), end_known=t.until_h is not None,
            )
        )  # fmt: skip
    return tuple(made)


def ongoing(patient: DosePatient, toxicity: Toxicity) -> bool:
    """Whether a toxicity that began on treatment is not over at the decision.

    Its end, where the file gives one, decides. Without one it is taken as over where the drug was held, or
    its dose reduced, after it began, or where doses went on for 28 days; otherwise as not over.
    """
    doses = patient.doses
    if toxicity.time_h < doses[0].time_h - _SAME:
        return False
    if toxicity.until_h is not None:
        return toxicity.until_h > patient.now_h + _SAME
    later = [d for d in doses if d.time_h > toxicity.time_h + _SAME]
    before = [d for d in doses if d.time_h <= toxicity.time_h + _SAME]
    if not later:
        return True
    held = later[0].time_h - before[-1].time_h > 2 * HOLD_H
    reduced = any(d.prescribed_daily_mg < before[-1].prescribed_daily_mg - _SAME for d in later)
    return not (held or reduced or later[-1].time_h - toxicity.time_h > WENT_ON_H)


def ongoing_severe(patient: DosePatient) -> tuple[SevereToxicity, ...]:
    """The severe toxicities that are not over at the decision."""
    return tuple(t for t in severe_toxicities(patient) if t.ongoing)


def at_or_below(patient: DosePatient, regimen: Regimen) -> tuple[SevereToxicity, ...]:
    """The severe toxicities that came at no more than a regimen's daily dose."""
    most = regimen.daily_dose_mg + _SAME
    return tuple(t for t in severe_toxicities(patient) if 0 < t.daily_dose_mg <= most)


def ruled_out(patient: DosePatient, regimen: Regimen) -> SevereToxicity | None:
    """The toxicity that rules a regimen out unless `tolerance.largest_daily_dose_mg` says otherwise.

    Nobody goes back up, or restarts, to a daily dose at which a severe toxicity came; of grade 4 on even the
    dose in force is ruled out.
    """
    if patient.largest_daily_dose_mg is not None:
        return None
    now = 0.0 if patient.regimen is None else patient.regimen.daily_dose_mg
    return next(
        (
            t for t in reversed(at_or_below(patient, regimen))
            if t.grade >= WORST or regimen.daily_dose_mg > now + _SAME
        ), None,
    )  # fmt: skip


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
            f"{hold}: by this file the {last.words} is not over, and the label's rules for severe toxicity "
            f"come before any target. {sentence}{again}"
        )
    worst = [t.words for t in severe_toxicities(patient) if t.grade >= WORST and t.daily_dose_mg > 0]
    if worst:
        return (
            f"{sentence} But the patient had {worst[-1]}, for which the label may ask to stop for good: that "
            "comes before any target."
        )
    return f"{sentence} But the patient had {list(had)[-1]}." if had else sentence
