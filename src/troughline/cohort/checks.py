"""Checks across tables: nothing after death, patients without records, what questions ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.patients import Roster
from troughline.cohort.reporting import add_rows, shown
from troughline.issues import Findings, Severity
from troughline.units import is_convertible, is_unit, molar_mass_g_per_mol

if TYPE_CHECKING:
    import pandas as pd

    from troughline.cohort.studyfile import Study

_MAY_FOLLOW_DEATH = ("death", "last contact")
_PATIENTS_NAMED = 5
_WHOLE_DAY = 1.0 - 1e-9
# What a question may be adjusted for without declaring it: the daily dose when the level was drawn.
ADJUSTABLE_DOSE = "dose"


def check_after_death(
    frames: Mapping[str, tuple[str, pd.DataFrame]],
    events: tuple[str, pd.DataFrame, NDArray[np.bool_]] | None,
    found: Findings,
) -> None:
    """An error for each sample, dose or event after its patient's death.

    `frames`: file name and rows of each other table; `events`: file name, rows, and for which of them only
    the day of the event is known. A death whose time of day is unknown covers its whole day.
    """
    if events is None:
        return
    events_file, event_rows, whole = events
    death = np.asarray((event_rows["event"] == "death") & (event_rows["day"] >= 0), dtype=bool)
    end: dict[str, float] = {}
    told: dict[str, str] = {}
    for patient, day, row, only_day in zip(
        event_rows["patient"][death],
        event_rows["day"][death],
        event_rows["row"][death],
        whole[death],
        strict=True,
    ):
        if patient is not None and patient not in end:
            # A little less than a day: the next midnight is after the day of death.
            end[str(patient)] = float(day) + (_WHOLE_DAY if only_day else 0.0)
            told[str(patient)] = f"the death on day {day:.6g} ({events_file} row {int(row)})"
    if not end:
        return
    living = ~np.asarray(event_rows["event"].isin(_MAY_FOLLOW_DEATH), dtype=bool)
    tables = [("event", events_file, event_rows[living])]
    tables += [(kind, file, frame) for kind, (file, frame) in frames.items()]
    for kind, file, frame in tables:
        last = frame["patient"].map(end).to_numpy(dtype=np.float64)
        day = frame["day"].to_numpy(dtype=np.float64)
        with np.errstate(invalid="ignore"):
            after = day > last
        patients = frame["patient"].to_numpy(dtype=object)
        add_rows(
            found,
            Severity.ERROR,
            "after-death",
            frame["row"].to_numpy(dtype=np.int64),
            after,
            lambda i, kind=kind, day=day, patients=patients: (
                f"this {kind} of patient {shown(patients[i])} on day {day[i]:.6g} is after "
                f"{told[str(patients[i])]}"
            ),
            file=file,
            column="time",
        )


def note_patients_without_records(roster: Roster, frames: Iterable[pd.DataFrame], found: Findings) -> None:
    """One note that counts the patients of whom no other table has a row."""
    tables = list(frames)
    if not tables:
        return
    seen: set[str] = set()
    for frame in tables:
        seen.update(str(p) for p in frame["patient"].dropna().unique())
    without = [patient for patient in roster.row_of if patient not in seen]
    if without:
        named = ", ".join(without[:_PATIENTS_NAMED]) + (", …" if len(without) > _PATIENTS_NAMED else "")
        found.add(
            Severity.NOTE,
            "no-records",
            f"{len(without)} of {len(roster.row_of)} patients have no row in any other table: {named}",
            file=roster.file,
        )


def check_questions(
    study: Study, measurements: tuple[str, pd.DataFrame] | None, covariates: Iterable[str], found: Findings
) -> None:
    """Errors for predictors that the study cannot have: unknown units, undeclared covariates.

    An analyte without a row, or in a unit that does not convert to the question's, is a warning, because
    only its question suffers.
    """
    from troughline.cohort.change_checks import check_change
    from troughline.cohort.question_change import ChangeQuestion
    from troughline.cohort.studyfile_messages import did_you_mean

    known = list(covariates)
    measured = None if measurements is None else MeasuredAnalytes.of(measurements)
    for question in study.question:
        predictor, where = question.predictor, f"question {question.id} predictor"
        place = study.path.name
        if isinstance(question, ChangeQuestion):
            check_change(question, study, measurements, measured, known, found)
        if predictor is not None and predictor.covariate is not None and predictor.covariate not in known:
            found.add(
                Severity.ERROR,
                "covariate-undeclared",
                f"{shown(predictor.covariate)} is not declared under [covariates] and cannot be computed; "
                f"there are: {', '.join(known) or 'none'}",
                file=place,
                column=where,
            )
        for name in question.adjust:
            if predictor is not None and name == predictor.covariate:
                message = f"{shown(name)} is the predictor: it cannot be adjusted for itself"
            elif name not in known and name != ADJUSTABLE_DOSE:
                hint = did_you_mean(name, [*known, ADJUSTABLE_DOSE], "the covariates")
                message = f"{shown(name)} is not declared under [covariates] and cannot be computed; {hint}"
            else:
                continue
            found.add(
                Severity.ERROR, "adjust-impossible", message, file=place,
                column=f"question {question.id} adjust",
            )  # fmt: skip
        if predictor is None or predictor.analyte is None or predictor.unit is None:
            continue
        if not is_unit(predictor.unit):
            found.add(
                Severity.ERROR,
                "unknown-unit",
                f"{shown(predictor.unit)} is no unit known here",
                file=place,
                column=where,
            )
        elif measured is not None:
            unit = predictor.level_unit or predictor.unit
            changes = isinstance(question, ChangeQuestion)
            then = "no change is held against it" if changes else "this question cannot be answered"
            check_analyte(predictor.analyte, unit, measured, place, where, found, then=then)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredAnalytes:
    """The analytes of a measurements table as written, and the units of each by its name in lower case."""

    file: str
    names: tuple[str, ...]
    units: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, measurements: tuple[str, pd.DataFrame]) -> MeasuredAnalytes:
        """Read once for all questions and markers of a study."""
        file, frame = measurements
        pairs = frame[["analyte", "unit"]].drop_duplicates().dropna(subset="analyte")
        units: dict[str, set[str]] = {}
        rows: Any = zip(pairs["analyte"].tolist(), pairs["unit"].tolist(), strict=True)
        for analyte, unit in rows:
            units.setdefault(str(analyte).casefold(), set()).update([unit] if isinstance(unit, str) else [])
        return cls(
            file=file,
            names=tuple(sorted({str(a) for a in pairs["analyte"].tolist()})),
            units={name: tuple(sorted(own)) for name, own in units.items()},
        )


def check_analyte(
    analyte: str,
    unit: str,
    measured: MeasuredAnalytes,
    place: str,
    where: str,
    found: Findings,
    *,
    then: str,
) -> None:
    """Warnings for an analyte without a row and for units that do not convert to `unit`.

    `then` says what follows from a unit that does not convert.
    """
    if analyte.casefold() not in measured.units:
        found.add(
            Severity.WARNING,
            "analyte-absent",
            f"{measured.file} has no row of {shown(analyte)}; it has: {', '.join(measured.names) or 'none'}",
            file=place,
            column=where,
        )
        return
    mass = molar_mass_g_per_mol(analyte)
    used = measured.units[analyte.casefold()]
    apart = [u for u in used if is_unit(u) and not is_convertible(u, unit, molar_mass_g_per_mol=mass)]
    if apart:
        found.add(
            Severity.WARNING,
            "unit-not-convertible",
            f"{analyte} is measured in {' and '.join(apart)}, which does not convert to the question's "
            f"{unit}: {then}",
            file=place,
            column=where,
        )
