"""Equations kept as lines give the numbers that they give multiplied out, and so do their derivatives.

The generated functions are run as plain Python; the same equations, written out as one expression each, are
differentiated by SymPy and evaluated to thirty digits.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

from troughline.model.library import list_models
from troughline.model.linearity import surely_nonlinear
from troughline.model.model import load_model
from troughline.model.program import Derivatives, in_order, needed
from troughline.model.read import read_model
from troughline.model.source import write_source
from troughline.model.spec import ModelSpec
from troughline.model.symbolic import LINEAR, NONLINEAR, VARYING, Derivation, derive, kind_of

ZOO = sorted((Path(__file__).resolve().parents[1] / "reference" / "models" / "zoo").glob("*.toml"))
MECHANISM = "sorafenib/hcc-mechanism"
RELATIVE = 1e-9


@cache
def spec_of(reference: str | Path) -> ModelSpec:
    return load_model(reference).spec


TANGLED = """doses = [{ compartment = "central" }]
flows = [{ from = "central", to = "deep", rate = "k / (1 + sqrt(effect))" }]
[model]
id = "own/tangled"
title = "Lines upon lines, in time and in states"
drug = "own"
revision = 1
[parameters]
k = { value = 0.1, unit = "1/h" }
EC50 = { value = 0.8, unit = "mg" }
half = { value = 20, unit = "h" }
hill = 1.5
[covariates]
age = { unit = "1", default = 1 }
[individual]
fading = "2^(-t / half) * (1 + age)"
slow = "k * exp(-age)"
[compartments]
central = {}
deep = {}
marker = { initial = "1", unit = "1" }
[variables]
still = "EC50 * (1 + age^2)"
effect = "fading * (central / still)^hill"
drive = "effect / (1 + effect) * max(marker, 0.2)"
push = "log(1 + drive^2) + expit(drive) - tanh(marker * drive)"
[derivatives]
central = "-slow * central * (1 + push)"
deep = "-k * deep * (drive if tad > 2[h] else effect)"
marker = "k * (push - marker * fading) + k * abs(drive - 0.3)"
[outputs.central]
prediction = "central * (1 + push)"
unit = "mg"
error = { kind = "none" }
[outputs.marker]
prediction = "marker * fading + drive * effect"
unit = "1"
error = { kind = "none" }
"""


@cache
def tangled() -> ModelSpec:
    spec, found = read_model(TANGLED, file="tangled.toml")
    assert spec is not None, [f.line() for f in found]
    return spec


def models() -> dict[str, ModelSpec]:
    return {"tangled": tangled(), **{path.stem: spec_of(path) for path in ZOO}}


def functions_of(d: Derivation) -> dict[str, Any]:
    """The generated functions, uncompiled."""
    text = write_source("test/model", d)
    text = re.sub(r"return cfunc\(.*\)", "return lambda f: f", text)
    scope: dict[str, Any] = {}
    exec(text, scope)
    return scope


class Point:
    """A derivation's functions at one point, and its equations multiplied out at the same point."""

    def __init__(self, spec: ModelSpec) -> None:
        self.d = derive(spec)
        self.call = functions_of(self.d)
        drawn = np.random.default_rng(7)
        self.n, self.slots = len(self.d.states), len(self.d.slots)
        self.x = drawn.uniform(0.5, 1.5, self.n)
        self.p = drawn.uniform(0.3, 0.9, self.slots)
        self.ctx = np.array([30.0, 6.0, 400.0, 12.0])
        self.dx, self.v = drawn.normal(size=self.n), drawn.normal(size=self.n)
        self.dp = drawn.normal(size=self.slots)
        symbols = (*self.d.states, *self.d.slot_symbols, *self.d.context)
        numbers = (*self.x, *self.p, *self.ctx)
        self.at = {s: sympy.Float(float(v), 40) for s, v in zip(symbols, numbers, strict=True)}
        self.whole = [self.written_out(f) for f in self.d.rhs]

    def written_out(self, expression: Any) -> Any:
        for symbol, line in reversed(self.d.lines):
            expression = expression.xreplace({symbol: line})
        return expression

    def value(self, expression: Any) -> float:
        return float(sympy.N(expression.xreplace(self.at), 30))

    def ran(self, name: str, size: int, *more: Any) -> np.ndarray[Any, Any]:
        out = np.zeros(size)
        self.call[name](self.ctx, self.x, self.p, *more, out)
        return out

    def along(self, expression: Any) -> Any:
        steps = [*zip(self.d.states, self.dx, strict=True), *zip(self.d.slot_symbols, self.dp, strict=True)]
        return sympy.Add(*(sympy.diff(expression, s) * sympy.Float(float(k), 40) for s, k in steps))


