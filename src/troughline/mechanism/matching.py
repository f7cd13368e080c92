"""Growth and baseline hazard scaled until a placebo arm has the medians of a publication."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Medians = tuple[float, float]
SCALED = ("doubling", "death_0")
CLOSE = 0.01
"""A median within this share of the one asked for is met."""
MOST_ROUNDS = 25
WIDEST = 20.0
"""The largest and, inverted, the smallest factor that is tried."""
LONGEST_STEP = 0.7


class MatchError(ValueError):
    """No factors give the placebo arm the medians asked for; the message says how near they came."""


def matched_scale(
    medians: Callable[[Mapping[str, float]], Medians],
    *,
    ttp_day: float,
    os_months: float,
    given: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Factors of the doubling time and the baseline hazard of death with which placebo has these medians.

    `medians` gives, for factors by name, the day on which the curve of progression passes one half between
    visits and the months of median survival; it must use the same random draws at every call. `given` are
    factors that the population has already: they stay, and the two of `SCALED` start from theirs. Broyden's
    method on logarithms (doi 10.1090/S0025-5718-1965-0198670-6) until both medians are within 1 %.

    Raises `MatchError` where factors beyond 20 or more than 25 rounds would be needed.
    """
    start = dict(given or {})
    wanted = np.log([ttp_day, os_months])

    def scale(x: Floats) -> dict[str, float]:
        return start | {
            name: start.get(name, 1.0) * math.exp(float(v)) for name, v in zip(SCALED, x, strict=True)
        }

    def refusal(within: str) -> MatchError:
        return MatchError(
            f"no growth and hazard within {within} give placebo its progression on day {ttp_day:g} and "
            f"{os_months:g} months of survival: the last gave day {shown[0]:.0f} and {shown[1]:.1f} months"
        )

    x = np.zeros(2)
    inverse = np.diag([1.0, -1.0])  # of the derivative of log medians by log factors, to begin with
    shown = medians(scale(x))
    miss = np.log(shown) - wanted
    for _ in range(MOST_ROUNDS):
        if np.all(np.abs(miss) < math.log1p(CLOSE)):
            return scale(x)
        step = np.clip(-inverse @ miss, -LONGEST_STEP, LONGEST_STEP)
        if np.any(np.abs(x + step) > math.log(WIDEST)):
            raise refusal(f"factors up to {WIDEST:g}")
        shown = medians(scale(x + step))
        after = np.log(shown) - wanted
        change = inverse @ (after - miss)
        along = float(step @ change)
        if abs(along) > 1e-9:
            inverse = inverse + np.outer(step - change, step @ inverse) / along
        x, miss = x + step, after
    raise refusal(f"{MOST_ROUNDS} rounds")
