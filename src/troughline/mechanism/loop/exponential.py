"""The exponential of a small matrix, and an exponential step of the slow system."""

from __future__ import annotations

import math
from typing import Any

from troughline.mechanism.loop.contract import N_PK, N, device, rates

# loop


@device
def multiply(a: Any, b: Any, c: Any) -> None:
    """c = a b, all (N_PK, N_PK), row by row."""
    for i in range(N_PK):
        for j in range(N_PK):
            total = 0.0
            for k in range(N_PK):
                total += a[i * N_PK + k] * b[k * N_PK + j]
            c[i * N_PK + j] = total


@device
def exponential(a: Any, length: Any, e: Any, term: Any, next_term: Any) -> None:
    """e = exp(a · length) by scaling, the series to the twelfth power, and squaring."""
    size = N_PK * N_PK
    norm = 0.0
    for i in range(N_PK):
        row = 0.0
        for j in range(N_PK):
            row += abs(a[i * N_PK + j])
        norm = max(norm, row * length)
    halvings = 0
    while norm > 0.5 and halvings < 60:
        norm *= 0.5
        halvings += 1
    scale = length / 2.0**halvings
    for i in range(size):
        e[i] = 0.0
        term[i] = 0.0
    for i in range(N_PK):
        e[i * N_PK + i] = 1.0
        term[i * N_PK + i] = 1.0
    for k in range(1, 13):
        multiply(term, a, next_term)
        for i in range(size):
            term[i] = next_term[i] * scale / k
            e[i] += term[i]
    for _ in range(halvings):
        multiply(e, e, next_term)
        for i in range(size):
            e[i] = next_term[i]


@device
def first_phi(z: Any) -> Any:
    """(e^z − 1) / z."""
    if abs(z) < 1e-4:
        return 1.0 + z * (0.5 + z / 6.0)
    return math.expm1(z) / z


@device
def second_phi(z: Any) -> Any:
    """(e^z − 1 − z) / z²."""
    if abs(z) < 1e-2:
        return 0.5 + z * (1.0 / 6.0 + z * (1.0 / 24.0 + z / 120.0))
    return (math.expm1(z) - z) / (z * z)


@device
def step(
    theta: Any, cov: Any, eta: Any, personal: Any, x: Any, h: Any, f: Any, d: Any, y: Any, g: Any, unused: Any
) -> Any:
    """x after h hours: exponential time differencing with two stages, of second order.

    Returns how fast the states moved, the largest |dx/dt| / (|x| + 0.2), 1/h.

    dx/dt = d x + n(x), d fixed over the step: y = x + h φ1(d h) f(x), then
    x(t + h) = y + h φ2(d h) (n(y) − n(x)). What relaxes towards a standing target is exact whatever its rate.
    Source: Cox & Matthews 2002, doi 10.1006/jcph.2002.6995, equations 20 to 22.
    """
    rates(theta, cov, eta, personal, x, f, d)
    speed = 0.0
    for i in range(N):
        speed = max(speed, abs(f[i]) / (abs(x[i]) + 0.2))
        y[i] = x[i] + h * first_phi(d[i] * h) * f[i]
    rates(theta, cov, eta, personal, y, g, unused)
    for i in range(N):
        change = (g[i] - d[i] * y[i]) - (f[i] - d[i] * x[i])
        x[i] = y[i] + h * second_phi(d[i] * h) * change
    return speed


OVERSHOT = -1e-3  # a state further below 0, where none starts


@device
def overshot(x: Any, before: Any, hazard: Any, size: Any) -> Any:
    """Whether a step was too long: a state fell below 0, or what it gives is not a number."""
    lowest = 0.0
    for k in range(N):
        lowest = min(lowest, x[k] - min(before[k], 0.0))
    return lowest < OVERSHOT or math.isnan(hazard) or not math.isfinite(size)


SESSION_CHANGE = 0.06  # of a state in one part, relative to its size and 0.2
FIRST_PART_H = 0.25  # the first part, where no speed is known


@device
def in_parts(
    theta: Any, cov: Any, eta: Any, personal: Any, x: Any, hours: Any, speed: Any, f: Any, d: Any, y: Any,
    g: Any, unused: Any,
) -> Any:  # fmt: skip
    """x after `hours`, in parts no longer than the speed of its states allows; returns the last speed, 1/h.

    For the days after a session of local therapy: what a session kills, it kills within hours to days, at a
    rate that falls by half as fast, and one step of a day would take the rate at its start for the whole.
    `speed`: that of the part before, 0 where none is known.
    """
    left = hours
    part = FIRST_PART_H
    while left > 1e-9:
        if speed > 0.0:
            part = max(FIRST_PART_H, SESSION_CHANGE / speed)
        part = min(part, left)
        speed = step(theta, cov, eta, personal, x, part, f, d, y, g, unused)
        left -= part
    return speed
