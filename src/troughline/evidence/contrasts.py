"""What a trial says of two treatments, and the covariance of a trial with three or more arms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from troughline.evidence.effects import Effect

FloatArray = NDArray[np.float64]

_DISAGREEMENT = 0.5
"""Printed contrasts of one trial may disagree by rounding, up to this share of their standard error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """The effect of `treatment` against `reference` in one study, on an additive scale (a log hazard ratio).

    `population` names the patients (`first line`, `after sorafenib`): studies of different populations are
    not connected. A study with three arms or more gives every pair of its arms.
    """

    study: str
    treatment: str
    reference: str
    value: float
    se: float
    population: str = ""
    verified: bool = True

    def __post_init__(self) -> None:
        if self.treatment == self.reference:
            raise ValueError(f"{self.study}: {self.treatment} is held against itself")
        if not (math.isfinite(self.value) and math.isfinite(self.se) and self.se > 0.0):
            raise ValueError(
                f"{self.study}: {self.treatment} against {self.reference}: the value {self.value:g} must be "
                f"finite and its standard error {self.se:g} above 0"
            )


def contrast_of(effect: Effect, *, treatment: str, reference: str, population: str = "") -> Contrast:
    """The contrast that a printed ratio is, on the log scale. Raises as `effects.on_scale`."""
    from troughline.evidence.effects import on_scale

    placed = on_scale(effect)
    return Contrast(
        study=effect.label, treatment=treatment, reference=reference, value=placed.value, se=placed.se,
        population=population, verified=effect.verified,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trial:
    """One study: its arms in alphabetical order, contrasts of each later arm against the first, covariance.

    `values` has shape `(n_arms − 1,)`, `covariance` `(n_arms − 1, n_arms − 1)`.
    """

    study: str
    arms: tuple[str, ...]
    values: FloatArray = field(repr=False)
    covariance: FloatArray = field(repr=False)


def trials(contrasts: Sequence[Contrast]) -> tuple[Trial, ...]:
    """The studies, each with the covariance of its contrasts.

    In a study with several arms Cov(AB, AC) = (V_AB + V_AC − V_BC)/2, which the variances of all pairs give
    (Rücker & Schwarzer 2014, doi 10.1002/sim.6236). Raises `ValueError` for studies of more than one
    population, a pair given twice, a missing pair, pairs that disagree by more than rounding, or variances
    that no covariance matrix has.
    """
    populations = {c.population for c in contrasts}
    if len(populations) > 1:
        listed = "; ".join(
            f"{p or 'not named'}: {', '.join(sorted({c.study for c in contrasts if c.population == p}))}"
            for p in sorted(populations)
        )
        raise ValueError(f"studies of different populations are not connected ({listed})")
    by_study: dict[str, list[Contrast]] = {}
    for c in contrasts:
        by_study.setdefault(c.study, []).append(c)
    return tuple(_trial(study, rows) for study, rows in sorted(by_study.items()))


def _trial(study: str, rows: list[Contrast]) -> Trial:
    arms = tuple(sorted({name for c in rows for name in (c.treatment, c.reference)}))
    place = {name: i for i, name in enumerate(arms)}
    size = len(arms)
    value, variance = np.full((size, size), np.nan), np.full((size, size), np.nan)
    for c in rows:
        i, j = place[c.reference], place[c.treatment]
        if np.isfinite(value[i, j]):
            raise ValueError(f"{study}: {c.treatment} against {c.reference} is given twice")
        value[i, j], value[j, i] = c.value, -c.value
        variance[i, j] = variance[j, i] = c.se**2
    missing = [(arms[i], arms[j]) for i in range(size) for j in range(i) if np.isnan(value[i, j])]
    if missing:
        raise ValueError(
            f"{study}: a study with {size} arms needs every pair of them, also "
            f"{' and '.join(f'{a} against {b}' for a, b in missing)}: only then is their covariance known"
        )
    y, v = value[0, 1:], variance[0, 1:]
    for i in range(1, size):
        for j in range(i + 1, size):
            gap = abs((value[0, j] - value[0, i]) - value[i, j])
            if gap > _DISAGREEMENT * math.sqrt(variance[i, j]):
                raise ValueError(
                    f"{study}: {arms[j]} against {arms[i]} is {value[i, j]:g}, but by way of {arms[0]} it is "
                    f"{value[0, j] - value[0, i]:g}"
                )
    covariance = (v[:, None] + v[None, :] - variance[1:, 1:]) / 2.0
    np.fill_diagonal(covariance, v)
    if np.linalg.eigvalsh(covariance)[0] <= 1e-12 * v.max():
        raise ValueError(f"{study}: no covariance matrix has these standard errors")
    return Trial(study, arms, y, covariance)
