"""A cohort built row by row in memory, its tables exactly as reading them from files would give them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from troughline.cohort.cohort import Cohort
from troughline.cohort.studyfile import Study

Json = dict[str, Any]
DRUG = "sorafenib"


@dataclass(slots=True)
class Records:
    """The rows of a cohort while it is being made; every table as `load_cohort` would give it."""

    patients: dict[str, Json] = field(default_factory=dict[str, Json])
    doses: list[Json] = field(default_factory=list[Json])
    measurements: list[Json] = field(default_factory=list[Json])
    events: list[Json] = field(default_factory=list[Json])

    def dose(self, patient: str, day: float, amount_mg: float, interval_h: float = 12.0) -> None:
        """A dose that holds from `day` on."""
        self.doses.append(
            {
                "patient": patient, "day": float(day), "amount_mg": float(amount_mg),
                "interval_h": float(interval_h), "additional": math.nan, "steady_state": False,
            }
        )  # fmt: skip

    def level(
        self,
        patient: str,
        day: float,
        value: float,
        *,
        unit: str = "ug/mL",
        hours: float = 12.0,
        assay: str | None = "LC-MS/MS",
        limit: float = math.nan,
        below: bool = False,
        analyte: str = DRUG,
        occasion: str | None = None,
        batch: str | None = None,
    ) -> None:
        """A measured level `hours` after the dose; below its limit where `below`."""
        self.measurements.append(
            {
                "patient": patient, "day": float(day), "analyte": analyte,
                "value": math.nan if below else float(value), "unit": unit, "below_limit": below,
                "limit": float(limit), "above_limit": False, "assay": assay, "batch": batch,
                "time_after_dose_h": float(hours), "occasion": occasion,
            }
        )  # fmt: skip

    def event(
        self,
        patient: str,
        day: float,
        event: str,
        *,
        grade: float = math.nan,
        term: str | None = None,
        response: str | None = None,
        criterion: str | None = None,
    ) -> None:
        """One row of the events table."""
        self.events.append(
            {
                "patient": patient, "day": float(day), "event": event, "term": term, "grade": float(grade),
                "version": "5.0" if event == "adverse event" else None, "response": response,
                "criterion": criterion, "lesion_sum_mm": math.nan,
            }
        )  # fmt: skip

    def drop(self, patients: set[str], table: str) -> None:
        """Take the rows of these patients out of one table."""
        setattr(self, table, [r for r in getattr(self, table) if r["patient"] not in patients])

    def cohort(
        self,
        questions: list[Json],
        *,
        covariates: dict[str, Json] | None = None,
        title: str = "A simulated cohort",
        seed: int = 20260101,
    ) -> Cohort:
        """The cohort with these questions."""
        study = Study.model_validate(
            {
                "study": {"title": title, "drug": DRUG, "simulated": True, "seed": seed},
                "tables": {t: f"{t}.csv" for t in ("patients", "doses", "measurements", "events")},
                "covariates": covariates or {},
                "question": questions,
            }
        )
        names = list(dict.fromkeys(key for row in self.patients.values() for key in row))
        index = pd.Index(list(self.patients), dtype=object, name="patient")
        held = {
            name: _column([row.get(name) for row in self.patients.values()], index=index) for name in names
        }
        held["row"] = pd.Series(np.arange(2, len(index) + 2, dtype=np.int64), index=index)
        return Cohort(
            study=study,
            patients=pd.DataFrame(held, index=index),
            doses=_frame(self.doses, DOSE_COLUMNS),
            measurements=_frame(self.measurements, MEASUREMENT_COLUMNS),
            events=_frame(self.events, EVENT_COLUMNS),
            covariates=dict(study.covariates),
            findings=(),
        )


DOSE_COLUMNS = ("patient", "day", "amount_mg", "interval_h", "additional", "steady_state")
MEASUREMENT_COLUMNS = (
    "patient", "day", "analyte", "value", "unit", "below_limit", "limit", "above_limit", "assay", "batch",
    "time_after_dose_h", "occasion",
)  # fmt: skip
EVENT_COLUMNS = (
    "patient", "day", "event", "term", "grade", "version", "response", "criterion", "lesion_sum_mm",
)  # fmt: skip
_TEXT = {
    "patient", "analyte", "unit", "assay", "batch", "occasion", "event", "term", "version", "response",
    "criterion",
}  # fmt: skip
_YES_NO = {"below_limit", "above_limit", "steady_state"}


def _column(values: list[Any], index: Any = None) -> pd.Series[Any]:
    numeric = all(isinstance(v, (int, float)) for v in values)
    return pd.Series(values, index=index, dtype="float64" if numeric and values else object)


def _frame(rows: list[Json], columns: tuple[str, ...]) -> pd.DataFrame:
    held: dict[str, Any] = {
        name: pd.Series(
            [row[name] for row in rows],
            dtype=object if name in _TEXT else "bool" if name in _YES_NO else "float64",
        )
        for name in columns
    }
    held["row"] = pd.Series(np.arange(2, len(rows) + 2, dtype=np.int64))
    return pd.DataFrame(held)
