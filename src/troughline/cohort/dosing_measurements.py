"""The measurements table as observations of a model's outputs and as covariates that change with time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.dosing_history import HOURS_PER_DAY, Flags, Floats, Ints
from troughline.cohort.reporting import add_rows, name_rows, shown
from troughline.issues import Findings, Severity
from troughline.model.records import BELOW_LIMIT, QUANTIFIED
from troughline.units import convert_factor, molar_mass_g_per_mol

if TYPE_CHECKING:
    import pandas as pd

    from troughline.model.spec import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Measurements of a model's outputs; all arrays (n_samples,).

    `day_h`: the study day in hours; `after_dose_h`: NaN where unknown; `value`, `limit` as in `Records`;
    `occasion`: a number that tells occasions apart, NaN where none is named.
    """

    patient: Ints
    day_h: Floats
    after_dose_h: Floats
    output: Ints
    value: Floats
    censoring: Ints
    limit: Floats
    occasion: Floats
    row: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Determinations:
    """Covariates that were measured; all arrays (n_values,): `covariate` is an index, `value` in its unit."""

    patient: Ints
    time_h: Floats
    covariate: Ints
    value: Floats
    row: Ints


def read_measurements(
    table: pd.DataFrame,
    patient: Ints,
    spec: ModelSpec,
    analytes: Mapping[str, str | None],
    found: Findings,
    *,
    file: str,
) -> tuple[Samples, Determinations]:
    """The measurements (`Cohort.measurements`) that a model can use; a note names the analytes it cannot.

    `patient` (n_rows,): the index of each row's patient. An analyte means the output, otherwise the
    covariate, of its name in any case; `analytes` says otherwise (None: not used).
    """
    meaning = _meanings(table, spec, analytes, found, file=file)
    names: list[str] = [str(name) for name in table["analyte"].tolist()]
    kinds = [meaning[name] for name in names]
    output = np.array([index if kind == "output" else -1 for kind, index in kinds], dtype=np.int64)
    covariate = np.array([index if kind == "covariate" else -1 for kind, index in kinds], dtype=np.int64)
    return (
        _samples(table, patient, output, spec, found, file=file),
        _determinations(table, patient, covariate, spec, found, file=file),
    )


def _meanings(
    table: pd.DataFrame, spec: ModelSpec, analytes: Mapping[str, str | None], found: Findings, *, file: str
) -> dict[str, tuple[str, int]]:
    """For each analyte as written `("output", index)`, `("covariate", index)` or `("", -1)`."""
    outputs = {o.name.casefold(): i for i, o in enumerate(spec.outputs)}
    covariates = {c.name.casefold(): i for i, c in enumerate(spec.covariates)}
    given = {name.casefold(): target for name, target in analytes.items()}
    for name, target in analytes.items():
        if target is not None and target.casefold() not in outputs:
            raise ValueError(f"analyte {name!r}: the model has no output {target!r}: {', '.join(outputs)}")
    meaning: dict[str, tuple[str, int]] = {}
    unused: list[str] = []
    written: list[str] = [str(name) for name in table["analyte"].unique()]
    for name in written:
        target = given.get(name.casefold(), name)
        key = None if target is None else target.casefold()
        if key in outputs:
            meaning[name] = ("output", outputs[key])
        elif key in covariates:
            meaning[name] = ("covariate", covariates[key])
        else:
            meaning[name] = ("", -1)
            unused.append(name)
    if unused:
        found.add(
            Severity.NOTE,
            "analyte-not-used",
            f"{', '.join(unused)}: neither outputs of {spec.id} ({', '.join(o.name for o in spec.outputs)}) "
            "nor its covariates, not used",
            file=file,
            column="analyte",
        )
    return meaning


