"""The therapeutic window: both bounds from the joint posterior of benefit and toxicity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.response.averaging import ModelReport
from troughline.response.curve import (
    DOMAIN_FACTOR,
    check_options,
    every,
    p_slope_negative,
    positive,
    stated,
)
from troughline.response.curve_draws import CurveDraws
from troughline.response.exposure_models import exposure_data
from troughline.response.joint import PairedOutcomes, both_probability, paired_outcomes, rows
from troughline.response.joint_posterior import sample_joint
from troughline.response.logistic import sigmoid
from troughline.response.priors import Priors
from troughline.response.summaries import Band, Bound, Interval, band, bound, interval, studied_domain
from troughline.response.utility import UtilityFit, utility_fit

Floats = NDArray[np.float64]

CURVE_DRAWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFit:
    """A therapeutic window with its uncertainty; exposures are in the caller's unit.

    `lower` is the smallest studied exposure with P(benefit) >= `benefit_at_least`, `upper` the largest
    with P(toxicity) <= `toxicity_at_most`; `p_exists` the probability that some studied exposure meets
    both; `domain` the lowest and highest exposure that count as studied. `models` are the four pairs of
    curves with their weights; `benefit`, `toxicity` and `log_odds_ratio` `(n_draws,)` equally weighted
    posterior draws. `inside_from` and `inside_to` `(n_draws,)` are the ends, as log exposure relative to
    `reference`, of the exposures that meet both limits in each draw (from > to: there are none).
    `p_benefit_falls` and `p_toxicity_falls` are probabilities of a falling curve when both directions are
    allowed beforehand; near 1 the data speak against the assumed direction.
    """

    exposure: Floats
    outcomes: PairedOutcomes
    covariates: Floats
    benefit_at_least: float
    toxicity_at_most: float
    toxicity_weight: float
    within: float
    reference: float
    domain: tuple[float, float]
    level: float
    monotone: bool
    priors: Priors
    models: tuple[ModelReport, ...]
    lower: Bound
    upper: Bound
    p_exists: float
    p_benefit_falls: float
    p_toxicity_falls: float
    benefit: CurveDraws
    toxicity: CurveDraws
    log_odds_ratio: Floats
    inside_from: Floats
    inside_to: Floats
    covariate_names: tuple[str, ...]

    @property
    def n(self) -> int:
        """How many patients entered."""
        return self.exposure.size

    def grid(self, n_points: int = 101) -> Floats:
        """Exposures over the studied domain, evenly spaced on the log scale."""
        return np.geomspace(self.domain[0], self.domain[1], n_points)

    def p_inside(self, exposure: Floats) -> Floats:
        """The probability that exposures `(m,)` lie inside the window; NaN outside the studied domain."""
        given = positive(exposure)
        x = np.log(given / self.reference)
        inside = np.array([((self.inside_from <= at) & (at <= self.inside_to)).mean() for at in x])
        return np.where((given >= self.domain[0]) & (given <= self.domain[1]), inside, np.nan)

    def p_inside_patients(self) -> Floats:
        """The probability that each patient's exposure lies inside the window, `(n,)`."""
        return self.p_inside(self.exposure)

    def p_benefit(self, exposure: Floats) -> Band:
        """P(benefit) at exposures `(m,)`, from at most 1,000 draws."""
        return self._margin(self.benefit, exposure)

    def p_toxicity(self, exposure: Floats) -> Band:
        """P(toxicity) at exposures `(m,)`, from at most 1,000 draws."""
        return self._margin(self.toxicity, exposure)

    def p_benefit_without_toxicity(self, exposure: Floats) -> Band:
        """P(benefit and no toxicity) in the same patient at exposures `(m,)`, from at most 1,000 draws."""
        given = positive(exposure)
        x = np.log(given / self.reference)
        keep = every(self.log_odds_ratio.size, CURVE_DRAWS)
        benefit, toxicity = self.benefit.take(keep), self.toxicity.take(keep)
        odds = np.exp(-self.log_odds_ratio[keep])[:, None]
        eta_b, eta_t = benefit.log_odds(x), toxicity.log_odds(x)
        if benefit.offsets is None or toxicity.offsets is None:
            return band(given, both_probability(sigmoid(eta_b), sigmoid(-eta_t), odds), self.level)
        value = np.empty_like(eta_b)
        for j in range(x.size):
            p_b = sigmoid(eta_b[:, j : j + 1] + benefit.offsets)
            p_t = sigmoid(-eta_t[:, j : j + 1] - toxicity.offsets)
            value[:, j] = both_probability(p_b, p_t, odds).mean(axis=1)
        return band(given, value, self.level)

    def utility(self, n_points: int = 201) -> UtilityFit:
        """The utility form of the window over the studied domain, from at most 1,000 draws."""
        grid = self.grid(n_points)
        x, keep = np.log(grid / self.reference), every(self.log_odds_ratio.size, CURVE_DRAWS)
        return utility_fit(
            grid,
            self.benefit.take(keep).probability(x),
            self.toxicity.take(keep).probability(x),
            toxicity_weight=self.toxicity_weight,
            within=self.within,
            reference=self.reference,
            level=self.level,
        )

    def utility_at(self, exposure: Floats) -> Band:
        """Utility at exposures `(m,)`, from at most 1,000 draws."""
        given = positive(exposure)
        x, keep = np.log(given / self.reference), every(self.log_odds_ratio.size, CURVE_DRAWS)
        benefit, toxicity = self.benefit.take(keep), self.toxicity.take(keep)
        return band(
            given, benefit.probability(x) - self.toxicity_weight * toxicity.probability(x), self.level
        )

    def association(self) -> Interval:
        """The log odds ratio between benefit and toxicity in the same patient, given exposure."""
        return interval(self.log_odds_ratio, self.level)

    def methods(self) -> tuple[str, ...]:
        """What was done, in sentences for the methods paragraph."""
        return (
            "Benefit and toxicity in the same patients were modelled together: two curves, each logistic "
            "in log exposure or Emax, tied by a global odds ratio (Plackett-Dale); the four pairs were "
            "averaged by leave-one-out prediction (pseudo-BMA+; weights: "
            + "; ".join(f"{m.model} {m.weight:.2f}" for m in self.models)
            + ").",
            "Posteriors by adaptive importance sampling with Pareto-smoothed weights; fewest effective "
            f"draws {min(m.effective_draws for m in self.models):.0f}, largest Pareto k "
            f"{max(m.pareto_k for m in self.models):.2f}.",
            "The window's lower bound is the smallest exposure with P(benefit) >= "
            f"{self.benefit_at_least:g}, its upper bound the largest with P(toxicity) <= "
            f"{self.toxicity_at_most:g}, among exposures from {self.domain[0]:.3g} to "
            f"{self.domain[1]:.3g}; a bound outside these is reported as open.",
            *self.priors.sentences(joint=True, covariates=bool(self.covariate_names)),
        )

    def _margin(self, draws: CurveDraws, exposure: Floats) -> Band:
        given = positive(exposure)
        kept = draws.take(every(len(draws), CURVE_DRAWS))
        return band(given, kept.probability(np.log(given / self.reference)), self.level)


