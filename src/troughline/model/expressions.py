"""Expressions of a model file: text, the names it uses, and its SymPy form."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from troughline.model.grammar import (
    FUNCTIONS,
    Binary,
    Call,
    Choice,
    Comparison,
    ExpressionError,
    Level,
    Logic,
    Name,
    Negative,
    Node,
    Number,
    read,
    walk,
)
from troughline.units import canonical_factor

__all__ = ["FUNCTIONS", "Expression", "ExpressionError", "parse", "to_sympy"]

_LARGEST_EXACT_EXPONENT = 64
_BOXCOX_SERIES_BELOW = Fraction(1, 1000)
_BOXCOX_SERIES_TERMS = 6


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression as written, with the names it uses; `tree` is what was read from the text."""

    text: str
    names: frozenset[str] = field(compare=False)
    tree: Node = field(compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return parse, (self.text,)


def parse(text: str) -> Expression:
    """Read an expression: Python's syntax with `^` as power, `80[kg]` a number with a unit.

    Nothing is executed; only the functions of `FUNCTIONS` exist. Raises `ExpressionError` (a `ValueError`)
    with a message of one line, worded to follow the expression: "ends where a value should follow".
    """
    tree = read(text)
    names = frozenset(node.id for node in walk(tree) if isinstance(node, Name))
    return Expression(" ".join(text.split()), names, tree)


def to_sympy(
    expression: Expression, symbols: Mapping[str, Any], levels: Mapping[str, tuple[str, ...]]
) -> Any:
    """The expression in SymPy, in canonical units (h, mg, L).

    `symbols` gives what each name stands for, `levels` the levels of each category, coded 0, 1, … A choice
    becomes a `Piecewise`, and so do `min`, `max` and `abs`; a comparison that is used as a number is 1 or 0.

    expit x = 1/(1 + e^−x); logit x = log(x/(1 − x)); phi x = (1 + erf(x/√2))/2;
    boxcox(η, λ) = (e^(λη) − 1)/λ, by its series in λη where |λ| < 1e-3, so that it and its derivatives have
    no gap at λ = 0.
    Raises `ExpressionError` for a name without a symbol, an unknown unit or level, or a number without value.
    """
    return _Lowering(symbols, levels).number(expression.tree)


class _Lowering:
    """Builds the SymPy form; `sp` is SymPy, which is imported when the first expression is lowered."""

    def __init__(self, symbols: Mapping[str, Any], levels: Mapping[str, tuple[str, ...]]) -> None:
        self.sp: Any = importlib.import_module("sympy")  # without type stubs, and slow to import
        self.symbols, self.levels = symbols, levels

    def number(self, node: Node) -> Any:
        sp = self.sp
        match node:
            case Number(value, unit):
                return self.rational(value * self.factor(unit))
            case Name(id):
                if id not in self.symbols:
                    raise ExpressionError(f"uses {id}, which nothing here defines")
                return self.symbols[id]
            case Negative(operand):
                return -self.number(operand)
            case Binary(operator, left, right):
                return self.binary(operator, self.number(left), self.number(right))
            case Call(function, arguments):
                return self.call(function, [self.number(argument) for argument in arguments])
            case Choice(condition, then, otherwise):
                return sp.Piecewise(
                    (self.number(then), self.condition(condition)), (self.number(otherwise), True)
                )
            case Level(text):
                raise ExpressionError(f"has the level {text!r} outside a comparison")
            case Comparison() | Logic():
                return sp.Piecewise((sp.Integer(1), self.condition(node)), (sp.Integer(0), True))

    def binary(self, operator: str, left: Any, right: Any) -> Any:
        if operator == "+":
            return left + right
        if operator == "-":
            return left - right
        if operator == "*":
            return left * right
        if operator == "/":
            if right == 0:
                raise ExpressionError("divides by zero")
            return left / right
        return self.power(left, right)

    def power(self, base: Any, exponent: Any) -> Any:
        if not (base.is_Number and exponent.is_Number):
            return base**exponent
        if exponent.is_Integer and abs(exponent) <= _LARGEST_EXACT_EXPONENT and not (base == 0 > exponent):
            return base**exponent
        # An exact power of two numbers can be a root without end or a number of a million digits.
        try:
            value = float(base) ** float(exponent)
        except (OverflowError, ZeroDivisionError):
            value = complex(0, 1)
        if isinstance(value, complex):
            raise ExpressionError(f"has the power {base}^{exponent}, which is no finite number")
        return self.sp.Float(value)

    def call(self, function: str, arguments: list[Any]) -> Any:
        sp, first = self.sp, arguments[0]
        match function:
            case "exp" | "log" | "sqrt" | "tanh" | "sin" | "cos":
                return getattr(sp, function)(first)
            case "log10":
                return sp.log(first) / sp.log(10)
            case "abs":
                return sp.Piecewise((first, first >= 0), (-first, True))
            case "min" | "max":
                return self.extreme(function, arguments)
            case "logit":
                return sp.log(first / (1 - first))
            case "expit":
                return 1 / (1 + sp.exp(-first))
            case "phi":
                return (1 + sp.erf(first / sp.sqrt(2))) / 2
            case "boxcox":
                return self.boxcox(first, arguments[1])
            case _:
                raise ExpressionError(f"calls {function}(), which is no function")

    def extreme(self, function: str, values: list[Any]) -> Any:
        sp, pieces = self.sp, list[Any]()
        for i, value in enumerate(values[:-1]):
            later = values[i + 1 :]
            wins = [value <= other if function == "min" else value >= other for other in later]
            pieces.append((value, sp.And(*wins)))
        return sp.Piecewise(*pieces, (values[-1], True))

    def boxcox(self, eta: Any, power: Any) -> Any:
        sp = self.sp
        near = self.rational(_BOXCOX_SERIES_BELOW)
        u = power * eta
        series = eta * sum(u**k / sp.factorial(k + 1) for k in range(_BOXCOX_SERIES_TERMS))
        closed = series if power == 0 else (sp.exp(u) - 1) / power
        return sp.Piecewise((series, sp.And(power < near, power > -near)), (closed, True))

    def condition(self, node: Node) -> Any:
        sp = self.sp
        if isinstance(node, Logic):
            join = {"and": sp.And, "or": sp.Or, "not": sp.Not}[node.operator]
            return join(*(self.condition(operand) for operand in node.operands))
        if not isinstance(node, Comparison):
            raise ExpressionError("has a number where a comparison should stand")
        relations = {"==": sp.Eq, "!=": sp.Ne, "<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge}
        values = self.codes(node) or [self.number(operand) for operand in node.operands]
        pairs = zip(node.operators, values, values[1:], strict=False)
        return sp.And(*(relations[operator](left, right) for operator, left, right in pairs))

    def codes(self, node: Comparison) -> list[Any] | None:
        """Both sides of `sex == "female"`, the level as its code; None for a comparison of numbers."""
        level = next((o for o in node.operands if isinstance(o, Level)), None)
        name = next((o for o in node.operands if isinstance(o, Name)), None)
        if level is None or name is None:
            return None
        known = self.levels.get(name.id, ())
        if level.text not in known:
            raise ExpressionError(f"compares {name.id} with {level.text!r}, which is no level of it")
        return [self.number(name), self.sp.Integer(known.index(level.text))]

    def factor(self, unit: str) -> Fraction:
        if not unit:
            return Fraction(1)
        try:
            return canonical_factor(unit)
        except ValueError as error:
            raise ExpressionError(f"has the unit {unit!r}: {error}") from None

    def rational(self, value: Fraction) -> Any:
        return self.sp.Rational(value.numerator, value.denominator)
