"""The grammar of expressions in a model file: from text to a small tree; nothing is evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

from troughline.model.wording import did_you_mean

FUNCTIONS = {
    "exp": (1, 1), "log": (1, 1), "log10": (1, 1), "sqrt": (1, 1), "abs": (1, 1), "tanh": (1, 1),
    "sin": (1, 1), "cos": (1, 1), "logit": (1, 1), "expit": (1, 1), "phi": (1, 1), "boxcox": (2, 2),
    "min": (2, 20), "max": (2, 20), "where": (3, 3),
}  # fmt: skip
"""The functions an expression may call, with the least and the largest number of arguments."""

_MAX_LENGTH, _MAX_BRACKETS, _MAX_DEPTH = 4000, 40, 100
_WORDS = ("and", "or", "not", "if", "else")
_TOKEN = re.compile(
    r"""
      (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\s*\[(?P<unit>[^\[\]]*)\])?(?![A-Za-z_0-9.])
    | (?P<name>[A-Za-z_][A-Za-z_0-9]*)
    | (?P<level>"[^"]*"|'[^']*')
    | (?P<sign>\*\*|==|!=|<=|>=|[-+*/^()<>,])
    """,
    re.VERBOSE,
)


class ExpressionError(ValueError):
    """An expression that cannot be read or used; the message is one line."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written, with its unit (an empty text: none)."""

    value: Fraction
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Name:
    """A name of the model or of the context."""

    id: str


@dataclass(frozen=True, slots=True)
class Level:
    """A level of a category, written in quotes."""

    text: str


@dataclass(frozen=True, slots=True)
class Negative:
    """−operand."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """left operator right, the operator one of + - * / ^."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Comparison:
    """A chain of comparisons, `a < b <= c`: one operator fewer than operands."""

    operators: tuple[str, ...]
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Logic:
    """Conditions joined by `and`, `or`, or one of them negated by `not`."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `FUNCTIONS` but `where`, which is a `Choice`."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`then if condition else otherwise`, or `where(condition, then, otherwise)`."""

    condition: Node
    then: Node
    otherwise: Node


Node = Number | Name | Level | Negative | Binary | Comparison | Logic | Call | Choice


def read(text: str) -> Node:
    """The tree of an expression.

    Raises `ExpressionError` with one line that says what is wrong and near what.
    """
    if len(text) > _MAX_LENGTH:
        raise ExpressionError(f"is longer than {_MAX_LENGTH} characters")
    reader = _Reader(_tokens(" ".join(text.split())))
    tree = reader.choice()
    reader.expect_end()
    _check(tree)
    return tree


