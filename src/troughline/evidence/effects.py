"""A printed number with its interval, and what it is on the scale where it is about normal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Scale = Literal["log", "logit", "identity"]

ASYMMETRY_LIMIT = 0.1
"""The middle of an interval further than this share of its half-width from the estimate is flagged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One estimate as printed or as found: its interval, the level of that, and the scale to pool it on.

    `scale` is `log` for ratios, times and concentrations, `logit` for areas under the ROC curve and shares,
    `identity` for differences. A `low` or `high` that is missing is not bounded. `se` is the standard error
    on that scale where it is known otherwise than from the interval; `basis` then says from what. Without
    either, the estimate can be shown but not pooled.

    Raises `ValueError` for an interval that does not hold its estimate, a level outside 0 to 1, or a value
    that has no place on the scale.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    scale: Scale = "log"
    se: float | None = None
    basis: str = ""
    unit: str = "1"
    n: int | None = None
    source: str = ""
    verified: bool = True

    def __post_init__(self) -> None:
        to_scale(self.value, self.scale, f"{self.label}: the estimate")
        if not self.holds(self.value):
            raise ValueError(
                f"{self.label}: the interval {_end(self.low)} to {_end(self.high)} does not hold the "
                f"estimate {self.value:g}"
            )
        if not 0.0 < self.level < 1.0:
            raise ValueError(f"{self.label}: level {self.level:g} is not between 0 and 1")
        if self.se is not None and not (math.isfinite(self.se) and self.se > 0.0):
            raise ValueError(f"{self.label}: the standard error {self.se:g} is not above 0")

    def holds(self, value: float) -> bool:
        """Whether the interval holds a value; a side that is not bounded holds everything."""
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)


def _end(value: float | None) -> str:
    return "(open)" if value is None else f"{value:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnScale:
    """An effect on its scale: `value`, its standard error `se`, and how good a normal description that is.

    `se_low` and `se_high`: the standard errors that the printed digits allow. `asymmetry`: how far the middle
    of the interval lies from the estimate, as a share of the half-width (0 where `se` was given).
    `asymmetric` where that is more than `ASYMMETRY_LIMIT` and more than rounding of the three printed numbers
    can do. `basis` says what the standard error is from.
    """

    value: float
    se: float
    se_low: float
    se_high: float
    asymmetry: float
    asymmetric: bool
    basis: str


def to_scale(value: float, scale: Scale, what: str = "the value") -> float:
    """`value` on the scale. Raises `ValueError` where it has no place there (a ratio of 0, an area of 1)."""
    inside = {"log": 0.0 < value < math.inf, "logit": 0.0 < value < 1.0, "identity": math.isfinite(value)}
    if not inside[scale]:
        limits = {"log": "above 0", "logit": "between 0 and 1", "identity": "finite"}[scale]
        raise ValueError(f"{what} {value:g} is not {limits}, as the {scale} scale needs")
    if scale == "log":
        return math.log(value)
    return math.log(value / (1.0 - value)) if scale == "logit" else float(value)


def from_scale(value: float, scale: Scale) -> float:
    """The inverse of `to_scale`; far out on the log scale it is 0 or infinity."""
    if scale == "log":
        return math.exp(value) if value < 709.0 else math.inf
    if scale == "logit":
        return 1.0 / (1.0 + math.exp(-value)) if value > -709.0 else 0.0
    return value


def on_scale(effect: Effect) -> OnScale:
    """The effect on its scale, with the standard error that was given or that its interval implies.

    From an interval at level 1 − α the standard error is (g(high) − g(low)) / (2 z), g the scale and z the
    1 − α/2 quantile of the normal distribution (Tierney et al. 2007, doi 10.1186/1745-6215-8-16). An interval
    that is symmetric as printed but not on the scale was made without the scale (an area ± z SE); its
    standard error is then g′(value)·(high − low) / (2 z).

    Raises `ValueError` for an effect without an interval or standard error, and for an interval that is open,
    ends where the scale has no place (an area's at 1) or has no width.
    """
    from scipy.special import ndtri

    y = to_scale(effect.value, effect.scale)
    if effect.se is not None:
        return OnScale(
            value=y, se=effect.se, se_low=effect.se, se_high=effect.se, asymmetry=0.0, asymmetric=False,
            basis=effect.basis or "standard error as given",
        )  # fmt: skip
    if effect.low is None and effect.high is None:
        raise ValueError(f"{effect.label}: no interval and no standard error was given")
    if effect.low is None or effect.high is None:
        raise ValueError(f"{effect.label}: the interval is open on one side")
    low = to_scale(effect.low, effect.scale, f"{effect.label}: the lower end")
    high = to_scale(effect.high, effect.scale, f"{effect.label}: the upper end")
    if low == high:
        raise ValueError(f"{effect.label}: the interval has no width")
    z = float(ndtri(0.5 + effect.level / 2.0))
    half = (high - low) / 2.0
    rounding = [_rounding(x, effect) for x in (effect.low, effect.value, effect.high)]
    slack = (rounding[0] + rounding[2]) / 2.0
    shift = (high + low) / 2.0 - y
    asymmetric = abs(shift) > max(ASYMMETRY_LIMIT * half, slack + rounding[1])
    basis = f"printed {100 * effect.level:g} % interval"
    if asymmetric and effect.scale != "identity" and _symmetric_as_printed(effect):
        half = (effect.high - effect.low) / 2.0 * _slope(effect.value, effect.scale)
        slack, shift, asymmetric = rounding[1], 0.0, False
        basis += ", symmetric as printed: standard error carried over to the scale"
    return OnScale(
        value=y,
        se=half / z,
        se_low=max(half - slack, 0.0) / z,
        se_high=(half + slack) / z,
        asymmetry=shift / half,
        asymmetric=asymmetric,
        basis=basis,
    )


def _symmetric_as_printed(effect: Effect) -> bool:
    ends = [effect.value if end is None else end for end in (effect.low, effect.high)]
    return abs(sum(ends) / 2.0 - effect.value) <= 2.0 * _half_digit(effect)


def _half_digit(effect: Effect) -> float:
    """Half a unit of the last digit; the estimate and its interval are taken to have the same digits."""
    numbers = [v for v in (effect.value, effect.low, effect.high) if v is not None]
    decimals = max(len(f"{v:.10f}".rstrip("0").split(".")[1]) for v in numbers)
    return 0.5 * 10.0**-decimals


def _rounding(x: float, effect: Effect) -> float:
    """How far rounding may have moved `x` on the scale."""
    return _half_digit(effect) * _slope(x, effect.scale)


def _slope(x: float, scale: Scale) -> float:
    """The derivative of the scale at `x`."""
    if scale == "identity":
        return 1.0
    return 1.0 / x if scale == "log" else 1.0 / (x * (1.0 - x))
