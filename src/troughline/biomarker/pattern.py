"""How often one common effect looks significant in some groups and not in others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternFrequency:
    """From simulated studies in which every group has the same effect.

    `power` is the share of studies in which each group is significant, `mixed` that in which some are and
    some are not, `observed` that with exactly the pattern asked for.
    """

    power: tuple[float, ...]
    mixed: float
    observed: float
    sets: int


def pattern_frequency(
    sizes: Sequence[int],
    effect: float,
    pattern: Sequence[bool],
    rng: np.random.Generator,
    *,
    sets: int = 10_000,
    alpha: float = 0.05,
) -> PatternFrequency:
    """Simulate paired t tests in groups of `sizes` patients with one true effect.

    `effect` is the mean change over the standard deviation of changes. Gelman & Stern 2006,
    doi 10.1198/000313006X152649: the difference between significant and not significant is not itself
    significant. Raises `ValueError` for a group of fewer than two or a pattern of another length.
    """
    from scipy.stats import t as student

    if len(pattern) != len(sizes) or min(sizes) < 2:
        raise ValueError(
            f"groups of {tuple(sizes)} and a pattern of {len(pattern)}: two or more patients each"
        )
    significant = np.empty((sets, len(sizes)), dtype=np.bool_)
    for k, n in enumerate(sizes):
        # The mean and the variance of n normal changes are independent: normal and chi-squared.
        mean = effect + rng.normal(size=sets) / np.sqrt(n)
        sd = np.sqrt(rng.chisquare(n - 1, size=sets) / (n - 1))
        significant[:, k] = np.abs(mean / sd * np.sqrt(n)) > student.isf(alpha / 2, n - 1)
    some, every = significant.any(axis=1), significant.all(axis=1)
    return PatternFrequency(
        power=tuple(float(v) for v in significant.mean(axis=0)),
        mixed=float((some & ~every).mean()),
        observed=float((significant == np.asarray(pattern)).all(axis=1).mean()),
        sets=sets,
    )


def detectable_change(sd: float, n: int, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """The change that a paired t test of `n` patients finds with this power, in the unit of `sd`.

    (t₁₋α/₂ + t_power) · sd / √n on n − 1 degrees of freedom. Raises `ValueError` for fewer than two patients.
    """
    from scipy.stats import t as student

    if n < 2:
        raise ValueError(f"{n} patients: a paired test needs two or more")
    return float((student.isf(alpha / 2, n - 1) + student.ppf(power, n - 1)) * sd / np.sqrt(n))
