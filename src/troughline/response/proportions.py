"""Intervals for one proportion: the Wilson score interval and the exact Clopper–Pearson interval."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportion:
    """A proportion with its interval; `value` is not-a-number where the denominator is zero.

    With a zero denominator the data say nothing, and the interval is the whole of 0 to 1.
    """

    value: float
    low: float
    high: float
    level: float
    successes: int
    trials: int


def check_level(level: float) -> None:
    """Raise `ValueError` unless `level`, the confidence level, lies strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level {level!r} does not lie between 0 and 1")


def normal_quantile(level: float) -> float:
    """The two-sided standard normal quantile of a confidence level: 1.96 for 0.95."""
    from scipy.special import ndtri

    check_level(level)
    return float(ndtri(0.5 + level / 2.0))


def wilson(successes: int, trials: int, *, level: float = 0.95) -> Proportion:
    """The Wilson score interval of a proportion.

    Parameters: `successes` out of `trials` (counts), `level` the confidence level.
    Returns the proportion and the two roots p of (p̂ − p)² = z² p (1 − p) / trials.
    Raises `ValueError` for negative counts or more successes than trials.
    Source: Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, method 3.
    """
    _check_counts(successes, trials)
    z = normal_quantile(level)
    if trials == 0:
        return Proportion(value=math.nan, low=0.0, high=1.0, level=level, successes=0, trials=0)
    p = successes / trials
    low, high = wilson_limits(p, trials, z)
    # At the ends one root is 0 or 1 exactly; the square root leaves rounding there.
    return Proportion(
        value=p,
        low=0.0 if successes == 0 else low,
        high=1.0 if successes == trials else high,
        level=level,
        successes=successes,
        trials=trials,
    )


def wilson_limits(proportion: float, trials: float, z: float) -> tuple[float, float]:
    """The Wilson limits around `proportion` with an effective number of `trials` that may be fractional."""
    centre = proportion + z * z / (2.0 * trials)
    half_width = z * math.sqrt(proportion * (1.0 - proportion) / trials + z * z / (4.0 * trials * trials))
    scale = 1.0 + z * z / trials
    return (centre - half_width) / scale, (centre + half_width) / scale


def clopper_pearson(successes: int, trials: int, *, level: float = 0.95) -> Proportion:
    """The exact (Clopper–Pearson) interval of a proportion.

    Parameters: `successes` out of `trials` (counts), `level` the confidence level.
    Returns the proportion and the beta quantiles B(α/2; x, n − x + 1) and B(1 − α/2; x + 1, n − x).
    Raises `ValueError` for negative counts or more successes than trials.
    Source: Clopper & Pearson 1934, doi 10.1093/biomet/26.4.404.
    """
    from scipy.special import betaincinv

    _check_counts(successes, trials)
    check_level(level)
    if trials == 0:
        return Proportion(value=math.nan, low=0.0, high=1.0, level=level, successes=0, trials=0)
    tail = (1.0 - level) / 2.0
    failures = trials - successes
    return Proportion(
        value=successes / trials,
        low=0.0 if successes == 0 else float(betaincinv(successes, failures + 1, tail)),
        high=1.0 if failures == 0 else float(betaincinv(successes + 1, failures, 1.0 - tail)),
        level=level,
        successes=successes,
        trials=trials,
    )


def _check_counts(successes: int, trials: int) -> None:
    if trials < 0 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes out of {trials} trials is not a proportion")
