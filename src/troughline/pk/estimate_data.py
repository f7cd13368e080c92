"""What `estimate` reads: a NONMEM-style file, or the tables of a study file, as records of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from troughline.model.model import Model
    from troughline.model.records import Records
    from troughline.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateData:
    """Records with what was found while reading; `title` of a study, else the file's name; `simulated`: the
    study says that no patient gave its data; `input_hashes`: SHA-256 by file name."""

    records: Records
    findings: Findings
    title: str
    simulated: bool
    input_hashes: Mapping[str, str]


def read_estimate_data(
    path: Path, model: Model, *, columns: Mapping[str, str | None], progress: Progress
) -> EstimateData:
    """The records of a data file; a name that ends in `.toml` is a study file.

    `columns` as `read_nonmem` takes them; a study file names its own. Raises `InputError` with every finding
    where one is an error.
    """
    if path.suffix.lower() != ".toml":
        from troughline.cohort.nonmem import read_nonmem

        read = read_nonmem(path, model.spec, columns=columns, progress=progress)
        return EstimateData(
            records=read.records,
            findings=Findings(list(read.findings)),
            title=path.name,
            simulated=False,
            input_hashes=read.input_hashes,
        )
    if columns:
        raise ValueError(
            f"{path.name}: a study file names the columns of its tables itself, in [columns.TABLE]"
        )
    return _of_study(path, model, progress)


def _of_study(path: Path, model: Model, progress: Progress) -> EstimateData:
    from troughline.cohort.dosing_records import records_of
    from troughline.cohort.load import load_cohort
    from troughline.cohort.studyfile import load_study

    cohort = load_cohort(load_study(path), progress=progress)
    found = Findings(list(cohort.findings))
    drug = cohort.study.study.drug
    if drug.casefold() != model.spec.drug.casefold():
        message = f"the study is of {drug}, the model {model.id} of {model.spec.drug}"
        found.add(Severity.WARNING, "other-drug", message, file=path.name, column="drug")
    records, more = records_of(cohort, model.spec)
    found.extend(more)
    found.raise_errors()
    return EstimateData(
        records=records,
        findings=found,
        title=cohort.study.study.title,
        simulated=cohort.study.study.simulated,
        input_hashes=cohort.input_hashes,
    )
