"""Expressions of a model file as the MathML of SBML Level 3 Version 2."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from xml.etree.ElementTree import Element, SubElement

from troughline.model.expressions import parse
from troughline.model.grammar import (
    Binary,
    Call,
    Choice,
    Comparison,
    Level,
    Logic,
    Name,
    Negative,
    Node,
    Number,
)
from troughline.units import canonical_factor

_MATHML = "http://www.w3.org/1998/Math/MathML"
_TIME_SYMBOL = "http://www.sbml.org/sbml/symbols/time"
_BINARY = {"+": "plus", "-": "minus", "*": "times", "/": "divide", "^": "power"}
_RELATIONS = {"==": "eq", "!=": "neq", "<": "lt", "<=": "leq", ">": "gt", ">=": "geq"}
_FUNCTIONS = {
    "exp": "exp", "log": "ln", "log10": "log", "sqrt": "root", "abs": "abs", "tanh": "tanh", "sin": "sin",
    "cos": "cos", "min": "min", "max": "max",
}  # fmt: skip
_DEFINED: dict[str, tuple[tuple[str, ...], str]] = {
    "logit": (("x",), "log(x/(1 - x))"),
    "expit": (("x",), "1/(1 + exp(-x))"),
    # By its series where the closed form loses its digits; both are right to 1e-12 at the border.
    "boxcox": (
        ("eta", "shape"),
        "eta*(1 + shape*eta/2 + (shape*eta)^2/6) if abs(shape*eta) < 0.0001 else (exp(shape*eta) - 1)/shape",
    ),
}
"""Functions of the language that SBML lacks and can define: their arguments and their meaning."""


def ci(identifier: str) -> Element:
    """A reference to a quantity by its id."""
    element = Element("ci")
    element.text = identifier
    return element


def time_symbol() -> Element:
    """The time of the simulation."""
    element = Element("csymbol", encoding="text", definitionURL=_TIME_SYMBOL)
    element.text = "time"
    return element


def number(value: float, unit: str | None = None) -> Element:
    """A number, with a unit id where one is given."""
    if math.isinf(value):
        return Element("infinity")
    element = Element("cn", {"sbml:units": unit} if unit else {})
    mantissa, _, exponent = repr(float(value)).removesuffix(".0").partition("e")
    element.text = mantissa
    if exponent:
        element.set("type", "e-notation")
        SubElement(element, "sep").tail = str(int(exponent))
    return element


def apply(operator: str, *arguments: Element) -> Element:
    """An operator or a function of MathML applied to arguments."""
    element = Element("apply")
    SubElement(element, operator)
    element.extend(arguments)
    return element


def piecewise(value: Element, condition: Element, otherwise: Element) -> Element:
    """`value` where `condition` holds, else `otherwise`."""
    element = Element("piecewise")
    SubElement(element, "piece").extend([value, condition])
    SubElement(element, "otherwise").append(otherwise)
    return element


def math_of(content: Element) -> Element:
    """A whole formula: what SBML has wherever it has mathematics."""
    element = Element("math", xmlns=_MATHML)
    element.append(content)
    return element


def function_definition(name: str) -> Element:
    """The definition of a function of the language that SBML lacks."""
    arguments, meaning = _DEFINED[name]
    element = Element("functionDefinition", id=name)
    body = Element("lambda")
    for argument in arguments:
        SubElement(body, "bvar").append(ci(argument))
    writer = MathWriter({argument: ci(argument) for argument in arguments}, {}, lambda _: "dimensionless")
    body.append(writer.number(parse(meaning).tree))
    element.append(math_of(body))
    return element


class MathWriter:
    """Writes expressions as MathML, in canonical units (h, mg, L).

    `symbols` gives what each name stands for, `levels` the levels of each category, coded 0, 1, …, and
    `unit_id` the id under which the document defines a unit (None: the number is written without one).
    `functions` collects the functions that the document has to define.
    """

    def __init__(
        self,
        symbols: Mapping[str, Element],
        levels: Mapping[str, tuple[str, ...]],
        unit_id: Callable[[str], str | None],
        functions: set[str] | None = None,
    ) -> None:
        self.symbols, self.levels, self.unit_id = symbols, levels, unit_id
        self.functions = set[str]() if functions is None else functions

    def number(self, node: Node) -> Element:
        """An expression as a number. Raises `ValueError` for what SBML has no function for."""
        match node:
            case Number(value, unit):
                factor = canonical_factor(unit) if unit else 1
                # 0 fits every unit in a model file; in SBML that is a number without one.
                return number(float(value * factor), self.unit_id(unit or "1") if value else None)
            case Name(id):
                return self.symbols[id]
            case Negative(operand):
                return apply("minus", self.number(operand))
            case Binary(operator, left, right):
                return apply(_BINARY[operator], self.number(left), self.number(right))
            case Call(function, arguments):
                return self.call(function, [self.number(argument) for argument in arguments])
            case Choice(condition, then, otherwise):
                return piecewise(self.number(then), self.condition(condition), self.number(otherwise))
            case Comparison() | Logic():
                return piecewise(self.plain(1), self.condition(node), self.plain(0))
            case Level():
                raise ValueError(f"has the level {node.text!r} outside a comparison")

    def call(self, function: str, arguments: list[Element]) -> Element:
        """A function of the language."""
        if function in _FUNCTIONS:
            return apply(_FUNCTIONS[function], *arguments)
        if function in _DEFINED:
            self.functions.add(function)
            element = Element("apply")
            element.extend([ci(function), *arguments])
            return element
        raise ValueError(f"uses {function}(), a function that SBML does not have and cannot define")

    def condition(self, node: Node) -> Element:
        """An expression that is true or false."""
        match node:
            case Logic(operator, operands):
                return apply(operator, *(self.condition(operand) for operand in operands))
            case Comparison(operators, operands):
                values = self.codes(node) or [self.number(operand) for operand in operands]
                pairs = [
                    apply(_RELATIONS[operator], left, right)
                    for operator, left, right in zip(operators, values, values[1:], strict=False)
                ]
                return pairs[0] if len(pairs) == 1 else apply("and", *pairs)
            case _:
                return apply("neq", self.number(node), number(0))

    def codes(self, node: Comparison) -> list[Element] | None:
        """Both sides of `sex == "female"`, the level as its code; None for a comparison of numbers."""
        level = next((o for o in node.operands if isinstance(o, Level)), None)
        name = next((o for o in node.operands if isinstance(o, Name)), None)
        if level is None or name is None:
            return None
        return [self.symbols[name.id], self.plain(self.levels[name.id].index(level.text))]

    def plain(self, value: int) -> Element:
        """A pure number."""
        return number(value, self.unit_id("1"))
