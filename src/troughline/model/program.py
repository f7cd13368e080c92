"""Algebra that is computed line by line, and its exact derivatives by the same lines.

A *line* names an expression of symbols and of earlier lines. Written out, an expression of forty lines can be
longer than any memory; kept as lines it stays as long as the model file, and its derivatives need a few
products a line: forward along a direction (`along`), or back from one result to everything it uses
(`gradient`). Both are exact. Griewank A, Walther A. Evaluating Derivatives. SIAM 2008.
doi:10.1137/1.9780898717761
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Line = tuple[Any, Any]
"""A symbol and the expression it stands for."""


def needed(lines: Sequence[Line], expressions: Iterable[Any]) -> list[Line]:
    """The lines that expressions use, directly or through others, in their order."""
    wanted: set[Any] = {s for e in expressions for s in e.free_symbols}
    kept: list[Line] = []
    for symbol, expression in reversed(lines):
        if symbol in wanted:
            kept.append((symbol, expression))
            wanted |= expression.free_symbols
    return kept[::-1]


def in_order(definitions: Mapping[Any, Any], results: Iterable[Any]) -> list[Line]:
    """The definitions that results use, each after those it uses itself."""
    placed: dict[Any, Any] = {}
    for result in results:
        waiting = _uses(result, definitions)[::-1]
        while waiting:
            symbol = waiting[-1]
            missing = [s for s in _uses(definitions[symbol], definitions) if s not in placed]
            if symbol in placed or not missing:
                placed.setdefault(symbol, definitions[waiting.pop()])
            else:
                waiting += missing[::-1]
    return list(placed.items())


def _uses(expression: Any, definitions: Mapping[Any, Any]) -> list[Any]:
    return sorted((s for s in expression.free_symbols if s in definitions), key=str)


class Derivatives:
    """Derivatives of lines; what they share, such as a partial derivative, is a line of its own.

    `made` holds every line that derivatives need beside the given ones. A derivative of a derivative needs
    the same `Derivatives` as the first, so that each line has a name of its own.
    """

    def __init__(self) -> None:
        self.sp: Any = importlib.import_module("sympy")
        self.made: list[Line] = []
        self._partials: dict[tuple[Any, Any], Any] = {}

    def along(
        self, lines: Sequence[Line], results: Sequence[Any], steps: Mapping[Any, Any]
    ) -> tuple[list[Line], list[Any]]:
        """The derivatives of `results` along a direction: `steps` says by how much each symbol moves.

        Returns the new lines, in an order in which each uses only what stands before it, and the results.
        """
        moves, begun = dict(steps), len(self.made)
        for symbol, expression in lines:
            change = self._change(expression, moves)
            if change != 0:
                moves[symbol] = self._named(change, f"d{len(self.made)}_{symbol}")
        changes = [self._change(e, moves) for e in results]
        return self.made[begun:], changes

    def gradient(self, lines: Sequence[Line], result: Any, by: Sequence[Any]) -> list[Any]:
        """The derivatives of one result by each symbol of `by`."""
        known = {*by, *(symbol for symbol, _ in lines)}
        weights: dict[Any, Any] = {}
        self._pass_back(result, self.sp.Integer(1), known, weights)
        for symbol, expression in reversed(lines):
            if symbol in weights:
                weight = self._named(weights[symbol], f"b{len(self.made)}_{symbol}")
                self._pass_back(expression, weight, known, weights)
        return [weights.get(symbol, self.sp.Integer(0)) for symbol in by]

    def _change(self, expression: Any, moves: Mapping[Any, Any]) -> Any:
        used = expression.free_symbols
        terms = [self._partial(expression, s) * step for s, step in moves.items() if s in used]
        return self.sp.Add(*terms)

    def _pass_back(self, expression: Any, weight: Any, known: set[Any], weights: dict[Any, Any]) -> None:
        for symbol in sorted(expression.free_symbols & known, key=str):
            part = weight * self._partial(expression, symbol)
            weights[symbol] = weights[symbol] + part if symbol in weights else part

    def _partial(self, expression: Any, symbol: Any) -> Any:
        """∂expression/∂symbol, worked out once."""
        if (expression, symbol) not in self._partials:
            slope = self.sp.diff(expression, symbol)
            self._partials[expression, symbol] = self._named(slope, f"q{len(self.made)}")
        return self._partials[expression, symbol]

    def _named(self, expression: Any, name: str) -> Any:
        """The expression, or a line in its place where it is more than a multiple of a symbol."""
        _, rest = expression.as_coeff_Mul()
        if rest.is_Atom:
            return expression
        symbol = self.sp.Symbol(name, real=True)
        self.made.append((symbol, expression))
        return symbol
