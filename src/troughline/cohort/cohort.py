"""A cohort: the four tables after reading, checking and conversion to study days and canonical units."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from troughline.issues import Finding

if TYPE_CHECKING:
    import pandas as pd

    from troughline.cohort.studyfile import CovariateSpec, Study


@dataclass(frozen=True)
class Cohort:
    """Patients and what was measured in them; times are days since each patient's first dose.

    `patients`: one row a patient, index `patient` (text), in file order; `group`, `arm` where given; a
    float column for each numeric covariate in the unit declared for it, an object column of text for each
    category; missing is NaN or None; every other column that a question names is kept as text; `row`.
    Scores computed from their parts are added as covariates (`child_pugh_score`, `child_pugh_class`, `albi`,
    `albi_grade`, `meld3`, `bclc`) where the parts are there.

    `approximate` (bool) and `published_study` stand where `troughline reconstruct` made the table.

    `doses`: `patient`, `day`, `amount_mg` (0 is a hold), `interval_h`, `additional`, `steady_state`, `row`.

    `measurements`: `patient`, `day`, `analyte`, `value` (in `unit`, as written; NaN where below the limit),
    `unit`, `below_limit` (bool), `limit` (in `unit`; NaN where none), `above_limit` (bool: then the limit is
    the upper one and `value` NaN), `assay`, `batch`,
    `time_after_dose_h`, `occasion`, `row`.

    `events`: `patient`, `day`, `event`, `term`, `grade`, `version`, `response`, `criterion`,
    `lesion_sum_mm`, `row`.

    A table that the study does not have is an empty frame with these columns.
    """

    study: Study
    patients: pd.DataFrame
    doses: pd.DataFrame
    measurements: pd.DataFrame
    events: pd.DataFrame
    covariates: dict[str, CovariateSpec]
    findings: tuple[Finding, ...]
    input_hashes: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """Every patient, in file order."""
        return tuple(str(p) for p in self.patients.index)

    @property
    def approximate(self) -> bool:
        """Whether any patient was made from a printed summary."""
        return self._is_column("approximate", "bool") and bool(self.patients["approximate"].any())

    @property
    def reconstructed_from(self) -> tuple[str, ...]:
        """The published studies that the patients were reconstructed from, by their ids on file."""
        if "published_study" not in self.patients.columns:
            return ()
        return tuple(
            dict.fromkeys(str(s) for s in self.patients["published_study"].tolist() if s is not None)
        )

    def _is_column(self, name: str, kind: str) -> bool:
        return name in self.patients.columns and str(self.patients[name].dtype) == kind
