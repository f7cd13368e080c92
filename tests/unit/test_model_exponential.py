"""The exponential of a rate matrix: against 50 digits, closed forms, and the laws it must obey.

Unless a test says otherwise, 1e-11 is relative and holds for every compartment, however little it contains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.linalg import expm

from troughline.model.kernels import exponential as kernels

RNG_SEED = 7
GUARD = -12345.678
TINY = 1e-280
"""Amounts below it may be lost to underflow."""


@dataclass
class System:
    """A and its input, their derivatives in q directions, and the sparse form the kernels take."""

    a: np.ndarray
    rate: np.ndarray
    da: np.ndarray
    drate: np.ndarray

    def __post_init__(self) -> None:
        row, col = np.nonzero((self.a != 0) | (self.da != 0).any(axis=0))
        order = np.random.default_rng(RNG_SEED).permutation(row.size)
        self.row, self.col = row[order].astype(np.int64), col[order].astype(np.int64)
        self.val = self.a[self.row, self.col].copy()
        self.dval = np.ascontiguousarray(self.da[:, self.row, self.col])

    @property
    def n(self) -> int:
        return len(self.a)

    @property
    def q(self) -> int:
        return len(self.da)

    def _work(self) -> np.ndarray:
        work = np.full(kernels.work_size(self.n, self.q) + 8, np.nan)
        work[-8:] = GUARD
        return work

    def propagate(self, dt: float, x: Any, dx: Any = None) -> tuple[int, np.ndarray, np.ndarray]:
        x, work = np.array(x, dtype=float), self._work()
        dx = np.zeros((self.q, self.n)) if dx is None else np.array(dx, dtype=float)
        status = kernels.propagate_linear(
            self.n,
            self.row,
            self.col,
            self.val,
            self.dval,
            self.q,
            self.rate,
            self.drate,
            dt,
            x,
            dx,
            work[:-8],
        )
        assert (work[-8:] == GUARD).all()
        return status, x, dx

    def propagator(self, dt: float) -> tuple[int, np.ndarray, np.ndarray]:
        phi, dphi, work = np.empty((self.n, self.n)), np.empty((self.q, self.n, self.n)), self._work()
        status = kernels.dense_propagator(
            self.n, self.row, self.col, self.val, self.dval, self.q, dt, phi, dphi, work[:-8]
        )
        assert (work[-8:] == GUARD).all()
        return status, phi, dphi

    def stationary(self) -> tuple[int, np.ndarray, np.ndarray]:
        x, dx, work = np.empty(self.n), np.empty((self.q, self.n)), self._work()
        status = kernels.stationary(
            self.n, self.row, self.col, self.val, self.dval, self.q, self.rate, self.drate, x, dx, work[:-8]
        )
        assert (work[-8:] == GUARD).all()
        return status, x, dx


def system(a: Any, rate: Any = None, q: int = 0) -> System:
    """A system whose rates (and input) all change in q directions, each entry by its own share."""
    a = np.array(a, dtype=float)
    n = len(a)
    rate = np.zeros(n) if rate is None else np.array(rate, dtype=float)
    rng = np.random.default_rng(RNG_SEED)
    da = a * rng.uniform(-1, 1, (q, n, n)) * (rng.random((q, n, n)) < 0.6)
    return System(a, rate, da, rate * rng.uniform(-1, 1, (q, n)))


def chain(*rates: float) -> np.ndarray:
    """Each compartment empties into the next, the last leaves the body."""
    a = -np.diag(np.array(rates, dtype=float))
    for i, rate in enumerate(rates[:-1]):
        a[i + 1, i] = rate
    return a


def recirculation() -> np.ndarray:
    """Two transits, a central and a peripheral compartment, and bile that flows back into the first."""
    a = np.zeros((5, 5))
    flows = ((0, 1, 2.0), (1, 2, 2.0), (2, 3, 0.4), (3, 2, 0.1), (2, 4, 0.5), (4, 0, 0.7))
    for source, target, rate in flows:
        a[source, source] -= rate
        a[target, source] += rate
    a[2, 2] -= 0.3
    return a


CASES = {
    "one state": chain(0.3),
    "sorafenib-like": chain(*[3.03] * 6, 0.038),
    "nearly equal": chain(1.0, 1.0 + 1e-9, 1.0 - 1e-12, 1.0),
    "eight decades": chain(1e-6, 100.0, 1.0, 1e-3, 10.0),
    "fast exchange": np.array([[-50.0, 50.0], [49.9, -50.0]]),
    "closed cycle": np.array([[-1.0, 0.0, 0.2], [1.0, -0.5, 0.0], [0.0, 0.5, -0.2]]),
    "recirculation": recirculation(),
    "units differ": np.array([[-0.2, 0.0, 0.0], [900.0, -3.0, 0.0], [0.0, 2e-5, -0.4]]),
    "grows": np.array([[0.3, 0.0], [0.1, -2.0]]),
}


def exact(a: Any, rate: Any, dt: float) -> tuple[Any, Any]:
    """e^{A dt} and ∫ e^{As} ds · rate at 50 digits."""
    with mpmath.workdps(50):
        n = len(rate)
        m = mpmath.zeros(n + 1)
        for i in range(n):
            m[i, n] = mpmath.mpf(rate[i]) * dt
            for k in range(n):
                m[i, k] = mpmath.mpf(a[i][k]) * dt
        halvings = 6 + max(0, int(mpmath.log(mpmath.mnorm(m, 1) + 1, 2)))
        m = m / mpmath.mpf(2) ** halvings
        term = total = mpmath.eye(n + 1)
        for k in range(1, 24):
            term = term * m / k
            total = total + term
        for _ in range(halvings):
            total = total * total
        return total[:n, :n], total[:n, n]


def exact_tangent(s: System, j: int, dt: float) -> tuple[Any, Any]:
    """Derivatives of `exact` in direction j: central differences of width 1e-14 at 50 digits."""
    with mpmath.workdps(50):
        step = mpmath.mpf(10) ** -14

        def moved(sign: int) -> tuple[Any, Any]:
            a = [[mpmath.mpf(v) + sign * step * mpmath.mpf(d) for v, d in zip(*rows, strict=True)]
                 for rows in zip(s.a.tolist(), s.da[j].tolist(), strict=True)]  # fmt: skip
            rate = [mpmath.mpf(v) + sign * step * mpmath.mpf(d)
                    for v, d in zip(s.rate.tolist(), s.drate[j].tolist(), strict=True)]  # fmt: skip
            return exact(a, rate, dt)

        (up, input_up), (down, input_down) = moved(1), moved(-1)
        return (up - down) / (2 * step), (input_up - input_down) / (2 * step)


def relative_error(got: np.ndarray, want: Any, scale: Any = None) -> float:
    """The largest relative error of an element; of a derivative, relative to `scale` where that is larger."""
    flat = [mpmath.mpf(v) for v in np.ravel(got).tolist()]
    scales = [0.0] * len(flat) if scale is None else [abs(v) for v in np.ravel(scale).tolist()]
    worst = 0.0
    for value, target, floor in zip(flat, list(want), scales, strict=True):
        size = max(abs(target), floor)
        if size > TINY:
            worst = max(worst, float(abs(value - target) / size))
    return worst


@pytest.mark.parametrize("dt", [1e-3, 1.77, 12.0, 240.0])
@pytest.mark.parametrize("name", CASES)
def test_every_element_of_the_propagator_agrees_with_50_digits(name: str, dt: float) -> None:
    s = system(CASES[name], q=0)
    status, phi, _ = s.propagator(dt)
    assert status == 0
    assert relative_error(phi, exact(s.a, s.rate, dt)[0]) < 1e-11


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("dt", [1e-3, 1.77, 12.0, 240.0])
@pytest.mark.parametrize("name", CASES)
def test_every_compartment_agrees_with_50_digits(name: str, dt: float, forced: bool) -> None:
    n = len(CASES[name])
    s = system(CASES[name], rate=[3.0] + [0.0] * (n - 1) if forced else None)
    x0 = np.zeros(n)
    x0[0] = 400.0
    phi, constant = exact(s.a, s.rate, dt)
    status, x, _ = s.propagate(dt, x0)
    assert status == 0
    assert relative_error(x, [400 * phi[i, 0] + constant[i] for i in range(n)]) < 1e-11


@pytest.mark.parametrize(("dt", "q"), [(0.4, 1), (1.77, 3), (12.0, 2), (60.0, 3)])
@pytest.mark.parametrize("name", ["sorafenib-like", "recirculation", "closed cycle", "units differ"])
def test_derivatives_agree_with_differences_at_50_digits(name: str, dt: float, q: int) -> None:
    n = len(CASES[name])
    s = system(CASES[name], rate=np.linspace(0.0, 2.0, n), q=q)
    x0, dx0 = np.linspace(400.0, 1.0, n), np.random.default_rng(1).normal(size=(q, n))
    phi, constant = exact(s.a, s.rate, dt)
    _, x, dx = s.propagate(dt, x0, dx0)
    _, matrix, dmatrix = s.propagator(dt)
    for j in range(q):
        dphi, dconstant = exact_tangent(s, j, dt)
        with mpmath.workdps(50):
            want = [
                dconstant[i] + sum(dphi[i, k] * x0[k] + phi[i, k] * mpmath.mpf(dx0[j, k]) for k in range(n))
                for i in range(n)
            ]
        assert relative_error(dx[j], want, x) < 1e-11
        assert relative_error(dmatrix[j], dphi, matrix) < 1e-11
    assert relative_error(matrix, phi) < 1e-11
    assert constant is not None


@pytest.mark.parametrize("dt", [0.01, 3.0, 40.0, 300.0])
def test_forty_equal_compartments_follow_the_poisson_distribution(dt: float) -> None:
    """x_i = 100 (kt)^i e^{-kt} / i!, even where that is 1e-100."""
    s = system(chain(*[2.0] * 40))
    x0 = np.zeros(40)
    x0[0] = 100.0
    status, x, _ = s.propagate(dt, x0)
    want = [100 * mpmath.exp(-2 * dt) * mpmath.mpf(2 * dt) ** i / mpmath.factorial(i) for i in range(40)]
    assert status == 0
    assert relative_error(x, want) < 1e-11
    assert relative_error(s.propagator(dt)[1][:, 0], [v / 100 for v in want]) < 1e-11


@pytest.mark.parametrize("q", [0, 2, 9])
def test_two_steps_are_one_step(q: int) -> None:
    s = system(recirculation(), rate=[1.0, 0, 0, 0, 0.5], q=q)
    x0, dx0 = np.array([100.0, 0, 3, 0, 1]), np.random.default_rng(2).normal(size=(q, 5))
    whole = s.propagate(7.5, x0, dx0)
    parts = s.propagate(5.4, *s.propagate(2.1, x0, dx0)[1:])
    np.testing.assert_allclose(parts[1], whole[1], rtol=1e-12)
    np.testing.assert_allclose(parts[2], whole[2], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dt", [1.0, 30.0])
def test_many_directions_are_each_as_one_alone(dt: float) -> None:
    """Directions travel in groups of seven and in pairs; none may reach another."""
    s = system(CASES["sorafenib-like"], rate=[2.0, 0, 0, 0, 0, 0, 0], q=17)
    x0 = np.array([400.0, 0, 0, 1, 0, 0, 50])
    dx0 = np.random.default_rng(3).normal(size=(17, 7))
    together, (_, phi, dphi) = s.propagate(dt, x0, dx0), s.propagator(dt)
    for j in range(17):
        alone = System(s.a, s.rate, s.da[j : j + 1], s.drate[j : j + 1])
        np.testing.assert_allclose(
            alone.propagate(dt, x0, dx0[j : j + 1])[2][0], together[2][j], rtol=1e-9, atol=1e-11
        )
        np.testing.assert_allclose(alone.propagator(dt)[2][0], dphi[j], rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(system(s.a).propagator(dt)[1], phi, rtol=1e-13)


@pytest.mark.parametrize("dt", [0.01, 1.0, 30.0])
def test_a_derivative_of_nothing_travels_as_a_state_would(dt: float) -> None:
    """Where x = 0, dx is a state of its own, as exact in the last of twelve compartments as in the first."""
    s = system(chain(*[2.0] * 12), q=2)
    first = np.eye(12)[0]
    _, x, dx = s.propagate(dt, np.zeros(12), np.stack([first, 3 * first]))
    want = s.propagate(dt, first)[1]
    assert not x.any()
    np.testing.assert_allclose(dx, [want, 3 * want], rtol=1e-11, atol=0)


@pytest.mark.parametrize("dt", [0.5, 8.0, 500.0])
def test_nothing_is_lost_from_a_closed_cycle(dt: float) -> None:
    x = system(CASES["closed cycle"]).propagate(dt, [70.0, 20.0, 10.0])[1]
    assert x.sum() == pytest.approx(100.0, rel=1e-12)


def test_a_constant_input_without_rates_accumulates() -> None:
    """dx/dt = 5: no rate at all, as in a cumulative area."""
    status, x, _ = system(np.zeros((2, 2)), rate=[5.0, 0.0]).propagate(3.0, [1.0, 2.0])
    assert status == 0
    assert x.tolist() == pytest.approx([16.0, 2.0], rel=1e-14)


def test_the_derivative_of_a_rate_that_is_zero_is_kept() -> None:
    """dx₂/dk at k = 0 in x₁ → x₂ is x₁ t: the entry is zero, its derivative is not."""
    da = np.array([[[-1.0, 0.0], [1.0, 0.0]]])
    s = System(np.zeros((2, 2)), np.zeros(2), da, np.zeros((1, 2)))
    _, x, dx = s.propagate(4.0, [10.0, 0.0])
    assert x.tolist() == [10.0, 0.0]
    np.testing.assert_allclose(dx[0], [-40.0, 40.0], rtol=1e-13)
    np.testing.assert_allclose(s.propagator(4.0)[2][0], [[-4.0, 0.0], [4.0, 0.0]], rtol=1e-13)


@pytest.mark.parametrize("dt", [0.3, 4.0, 50.0])
def test_a_matrix_of_either_sign_agrees_with_scipy(dt: float) -> None:
    """A damped rotation; relative to the largest element, against Padé's approximation, 1e-11."""
    a = np.array([[-0.1, 2.0, 0.3], [-2.0, -0.1, 0.0], [0.5, -0.4, -1.0]])
    s = system(a, q=1)
    want = expm(np.block([[a * dt, s.da[0] * dt], [np.zeros((3, 3)), a * dt]]))
    status, phi, dphi = s.propagator(dt)
    x = s.propagate(dt, [1.0, -2.0, 3.0])[1]
    assert status == 0
    np.testing.assert_allclose(phi, want[:3, :3], atol=1e-11 * abs(want[:3, :3]).max(), rtol=0)
    np.testing.assert_allclose(dphi[0], want[:3, 3:], atol=1e-11 * abs(want[:3, 3:]).max(), rtol=0)
    np.testing.assert_allclose(x, want[:3, :3] @ [1.0, -2.0, 3.0], atol=1e-11 * abs(want).max(), rtol=0)


