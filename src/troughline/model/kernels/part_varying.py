"""The engine's parts for linear models whose rates vary in time."""

from __future__ import annotations

from typing import Any

from troughline.model.kernels.part import INTS, LONG, REALS, WORDS, carray, part
from troughline.model.kernels.steps import step_varying, varying_propagator


@part(INTS, REALS, WORDS, REALS, REALS, INTS)
def step(l: Any, c: Any, fn: Any, theta: Any, w: Any, i: Any, dt: Any, _: Any) -> Any:  # noqa: E741
    return step_varying(
        carray(l, LONG), carray(c, LONG), carray(fn, LONG), carray(theta, LONG), carray(w, LONG),
        carray(i, LONG), dt,
    )  # fmt: skip


@part(INTS, REALS, WORDS, REALS, REALS, INTS)
def propagator(l: Any, c: Any, fn: Any, theta: Any, w: Any, i: Any, dt: Any, place: Any) -> Any:  # noqa: E741
    return varying_propagator(
        carray(l, LONG), carray(c, LONG), carray(fn, LONG), carray(theta, LONG), carray(w, LONG),
        carray(i, LONG), dt, int(place),
    )  # fmt: skip
