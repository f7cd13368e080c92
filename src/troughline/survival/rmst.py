"""Restricted mean survival time: the area under each curve up to a horizon, and the difference of two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike, NDArray

from troughline.survival import library
from troughline.survival.times import checked_horizon, checked_level, checked_times, coded_groups


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictedMean:
    """Mean time alive up to `tau` in one group, in the unit of time.

    `low` and `high` are not a number where `standard_error` is 0 (nobody, or everybody at once, had the
    event by `tau`): the data then hold no estimate of the variance.
    """

    group: str
    n: int
    n_events_by_tau: int
    tau: float
    value: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictedMeanDifference:
    """Difference of two restricted means, `group` minus `reference`, in the unit of time.

    The interval and `p_value` are not a number where either group has no estimate of its variance.
    """

    group: str
    reference: str
    tau: float
    value: float
    standard_error: float
    low: float
    high: float
    p_value: float


def restricted_mean_survival(
    time: ArrayLike,
    event: ArrayLike,
    group: Sequence[Any] | NDArray[Any] | None = None,
    *,
    tau: float,
    order: Sequence[str] | None = None,
    level: float = 0.95,
) -> tuple[RestrictedMean, ...]:
    """The restricted mean survival time of each group, with a normal interval.

    Parameters: `time`, `event`, `group`, `order` as in `kaplan_meier`; `tau` the horizon, in the unit of
    `time`.

    Raises `ValueError` for a `tau` that is not above 0 or lies beyond the longest follow-up of any group
    (the curve is not known there), naming both, and for what `checked_times` refuses.

    RMST = ∫₀^τ S(t) dt, variance Σ_{t_i ≤ τ} [∫_{t_i}^τ S(t) dt]² d_i / (n_i (n_i − d_i)) (Royston and
    Parmar 2013, doi 10.1186/1471-2288-13-152).
    """
    from scipy.special import ndtri

    times = checked_times(time, event)
    codes, labels = coded_groups(group, times.n, order)
    width = float(ndtri((1 + checked_level(level)) / 2))
    checked_horizon(tau, times, codes, labels)
    means: list[RestrictedMean] = []
    for code, label in enumerate(labels):
        rows = codes == code
        value, error = library.restricted_mean(times, rows, tau)
        half = width * error if error > 0 else math.nan
        means.append(
            RestrictedMean(
                group=label,
                n=int(rows.sum()),
                n_events_by_tau=int((times.event & rows & (times.time <= tau)).sum()),
                tau=float(tau),
                value=value,
                standard_error=error,
                low=value - half,
                high=value + half,
            )
        )
    return tuple(means)


def restricted_mean_difference(
    group: RestrictedMean, reference: RestrictedMean, *, level: float = 0.95
) -> RestrictedMeanDifference:
    """The difference of two restricted means up to the same horizon, with a normal interval and test.

    Raises `ValueError` where the two horizons differ.

    Δ = RMST₁ − RMST₀, SE = √(SE₁² + SE₀²) (Uno and others 2014, doi 10.1200/JCO.2014.55.2208).
    """
    from scipy.special import ndtr, ndtri

    width = float(ndtri((1 + checked_level(level)) / 2))
    if group.tau != reference.tau:
        raise ValueError(f"the horizons differ: {group.tau:g} and {reference.tau:g}")
    difference = group.value - reference.value
    error = math.hypot(group.standard_error, reference.standard_error)
    known = group.standard_error > 0 and reference.standard_error > 0
    half = width * error if known else math.nan
    return RestrictedMeanDifference(
        group=group.group,
        reference=reference.group,
        tau=group.tau,
        value=difference,
        standard_error=error,
        low=difference - half,
        high=difference + half,
        p_value=2 * float(ndtr(-abs(difference / error))) if known else math.nan,
    )