def test_no_time_changes_nothing_and_time_does_not_run_back() -> None:
    s = system(recirculation(), rate=np.ones(5), q=1)
    x0, dx0 = np.arange(5.0), np.ones((1, 5))
    status, x, dx = s.propagate(0.0, x0, dx0)
    assert (status, x.tolist(), dx.tolist()) == (0, x0.tolist(), dx0.tolist())
    assert s.propagate(-1.0, x0)[0] == 2
    assert s.propagate(math.nan, x0)[0] == 2
    assert s.propagate(math.inf, x0)[0] == 2
    assert s.propagator(-1.0)[0] == 2
    np.testing.assert_array_equal(s.propagator(0.0)[1], np.eye(5))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["val", "dval", "rate", "x"])
def test_what_is_not_finite_is_reported(where: str, bad: float) -> None:
    s = system(CASES["sorafenib-like"], rate=np.ones(7), q=2)
    x = np.ones(7)
    {"val": s.val, "dval": s.dval[1], "rate": s.rate, "x": x}[where][3] = bad
    for dt in (1.0, 100.0):
        assert s.propagate(dt, x)[0] == 2
        if where in ("val", "dval"):
            assert s.propagator(dt)[0] == 2


def test_applying_a_propagator_is_propagating() -> None:
    s = system(CASES["sorafenib-like"], q=2)
    _, phi, dphi = s.propagator(5.5)
    x, dx = np.linspace(1, 7, 7), np.random.default_rng(4).normal(size=(2, 7))
    _, want, dwant = s.propagate(5.5, x, dx)
    kernels.apply_propagator(7, 2, phi, dphi, x, dx, np.empty(kernels.work_size(7, 2)))
    np.testing.assert_allclose(x, want, rtol=1e-12)
    np.testing.assert_allclose(dx, dwant, rtol=1e-11, atol=1e-12)


