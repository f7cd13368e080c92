"""The stiff solver, its tangents, the stationary state and the dense factors beneath them.

Models are written with SymPy and compiled to C functions of the engine's kind. `complex_step` repeats one
step in NumPy on complex numbers: an imaginary part of 1e-30 in a parameter carries the exact derivative of
the numerical solution (complex-step differentiation, doi:10.1145/838250.838251).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numba
import numpy as np
import pytest
import sympy
from numba import types
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from troughline.model.kernels import stationary, stiff
from troughline.model.kernels.dense import lu_factor, lu_pattern, lu_singular, lu_solve, lu_solve_pattern

POINTER = types.CPointer(types.float64)
T, TAD = sympy.symbols("t tad", real=True)


def _compiled(name: str, arguments: list[str], lines: list[str]) -> Any:
    signature = types.void(*[POINTER] * len(arguments))
    scope: dict[str, Any] = {"math": math}
    exec(f"def {name}({', '.join(arguments)}):\n    " + "\n    ".join(lines), scope)
    return numba.cfunc(signature, error_model="numpy")(scope[name])


@dataclass
class Generated:
    """Six compiled functions of one system, and the system itself for the complex step."""

    x: list[Any]
    p: list[Any]
    f: sympy.Matrix
    functions: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        n, m = len(self.x), len(self.p)
        dx, dp = list(sympy.symbols(f"dx:{n}")), list(sympy.symbols(f"dp:{m}"))
        v = list(sympy.symbols(f"v:{n}"))
        jac = self.f.jacobian(self.x)
        ft = self.f.diff(T) + self.f.diff(TAD)
        along = [*zip(self.x, dx, strict=True), *zip(self.p, dp, strict=True)]

        def tangent(e: Any) -> Any:
            return sum((e.diff(s) * d for s, d in along), start=sympy.zeros(*e.shape))

        for outs, arguments in (
            (self.f, "x p"),
            (jac, "x p"),
            (tangent(self.f), "x p dx dp"),
            (tangent(jac) * sympy.Matrix(v), "x p dx dp v"),
            (ft, "x p"),
            (tangent(ft), "x p dx dp"),
        ):
            self.functions.append(self._function(outs, arguments, dx, dp, v))
        self.autonomous = not self.f.has(T, TAD)
        symbols = (T, TAD, self.x, self.p)
        self.numpy_f = sympy.lambdify(symbols, list(self.f), "numpy")
        self.numpy_jac = sympy.lambdify(symbols, jac, "numpy")
        self.numpy_ft = sympy.lambdify(symbols, list(ft), "numpy")

    def _function(self, outs: Any, arguments: str, dx: list[Any], dp: list[Any], v: list[Any]) -> Any:
        names: dict[Any, Any] = {T: "ctx[0]", TAD: "ctx[1]"}
        for label, symbols in (("x", self.x), ("p", self.p), ("dx", dx), ("dp", dp), ("v", v)):
            names |= {s: f"{label}[{i}]" for i, s in enumerate(symbols)}
        used = {s: sympy.Symbol(text) for s, text in names.items()}
        lines = [f"out[{i}] = {sympy.pycode(e.xreplace(used))}" for i, e in enumerate(outs)]
        return _compiled("generated", ["ctx", *arguments.split(), "out"], lines)

    @property
    def addresses(self) -> list[int]:
        return [f.address for f in self.functions]


def _states(n: int) -> list[Any]:
    return list(sympy.symbols(f"x:{n}", real=True))


@cache
def michaelis_menten() -> Generated:
    x = _states(2)
    ka, vmax, km, v = p = list(sympy.symbols("ka vmax km v", positive=True))
    c = x[1] / v
    return Generated(x, p, sympy.Matrix([-ka * x[0], ka * x[0] - vmax * c / (km + c)]))


@cache
def van_der_pol() -> Generated:
    x = _states(2)
    mu = sympy.Symbol("mu")
    return Generated(x, [mu], sympy.Matrix([x[1], mu * (1 - x[0] ** 2) * x[1] - x[0]]))


@cache
def robertson() -> Generated:
    x = _states(3)
    a, b, c = p = list(sympy.symbols("a b c"))
    first, second = a * x[0] - b * x[1] * x[2], c * x[1] ** 2
    return Generated(x, p, sympy.Matrix([-first, first - second, second]))


@cache
def forced() -> Generated:
    x = _states(2)
    k, w = p = list(sympy.symbols("k w"))
    f = [-k * x[0] + sympy.sin(w * T) * x[1], sympy.cos(TAD) - k * x[1] ** 3]
    return Generated(x, p, sympy.Matrix(f))


@cache
def chain(n: int) -> Generated:
    x = _states(n)
    k, back = p = list(sympy.symbols("k back"))
    f = [-k * x[0] + back * x[-1]]
    f += [k * (x[i - 1] - x[i]) for i in range(1, n - 1)]
    f += [k * x[n - 2] - (k / 2 + back) * x[n - 1]]
    return Generated(x, p, sympy.Matrix(f))


def solve(
    model: Generated,
    p: Any,
    x: Any,
    dt: float,
    *,
    dp: Any = None,
    dx: Any = None,
    rate: Any = None,
    drate: Any = None,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    t0: float = 0.0,
    tad: float = 0.0,
    max_steps: int = 100_000,
    h: float = 0.0,
    control_tangents: bool = False,
) -> tuple[int, Any, Any, float]:
    n = len(x)
    state = np.array(x, dtype=float)
    given = [a for a in (dp, dx, drate) if a is not None]
    q = len(given[0]) if given else 0
    slots, tangents = np.zeros((q, len(p))), np.zeros((q, n))
    rates, rate_tangents = np.zeros(n), np.zeros((q, n))
    for target, source in ((slots, dp), (tangents, dx), (rates, rate), (rate_tangents, drate)):
        if source is not None:
            target[...] = source
    step = np.array([h])
    work = np.full(stiff.work_size(n, q), np.nan)
    status = stiff.propagate_stiff(
        n, q, *model.addresses, model.autonomous, np.array([-1.0, tad, 0.0, 0.0]), np.array(p, dtype=float),
        slots, rates, rate_tangents, t0, dt, state, tangents, rtol, np.full(n, atol), max_steps, step, work,
        np.empty(stiff.iwork_size(n), np.int64), control_tangents,
    )  # fmt: skip
    return status, state, tangents, step[0]


def one_step(model: Generated, p: Any, x: Any, h: float, **more: Any) -> tuple[Any, Any]:
    """A single step of length h: the tolerance lets every step pass."""
    status, state, tangents, _ = solve(model, p, x, h, h=h, rtol=1e300, atol=1e300, max_steps=1, **more)
    assert status == 0
    return state, tangents


def complex_step(model: Generated, p: Any, x: Any, h: float, t: float, tad: float, rate: Any) -> Any:
    n = len(x)
    w = np.eye(n) / (h * stiff.GAMMA) - np.array(model.numpy_jac(t, tad, x, p))
    ft = np.array(model.numpy_ft(t, tad, x, p))
    u = np.zeros((8, n), complex)
    for i in range(8):
        argument = x + stiff.A[i] @ u
        after = stiff.ALPHA[i] * h
        right = np.array(model.numpy_f(t + after, tad + after, argument, p)) + rate
        u[i] = np.linalg.solve(w, right + stiff.C[i] @ u / h + h * stiff.D[i] * ft)
    return argument + u[7]


def reference(model: Generated, p: Any, x: Any, dt: float, rate: Any = 0.0, method: str = "DOP853") -> Any:
    return solve_ivp(
        lambda t, y: np.array(model.numpy_f(t, t, y, p)) + rate,
        (0.0, dt), x, method=method, rtol=1e-12, atol=1e-14,
        **({"jac": lambda t, y: np.array(model.numpy_jac(t, t, y, p))} if method == "Radau" else {}),
    ).y[:, -1]  # fmt: skip


# The method


def _trees(order: int) -> list[tuple[Any, ...]]:
    """Rooted trees with `order` vertices, each a sorted tuple of its branches."""
    found = {()} if order == 1 else set()
    for size in range(1, order):
        for branch in _trees(size):
            for rest in _trees(order - size):
                found.add(tuple(sorted((branch, *rest))))
    return sorted(found)


def _vertices(tree: tuple[Any, ...]) -> int:
    return 1 + sum(map(_vertices, tree))


def _density(tree: tuple[Any, ...]) -> int:
    return _vertices(tree) * math.prod(map(_density, tree))


def test_coefficients_meet_every_order_condition() -> None:
    # Hairer & Wanner, Solving Ordinary Differential Equations II, IV.7, Theorem 7.4: a vertex with one
    # branch takes β = α + γ, with several α.
    gamma = np.linalg.inv(np.eye(8) / stiff.GAMMA - stiff.C)
    alpha = stiff.A @ gamma
    beta = alpha + gamma

    def elementary(tree: tuple[Any, ...]) -> Any:
        if not tree:
            return np.ones(8)
        if len(tree) == 1:
            return beta @ elementary(tree[0])
        return np.prod([alpha @ elementary(branch) for branch in tree], axis=0)

    weights = beta[7]  # stiffly accurate: the solution is the last stage
    embedded = np.append(beta[6, :7], 0.0)
    assert alpha.sum(axis=1) == pytest.approx(stiff.ALPHA, abs=2e-14)
    assert gamma.sum(axis=1) == pytest.approx(stiff.D, abs=2e-14)
    assert alpha[7] == pytest.approx(embedded, abs=2e-14)
    counts = [len(_trees(order)) for order in range(1, 6)]
    assert counts == [1, 1, 2, 4, 9]
    for order in range(1, 6):
        for tree in _trees(order):
            assert weights @ elementary(tree) == pytest.approx(1 / _density(tree), abs=1e-13)
            if order < 5:
                assert embedded @ elementary(tree) == pytest.approx(1 / _density(tree), abs=1e-13)
    assert any(abs(embedded @ elementary(t) - 1 / _density(t)) > 1e-4 for t in _trees(5))


def test_halving_the_step_divides_the_error_by_thirty_two() -> None:
    p, x0 = [0.8, 1.5], np.array([1.0, 0.7])
    exact = reference(forced(), p, x0, 2.0)
    errors = []
    for steps in (16, 32, 64):
        x = x0
        for i in range(steps):
            t = 2.0 * i / steps
            x, _ = one_step(forced(), p, x, 2.0 / steps, t0=t, tad=t)
        errors.append(np.abs(x - exact).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all((orders > 4.8) & (orders < 5.3)), orders


def test_the_error_follows_the_tolerance() -> None:
    p, x0 = [1.2, 20.0, 0.5, 10.0], [400.0, 0.0]
    exact = reference(michaelis_menten(), p, x0, 12.0)
    errors = []
    for rtol in (1e-4, 1e-6, 1e-8, 1e-10):
        status, x, _, _ = solve(michaelis_menten(), p, x0, 12.0, rtol=rtol, atol=rtol)
        assert status == 0
        errors.append(abs(x[1] / exact[1] - 1))
        assert errors[-1] < 20 * rtol
    assert errors[3] < 1e-3 * errors[0]


# Problems


def test_michaelis_menten_after_oral_input_matches_radau() -> None:
    p, x0 = [0.7, 15.0, 0.3, 25.0], [200.0, 3.0]
    exact = reference(michaelis_menten(), p, x0, 24.0, method="Radau")
    for rtol in (1e-6, 1e-8, 1e-10, 1e-12):
        status, x, _, _ = solve(michaelis_menten(), p, x0, 24.0, rtol=rtol, atol=rtol)
        assert status == 0
        assert x == pytest.approx(exact, rel=20 * rtol + 1e-11, abs=20 * rtol)


def test_van_der_pol_with_mu_1000_matches_radau_past_its_jump() -> None:
    # The solution jumps at t = 807: to reach it at all takes a stiff method.
    exact = reference(van_der_pol(), [1000.0], [2.0, 0.0], 1000.0, method="Radau")
    status, x, _, _ = solve(van_der_pol(), [1000.0], [2.0, 0.0], 1000.0, rtol=1e-10, atol=1e-12)
    assert status == 0
    assert x == pytest.approx(exact, rel=1e-6)
    assert x[0] < 0


def test_robertson_kinetics_match_published_values() -> None:
    # At t = 40: Hairer & Wanner, Solving Ordinary Differential Equations II (1996), test problem ROBER.
    published = [0.7158270687194, 9.185534764558e-6, 0.2841637457458]
    status, x, _, _ = solve(robertson(), [0.04, 1e4, 3e7], [1.0, 0.0, 0.0], 40.0, rtol=1e-10, atol=1e-16)
    assert status == 0
    assert x == pytest.approx(published, rel=1e-9)
    exact = reference(robertson(), [0.04, 1e4, 3e7], [1.0, 0.0, 0.0], 40.0, method="Radau")
    assert x == pytest.approx(exact, rel=1e-8)
    assert x.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("n", [3, 40])
def test_a_linear_chain_matches_the_matrix_exponential(n: int) -> None:
    p, x0 = [2.5, 0.4], np.linspace(1.0, 5.0, n)
    rate = np.zeros(n)
    rate[1] = 7.0
    a = np.array(chain(n).numpy_jac(0, 0, x0, p), dtype=float)
    augmented = np.zeros((n + 1, n + 1))
    augmented[:n, :n], augmented[:n, n] = a, rate
    exact = (expm(6.0 * augmented) @ np.append(x0, 1.0))[:n]
    status, x, _, _ = solve(chain(n), p, x0, 6.0, rate=rate, rtol=1e-10, atol=1e-10)
    assert status == 0
    assert x == pytest.approx(exact, rel=1e-8)


def test_a_forced_problem_matches_and_time_and_time_after_dose_advance_together() -> None:
    p, x0, start, tad = [0.8, 1.5], [1.0, 0.7], 3.0, 1.0
    exact = solve_ivp(
        lambda t, y: forced().numpy_f(t, t - start + tad, y, p), (start, 13.0), x0, method="DOP853",
        rtol=1e-12, atol=1e-13,
    ).y[:, -1]  # fmt: skip
    status, x, _, _ = solve(forced(), p, x0, 10.0, t0=start, tad=tad, rtol=1e-10, atol=1e-10)
    assert status == 0
    assert x == pytest.approx(exact, rel=1e-8)


def test_an_interval_may_be_cut_and_the_step_carried_over() -> None:
    p = [0.7, 15.0, 0.3, 25.0]
    _, whole, _, _ = solve(michaelis_menten(), p, [200.0, 0.0], 24.0, rtol=1e-10, atol=1e-10)
    x, h = np.array([200.0, 0.0]), 0.0
    for _ in range(24):
        status, x, _, h = solve(michaelis_menten(), p, x, 1.0, rtol=1e-10, atol=1e-10, h=h)
        assert status == 0
        assert h > 0
    assert x == pytest.approx(whole, rel=1e-7, abs=1e-9)


# Tangents


@pytest.mark.parametrize("model", [michaelis_menten, forced])
def test_tangents_are_the_exact_derivative_of_the_numbers_computed(model: Any) -> None:
    system = model()
    p = np.array([0.7, 15.0, 0.3, 25.0][: len(system.p)])
    x0, rate = np.array([20.0, 3.0]), np.array([0.0, 2.0])
    generator = np.random.default_rng(1)
    dp, dx, drate = (generator.normal(size=(3, k)) for k in (len(p), 2, 2))
    x, tangents = x0, dx
    z = x0 + 1e-30j * dx
    h, t, tad = 0.4, 5.0, 2.0
    for _ in range(4):
        z = np.array([
            complex_step(system, p + 1e-30j * dp[k], z[k], h, t, tad, rate + 1e-30j * drate[k])
            for k in range(3)
        ])  # fmt: skip
        x, tangents = one_step(system, p, x, h, dp=dp, dx=tangents, rate=rate, drate=drate, t0=t, tad=tad)
        t, tad = t + h, tad + h
    assert x == pytest.approx(z[0].real, rel=1e-12)
    assert tangents == pytest.approx(z.imag / 1e-30, rel=1e-11)


@pytest.mark.parametrize("control", [False, True])
def test_tangents_of_an_adaptive_solution_match_differences(control: bool) -> None:
    p, x0 = np.array([0.7, 15.0, 0.3, 25.0]), [200.0, 3.0]
    options: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}
    status, _, tangents, _ = solve(
        michaelis_menten(), p, x0, 24.0, dp=np.eye(4), control_tangents=control, **options
    )
    assert status == 0
    for k in range(4):
        e = 1e-4 * p[k] * np.eye(4)[k]
        far = [reference(michaelis_menten(), p + s * e, x0, 24.0) for s in (-2, -1, 1, 2)]
        slope = (far[0] - 8 * far[1] + 8 * far[2] - far[3]) / (12 * e[k])
        assert tangents[k] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_an_infusion_rate_enters_the_states_and_its_tangent_the_tangents() -> None:
    p, x0 = [0.7, 15.0, 0.3, 25.0], [0.0, 3.0]
    rate, drate = np.array([4.0, 6.0]), np.array([[1.0, 0.5], [0.0, 0.0]])
    options: dict[str, Any] = {"rtol": 1e-11, "atol": 1e-11}
    status, x, tangents, _ = solve(michaelis_menten(), p, x0, 5.0, rate=rate, drate=drate, **options)
    assert status == 0
    assert x == pytest.approx(reference(michaelis_menten(), p, x0, 5.0, rate), rel=1e-9)
    high = reference(michaelis_menten(), p, x0, 5.0, rate + 1e-3 * drate[0])
    low = reference(michaelis_menten(), p, x0, 5.0, rate - 1e-3 * drate[0])
    assert tangents[0] == pytest.approx((high - low) / 2e-3, rel=1e-6)
    assert np.all(tangents[1] == 0)


def test_controlling_the_tangents_shortens_the_steps_for_them() -> None:
    # A state at rest whose derivative is not: only the tangent can ask for short steps.
    p = [0.7, 15.0, 0.3, 25.0]
    options: dict[str, Any] = {"dx": [[100.0, 0.0]], "rtol": 1e-8, "atol": 1e-8}
    exact = 100.0 * math.exp(-0.7 * 24.0)
    _, x, loose, _ = solve(michaelis_menten(), p, [0.0, 0.0], 24.0, **options)
    status, _, tight, _ = solve(michaelis_menten(), p, [0.0, 0.0], 24.0, control_tangents=True, **options)
    assert (status, *x) == (0, 0, 0)
    assert abs(tight[0, 0] - exact) < 1e-6
    assert abs(loose[0, 0] - exact) > 1e-3


# What cannot be done


def test_the_step_limit_is_a_status_and_leaves_the_state_reached() -> None:
    status, x, _, _ = solve(van_der_pol(), [1000.0], [2.0, 0.0], 1000.0, max_steps=20)
    assert status == 1
    assert np.all(np.isfinite(x))


def test_numbers_that_are_not_finite_are_a_status() -> None:
    for t0 in (0.0, 500.0):
        assert solve(michaelis_menten(), [0.7, math.nan, 0.3, 25.0], [200.0, 3.0], 24.0, t0=t0)[0] == 2


def test_an_interval_of_no_length_changes_nothing_and_time_does_not_run_back() -> None:
    p = [0.7, 15.0, 0.3, 25.0]
    status, x, _, _ = solve(michaelis_menten(), p, [200.0, 3.0], 0.0)
    assert (status, *x) == (0, 200.0, 3.0)
    assert solve(michaelis_menten(), p, [200.0, 3.0], -1.0)[0] == 4


# Stationary states


def settle(model: Generated, p: Any, x: Any, rate: Any, **more: Any) -> tuple[int, Any, Any]:
    n, q = len(x), len(more.get("dp", more.get("drate", ())))
    dp, drate = np.zeros((q, len(p))), np.zeros((q, n))
    dp[...], drate[...] = more.get("dp", 0.0), more.get("drate", 0.0)
    state, tangents = np.array(x, dtype=float), np.full((q, n), np.nan)
    rhs, jac, rhs_d, *_ = model.addresses
    status = stationary.stationary_state(
        n, q, rhs, jac, rhs_d, np.zeros(4), np.array(p, dtype=float), dp, np.array(rate, dtype=float), drate,
        state, tangents, 1e-10, 1e-12, 200, np.full(stationary.stationary_work_size(n), np.nan),
        np.empty(n, np.int64),
    )  # fmt: skip
    return status, state, tangents


@pytest.mark.parametrize("guess", [0.0, 1.0, 1e6])
def test_constant_infusion_settles_at_the_closed_form(guess: float) -> None:
    # Michaelis–Menten: rate = Vmax·C/(Km + C), so C = Km·rate/(Vmax − rate), and dC/dKm = C/Km.
    ka, vmax, km, v = p = [0.7, 15.0, 0.3, 25.0]
    rate = [5.0, 9.0]
    dp, drate = np.zeros((2, 4)), np.zeros((2, 2))
    dp[0, 2] = 1.0
    drate[1] = [0.0, 1.0]
    status, x, dx = settle(michaelis_menten(), p, [guess, guess], rate, dp=dp, drate=drate)
    c = km * 14.0 / (vmax - 14.0)
    assert status == 0
    assert x == pytest.approx([5.0 / ka, v * c], rel=1e-9)
    assert dx[0] == pytest.approx([0.0, v * c / km], rel=1e-9)
    assert dx[1] == pytest.approx([0.0, v * km * vmax / (vmax - 14.0) ** 2], rel=1e-9)


def test_a_chain_settles_at_the_solution_of_the_linear_system() -> None:
    p, n = [2.5, 0.4], 40
    rate = np.zeros(n)
    rate[0] = 3.0
    a = np.array(chain(n).numpy_jac(0, 0, np.zeros(n), p), dtype=float)
    status, x, _ = settle(chain(n), p, np.zeros(n), rate)
    assert status == 0
    assert x == pytest.approx(np.linalg.solve(a, -rate), rel=1e-10)


def test_input_above_capacity_and_a_closed_system_have_no_stationary_state() -> None:
    assert settle(michaelis_menten(), [0.7, 15.0, 0.3, 25.0], [1.0, 1.0], [5.0, 11.0])[0] == 3
    assert settle(robertson(), [0.04, 1e4, 3e7], [1.0, 0.0, 0.0], np.zeros(3))[0] == 3
    assert settle(michaelis_menten(), [0.7, math.nan, 0.3, 25.0], [1.0, 1.0], [5.0, 1.0])[0] == 3


# Dense factors


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_factors_solve_a_system_that_needs_its_rows_exchanged(n: int) -> None:
    generator = np.random.default_rng(n)
    a = generator.normal(size=(n, n)) * (generator.random((n, n)) < 0.6)
    a[np.arange(n), np.arange(n)] = 0.0
    a[np.arange(n), (np.arange(n) + 1) % n] += 3.0
    b = generator.normal(size=n)
    factors, x, piv = a.copy(), b.copy(), np.empty(n, np.int64)
    assert lu_factor(n, factors, piv) == 0
    lu_solve(n, factors, piv, x)
    assert a @ x == pytest.approx(b, abs=1e-11)
    assert not lu_singular(n, factors)
    pattern, sparse = np.empty((n, n + 1), np.int64), b.copy()
    lu_pattern(n, factors, pattern)
    lu_solve_pattern(n, factors, piv, pattern, sparse)
    assert sparse == pytest.approx(x, rel=1e-13)


def test_singular_matrices_are_told() -> None:
    piv = np.empty(3, np.int64)
    assert lu_factor(3, np.zeros((3, 3)), piv) == 3
    assert lu_factor(3, np.full((3, 3), np.nan), piv) == 3
    closed = np.array([[-0.1, 0.2, 0.0], [0.1, -0.3, 0.7], [0.0, 0.1, -0.7]])
    assert lu_factor(3, closed, piv) == 3 or lu_singular(3, closed)
