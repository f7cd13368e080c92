"""Many draws of one patient of `sorafenib/hcc` at once, in NumPy alone: an engine to check the engine by.

Nothing of Troughline's engine, sampler or forecasts is used: the model file is read as plain TOML, a step of
time is a matrix exponential by scaling and squaring, and every dose is given one by one. The structure is
that of `tools/sorafenib_curve.py`; typical values with an interval are drawn as docs/dose.md says (Tukey's g
distribution through value and limits, on the log or logit scale).
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MODEL = Path(__file__).resolve().parents[1] / "src/troughline/model/library/sorafenib/hcc.toml"
SIZE, CENTRAL, GALLBLADDER = 7, 5, 6
HALF_DAY_H, LATEST_RELEASE_H = 12.0, 11.0
_TERMS, _SMALL = 10, 0.25
_SIDES_ALIKE = 0.05


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Parameters (n,) of n draws in h, mg and L; `clearance` (n, occasions)."""

    clearance: Floats
    volume: Floats
    chain: Floats
    recirculated: Floats
    release: Floats
    release_h: Floats
    half_dose: Floats
    fall: Floats
    fall_per_h: Floats
    reference_dose: float
    reference_h: float

    def by_dose(self, amount: float) -> Floats:
        """Amount taken up of a dose on the reference day, mg (n,)."""
        return amount * (self.half_dose + self.reference_dose) / (self.half_dose + amount)

    def by_time(self, time_h: float) -> Floats:
        """Share of the reference day's uptake at a time (n,)."""
        return self._left(time_h) / self._left(self.reference_h)

    def _left(self, time_h: float) -> Floats:
        return 1.0 - self.fall * (1.0 - np.exp(-self.fall_per_h * time_h))


def read_document() -> dict[str, Any]:
    """The model file as plain values."""
    return tomllib.loads(MODEL.read_text(encoding="utf-8"))


def draw(
    document: dict[str, Any], n: int, occasions: int, *, weight_kg: float, rng: np.random.Generator
) -> Draws:
    """n draws from the population, Child-Pugh A: typical values, patients and occasions."""
    value = {k: _value(document["parameters"][k], n, rng) for k in document["parameters"]}
    blocks = document["random"]
    drawn: dict[str, Floats] = {}
    for block in blocks:
        times = occasions if block["level"] == "occasion" else 1
        spread = np.array(block.get("covariance") or [[block["variance"][0]]])
        made = rng.standard_normal((n, times, len(spread))) @ np.linalg.cholesky(spread).T
        drawn |= {name: made[:, :, j] for j, name in enumerate(block["effects"])}
    return Draws(
        clearance=value["CL_pop"][:, None] * np.exp(drawn["eta_CL"] + drawn["kappa_CL"]),
        volume=value["V_pop"] * weight_kg / value["WT_ref"] * np.exp(drawn["eta_V"][:, 0]),
        chain=5.0 / value["MAT"] * np.exp(drawn["eta_ka"][:, 0]),
        recirculated=value["Fent"],
        release=value["k_release"],
        release_h=value["t_release"],
        half_dose=value["D50"],
        fall=value["fall"],
        fall_per_h=math.log(2.0) / (24.0 * value["t_half_fall"]),
        reference_dose=float(value["dose_ref"][0]),
        reference_h=24.0 * float(value["t_ref"][0]),
    )  # fmt: skip


def _value(given: dict[str, Any], n: int, rng: np.random.Generator) -> Floats:
    """Draws of a typical value; itself where it has no interval."""
    value, low, high = given["value"], given.get("low"), given.get("high")
    if low is None or high is None:
        return np.full(n, float(value))
    logit = given["unit"] == "1" and low > 0 and high < 1

    def scale(x: float) -> float:
        return math.log(x / (1 - x)) if logit else math.log(x)

    z = NormalDist().inv_cdf(0.5 + given.get("level", 0.95) / 2)
    u = rng.standard_normal(n)
    down, up = scale(value) - scale(low), scale(high) - scale(value)
    if min(down, up) <= _SIDES_ALIKE * (down + up) or abs(up - down) < _SIDES_ALIKE * (up + down):
        shift = u * (down + up) / (2 * z)
    else:
        b = math.log(up / down) / z
        shift = b * up / (math.exp(b * z) - 1) * (np.exp(b * u) - 1) / b
    x = scale(value) + shift
    return 1 / (1 + np.exp(-x)) if logit else np.exp(x)


