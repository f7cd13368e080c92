"""Covariates and occasions of records: carried so that none is missing, held against the model's ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.nonmem_columns import Floats, Ints, Reading
from troughline.cohort.nonmem_times import Timeline
from troughline.cohort.reporting import MAX_ROWS_NAMED, add_rows, name_rows
from troughline.issues import Findings, Severity
from troughline.model.carry import carried

if TYPE_CHECKING:
    from troughline.model.spec import Covariate


def covariates_of_file(reading: Reading, line: Timeline) -> Floats:
    """The model's covariates at each record (n_records, n_covariates), in the model's units, carried.

    A covariate without a column, and one that a patient has no value of, takes the model's default and is
    said to; where there is no default that is an error.
    """
    spec, table, found = reading.spec, reading.table, reading.found
    columns = np.full((len(reading), len(spec.covariates)), np.nan, order="F")
    for position, covariate in enumerate(spec.covariates):
        if reading.has(covariate.name):
            values = _cells(reading, covariate)
            check_ranges(
                covariate, values, table.rows, found, file=table.file, column=table.called(covariate.name)
            )
            values = carried(values, line.first, covariate.carry)
            columns[:, position] = with_default(
                covariate, values, line.first, line.patients, found, file=table.file
            )
        elif covariate.default is None:
            reading.say(
                Severity.ERROR,
                "covariate-missing",
                f"the file has no column {covariate.name}, a covariate for which the model has no default",
            )
        else:
            columns[:, position] = covariate.default
            reading.say(
                Severity.NOTE,
                "covariate-default",
                f"without a column {covariate.name} all have the model's default, {shown_value(covariate)}",
            )
    return np.ascontiguousarray(columns)


def check_ranges(
    covariate: Covariate,
    values: Floats,
    rows: NDArray[np.int64],
    found: Findings,
    *,
    file: str,
    column: str,
) -> None:
    """Errors for values outside the hard range, one warning for those outside the range studied.

    `values` are in the covariate's unit, NaN where missing, with `rows` of the file beside them, both
    (n_values,).
    """
    unit = "" if covariate.unit == "1" else f" {covariate.unit}"
    outside = np.zeros(len(values), dtype=bool)
    if covariate.hard is not None:
        low, high = covariate.hard
        outside = (values < low) | (values > high)
        add_rows(
            found,
            Severity.ERROR,
            "covariate-range",
            rows,
            outside,
            lambda i: f"{values[i]:g}{unit} lies outside {low:g} to {high:g}{unit}: the model ends there",
            file=file,
            column=column,
        )
    if covariate.soft is not None:
        low, high = covariate.soft
        beyond = ((values < low) | (values > high)) & ~outside
        if beyond.any():
            worst = values[beyond][np.argmax(np.abs(values[beyond] - (low + high) / 2))]
            found.add(
                Severity.WARNING,
                "covariate-extrapolated",
                f"values outside {low:g} to {high:g}{unit}, the range studied, as far as {worst:g} "
                f"({name_rows(rows[beyond])})",
                file=file,
                column=column,
            )


def with_default(
    covariate: Covariate,
    values: Floats,
    first: Ints,
    patients: tuple[str, ...],
    found: Findings,
    *,
    file: str,
) -> Floats:
    """Carried values, with the model's default for the patients who have none; an error without a default.

    `values` (n_records,); `first` (n_patients + 1,) where each patient's records begin.
    """
    missing = np.isnan(values)
    if not missing.any():
        return values
    # Carried values are missing in all records of a patient or in none.
    without = np.flatnonzero(missing[np.minimum(first[:-1], len(values) - 1)] & (np.diff(first) > 0))
    named = name_patients([patients[i] for i in without.tolist()])
    if covariate.default is None:
        found.add(
            Severity.ERROR,
            "covariate-missing",
            f"no value of {covariate.name} for {named}, and the model has no default",
            file=file,
        )
        return values
    found.add(
        Severity.NOTE,
        "covariate-default",
        f"no value of {covariate.name} for {named}: the model's default, {shown_value(covariate)}",
        file=file,
    )
    return np.where(missing, covariate.default, values)


def shown_value(covariate: Covariate) -> str:
    """A covariate's default as a message shows it: `80 kg`, or the level's name."""
    if covariate.default is None:
        return "none"
    if covariate.levels is not None:
        return covariate.levels[int(covariate.default)]
    return f"{covariate.default:g}" + ("" if covariate.unit == "1" else f" {covariate.unit}")


def name_patients(names: list[str]) -> str:
    """`patient 4` or `patients 4, 7` or `patients 4, 7, … (12 in all)`."""
    if len(names) == 1:
        return f"patient {names[0]}"
    more = f", … ({len(names)} in all)" if len(names) > MAX_ROWS_NAMED else ""
    return f"patients {', '.join(names[:MAX_ROWS_NAMED])}{more}"


def occasion_index(
    labels: Floats, first: Ints, *, rule: Literal["next", "last"] = "last", time_h: Floats | None = None
) -> Ints:
    """For each record the index 0, 1, … of its occasion within the patient, in order of appearance.

    `labels` (n_records,) tell occasions apart; a record without one (NaN) takes that of another record by
    `rule` and `time_h`, as `carried` says. `first` (n_patients + 1,).
    """
    known = np.nan_to_num(carried(labels, first, rule, time_h=time_h), nan=-1.0)
    _, codes = np.unique(known, return_inverse=True)
    patient = np.repeat(np.arange(len(first) - 1), np.diff(first))
    _, appears, pair = np.unique(
        patient * (codes.max(initial=0) + 1) + codes, return_index=True, return_inverse=True
    )
    # Ranked by where they appear, a patient's occasions are consecutive, since his records are.
    rank = np.empty(len(appears), dtype=np.int64)
    rank[np.argsort(appears)] = np.arange(len(appears))
    overall = rank[pair]
    return overall - overall[first[:-1][patient]]


def _cells(reading: Reading, covariate: Covariate) -> Floats:
    """A covariate's own values; a level by its name or its code 0, 1, …"""
    if covariate.levels is None:
        return reading.number(covariate.name)
    levels = covariate.levels
    codes = {level.casefold(): float(code) for code, level in enumerate(levels)}

    def parse(cell: str) -> float | None:
        if cell.casefold() in codes:
            return codes[cell.casefold()]
        try:
            number = float(cell)
        except ValueError:
            return None
        return number if number in codes.values() else None

    values, unread = reading.code(covariate.name, parse)
    listed = ", ".join(f"{level} ({code})" for code, level in enumerate(levels))
    reading.error(
        "unknown-level",
        unread,
        lambda i: f"{reading.cell(covariate.name, i)} is none of {listed}",
        covariate.name,
    )
    return values
