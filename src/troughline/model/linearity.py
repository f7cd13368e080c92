"""Whether equations are surely nonlinear in their states, found from their values.

On a straight line through the states a linear system has equal steps. Where three values at equal distances,
computed to fifty digits, show otherwise, it is nonlinear, and its algebra need not be multiplied out to see
that. Where they do not, nothing is said: the algebra decides.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from random import Random
from typing import Any

from troughline.model.program import Line

_DIGITS = 50
_SURELY = Fraction(1, 10**25)
"""A second difference beyond this share of the values is none of rounding."""


def surely_nonlinear(
    lines: Sequence[Line], results: Sequence[Any], states: Sequence[Any], values: Mapping[Any, Any]
) -> bool:
    """Whether some result is no linear function of the states; False: it may be one.

    `values`: a number for every symbol that is neither a state nor a line.
    """
    sp: Any = importlib.import_module("sympy")
    drawn = Random(0)
    start = [Fraction(drawn.randint(500, 1500), 1000) for _ in states]
    step = [Fraction(drawn.randint(100, 300), 1000) for _ in states]
    known = {symbol: number(sp, value) for symbol, value in values.items()}
    courses: list[list[Any]] = []
    for k in range(3):
        at = {x: number(sp, a + k * b) for x, a, b in zip(states, start, step, strict=True)}
        courses.append(_evaluated(sp, lines, results, {**known, **at}))
    return any(_bends(sp, *three) for three in zip(*courses, strict=True))


def number(sp: Any, value: Any) -> Any:
    """A value as SymPy's number of fifty digits."""
    if isinstance(value, Fraction):
        value = sp.Rational(value.numerator, value.denominator)
    return sp.N(value, _DIGITS)


def _evaluated(sp: Any, lines: Sequence[Line], results: Sequence[Any], known: dict[Any, Any]) -> list[Any]:
    for symbol, expression in lines:
        known[symbol] = number(sp, expression.xreplace(known))
    return [number(sp, e.xreplace(known)) for e in results]


def _bends(sp: Any, first: Any, middle: Any, last: Any) -> bool:
    """Whether three values at equal distances lie on no straight line; False where one is no number."""
    values = (first, middle, last)
    if not all(v.is_Float and v.is_finite for v in values if v != 0):
        return False
    bend, size = abs(first - 2 * middle + last), sum(abs(v) for v in values)
    return bool(bend > sp.Rational(_SURELY.numerator, _SURELY.denominator) * size)
