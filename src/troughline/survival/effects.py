"""Linear effects with their normal intervals: what a regression on a mean reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from troughline.survival.times import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearEffect:
    """One effect on a mean, in the unit of the response by unit of the covariate.

    `p_value` is not a number where `standard_error` is 0.
    """

    name: str
    value: float
    standard_error: float
    low: float
    high: float
    p_value: float


def linear_effects(
    names: Sequence[str], values: FloatArray, covariance: FloatArray, level: float
) -> tuple[LinearEffect, ...]:
    """Each of `values` (p,) with its Wald interval and p from `covariance` (p, p)."""
    from scipy.special import ndtr, ndtri

    width = float(ndtri((1 + level) / 2))
    found: list[LinearEffect] = []
    for k, name in enumerate(names):
        value, error = float(values[k]), math.sqrt(float(np.diag(covariance)[k]))
        found.append(
            LinearEffect(
                name=name,
                value=value,
                standard_error=error,
                low=value - width * error,
                high=value + width * error,
                p_value=2 * float(ndtr(-abs(value / error))) if error > 0 else math.nan,
            )
        )
    return tuple(found)