@pytest.mark.parametrize("name", [n for n, spec in models().items() if kind_of(spec) == NONLINEAR])
def test_rates_and_their_derivatives_are_those_of_the_equations_written_out(name: str) -> None:
    """Right-hand side, Jacobian, tangents, second derivatives and derivatives by time, to 1e-9."""
    one = Point(models()[name])
    n, states, f = one.n, one.d.states, one.whole
    time = one.d.context[:2]
    jacobian = [[sympy.diff(e, x) for x in states] for e in f]
    product = [sympy.Add(*(e * float(k) for e, k in zip(row, one.v, strict=True))) for row in jacobian]
    by_time = [sympy.diff(e, time[0]) + sympy.diff(e, time[1]) for e in f]
    steps = (one.dx, one.dp)
    for found, wanted in (
        (one.ran("rhs", n), f),
        (one.ran("jacobian", n * n), [e for row in jacobian for e in row]),
        (one.ran("rhs_tangent", n, *steps), [one.along(e) for e in f]),
        (one.ran("jacobian_tangent", n, *steps, one.v), [one.along(e) for e in product]),
        (one.ran("time_derivative", n), by_time),
        (one.ran("time_derivative_tangent", n, *steps), [one.along(e) for e in by_time]),
    ):
        np.testing.assert_allclose(found, [one.value(e) for e in wanted], rtol=RELATIVE, atol=1e-12)


@pytest.mark.parametrize("name", list(models()))
def test_predictions_and_their_derivatives_are_those_of_the_equations_written_out(name: str) -> None:
    """Each output's value, and its derivatives by every state and slot, to 1e-9."""
    one = Point(models()[name])
    for i, output in enumerate(one.d.outputs):
        h = one.written_out(output.prediction)
        out, dx, dp = np.zeros(1), np.zeros(one.n), np.zeros(one.slots)
        one.call[f"output_{i}"](one.ctx, one.x, one.p, out, dx, dp)
        assert out[0] == pytest.approx(one.value(h), rel=RELATIVE)
        for found, symbols in ((dx, one.d.states), (dp, one.d.slot_symbols)):
            wanted = [one.value(sympy.diff(h, s)) for s in symbols]
            np.testing.assert_allclose(found, wanted, rtol=RELATIVE, atol=1e-12)


def test_the_mechanism_has_the_derivatives_of_its_own_rates() -> None:
    """26 states, too long to write out: Jacobian, tangents and second derivatives by central differences."""
    one = Point(spec_of(MECHANISM))
    n, h = one.n, 1e-5

    def moved(name: str, size: int, *more: Any, dx: Any, dp: Any = 0.0) -> np.ndarray[Any, Any]:
        x, p = one.x, one.p
        ends = list[np.ndarray[Any, Any]]()
        for sign in (1.0, -1.0):
            one.x, one.p = x + sign * h * dx, p + sign * h * dp
            ends.append(one.ran(name, size, *more))
        one.x, one.p = x, p
        return (ends[0] - ends[1]) / (2.0 * h)

    jacobian = one.ran("jacobian", n * n).reshape(n, n)
    for j in range(n):
        np.testing.assert_allclose(jacobian[:, j], moved("rhs", n, dx=np.eye(n)[j]), rtol=1e-6, atol=1e-8)
    tangent = one.ran("rhs_tangent", n, one.dx, one.dp)
    np.testing.assert_allclose(tangent, moved("rhs", n, dx=one.dx, dp=one.dp), rtol=1e-6, atol=1e-8)
    second = one.ran("jacobian_tangent", n, one.dx, one.dp, one.v)
    change = moved("jacobian", n * n, dx=one.dx, dp=one.dp).reshape(n, n)
    np.testing.assert_allclose(second, change @ one.v, rtol=1e-5, atol=1e-7)
    assert np.count_nonzero(jacobian) < 0.4 * n * n


