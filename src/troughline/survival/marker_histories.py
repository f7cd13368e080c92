"""Repeated measurements of a marker, summed up by patient for models that are linear in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival.times import FloatArray, IntArray, as_floats


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerHistories:
    """What a straight line through a patient's measurements needs, and the fixed effects of its two numbers.

    With z_j = (1, t_j): `cross` (n, 2, 2) is Σ z zᵀ, `moment` (n, 2) is Σ z (y − `centre`), `square` (n,)
    is Σ (y − centre)², `count` (n,) how many. `design` (n, 2, q) turns the fixed effects into a patient's
    intercept and slope; `names` (q,) are theirs.
    """

    names: tuple[str, ...]
    count: IntArray
    cross: FloatArray
    moment: FloatArray
    square: FloatArray
    design: FloatArray
    centre: float

    @property
    def n(self) -> int:
        """The number of patients."""
        return int(self.count.size)

    def squares(self, intercept: FloatArray, slope: FloatArray) -> FloatArray:
        """Sum of squared residuals (n, k) about lines with `intercept`, `slope` (n, k), y centred."""
        return (
            self.square[:, np.newaxis]
            - 2 * (intercept * self.moment[:, :1] + slope * self.moment[:, 1:])
            + intercept**2 * self.cross[:, 0, 0, np.newaxis]
            + 2 * intercept * slope * self.cross[:, 0, 1, np.newaxis]
            + slope**2 * self.cross[:, 1, 1, np.newaxis]
        )


def marker_histories(
    patient: Sequence[Any] | NDArray[Any],
    measured_patient: Sequence[Any] | NDArray[Any],
    measured_at: ArrayLike,
    marker: ArrayLike,
    *,
    covariates: ArrayLike | None = None,
    covariate_names: Sequence[str] = (),
) -> MarkerHistories:
    """Sum up the measurements: one entry each in `measured_patient`, `measured_at` and `marker` (r,).

    `patient` (n,) names everybody once; `covariates` (n, q) shift the marker's level. Fixed effects are an
    intercept, a slope, and one a covariate.

    Raises `ValueError`, naming the measurement, for somebody unknown or a value that is not finite, where the
    shapes do not go together, and where nobody was measured twice.
    """
    labels = [str(p) for p in patient]
    index = {label: k for k, label in enumerate(labels)}
    n = len(labels)
    if len(index) != n:
        raise ValueError(f"patient: {len(index)} different ones among {n}")
    moment = np.asarray(measured_at, dtype=np.float64)
    y = np.asarray(marker, dtype=np.float64)
    if moment.ndim != 1 or y.shape != moment.shape or len(measured_patient) != moment.size:
        raise ValueError(
            f"{len(measured_patient)} patients, times of shape {moment.shape} and a marker of shape {y.shape}"
        )
    for name, values in (("time", moment), ("marker", y)):
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise ValueError(f"measurement {int(bad[0])}: {name} {values[bad[0]]} is not finite")
    unknown = next((k for k, p in enumerate(measured_patient) if str(p) not in index), None)
    if unknown is not None:
        raise ValueError(f"measurement {unknown}: patient {measured_patient[unknown]!r} has no follow-up")
    whose = np.asarray([index[str(p)] for p in measured_patient], dtype=np.int64)
    count = np.bincount(whose, minlength=n)
    if count.max(initial=0) < 2:
        raise ValueError("marker: nobody was measured twice; there is no slope to estimate")
    centre = float(y.mean())

    def total(values: FloatArray) -> FloatArray:
        return as_floats(np.bincount(whose, weights=values, minlength=n))

    y = y - centre
    sums = (count.astype(np.float64), total(moment), total(moment**2))
    fixed = (
        np.zeros((n, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64).reshape(n, -1)
    )
    if fixed.shape[1] != len(covariate_names) or not np.isfinite(fixed).all():
        raise ValueError(
            f"marker covariates have shape {fixed.shape} for {len(covariate_names)} names, or hold a value "
            "that is not finite"
        )
    design = np.zeros((n, 2, 2 + fixed.shape[1]))
    design[:, 0, 0] = design[:, 1, 1] = 1.0
    design[:, 0, 2:] = fixed
    return MarkerHistories(
        names=("intercept", "slope", *covariate_names),
        count=count.astype(np.int64),
        cross=np.stack((sums[0], sums[1], sums[1], sums[2]), axis=1).reshape(n, 2, 2),
        moment=np.stack((total(y), total(y * moment)), axis=1),
        square=total(y * y),
        design=design,
        centre=centre,
    )
