"""The window as a decision: benefit less weighted toxicity, its best exposure and what comes close to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.response.summaries import Band, Bound, band, bound

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilityFit:
    """Utility over exposure: `P(benefit) - toxicity_weight * P(toxicity)`.

    `expected` is its posterior mean with the interval over the studied domain, and `best_expected` the
    exposure where that mean is highest (None: at an edge of the domain), with `stretch`, the exposures
    around it whose mean utility lies `within` of its highest (an end is None where it is open). `best`,
    `lower` and `upper` are the same three exposures as posterior quantities, with intervals.
    """

    toxicity_weight: float
    within: float
    expected: Band
    best_expected: float | None
    stretch: tuple[float | None, float | None]
    best: Bound
    lower: Bound
    upper: Bound


def utility_fit(
    exposure: Floats,
    benefit: Floats,
    toxicity: Floats,
    *,
    toxicity_weight: float,
    within: float,
    reference: float,
    level: float,
) -> UtilityFit:
    """The utility form of the window from draws of both probabilities.

    Parameters: `exposure` `(m,)`, a fine grid over the studied domain, evenly spaced on the log scale;
    `benefit` and `toxicity` `(n_draws, m)`, the probabilities there.
    """
    utility = benefit - toxicity_weight * toxicity
    x = np.log(exposure / reference)
    best, lower, upper = near_maximum(x, utility, within)
    mean_best, mean_lower, mean_upper = near_maximum(x, utility.mean(axis=0)[None, :], within)
    domain = (float(exposure[0]), float(exposure[-1]))

    def unit(value: Floats) -> float | None:
        return float(reference * np.exp(value[0])) if np.isfinite(value[0]) else None

    def posterior(draws: Floats, what: str) -> Bound:
        return bound(
            draws,
            reference=reference,
            domain=domain,
            level=level,
            below=f"{what} lies at or below the lowest studied exposure",
            above=f"{what} lies at or above the highest studied exposure",
        )

    return UtilityFit(
        toxicity_weight=toxicity_weight,
        within=within,
        expected=band(exposure, utility, level),
        best_expected=unit(mean_best),
        stretch=(unit(mean_lower), unit(mean_upper)),
        best=posterior(best, "the best exposure"),
        lower=posterior(lower, "the lower end"),
        upper=posterior(upper, "the upper end"),
    )


def near_maximum(x: Floats, utility: Floats, within: float) -> tuple[Floats, Floats, Floats]:
    """Where each row is highest, and the ends of the stretch around it that lies `within` of the highest.

    Parameters: `x` `(m,)` evenly spaced; `utility` `(n_draws, m)`. Returns three `(n_draws,)`; minus or
    plus infinity where the highest point or an end is at or beyond the edge of the grid. The highest point
    is refined by a parabola through three grid points, the ends by straight lines.
    """
    m = int(utility.shape[1])
    row = np.arange(int(utility.shape[0]))
    top = utility.argmax(axis=1)
    inner = np.clip(top, 1, m - 2)
    left, middle, right = utility[row, inner - 1], utility[row, inner], utility[row, inner + 1]
    bend = left - 2 * middle + right
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(bend < 0, 0.5 * (left - right) / bend, 0.0)
    best = x[inner] + np.clip(shift, -0.5, 0.5) * (x[1] - x[0])
    best = np.where(top == 0, -np.inf, np.where(top == m - 1, np.inf, best))
    target = utility[row, top] - within
    outside = utility < target[:, None]
    column = np.arange(m)
    before = np.where(outside & (column < top[:, None]), column, -1).max(axis=1)
    after = np.where(outside & (column > top[:, None]), column, m).min(axis=1)
    lower = _cross(x, utility, target, np.maximum(before, 0), np.maximum(before, 0) + 1)
    upper = _cross(x, utility, target, np.minimum(after, m - 1), np.minimum(after, m - 1) - 1)
    return best, np.where(before < 0, -np.inf, lower), np.where(after >= m, np.inf, upper)


def _cross(
    x: Floats, utility: Floats, target: Floats, out: NDArray[np.intp], into: NDArray[np.intp]
) -> Floats:
    row = np.arange(int(utility.shape[0]))
    low, high = utility[row, out], utility[row, into]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(high > low, (target - low) / (high - low), 0.0)
    return x[out] + share * (x[into] - x[out])