def periodic(s: System, core: int, dt: float, g: Any, dg: Any) -> tuple[int, np.ndarray, np.ndarray]:
    _, phi, dphi = s.propagator(dt)
    x, dx = np.empty(core), np.empty((s.q, core))
    work = np.empty(kernels.work_size(s.n, s.q))
    status = kernels.solve_periodic(core, s.q, phi, dphi, np.array(g), np.array(dg), x, dx, work)
    return status, x, dx


def test_the_periodic_state_comes_back_after_a_dose_and_an_interval() -> None:
    """x = Φ x + g; its derivative satisfies x′ = Φ x′ + Φ′ x + g′. 600 intervals reach it."""
    s = system(recirculation(), q=2)
    g, dg = np.array([1.0, 3.0, 40.0, 2.0, 5.0]), np.random.default_rng(5).normal(size=(2, 5))
    status, x, dx = periodic(s, 5, 12.0, g, dg)
    _, phi, dphi = s.propagator(12.0)
    assert status == 0
    np.testing.assert_allclose(phi @ x + g, x, rtol=1e-13)
    np.testing.assert_allclose(dx @ phi.T + dphi @ x + dg, dx, rtol=1e-11, atol=1e-11)
    reached = np.zeros(5)
    for _ in range(600):
        reached = phi @ reached + g
    np.testing.assert_allclose(x, reached, rtol=1e-11)


