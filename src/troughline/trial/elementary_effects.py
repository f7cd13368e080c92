"""Morris's elementary effects of a sample of trajectories, and how sure their order is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def elementary_effects(unit: Floats, values: Floats) -> Floats:
    """The effect of each step of each trajectory on `values`, a unit range of the parameter taken as 1.

    `unit` (r·(k + 1), k): points in the unit cube, trajectory after trajectory, in which each step moves one
    parameter; `values` (r·(k + 1),). Returns (r, k). Raises `ValueError` where a step moves none or several.
    Equation 1 of Morris 1991, doi 10.1080/00401706.1991.10484804.
    """
    k = unit.shape[1]
    steps = np.diff(unit.reshape(-1, k + 1, k), axis=1)
    if np.any((np.abs(steps) > 1e-9).sum(axis=2) != 1):
        raise ValueError("a step of a trajectory moves one parameter")
    which = np.abs(steps).argmax(axis=2)
    by_step = (
        np.diff(values.reshape(-1, k + 1), axis=1) / np.take_along_axis(steps, which[:, :, None], 2)[..., 0]
    )
    made = np.empty_like(by_step)
    np.put_along_axis(made, which, by_step, axis=1)
    return made


def resampled(effects: Floats, rng: np.random.Generator, *, times: int = 1000) -> tuple[Floats, Floats]:
    """Mean absolute effects (times, k) and their places from 1 on (times, k), with trajectories resampled.

    `effects` (r, k). Among equals the first parameter comes first.
    """
    size = np.abs(effects)
    mean = np.array([size[rng.integers(0, len(size), len(size))].mean(axis=0) for _ in range(times)])
    order = np.argsort(-mean, axis=1, kind="stable")
    place = np.empty_like(mean)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(1.0, mean.shape[1] + 1.0), mean.shape), axis=1)
    return mean, place
