"""Exposure on a grid of twelve hours: exact propagators with a dose at the start of a slot, and without."""

from __future__ import annotations

from typing import Any

from troughline.mechanism.loop.contract import (
    N_PK,
    device,
    pk_dose,
    pk_gate_opens,
    pk_level,
    pk_matrix,
    pk_values,
)
from troughline.mechanism.loop.exponential import exponential, multiply

# loop


@device
def pk_prepare(theta: Any, cov: Any, eta: Any, slots: Any, space: Any) -> None:
    """Propagators over 12 h: in space[0], with a dose at their start; in space[1], with the gate open."""
    size = N_PK * N_PK
    a = space[2 * size : 3 * size]
    shut = space[3 * size : 4 * size]
    opened = space[4 * size : 5 * size]
    one = space[5 * size : 6 * size]
    two = space[6 * size : 7 * size]
    pk_values(theta, cov, eta, 0.0, 0.0, 0.0, 12.0, slots)
    opens = min(max(pk_gate_opens(slots), 0.0), 12.0)
    pk_matrix(slots, a)
    exponential(a, opens, shut, one, two)
    pk_values(theta, cov, eta, 1.0, 0.0, 0.0, 12.0, slots)
    pk_matrix(slots, a)
    exponential(a, 12.0 - opens, opened, one, two)
    multiply(opened, shut, space[0:size])
    exponential(a, 12.0, space[size : 2 * size], one, two)


@device
def pk_slot(
    theta: Any,
    cov: Any,
    eta: Any,
    slots: Any,
    space: Any,
    dose_mg: Any,
    interval_h: Any,
    t_h: Any,
    z: Any,
    next_z: Any,
) -> Any:
    """Twelve hours on, a dose first if it is not 0; returns the area, mg·h/L, and leaves the level in z."""
    size = N_PK * N_PK
    place = size
    if dose_mg > 0.0:
        pk_values(theta, cov, eta, 1.0, t_h, dose_mg, interval_h, slots)
        pk_dose(slots, dose_mg, z)
        place = 0
    z[N_PK - 1] = 0.0
    for i in range(N_PK):
        total = 0.0
        for j in range(N_PK):
            total += space[place + i * N_PK + j] * z[j]
        next_z[i] = total
    for i in range(N_PK):
        z[i] = next_z[i]
    return z[N_PK - 1]


@device
def pk_now(slots: Any, z: Any) -> Any:
    """The concentration, mg/L."""
    return pk_level(slots, z)
