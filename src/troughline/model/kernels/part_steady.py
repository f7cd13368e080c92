"""The steady state of a linear model, as a part of the engine."""

from __future__ import annotations

from typing import Any

from troughline.model.kernels.part import INTS, LONG, REALS, WORDS, carray, part
from troughline.model.kernels.steady_linear import constant_linear, steady_linear


@part(INTS, REALS, WORDS, REALS, REALS, REALS, INTS)
def steady(l: Any, c: Any, fn: Any, theta: Any, eta: Any, w: Any, i: Any, _: Any, __: Any) -> Any:  # noqa: E741
    return steady_linear(
        carray(l, LONG), carray(c, LONG), carray(fn, LONG), carray(theta, LONG), carray(eta, LONG),
        carray(w, LONG), carray(i, LONG),
    )  # fmt: skip


@part(INTS, REALS, WORDS, REALS, REALS, REALS, INTS)
def constant(l: Any, c: Any, fn: Any, theta: Any, eta: Any, w: Any, i: Any, _: Any, __: Any) -> Any:  # noqa: E741
    return constant_linear(
        carray(l, LONG), carray(c, LONG), carray(fn, LONG), carray(theta, LONG), carray(eta, LONG),
        carray(w, LONG), carray(i, LONG),
    )  # fmt: skip