def test_the_periodic_state_of_the_leading_states_leaves_an_accumulating_one_out() -> None:
    """The third state only gathers what leaves the second: it has no periodic state, the first two have."""
    a = np.array([[-1.0, 0.0, 0.0], [1.0, -0.2, 0.0], [0.0, 0.2, 0.0]])
    s = system(a)
    none = np.empty((0, 3))
    assert periodic(s, 3, 12.0, [1.0, 0.0, 0.0], none)[0] == 3
    status, x, _ = periodic(s, 2, 12.0, [1.0, 0.0], none)
    want = np.linalg.solve(np.eye(2) - expm(12.0 * a[:2, :2]), [1.0, 0.0])
    assert status == 0
    np.testing.assert_allclose(x, want, rtol=1e-12)


def test_what_is_never_lost_or_grows_has_no_steady_state() -> None:
    none = np.empty((0, 2))
    assert periodic(system(CASES["grows"]), 2, 12.0, [1.0, 1.0], none)[0] == 3
    closed = system(CASES["closed cycle"], rate=[1.0, 0.0, 0.0])
    assert periodic(closed, 3, 12.0, [1.0, 0.0, 0.0], np.empty((0, 3)))[0] == 3
    assert closed.stationary()[0] == 3
    assert system(CASES["grows"], rate=[1.0, 0.0]).stationary()[0] == 3


