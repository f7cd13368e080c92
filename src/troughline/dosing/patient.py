"""One patient as dosing sees him: hours since the first dose, mg, mg/L."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from troughline.dosing.patient_schema import Options

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from troughline.dosing.patient_schema import PatientFile
    from troughline.dosing.regimen import Regimen


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenDose:
    """A dose that was taken; `interval_h` is the one prescribed then, `food` how it was taken.

    `daily_mg`: the daily dose prescribed then, on average over a cycle; None: every dose was this one.
    """

    time_h: float
    amount_mg: float
    interval_h: float
    food: str = "not known"
    daily_mg: float | None = None

    @property
    def prescribed_daily_mg(self) -> float:
        """The daily dose prescribed when it was taken, mg."""
        return self.amount_mg * 24.0 / self.interval_h if self.daily_mg is None else self.daily_mg


@dataclass(frozen=True, slots=True, kw_only=True)
class CovariateValue:
    """A covariate from `time_h` on, in the unit of the file; a level is text."""

    name: str
    value: float | str
    unit: str | None
    time_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A measured level, mg/L; `value` is None below `limit`. `written` is it in `unit`, as in the file.

    `number` counts the file's levels from 1. `occasion`: as the file numbers it, or None.
    """

    number: int
    time_h: float
    value: float | None
    limit: float | None
    written: float | None
    unit: str
    method: str
    occasion: int | None
    use: bool
    reason: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxicity:
    """A toxicity by CTCAE grade, from `time_h` to `until_h` (None: not said)."""

    time_h: float
    until_h: float | None
    term: str
    grade: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherDrug:
    """A drug taken beside it, from and to in h (None: throughout)."""

    name: str
    kind: str | None
    start_h: float | None
    until_h: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DosePatient:
    """A patient whose file was read and checked.

    - `now_h`: the decision; `origin`: the clock time of the first dose, None where the file has no clock.
    - `doses`: those that were taken, in order; `missed_h`: when one was not.
    - `regimen`: the one in force at the decision (None: a hold, since `hold_since_h`).
    - `levels`: all, `use` says which count. `file`: as written, for its target, models and options.
    """

    id: str
    title: str
    drug: str
    simulated: bool
    now_h: float
    doses: tuple[GivenDose, ...]
    missed_h: tuple[float, ...] = ()
    regimen: Regimen | None
    hold_since_h: float | None = None
    levels: tuple[Level, ...] = ()
    covariates: tuple[CovariateValue, ...] = ()
    toxicity: tuple[Toxicity, ...] = ()
    other_drugs: tuple[OtherDrug, ...] = ()
    no_other_drugs: bool = False
    adherence: float | None = None
    largest_daily_dose_mg: float | None = None
    tolerance_reason: str = ""
    origin: datetime | None = None
    options: Options = field(default_factory=Options)
    file: PatientFile | None = None
    path: Path | None = None
    sha256: str = ""

    @property
    def used_levels(self) -> tuple[Level, ...]:
        """The levels that the estimate uses."""
        return tuple(level for level in self.levels if level.use)

    def clock(self, time_h: float) -> str | None:
        """A moment as clock time, `2026-03-01T08:00`, or None where the file has no clock."""
        if self.origin is None:
            return None
        from troughline.dosing.patient_times import clock_time

        return clock_time(self.origin, time_h).isoformat(timespec="minutes")
