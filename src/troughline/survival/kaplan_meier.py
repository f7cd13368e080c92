"""Kaplan–Meier curves by group, survival at named times, and the numbers at risk under a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival.product_limit import IntervalKind, counts_over_time, product_limit, rows_of
from troughline.survival.times import (
    FloatArray,
    IntArray,
    SurvivalTimes,
    checked_level,
    checked_times,
    coded_groups,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivalCurve:
    """The Kaplan–Meier curve of one group; each array (m,) has one entry a distinct time somebody left.

    `survival` holds from its `time` on; before the first it is 1. `low` and `high` are pointwise. Not a
    number stands for what the data do not define: `median` where the curve never reaches one half,
    `median_low` or `median_high` where the interval never does, `standard_error`, `low` and `high` where
    `survival` is 0.
    Where `survival` is still 1 the interval is 1 to 1: with no event there is no variance to estimate.
    """

    group: str
    n: int
    n_events_total: int
    level: float
    interval: IntervalKind
    time: FloatArray
    survival: FloatArray
    standard_error: FloatArray
    low: FloatArray
    high: FloatArray
    n_at_risk: FloatArray
    n_events: FloatArray
    n_censored: FloatArray
    median: float
    median_low: float
    median_high: float
    entry_times: FloatArray
    end_times: FloatArray

    def at(self, times: ArrayLike) -> SurvivalAt:
        """Survival with its interval at `times` (k,).

        Not a number beyond the group's longest follow-up, unless the curve has reached 0 by then.
        """
        asked = np.atleast_1d(np.asarray(times, dtype=np.float64))
        position = np.searchsorted(self.time, asked, side="right")
        followed = (asked <= self.time[-1]) | (self.survival[-1] == 0)

        def read(values: FloatArray) -> FloatArray:
            return np.where(followed, np.concatenate(([1.0], values))[position], np.nan)

        return SurvivalAt(
            time=asked,
            survival=read(self.survival),
            low=read(self.low),
            high=read(self.high),
            n_at_risk=self.at_risk(asked),
        )

    def at_risk(self, times: ArrayLike) -> NDArray[np.int64]:
        """How many are under observation just before each of `times` (k,): entry < t <= time; at 0, all who
        have entered by then."""
        asked = np.atleast_1d(np.asarray(times, dtype=np.float64))
        entered = np.searchsorted(np.sort(self.entry_times), asked, side="left")
        at_start = np.searchsorted(np.sort(self.entry_times), asked, side="right")
        left = np.searchsorted(np.sort(self.end_times), asked, side="left")
        return np.where(asked == 0, at_start, entered) - left


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivalAt:
    """Survival at named times: each array (k,)."""

    time: FloatArray
    survival: FloatArray
    low: FloatArray
    high: FloatArray
    n_at_risk: NDArray[np.int64]


def kaplan_meier(
    time: ArrayLike,
    event: ArrayLike,
    group: Sequence[Any] | NDArray[Any] | None = None,
    *,
    entry: ArrayLike | None = None,
    order: Sequence[str] | None = None,
    level: float = 0.95,
    interval: IntervalKind = "log-log",
) -> tuple[SurvivalCurve, ...]:
    """The Kaplan–Meier curve of each group, as R's `survfit` draws it.

    Parameters: `time`, `event`, `entry` as in `checked_times`; `group` (n,) labels (none: one group "all");
    `order` the groups in the order wanted (none: sorted); `interval` the scale on which the pointwise
    interval is symmetric.

    Returns one curve a group. The median is the first time the curve reaches one half or less, or the
    middle of the step where it equals one half, and its interval inverts the pointwise interval
    (Brookmeyer and Crowley 1982, doi 10.2307/2530286). A group without events, of one patient, or all
    censored has a curve, with not a number for what is undefined.

    Raises `ValueError` for what `checked_times` or `coded_groups` refuses.

    S(t) = ∏ over event times t_i ≤ t of (1 − d_i / n_i) (Kaplan and Meier 1958, doi
    10.1080/01621459.1958.10501452), variance by Greenwood.
    """
    times = checked_times(time, event, entry)
    codes, labels = coded_groups(group, times.n, order)
    checked_level(level)
    return curves_of(times, codes, labels, level, interval)


def curves_of(
    times: SurvivalTimes, codes: IntArray, labels: tuple[str, ...], level: float, interval: IntervalKind
) -> tuple[SurvivalCurve, ...]:
    """`kaplan_meier` of times and groups that are already checked and coded."""
    found: list[SurvivalCurve] = []
    for code, label in enumerate(labels):
        rows = rows_of(times, codes == code)
        curve = product_limit(counts_over_time(times, rows), level=level, interval=interval)
        counts = curve.counts
        found.append(
            SurvivalCurve(
                group=label,
                n=int(rows.size),
                n_events_total=int(counts.n_events.sum()),
                level=level,
                interval=interval,
                time=counts.time,
                survival=curve.survival,
                standard_error=curve.standard_error,
                low=curve.low,
                high=curve.high,
                n_at_risk=counts.n_at_risk,
                n_events=counts.n_events,
                n_censored=counts.n_censored,
                median=curve.median,
                median_low=curve.median_low,
                median_high=curve.median_high,
                entry_times=np.zeros(rows.size) if times.entry is None else times.entry[rows],
                end_times=times.time[rows],
            )
        )
    return tuple(found)
