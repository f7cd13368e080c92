"""Table 1: who the patients are, variable by variable, with what is missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from troughline.cohort.cohort import Cohort


# Wide enough to show a level under its variable, and not collapsed by a page.
INDENT = "\u2003"
NAMES = {
    "inr": "INR",
    "albi": "ALBI score",
    "albi_grade": "ALBI grade",
    "meld3": "MELD 3.0",
    "bclc": "BCLC stage",
    "child_pugh_score": "Child-Pugh score",
    "child_pugh_class": "Child-Pugh class",
    "afp": "AFP",
}


def table_one(cohort: Cohort) -> dict[str, list[Any]]:
    """Columns and rows of Table 1: all patients, and each group where the patients table has groups.

    Numbers are shown as median (first to third quartile), categories as count (per cent of those known);
    a variable with missing values has a row that counts them.
    """
    groups = _groups(cohort)
    columns = [""] + [f"{name} (n = {len(members)})" for name, members in groups]
    rows: list[list[str]] = []
    for name, spec in cohort.covariates.items():
        if name not in cohort.patients.columns:
            continue
        raw: list[Any] = cohort.patients[name].tolist()
        missing = [_missing(v) for v in raw]
        if all(missing):
            continue
        if spec.levels is None:
            unit = "" if spec.unit in (None, "1") else f", {_unit(str(spec.unit))}"
            rows.append(
                [f"{readable(name)}{unit}, median (IQR)"]
                + [_quartiles([float(raw[i]) for i in members if not missing[i]]) for _, members in groups]
            )
        else:
            rows.append([f"{readable(name)}, n (%)"] + [""] * len(groups))
            for level in spec.levels:
                cells: list[str] = []
                for _, members in groups:
                    known = [str(raw[i]) for i in members if not missing[i]]
                    k = Counter(known)[level]
                    cells.append(f"{k} ({100 * k / len(known):.0f})" if known else "–")
                rows.append([f"{INDENT}{level}", *cells])
        if any(missing):
            rows.append(
                [f"{INDENT}missing"] + [str(sum(missing[i] for i in members)) for _, members in groups]
            )
    if rows and not any(row[0] == f"{INDENT}missing" for row in rows):
        rows.append(["Missing values"] + ["none"] * len(groups))
    return {"columns": columns, "rows": rows}


def _groups(cohort: Cohort) -> list[tuple[str, list[int]]]:
    everyone = list(range(len(cohort.patients)))
    groups = [("All", everyone)]
    if "group" in cohort.patients.columns:
        labels: list[Any] = cohort.patients["group"].tolist()
        named = [v for v in labels if isinstance(v, str) and v]
        distinct = list(dict.fromkeys(named))
        if 1 < len(distinct) <= 6:
            groups += [(g, [i for i in everyone if labels[i] == g]) for g in distinct]
    return groups


def _quartiles(values: list[float]) -> str:
    import numpy as np

    if not values:
        return "–"
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    joint = " to " if low < 0 else "–"
    return f"{middle:.3g} ({low:.3g}{joint}{high:.3g})".replace("-", "−")


def readable(name: str, *, inside: bool = False) -> str:
    """A covariate's name as it is read: `ALBI score` for `albi`, `Tumour size` for `tumour_size`.

    `inside` a sentence the first letter stays as it is.
    """
    if name in NAMES:
        return NAMES[name]
    text = name.replace("_", " ")
    return text if inside else text[:1].upper() + text[1:]


def listed(names: Iterable[str]) -> str:
    """Covariates as they stand in a sentence: `ALBI score, dose`."""
    return ", ".join(readable(name, inside=True) for name in names)


def _unit(unit: str) -> str:
    return {"year": "years", "m^2": "m²", "umol/L": "µmol/L", "ug/mL": "µg/mL", "month": "months"}.get(
        unit, unit
    )


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
