"""The parts of the engine that a kind of model needs, compiled when a model first needs them."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from troughline.model.kernels import layout as at

_MODULES = {at.LINEAR: "part_linear", at.VARYING: "part_varying", at.NONLINEAR: "part_stiff"}


@cache
def part_addresses(kind: int) -> tuple[int, ...]:
    """The addresses of the parts for a kind of model, in the order of `layout` from F_STEP on (0: none).

    Compiles what has not been compiled before on this machine.
    """
    own, records = _module(_MODULES[kind]), _module("part_records")
    linear = kind != at.NONLINEAR
    steady = _module("part_steady") if linear else own
    propagator = own.propagator.address if linear else 0
    return tuple(
        int(address)
        for address in (
            own.step.address, propagator, steady.steady.address, steady.constant.address,
            records.patient.address, records.refresh.address, records.pass_by.address, records.give.address,
            records.trial.address, records.under_way.address,
        )
    )  # fmt: skip


def _module(name: str) -> Any:
    return importlib.import_module(f"troughline.model.kernels.{name}")