@pytest.mark.parametrize("name", ["sorafenib-like", "eight decades", "recirculation", "units differ"])
def test_a_constant_infusion_settles_where_input_equals_loss(name: str) -> None:
    n = len(CASES[name])
    s = system(CASES[name], rate=np.linspace(2.0, 1.0, n), q=2)
    status, x, dx = s.stationary()
    with mpmath.workdps(50):
        a = mpmath.matrix(s.a.tolist())
        want = mpmath.lu_solve(a, -mpmath.matrix(s.rate.tolist()))
        assert status == 0
        assert relative_error(x, want) < 1e-11
        for j in range(2):
            right = mpmath.matrix(s.drate[j].tolist()) + mpmath.matrix(s.da[j].tolist()) * want
            assert relative_error(dx[j], mpmath.lu_solve(a, -right), x) < 1e-11
    np.testing.assert_allclose(s.propagate(20.0, x, dx)[1], x, rtol=1e-11)


def test_the_order_of_an_acyclic_system_runs_downstream() -> None:
    """States in the order central, depot, transit: flow is depot → transit → central."""
    row, col = np.array([0, 0, 1, 2, 2]), np.array([0, 2, 1, 1, 2])
    order = np.empty(3, dtype=np.int64)
    assert kernels.acyclic_order(3, row, col, order)
    assert order.tolist() == [2, 0, 1]
    assert not kernels.acyclic_order(3, np.array([0, 1, 2]), np.array([2, 0, 1]), order)
    assert order.tolist() == [0, 1, 2]
