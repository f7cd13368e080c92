"""The answer of a dose question for Python: the typed result, its contents, tables as DataFrames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from troughline.progress import Progress, silent

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from troughline.dosing.result import DoseResult
    from troughline.issues import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseAnswer:
    """What a dose question found: `contents` is exactly what `result.json` holds, `result` the same typed.

    The tables are those of `tables/*.csv`; a table without rows is an empty DataFrame.
    """

    result: DoseResult
    contents: dict[str, Any]

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        return self.result.sentence

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found in the patient file."""
        return self.result.findings

    @property
    def regimens(self) -> pd.DataFrame:
        """A row a candidate: trough and AUC with intervals, probabilities, utility, days to steady levels."""
        return self._table("regimens")

    @property
    def parameters(self) -> pd.DataFrame:
        """A row an individual quantity: the patient's beside the population's."""
        return self._table("parameters")

    @property
    def samples(self) -> pd.DataFrame:
        """A row a level, with what was predicted at its time."""
        return self._table("samples")

    @property
    def targets(self) -> pd.DataFrame:
        """A row a target of the literature, with the probabilities under it."""
        return self._table("targets")

    @property
    def causes(self) -> pd.DataFrame:
        """A row a common cause of low or high levels, held against the file."""
        return self._table("causes")

    @property
    def next_sample(self) -> pd.DataFrame:
        """A row a time at which one more level could be drawn, with its value."""
        return self._table("next-sample")

    @property
    def earlier(self) -> pd.DataFrame:
        """A row a level that came after an earlier result, with what that predicted."""
        return self._table("earlier")

    @property
    def curve(self) -> pd.DataFrame:
        """The course in long form: of the patient, the population, and ahead under each regimen."""
        return self._table("curve")

    def _table(self, name: str) -> pd.DataFrame:
        import pandas as pd

        from troughline.report.dose_tables import dose_tables

        return pd.DataFrame(dose_tables(self.contents).get(name, []))


def answer_file(
    path: str | Path, *, seed: int | None = None, draws: int | None = None, progress: Progress = silent
) -> DoseAnswer:
    """Answer a patient file; `seed` and `draws` (100 to 200 000) replace the file's where they are given.

    Raises `InputError` with everything wrong, `ValueError` for an option outside its range.
    """
    from troughline.dosing.contents import contents_of
    from troughline.dosing.dose import dose
    from troughline.dosing.patient_file import load_patient

    if draws is not None and not 100 <= draws <= 200_000:
        raise ValueError(f"draws must be between 100 and 200000, not {draws}")
    if seed is not None and seed < 0:
        raise ValueError(f"seed must not be negative, and is {seed}")
    patient, findings = load_patient(path)
    changed = {name: value for name, value in (("seed", seed), ("draws", draws)) if value is not None}
    options = patient.options.model_copy(update=changed)
    result = dose(replace(patient, options=options), findings=findings, progress=progress)
    return DoseAnswer(result=result, contents=contents_of(result))
