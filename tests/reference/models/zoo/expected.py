"""The self-test values of the models in this folder, by integrations written by hand.

Each function below writes one model's equations and numbers out again, without reading its file, and
integrates them from event to event with SciPy's DOP853 (relative tolerance 1e-12). `EXPECTED` names the
values in the order in which the file's tests expect them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar

Floats = NDArray[np.float64]
Rates = Callable[[float, Floats], Sequence[float]]
MEASURED_TO = 1e-12


@dataclass(frozen=True)
class Dose:
    """`amount` of a dose into state `into` at `time`: at once, or at a constant rate over `over` hours."""

    time: float
    amount: float
    into: int
    over: float = 0.0


class Run:
    """A system integrated over its doses to `end`; `breaks` are the times at which the rates jump."""

    def __init__(
        self,
        rates: Rates,
        start: Sequence[float],
        doses: Sequence[Dose],
        end: float,
        breaks: Sequence[float] = (),
    ) -> None:
        edges = {0.0, end, *breaks, *(d.time for d in doses), *(d.time + d.over for d in doses)}
        self.pieces: list[tuple[float, float, Callable[[float], Floats]]] = []
        state = np.array(start, dtype=float)
        times = sorted(t for t in edges if 0 <= t <= end)
        for left, right in pairwise(times):
            inflow = np.zeros(len(state))
            for dose in doses:
                if dose.over == 0 and dose.time == left:
                    state[dose.into] += dose.amount
                elif dose.time <= left and right <= dose.time + dose.over:
                    inflow[dose.into] += dose.amount / dose.over
            # Rates that jump at an edge are asked just inside it, on either side.
            inside = (left + 1e-12 * (right - left), right - 1e-12 * (right - left))
            done = solve_ivp(
                lambda t, x, inflow=inflow, inside=inside: (
                    np.array(rates(min(max(t, inside[0]), inside[1]), x)) + inflow
                ),
                (left, right), state, method="DOP853", rtol=MEASURED_TO, atol=1e-13, dense_output=True,
            )  # fmt: skip
            assert done.success, done.message
            self.pieces.append((left, right, done.sol))
            state = done.y[:, -1]

    def at(self, time: float, state: int) -> float:
        """The state at a time; at an edge the value before what happens there."""
        return next(float(sol(time)[state]) for left, right, sol in self.pieces if left < time <= right)

    def area(self, state: int, start: float, end: float) -> float:
        """The integral of a state, by 24-point Gauss-Legendre on twelve parts of each piece."""
        nodes, weights = np.polynomial.legendre.leggauss(24)
        total = 0.0
        for left, right, sol in self.pieces:
            a, b = max(left, start), min(right, end)
            if b <= a:
                continue
            cuts = np.linspace(a, b, 13)
            for low, high in pairwise(cuts):
                at = (low + high) / 2 + (high - low) / 2 * nodes
                total += float((high - low) / 2 * (weights @ np.array([sol(t)[state] for t in at])))
        return total

    def extreme(self, state: int, start: float, end: float, sign: float) -> tuple[float, float]:
        """The time and value of the largest (sign 1) or smallest (sign −1) value in [start, end]."""
        best = (start, -np.inf)
        for left, right, sol in self.pieces:
            a, b = max(left, start), min(right, end)
            if b <= a:
                continue
            grid = np.linspace(a, b, 401)
            values = [sign * float(sol(t)[state]) for t in grid]
            k = int(np.argmax(values))
            low, high = grid[max(k - 1, 0)], grid[min(k + 1, 400)]
            found = minimize_scalar(
                lambda t, sol=sol: -sign * float(sol(t)[state]), bounds=(low, high), method="bounded",
                options={"xatol": 1e-10},
            )  # fmt: skip
            for t in (float(found.x), a, b):
                value = sign * float(sol(t)[state])
                if value > best[1]:
                    best = (t, value)
        return best[0], sign * best[1]


def expit(x: float) -> float:
    """1/(1 + e^−x)."""
    return 1 / (1 + exp(-x))


def logit(p: float) -> float:
    """log(p/(1 − p))."""
    return log(p / (1 - p))


def repeated(
    amount: float, into: int, every: float, times: int, first: float = 0.0, over: float = 0.0
) -> list[Dose]:
    """Equal doses at a fixed interval."""
    return [Dose(first + k * every, amount, into, over) for k in range(times)]


def infusion() -> list[list[float]]:
    """Two compartments, 500 mg over 1.5 h, twice."""
    cl, v1, v2, q = 6.4, 16.5, 9.6, 2.7
    run = Run(
        lambda t, x: (-(cl + q) / v1 * x[0] + q / v2 * x[1], q / v1 * x[0] - q / v2 * x[1]),
        (0, 0), repeated(500, 0, 24, 2, over=1.5), 30,
    )  # fmt: skip
    return [[run.at(1, 0) / v1, run.at(30, 0) / v1, run.area(0, 0, 24) / v1]]


def two_depots() -> list[list[float]]:
    """60 % at 1.4/h at once, 40 % at 0.12/h after 2.5 h."""
    fast, slow, k, v = 1.4, 0.12, 5 / 60, 60
    doses = [*repeated(800 * 0.6, 0, 24, 3), *repeated(800 * 0.4, 1, 24, 3, first=2.5)]
    run = Run(
        lambda t, x: (-fast * x[0], -slow * x[1], fast * x[0] + slow * x[1] - k * x[2]), (0, 0, 0), doses, 60
    )
    return [[run.at(2, 2) / v, run.at(60, 2) / v]]


def saturable_elimination() -> list[list[float]]:
    """VMAX 420 mg a day, KM 4 mg/L, 50 L."""
    run = Run(lambda t, x: (-420 / 24 * (x[0] / 50) / (4 + x[0] / 50),), (0,), repeated(100, 0, 8, 10), 90)
    return [[run.at(4, 0) / 50, run.at(90, 0) / 50]]


def occasions() -> list[list[float]]:
    """F 0.7 e^0.15, CL 8 e^(0.2 − 0.1)."""
    k, v = 8 * exp(0.1) / 90, 90
    run = Run(
        lambda t, x: (-0.9 * x[0], 0.9 * x[0] - k * x[1]), (0, 0), [Dose(0, 300 * 0.7 * exp(0.15), 0)], 20
    )
    return [[run.at(3, 1) / v, run.at(20, 1) / v]]


def box_cox() -> list[list[float]]:
    """CL 3 e^((e^(−0.6·0.4) − 1)/−0.6), and 3 e^0.4 where the shape is 0."""

    def level(clearance: float, time: float) -> float:
        return Run(lambda t, x: (-clearance / 40 * x[0],), (0,), [Dose(0, 100, 0)], 24).at(time, 0) / 40

    bent = 3 * exp((exp(-0.6 * 0.4) - 1) / -0.6)
    return [[level(bent, 1), level(bent, 24)], [level(3 * exp(0.4), 24)]]


def twelve_effects() -> list[list[float]]:
    """Depot, parent and metabolite with a peripheral compartment each; five of the twelve effects not 0."""
    ka, k10, fm = 0.8, 9 * exp(0.2) / 50, 0.3
    k12, k21 = 6 / 50, 6 / (120 * exp(-0.3))
    km, km12, km21 = 4 * exp(-0.2) / 30, 2 / 30, 2 / 45
    dose = Dose(0.4 * exp(0.1), 100 * expit(logit(0.6) + 0.4), 0)
    run = Run(
        lambda t, x: (
            -ka * x[0],
            ka * x[0] - (k10 + k12) * x[1] + k21 * x[2],
            k12 * x[1] - k21 * x[2],
            fm * k10 * x[1] - (km + km12) * x[3] + km21 * x[4],
            km12 * x[3] - km21 * x[4],
        ),
        (0, 0, 0, 0, 0), [dose], 18,
    )  # fmt: skip
    return [[run.at(6, 1) / 50 * 1000, run.at(18, 3) / 30 * 1000]]


def meals() -> list[list[float]]:
    """Depot, 2 transits; first metabolite's depot, 3 transits; parent, peripheral, bile, 2 metabolites."""
    ka, cl, v1, q, v2, bile, empty, fm = 0.48, 4, 11, 11, 160, 0.14, 100, 0.25

    def rates(t: float, x: Floats) -> tuple[float, ...]:
        hour = t % 24
        opened = empty if any(meal <= hour < meal + 0.5 for meal in (8, 12, 18)) else 0.0
        return (
            -ka * x[0],
            ka * (x[0] - x[1]),
            ka * (x[1] - x[2]),
            -ka * x[3],
            ka * (x[3] - x[4]),
            ka * (x[4] - x[5]),
            ka * (x[5] - x[6]),
            ka * x[2] - (cl / v1 + q / v1 + bile) * x[7] + q / v2 * x[8] + opened * x[9],
            q / v1 * x[7] - q / v2 * x[8],
            bile * x[7] - opened * x[9],
            ka * x[6] - 2.4 / v1 * x[10],
            fm * cl / v1 * x[7] - 0.75 / v1 * x[11],
        )

    doses = [*repeated(160 * 0.59, 0, 24, 3, first=8), *repeated(160 * 0.41, 3, 24, 3, first=8)]
    edges = [24 * day + hour for day in range(3) for hour in (8, 8.5, 12, 12.5, 18, 18.5)]
    run = Run(rates, (0,) * 12, doses, 70, edges)
    return [[run.at(19, 7) / v1, run.at(60.2, 7) / v1, run.at(70, 10) / v1, run.area(11, 8, 32) / v1]]


