"""A runner of the mechanism and virtual patients for tests, made once."""

from __future__ import annotations

from functools import cache

from troughline.mechanism.population import Patients, draw_patients, read_populations
from troughline.mechanism.runner import Device, Runner, load_runner


@cache
def runner(device: Device = "cpu") -> Runner:
    """The runner of the shipped mechanism."""
    return load_runner(device=device)


@cache
def patients(n: int, seed: int = 11) -> Patients:
    """Virtual patients of SHARP."""
    r = runner()
    return draw_patients(r.mechanism, r.kinetics, read_populations()["sharp"], n=n, seed=seed)
