"""The parts of the engine that a kind of model needs, compiled when a model first needs them."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from troughline.model.kernels import layout as at

_MODULES = {at.LINEAR: "part_linear", at.VARYING: "part_varying", at.NONLINEAR: "part_stiff"}


@cache
def part_addresses(kind: int) -> tuple[int, int, int, int]:
    """The addresses of step, propagator, steady state and patient for a kind of model (0: none).

    Compiles what has not been compiled before on this machine.
    """
    own = _module(_MODULES[kind])
    linear = kind != at.NONLINEAR
    propagator = int(own.propagator.address) if linear else 0
    steady = _module("part_steady").steady if linear else own.steady
    patient = _module("part_patient").patient
    return int(own.step.address), propagator, int(steady.address), int(patient.address)


def _module(name: str) -> Any:
    return importlib.import_module(f"troughline.model.kernels.{name}")
