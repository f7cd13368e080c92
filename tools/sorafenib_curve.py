"""The sorafenib curve in NumPy: absorption chain, central compartment, enterohepatic recirculation.

An independent, slow and simple implementation of the structure of `sorafenib/jain-2011` and `sorafenib/hcc`,
used by the calibration and by the overlay of published profiles. It uses nothing of the engine, so that each
checks the other.

Between doses the system is linear, with one coefficient that depends on the time after the dose:

    dA0/dt = -ka A0;  dAi/dt = ka (A(i-1) - Ai), i = 1..3
    dA4/dt = ka (A3 - A4) + E kEHC Agb
    dAc/dt = ka A4 - (CL/V) Ac              (of which the fraction Fent goes to the gallbladder)
    dAgb/dt = Fent (CL/V) Ac - E kEHC Agb,  ka = 5 / MAT

E = tad^40 / (tad^40 + t_release^40) in Jain 2011 (doi 10.1111/j.1365-2125.2011.03963.x, read in a
transcription), a step from 0 to 1 at t_release in `sorafenib/hcc`. An eighth state carries the area
under the curve. At steady state with bioavailability F: AUC over an interval = F dose / ((1 - Fent) CL).
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

Floats = NDArray[np.float64]
CENTRAL, GALLBLADDER, AREA, SIZE = 5, 6, 7, 8
GATE_POWER = 40.0
OPEN_AFTER_H = 12.0  # the gate has 1 - 2e-12 of its height here, for a release at 6.13 h
STEP_H = 0.1  # of a Magnus step, at most
LIBRARY = Path(__file__).resolve().parents[1] / "src" / "troughline" / "model" / "library"


@dataclass(frozen=True, kw_only=True)
class Sorafenib:
    """Parameters of one (typical) patient.

    Clearance and volume are apparent; `half_dose_mg`, `fall` = None switch the dose dependence and the fall
    of the exposure off (Jain 2011). `fall_per_h` is the rate of the fall, `reference_h` the time at which the
    bioavailability of the reference dose is 1. `gate_power` is that of E; infinite for a step.
    """

    clearance_l_per_h: float
    volume_l: float
    mean_absorption_h: float
    recirculated: float
    release_per_h: float
    release_h: float
    gate_power: float = GATE_POWER
    half_dose_mg: float | None = None
    reference_dose_mg: float = 400.0
    fall: float | None = None
    fall_per_h: float = 0.0
    reference_h: float = 0.0

    def bioavailability(self, dose_mg: float, time_h: float = 0.0) -> float:
        """F of a dose given `time_h` after the first, relative to the reference dose and time."""
        by_dose = 1.0 if self.half_dose_mg is None else (
            (self.half_dose_mg + self.reference_dose_mg) / (self.half_dose_mg + dose_mg)
        )  # fmt: skip
        return by_dose * self.left(time_h) / self.left(self.reference_h)

    def left(self, time_h: float) -> float:
        """What is left of the first exposure: 1 - fall (1 - exp(-fall_per_h t))."""
        if self.fall is None:
            return 1.0
        return 1.0 - self.fall * (1.0 - float(np.exp(-self.fall_per_h * time_h)))

    def steady_state_auc(self, dose_mg: float, time_h: float = 0.0) -> float:
        """AUC over a dosing interval at steady state, mg·h/L: F·dose / ((1 − Fent)·CL)."""
        available = self.bioavailability(dose_mg, time_h) * dose_mg
        return available / ((1.0 - self.recirculated) * self.clearance_l_per_h)

    @cached_property
    def half_life_h(self) -> float:
        """The terminal half-life while the gate is open, h: ln 2 over the slowest rate."""
        rates = np.linalg.eigvals(self._matrix(1.0)[:AREA, :AREA])
        return float(np.log(2.0) / np.min(-rates.real))

    def _matrix(self, gate: float) -> Floats:
        chain = 5.0 / self.mean_absorption_h
        loss = self.clearance_l_per_h / self.volume_l
        release = gate * self.release_per_h
        a = np.zeros((SIZE, SIZE))
        for i in range(5):
            a[i, i] -= chain
            a[i + 1, i] += chain
        a[CENTRAL, CENTRAL] -= loss
        a[GALLBLADDER, CENTRAL] += self.recirculated * loss
        a[GALLBLADDER, GALLBLADDER] -= release
        a[4, GALLBLADDER] += release
        a[AREA, CENTRAL] += 1.0 / self.volume_l
        return a

    def _gate(self, after_dose_h: Floats) -> Floats:
        power = after_dose_h**self.gate_power
        return power / (power + self.release_h**self.gate_power)

    def propagators(self, after_dose_h: Sequence[float]) -> Floats:
        """State after a dose from the state just after it (n, 8, 8), for ascending times h after the dose."""
        return _propagators(self, tuple(float(t) for t in after_dose_h))

    def curve(self, doses: Sequence[tuple[float, float]], time_h: Sequence[float]) -> tuple[Floats, Floats]:
        """Concentration mg/L and cumulative AUC mg·h/L (n_times,) after doses of (time h, amount mg).

        A time at which a dose is given is before that dose. Times ascend; the first dose is the first of the
        treatment.
        """
        given = sorted(doses)
        edges = [t for t, _ in given] + [np.inf]
        asked = np.asarray(time_h, dtype=np.float64)
        concentration, area = np.zeros(len(asked)), np.zeros(len(asked))
        state = np.zeros(SIZE)
        for k, (start, amount) in enumerate(given):
            state = state.copy()
            state[0] += self.bioavailability(amount, start - given[0][0]) * amount
            inside = (asked > start) & (asked <= edges[k + 1])
            until_next = [] if np.isinf(edges[k + 1]) else [edges[k + 1] - start]
            wanted = sorted({*(asked[inside] - start).tolist(), *until_next})
            if not wanted:
                continue
            states = np.einsum("tij,j->ti", self.propagators(wanted), state)
            place = np.searchsorted(wanted, asked[inside] - start)
            concentration[inside] = states[place, CENTRAL] / self.volume_l
            area[inside] = states[place, AREA]
            state = states[-1]
        return concentration, area

    def interval(self, dose_mg: float, day: float, every_h: float = 12.0, points: int = 121) -> Interval:
        """The dosing interval that starts on `day` after regular dosing from day 0."""
        before = round(24.0 * day / every_h)
        grid = np.linspace(0.0, every_h, points)
        within = self.propagators(grid[1:].tolist())
        state = np.zeros(SIZE)
        for k in range(before + 1):
            state[0] += self.bioavailability(dose_mg, k * every_h) * dose_mg
            if k < before:
                state = within[-1] @ state
                state[AREA] = 0.0
        states = np.vstack([state, np.einsum("tij,j->ti", within, state)])
        return Interval(grid, states[:, CENTRAL] / self.volume_l, states[:, AREA])

    def steady_state(
        self, dose_mg: float, time_h: float = 0.0, every_h: float = 12.0, points: int = 121
    ) -> Interval:
        """The interval at steady state, with the bioavailability of `time_h`: the map's fixed point."""
        grid = np.linspace(0.0, every_h, points)
        within = self.propagators(grid[1:].tolist())
        dosed = np.zeros(AREA)
        dosed[0] = self.bioavailability(dose_mg, time_h) * dose_mg
        whole = within[-1][:AREA, :AREA]
        state = np.append(np.linalg.solve(np.eye(AREA) - whole, dosed), 0.0)
        states = np.vstack([state, np.einsum("tij,j->ti", within, state)])
        return Interval(grid, states[:, CENTRAL] / self.volume_l, states[:, AREA])

    def scaled(self, clearance: float = 1.0, volume: float = 1.0, absorption: float = 1.0) -> Sorafenib:
        """The same patient with clearance, volume and mean absorption time multiplied."""
        return replace(
            self, clearance_l_per_h=self.clearance_l_per_h * clearance, volume_l=self.volume_l * volume,
            mean_absorption_h=self.mean_absorption_h * absorption,
        )  # fmt: skip