def parts(node: Node) -> tuple[Node, ...]:
    """The parts a node consists of."""
    match node:
        case Negative(operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Comparison(_, operands) | Logic(_, operands) | Call(_, operands):
            return operands
        case Choice(condition, then, otherwise):
            return (condition, then, otherwise)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for part in parts(node):
        yield from walk(part)


def is_condition(node: Node) -> bool:
    """Whether a node is true or false: a comparison, or comparisons joined."""
    return isinstance(node, Comparison | Logic)


def written(node: Node, inside: int = 0) -> str:
    """A node as text, with no more brackets than it needs."""
    match node:
        case Number(value, unit):
            number = str(value.numerator) if value.denominator == 1 else f"{float(value):g}"
            return number + (f"[{unit}]" if unit else "")
        case Name(id):
            return id
        case Level(text):
            return f'"{text}"'
        case Call(function, arguments):
            return f"{function}({', '.join(map(written, arguments))})"
        case Negative(operand):
            text, strength = "-" + written(operand, 7), 6
        case Binary(operator, left, right):
            strength = {"+": 4, "-": 4, "*": 5, "/": 5, "^": 8}[operator]
            low, high = (strength + 1, strength) if operator == "^" else (strength, strength + 1)
            space = " " if operator in "+-" else ""
            text = f"{written(left, low)}{space}{operator}{space}{written(right, high)}"
        case Comparison(operators, operands):
            text, strength = written(operands[0], 4), 3
            for operator, operand in zip(operators, operands[1:], strict=True):
                text += f" {operator} {written(operand, 4)}"
        case Logic("not", operands):
            text, strength = "not " + written(operands[0], 3), 2
        case Logic(operator, operands):
            strength = 1
            text = f" {operator} ".join(written(operand, 2) for operand in operands)
        case Choice(condition, then, otherwise):
            strength = 0
            text = f"{written(then, 1)} if {written(condition, 1)} else {written(otherwise)}"
    return f"({text})" if strength < inside else text


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    unit: str | None = None


def _tokens(text: str) -> list[_Token]:
    tokens, at = list[_Token](), 0
    while at < len(text):
        if text[at] == " ":
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(_stray(text, at))
        kind = str(match.lastgroup if match.lastgroup != "unit" else "number")
        tokens.append(_Token(kind, match[kind], match["unit"]))
        at = match.end()
    return tokens


def _stray(text: str, at: int) -> str:
    rest = text[at:]
    for start, meant in (
        ("//", "'/'"), ("&", "'and'"), ("|", "'or'"), ("!", "'not'"), ("=", "'==' to compare"),
        ("[", "a unit right after a number: 80[kg]"),
    ):  # fmt: skip
        if rest.startswith(start):
            return f"has {start!r} at character {at + 1}, which means nothing here; write {meant}"
    if rest[0] in "\"'":
        return f"has a quote at character {at + 1} that is not closed"
    if rest[0].isdigit() or rest[0] == ".":
        word = re.match(r"[\w.]+", rest)
        return f"has {(word[0] if word else rest[0])!r} at character {at + 1}, which is no number"
    return f"has {rest[0]!r} at character {at + 1}, which means nothing here"


class _Reader:
    """Reads tokens by rising strength: choice, or, and, not, comparison, sum, product, sign, power."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.at, self.depth = tokens, 0, 0

    def choice(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_BRACKETS:
            raise ExpressionError("is nested too deeply")
        then = self.logic("or")
        if self.take("name", "if"):
            condition = self.logic("or")
            self.expect("name", "else")
            then = Choice(condition, then, self.choice())
        self.depth -= 1
        return then

    def logic(self, word: str) -> Node:
        part = (lambda: self.logic("and")) if word == "or" else self.negation
        operands = [part()]
        while self.take("name", word):
            operands.append(part())
        return operands[0] if len(operands) == 1 else Logic(word, tuple(operands))

    def negation(self) -> Node:
        count = 0
        while self.take("name", "not"):
            count += 1
        node = self.comparison()
        if count:
            _need_condition(node, "'not'")
        return Logic("not", (node,)) if count % 2 else node

    def comparison(self) -> Node:
        operands, operators = [self.sum()], list[str]()
        while (sign := self.sign("==", "!=", "<=", ">=", "<", ">")) is not None:
            operators.append(sign)
            operands.append(self.sum())
        return Comparison(tuple(operators), tuple(operands)) if operators else operands[0]

    def sum(self) -> Node:
        node = self.product()
        while (sign := self.sign("+", "-")) is not None:
            node = Binary(sign, node, self.product())
        return node

    def product(self) -> Node:
        node = self.signed()
        while (sign := self.sign("*", "/")) is not None:
            node = Binary(sign, node, self.signed())
        return node

    def signed(self) -> Node:
        negative = False
        while (sign := self.sign("-", "+")) is not None:
            negative ^= sign == "-"
        node = self.power()
        return Negative(node) if negative else node

    def power(self) -> Node:
        base = self.atom()
        if self.sign("^", "**") is None:
            return base
        self.depth += 1
        if self.depth > _MAX_BRACKETS:
            raise ExpressionError("is nested too deeply")
        exponent = self.signed()
        self.depth -= 1
        return Binary("^", base, exponent)

    def atom(self) -> Node:
        token = self.next()
        if token is None:
            raise ExpressionError("is empty" if not self.tokens else "ends where a value should follow")
        if token.kind == "number":
            if token.unit is not None and not token.unit.strip():
                raise ExpressionError(f"has no unit in the brackets of '{token.text}[]'")
            if not isfinite(float(token.text)):
                raise ExpressionError(f"has the number {token.text}, which is too large")
            return Number(Fraction(token.text), (token.unit or "").strip())
        if token.kind == "level":
            return Level(token.text[1:-1])
        if token.kind == "name" and token.text not in _WORDS:
            return self.call(token.text) if self.sign("(") else Name(token.text)
        if token.text == "(":
            node = self.choice()
            self.expect("sign", ")")
            return node
        raise ExpressionError(f"has {token.text!r} where a value should stand")

    def call(self, function: str) -> Node:
        if function not in FUNCTIONS:
            raise ExpressionError(f"calls {function}(), which is no function; {_functions(function)}")
        arguments = list[Node]()
        if self.sign(")") is None:
            arguments.append(self.choice())
            while self.sign(",") is not None:
                arguments.append(self.choice())
            self.expect("sign", ")")
        least, most = FUNCTIONS[function]
        if not least <= len(arguments) <= most:
            wanted = f"{least}" if least == most else f"at least {least}"
            raise ExpressionError(
                f"calls {function}() with {len(arguments)} argument{'s' * (len(arguments) != 1)}; "
                f"it takes {wanted}"
            )
        return Choice(*arguments) if function == "where" else Call(function, tuple(arguments))

    def next(self) -> _Token | None:
        if self.at == len(self.tokens):
            return None
        self.at += 1
        return self.tokens[self.at - 1]

    def take(self, kind: str, text: str) -> bool:
        here = self.at < len(self.tokens) and self.tokens[self.at]
        if here and here.kind == kind and here.text == text:
            self.at += 1
            return True
        return False

    def sign(self, *signs: str) -> str | None:
        return next((sign for sign in signs if self.take("sign", sign)), None)

    def expect(self, kind: str, text: str) -> None:
        if not self.take(kind, text):
            token = self.next()
            found = f"has {token.text!r}" if token else "ends"
            raise ExpressionError(f"{found} where {text!r} should stand")

    def expect_end(self) -> None:
        token = self.next()
        if token is not None:
            raise ExpressionError(f"has {token.text!r} where an operator should stand")


def _functions(written_name: str) -> str:
    return did_you_mean("log" if written_name == "ln" else written_name, FUNCTIONS, "functions")


def _need_condition(node: Node, where: str) -> None:
    if not is_condition(node):
        raise ExpressionError(f"needs a comparison for {where}: write {written(node)} > 0 or the like")


def _check(tree: Node) -> None:
    level, depth = [tree], 0
    while level:
        level, depth = [part for node in level for part in parts(node)], depth + 1
        if depth > _MAX_DEPTH:
            raise ExpressionError("is too long a chain of operations; name a part of it")
    for node in walk(tree):
        if isinstance(node, Logic):
            for operand in node.operands:
                _need_condition(operand, f"'{node.operator}'")
        elif isinstance(node, Choice):
            _need_condition(node.condition, "the condition")
        if isinstance(node, Comparison):
            if any(is_condition(operand) for operand in node.operands):
                raise ExpressionError("compares a comparison; join comparisons by 'and' or 'or'")
            _check_levels(node)
        elif any(isinstance(part, Level) for part in parts(node)) or isinstance(tree, Level):
            raise ExpressionError('has a quoted level outside a comparison; write sex == "female"')


def _check_levels(node: Comparison) -> None:
    if not any(isinstance(operand, Level) for operand in node.operands):
        return
    kinds = sorted(type(operand).__name__ for operand in node.operands)
    if kinds != ["Level", "Name"] or node.operators[0] not in ("==", "!="):
        raise ExpressionError('compares a quoted level; only name == "level" and name != "level" do')
