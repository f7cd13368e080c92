"""Residual error: its standard deviation at a prediction, and values that have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from troughline.model.spec import ErrorKind, Output

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def residual_sd(kind: ErrorKind, prediction: Floats, parts: Floats) -> Floats:
    """The standard deviation of the residual error (n,), on the log scale where the error is.

    `prediction` f (n,), canonical units and natural scale; `parts` (n, 3): a additive, b proportional, c
    power, as `Prediction.error` holds them.

    additive a; proportional b·f; combined √(a² + (b·f)²); combined-sd a + b·f; power √(a² + (b·f^c)²); on the
    log scale exponential b, log-combined √(b² + (a/f)²); none 0.
    """
    f = np.asarray(prediction, dtype=np.float64)
    a, b, c = (parts[:, i] for i in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        match kind:
            case "additive":
                return np.abs(a)
            case "proportional":
                return np.abs(b * f)
            case "combined":
                return np.hypot(a, b * f)
            case "combined-sd":
                return np.abs(a + b * f)
            case "power":
                return np.hypot(a, b * np.abs(f) ** c)
            case "exponential":
                return np.abs(b)
            case "log-combined":
                return np.hypot(b, a / f)
            case "none":
                return np.zeros(f.shape)


def with_residual(
    outputs: Sequence[Output], output: Ints, prediction: Floats, parts: Floats, normal: Floats
) -> Floats:
    """Values as they would be measured (n,): canonical units, natural scale.

    y = f + SD·z, or exp(log f + SD·z) where the error is on the log scale, with z `normal` (n,). `output`
    (n,): the index of each record's output; `prediction` f (n,) and `parts` (n, 3) as `residual_sd` takes
    them. NaN where there is no prediction, and where the error on the log scale has no size because
    f is not positive; an output that is never measured is f itself.
    """
    value = np.full(len(prediction), np.nan)
    for k, what in enumerate(outputs):
        mine = output == k
        f, z = prediction[mine], normal[mine]
        sd = residual_sd(what.error.kind, f, parts[mine])
        if what.error.on_log_scale:
            with np.errstate(invalid="ignore", over="ignore"):
                value[mine] = np.where(np.isfinite(sd), f * np.exp(sd * z), np.nan)
        else:
            value[mine] = f + sd * z
    return value
