"""What a model's generated module defines for the patient loop; here only the names, so the loop can be read.

Arrays are float64. `personal`: what depends on the patient alone. `x`: states, in canonical units and hours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

N = N_PERSONAL = N_PK = N_PK_SLOTS = N_OUT = N_DRIVEN = 0
DRIVEN: tuple[int, ...] = ()
O_DEATH_HAZARD = O_LESION_HAZARD_NOW = O_LIMITING_HAZARD = O_SEVERE_HAZARD = 0
O_WITHDRAWAL_HAZARD = O_DROPOUT_HAZARD = O_SUM_OF_DIAMETERS_SEEN = O_VIABLE_DIAMETERS = O_LIVER_SCORE = 0


def device(function: F) -> F:
    """Marks a function that the generated module compiles for its device."""
    return function


def personal_values(theta: Any, cov: Any, eta: Any, personal: Any) -> None:
    """Writes `personal`."""
    raise NotImplementedError


def start(theta: Any, cov: Any, eta: Any, personal: Any, x: Any) -> None:
    """Writes the initial states."""
    raise NotImplementedError


def rates(theta: Any, cov: Any, eta: Any, personal: Any, x: Any, f: Any, d: Any) -> None:
    """Writes dx/dt (1/h) into f and its direct diagonal into d."""
    raise NotImplementedError


def observe(theta: Any, cov: Any, eta: Any, personal: Any, x: Any, y: Any) -> None:
    """Writes the outputs; hazards per hour."""
    raise NotImplementedError


def watch(theta: Any, cov: Any, eta: Any, personal: Any, x: Any, y: Any) -> None:
    """Writes the hazards, the diameters and the liver score, at their places among the outputs."""
    raise NotImplementedError


def pk_values(
    theta: Any, cov: Any, eta: Any, gate: Any, t_h: Any, dose_mg: Any, interval_h: Any, slots: Any
) -> None:
    """Writes the quantities that the rates and the dose depend on."""
    raise NotImplementedError


def pk_matrix(slots: Any, a: Any) -> None:
    """Writes the rate matrix (N_PK, N_PK), 1/h; the last state is the area under the concentration."""
    raise NotImplementedError


def pk_level(slots: Any, z: Any) -> float:
    """The concentration, mg/L."""
    raise NotImplementedError


def pk_dose(slots: Any, dose_mg: Any, z: Any) -> None:
    """Adds what of a dose is available."""
    raise NotImplementedError


def pk_gate_opens(slots: Any) -> float:
    """When the gate opens, h after a dose; 0 where there is none."""
    raise NotImplementedError