@dataclass(frozen=True)
class Interval:
    """A dosing interval: h after the dose, mg/L, and AUC since the dose mg·h/L, each (points,)."""

    after_dose_h: Floats
    concentration_mg_per_l: Floats
    area_mg_h_per_l: Floats

    @property
    def trough(self) -> float:
        """Concentration at the end of the interval, mg/L."""
        return float(self.concentration_mg_per_l[-1])

    @property
    def peak(self) -> float:
        """Highest concentration, mg/L."""
        return float(self.concentration_mg_per_l.max())

    @property
    def peak_h(self) -> float:
        """Time of the highest concentration, h after the dose."""
        return float(self.after_dose_h[int(self.concentration_mg_per_l.argmax())])

    def auc(self, end_h: float = 12.0) -> float:
        """AUC from the dose to `end_h`, mg·h/L."""
        return float(np.interp(end_h, self.after_dose_h, self.area_mg_h_per_l))


def read_model(model_id: str, child_pugh: str = "A") -> Sorafenib:
    """The typical patient (80 kg) of `sorafenib/hcc` or `sorafenib/jain-2011`, from its model file."""
    document = _document((LIBRARY / f"{model_id}.toml").read_text(encoding="utf-8"))
    value = {k: (v["value"] if isinstance(v, dict) else v) for k, v in document["parameters"].items()}
    own: dict[str, Any] = {}
    if "D50" in value:
        own = {
            "half_dose_mg": value["D50"], "reference_dose_mg": value["dose_ref"], "fall": value["fall"],
            "fall_per_h": float(np.log(2.0)) / (24.0 * value["t_half_fall"]),
            "reference_h": 24.0 * value["t_ref"],
        }  # fmt: skip
    return Sorafenib(
        clearance_l_per_h=value["CL_pop"] * (value["CL_CPB"] if child_pugh == "B" else 1.0),
        volume_l=value["V_pop"], mean_absorption_h=value["MAT"], recirculated=value["Fent"],
        release_per_h=value["k_release"], release_h=value["t_release"],
        gate_power=np.inf if "gates" in document else GATE_POWER, **own,
    )  # fmt: skip


