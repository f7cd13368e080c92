"""How much more a marker changes per step of an exposure: a line through the changes, levels censored."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Censored, Pairs
from troughline.biomarker.group_time import f_contrast, profile_edge
from troughline.biomarker.paired_tobit import Records, TobitFit, fit_tobit

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """The change per unit of x with its profile-likelihood interval; an infinite end is not bounded."""

    value: float
    low: float
    high: float
    p_value: float
    n: int


def change_by_exposure(pairs: Pairs, x: Floats, *, level: float = 0.95) -> Slope:
    """The slope b of change = a + b·x over patients with exposure `x` (n,), both levels censored.

    Model: y = α + γ·x + (a + b·x)·after + u + e, u a normal effect of the patient, e a normal error. A
    likelihood ratio R over the m patients with a quantified level is read as F = (exp(R/m) − 1)(m − 2):
    without censoring that is the t test of the regression of the changes on x.
    Raises `ValueError` for fewer than four patients with a quantified level, one exposure in all, or where
    the model has no fit or its likelihood no maximum.
    """
    from scipy.stats import f as fisher

    n = len(pairs)
    m = int((pairs.before.exact | pairs.after.exact).sum())
    if m < 4:
        raise ValueError(f"{m} patients with a quantified level and an exposure; a slope needs four")
    if not np.ptp(x) > 0:
        raise ValueError("every patient has the same exposure")
    spread = float(x.std())
    z = (x - x.mean()) / spread
    records = Records(
        Censored(
            np.concatenate([pairs.before.low, pairs.after.low]),
            np.concatenate([pairs.before.high, pairs.after.high]),
        ),
        np.concatenate([np.arange(n), np.arange(n)]),
    )
    none, one = np.zeros(n), np.ones(n)
    held = np.column_stack([np.concatenate([one, one]), np.concatenate([z, z]), np.concatenate([none, one])])
    moving = np.concatenate([none, z])
    full = fit_tobit(records, np.column_stack([held, moving])).reached()
    if full.unbounded.any():
        raise ValueError("the levels beyond a limit leave the slope without a maximum of its likelihood")
    start = np.delete(full.start, 3)

    def at(value: float) -> float:
        nonlocal start
        null: TobitFit = fit_tobit(records, held, offset=moving * value, start=start).reached()
        start = null.start
        return f_contrast(2 * (full.log_likelihood - null.log_likelihood), 1, m - 2.0, m).f

    found = float(full.coefficients[3])
    p = float(fisher.sf(at(0.0), 1, m - 2.0))
    limit = math.sqrt(float(fisher.isf(1 - level, 1, m - 2.0)))
    step = max(2 * math.sqrt(2) * full.within_sd / math.sqrt(n), 1e-6)
    high = profile_edge(lambda v: math.sqrt(at(v)) / limit - 1.0, found, step)
    low = -profile_edge(lambda v: math.sqrt(at(-v)) / limit - 1.0, -found, step)
    return Slope(value=found / spread, low=low / spread, high=high / spread, p_value=p, n=n)
