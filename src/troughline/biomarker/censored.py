"""Levels known as intervals: quantified, below a limit or above one; pairs of them and their differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Censored:
    """Values known to lie from `low` to `high`, both `(n,)`; equal where the value itself is known.

    An end may be infinite. Of an interval with two different ends neither end belongs to it: a level below
    0.15 is not 0.15. Raises `ValueError` for unequal shapes, a missing end or `low` above `high`.
    """

    low: Floats
    high: Floats

    def __post_init__(self) -> None:
        if self.low.shape != self.high.shape or self.low.ndim != 1:
            raise ValueError(f"low has shape {self.low.shape} and high {self.high.shape}: both must be (n,)")
        if not (self.low <= self.high).all():
            if np.isnan(self.low).any() or np.isnan(self.high).any():
                raise ValueError("an end of an interval is missing (not a number)")
            at = int(np.argmax(self.low > self.high))
            raise ValueError(f"interval {at} runs from {self.low[at]:g} down to {self.high[at]:g}")

    def __len__(self) -> int:
        return len(self.low)

    def __getitem__(self, chosen: NDArray[np.intp] | Flags) -> Censored:
        return Censored(self.low[chosen], self.high[chosen])

    @property
    def exact(self) -> Flags:
        """Which values are known themselves, `(n,)`."""
        return self.low == self.high

    @property
    def below(self) -> Flags:
        """Which are only known to lie below a limit: not known, and the upper end is finite."""
        return ~self.exact & np.isfinite(self.high) & ~self.above

    @property
    def above(self) -> Flags:
        """Which are only known to lie above a limit: the upper end is infinite and the lower is not."""
        return ~self.exact & np.isposinf(self.high) & np.isfinite(self.low)


def levels(value: Floats, below: Flags, above: Flags, limit: Floats, *, log: bool) -> Censored:
    """Measured levels as intervals, on the log scale or as they are; every array `(n,)`.

    A level below its limit lies from 0 (minus infinity on the log scale) to `limit`, one above it from
    `limit` on. Raises `ValueError` where a level that is to be logged is not positive, or a limit is missing.
    """
    if (np.isnan(limit) & (below | above)).any():
        raise ValueError("a level beyond a limit has no limit")
    low = np.where(below, 0.0, np.where(above, limit, value))
    high = np.where(below, limit, np.where(above, np.inf, value))
    if log:
        if (low[~below] <= 0).any() or (high[below] <= 0).any():
            raise ValueError("a level of 0 or less has no logarithm: write it as below its limit")
        with np.errstate(divide="ignore"):
            low, high = np.log(low), np.log(high)
    return Censored(low, high)


def exactly(value: Floats) -> Censored:
    """Quantified values `(n,)`."""
    return Censored(value, value)


def difference(after: Censored, before: Censored) -> Censored:
    """after − before as intervals, `(n,)`: [low_a − high_b, high_a − low_b]."""
    with np.errstate(invalid="ignore"):
        return Censored(after.low - before.high, after.high - before.low)


def sign(change: Censored) -> Floats:
    """1 where a change is surely above 0, −1 where surely below, 0 where it is 0 or not known, `(n,)`."""
    exact = change.exact
    up = np.where(exact, change.low > 0, change.low >= 0)
    down = np.where(exact, change.high < 0, change.high <= 0)
    return up.astype(np.float64) - down.astype(np.float64)


def least_size(change: Censored) -> Floats:
    """The least that |change| can be, `(n,)`: 0 where the interval holds 0."""
    return np.abs(np.clip(0.0, change.low, change.high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The levels of `n` patients before and after, with the limits through which each was looked at.

    `floor` and `ceiling` `(2, n)` are the lower and upper limits of the assay before and after, minus or plus
    infinity where there is none or none is known. Left out, they are those that the censored levels tell of.
    """

    before: Censored
    after: Censored
    floor: Floats | None = None
    ceiling: Floats | None = None

    def __post_init__(self) -> None:
        if len(self.before) != len(self.after):
            raise ValueError(f"{len(self.before)} levels before and {len(self.after)} after: no pairs")

    def __len__(self) -> int:
        return len(self.before)

    def __getitem__(self, chosen: NDArray[np.intp] | Flags) -> Pairs:
        return Pairs(
            before=self.before[chosen],
            after=self.after[chosen],
            floor=None if self.floor is None else self.floor[:, chosen],
            ceiling=None if self.ceiling is None else self.ceiling[:, chosen],
        )

    @property
    def change(self) -> Censored:
        """after − before as intervals, `(n,)`."""
        return difference(self.after, self.before)

    def limits(self) -> tuple[Floats, Floats]:
        """The lower and the upper limits before and after, each `(2, n)`: as given, or as the levels tell."""
        own = (self.before, self.after)
        floors = np.array([np.where(one.below, one.high, -np.inf) for one in own])
        ceilings = np.array([np.where(one.above, one.low, np.inf) for one in own])
        if self.floor is not None:
            floors = np.maximum(floors, self.floor)
        if self.ceiling is not None:
            ceilings = np.minimum(ceilings, self.ceiling)
        return floors, ceilings

    def through_one_limit(
        self, shift: float = 0.0, limits: tuple[Floats, Floats] | None = None
    ) -> tuple[Censored, Censored]:
        """before + shift and after, both seen through the pair's highest floor and lowest ceiling.

        `limits` are those of `limits()`, for who asks at many shifts. If before + shift and after have one
        law, so have the two seen this way, whatever the limits were: swapping them changes nothing but the
        sign of the difference (O'Brien & Fleming 1987).
        """
        moved = Censored(self.before.low + shift, self.before.high + shift)
        own = (moved, self.after)
        floors, ceilings = self.limits() if limits is None else limits
        by = np.array([[shift], [0.0]])
        floor, ceiling = (floors + by).max(axis=0), (ceilings + by).min(axis=0)
        seen: list[Censored] = []
        for one in own:
            below: Flags = (one.exact & (one.low < floor)) | (~one.exact & (one.high <= floor))
            above: Flags = ~below & ((one.exact & (one.low > ceiling)) | (~one.exact & (one.low >= ceiling)))
            low = np.where(below, -np.inf, np.where(above, ceiling, one.low))
            high = np.where(below, floor, np.where(above, np.inf, one.high))
            seen.append(Censored(low, high))
        return seen[0], seen[1]

    def seen_change(self, shift: float = 0.0, limits: tuple[Floats, Floats] | None = None) -> Censored:
        """after − (before + shift), both seen through one limit: symmetric about 0 where `shift` is true."""
        before, after = self.through_one_limit(shift, limits)
        return difference(after, before)


def share_one_sided_bound(n_beyond: int, n: int, *, level: float = 0.95) -> float:
    """The upper one-sided bound of a share of which `n_beyond` of `n` were seen (Clopper–Pearson).

    With none seen it is 1 − (1 − level)^(1/n). Clopper & Pearson 1934, doi 10.1093/biomet/26.4.404.
    Raises `ValueError` unless 0 ≤ n_beyond ≤ n and n ≥ 1.
    """
    from scipy.stats import beta

    if not 0 <= n_beyond <= n or n < 1:
        raise ValueError(f"{n_beyond} of {n} is no share")
    if n_beyond == n:
        return 1.0
    return float(beta.ppf(level, n_beyond + 1, n - n_beyond))
