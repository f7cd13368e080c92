"""One interval of the risk table: whole deaths at the falls of the curve, censorings by a stated rule."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from troughline.evidence.reconstruct.clicks import falling

if TYPE_CHECKING:
    from troughline.evidence.reconstruct.risk_table import Interval

# A fall larger than this many reading steps, and worth half a death, cannot be noise: somebody died there.
_STEPS_RESOLVED = 2.0
_DEATHS_RESOLVED = 0.5
# The spread of censorings in the open interval is searched between these powers of 2, by halving.
_WIDEST_POWER, _HALVINGS = 5.0, 12
# A placement within this part of what is allowed is not tried to be bettered.
_GOOD_ENOUGH = 0.5
_LEAST_GAMMA = 0.5
# The standard deviation of a rounding error, of the difference of two, in units of the step.
_ROUNDING_SD = math.sqrt(2.0 / 12.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The part of a curve that lies in one interval: clicks at `time` (m,) with `survival` (m,), in order.

    Times are whole numbers, in quanta of the reading step of time, here and in `interval`. `ticks` are the
    printed censoring marks in it; `step` is the reading step of survival; `before` the curve as read at the
    last click before the stretch.
    """

    interval: Interval
    time: tuple[float, ...]
    survival: tuple[float, ...]
    ticks: tuple[float, ...]
    step: float
    before: float = 1.0

    def falls(self) -> list[bool]:
        """Whether the curve as read falls at each click (m,): nobody dies at the others."""
        return [s < b for s, b in zip(self.survival, (self.before, *self.survival), strict=False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Deaths (m,) at the clicks of a stretch and its censoring times, and how they follow the curve.

    `level` is the Kaplan–Meier estimate after the stretch; `cost` the sum of squared deviations at the clicks
    in reading steps; `worst` the largest deviation as a multiple of what is allowed: a reading step plus half
    the step that one death makes.
    """

    deaths: tuple[int, ...]
    censored: tuple[float, ...]
    survival: tuple[float, ...]
    level: float
    cost: float
    worst: float


def censoring_times(stretch: Stretch, count: int, power: float = 1.0) -> list[float]:
    """`count` censoring times in an interval, in order.

    Where ticks are printed: at the ticks, each as often as any other, as far as that goes. Elsewhere evenly
    spread: the i-th of c at the (i − ½)/c-th part of the interval; in the open last interval at the i/c-th,
    so that the last is seen at the end of the curve. `power` below 1 moves the open interval's towards its
    end (0: all at the end), above 1 towards its start.
    """
    a, b = stretch.interval.start, stretch.interval.end
    if stretch.ticks and count >= len(stretch.ticks):
        return [stretch.ticks[i * len(stretch.ticks) // count] for i in range(count)]
    if stretch.interval.open:
        return _whole([a + (b - a) * (i / count) ** power for i in range(1, count + 1)], a, b)
    return _whole([a + (b - a) * (i - 0.5) / count for i in range(1, count + 1)], a, b)


def _whole(times: list[float], start: float, end: float) -> list[float]:
    """Times as whole quanta, after the start of the interval: ties with clicks are then ties in any unit."""
    return [float(min(max(round(t), start + 1.0), end)) for t in times]


def uneven_power(stretch: Stretch, level: float, deaths: int) -> float:
    """The `power` with which the curve asks for `deaths` in the open interval; 1 where that is near enough.

    The later the others are censored, the more are at risk at each fall, and the more deaths it takes.
    """
    count = stretch.interval.leaving - deaths
    if count <= 0 or stretch.ticks:
        return 1.0

    def asked(power: float) -> float:
        return math.fsum(expected_deaths(stretch, level, censoring_times(stretch, count, power)))

    if abs(asked(1.0) - deaths) <= _DEATHS_RESOLVED:
        return 1.0
    if asked(0.0) <= deaths:
        return 0.0
    low, high = -_WIDEST_POWER, _WIDEST_POWER
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if asked(2.0**middle) > deaths else (low, middle)
    return 2.0 ** ((low + high) / 2)


def expected_deaths(stretch: Stretch, level: float, censored: Sequence[float]) -> list[float]:
    """The deaths (m,), not rounded, that let the Kaplan–Meier estimate follow the curve exactly.

    x_k = n_k (1 − S_k / S_{k−1}), with n_k the number at risk just before the click; 0 where the curve does
    not fall.
    """
    out: list[float] = []
    dead = 0.0
    for when, s, falls in zip(stretch.time, stretch.survival, stretch.falls(), strict=True):
        if not falls:
            out.append(0.0)
            continue
        at_risk = stretch.interval.n - dead - bisect.bisect_left(censored, when)
        x = at_risk * (1.0 - s / level) if s < level and at_risk > 0 else 0.0
        level = min(level, s)
        dead += x
        out.append(x)
    return out


def place(
    stretch: Stretch,
    level: float,
    deaths: int,
    *,
    power: float = 1.0,
    censored: Sequence[float] | None = None,
) -> Placement | None:
    """Place exactly `deaths` deaths, and censor the others who leave; None where that is impossible.

    `level` is the Kaplan–Meier estimate before. Expected deaths are rounded in their running sum, scaled to
    end at `deaths`: so none falls where the curve is flat, and no rounding error grows. A fall that no
    reading error explains holds one death at least.
    """
    count = stretch.interval.leaving - deaths
    if deaths < 0 or count < 0 or count < len(stretch.ticks):
        return None
    times = list(censored) if censored is not None else censoring_times(stretch, count, power)
    expected = expected_deaths(stretch, level, times)
    whole = _rounded(stretch, expected, level, deaths)
    summed = None if whole is None else _followed(stretch, level, whole, times)
    if summed is not None and summed.worst <= _GOOD_ENOUGH:
        return summed
    whole = _tracked(stretch, level, times, deaths)
    tracked = None if whole is None else _followed(stretch, level, whole, times)
    return min((p for p in (summed, tracked) if p is not None), key=lambda p: p.cost, default=None)


def refined(stretch: Stretch, level: float, placed: Placement) -> Placement:
    """The same deaths with the censorings moved to where the falls show them, if that follows better.

    A fall of d deaths shows the number at risk, n = d / (1 − S_k/S_{k−1}), the better the finer the curve was
    read. Each is weighed against the even spread (binomial variance), and the running count of censorings is
    made monotone. With coarse clicks the weights leave the even spread as it is.
    """
    count = len(placed.censored)
    a, b = stretch.interval.start, stretch.interval.end
    placed = _followed(stretch, level, placed.deaths, list(placed.censored)) or placed
    if count == 0 or stretch.ticks or not b > a:
        return placed
    when: list[float] = []
    target: list[float] = []
    weight: list[float] = []
    dead, before = 0, level
    for t, s, d in zip(stretch.time, stretch.survival, placed.deaths, strict=True):
        fall = 1.0 - s / before if before > 0 else 0.0
        if d and fall > _STEPS_RESOLVED * stretch.step / before and a < t < b:
            u = (t - a) / (b - a)
            even, variance = count * u, count * u * (1.0 - u) + 0.25
            error = d / fall**2 * _ROUNDING_SD * stretch.step / before
            share = variance / (variance + error**2)
            when.append(t)
            target.append(even + share * (stretch.interval.n - dead - d / fall - even))
            weight.append(1.0 / (error**2 + 0.25))
        dead += d
        before = min(before, s)
    if not when:
        return placed
    rising = -falling(-np.asarray(target), np.asarray(weight))
    counts = np.concatenate(([0.0], np.clip(rising, 0.0, count), [float(count)]))
    place_of = np.interp(np.arange(1, count + 1) - 0.5, counts, np.concatenate(([a], when, [b])))
    times = _whole(np.sort(place_of).tolist(), a, b)
    if stretch.interval.open:
        times[-1] = b
    better = _followed(stretch, level, placed.deaths, times)
    return better if better is not None and better.cost < placed.cost else placed


def _rounded(stretch: Stretch, expected: list[float], level: float, deaths: int) -> tuple[int, ...] | None:
    """Whole deaths (m,) that sum to `deaths`, by rounding the running sum of `expected`."""
    sure: list[int] = []
    before = level
    for x, s in zip(expected, stretch.survival, strict=True):
        sure.append(int(x > _DEATHS_RESOLVED and before - s > _STEPS_RESOLVED * stretch.step))
        before = min(before, s)
    if sum(sure) > deaths:
        sure = [0] * len(sure)
    rest = [max(x - one, 0.0) for x, one in zip(expected, sure, strict=True)]
    missing, total = deaths - sum(sure), math.fsum(rest)
    if missing and not total > 0:
        rest = expected
        total = math.fsum(rest)
        if not total > 0:
            return None
    out: list[int] = []
    running, given = 0.0, 0
    final = max((k for k, x in enumerate(rest) if x > 0), default=-1)
    for k, (x, one) in enumerate(zip(rest, sure, strict=True)):
        running += x
        reached = missing if k >= final else math.floor(running * missing / total + 0.5) if total > 0 else 0
        out.append(one + reached - given)
        given = reached
    return tuple(out)


def _tracked(
    stretch: Stretch, level: float, censored: Sequence[float], deaths: int
) -> tuple[int, ...] | None:
    """Whole deaths (m,) that sum to `deaths`, each rounded to bring the estimate back to the curve.

    The curve is followed as S^γ (of its part in this interval), with the γ nearest to 1 found by halving that
    gives `deaths`; None where a jump in the count passes over it.
    """
    before = [bisect.bisect_left(censored, when) for when in stretch.time]
    low, high = _LEAST_GAMMA, 1.0 / _LEAST_GAMMA
    gamma = 1.0
    for _ in range(_HALVINGS):
        out: list[int] = []
        dead, now = 0, level
        for s, lost, falls in zip(stretch.survival, before, stretch.falls(), strict=True):
            if not falls:
                out.append(0)
                continue
            at_risk = stretch.interval.n - dead - lost
            target = level * (s / level) ** gamma if level > 0 else 0.0
            d = min(round(at_risk * (1.0 - target / now)), at_risk) if target < now and at_risk > 0 else 0
            if d:
                now *= 1.0 - d / at_risk
                dead += d
            out.append(d)
        if dead == deaths:
            return tuple(out)
        low, high = (gamma, high) if dead < deaths else (low, gamma)
        gamma = math.sqrt(low * high)
    return None


def _followed(
    stretch: Stretch, level: float, deaths: tuple[int, ...], censored: list[float]
) -> Placement | None:
    """The Kaplan–Meier estimate through these deaths and censorings; None where nobody is left to die."""
    dead, cost, worst = 0, 0.0, 0.0
    survival: list[float] = []
    allowed = stretch.step
    for when, s, d in zip(stretch.time, stretch.survival, deaths, strict=True):
        at_risk = stretch.interval.n - dead - bisect.bisect_left(censored, when)
        if d > at_risk:
            return None
        if d:
            level *= 1.0 - d / at_risk
            dead += d
        off = abs(level - s)
        cost += (off / stretch.step) ** 2
        # Once nobody is at risk the step of one death stays what it was last.
        if at_risk:
            allowed = stretch.step + 0.5 * level / max(at_risk - d, 1)
        worst = max(worst, off / allowed)
        survival.append(level)
    return Placement(
        deaths=deaths,
        censored=tuple(censored),
        survival=tuple(survival),
        level=level,
        cost=cost,
        worst=worst,
    )