def transit_chain() -> list[list[float]]:
    """Depot and five transits at 6/1.98 per hour; forty intervals of 12 h are steady state to 1e-7."""
    ktr, k, v = 6 / 1.98, 8.13 / 213, 213
    run = Run(
        lambda t, x: (-ktr * x[0], *(ktr * (x[i - 1] - x[i]) for i in range(1, 6)), ktr * x[5] - k * x[6]),
        (0,) * 7, repeated(400, 0, 12, 60), 720,
    )  # fmt: skip
    return [[run.area(6, 708, 720) / v, run.at(711, 6) / v, run.at(720, 6) / v]]


def sequential_absorption() -> list[list[float]]:
    """35 % at a constant rate over 2 e^0.2 h, then the rest from the depot at 0.5/h."""
    lasts = 2 * exp(0.2)
    doses = [Dose(0, 250 * 0.35, 1, lasts), Dose(lasts, 250 * 0.65, 0)]
    run = Run(lambda t, x: (-0.5 * x[0], 0.5 * x[0] - 0.1 * x[1]), (0, 0), doses, 8)
    return [[run.at(1.5, 1) / 100, run.at(8, 1) / 100]]


def turnover() -> list[list[float]]:
    """Marker of 60 ng/L with a mean residence time of 90 h, production inhibited by up to 90 %."""

    def rates(t: float, x: Floats) -> tuple[float, ...]:
        c = max(x[0] / 50, 0.0) ** 1.5
        return -6 / 50 * x[0], 60 / 90 * (1 - 0.9 * c / (1.2**1.5 + c)) - x[1] / 90

    run = Run(rates, (0, 60), repeated(400, 0, 12, 14), 240)
    return [[run.at(100, 0) / 50, run.at(100, 1), run.at(240, 1)]]


