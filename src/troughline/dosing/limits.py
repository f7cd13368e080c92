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
    """Probabilities of values to lie below, inside and above limits; they add up to 1."""

    below: Floats
    inside: Floats
    above: Floats


def position(values: Floats, limits: Limits) -> Position:
    """Where values lie (any shape): 0 and 1 for exact limits, probabilities over those that are uncertain.

    With F the distributions of the limits, above = F_high(x), inside = (1 − F_high(x)) F_low(x) and below
    the rest: an upper limit that falls below the lower one leaves nothing inside, and what exceeds it is
    above.
    """
    over = _reached(values, limits.high, limits.high_interval, strictly=True)
    reaches = _reached(values, limits.low, limits.low_interval, strictly=False)
    if limits.high is None:
        over = np.zeros_like(values)
    if limits.low is None:
        reaches = np.ones_like(values)
    inside = (1 - over) * reaches
    return Position(below=1 - over - inside, inside=inside, above=over)


def _reached(
    values: Floats, limit: float | None, interval: tuple[float, float] | None, *, strictly: bool
) -> Floats:
    """The probability that a limit lies below values."""
    if limit is None:
        return np.zeros_like(values)
    if interval is None:
        return (values > limit if strictly else values >= limit).astype(np.float64)
    from scipy.special import ndtr

    off = np.log(np.maximum(values, 1e-300) / limit)
    down, up = math.log(limit / interval[0]) / _Z, math.log(interval[1] / limit) / _Z
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(off < 0, off / down, off / up)
    made: Floats = ndtr(np.nan_to_num(z, nan=0.0))
    return made