def _samples(
    table: pd.DataFrame, patient: Ints, output: Ints, spec: ModelSpec, found: Findings, *, file: str
) -> Samples:
    use = output >= 0
    table, patient, output = table[use], patient[use], output[use]
    row = table["row"].to_numpy(dtype=np.int64)
    below = table["below_limit"].to_numpy(dtype=bool)
    targets = [o.unit for o in spec.outputs]
    times, over = _factors(table, output, targets, row, found, file=file)
    factors = [o.factor for o in spec.outputs]
    times = times * np.array([float(f.numerator) for f in factors])[output]
    over = over * np.array([float(f.denominator) for f in factors])[output]
    natural: Floats = table["value"].to_numpy(dtype=np.float64) * times / over
    limit = np.where(below, table["limit"].to_numpy(dtype=np.float64) * times / over, np.nan)
    on_log = np.array([o.error.on_log_scale for o in spec.outputs], dtype=bool)[output]
    add_rows(
        found,
        Severity.ERROR,
        "value-not-positive",
        row,
        on_log & ~below & (natural <= 0),
        lambda i: (
            f"{table['value'].iloc[i]:g}: the model's error is on the log scale: it takes values above 0"
        ),
        file=file,
        column="value",
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        value: Floats = np.where(on_log, np.log(natural), natural)
        limit = np.where(on_log, np.log(limit), limit)
    return Samples(
        patient=patient,
        day_h=table["day"].to_numpy(dtype=np.float64) * HOURS_PER_DAY,
        after_dose_h=table["time_after_dose_h"].to_numpy(dtype=np.float64),
        output=output,
        value=np.where(below, np.nan, value),
        censoring=np.where(below, BELOW_LIMIT, QUANTIFIED).astype(np.int64),
        limit=limit,
        occasion=_labels(table["occasion"]),
        row=row,
    )


def _determinations(
    table: pd.DataFrame, patient: Ints, covariate: Ints, spec: ModelSpec, found: Findings, *, file: str
) -> Determinations:
    below = np.asarray(table["below_limit"], dtype=bool) & (covariate >= 0)
    if below.any():
        found.add(
            Severity.NOTE,
            "covariate-below-limit",
            f"covariates below a limit are missing ({name_rows(table['row'].to_numpy()[below])})",
            file=file,
        )
    levelled = np.array([c.levels is not None for c in spec.covariates] + [False], dtype=bool)[covariate]
    add_rows(
        found,
        Severity.ERROR,
        "unknown-level",
        table["row"].to_numpy(dtype=np.int64),
        levelled,
        lambda i: f"{shown(table['analyte'].iloc[i])} has levels in the model, and was measured as a number",
        file=file,
        column="analyte",
    )
    use = (covariate >= 0) & ~below & ~levelled
    table, patient, covariate = table[use], patient[use], covariate[use]
    row = table["row"].to_numpy(dtype=np.int64)
    times, over = _factors(table, covariate, [c.unit for c in spec.covariates], row, found, file=file)
    return Determinations(
        patient=patient,
        time_h=table["day"].to_numpy(dtype=np.float64) * HOURS_PER_DAY,
        covariate=covariate,
        value=table["value"].to_numpy(dtype=np.float64) * times / over,
        row=row,
    )


def _factors(
    table: pd.DataFrame, target: Ints, units: list[str], row: Ints, found: Findings, *, file: str
) -> tuple[Floats, Floats]:
    """What each value is multiplied and divided by to be in the unit of its target, both (n_rows,)."""
    import pandas as pd

    keys = pd.MultiIndex.from_arrays([table["analyte"].astype(str), table["unit"].astype(str), target])
    codes, different = pd.factorize(keys)
    factors: list[Fraction | str] = []
    for analyte, unit, index in different.tolist():
        try:
            mass = molar_mass_g_per_mol(str(analyte))
            factors.append(convert_factor(str(unit), units[int(index)], molar_mass_g_per_mol=mass))
        except ValueError as error:
            factors.append(str(error))
    bad: Flags = np.array([isinstance(f, str) for f in factors], dtype=bool)[codes]
    add_rows(
        found,
        Severity.ERROR,
        "measurement-unit",
        row,
        bad,
        lambda i: str(factors[int(codes[i])]),
        file=file,
        column="unit",
    )
    known = [f if isinstance(f, Fraction) else Fraction(1) for f in factors]
    times = np.array([float(f.numerator) for f in known], dtype=np.float64)[codes]
    over = np.array([float(f.denominator) for f in known], dtype=np.float64)[codes]
    return times, over


def _labels(column: pd.Series[str]) -> NDArray[np.float64]:
    """A number for each occasion as written, NaN where none is."""
    import pandas as pd

    codes, _ = pd.factorize(column)
    return np.where(codes >= 0, codes, np.nan).astype(np.float64)
