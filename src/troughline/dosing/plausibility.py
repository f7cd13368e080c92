"""Levels that no patient has at these doses: a slip of the unit is looked for and suggested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.dosing.level_prediction import predict_levels
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from troughline.dosing.belief import Belief
    from troughline.dosing.patient import DosePatient, Level

FAR_SD, NEAR_SD = 3.5, 2.5
"""Distance from what was expected, in SDs of the logarithm, that is far outside, and that fits again."""
IMPOSSIBLE_FACTOR = 20.0
"""A level this many times above or below the expected one is taken for a mistake, not for a patient."""
UNITS = ("ug/mL", "ng/mL", "mg/L", "ug/L", "mg/dL", "umol/L", "nmol/L", "ug/dL")


def check_levels(patient: DosePatient, prior: Belief, found: Findings) -> None:
    """Hold every level against what was expected before any; an impossible one is an error.

    The logarithm of a level is compared with the mean and SD of its prediction from the prior, error of
    measurement included. Where another unit would bring the number back to what is expected, it is named.
    """
    from troughline.evidence.store import load_drug

    used = patient.used_levels
    if not used:
        return
    predicted = np.log(np.maximum(predict_levels(patient, prior, seed=0).measured, 1e-12))
    mean, sd = predicted.mean(axis=0), predicted.std(axis=0)
    mass = load_drug(patient.drug).molar_mass_g_per_mol
    for level, m, s in zip(used, mean, sd, strict=True):
        if level.value is None:
            continue
        off = float(np.log(level.value)) - float(m)
        if abs(off) < FAR_SD * float(s):
            continue
        impossible = abs(off) > np.log(IMPOSSIBLE_FACTOR)
        fits = _units_that_fit(level, float(m), float(s), mass)
        hint = f"; in {' or '.join(fits)} it would fit: is the unit right?" if fits else ""
        expected = float(np.exp(m))
        ratio = np.exp(abs(off))
        words = f"{ratio:.0f} times {'above' if off > 0 else 'below'}"
        found.add(
            Severity.ERROR if impossible else Severity.WARNING,
            "level-implausible",
            f"{level.written:g} {level.unit} is {words} the {expected:.2g} mg/L expected at these "
            f"doses{hint}",
            file=patient.path.name if patient.path is not None else "patient",
            column=f"sample.{level.number}.value",
        )


def _units_that_fit(level: Level, mean: float, sd: float, mass: float) -> list[str]:
    """The units in which the number as written would be expected, nearest first; each size once."""
    from troughline.units import convert, same_unit

    fits: list[tuple[float, str]] = []
    for unit in UNITS:
        if same_unit(unit, level.unit) or any(same_unit(unit, u) for _, u in fits):
            continue
        value = convert(level.written or 0.0, unit, "mg/L", molar_mass_g_per_mol=mass)
        off = abs(float(np.log(value)) - mean)
        if off < NEAR_SD * sd:
            fits.append((off, unit))
    return [unit for _, unit in sorted(fits)]
