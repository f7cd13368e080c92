"""Synergy by two named definitions: Bliss independence and Loewe additivity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def bliss_excess(log_a: float, log_b: float, log_ab: float) -> float:
    """log r_AB − (log r_A + log r_B) of ratios r to the control: below 0 more than independent action.

    r is what is left of a signal (r = 1 − E, so that r_A·r_B is Bliss's 1 − (E_A + E_B − E_A·E_B)), or a
    hazard ratio. Source: Bliss 1939, doi 10.1111/j.1744-7348.1939.tb06990.x.
    """
    return log_ab - (log_a + log_b)


def dose_for(doses: Floats, effects: Floats, wanted: float) -> float | None:
    """The lowest dose at which a curve from (0, 0) through the points, linear between them, is `wanted`.

    None where it never is.
    """
    x = np.concatenate(([0.0], doses))
    y = np.concatenate(([0.0], effects))
    for k in range(1, len(x)):
        low, high = sorted((float(y[k - 1]), float(y[k])))
        if low <= wanted <= high and high > low:
            return float(x[k - 1] + (x[k] - x[k - 1]) * (wanted - y[k - 1]) / (y[k] - y[k - 1]))
    return None


def loewe_index(dose_a: float, dose_b: float, alone_a: float | None, alone_b: float | None) -> float | None:
    """d_A/D_A + d_B/D_B, D being the dose of one alone with the pair's effect; below 1 is synergy.

    None where one alone never has the pair's effect, or has it at dose 0.
    Source: Loewe and Muischnek 1926, doi 10.1007/BF01952257.
    """
    if not alone_a or not alone_b:
        return None
    return dose_a / alone_a + dose_b / alone_b