def dose_dependent_bioavailability() -> list[list[float]]:
    """F = 500/(500 + dose)."""
    doses = [Dose(0, 200 * 500 / 700, 0), Dose(24, 800 * 500 / 1300, 0)]
    run = Run(lambda t, x: (-0.7 * x[0], 0.7 * x[0] - 8 / 200 * x[1]), (0, 0), doses, 30)
    return [[run.at(6, 1) / 200, run.at(30, 1) / 200]]


def time_dependent_clearance() -> list[list[float]]:
    """CL rises from 5 by 67 % with a half-time of 720 h."""
    run = Run(
        lambda t, x: (-0.6 * x[0], 0.6 * x[0] - 5 * (1 + 0.67 * (1 - 2 ** (-t / 720))) / 150 * x[1]),
        (0, 0), repeated(400, 0, 24, 60), 1440,
    )  # fmt: skip
    return [[run.at(240, 1) / 150, run.at(1440, 1) / 150]]


def one_bolus(amount: float) -> list[list[float]]:
    """2 L/h, 30 L, the level at 10 h."""
    return [[Run(lambda t, x: (-2 / 30 * x[0],), (0,), [Dose(0, amount, 0)], 10).at(10, 0) / 30]]


def analytes() -> list[list[float]]:
    """Parent, metabolite, and the metabolite's amount in urine."""
    k, km = 12 / 80, 3 / 40
    run = Run(
        lambda t, x: (-k * x[0], 0.4 * k * x[0] - km * x[1], km * x[1]), (0, 0, 0), [Dose(0, 50, 0)], 48
    )
    when, peak = run.extreme(1, 0, 48, 1)
    return [[run.at(4, 0) / 80 * 1000, peak / 40 * 1000, when, run.at(24, 2)]]


