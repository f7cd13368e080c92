"""The numbers at risk under a printed curve, checked; and the intervals that they cut follow-up into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.issues import Findings, Severity

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskTable:
    """Numbers at risk: `at_risk` (j,) patients are still followed just before `time` (j,); the first is 0."""

    time: FloatArray
    at_risk: NDArray[np.int64]

    @property
    def n(self) -> int:
        """The patients at the start."""
        return int(self.at_risk[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A stretch of follow-up, `start` <= t < `end`: of `n` at risk at its start `leaving` leave within it.

    `open` marks the last one, after the last entry of the table, in which everybody left leaves up to `end`,
    the end included.
    """

    start: float
    end: float
    n: int
    leaving: int
    open: bool

    def words(self, unit: str = "") -> str:
        """`between 10 and 20 months`."""
        return f"between {self.start:.6g} and {self.end:.6g}{f' {unit}s' if unit else ''}"


def read_risk_table(
    time: ArrayLike,
    at_risk: ArrayLike,
    *,
    n: int | None,
    found: Findings,
    file: str | None = None,
    rows: NDArray[np.int64] | None = None,
    arm: str = "",
) -> RiskTable | None:
    """The table of `time` (j,) and `at_risk` (j,); None where an error was found.

    `n` patients at the start are put at time 0 where the table starts later, and must be its first entry
    where it does not. Errors in `found`, each with its row: counts that are no whole numbers, that grow,
    times that do not rise or are negative, no entry at time 0 where `n` is not given.
    """
    t, counts = np.asarray(time, dtype=np.float64), np.asarray(at_risk, dtype=np.float64)
    if t.ndim != 1 or t.shape != counts.shape:
        raise ValueError(f"risk table: {t.shape} times and {counts.shape} counts; one of each is needed")
    before = len(found.errors)

    def error(code: str, message: str, i: int | None = None) -> None:
        row = None if rows is None or i is None else int(rows[i])
        text = f"arm {arm!r}: {message}" if arm else message
        found.add(Severity.ERROR, code, text, file=file, row=row)

    if t.size == 0 and n is None:
        error("no-patients", "neither n nor a number at risk is given: how many patients were there?")
        return None
    for i, (when, count) in enumerate(zip(t.tolist(), counts.tolist(), strict=True)):
        if not (np.isfinite(when) and when >= 0):
            error("risk-time", f"time {when:g} of the risk table is negative or no number", i)
        if not (count >= 0 and float(count).is_integer()):
            error("risk-count", f"{count:g} at risk at time {when:g} is no whole number of patients", i)
    if len(found.errors) > before:
        return None
    for i in range(1, t.size):
        if t[i] <= t[i - 1]:
            error("risk-order", f"time {t[i]:g} of the risk table follows {t[i - 1]:g}; times must rise", i)
        if counts[i] > counts[i - 1]:
            error(
                "risk-grows",
                f"{counts[i]:g} at risk at time {t[i]:g} after {counts[i - 1]:g} at time {t[i - 1]:g}: the "
                "number at risk cannot grow",
                i,
            )
    if t.size == 0 or t[0] > 0:
        if n is None:
            error("risk-start", f"the risk table starts at time {t[0]:g}: give n, the patients at time 0", 0)
            return None
        if t.size and counts[0] > n:
            error("risk-grows", f"{counts[0]:g} at risk at time {t[0]:g}, more than the {n} of the start", 0)
        t, counts = np.append(0.0, t), np.append(float(n), counts)
    elif n is not None and counts[0] != n:
        error("risk-n", f"{counts[0]:g} at risk at time 0, but n = {n}", 0)
    if counts[0] < 1:
        error("no-patients", "nobody is at risk at time 0", 0)
    if len(found.errors) > before:
        return None
    return RiskTable(time=t, at_risk=counts.astype(np.int64))


def intervals(table: RiskTable, end: float) -> tuple[Interval, ...]:
    """The intervals between the entries of the table, and the open one from its last entry to `end`."""
    edges = table.time.tolist()
    counts = table.at_risk.tolist()
    closed = [
        Interval(start=a, end=b, n=here, leaving=here - there, open=False)
        for a, b, here, there in zip(edges, edges[1:], counts, counts[1:], strict=False)
    ]
    if counts[-1] == 0:
        return tuple(closed)
    last = Interval(start=edges[-1], end=max(end, edges[-1]), n=counts[-1], leaving=counts[-1], open=True)
    return (*closed, last)
