"""Linear systems with rates that change in time: against SciPy at 1e-13 and the exponential, and the order.

The model is sorafenib's: six transits, a central compartment, bile, and a gate that empties the bile some
hours after a dose, tad^40 / (tad^40 + 6.13^40). Its coefficient functions are C functions, as the engine's.
"""

from __future__ import annotations

import json
import math
import runpy
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba import types
from scipy.integrate import solve_ivp

from troughline.model.kernels import varying
from troughline.model.kernels.exponential import propagate_linear
from troughline.model.kernels.exponential import work_size as linear_work_size

ROOT = Path(__file__).resolve().parents[2]
POINTER = types.CPointer(types.float64)
K_TRANSIT, K, K_EMPTY, K_BILE, INPUT, BAD = range(6)
"""The slots: four rates, a constant input, and a slot that is not finite where theta[5] is not."""
THETA = np.array([3.03, 0.038, 0.9, 0.02, 1.5, 0.0])
GATE = 6.13
N, M, GUARD = 8, 2, -12345.678
ENTRIES = [
    *[(i, i, -1.0, K_TRANSIT) for i in range(6)], *[(i + 1, i, 1.0, K_TRANSIT) for i in range(6)],
    (6, 6, -1.0, K), (7, 6, 0.5, K_BILE), (7, 7, -1.0, K_EMPTY), (6, 7, 1.0, K_EMPTY),
]  # fmt: skip


@numba.cfunc(types.void(*[POINTER] * 6), error_model="numpy")
def coefficients(theta: Any, cov: Any, eta: Any, gates: Any, ctx: Any, p: Any) -> None:
    gate = ctx[1] ** 40 / (ctx[1] ** 40 + 6.13**40)
    p[0] = theta[0] * math.exp(eta[0])
    p[1] = theta[1] * math.exp(eta[1])
    p[2] = theta[2] * (1.0 + gates[0] * (gate - 1.0)) * math.exp(eta[0])
    p[3] = theta[3]
    p[4] = theta[4] * (1.0 + 0.2 * math.sin(ctx[0])) * math.exp(eta[1])
    p[5] = theta[5]


@numba.cfunc(types.void(*[POINTER] * 7), error_model="numpy")
def coefficients_d(theta: Any, cov: Any, eta: Any, gates: Any, ctx: Any, p: Any, dp: Any) -> None:
    gate = ctx[1] ** 40 / (ctx[1] ** 40 + 6.13**40)
    p[0] = theta[0] * math.exp(eta[0])
    p[1] = theta[1] * math.exp(eta[1])
    p[2] = theta[2] * (1.0 + gates[0] * (gate - 1.0)) * math.exp(eta[0])
    p[3] = theta[3]
    p[4] = theta[4] * (1.0 + 0.2 * math.sin(ctx[0])) * math.exp(eta[1])
    p[5] = theta[5]
    for k in range(12):
        dp[k] = 0.0
    dp[0], dp[2], dp[7], dp[10] = p[0], p[2], p[1], p[4]


def rates(t: float, tad: float, gated: bool, local: np.ndarray, theta: np.ndarray = THETA) -> np.ndarray:
    """The slots, in NumPy, for the reference."""
    gate = tad**40 / (tad**40 + GATE**40) if gated else 1.0
    first, second = np.exp(local)
    return np.array(
        [theta[0] * first, theta[1] * second, theta[2] * gate * first, theta[3],
         theta[4] * (1 + 0.2 * math.sin(t)) * second, 0.0]
    )  # fmt: skip


def matrix(p: np.ndarray) -> np.ndarray:
    a = np.zeros((N, N))
    for i, j, share, slot in ENTRIES:
        a[i, j] += share * p[slot]
    return a