def bile_after_dose() -> list[list[float]]:
    """Half of the elimination goes to the gallbladder, which opens from 6 to 9 h after each dose."""
    k = 8 / 200

    def rates(t: float, x: Floats) -> tuple[float, ...]:
        released = 0.9 * x[2] if 6 <= t % 12 < 9 else 0.0
        return -1.2 * x[0] + released, 1.2 * x[0] - k * x[1], 0.5 * k * x[1] - released

    edges = [12 * n + h for n in range(110) for h in (6, 9)]
    run = Run(rates, (0, 0, 0), repeated(400, 0, 12, 110), 1320, edges)
    lowest = run.extreme(1, 1308, 1320, -1)[1]
    return [[run.area(1, 1308, 1320) / 200, run.at(1316, 1) / 200, lowest / 200]]


def additive_effect() -> list[list[float]]:
    """A background of 0.58 mg/L, kept up by a constant production."""
    run = Run(lambda t, x: (4 * 0.58 - 4 / 35 * x[0],), (0.58 * 35,), [Dose(0, 70, 0)], 400)
    return [[run.at(6, 0) / 35, run.at(400, 0) / 35]]


def conditional_covariates() -> list[list[float]]:
    """55 kg, female, albumin 25 g/L, 30 years."""
    clearance, volume = 7 * (55 / 70) ** 0.75 * 0.8 * 0.9, 70 * 55 / 70 * 1.2
    run = Run(lambda t, x: (-clearance / volume * x[0],), (0,), [Dose(0, 100, 0)], 5)
    return [[run.at(5, 0) / volume]]


EXPECTED: dict[str, Callable[[], list[list[float]]]] = {
    "infusion": infusion,
    "two-depots": two_depots,
    "saturable-elimination": saturable_elimination,
    "occasions": occasions,
    "box-cox": box_cox,
    "twelve-effects": twelve_effects,
    "meals": meals,
    "transit-chain": transit_chain,
    "sequential-absorption": sequential_absorption,
    "turnover": turnover,
    "dose-dependent-bioavailability": dose_dependent_bioavailability,
    "time-dependent-clearance": time_dependent_clearance,
    "power-error": lambda: one_bolus(60),
    "combined-sd-error": lambda: one_bolus(90),
    "log-combined-error": lambda: one_bolus(120),
    "analytes": analytes,
    "bile-after-dose": bile_after_dose,
    "additive-effect": additive_effect,
    "conditional-covariates": conditional_covariates,
}
"""For each model file of this folder, by name: the values its tests expect, one list a test."""
