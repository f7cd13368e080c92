"""The size of a change with its interval: Hodges–Lehmann's shift by inverting the signed-rank test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Pairs
from troughline.biomarker.paired_tests import signed_rank_scores
from troughline.biomarker.sign_flip import flip_test

Floats = NDArray[np.float64]

_HALVINGS = 45


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A change in the unit of the levels (on the log scale its exponential is a ratio).

    An end that is infinite is not bounded by these pairs, and so is a `value` that is not a number. `level`
    is that asked for.
    """

    value: float
    low: float
    high: float
    level: float
    n: int


def hodges_lehmann(pairs: Pairs, *, level: float = 0.95) -> Shift:
    """The shift at which the censored signed-rank test sees neither rise nor fall, and those it accepts.

    For shift s the signed ranks are those of after − (before + s), both seen through one limit; their sum
    falls as s rises. `value` is where it crosses 0 (the middle, where it is 0 over a stretch), the interval
    holds every s whose mid-p value is above 1 − level. Without censoring that is the median of all pairwise
    means of the differences (Hodges & Lehmann 1963, doi 10.1214/aoms/1177704172).
    Raises `ValueError` without pairs or with a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1")
    if len(pairs) == 0:
        raise ValueError("no pairs")
    ends = _finite_ends(pairs)
    if ends is None:
        return Shift(value=math.nan, low=-math.inf, high=math.inf, level=level, n=len(pairs))
    start, stop = ends
    pad = max(stop - start, 1.0) * 1e-3 + 1e-6
    # Beyond these no level could have been seen through the limits of the other: nothing could be told.
    limits = pairs.limits()
    floors, ceilings = limits
    start = max(start - pad, float((floors[1] - ceilings[0]).max()))
    stop = min(stop + pad, float((ceilings[1] - floors[0]).min()))
    if not start < stop:
        return Shift(value=math.nan, low=-math.inf, high=math.inf, level=level, n=len(pairs))
    seen: dict[float, Floats] = {}

    def scores(shift: float) -> Floats:
        if shift not in seen:
            seen[shift] = signed_rank_scores(pairs, shift, limits)
        return seen[shift]

    def rejected(shift: float, side: int) -> bool:
        own = scores(shift)
        return side * float(own.sum()) > 0 and flip_test(own).p_value <= 1 - level

    falls = _last(lambda s: float(scores(s).sum()) > 0, start, stop)
    rises = _last(lambda s: float(scores(s).sum()) >= 0, start, stop)
    middle = (falls + rises) / 2
    low = _last(lambda s: rejected(s, 1), start, middle) if math.isfinite(middle) else -math.inf
    high = -_last(lambda s: rejected(-s, -1), -stop, -middle) if math.isfinite(middle) else math.inf
    if not math.isfinite(middle):
        low = _last(lambda s: rejected(s, 1), start, stop)
        high = -_last(lambda s: rejected(-s, -1), -stop, -start)
    value = middle if math.isfinite(middle) else math.nan
    return Shift(value=value, low=low, high=high, level=level, n=len(pairs))


def _finite_ends(pairs: Pairs) -> tuple[float, float] | None:
    """The lowest and highest shift at which anything in the signs or ranks can change."""
    values = [end[np.isfinite(end)] for one in (pairs.before, pairs.after) for end in (one.low, one.high)]
    limits = [end for end in (pairs.floor, pairs.ceiling) if end is not None]
    seen = np.concatenate([*values, *(end[np.isfinite(end)] for end in limits)])
    if seen.size == 0:
        return None
    span = float(seen.max() - seen.min())
    return -span, span


def _last(holds: Callable[[float], bool], start: float, stop: float) -> float:
    """The last point of [start, stop] up to which `holds`, by halving; −inf where it does not at `start`.

    `holds` is true up to some point and false from there on; +inf where it still is at `stop`.
    """
    if not holds(start):
        return -math.inf
    if holds(stop):
        return math.inf
    for _ in range(_HALVINGS):
        middle = (start + stop) / 2
        if middle in (start, stop):
            break
        if holds(middle):
            start = middle
        else:
            stop = middle
    return (start + stop) / 2
