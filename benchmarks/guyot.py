"""The rival: the algorithm of Guyot et al. 2012 as published (doi 10.1186/1471-2288-12-9, its R code).

Written from the paper: censorings of an interval are guessed and corrected until the estimated number at risk
meets the table, or none is left to take away; in the last interval they follow the earlier rate; a total
number of events changes the censorings of the last interval alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_ROUNDS = 500


@dataclass(slots=True)
class _Run:
    """The arrays of the published code: deaths, censorings, numbers at risk and estimate at each click."""

    t: FloatArray
    s: FloatArray
    d: NDArray[np.int64]
    cen: NDArray[np.int64]
    n_hat: NDArray[np.int64]
    km: FloatArray

    def spread(self, low: int, high: int, count: int, end: float) -> None:
        """`count` censorings evenly over the clicks `low` … `high`, up to `end`."""
        self.cen[low : high + 1] = 0
        if count > 0:
            at = self.t[low] + np.arange(1, count + 1) * (end - self.t[low]) / (count + 1)
            where = np.clip(np.searchsorted(self.t, at, side="right") - 1, low, high)
            np.add.at(self.cen, where, 1)

    def deaths(self, low: int, high: int, last: int) -> int:
        """Deaths at the clicks `low` … `high`; returns the click of the last death."""
        for k in range(low, high + 1):
            if k == 0:
                self.d[k], self.km[k] = 0, 1.0
            else:
                whole = round(self.n_hat[k] * (1 - self.s[k] / self.km[last])) if self.km[last] > 0 else 0
                self.d[k] = whole
                self.km[k] = self.km[last] * (1 - whole / self.n_hat[k]) if self.n_hat[k] else self.km[last]
            self.n_hat[k + 1] = self.n_hat[k] - self.d[k] - self.cen[k]
            if self.n_hat[k + 1] < 0:
                self.n_hat[k + 1], self.cen[k] = 0, self.n_hat[k] - self.d[k]
            if self.d[k] != 0:
                last = k
        return last


def guyot(
    time: FloatArray, survival: FloatArray, risk_time: FloatArray, at_risk: FloatArray, total: int | None
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Times and events of the patients behind clicks (m,), the first at (0, 1), and a risk table (j,)."""
    inside = [j for j, start in enumerate(risk_time) if start <= time[-1]]
    lower = [int(np.searchsorted(time, risk_time[j])) for j in inside]
    upper = [*(k - 1 for k in lower[1:]), time.size - 1]
    pairs = [(a, b, int(at_risk[j])) for a, b, j in zip(lower, upper, inside, strict=True) if b >= a]
    lower, upper = [p[0] for p in pairs], [p[1] for p in pairs]
    risk = [p[2] for p in pairs]
    m, final = time.size, len(pairs) - 1
    run = _Run(
        time, survival, np.zeros(m, int), np.zeros(m, int), np.full(m + 1, risk[0]), np.ones(m)
    )  # fmt: skip
    censored, last = [0] * len(pairs), 0
    for i in range(final):
        before, start = last, survival[lower[i]]
        censored[i] = round(risk[i] * survival[lower[i + 1]] / start - risk[i + 1]) if start > 0 else 0
        for _ in range(_ROUNDS):
            censored[i] = max(censored[i], 0)
            run.spread(lower[i], upper[i], censored[i], time[lower[i + 1]])
            run.n_hat[lower[i]] = risk[i]
            last = run.deaths(lower[i], upper[i], before)
            off = int(run.n_hat[lower[i + 1]]) - risk[i + 1]
            if off == 0 or (off < 0 and censored[i] == 0):
                break
            censored[i] += off
        risk[i + 1] = min(risk[i + 1], int(run.n_hat[lower[i + 1]]))
    before, low, high = last, lower[final], upper[final]
    span = time[upper[final - 1]] - time[lower[0]] if final else 0.0
    if span > 0:
        censored[final] = min(round(sum(censored[:final]) * (time[high] - time[low]) / span), risk[final])
    _last(run, low, high, censored[final], risk[final], before)
    if total is not None:
        earlier = int(run.d[:low].sum())
        if final and earlier >= total:
            run.d[low : high + 1], run.cen[low : high + 1] = 0, 0
        else:
            for _ in range(_ROUNDS):
                off = int(run.d.sum()) - total
                if off == 0 or (off < 0 and censored[final] <= 0):
                    break
                censored[final] = max(censored[final] + off, 0)
                _last(run, low, high, censored[final], risk[final], before)
    return _patients(run, int(at_risk[0]))


def _last(run: _Run, low: int, high: int, count: int, at_risk: int, last: int) -> None:
    run.spread(low, high, count, float(run.t[high]))
    run.n_hat[low] = at_risk
    run.deaths(low, high, last)


def _patients(run: _Run, n: int) -> tuple[FloatArray, NDArray[np.bool_]]:
    dead = np.repeat(run.t, np.maximum(run.d, 0))
    middle = np.append((run.t[:-1] + run.t[1:]) / 2, run.t[-1])
    lost = np.repeat(middle, np.maximum(run.cen, 0))
    left = max(n - dead.size - lost.size, 0)
    time = np.concatenate([dead, lost, np.full(left, run.t[-1])])[:n]
    event = np.concatenate([np.ones(dead.size), np.zeros(lost.size + left)]).astype(bool)[:n]
    return time, event
