"""How many patients it would take to halve the interval of each bound of a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.response.curve import every
from troughline.response.curve_draws import CurveDraws
from troughline.response.logistic import sigmoid
from troughline.response.priors import Priors
from troughline.response.summaries import Bound
from troughline.response.window import WindowFit

Floats = NDArray[np.float64]

PLANNING_DRAWS = 400
MOST_PATIENTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundPrecision:
    """What it would take to halve one bound's interval on the log scale.

    `factor_now` is upper end / lower end today; where the interval is open (`open_now`) the edge of the
    studied exposures stands in for the open end, so it is the least the factor can be. `factor_wanted`
    is its square root. `n_needed` patients in all, present ones included, of the same distribution of
    exposure, are expected to give it; None where no number within a million would, and `note` says why.
    """

    bound: str
    n_now: int
    factor_now: float
    open_now: bool
    factor_wanted: float
    n_needed: int | None
    note: str


def patients_needed_to_halve(fit: WindowFit) -> tuple[BoundPrecision, BoundPrecision]:
    """How many patients in all would halve the log width of the lower and the upper bound's interval.

    For each posterior draw taken as the truth, the variance of the bound after `n` patients is
    `g' (n I + P)^-1 g`: `I` the expected information of one patient averaged over the observed exposures,
    `P` the prior precision, `g` the gradient of the log exposure at which the curve passes its limit. The
    width expected is the median over draws of `2 z` standard deviations, endless in a draw where the
    interval would leave the studied exposures. It is stretched by `1 + c / n`, the next term of its
    expansion, with `c` such that it meets today's width at today's `n` (and at least 0). What covariates
    would cost is left out.

    How good this is against refitted simulated cohorts is measured in `benchmarks/window_coverage.py`.
    """
    from scipy.stats import norm

    z = float(norm.ppf((1 + fit.level) / 2))
    x = np.log(fit.exposure / fit.reference)
    both, outcomes = fit.outcomes.both, fit.outcomes
    plans: list[BoundPrecision] = []
    for name, bound, draws, limit, only in (
        ("lower", fit.lower, fit.benefit, fit.benefit_at_least, outcomes.benefit_only),
        ("upper", fit.upper, fit.toxicity, fit.toxicity_at_most, outcomes.toxicity_only),
    ):
        kept = draws.take(every(len(draws), PLANNING_DRAWS))
        seen = x[np.concatenate([both, only])]
        crossing = kept.crossing(limit)
        information, gradient = _information(kept, seen, crossing)
        plans.append(
            _plan(
                name, bound, fit, seen.size, information, gradient, crossing, _prior_precision(fit.priors), z
            )
        )
    return plans[0], plans[1]


def _information(draws: CurveDraws, x: Floats, crossing: Floats) -> tuple[Floats, Floats]:
    """Each draw's information per patient `(m, 3, 3)` and the gradient `(m, 3)` of its bound.

    Where the bound is infinite the gradient is that at the reference, which nothing uses.
    """
    at = np.clip(np.where(np.isfinite(crossing), crossing, 0.0), -30.0, 30.0)
    sensitivity = _sensitivity(draws, np.broadcast_to(x, (len(draws), x.size)))
    p = sigmoid(draws.log_odds(x))
    information = np.einsum("mi,mij,mik->mjk", p * (1 - p), sensitivity, sensitivity) / x.size
    half = draws.half_effect
    ratio = np.exp(at)
    with np.errstate(invalid="ignore"):
        steepness = np.where(
            np.isnan(half), draws.slope, draws.slope * (1 + half) ** 2 * ratio / (ratio + half) ** 2
        )
    gradient = -_sensitivity(draws, at[:, None])[:, 0, :] / steepness[:, None]
    return information, gradient


def _sensitivity(draws: CurveDraws, x: Floats) -> Floats:
    """The derivatives `(m, k, 3)` of the log odds by intercept, slope and log half-effect at `x` `(m, k)`."""
    half, slope = draws.half_effect[:, None], draws.slope[:, None]
    emax = ~np.isnan(half)
    ratio, k = np.exp(x), np.where(emax, half, 1.0)
    shape = (ratio - 1) / (ratio + k)
    return np.stack(
        [
            np.ones_like(x),
            np.where(emax, (1 + k) * shape, x),
            np.where(emax, slope * k * shape**2, 0.0),
        ],
        axis=-1,
    )


def _prior_precision(priors: Priors) -> Floats:
    return np.diag([1 / priors.intercept_sd**2, 1 / priors.slope_sd**2, 1 / priors.half_effect_sd**2])


def _plan(
    name: str,
    bound: Bound,
    fit: WindowFit,
    n_now: int,
    information: Floats,
    gradient: Floats,
    crossing: Floats,
    prior: Floats,
    z: float,
) -> BoundPrecision:
    low = bound.low if bound.low is not None else fit.domain[0]
    high = bound.high if bound.high is not None else fit.domain[1]
    wanted = 0.5 * np.log(high / low)

    first, last = np.log(np.array(fit.domain) / fit.reference)
    inside = (crossing >= first) & (crossing <= last)

    def half_widths(n: int) -> Floats:
        spread = np.linalg.solve(n * information + prior, gradient[:, :, None])[:, :, 0]
        return z * np.sqrt((gradient * spread).sum(axis=1))

    today = half_widths(n_now)[inside]
    missed = max(0.0, wanted / float(np.median(today)) - 1) if today.size else 0.0

    def width(n: int) -> float:
        half = half_widths(n) * (1 + missed * n_now / n)
        closed = inside & (crossing - half >= first) & (crossing + half <= last)
        return float(np.median(np.where(closed, 2 * half, np.inf)))

    needed: int | None = None
    note = ""
    if width(MOST_PATIENTS) > wanted:
        note = (
            f"the {name} bound lies outside the studied exposures in "
            f"{100 * (1 - float(inside.mean())):.0f} % of the posterior: more patients at the same exposures "
            "would not bound it"
        )
    else:
        few, many = n_now, MOST_PATIENTS
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (few, middle) if width(middle) <= wanted else (middle, many)
        needed = many
        if bound.factor is None:
            note = "the interval is open today, so this is the least number"
    return BoundPrecision(
        bound=name,
        n_now=n_now,
        factor_now=float(high / low),
        open_now=bound.factor is None,
        factor_wanted=float(np.exp(wanted)),
        n_needed=needed,
        note=note,
    )