def test_the_mechanism_is_written_in_lines_no_longer_than_the_file_asks_for() -> None:
    """What took minutes when it was multiplied out is some thousand lines of code."""
    text = write_source(MECHANISM, derive(spec_of(MECHANISM)))
    assert len(text) < 200_000
    assert max(len(line) for line in text.splitlines()) < 2_000


@pytest.mark.parametrize("model_id", list_models())
def test_a_model_is_as_linear_as_it_was_found_when_multiplied_out(model_id: str) -> None:
    """The structure of each model of the library; the mechanism alone is nonlinear."""
    expected = {MECHANISM: NONLINEAR, "sorafenib/jain-2011": VARYING}.get(model_id, LINEAR)
    assert kind_of(spec_of(model_id)) == expected == derive(spec_of(model_id)).kind


ODD = """doses = [{ compartment = "a" }]
[model]
id = "own/odd"
title = "Linear, written oddly"
drug = "own"
revision = 1
[parameters]
k = { value = 0.1, unit = "1/h" }
[compartments]
a = {}
b = {}
[variables]
share = "a / (a + b)"
[derivatives]
a = "-k * share * (a + b)"
b = "RATE"
[outputs.seen]
prediction = "a + b"
unit = "mg"
error = { kind = "none" }
"""


@pytest.mark.parametrize(
    ("rate", "kind"),
    [
        ("k * a - k * b^2 / b", LINEAR),
        ("k * a * tanh(t / 1[h])", VARYING),
        ("k * a * share", NONLINEAR),
        ("k * (a if a > 1e9[mg] else b)", NONLINEAR),
    ],
)
def test_states_that_cancel_leave_a_system_linear(rate: str, kind: int) -> None:
    """The values say nothing against the linear ones, so the algebra decides; a choice by a state bends."""
    spec, found = read_model(ODD.replace("RATE", rate), file="odd.toml")
    assert spec is not None, [f.line() for f in found]
    assert kind_of(spec) == kind


def test_only_a_bend_beyond_rounding_proves_a_system_nonlinear() -> None:
    """x + 1e-20·x² bends; (x + 1)² − x² − 2x does not; nor is what has no value there a proof."""
    x = sympy.Symbol("x", real=True)
    a = sympy.Symbol("a", real=True)
    assert surely_nonlinear([], [x + x**2 / 10**20], [x], {})
    assert not surely_nonlinear([], [(x + 1) ** 2 - x**2 - 2 * x], [x], {})
    assert not surely_nonlinear([], [sympy.log(-x)], [x], {})
    assert surely_nonlinear([(a, x**2)], [1 + a], [x], {})


def test_lines_are_put_in_order_and_what_is_not_used_left_out() -> None:
    """A definition stands behind all that it uses."""
    a, b, c, u, x = sympy.symbols("a b c u x", real=True)
    lines = [(a, x + 1), (u, x + 2), (b, a * a), (c, a + b)]
    assert [s for s, _ in needed(lines, [c])] == [a, b, c]
    assert [s for s, _ in in_order(dict(lines[::-1]), [c * b])] == [a, b, c]


def test_a_chain_that_doubles_at_every_line_is_differentiated_in_a_few_lines() -> None:
    """y ← tanh y · (1 + y/2), sixty times over, is 2^60 uses of x written out; here it is two lines each."""
    x = sympy.Symbol("x", real=True)
    lines, last = [], x
    for k in range(60):
        symbol = sympy.Symbol(f"y{k}", real=True)
        lines.append((symbol, sympy.tanh(last) * (1 + last / 2)))
        last = symbol
    derivatives = Derivatives()
    more, (slope,) = derivatives.along(lines, [last], {x: sympy.Integer(1)})
    back = Derivatives()
    (same,) = back.gradient(lines, last, [x])
    assert len(more) <= 2 * len(lines)

    def run(all_lines: list[Any], result: Any, step: Any) -> Any:
        known: dict[Any, Any] = {x: sympy.Float("0.7", 40) + step}
        for symbol, expression in all_lines:
            known[symbol] = expression.xreplace(known)
        return result.xreplace(known)

    h = sympy.Float("1e-12", 40)
    central = float((run(lines, last, h) - run(lines, last, -h)) / (2 * h))
    assert central != 0.0
    assert float(run([*lines, *more], slope, 0)) == pytest.approx(central, rel=1e-9)
    assert float(run([*lines, *back.made], same, 0)) == pytest.approx(central, rel=1e-9)
