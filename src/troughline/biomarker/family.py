"""Many tests at once: p-values corrected over a family, by Holm and by Benjamini and Hochberg."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(Generic[Name]):
    """The p-values of a family of tests by name: as they are, and corrected in two ways.

    `holm` bounds the chance of any false finding, `bh` the share of false ones among the findings.
    """

    raw: Mapping[Name, float]
    holm: Mapping[Name, float]
    bh: Mapping[Name, float]


def family_of(p_values: Mapping[Name, float]) -> Family[Name]:
    """Both corrections of a family of m tests.

    In ascending order, Holm: max_{j ≤ i} (m − j + 1) p(j); Benjamini–Hochberg: min_{j ≥ i} m p(j) / j; both
    at most 1.

    Raises `ValueError` for a p-value outside 0 to 1.
    Source: Holm 1979, Scand J Stat 6:65–70; Benjamini & Hochberg 1995,
    doi 10.1111/j.2517-6161.1995.tb02031.x.
    """
    for name, p in p_values.items():
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"{name}: {p!r} is no p-value")
    ordered = sorted(p_values, key=lambda name: p_values[name])
    m = len(ordered)
    holm: dict[Name, float] = {}
    running = 0.0
    for i, name in enumerate(ordered):
        running = max(running, min(1.0, (m - i) * p_values[name]))
        holm[name] = running
    bh: dict[Name, float] = {}
    running = 1.0
    for i, name in reversed(list(enumerate(ordered))):
        running = min(running, m * p_values[name] / (i + 1))
        bh[name] = running
    return Family(raw=dict(p_values), holm=holm, bh=bh)
