"""The distribution of censoring: the inverse-probability weights that replace what censoring hid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from troughline.survival.times import BoolArray, FloatArray, as_floats


@dataclass(frozen=True, slots=True, kw_only=True)
class CensoringCurve:
    """Kaplan–Meier curve of remaining uncensored.

    Each array (m,) has an entry a distinct time: `uncensored` is the probability G after it, `at_risk` the
    number who could be censored then, `hazard` the share of them who were.
    """

    time: FloatArray
    uncensored: FloatArray
    at_risk: FloatArray
    hazard: FloatArray

    def after(self, times: FloatArray) -> FloatArray:
        """G(t), the probability of not being censored by `times` (censoring at t itself counts)."""
        return self._read(times, "right")

    def before(self, times: FloatArray) -> FloatArray:
        """G(t−), the probability of not being censored before `times`."""
        return self._read(times, "left")

    def _read(self, times: FloatArray, side: str) -> FloatArray:
        position = np.searchsorted(self.time, times, side="right" if side == "right" else "left")
        return np.concatenate(([1.0], self.uncensored))[position]


def censoring_curve(time: FloatArray, censored: BoolArray, *, events_first: bool) -> CensoringCurve:
    """The censoring curve of `time` (n,), `censored` (n,).

    With `events_first` a patient whose event falls on the time of a censoring has left the risk set by then
    (as R's `prodlim(reverse = TRUE)`); without, every patient with that time counts (as `cmprsk`).
    """
    distinct, position = np.unique(time, return_inverse=True)
    leaving = np.bincount(position, minlength=distinct.size).astype(np.float64)
    lost = np.bincount(position, weights=censored, minlength=distinct.size)
    at_risk = np.cumsum(leaving[::-1])[::-1]
    if events_first:
        at_risk = at_risk - (leaving - lost)
    hazard = np.divide(lost, at_risk, out=np.zeros_like(lost), where=at_risk > 0)
    return CensoringCurve(
        time=distinct, uncensored=as_floats(np.cumprod(1 - hazard)), at_risk=at_risk, hazard=hazard
    )
