"""The engine's parts for linear models with constant rates."""

from __future__ import annotations

from typing import Any

from troughline.model.kernels.advance import cached_dphi, cached_phi
from troughline.model.kernels.part import INTS, LONG, REALS, WORDS, carray, part
from troughline.model.kernels.steps import linear_propagator, step_linear


@part(INTS, REALS, WORDS, REALS, REALS, INTS)
def step(l: Any, c: Any, fn: Any, theta: Any, w: Any, i: Any, dt: Any, _: Any) -> Any:  # noqa: E741
    return step_linear(carray(l, LONG), carray(w, LONG), carray(i, LONG), dt)


@part(INTS, REALS, WORDS, REALS, REALS, INTS)
def propagator(l: Any, c: Any, fn: Any, theta: Any, w: Any, i: Any, dt: Any, place: Any) -> Any:  # noqa: E741
    ll, ww, ii = carray(l, LONG), carray(w, LONG), carray(i, LONG)
    return linear_propagator(
        ll, ww, ii, dt, cached_phi(ll, ww, ii, int(place)), cached_dphi(ll, ww, ii, int(place))
    )
