"""The engine's parts for nonlinear models."""

from __future__ import annotations

from typing import Any

from troughline.model.kernels.part import INTS, LONG, REALS, WORDS, carray, part
from troughline.model.kernels.steady_nonlinear import constant_nonlinear, steady_nonlinear
from troughline.model.kernels.steps import step_stiff


@part(INTS, REALS, WORDS, REALS, REALS, INTS)
def step(l: Any, c: Any, fn: Any, theta: Any, w: Any, i: Any, dt: Any, _: Any) -> Any:  # noqa: E741
    return step_stiff(
        carray(l, LONG), carray(c, LONG), carray(fn, LONG), carray(w, LONG), carray(i, LONG), dt
    )  # fmt: skip


@part(INTS, REALS, WORDS, REALS, REALS, REALS, INTS)
def steady(l: Any, c: Any, fn: Any, theta: Any, eta: Any, w: Any, i: Any, _: Any, __: Any) -> Any:  # noqa: E741
    return steady_nonlinear(
        carray(l, LONG), carray(c, LONG), carray(fn, LONG), carray(theta, LONG), carray(eta, LONG),
        carray(w, LONG), carray(i, LONG),
    )  # fmt: skip


@part(INTS, REALS, WORDS, REALS, REALS, REALS, INTS)
def constant(l: Any, c: Any, fn: Any, theta: Any, eta: Any, w: Any, i: Any, _: Any, __: Any) -> Any:  # noqa: E741
    return constant_nonlinear(
        carray(l, LONG), carray(c, LONG), carray(fn, LONG), carray(theta, LONG), carray(eta, LONG),
        carray(w, LONG), carray(i, LONG),
    )  # fmt: skip
