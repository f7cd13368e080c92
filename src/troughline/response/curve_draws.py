"""Posterior draws of a curve P(outcome | exposure), whichever model each came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.response.exposure_models import (
    ExposureModel,
    curve_log_odds,
    log_exposure_at,
    positive_slope,
)
from troughline.response.logistic import sigmoid

Floats = NDArray[np.float64]

STANDARD_PATIENTS = 400
MOST_AVERAGES = 200
BISECTIONS = 45


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveDraws:
    """Draws `(n_draws,)` of a curve: `intercept` and `slope` (per e-fold) at the reference exposure.

    `half_effect` is the Emax curve's half-effect exposure relative to the reference and NaN in a draw of
    the logistic curve. `offsets` `(n_draws, n_patients)` holds what the covariates of each patient add to
    the log odds; the probability is its mean over these patients (g-computation); None without covariates.
    """

    intercept: Floats
    slope: Floats
    half_effect: Floats
    offsets: Floats | None = None

    def __len__(self) -> int:
        return self.intercept.size

    def take(self, index: NDArray[np.intp] | slice) -> CurveDraws:
        """Some of the draws."""
        return CurveDraws(
            intercept=self.intercept[index],
            slope=self.slope[index],
            half_effect=self.half_effect[index],
            offsets=None if self.offsets is None else self.offsets[index],
        )

    def log_odds(self, log_exposure: Floats) -> Floats:
        """`a + s g(x)` at log exposures `(m,)`, covariates aside; `(n_draws, m)`."""
        value = np.empty((len(self), log_exposure.size))
        emax = ~np.isnan(self.half_effect)
        value[~emax] = curve_log_odds(log_exposure, self.intercept[~emax], self.slope[~emax], None)
        value[emax] = curve_log_odds(
            log_exposure, self.intercept[emax], self.slope[emax], self.half_effect[emax]
        )
        return value

    def probability(self, log_exposure: Floats) -> Floats:
        """P(outcome) `(n_draws, m)` at log exposures `(m,)`, averaged over the patients' covariates.

        With covariates and more than 200 exposures the average is taken at 200 and its log odds are
        interpolated.
        """
        if self.offsets is None:
            return sigmoid(self.log_odds(log_exposure))
        if log_exposure.size > MOST_AVERAGES:
            ends = float(log_exposure.min()), float(log_exposure.max())
            knots = np.linspace(*ends, MOST_AVERAGES)
            # A steep curve comes so near to 1 that it is 1 as a number; its log odds stop at the last below.
            p = np.minimum(self.probability(knots), 1 - 2.0**-53)
            between = np.empty((len(self), log_exposure.size))
            for i, log_odds in enumerate(np.log(p) - np.log1p(-p)):
                between[i] = np.interp(log_exposure, knots, log_odds)
            return sigmoid(between)
        eta = self.log_odds(log_exposure)
        value = np.empty_like(eta)
        for j in range(eta.shape[1]):
            value[:, j] = sigmoid(eta[:, j : j + 1] + self.offsets).mean(axis=1)
        return value

    def crossing(self, probability: float) -> Floats:
        """The log exposure `(n_draws,)` at which the averaged probability passes a level.

        Infinite where it does not: plus infinity where a rising curve stays below the level or a falling
        one above it, minus infinity where a rising curve stays above it or a falling one below.
        """
        level = float(np.log(probability) - np.log1p(-probability))
        target = np.full(len(self), level) if self.offsets is None else self._standard_log_odds(probability)
        where = np.empty(len(self))
        emax = ~np.isnan(self.half_effect)
        where[~emax] = log_exposure_at(target[~emax], self.intercept[~emax], self.slope[~emax], None)
        where[emax] = log_exposure_at(
            target[emax], self.intercept[emax], self.slope[emax], self.half_effect[emax]
        )
        return where

    def _standard_log_odds(self, probability: float) -> Floats:
        """The log odds, covariates aside, at which the average over patients equals `probability`."""
        assert self.offsets is not None
        level = float(np.log(probability) - np.log1p(-probability))
        low: Floats = level - self.offsets.max(axis=1)
        high: Floats = level - self.offsets.min(axis=1)
        for _ in range(BISECTIONS):
            middle: Floats = 0.5 * (low + high)
            above = sigmoid(middle[:, None] + self.offsets).mean(axis=1) > probability
            high = np.where(above, middle, high)
            low = np.where(above, low, middle)
        return 0.5 * (low + high)


def curve_draws(
    parts: Sequence[tuple[ExposureModel, Floats]], covariates: Floats, *, monotone: bool
) -> CurveDraws:
    """The draws `(m_j, d_j)` of several models as one set of curves, in the order given.

    `covariates` `(n_patients, p)` are the standardised covariates over which the curve is averaged.
    """
    intercept: list[Floats] = []
    slope: list[Floats] = []
    half: list[Floats] = []
    offsets: list[Floats] = []
    for model, draws in parts:
        intercept.append(draws[:, 0])
        slope.append(positive_slope(draws[:, 1])[0] if monotone else draws[:, 1])
        half.append(np.exp(draws[:, 2]) if model.name == "emax" else np.full(int(draws.shape[0]), np.nan))
        offsets.append(draws[:, model.n_shape :] @ covariates.T)
    return CurveDraws(
        intercept=np.concatenate(intercept),
        slope=np.concatenate(slope),
        half_effect=np.concatenate(half),
        offsets=np.concatenate(offsets) if covariates.shape[1] else None,
    )


def standard_patients(covariates: Floats, coefficients: Floats) -> NDArray[np.intp]:
    """The patients over whom a curve is averaged: all, or 400 spread evenly over what covariates predict.

    Parameters: `covariates` `(n, p)`; `coefficients` `(p,)` that rank the patients.
    """
    n = int(covariates.shape[0])
    if n <= STANDARD_PATIENTS or covariates.shape[1] == 0:
        return np.arange(n)
    order = np.argsort(covariates @ coefficients, kind="stable")
    place = np.floor((np.arange(STANDARD_PATIENTS) + 0.5) * n / STANDARD_PATIENTS).astype(np.intp)
    return order[place]
