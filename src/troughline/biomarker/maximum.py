"""The maximum of a log-likelihood between bounds, and whether it was reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_STEPS = 500
_FLAT = 1e-2
"""A gradient (per standard deviation of the levels, or per log unit) this small: the rest is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maximum:
    """Where the search ended, the log-likelihood there, and whether that is a maximum."""

    at: Floats
    log_likelihood: float
    converged: bool


def maximise(
    minus: Callable[..., tuple[float, Floats]],
    start: Floats,
    bounds: list[tuple[float, float]],
    scale: Floats,
    args: tuple[Any, ...] = (),
) -> Maximum:
    """Minimise `minus` the log-likelihood, which gives its gradient too, from `start` within `bounds`.

    L-BFGS-B; where its line search gives up it starts once more from there. `scale` `(n,)` is a natural step
    of each parameter: a search that ended otherwise than by its own criteria counts as converged where the
    gradient by such steps, without what points out of the bounds, is below 0.01.
    """
    from scipy.optimize import minimize

    found: Any = None
    for _ in range(2):
        found = minimize(
            minus, start if found is None else found.x, args=args, jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": MOST_STEPS, "ftol": 1e-11, "gtol": 1e-5, "maxcor": 20},
        )  # fmt: skip
        if found.success or found.nit >= MOST_STEPS:
            break
    at, gradient = np.asarray(found.x, dtype=np.float64), np.asarray(found.jac, dtype=np.float64)
    ends = np.array(bounds)
    inward = np.where(at <= ends[:, 0], np.minimum(gradient, 0.0), gradient)
    inward = np.where(at >= ends[:, 1], np.maximum(inward, 0.0), inward)
    flat = bool((np.abs(inward * scale) < _FLAT).all())
    return Maximum(at=at, log_likelihood=-float(found.fun), converged=bool(found.success) or flat)
