"""What an expression measures: dimensions inferred from those of the names in it, and what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from troughline import units
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
    written,
)

_SYMBOLS = {"[mass]": "mg", "[time]": "h", "[length]": "m", "[substance]": "mol", "[pressure]": "mmHg"}
_PURE_FUNCTIONS = ("exp", "log", "log10", "tanh", "sin", "cos", "logit", "expit", "phi", "boxcox")


@dataclass(frozen=True, slots=True)
class Dimension:
    """Powers of mass, time, length and so on; none of them: a pure number.

    `bends` marks what takes another dimension: `always` for the number 0 and for what a fault left
    unknown, `added` for a random effect, which is a pure number in a product and in a function and takes
    the unit of what it is added to.
    """

    powers: tuple[tuple[str, Fraction], ...] = ()
    bends: Literal["", "added", "always"] = ""

    @property
    def pure(self) -> bool:
        """Whether it is, or can be, a pure number."""
        return not self.powers

    def fits(self, other: Dimension) -> bool:
        """Whether a value of this dimension can stand where one of the other is due."""
        return bool(self.bends or other.bends) or self.powers == other.powers

    def times(self, other: Dimension, power: Fraction | int = 1) -> Dimension:
        """The dimension of self · other^power."""
        if "always" in (self.bends, other.bends):
            return ANYTHING
        total = dict(self.powers)
        for name, exponent in other.powers:
            total[name] = total.get(name, Fraction(0)) + exponent * power
        powers = tuple(sorted((n, e) for n, e in total.items() if e))
        # A multiple of a random effect is still one: 2·η can be added where η can.
        effect = self.bends == "added" or (other.bends == "added" and power == 1)
        return Dimension(powers, "added" if effect and not powers else "")

    def __str__(self) -> str:
        if self.bends:
            return "a random effect" if self.bends == "added" else "anything"
        return _unit_text(self.powers) or "a pure number"


PURE = Dimension()
ANYTHING = Dimension(bends="always")
EFFECT = Dimension(bends="added")


def dimension_of(unit: str) -> Dimension:
    """The dimension of a unit. Raises `ValueError` for an unknown one."""
    return Dimension(tuple(sorted(units.dimensions(unit).items())))


def infer(node: Node, names: Mapping[str, Dimension]) -> tuple[Dimension, tuple[str, ...]]:
    """The dimension of an expression, and one line for each thing in it that does not fit.

    `names` gives the dimension of each name; a name that is missing fits everything. Sums and comparisons
    need equal dimensions, functions and exponents pure numbers; a power of what has a dimension needs a
    constant exponent. A number without a unit is a pure number, but 0 fits everything.
    """
    inference = _Inference(names)
    return inference.of(node), tuple(inference.faults)


class _Inference:
    def __init__(self, names: Mapping[str, Dimension]) -> None:
        self.names, self.faults = names, list[str]()

    def of(self, node: Node) -> Dimension:
        match node:
            case Number(value, unit):
                return self.number(value, unit)
            case Name(id):
                return self.names.get(id, ANYTHING)
            case Level():
                return ANYTHING
            case Negative(operand):
                return self.of(operand)
            case Binary("+" | "-", left, right):
                return self.alike((left, right), f"{written(node)} adds")
            case Binary("^", base, exponent):
                return self.power(base, exponent)
            case Binary(operator, left, right):
                return self.product(operator, left, right)
            case Comparison(_, operands):
                self.alike(operands, f"{written(node)} compares")
                return PURE
            case Logic(_, operands):
                for operand in operands:
                    self.of(operand)
                return PURE
            case Call(function, arguments):
                return self.call(node, function, arguments)
            case Choice(condition, then, otherwise):
                self.of(condition)
                return self.alike((then, otherwise), f"{written(node)} chooses between")

    def number(self, value: Fraction, unit: str) -> Dimension:
        if not unit:
            return PURE if value else ANYTHING
        if not units.is_unit(unit):
            self.faults.append(f"{unit!r} is no unit known here")
            return ANYTHING
        return dimension_of(unit)

    def alike(self, operands: tuple[Node, ...], what: str) -> Dimension:
        """The common dimension of several operands, or a fault."""
        common = ANYTHING
        for operand in operands:
            found = self.of(operand)
            if not common.fits(found):
                self.faults.append(f"{what} {common} and {found}")
                return ANYTHING
            if common.bends and found.bends != "always":
                common = common if common.bends == "added" and found.bends else found
        return common

    def product(self, operator: str, left: Node, right: Node) -> Dimension:
        if operator == "/" and isinstance(right, Number) and right.value == 0:
            self.faults.append("divides by zero")
        return self.of(left).times(self.of(right), 1 if operator == "*" else -1)

    def power(self, base: Node, exponent: Node) -> Dimension:
        found = self.of(base)
        self.pure(exponent, f"the exponent {written(exponent)}")
        if found.bends == "always":
            return ANYTHING
        if found.pure:
            return PURE
        constant = _constant(exponent)
        if constant is None:
            self.faults.append(
                f"{written(base)} is {found}: only a pure number has the power {written(exponent)}, "
                "which is not constant; divide by a reference value first"
            )
            return ANYTHING
        return PURE.times(found, constant)

    def call(self, node: Node, function: str, arguments: tuple[Node, ...]) -> Dimension:
        if function in _PURE_FUNCTIONS:
            for argument in arguments:
                self.pure(argument, f"{function}({written(argument)})")
            return PURE
        if function in ("min", "max"):
            return self.alike(arguments, f"{written(node)} compares")
        found = self.of(arguments[0])
        return PURE.times(found, Fraction(1, 2)) if function == "sqrt" and not found.bends else found

    def pure(self, node: Node, what: str) -> None:
        found = self.of(node)
        if not found.pure:
            self.faults.append(f"{what} needs a pure number, not {found}")


def _constant(node: Node) -> Fraction | None:
    """The value of an expression of plain numbers; None where it has a name, a unit or a function."""
    match node:
        case Number(value, ""):
            return value
        case Negative(operand):
            value = _constant(operand)
            return None if value is None else -value
        case Binary(operator, left, right) if operator != "^":
            a, b = _constant(left), _constant(right)
            if a is None or b is None or (operator == "/" and b == 0):
                return None
            return {"+": a + b, "-": a - b, "*": a * b}[operator] if operator != "/" else a / b
        case _:
            return None


def _unit_text(powers: tuple[tuple[str, Fraction], ...]) -> str:
    """`mg/L`, `1/h`, `m^2`: a length to the third power is written as a volume."""
    over, under = list[str](), list[str]()
    known = list(_SYMBOLS)
    for name, power in sorted(powers, key=lambda p: known.index(p[0]) if p[0] in known else len(known)):
        symbol = _SYMBOLS.get(name, name.strip("[]"))
        if name == "[length]" and (power / 3).denominator == 1:
            symbol, power = "L", power / 3
        size = abs(power)
        text = symbol if size == 1 else f"{symbol}^{size if size.denominator == 1 else f'({size})'}"
        (over if power > 0 else under).append(text)
    if not powers:
        return ""
    return "/".join([" ".join(over) or "1", *under])
