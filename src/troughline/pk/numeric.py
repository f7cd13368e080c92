"""Expressions as numbers: evaluated with NumPy at given values, without the algebra of a compilation."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from troughline.model.expressions import Expression
from troughline.model.grammar import (
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
)
from troughline.units import canonical_factor

_SMALL = 1e-3
_WHERE: Any = np.where
_FUNCTIONS: dict[str, Any] = {
    "exp": np.exp, "log": np.log, "log10": np.log10, "sqrt": np.sqrt, "abs": np.abs, "tanh": np.tanh,
    "sin": np.sin, "cos": np.cos,
}  # fmt: skip
_COMPARE: dict[str, Any] = {
    "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater,
    ">=": np.greater_equal,
}  # fmt: skip


def evaluate(expression: Expression, values: Mapping[str, Any], levels: Mapping[str, tuple[str, ...]]) -> Any:
    """An expression at `values` (numbers or arrays that broadcast), canonical units; see `to_sympy`.

    `levels` gives the levels of each category, whose values are their codes 0, 1, … A result that is not
    finite is returned as such. Raises `ExpressionError` for a name without a value.
    """
    with np.errstate(all="ignore"):
        return _number(expression.tree, values, levels)


def _number(node: Node, values: Mapping[str, Any], levels: Mapping[str, tuple[str, ...]]) -> Any:
    match node:
        case Number(value, unit):
            return float(value * canonical_factor(unit)) if unit else float(value)
        case Name(id):
            if id not in values:
                raise ExpressionError(f"uses {id}, which has no value here")
            return values[id]
        case Negative(operand):
            return -_number(operand, values, levels)
        case Binary(operator, left, right):
            return _binary(operator, _number(left, values, levels), _number(right, values, levels))
        case Call(function, arguments):
            return _call(function, [_number(a, values, levels) for a in arguments])
        case Choice(condition, then, otherwise):
            return _WHERE(
                _condition(condition, values, levels), _number(then, values, levels),
                _number(otherwise, values, levels),
            )  # fmt: skip
        case Level(text):
            raise ExpressionError(f"has the level {text!r} outside a comparison")
        case Comparison() | Logic():
            return np.where(_condition(node, values, levels), 1.0, 0.0)


def _binary(operator: str, left: Any, right: Any) -> Any:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if operator == "/":
        return np.divide(left, right)
    return np.power(np.asarray(left, dtype=np.float64), right)


def _call(function: str, arguments: list[Any]) -> Any:
    x = arguments[0]
    if function in _FUNCTIONS:
        return _FUNCTIONS[function](x)
    match function:
        case "min" | "max":
            total = x
            for other in arguments[1:]:
                total = np.minimum(total, other) if function == "min" else np.maximum(total, other)
            return total
        case "logit":
            return np.log(np.divide(x, 1 - np.asarray(x)))
        case "expit":
            return 1 / (1 + np.exp(-np.asarray(x)))
        case "phi":
            return importlib.import_module("scipy.special").ndtr(x)
        case "boxcox":
            u = np.asarray(arguments[1] * x, dtype=np.float64)
            near = np.abs(arguments[1]) < _SMALL
            # (e^u − 1)/λ by its value where λ is not small, and u → 0 by x(1 + u/2 + u²/6 + …).
            series = x * (1 + u / 2 * (1 + u / 3 * (1 + u / 4 * (1 + u / 5 * (1 + u / 6)))))
            return np.where(near, series, np.divide(np.expm1(u), np.where(near, 1.0, arguments[1])))
        case _:
            raise ExpressionError(f"calls {function}(), which is no function")


def _condition(node: Node, values: Mapping[str, Any], levels: Mapping[str, tuple[str, ...]]) -> Any:
    if isinstance(node, Logic):
        parts = [_condition(o, values, levels) for o in node.operands]
        if node.operator == "not":
            return np.logical_not(parts[0])
        join = np.logical_and if node.operator == "and" else np.logical_or
        total = parts[0]
        for part in parts[1:]:
            total = join(total, part)
        return total
    if not isinstance(node, Comparison):
        raise ExpressionError("has a number where a comparison should stand")
    level = next((o for o in node.operands if isinstance(o, Level)), None)
    name = next((o for o in node.operands if isinstance(o, Name)), None)
    if level is not None and name is not None:
        known = levels.get(name.id, ())
        if level.text not in known:
            raise ExpressionError(f"compares {name.id} with {level.text!r}, which is no level of it")
        sides = [_number(name, values, levels), known.index(level.text)]
    else:
        sides = [_number(o, values, levels) for o in node.operands]
    total: Any = True
    for operator, left, right in zip(node.operators, sides, sides[1:], strict=False):
        total = np.logical_and(total, _COMPARE[operator](left, right))
    return total
