"""A cohort's covariates at the records of its patients: from the patients table and from measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.cohort.dosing_history import Floats, Ints
from troughline.cohort.record_covariates import check_ranges, shown_value, with_default
from troughline.cohort.reporting import add_rows, shown
from troughline.issues import Findings, Severity
from troughline.model.carry import carried
from troughline.units import convert_factor

if TYPE_CHECKING:
    import pandas as pd

    from troughline.cohort.cohort import Cohort
    from troughline.model.spec import Covariate, ModelSpec


def covariates_of(
    cohort: Cohort,
    spec: ModelSpec,
    which: Ints,
    value: Floats,
    row: Ints,
    first: Ints,
    time_h: Floats,
    found: Findings,
    *,
    patients_file: str,
    measurements_file: str,
) -> Floats:
    """The model's covariates at each record (n_records, n_covariates), in its units, carried.

    `which` and `value`: the index of the covariate that a record holds, and its value (−1 and NaN: none);
    `row`, `time_h` beside them (n_records,); `first` (n_patients + 1,): where patients begin.
    """
    columns = np.full((len(time_h), len(spec.covariates)), np.nan, order="F")
    for position, covariate in enumerate(spec.covariates):
        own = np.where(which == position, value, np.nan)
        check_ranges(covariate, own, row, found, file=measurements_file, column="value")
        static = _static(cohort, covariate, found, file=patients_file)
        columns[:, position] = _carried(
            covariate, own, static, first, time_h, cohort.patient_ids, found, file=patients_file
        )
    return np.ascontiguousarray(columns)


def _static(cohort: Cohort, covariate: Covariate, found: Findings, *, file: str) -> Floats | None:
    """The patients table's values of a covariate (n_patients,), or None where it has no such column."""
    named = {name.casefold(): name for name in cohort.covariates}
    name = named.get(covariate.name.casefold())
    if name is None or name not in cohort.patients.columns:
        return None
    unit = cohort.covariates[name].unit
    values = _values(cohort.patients, unit, covariate, found, file=file, name=name)
    rows = cohort.patients["row"].to_numpy(dtype=np.int64)
    check_ranges(covariate, values, rows, found, file=file, column=name)
    return values


def _carried(
    covariate: Covariate,
    own: Floats,
    static: Floats | None,
    first: Ints,
    time_h: Floats,
    patients: tuple[str, ...],
    found: Findings,
    *,
    file: str,
) -> Floats:
    """A covariate at each record: `own` values where measured, `static` ones at a patient's first record."""
    begins = first[:-1][np.diff(first) > 0]
    if static is not None:
        # A value measured at the time of the first record is newer than that of the patients table.
        own = own.copy()
        begin_values = own[begins]
        own[begins] = np.where(np.isnan(begin_values), static[np.diff(first) > 0], begin_values)
    elif np.isnan(own).all() and covariate.default is not None:
        found.add(
            Severity.NOTE,
            "covariate-default",
            f"{covariate.name} is neither declared for the patients table nor measured: all have the model's "
            f"default, {shown_value(covariate)}",
            file=file,
        )
        return np.full(len(own), covariate.default)
    filled = carried(own, first, covariate.carry, time_h=time_h)
    return with_default(covariate, filled, first, patients, found, file=file)


def _values(
    frame: pd.DataFrame, unit: str | None, covariate: Covariate, found: Findings, *, file: str, name: str
) -> Floats:
    """A column of the patients table as values of a model's covariate (n_patients,); NaN where missing.

    `unit` is the one that the study declares for the column, None where it declares levels.
    """
    column = frame[name]
    row = frame["row"].to_numpy(dtype=np.int64)
    if (covariate.levels is None) != (unit is not None):
        found.add(
            Severity.ERROR,
            "covariate-kind",
            "the study and the model disagree about this covariate: "
            + ("a number in the model" if covariate.levels is None else f"levels {covariate.levels} in it"),
            file=file,
            column=name,
        )
        return np.full(len(frame), np.nan)
    if covariate.levels is not None:
        codes = {level.casefold(): float(code) for code, level in enumerate(covariate.levels)}
        texts = ["" if text is None else str(text) for text in column.tolist()]
        values = np.array([codes.get(text.casefold(), np.nan) for text in texts], dtype=np.float64)
        bad = np.isnan(values) & np.array([text not in ("", "nan") for text in texts], dtype=bool)
        message = f"none of the model's levels: {', '.join(covariate.levels)}"
        add_rows(
            found, Severity.ERROR, "unknown-level", row, bad,
            lambda i: f"{shown(texts[i])} is {message}", file=file, column=name,
        )  # fmt: skip
        return values
    try:
        factor = convert_factor(unit or "1", covariate.unit)
    except ValueError as error:
        found.add(Severity.ERROR, "covariate-unit", str(error), file=file, column=name)
        return np.full(len(frame), np.nan)
    return column.to_numpy(dtype=np.float64) * float(factor.numerator) / float(factor.denominator)
