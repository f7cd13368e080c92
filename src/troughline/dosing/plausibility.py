"""Levels that no patient has at these doses: a slip of the unit is looked for and suggested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.dosing.level_prediction import predict_levels
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.dosing.belief import Belief
    from troughline.dosing.patient import DosePatient, Level
    from troughline.dosing.result import SampleResult

FAR_SD, NEAR_SD = 3.5, 2.5
"""Distance from what was expected, in SDs of the logarithm, that is far outside, and that fits again."""
IMPOSSIBLE_FACTOR = 20.0
"""A level this many times above the expected one is taken for a mistake, not for a patient."""
ODD_P = 0.01
"""A level with a smaller two-sided p in its prediction from the others does not agree with them."""
NORMAL_LOW = 0.158655
"""P(z < −1) of the standard normal."""
UNITS = ("ug/mL", "ng/mL", "mg/L", "ug/L", "mg/dL", "umol/L", "nmol/L", "ug/dL")


def check_levels(patient: DosePatient, prior: Belief, found: Findings) -> None:
    """Hold every level against what was expected before any; one impossibly high is an error.

    The logarithm of a level, or of the limit that it lies below, is compared with the median and SD (half
    the middle 68 %) of its prediction from the prior, error of measurement included. Far too low is a
    warning: doses that were not taken give any level. Where another unit would bring the number back to what
    is expected, it is named.
    """
    from troughline.evidence.store import load_drug

    used = patient.used_levels
    if not used:
        return
    predicted = np.log(np.maximum(predict_levels(patient, prior, seed=0).measured, 1e-12))
    low, mean, high = np.quantile(predicted, [NORMAL_LOW, 0.5, 1 - NORMAL_LOW], axis=0)
    sd = np.maximum((high - low) / 2, 1e-3)
    mass = load_drug(patient.drug).molar_mass_g_per_mol
    for level, m, s in zip(used, mean, sd, strict=True):
        number = level.limit if level.value is None else level.value
        if number is None:
            continue
        off = float(np.log(number)) - float(m)
        if abs(off) < FAR_SD * float(s) or (level.value is None and off > 0):
            continue
        fits = _units_that_fit(level, float(m), float(s), mass)
        hints = [f"in {' or '.join(fits)} it would fit: is the unit right?"] if fits else []
        if off < 0:
            hints.append("were the doses taken? probably not all of them")
        said = (
            f"below the limit of {number:.3g} mg/L" if level.value is None
            else f"{level.written:g} {level.unit}"
        )  # fmt: skip
        words = f"{np.exp(abs(off)):.0f} times {'above' if off > 0 else 'below'}"
        least = "at least " if level.value is None else ""
        told = f"{said} is {least}{words} the {float(np.exp(m)):.2g} mg/L expected at these doses"
        _add(
            found, patient, level, "; ".join([told, *hints]), error=off > np.log(IMPOSSIBLE_FACTOR)
        )  # fmt: skip


def check_against_the_others(patient: DosePatient, rows: Sequence[SampleResult], found: Findings) -> None:
    """A warning for every level that its prediction from the patient's other levels does not hold.

    The unit is looked for against that prediction. A single level is left to `check_levels`.
    """
    from troughline.evidence.store import load_drug

    if len(patient.used_levels) < 2:
        return
    mass = load_drug(patient.drug).molar_mass_g_per_mol
    levels = {level.number: level for level in patient.used_levels}
    for row in rows:
        spread = row.without
        if row.p_value is None or row.p_value >= ODD_P or spread is None or not spread.median:
            continue
        level = levels[row.number]
        m = float(np.log(spread.median))
        width = float(np.log(max(spread.high or 0.0, 1e-12) / max(spread.low or 0.0, 1e-12)))
        sd = max(width / (2 * float(norm_quantile((1 + patient.options.level) / 2))), 1e-3)
        fits = _units_that_fit(level, m, sd, mass)
        hint = f"; in {' or '.join(fits)} it would fit them: is the unit right?" if fits else ""
        _add(
            found, patient, level,
            f"does not agree with this patient's other levels (p {p_in_words(row.p_value)}; they predict "
            f"{spread.median:.2g} mg/L): check its time, the doses before it and its unit{hint}",
            code="level-contradicts",
        )  # fmt: skip


def p_in_words(p: float) -> str:
    """`< 0.01`, or the value: a few hundred draws tell no smaller p."""
    return "< 0.01" if p < ODD_P else f"= {p:.2f}"


def norm_quantile(p: float) -> float:
    """The standard normal's quantile."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def _add(
    found: Findings, patient: DosePatient, level: Level, message: str, *, error: bool = False,
    code: str = "level-implausible",
) -> None:  # fmt: skip
    found.add(
        Severity.ERROR if error else Severity.WARNING, code, message,
        file=patient.path.name if patient.path is not None else "patient",
        column=f"sample.{level.number}.value",
    )  # fmt: skip


def _units_that_fit(level: Level, mean: float, sd: float, mass: float) -> list[str]:
    """The units in which the number as written would be expected, nearest first; each size once."""
    from troughline.units import convert, same_unit

    fits: list[tuple[float, str]] = []
    for unit in UNITS:
        if same_unit(unit, level.unit) or any(same_unit(unit, u) for _, u in fits):
            continue
        if not level.written:
            break
        value = convert(level.written, unit, "mg/L", molar_mass_g_per_mol=mass)
        off = abs(float(np.log(value)) - mean)
        if off < NEAR_SD * sd:
            fits.append((off, unit))
    return [unit for _, unit in sorted(fits)]
