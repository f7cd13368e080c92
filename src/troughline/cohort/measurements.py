"""The measurements table: values with their units and limits of quantification."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.cohort.patients import Roster
from troughline.cohort.reporting import add_rows, name_rows, shown
from troughline.cohort.schema import Table
from troughline.cohort.values import (
    FALSE_WORDS,
    flags,
    frame_of,
    is_missing,
    numbers,
    require_range,
    required_texts,
    texts,
)
from troughline.issues import Findings, Severity
from troughline.units import is_convertible, is_dimensionless, is_unit, molar_mass_g_per_mol, same_unit

if TYPE_CHECKING:
    import pandas as pd

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

# Two clusters of one analyte whose centres differ by this many powers of ten look like ng/mL and µg/mL.
_SLIP_LOG10 = (2.6, 3.4)
_SLIP_GAP_LOG10 = 1.5


def measurement_frame(table: Table, roster: Roster, drug: str, found: Findings) -> pd.DataFrame:
    """The measurements in study days; everything wrong with them goes to `found`."""

    patients = required_texts(table, "patient", found)
    roster.known(table, patients, found)
    days = roster.days(table, patients, found)
    analyte = required_texts(table, "analyte", found)
    unit = required_texts(table, "unit", found)
    value, below, above, limit = _values(table, unit, found)
    after_dose = numbers(table, "time_after_dose_h", found)
    require_range(table, "time_after_dose_h", after_dose, found, low=0.0)
    frame = frame_of(
        {
            "patient": patients,
            "day": days.day,
            "analyte": analyte,
            "value": value,
            "unit": unit,
            "below_limit": below,
            "limit": limit,
            "above_limit": above,
            "assay": texts(table, "assay"),
            "batch": texts(table, "batch"),
            "time_after_dose_h": after_dose,
            "occasion": texts(table, "occasion"),
            "row": table.rows,
        }
    )
    _check_analyte_spelling(table, frame, found)
    _check_units(table, frame, found)
    _check_slips(table, frame, found)
    _check_before_first_dose(table, frame, drug, found)
    _check_duplicates(table, frame, found)
    return frame


def _values(table: Table, unit: NDArray[np.object_], found: Findings) -> tuple[Floats, Flags, Flags, Floats]:
    """Values (NaN beyond a limit), whether below or above the limit, and limits; all `(n_records,)`."""
    cells = table.column("value")
    missing = is_missing(cells)
    less = np.asarray(cells.str.startswith("<"), dtype=bool)
    more = np.asarray(cells.str.startswith(">"), dtype=bool)
    number_text = cells.str.replace(r"^[<>]\s*", "", regex=True) if (less | more).any() else cells
    value = numbers(table, "value", found, text=number_text)
    limit = numbers(table, "limit", found)
    require_range(table, "limit", limit, found, low=0.0, low_open=True)
    flagged = flags(table, "below_limit", found)
    said = ~is_missing(table.column("below_limit"))
    readable = np.isfinite(value)
    _report_less_than(table, cells, less, readable, flagged, said, value, limit, found)
    limit = np.where(less & ~np.isfinite(limit), value, limit)
    limit = np.where(more, value, limit)
    below = flagged | less
    above = flags(table, "above_limit", found) | more
    report = _reporter(table, found)
    _report_above(table, cells, value, limit, below, above, more, found)
    no_limit = flagged & ~less & ~np.isfinite(limit) & is_missing(table.column("limit"))
    report(
        Severity.ERROR,
        "limit-missing",
        no_limit,
        lambda _: "below_limit is 1 and no limit is given",
        "limit",
    )
    doubtful = said & ~flagged & ~np.asarray(table.column("below_limit").str.lower().isin(FALSE_WORDS))
    nothing = missing & ~below & ~above & ~doubtful
    report(
        Severity.ERROR,
        "value-missing",
        nothing,
        lambda _: "holds neither a value nor below_limit = 1 with a limit",
        "value",
    )
    _report_against_limit(table, value, limit, flagged & ~less, below | above, found)
    dimensionless = np.array([u is not None and is_dimensionless(str(u)) for u in unit], dtype=bool)
    with np.errstate(invalid="ignore"):
        negative = (value < 0) & ~dimensionless
        zero = (value == 0) & ~below & ~dimensionless
    report(
        Severity.ERROR,
        "negative-value",
        negative,
        lambda i: f"{value[i]:g} {unit[i]} is negative; the smallest possible value is 0",
        "value",
    )
    report(
        Severity.WARNING,
        "zero-value",
        zero,
        lambda _: (
            "is 0: a value below the limit of quantification is written with below_limit = 1 and its limit"
        ),
        "value",
    )
    return np.where(below | above, np.nan, value), below, above, limit


Reporter = Callable[[Severity, str, Flags, Callable[[int], str], str], None]


def _reporter(table: Table, found: Findings) -> Reporter:
    def report(severity: Severity, code: str, bad: Flags, message: Callable[[int], str], column: str) -> None:
        add_rows(
            found, severity, code, table.rows, bad, message, file=table.file, column=table.called(column)
        )

    return report


def _report_above(
    table: Table,
    cells: pd.Series[str],
    value: Floats,
    limit: Floats,
    below: Flags,
    above: Flags,
    more: Flags,
    found: Findings,
) -> None:
    """What is said of levels above a limit: how they are read, and where they contradict themselves."""
    if not above.any():
        return
    found.add(
        Severity.NOTE,
        "above-limit",
        f"{int(above.sum())} levels lie above a limit ({name_rows(table.rows[above])}): a question of kind "
        "change takes them as such, any other question takes the limit itself",
        file=table.file,
        column=table.called("value" if more.any() else "above_limit"),
    )
    report = _reporter(table, found)
    report(
        Severity.ERROR,
        "limit-missing",
        above & ~np.isfinite(limit) & (~more | is_missing(table.column("limit"))),
        lambda _: "is above a limit and no limit is given",
        "limit",
    )
    report(
        Severity.ERROR,
        "limit-disagrees",
        above & below,
        lambda i: f"{shown(cells.iloc[i])} is said to lie both below and above its limit",
        "above_limit",
    )
    with np.errstate(invalid="ignore"):
        under = above & ~more & ~below & (value < limit)
    report(
        Severity.ERROR,
        "limit-disagrees",
        under,
        lambda i: f"{value[i]:g} is below the limit {limit[i]:g}, and above_limit is 1",
        "value",
    )


def _report_less_than(
    table: Table,
    cells: pd.Series[str],
    less: Flags,
    readable: Flags,
    flagged: Flags,
    said: Flags,
    value: Floats,
    limit: Floats,
    found: Findings,
) -> None:
    if not less.any():
        return
    taken = less & readable
    if taken.any():
        found.add(
            Severity.NOTE,
            "less-than",
            f"{int(taken.sum())} values written like {shown(cells[taken].iloc[0])} are read as below a limit "
            f"({name_rows(table.rows[taken])})",
            file=table.file,
            column=table.called("value"),
        )
    report = _reporter(table, found)
    report(
        Severity.ERROR,
        "limit-disagrees",
        less & said & ~flagged,
        lambda i: f"{shown(cells.iloc[i])} is below a limit, and below_limit says it is not",
        "below_limit",
    )
    with np.errstate(invalid="ignore"):
        differs = taken & np.isfinite(limit) & (limit != value)
        nonpositive = taken & (value <= 0)
    report(
        Severity.ERROR,
        "limit-disagrees",
        differs,
        lambda i: f"{shown(cells.iloc[i])} and the limit {limit[i]:g} disagree",
        "limit",
    )
    report(
        Severity.ERROR,
        "out-of-range",
        nonpositive,
        lambda i: f"{shown(cells.iloc[i])}: a limit must be above 0",
        "value",
    )


def _report_against_limit(
    table: Table, value: Floats, limit: Floats, flagged: Flags, below: Flags, found: Findings
) -> None:
    report = _reporter(table, found)
    with np.errstate(invalid="ignore"):
        above = flagged & (value > limit)
        ignored = flagged & (value < limit)
        unflagged = ~below & (value < limit) & (value >= 0)
    report(
        Severity.ERROR,
        "limit-disagrees",
        above,
        lambda i: f"{value[i]:g} is above the limit {limit[i]:g}, and below_limit is 1",
        "value",
    )
    report(
        Severity.WARNING,
        "value-ignored",
        ignored,
        lambda i: f"{value[i]:g} is not used: the value is below the limit {limit[i]:g}",
        "value",
    )
    report(
        Severity.WARNING,
        "value-below-limit",
        unflagged,
        lambda i: f"{value[i]:g} is under the limit {limit[i]:g}, and below_limit is not 1",
        "value",
    )


def _check_analyte_spelling(table: Table, frame: pd.DataFrame, found: Findings) -> None:
    """A warning for an analyte written in several ways; case does not tell analytes apart."""
    spellings: dict[str, list[str]] = {}
    for name in frame["analyte"].dropna().unique():
        spellings.setdefault(str(name).casefold(), []).append(str(name))
    for names in spellings.values():
        if len(names) > 1:
            rows = frame.loc[frame["analyte"] == names[1], "row"].to_numpy()
            found.add(
                Severity.WARNING,
                "analyte-spelling",
                f"{' and '.join(map(repr, names))} ({name_rows(rows)}) are taken as one analyte",
                file=table.file,
                row=int(rows[0]),
                column=table.called("analyte"),
            )


def _check_units(table: Table, frame: pd.DataFrame, found: Findings) -> None:
    column = table.called("unit")
    written = {str(u) for u in frame["unit"].dropna().unique()}
    unknown = {u for u in written if not is_unit(u)}
    add_rows(
        found,
        Severity.ERROR,
        "unknown-unit",
        table.rows,
        np.asarray(frame["unit"].isin(list(unknown)), dtype=bool),
        lambda i: f"{shown(frame['unit'].iloc[i])} is no unit known here ('1' for a number without one)",
        file=table.file,
        column=column,
    )
    counts: Any = frame.groupby([frame["analyte"].str.casefold(), "unit"], sort=False)["row"]
    by_analyte: dict[str, list[tuple[str, NDArray[np.int64]]]] = {}
    for (analyte, unit), rows in counts:
        if str(unit) not in unknown:
            by_analyte.setdefault(str(analyte), []).append((str(unit), rows.to_numpy()))
    for analyte, used in by_analyte.items():
        main, main_rows = max(used, key=lambda pair: len(pair[1]))
        for unit, rows in used:
            if same_unit(unit, main):
                continue
            pair = f"{analyte} is in {main} ({name_rows(main_rows)}) and in {unit} ({name_rows(rows)})"
            mass = molar_mass_g_per_mol(analyte)
            convertible = is_convertible(unit, main, molar_mass_g_per_mol=mass)
            found.add(
                Severity.WARNING if convertible else Severity.ERROR,
                "mixed-units",
                f"{pair}; " + ("values are converted where used" if convertible else "these do not convert"),
                file=table.file,
                row=int(rows[0]),
                column=column,
            )


def _check_slips(table: Table, frame: pd.DataFrame, found: Findings) -> None:
    measured = frame[frame["value"] > 0]
    groups: Any = measured.groupby([measured["analyte"].str.casefold(), "unit"], sort=False)
    for (_, unit), group in groups:
        analyte = group["analyte"].iloc[0]
        minor = unit_slip(group["value"].to_numpy())
        if minor is None:
            continue
        rows = group["row"].to_numpy()[minor]
        values = group["value"].to_numpy()
        found.add(
            Severity.WARNING,
            "unit-slip",
            f"{analyte} in {unit}: values around {np.median(values[minor]):.3g} ({name_rows(rows)}) lie "
            f"about 1000-fold from the others, around {np.median(values[~minor]):.3g}: another unit?",
            file=table.file,
            row=int(rows[0]),
            column=table.called("value"),
        )


def unit_slip(values: Floats) -> Flags | None:
    """Which of positive values of one analyte in one unit look as if written in a unit 1000 times apart.

    The sorted logarithms are cut at their widest gap; the smaller side is returned, shape (n_values,),
    where the two medians differ by about three powers of ten and the gap is wider than 1.5 powers of ten
    and than the spread of either side. None where there is no such gap.
    """
    if len(values) < 3:
        return None
    log10 = np.log10(values)
    ordered = np.sort(log10)
    steps = np.diff(ordered)
    cut = int(np.argmax(steps))
    low, high, gap = ordered[: cut + 1], ordered[cut + 1 :], float(steps[cut])
    apart = float(np.median(high) - np.median(low))
    spread = max(float(np.ptp(low)), float(np.ptp(high)))
    if not (_SLIP_LOG10[0] <= apart <= _SLIP_LOG10[1]) or gap < _SLIP_GAP_LOG10 or gap <= spread:
        return None
    above = log10 > ordered[cut]
    return above if len(high) <= len(low) else ~above


def _check_before_first_dose(table: Table, frame: pd.DataFrame, drug: str, found: Findings) -> None:
    before = np.asarray(frame["day"] < 0, dtype=bool)
    is_drug = np.asarray(frame["analyte"].str.casefold() == drug.casefold(), dtype=bool)
    add_rows(
        found,
        Severity.WARNING,
        "sample-before-first-dose",
        table.rows,
        before & is_drug,
        lambda i: f"{drug} was sampled {-frame['day'].iloc[i]:.4g} days before the first dose",
        file=table.file,
        column=table.called("time"),
    )
    baseline = before & ~is_drug
    if baseline.any():
        found.add(
            Severity.NOTE,
            "baseline-sample",
            f"{int(baseline.sum())} samples lie before the first dose ({name_rows(table.rows[baseline])}): "
            "baseline",
            file=table.file,
            column=table.called("time"),
        )


def _check_duplicates(table: Table, frame: pd.DataFrame, found: Findings) -> None:
    key = [frame["patient"], frame["day"], frame["analyte"].str.casefold(), frame["assay"]]
    usable = frame["patient"].notna() & frame["day"].notna() & frame["analyte"].notna()
    first_row: Any = frame.groupby(key, dropna=False, sort=False)["row"].transform("first")
    repeated = np.asarray((first_row != frame["row"]) & usable, dtype=bool)
    add_rows(
        found,
        Severity.WARNING,
        "duplicate-measurement",
        table.rows,
        repeated,
        lambda i: f"same patient, time, analyte and assay as row {int(first_row.iloc[i])}; both are kept",
        file=table.file,
    )