def reference(
    x0: Any, dx0: Any, rate: Any, drate: Any, t0: float, tad: float, dt: float, constants: bool
) -> Any:
    """(x, dx) by SciPy's DOP853 at 1e-13: the states and their equations of variation in two directions."""
    x0, dx0 = np.asarray(x0, dtype=float), np.asarray(dx0, dtype=float)
    slopes = np.zeros((2, 6))

    def f(t: float, y: np.ndarray) -> np.ndarray:
        p = rates(t0 + t, tad + t, True, np.zeros(2))
        slopes[0, [K_TRANSIT, K_EMPTY]] = p[[K_TRANSIT, K_EMPTY]]
        slopes[1, [K, INPUT]] = p[[K, INPUT]]
        a, states = matrix(p), y.reshape(3, N)
        out = states @ a.T
        out[0] += rate
        for j in range(2):
            out[1 + j] += matrix(slopes[j]) @ states[0] + drate[j]
        if constants:
            out[:, 0] += [2.0 * p[INPUT], 0.0, 2.0 * slopes[1, INPUT]]
        return out.ravel()

    start = np.concatenate([x0, dx0.ravel()])
    y = solve_ivp(f, (0.0, dt), start, method="DOP853", rtol=1e-13, atol=1e-15).y[:, -1].reshape(3, N)
    return y[0], y[1:]


