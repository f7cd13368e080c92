"""Patients simulated from a joint model whose truth is known, for the tests of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVEL, SLOPE, RESIDUAL = 0.5, 0.2, 0.3
BETWEEN = np.array([[0.6, 0.05], [0.05, 0.03]])
ASSOCIATION, TREATMENT, BASELINE = 0.9, -0.5, 0.03
LONGEST = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Follow-up of n patients and their visits, one entry each in the last three."""

    time: np.ndarray
    event: np.ndarray
    treated: np.ndarray
    who: np.ndarray
    at: np.ndarray
    marker: np.ndarray

    @property
    def patient(self) -> np.ndarray:
        return np.arange(self.time.size)


def simulate(n: int, seed: int, *, visit_every: float = 0.75, residual: float = RESIDUAL) -> Sample:
    """h(t) = BASELINE exp(TREATMENT z + ASSOCIATION m(t)), m a line; inversion of the exact cumulative
    hazard.
    """
    rng = np.random.default_rng(seed)
    lines = np.array([LEVEL, SLOPE]) + rng.multivariate_normal([0, 0], BETWEEN, n)
    treated = rng.integers(0, 2, n).astype(float)
    height = BASELINE * np.exp(TREATMENT * treated + ASSOCIATION * lines[:, 0])
    rate = ASSOCIATION * lines[:, 1]
    drawn = rng.exponential(size=n)
    # height (e^(rate t) − 1)/rate = drawn; never, where the hazard falls too fast.
    inner = 1 + rate * drawn / height
    dies = np.where(inner > 0, np.log(np.maximum(inner, 1e-300)) / rate, np.inf)
    lost = rng.uniform(2, LONGEST, n)
    time = np.minimum(dies, lost)
    visits = [np.arange(0, t, visit_every) for t in time]
    who = np.repeat(np.arange(n), [v.size for v in visits])
    at = np.concatenate(visits)
    marker = lines[who, 0] + lines[who, 1] * at + rng.normal(0, residual, at.size)
    return Sample(time=time, event=dies <= lost, treated=treated, who=who, at=at, marker=marker)
