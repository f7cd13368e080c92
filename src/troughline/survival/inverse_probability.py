"""Weights that stand in for censored patients at a horizon, and what estimating them adds to an error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from troughline.survival.censoring import CensoringCurve, censoring_curve
from troughline.survival.times import BoolArray, FloatArray, IntArray, SurvivalTimes, checked_flags


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizonWeights:
    """Each array (n,) at one horizon t; `case`, `rival` and `free` are true where that is known at t.

    `case` had the event by t, `rival` a rival event by t, `free` neither; all false where censored before.
    `weight` is 1/G(T−) for the first two and 1/G(t) for the third, 0 for the censored.
    """

    case: BoolArray
    rival: BoolArray
    free: BoolArray
    weight: FloatArray
    curve: CensoringCurve
    censored: BoolArray
    passed: IntArray
    own: IntArray

    def weight_influence(self, share: FloatArray) -> FloatArray:
        """Influence (n,) on Σ_k share_k of the weights in it: Σ_k share_k ∫_0^{u_k} dM_i(s) / (Y(s)/n).

        `share` (n,) is each patient's part of an average; u_k is T_k− of a case or rival and t of those free
        of both; M is the martingale of being censored.
        """
        size = self.curve.time.size
        n = share.size
        # later[j]: the shares whose weight had passed the distinct time j.
        summed = np.bincount(self.passed, weights=share, minlength=size + 1)
        later = summed[::-1].cumsum()[::-1][1:]
        at_risk = self.curve.at_risk
        scaled = np.divide(n * later, at_risk, out=np.zeros(size), where=at_risk > 0)
        compensated = np.cumsum(scaled * self.curve.hazard)
        # Censoring at a time follows the events at it: a patient with an event then was not at risk of it.
        until = np.where(self.censored, self.own + 1, self.own)
        return np.where(self.censored, scaled[self.own], 0.0) - np.concatenate(([0.0], compensated))[until]


def checked_rivals(rival: ArrayLike | None, event: BoolArray) -> BoolArray:
    """Flags (n,) of rival events (none: nobody); raises `ValueError` where a patient had both."""
    if rival is None:
        return np.zeros(event.size, np.bool_)
    flags = checked_flags("rival", rival, event.size)
    both = np.flatnonzero(flags & event)
    if both.size:
        raise ValueError(f"rival[{int(both[0])}] and event[{int(both[0])}] are both true")
    return flags


def horizon_weights(times: SurvivalTimes, rival: BoolArray, at: float) -> HorizonWeights:
    """The weights at horizon `at`; raises `ValueError` where no patient was followed beyond it."""
    if not 0 < at < float(times.time.max()):
        raise ValueError(f"at = {at:g} is not inside follow-up, which ends at {times.time.max():g}")
    censored = ~times.event & ~rival
    curve = censoring_curve(times.time, censored, events_first=True)
    gone = times.time <= at
    free = ~gone
    known = free | ~censored
    own = np.searchsorted(curve.time, times.time)
    passed = np.where(free, int(np.searchsorted(curve.time, at, side="right")), own)
    probability = np.concatenate(([1.0], curve.uncensored))[passed]
    weight = np.divide(1.0, probability, out=np.zeros(times.n), where=known)
    return HorizonWeights(
        case=gone & times.event,
        rival=gone & rival,
        free=free,
        weight=weight,
        curve=curve,
        censored=censored,
        passed=passed,
        own=own,
    )
