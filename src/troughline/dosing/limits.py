"""The limits of a target as distributions, and where an exposure lies against them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Literal["trough", "auc"]
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A target range of the trough (mg/L) or of the area in 24 h (mg·h/L); None is open.

    `low_interval`, `high_interval`: the central 95 % of a limit that is uncertain.
    """

    metric: Metric
    low: float | None
    high: float | None
    low_interval: tuple[float, float] | None = None
    high_interval: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise ValueError("a target needs a lower or an upper limit")
        for name in ("low", "high"):
            value, interval = getattr(self, name), getattr(self, f"{name}_interval")
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"the {name} limit must be positive and finite, not {value!r}")
            if interval is not None and (value is None or not 0 < interval[0] <= value <= interval[1]):
                raise ValueError(f"the interval of the {name} limit {value!r} does not hold it: {interval}")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"the lower limit {self.low:g} is not below the upper one {self.high:g}")

    @property
    def uncertain(self) -> bool:
        """Whether a limit has an interval."""
        return self.low_interval is not None or self.high_interval is not None

    def exact(self) -> Limits:
        """The limits without their uncertainty."""
        return replace(self, low_interval=None, high_interval=None)

    def draws(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """`n` draws of both limits (n,), −∞ and +∞ where open.

        The logarithm of an uncertain limit is normal on each side of its value, with the SD that puts the
        interval's end at its 2.5 % or 97.5 % point. Both limits are drawn independently.
        """
        z = rng.standard_normal((2, n))
        low = _drawn(self.low, self.low_interval, z[0], -np.inf)
        return low, _drawn(self.high, self.high_interval, z[1], np.inf)


def _drawn(value: float | None, interval: tuple[float, float] | None, z: Floats, absent: float) -> Floats:
    if value is None:
        return np.full(len(z), absent)
    if interval is None:
        return np.full(len(z), value)
    down, up = math.log(value / interval[0]) / _Z, math.log(interval[1] / value) / _Z
    return value * np.exp(np.where(z < 0, down, up) * z)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where draws lie (n,): 1 or 0 each; they add up to 1.

    A draw of an upper limit below the lower one leaves nothing inside: what exceeds the upper limit is above.
    """

    below: Floats
    inside: Floats
    above: Floats


def position(values: Floats, low: Floats, high: Floats) -> Position:
    """Where values (n,) lie against limits (n,): low ≤ inside ≤ high."""
    above = values > high
    below = (values < low) & ~above
    inside = ~(above | below)
    return Position(
        below=below.astype(np.float64), inside=inside.astype(np.float64), above=above.astype(np.float64)
    )
