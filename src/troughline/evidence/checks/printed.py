"""How precisely a number was printed, and what that leaves open."""

from __future__ import annotations

from decimal import Decimal
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from troughline.evidence.numbers import Number
    from troughline.evidence.study_sections import Percent

SLACK = 1e-9
"""Room for the binary fractions of decimal numbers."""


def decimals_of(value: float) -> int:
    """The decimals with which a number is written in its shortest form; a last 0 is not seen."""
    exponent = Decimal(repr(float(value))).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def half_step(number: Number) -> float:
    """Half of the last printed digit: of value, low and high the one with the most decimals counts."""
    if number.decimals is not None:
        return 0.5 * 10.0**-number.decimals
    shown = [v for v in (number.value, number.low, number.high) if v is not None]
    return 0.5 * 10.0 ** -max(map(decimals_of, shown))


def percent_limits(percent: Percent) -> tuple[float, float]:
    """The lowest and highest percentage that would be printed like this; `<1` is 0 to 1."""
    if isinstance(percent, str):
        return 0.0, float(percent[1:])
    half = 0.5 * 10.0 ** -decimals_of(percent)
    return max(0.0, percent - half), percent + half


def p_limits(p_value: str) -> tuple[float, float]:
    """The lowest and highest p that would be printed like this; `<0.05` is 0 to 0.05."""
    if p_value.startswith("<"):
        return 0.0, float(p_value[1:])
    decimals = len(p_value.partition(".")[2])
    half = 0.5 * 10.0**-decimals
    return max(0.0, float(p_value) - half), min(1.0, float(p_value) + half)


def count_exists(low: float, high: float, n: int) -> bool:
    """Whether some whole number of n patients is a fraction between low and high (rounding either way)."""
    from math import ceil, floor

    return ceil(low * n - SLACK) <= floor(min(high, inf) * n + SLACK)


def shown(value: float) -> str:
    """A number as the source writes it: the shortest decimals, no exponent."""
    return f"{value:.10g}"
