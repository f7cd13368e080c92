"""Posterior draws as what a report states: a band over exposure, a bound with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A quantity over exposure `(m,)`: posterior `mean`, and `low` and `high` of the interval at `level`."""

    exposure: Floats
    mean: Floats
    low: Floats
    high: Floats
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """An exposure read off the curves: posterior median and equal-tailed interval, in the caller's unit.

    None stands for an end that lies outside the studied exposures; `note` says on which side and why.
    `p_below` and `p_above` are the probabilities that the bound itself lies below or above them.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    p_below: float
    p_above: float
    note: str

    @property
    def factor(self) -> float | None:
        """`high / low`, or None where an end is open."""
        return None if self.low is None or self.high is None else self.high / self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number with its posterior mean and equal-tailed interval at `level`."""

    mean: float
    low: float
    high: float
    level: float


def band(exposure: Floats, draws: Floats, level: float) -> Band:
    """The band of draws `(n_draws, m)` at exposures `(m,)`."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Band(exposure=exposure, mean=draws.mean(axis=0), low=low, high=high, level=level)


def interval(draws: Floats, level: float) -> Interval:
    """The interval of draws `(n_draws,)`."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean=float(draws.mean()), low=float(low), high=float(high), level=level)


def bound(
    log_exposure: Floats,
    *,
    reference: float,
    domain: tuple[float, float],
    level: float,
    below: str,
    above: str,
) -> Bound:
    """The bound of draws `(n_draws,)` of a log exposure relative to `reference`.

    Draws outside `domain` (exposures, lowest and highest studied) count as minus or plus infinity, and
    quantiles are taken on the line so extended; `below` and `above` say what such an end means.
    """
    first, last = np.log(domain[0] / reference), np.log(domain[1] / reference)
    extended = np.where(log_exposure < first, -np.inf, np.where(log_exposure > last, np.inf, log_exposure))
    ends = np.quantile(extended, [(1 - level) / 2, 0.5, (1 + level) / 2], method="inverted_cdf")
    low, value, high = (float(reference * np.exp(e)) if np.isfinite(e) else None for e in ends)
    notes: list[str] = []
    for name, end in zip(("lower end", "median", "upper end"), ends, strict=True):
        if not np.isfinite(end):
            notes.append(f"{name} open: {below if end < 0 else above}")
    return Bound(
        value=value,
        low=low,
        high=high,
        level=level,
        p_below=float(np.isneginf(extended).mean()),
        p_above=float(np.isposinf(extended).mean()),
        note="; ".join(notes),
    )


def studied_domain(exposure: Floats, factor: float) -> tuple[float, float]:
    """The exposures that count as studied: from the lowest observed / factor to the highest times factor."""
    if not factor >= 1:
        raise ValueError(f"domain_factor is {factor}, 1 or more is needed")
    return float(exposure.min() / factor), float(exposure.max() * factor)
