"""The priors of the exposure–response models: numbers for the calculation, sentences for the reader."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Priors:
    """Weakly informative priors, all on the log-odds scale and at the reference exposure.

    `intercept_sd`: log odds of the outcome at the reference exposure ~ Normal(0, sd). `slope_sd`: change
    of the log odds per e-fold of exposure at the reference ~ Normal(0, sd), cut to positive values where
    `monotone`. `half_effect_sd`: log of (half-effect exposure / reference) of the Emax curve ~ Normal(0, sd).
    `covariate_sd`: change of the log odds per standard deviation of a covariate ~ Normal(0, sd).
    `association_sd`: log odds ratio between benefit and toxicity within patients ~ Normal(0, sd).

    The scales were chosen by the coverage of the resulting intervals: `benchmarks/window_coverage.py`.
    """

    intercept_sd: float = 2.0
    slope_sd: float = 2.5
    half_effect_sd: float = 1.0
    covariate_sd: float = 1.0
    association_sd: float = 1.5
    monotone: bool = True

    def __post_init__(self) -> None:
        for name in ("intercept_sd", "slope_sd", "half_effect_sd", "covariate_sd", "association_sd"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}, a positive number is needed")

    def sentences(self, *, joint: bool = False, covariates: bool = False) -> tuple[str, ...]:
        """The priors in words, for the methods paragraph."""
        lines = [
            "Log odds of the outcome at the reference exposure (the geometric mean): "
            f"Normal(0, {self.intercept_sd:g}).",
            f"Change of the log odds per e-fold of exposure at the reference: Normal(0, {self.slope_sd:g})"
            + (
                ", cut to positive values: exposure does not lower the chance of an effect it causes."
                if self.monotone
                else ", either sign."
            ),
            "Emax curve: log of the half-effect exposure relative to the reference: "
            f"Normal(0, {self.half_effect_sd:g}).",
        ]
        if covariates:
            lines.append(
                "Change of the log odds per standard deviation of a covariate: "
                f"Normal(0, {self.covariate_sd:g})."
            )
        if joint:
            lines.append(
                "Log odds ratio between benefit and toxicity in the same patient: "
                f"Normal(0, {self.association_sd:g})."
            )
        return tuple(lines)


def normal_log_density(value: Floats, sd: float) -> Floats:
    """The log density of Normal(0, sd)."""
    return -0.5 * (value / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