class Course:
    """The state of every draw over time, doses given one by one."""

    def __init__(self, draws: Draws, occasion: int, *, state: Floats | None = None) -> None:
        self._draws = draws
        # The gallbladder opens at its time, and nothing is asked before it: a later one is cut at 11 h.
        self._release = np.minimum(draws.release_h, LATEST_RELEASE_H)
        self.state = np.zeros((len(draws.volume), SIZE)) if state is None else state
        self._shut, self._open = (_matrix(draws, draws.clearance[:, occasion], g) for g in (False, True))
        self._steps: dict[float, Floats] = {}
        self._opened: dict[float, Floats] = {}
        self._first: Floats | None = None

    @property
    def level(self) -> Floats:
        """mg/L (n,)."""
        return self.state[:, CENTRAL] / self._draws.volume

    def dose(self, amount_mg: Floats) -> None:
        """Put into the depot what is taken up of a dose (n,)."""
        self.state = self.state.copy()
        self.state[:, 0] += amount_mg

    def after_dose(self, hours: float) -> None:
        """Let so many hours go by after a dose: the gallbladder opens at the release time."""
        self._apply(self.step(hours))

    def step(self, hours: float) -> Floats:
        """What so many hours after a dose do to a state (n, 7, 7).

        Until 12 h by exponentials of their own, then by 12 h more at a time with the gallbladder open.
        """
        if hours in self._steps:
            return self._steps[hours]
        if hours > HALF_DAY_H:
            made = self._open_for(HALF_DAY_H) @ self.step(hours - HALF_DAY_H)
        else:
            if self._first is None:
                self._first = exponential(self._shut, self._release)
            rest = np.maximum(hours - self._release, 0.0)
            made = exponential(self._open, rest) @ self._first
        self._steps[hours] = made
        return made

    def open(self, hours: float) -> None:
        """Let hours go by with the gallbladder open."""
        self._apply(self._open_for(hours))

    def _open_for(self, hours: float) -> Floats:
        if hours not in self._opened:
            self._opened[hours] = exponential(self._open, np.full(len(self.state), hours))
        return self._opened[hours]

    def _apply(self, step: Floats) -> None:
        self.state = np.einsum("nij,nj->ni", step, self.state)


def _matrix(draws: Draws, clearance: Floats, is_open: bool) -> Floats:
    """Rates (n, 7, 7): four transits after the depot, the plasma, the gallbladder."""
    a = np.zeros((len(clearance), SIZE, SIZE))
    out = clearance / draws.volume
    for i in range(CENTRAL):
        a[:, i, i] -= draws.chain
        a[:, i + 1, i] += draws.chain
    a[:, CENTRAL, CENTRAL] -= out
    a[:, GALLBLADDER, CENTRAL] += draws.recirculated * out
    if is_open:
        a[:, GALLBLADDER, GALLBLADDER] -= draws.release
        a[:, CENTRAL - 1, GALLBLADDER] += draws.release
    return a


def exponential(rates: Floats, hours: Floats) -> Floats:
    """exp(A t) of every draw (n, k, k), by a Taylor series of A t/2^s and s squarings."""
    a = rates * hours[:, None, None]
    largest = float(np.abs(a).sum(axis=1).max())
    squarings = max(math.ceil(math.log2(max(largest, 1e-12) / _SMALL)), 0)
    a = a / 2.0**squarings
    made = np.broadcast_to(np.eye(rates.shape[1]), rates.shape).copy()
    for k in range(_TERMS, 0, -1):
        made = np.eye(rates.shape[1]) + a @ made / k
    for _ in range(squarings):
        made = made @ made
    return made


def regimen_troughs(
    course: Course, draws: Draws, state: Floats, regimens: Sequence[Sequence[float]], interval_h: float,
    start_h: float, end_h: float,
) -> Floats:  # fmt: skip
    """The mean trough of each regimen's last cycle before `end_h` (n, k), first dose at `start_h`.

    `regimens`: the amounts (mg) of each one's cycle, all at one interval; `state` (n, 7) just before the
    first dose; `course` is one in the occasion of the future. With M the step over an interval and
    l_j = e_plasma M^j / V, a dose taken up j intervals ago gives l_j[depot] each mg, and what was there
    before l_m · state: every dose counts with the uptake of its own day.
    """
    count = round((end_h - start_h) / interval_h)
    step = course.step(interval_h)
    row = np.zeros_like(state)
    row[:, CENTRAL] = 1.0 / draws.volume
    each, before = np.empty((count + 1, len(state))), np.empty((count + 1, len(state)))
    for j in range(count + 1):
        each[j], before[j] = row[:, 0], (row * state).sum(axis=1)
        row = np.einsum("ni,nij->nj", row, step)
    days = [draws.by_time(start_h + k * interval_h) for k in range(count)]
    made = np.empty((len(state), len(regimens)))
    for i, amounts in enumerate(regimens):
        taken = [draws.by_dose(a) for a in amounts]
        total = np.zeros(len(state))
        for m in range(count - len(amounts) + 1, count + 1):
            total += before[m]
            for k in range(m):
                total += each[m - k] * taken[k % len(taken)] * days[k]
        made[:, i] = total / len(amounts)
    return made
