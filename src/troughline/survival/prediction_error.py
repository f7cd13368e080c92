"""How far predicted risks are from what happened: the Brier score at a time, with censored patients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from troughline.survival.inverse_probability import checked_rivals, horizon_weights
from troughline.survival.times import checked_level, checked_times


@dataclass(frozen=True, slots=True, kw_only=True)
class BrierScore:
    """Mean squared difference between predicted risk and outcome at time `at`.

    `of_null` is the score of the risk that everybody would share (`null_risk`); `accuracy` is 1 less the
    ratio of the two, 0 where the prediction is no better than that.
    """

    at: float
    value: float
    standard_error: float
    low: float
    high: float
    level: float
    null_risk: float
    of_null: float
    accuracy: float
    n: int


def brier_score(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    at: float,
    *,
    rival: ArrayLike | None = None,
    level: float = 0.95,
) -> BrierScore:
    """The Brier score of the predicted risks (n,) of the event by time `at`, weighted for censoring.

    Parameters as in `time_dependent_area`. Raises `ValueError` for a risk outside 0–1 and for what
    `time_dependent_area` refuses.

    BS(t) = (1/n) Σ w_i (1{event by t} − risk_i)², weights as for the area (Gerds and Schumacher 2006, doi
    10.1002/bimj.200610301); the error includes that of the weights. The shared risk is the incidence by
    Aalen–Johansen, which equals the weighted mean of the outcomes.
    """
    from scipy.special import ndtri

    width = float(ndtri((1 + checked_level(level)) / 2))
    times = checked_times(time, event)
    rivals = checked_rivals(rival, times.event)
    risks = np.asarray(risk, dtype=np.float64)
    if risks.shape != times.time.shape:
        raise ValueError(f"risk has shape {risks.shape}; expected {times.time.shape}")
    bad = np.flatnonzero(~((risks >= 0) & (risks <= 1)))
    if bad.size:
        raise ValueError(f"risk[{int(bad[0])}] = {risks[bad[0]]:g} is not between 0 and 1")
    weights = horizon_weights(times, rivals, float(at))
    part = weights.weight * (weights.case - risks) ** 2
    value = float(part.mean())
    influence = part - value + weights.weight_influence(part / times.n)
    error = math.sqrt(float(np.var(influence, ddof=1)) / times.n) if times.n > 1 else math.nan
    shared = float(np.mean(weights.weight * weights.case))
    of_null = float(np.mean(weights.weight * (weights.case - shared) ** 2))
    return BrierScore(
        at=float(at),
        value=value,
        standard_error=error,
        low=value - width * error,
        high=value + width * error,
        level=level,
        null_risk=shared,
        of_null=of_null,
        accuracy=1 - value / of_null if of_null > 0 else math.nan,
        n=times.n,
    )