def fit_window(
    exposure: Floats,
    benefit: NDArray[np.generic],
    toxicity: NDArray[np.generic],
    *,
    benefit_at_least: float,
    toxicity_at_most: float,
    rng: np.random.Generator,
    toxicity_weight: float = 1.0,
    within: float = 0.05,
    covariates: Floats | None = None,
    covariate_names: tuple[str, ...] | None = None,
    exposure_nodes: Floats | None = None,
    monotone: bool = True,
    level: float = 0.95,
    n_draws: int = 4000,
    domain_factor: float = DOMAIN_FACTOR,
    priors: Priors | None = None,
    allow_poor: bool = False,
) -> WindowFit:
    """Fit the therapeutic window of `n` patients.

    Parameters: `exposure` `(n,)` positive, in any unit; `benefit` and `toxicity` `(n,)`, boolean or 1, 0
    and NaN for unknown (the other outcome of such a patient still counts); the limits that define the
    window; `toxicity_weight` and `within` of its utility form; the rest as in `fit_curve`. Above
    1,250 patients fewer than 4,000 draws are taken from each pair of curves, 1,000 at least; `models` say
    how many.

    Raises `ValueError` on bad input; `PosteriorError` where a posterior was sampled poorly, unless
    `allow_poor`, in which case `models` say so.
    """
    check_options(level, n_draws)
    for name, value in (("benefit_at_least", benefit_at_least), ("toxicity_at_most", toxicity_at_most)):
        if not 0 < value < 1:
            raise ValueError(f"{name} is {value}, it lies between 0 and 1")
    if not (toxicity_weight > 0 and within > 0):
        raise ValueError(f"toxicity_weight ({toxicity_weight}) and within ({within}) are positive")
    data = exposure_data(exposure, covariates, covariate_names, exposure_nodes)
    x = np.asarray(exposure, dtype=float)
    outcomes = paired_outcomes(benefit, toxicity, x.size)
    believed = stated(priors, monotone)
    joint = sample_joint(data, outcomes, believed, rng=rng, n_draws=n_draws, allow_poor=allow_poor)
    benefit_draws, toxicity_draws = joint.benefit, joint.toxicity
    known_b = np.sort(np.concatenate([outcomes.both, outcomes.benefit_only]))
    known_t = np.sort(np.concatenate([outcomes.both, outcomes.toxicity_only]))
    domain = studied_domain(x, domain_factor)
    b, t = benefit_draws.crossing(benefit_at_least), toxicity_draws.crossing(toxicity_at_most)
    first, last = float(np.log(domain[0] / data.reference)), float(np.log(domain[1] / data.reference))
    inside_from = np.maximum(
        np.where(benefit_draws.slope > 0, b, -np.inf), np.where(toxicity_draws.slope > 0, -np.inf, t)
    )
    inside_to = np.minimum(
        np.where(benefit_draws.slope > 0, np.inf, b), np.where(toxicity_draws.slope > 0, t, np.inf)
    )
    lower = np.where(benefit_draws.slope > 0, b, np.where(b >= first, -np.inf, np.inf))
    upper = np.where(toxicity_draws.slope > 0, t, np.where(t <= last, np.inf, -np.inf))
    exists = np.maximum(inside_from, first) <= np.minimum(inside_to, last)
    return WindowFit(
        exposure=x,
        outcomes=outcomes,
        covariates=data.covariates,
        benefit_at_least=benefit_at_least,
        toxicity_at_most=toxicity_at_most,
        toxicity_weight=toxicity_weight,
        within=within,
        reference=data.reference,
        domain=domain,
        level=level,
        monotone=monotone,
        priors=believed,
        models=joint.models,
        lower=bound(
            lower,
            reference=data.reference,
            domain=domain,
            level=level,
            below=f"P(benefit) is at least {benefit_at_least:g} at the lowest studied exposure already",
            above=f"P(benefit) reaches {benefit_at_least:g} at no studied exposure",
        ),
        upper=bound(
            upper,
            reference=data.reference,
            domain=domain,
            level=level,
            below=f"P(toxicity) exceeds {toxicity_at_most:g} at every studied exposure",
            above=f"P(toxicity) does not exceed {toxicity_at_most:g} at the highest studied exposure",
        ),
        p_exists=float(exists.mean()),
        p_benefit_falls=p_slope_negative(rows(data, known_b), outcomes.benefit[known_b], believed, rng=rng),
        p_toxicity_falls=p_slope_negative(rows(data, known_t), outcomes.toxicity[known_t], believed, rng=rng),
        benefit=benefit_draws,
        toxicity=toxicity_draws,
        log_odds_ratio=joint.log_odds_ratio,
        inside_from=inside_from,
        inside_to=inside_to,
        covariate_names=data.covariate_names,
    )