def propagate(
    many: Any, dmany: Any, dt: float, *, rate: Any = None, drate: Any = None,
    start: tuple[float, float] = (0.0, 0.0), constants: bool = False, gated: bool = True,
    directions: Any = None, max_steps: int = 10_000, theta: np.ndarray = THETA, entries: Any = ENTRIES,
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """(status, states, derivatives, ctx afterwards)."""
    many, dmany = np.array(many, dtype=float), np.array(dmany, dtype=float)
    q, n = dmany.shape[0], many.shape[1]
    row, col, share, slot = (np.array(part) for part in zip(*entries, strict=True))
    u_slot = np.full(n, -1)
    u_slot[0] = INPUT
    u_coefficient = np.full(n, 2.0)
    ctx, work = np.array([*start, 0.0, 0.0]), np.full(varying.work_size(n, q) + 8, np.nan)
    work[-8:] = GUARD
    status = varying.propagate_varying(
        n, row, col, slot, share, u_slot, u_coefficient, q,
        np.arange(M) if directions is None else np.array(directions),
        np.uint64(coefficients.address), np.uint64(coefficients_d.address), theta, np.zeros(1), np.zeros(M),
        np.array([1.0 if gated else 0.0]), ctx, np.zeros(6), np.zeros((M, 6)),
        np.zeros(n) if rate is None else np.array(rate, dtype=float),
        np.zeros((q, n)) if drate is None else np.array(drate, dtype=float),
        constants, dt, many, dmany, max_steps, work[:-8],
    )  # fmt: skip
    assert (work[-8:] == GUARD).all()
    return status, many, dmany, ctx


def close(got: Any, want: Any, beside: Any = 0.0, tolerance: float = 1e-11) -> None:
    """Equal within `tolerance` of each state, or of a tenth of the largest with it.

    A derivative (by a logarithm) may err by as much as the state `beside` it.
    """
    size = np.maximum(abs(want), abs(np.asarray(beside)))
    scale = np.maximum(size, 0.1 * size.max(axis=-1, keepdims=True))
    assert (abs(got - want) <= tolerance * scale).all(), (abs(got - want) / scale).max()


DOSE = np.array([400.0, 0, 0, 0, 0, 0, 20.0, 5.0])
NONE = np.empty((0, 1, N))


@pytest.mark.parametrize("dt", [0.01, 1.77, 6.13, 12.0, 24.0])
@pytest.mark.parametrize("q", [0, 2])
def test_a_trajectory_through_the_gate_agrees_with_scipy(q: int, dt: float) -> None:
    """With an infusion that depends on the effects; 1e-11."""
    rate, drate = np.zeros(N), np.zeros((2, N))
    rate[6], drate[0, 6] = 3.0, 1.0
    dx0 = np.random.default_rng(1).normal(size=(2, N))
    status, x, dx, ctx = propagate(DOSE[None], dx0[:q, None], dt, rate=rate, drate=drate[:q])
    want, dwant = reference(DOSE, dx0, rate, drate, 0.0, 0.0, dt, False)
    assert status == 0
    assert ctx[:2].tolist() == [dt, dt]
    close(x[0], want)
    if q:
        close(dx[:, 0], dwant, want)


@pytest.mark.parametrize("q", [0, 2])
def test_a_constant_that_varies_flows_in_when_asked(q: int) -> None:
    """2 · p[INPUT], which depends on t, from t = 30 h and 4 h after a dose; 1e-11."""
    want, dwant = reference(DOSE, np.zeros((2, N)), np.zeros(N), np.zeros((2, N)), 30.0, 4.0, 5.0, True)
    status, x, dx, ctx = propagate(DOSE[None], np.zeros((q, 1, N)), 5.0, start=(30.0, 4.0), constants=True)
    assert status == 0
    assert ctx[:2].tolist() == [35.0, 9.0]
    close(x[0], want)
    if q:
        close(dx[:, 0], dwant, want)


@pytest.mark.parametrize("q", [0, 2])
def test_unit_states_give_the_propagator(q: int) -> None:
    """Each of the eight at once as each alone, and their sum over the doses as the trajectory; 1e-11."""
    status, columns, dcolumns, _ = propagate(np.eye(N), np.zeros((q, N, N)), 12.0)
    assert status == 0
    alone = propagate(DOSE[None], np.zeros((q, 1, N)), 12.0)
    close(DOSE @ columns, alone[1][0])
    if q:
        close(DOSE @ dcolumns, alone[2][:, 0], alone[1][0])
    for i in (0, 6, 7):
        close(columns[i], propagate(np.eye(N)[i : i + 1], NONE, 12.0)[1][0])


@pytest.mark.parametrize("nv", [2, 5])
def test_several_states_are_each_as_one_alone(nv: int) -> None:
    states = np.random.default_rng(3).uniform(0, 100, size=(nv, N))
    dstates = np.random.default_rng(4).normal(size=(2, nv, N))
    _, x, dx, _ = propagate(states, dstates, 7.0)
    for v in range(nv):
        _, one, done, _ = propagate(states[v : v + 1], dstates[:, v : v + 1], 7.0)
        close(x[v], one[0])
        close(dx[:, v], done[:, 0], one[0])


@pytest.mark.parametrize("dt", [1.77, 12.0])
def test_without_the_gate_it_is_the_exponential(dt: float) -> None:
    """Rates that do not change; 1e-11 for states and derivatives."""
    p = rates(0.0, 0.0, False, np.zeros(2))
    row, col, share, slot = (np.array(part) for part in zip(*ENTRIES, strict=True))
    val, dval = share * p[slot], np.zeros((2, len(ENTRIES)))
    dval[0] = np.where((slot == K_TRANSIT) | (slot == K_EMPTY), val, 0.0)
    dval[1] = np.where(slot == K, val, 0.0)
    rate = np.full(N, 0.5)
    x, dx = DOSE.copy(), np.zeros((2, N))
    propagate_linear(
        N, row, col, val, dval, 2, rate, np.zeros((2, N)), dt, x, dx, np.empty(linear_work_size(N, 2))
    )
    status, got, dgot, _ = propagate(DOSE[None], np.zeros((2, 1, N)), dt, rate=rate, gated=False)
    assert status == 0
    close(got[0], x)
    close(dgot[:, 0], dx, x)


def test_two_parts_are_the_whole() -> None:
    """To 5 h and on to 12 h, with derivatives; 1e-11."""
    _, x, dx, _ = propagate(DOSE[None], np.zeros((2, 1, N)), 5.0)
    _, x, dx, _ = propagate(x, dx, 7.0, start=(5.0, 5.0))
    _, whole, dwhole, _ = propagate(DOSE[None], np.zeros((2, 1, N)), 12.0)
    close(x, whole)
    close(dx, dwhole, whole)


def test_local_effects_go_to_their_global_directions() -> None:
    """Effects 0 and 1 are directions 0 and 2; direction 1, of another occasion, is carried along."""
    carried = np.linspace(1, 8, N)
    start = np.zeros((3, 1, N))
    start[1, 0] = carried
    _, x, dx, _ = propagate(DOSE[None], start, 9.0, directions=[0, 2])
    _, _, plain, _ = propagate(DOSE[None], np.zeros((2, 1, N)), 9.0)
    close(dx[[0, 2], 0], plain[:, 0], x[0])
    close(dx[1, 0], propagate(carried[None], NONE, 9.0)[1][0])


def test_one_state_and_an_empty_one_are_no_trouble() -> None:
    status, x, _, _ = propagate([[5.0]], np.empty((0, 1, 1)), 3.0, entries=[(0, 0, -1.0, K)])
    assert (status, x[0, 0]) == (0, pytest.approx(5.0 * math.exp(-3 * 0.038), rel=1e-12))
    status, x, _, _ = propagate(np.zeros((1, N)), NONE, 3.0)
    assert (status, x.tolist()) == (0, [[0.0] * N])


def test_what_cannot_be_integrated_is_reported() -> None:
    assert propagate(DOSE[None], NONE, 0.0)[1].tolist() == [DOSE.tolist()]
    assert propagate(DOSE[None], NONE, 12.0, max_steps=5)[0] == 1
    assert propagate(DOSE[None], NONE, -1.0)[0] == 2
    assert propagate(DOSE[None], NONE, math.nan)[0] == 2
    assert propagate(DOSE[None] * np.nan, NONE, 1.0)[0] == 2
    spoiled = THETA.copy()
    spoiled[BAD] = math.nan
    for q in (0, 2):
        status, x, _, _ = propagate(
            DOSE[None], np.zeros((q, 1, N)), 1.0, theta=spoiled, entries=[*ENTRIES, (7, 0, 1.0, BAD)]
        )
        assert status == 2
        assert x.tolist() == [DOSE.tolist()]


def test_the_coefficients_are_scipys_and_of_order_eight() -> None:
    """The file is what the script writes, and Σ b cᵏ⁻¹ = 1/k holds for k = 1 … 8, not for 9; 1e-14."""
    written = runpy.run_path(str(ROOT / "tools" / "write_tableaux.py"))
    file = Path(varying.__file__).with_name("dop853.json").read_text(encoding="utf-8")
    assert file == written["as_text"](written["tableau"]())
    method = json.loads(file)
    nodes, weights = np.array(method["nodes"]), np.array(method["weights"])
    misses = [abs(weights @ nodes ** (k - 1) - 1 / k) for k in range(1, 10)]
    assert max(misses[:8]) < 1e-14
    assert misses[8] > 1e-7
    for c, row in zip(nodes, method["a"], strict=True):
        assert sum(row) == pytest.approx(c, abs=1e-14)


def test_halving_the_step_makes_the_error_of_one_step_512_times_smaller() -> None:
    """dx/dt = (−1 + i) x cos t, steps of 0.2 and 0.1 with the file's coefficients; within 20 %."""
    method = json.loads(Path(varying.__file__).with_name("dop853.json").read_text(encoding="utf-8"))

    def miss(h: float) -> float:
        stages: list[complex] = []
        for c, row in zip(method["nodes"], method["a"], strict=True):
            y = 1.0 + h * sum(a * f for a, f in zip(row, stages, strict=True))
            stages.append((-1 + 1j) * y * math.cos(c * h))
        end = 1.0 + h * sum(b * f for b, f in zip(method["weights"], stages, strict=True))
        return abs(end - np.exp((-1 + 1j) * math.sin(h)))

    assert miss(0.2) / miss(0.1) == pytest.approx(512.0, rel=0.2)
