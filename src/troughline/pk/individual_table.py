"""The effects of individuals from a table: `patient`, a column for each effect, `name@occasion` for some."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.issues import Findings, InputError, Severity

if TYPE_CHECKING:
    from troughline.cohort.schema import Table
    from troughline.model.model import Model
    from troughline.model.records import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def read_individuals(path: Path, model: Model, records: Records) -> tuple[Floats, Findings]:
    """The effects of each patient of `records` (n_patients, q), as the engine takes them, and what was found.

    A patient whose between-subject effects are all empty has no estimate: NaN. A between-occasion effect
    that is empty, or of an occasion without a column, is that of a new occasion: 0, and reported.
    Raises `InputError` with every finding where a column or a patient is missing or a cell is no number.
    """
    from troughline.cohort.readers import read_table
    from troughline.cohort.schema import Table
    from troughline.model.engine import effects_per_patient
    from troughline.pk.individual import effect_names

    found = Findings()
    raw = read_table(path.name, path.parent, found).table
    if raw is None:
        raise InputError(found)
    subject = model.spec.subject_effects
    own = effects_per_patient(model.compiled, records)
    names = effect_names(model, max(int(own.max(initial=0)), len(subject)))
    there = {c: c for c in raw.columns}
    _check_columns(raw.columns, subject, model, found, raw.file)
    table = Table(
        file=raw.file,
        rows=raw.rows,
        text={c: raw.cells[c] for c in raw.columns},
        names=there,
        present=frozenset(there),
        decimal_comma=raw.decimal_comma,
    )
    place = _places(table, records, found)
    effects = _numbers(table, names, found)[place]
    found.raise_errors()
    _check_subject(table, names[: len(subject)], place, effects, records, found)
    _fill_occasions(names, len(subject), own, effects, records, found, raw.file)
    found.raise_errors()
    return effects, found


def _check_columns(
    columns: tuple[str, ...], subject: tuple[str, ...], model: Model, found: Findings, file: str
) -> None:
    from troughline.model.wording import did_you_mean

    for name in ("patient", *subject):
        if name not in columns:
            found.add(
                Severity.ERROR,
                "missing-column",
                f"the effects of individuals need this column for {model.id}; "
                f"{did_you_mean(name, columns, 'columns of the file')}",
                file=file,
                row=1,
                column=name,
            )
    found.raise_errors()


def _places(table: Table, records: Records, found: Findings) -> Ints:
    """For each patient of the records his place in the table (n_patients,)."""
    import pandas as pd

    from troughline.cohort.record_covariates import name_patients
    from troughline.cohort.reporting import add_rows, shown

    cells = table.column("patient")
    repeated = np.asarray(cells.duplicated(), dtype=bool)
    add_rows(
        found, Severity.ERROR, "duplicate-patient", table.rows, repeated,
        lambda i: f"patient {shown(cells.iloc[i])} stands further up already",
        file=table.file, column="patient",
    )  # fmt: skip
    found.raise_errors()
    place = pd.Index(cells).get_indexer(pd.Index(list(records.patients))).astype(np.int64)
    strangers = [records.patients[i] for i in np.flatnonzero(place < 0).tolist()]
    if strangers:
        found.add(
            Severity.ERROR, "patient-missing", f"has no {name_patients(strangers)} of the data",
            file=table.file, column="patient",
        )  # fmt: skip
    found.raise_errors()
    return place


def _numbers(table: Table, names: tuple[str, ...], found: Findings) -> Floats:
    from troughline.cohort.values import numbers

    values = np.full((len(table), len(names)), np.nan)
    for k, name in enumerate(names):
        if name in table.present:
            values[:, k] = numbers(table, name, found)
    return values


def _check_subject(
    table: Table, subject: tuple[str, ...], place: Ints, effects: Floats, records: Records, found: Findings
) -> None:
    """An error for patients with some of their effects, a warning about those with none."""
    from troughline.cohort.record_covariates import name_patients
    from troughline.cohort.reporting import add_rows

    empty = np.isnan(effects[:, : len(subject)])
    none = empty.all(axis=1) & (len(subject) > 0)
    for k, name in enumerate(subject):
        add_rows(
            found, Severity.ERROR, "missing-value", table.rows[place], empty[:, k] & ~none,
            lambda _: "is empty, and other effects of the patient are not", file=table.file, column=name,
        )  # fmt: skip
    lost = [records.patients[i] for i in np.flatnonzero(none).tolist()]
    if lost:
        found.add(
            Severity.WARNING, "no-estimate",
            f"no effects of {name_patients(lost)}: without an individual prediction", file=table.file,
        )  # fmt: skip


def _fill_occasions(
    names: tuple[str, ...],
    n_subject: int,
    own: Ints,
    effects: Floats,
    records: Records,
    found: Findings,
    file: str,
) -> None:
    """Occasions of the data that the table does not know take the typical value, and are reported."""
    from troughline.cohort.record_covariates import name_patients

    mine = np.arange(len(names)) < own[:, None]
    lost = np.asarray(np.isnan(effects[:, :n_subject]).all(axis=1), dtype=bool) & (n_subject > 0)
    new: Flags = mine & np.isnan(effects) & (np.arange(len(names)) >= n_subject) & ~lost[:, None]
    effects[new | ~mine] = 0.0
    for k in np.flatnonzero(new.any(axis=0)).tolist():
        who = [records.patients[i] for i in np.flatnonzero(new[:, k]).tolist()]
        found.add(
            Severity.WARNING,
            "new-occasion",
            f"no value of {names[k]} for {name_patients(who)}: a new occasion, with the typical value",
            file=file,
        )
