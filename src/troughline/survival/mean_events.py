"""The mean number of events by time, with and without death: Nelson–Aalen and Ghosh–Lin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.survival.recurrent import RecurrentRows
from troughline.survival.times import BoolArray, FloatArray, IntArray, checked_level, coded_groups

_CHUNK_VALUES = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanEventsCurve:
    """Mean number of events a patient by time in one group; each array (m,), 0 before the first `time`.

    The interval is symmetric on the log scale, and 0 to 0 while the mean is 0. `with_death` says whether the
    mean counts the dead, who have no more events (Ghosh–Lin), or speaks of patients who would not die.
    """

    group: str
    n: int
    n_events: int
    n_deaths: int
    with_death: bool
    level: float
    time: FloatArray
    mean: FloatArray
    standard_error: FloatArray
    low: FloatArray
    high: FloatArray
    n_at_risk: FloatArray

    def at(self, times: ArrayLike) -> MeanEventsAt:
        """The mean at `times` (k,); not a number beyond the last follow-up of the group."""
        asked = np.atleast_1d(np.asarray(times, dtype=np.float64))
        position = np.searchsorted(self.time, asked, side="right")
        followed = asked <= self.time[-1]

        def read(values: FloatArray) -> FloatArray:
            return np.where(followed, np.concatenate(([0.0], values))[position], np.nan)

        return MeanEventsAt(
            time=asked,
            mean=read(self.mean),
            standard_error=read(self.standard_error),
            low=read(self.low),
            high=read(self.high),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanEventsAt:
    """Mean number of events at named times: each array (k,)."""

    time: FloatArray
    mean: FloatArray
    standard_error: FloatArray
    low: FloatArray
    high: FloatArray


def mean_events(
    rows: RecurrentRows,
    group: Sequence[Any] | NDArray[Any] | None = None,
    *,
    order: Sequence[str] | None = None,
    level: float = 0.95,
) -> tuple[MeanEventsCurve, ...]:
    """The mean number of events by time in each group, death counted as the end of events where it happened.

    `group` (n,) and `order` as in `kaplan_meier`, by patient. Without a death the curve is Nelson–Aalen's,
    μ(t) = ∫ dN/Y, with the variance Σ_i [∫ (dN_i − Y_i dμ)/Y]² (Lawless and Nadeau 1995, doi
    10.1080/00401706.1995.10484300). With deaths it is ∫ S(u−) dN/Y, S the Kaplan–Meier curve of living, with
    the variance of Ghosh and Lin 2000, doi 10.1111/j.0006-341X.2000.00554.x.

    Raises `ValueError` for what `coded_groups` refuses.
    """
    codes, labels = coded_groups(group, rows.n_patients, order)
    checked_level(level)
    by_row = codes[rows.patient]
    return tuple(_curve(rows, by_row == k, label, level) for k, label in enumerate(labels))


def _curve(rows: RecurrentRows, kept: BoolArray, label: str, level: float) -> MeanEventsCurve:
    from scipy.special import ndtri

    start, stop = rows.start[kept], rows.stop[kept]
    event, died = rows.event[kept], rows.died[kept]
    patients, patient = np.unique(rows.patient[kept], return_inverse=True)
    time = np.unique(stop)
    place = np.searchsorted(time, stop)
    n_at_risk = np.searchsorted(np.sort(start), time, side="left") - np.searchsorted(
        np.sort(stop), time, side="left"
    )
    at_risk = n_at_risk.astype(np.float64)
    rate = np.bincount(place, weights=event, minlength=time.size) / at_risk
    death_hazard = np.bincount(place, weights=died, minlength=time.size) / at_risk
    living_before = np.concatenate(([1.0], np.cumprod(1 - death_hazard)[:-1]))
    mean = np.cumsum(living_before * rate)
    variance = _variance(
        start, stop, place, event, died, patient.astype(np.int64), patients.size, time,
        (at_risk, living_before, rate, death_hazard, mean),
    )  # fmt: skip
    error = np.sqrt(variance)
    width = float(ndtri((1 + level) / 2))
    spread = np.exp(width * np.divide(error, mean, out=np.zeros_like(mean), where=mean > 0))
    return MeanEventsCurve(
        group=label,
        n=int(patients.size),
        n_events=int(event.sum()),
        n_deaths=int(died.sum()),
        with_death=bool(died.any()),
        level=level,
        time=time,
        mean=mean,
        standard_error=error,
        low=mean / spread,
        high=mean * spread,
        n_at_risk=at_risk,
    )


def _variance(
    start: FloatArray,
    stop: FloatArray,
    place: IntArray,
    event: BoolArray,
    died: BoolArray,
    patient: IntArray,
    n: int,
    time: FloatArray,
    parts: tuple[FloatArray, ...],
) -> FloatArray:
    """Σ_i ψ_i(t)² at each time (m,), ψ_i(t) = ∫ S(u−) dM_i/Y − ∫ [μ(t) − μ(u)] dM_i^D/Y, in chunks.

    M_i is the residual of the patient's events and M_i^D that of death.
    """
    at_risk, living_before, rate, death_hazard, mean = parts
    m = time.size
    first = np.searchsorted(time, start, side="right")
    total = np.zeros(m)
    chunk = max(1, _CHUNK_VALUES // m)
    any_death = bool(died.any())
    for begin in range(0, n, chunk):
        size = min(chunk, n - begin)
        mine = (patient >= begin) & (patient < begin + size)
        who = patient[mine] - begin
        # At risk from `first` through `place` of each row.
        under = np.zeros((size, m + 1))
        np.add.at(under, (who, first[mine]), 1.0)
        np.add.at(under, (who, place[mine] + 1), -1.0)
        under = np.cumsum(under, axis=1)[:, :m]
        happened = np.zeros((size, m))
        np.add.at(happened, (who[event[mine]], place[mine][event[mine]]), 1.0)
        influence = np.cumsum((happened - under * rate) * (living_before / at_risk), axis=1)
        if any_death:
            ended = np.zeros((size, m))
            np.add.at(ended, (who[died[mine]], place[mine][died[mine]]), 1.0)
            residual = (ended - under * death_hazard) / at_risk
            influence -= mean * np.cumsum(residual, axis=1) - np.cumsum(mean * residual, axis=1)
        total += (influence**2).sum(axis=0)
    return total