@lru_cache(maxsize=8)
def _document(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


@lru_cache(maxsize=256)
def _propagators(patient: Sorafenib, after_dose_h: tuple[float, ...]) -> Floats:
    """The exact exponential while the gate stands still, Magnus steps of fourth order while it moves."""
    stops = [0.0, *after_dose_h]
    whole, out = np.eye(SIZE), np.empty((len(after_dose_h), SIZE, SIZE))
    moves_until = patient.release_h if np.isinf(patient.gate_power) else OPEN_AFTER_H
    known: dict[tuple[float, float], Floats] = {}

    def over(gate: float, length: float) -> Floats:
        key = gate, round(length, 12)
        if key not in known:
            known[key] = expm(patient._matrix(gate) * key[1])
        return known[key]

    for i, (start, end) in enumerate(pairwise(stops)):
        turn = min(max(start, moves_until), end)
        if turn > start and np.isinf(patient.gate_power):
            whole = over(0.0, turn - start) @ whole
        elif turn > start:
            edges = np.linspace(start, turn, int(np.ceil((turn - start) / STEP_H)) + 1)
            for part in _magnus(patient, edges):
                whole = part @ whole
        if end > turn:
            whole = over(1.0, end - turn) @ whole
        out[i] = whole
    return out


def _magnus(patient: Sorafenib, edges: Floats) -> Floats:
    h = np.diff(edges)
    middle = edges[:-1] + h / 2.0
    offset = h * np.sqrt(3.0) / 6.0
    shut = patient._matrix(0.0)
    moving = patient._matrix(1.0) - shut
    first, second = patient._gate(middle - offset), patient._gate(middle + offset)
    commutator = moving @ shut - shut @ moving
    mean = (first + second)[:, None, None] / 2.0
    # [A2, A1] = (second - first) [moving, shut], because both are shut + gate * moving.
    exponent = (
        h[:, None, None] * (shut + mean * moving)
        + (np.sqrt(3.0) / 12.0 * h**2 * (second - first))[:, None, None] * commutator
    )
    return expm(exponent)
