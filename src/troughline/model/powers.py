"""Powers that can be differentiated where their base is zero.

SymPy writes the derivative of b^e as b^e·e/b, which is 0/0 for a base that is zero: an amount before the
first dose, the time after a dose at the dose. Kept whole, it is e·b^(e−1). Below a base of zero, where only a
solver's error leads, b^e goes on as zero; its derivatives by the base are zero there and at zero itself, so
that none is infinite (the second of b^1.5) or nothing times infinity.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import cache
from typing import Any


def keep_powers(expression: Any, amounts: Iterable[Any]) -> Any:
    """The SymPy expression with every power of a broken or symbolic exponent kept whole.

    `amounts`: the symbols that a solver's error can take below zero.
    """
    below = set(amounts)

    def broken(e: Any) -> bool:
        return bool(e.is_Pow and not e.exp.is_Integer and e.base.free_symbols)

    def kept(e: Any) -> Any:
        plain, clipped = _classes()
        return (clipped if e.base.free_symbols & below else plain)(e.base, e.exp, 0, 0)

    return expression.replace(broken, kept)


def power_text(name: str, base: str, exponent: str, logs: int, order: int) -> str:
    """The Python expression of a kept power, b^e·(log b)^logs, after `order` derivatives by its base."""
    whole = f"max({base}, 0.0)" if name == "ClippedPower" and not logs and not order else f"({base})"
    if exponent == "0.5":
        raised = f"sqrt({whole})"
    elif exponent == "-0.5":
        raised = f"(1.0/sqrt({whole}))"
    else:
        raised = f"{whole}**({exponent})"
    if logs or order:
        return f"(0.0 if {base} <= 0.0 else {'*'.join([raised, *[f'log({base})'] * logs])})"
    return raised


@cache
def _classes() -> tuple[Any, Any]:
    """The SymPy functions (b, e, n, m) ↦ b^e·(log b)^n, m derivatives later: as it is, and clipped."""
    sympy: Any = importlib.import_module("sympy")

    class Power(sympy.Function):
        nargs = 4

        @classmethod
        def eval(cls, base: Any, exponent: Any, logs: Any, order: Any) -> Any:
            if logs == 0 and exponent.is_Integer and (exponent == 0 or exponent == 1):
                return base if exponent == 1 else sympy.Integer(1)
            return None

        def _eval_is_real(self) -> bool:
            return True

        def fdiff(self, argindex: int = 1) -> Any:
            base, exponent, logs, order = self.args
            if argindex == 2:
                return self.func(base, exponent, logs + 1, order)
            slope = exponent * self.func(base, exponent - 1, logs, order + 1)
            return slope if logs == 0 else slope + logs * self.func(base, exponent - 1, logs - 1, order + 1)

    class ClippedPower(Power):
        pass

    return Power, ClippedPower
