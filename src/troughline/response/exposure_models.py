"""The shapes that P(outcome | exposure) may take: logistic in log exposure, and Emax in exposure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from troughline.response.logistic import sigmoid
from troughline.response.priors import Priors, normal_log_density

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureData:
    """Exposures as the models see them.

    `reference` is the geometric mean in the caller's unit; `log_exposure` `(n,)` is `log(exposure /
    reference)`; `covariates` `(n, p)` have mean 0 and standard deviation 1, `covariate_mean` and
    `covariate_sd` `(p,)` undo that. `nodes` `(n, k)`, where exposures are uncertain, are equally likely log
    exposures of each patient around `log_exposure`; None where exposures are known.
    """

    reference: float
    log_exposure: Floats
    covariates: Floats
    covariate_names: tuple[str, ...]
    covariate_mean: Floats
    covariate_sd: Floats
    nodes: Floats | None = None

    @property
    def certain(self) -> ExposureData:
        """The same with each exposure taken as known."""
        return self if self.nodes is None else replace(self, nodes=None)

    def averaged(self, log_likelihood: Callable[[ExposureData], Floats]) -> Floats:
        """The log of each patient's likelihood averaged over the nodes, `(n_draws, n)`.

        `log (1/k) Σ p(outcome | exposure node)`: what is known of the exposure integrated out, so that
        the outcome too tells of it. `log_likelihood` gives `(n_draws, n)` at known exposures.
        """
        if self.nodes is None:
            return log_likelihood(self)
        n_nodes = int(self.nodes.shape[1])
        total = np.exp(log_likelihood(self._at(0)))
        for k in range(1, n_nodes):
            total += np.exp(log_likelihood(self._at(k)))
        with np.errstate(divide="ignore"):
            return np.log(total / n_nodes)

    def _at(self, node: int) -> ExposureData:
        assert self.nodes is not None
        return replace(self, log_exposure=self.nodes[:, node], nodes=None)


def exposure_data(
    exposure: Floats,
    covariates: Floats | None = None,
    covariate_names: tuple[str, ...] | None = None,
    nodes: Floats | None = None,
) -> ExposureData:
    """Centre log exposures `(n,)` and standardise covariates `(n, p)`.

    `nodes` `(n, k)`: equally likely exposures of each patient, where they are uncertain. Raises `ValueError`
    where an exposure is not positive and finite, where all are equal, or where a covariate is missing in a
    patient or the same in all.
    """
    x = np.asarray(exposure, dtype=float)
    if x.ndim != 1:
        raise ValueError(f"exposure has {x.ndim} dimension(s), 1 is needed")
    bad = ~(np.isfinite(x) & (x > 0))
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"exposure of patient {first} (counted from 0) is {x[first]}, positive numbers are needed"
        )
    if x.size < 2 or x.max() == x.min():
        raise ValueError("at least two different exposures are needed")
    around = None if nodes is None else np.asarray(nodes, dtype=float)
    if around is not None and (
        around.ndim != 2 or around.shape[0] != x.size or not (np.isfinite(around) & (around > 0)).all()
    ):
        raise ValueError(
            f"exposure nodes have shape {around.shape}; positive numbers ({x.size}, k) are needed"
        )
    centre = float(np.log(x).mean())
    z = np.empty((x.size, 0)) if covariates is None else np.asarray(covariates, dtype=float)
    if z.ndim != 2 or z.shape[0] != x.size:
        raise ValueError(f"covariates have shape {z.shape}, ({x.size}, number of covariates) is needed")
    names = covariate_names if covariate_names is not None else tuple(f"z{j}" for j in range(z.shape[1]))
    if len(names) != z.shape[1]:
        raise ValueError(f"{len(names)} names for {z.shape[1]} covariates")
    for j, name in enumerate(names):
        missing = int((~np.isfinite(z[:, j])).sum())
        if missing:
            raise ValueError(f"covariate {name} is missing or infinite in {missing} patients")
        if z[:, j].max() == z[:, j].min():
            raise ValueError(f"covariate {name} is the same in all {x.size} patients")
    mean, sd = z.mean(axis=0), z.std(axis=0, ddof=1)
    return ExposureData(
        reference=float(np.exp(centre)),
        log_exposure=np.log(x) - centre,
        covariates=(z - mean) / sd,
        covariate_names=names,
        covariate_mean=mean,
        covariate_sd=sd,
        nodes=None if around is None else np.log(around) - centre,
    )


@dataclass(frozen=True, slots=True)
class ExposureModel:
    """A shape of the curve on the log-odds scale: `logit P = a + s g(x) + z c`.

    `x` is the log exposure relative to the reference, `a` the log odds and `s` the slope per e-fold there,
    `z` the covariates. For `logistic`, `g(x) = x`. For `emax`, with `k` the half-effect exposure relative
    to the reference and `e = exp(x)`, `g(x) = (e - 1)(1 + k) / (e + k)`, which is `E0 + Emax C / (EC50 +
    C)` written by its height and slope at the reference: `Emax = s (1 + k)^2 / k`. Emax nears a straight
    line in exposure where `k` is large and a plateau where it is small.

    Parameters are sampled unbounded, in the order `a`, `v` with `s = positive_slope(v)` (`s` itself where
    both signs are allowed), `log k` (Emax alone), `c`; densities include the Jacobian of that.
    """

    name: str

    @property
    def n_shape(self) -> int:
        """How many parameters come before the covariates'."""
        return 3 if self.name == "emax" else 2

    def log_odds(self, draws: Floats, data: ExposureData, *, monotone: bool) -> Floats:
        """The log odds of the outcome `(n_draws, n_patients)` at draws `(n_draws, n_parameters)`."""
        slope = positive_slope(draws[:, 1])[0] if monotone else draws[:, 1]
        half = np.exp(draws[:, 2]) if self.name == "emax" else None
        eta = curve_log_odds(data.log_exposure, draws[:, 0], slope, half)
        if data.covariates.shape[1]:
            eta += draws[:, self.n_shape :] @ data.covariates.T
        return eta

    def log_prior(self, draws: Floats, priors: Priors) -> Floats:
        """The log prior density `(n_draws,)` in the sampled parameters, Jacobian included."""
        value = normal_log_density(draws[:, 0], priors.intercept_sd)
        if priors.monotone:
            slope, log_rate = positive_slope(draws[:, 1])
            value += normal_log_density(slope, priors.slope_sd) + np.log(2) + log_rate
        else:
            value += normal_log_density(draws[:, 1], priors.slope_sd)
        if self.name == "emax":
            value += normal_log_density(draws[:, 2], priors.half_effect_sd)
        return value + normal_log_density(draws[:, self.n_shape :], priors.covariate_sd).sum(axis=1)

    def log_posterior_gradient(
        self, parameters: Floats, data: ExposureData, outcome: NDArray[np.bool_], priors: Priors
    ) -> Floats:
        """The gradient `(n_parameters,)` of log likelihood plus log prior at one point."""
        a = parameters[0]
        if priors.monotone:
            slope, rate, log_rate_change = _slope_derivatives(float(parameters[1]))
        else:
            slope, rate, log_rate_change = float(parameters[1]), 1.0, 0.0
        shape = self.n_shape
        x = data.log_exposure
        if self.name == "emax":
            k, c = float(np.exp(parameters[2])), np.exp(x)
            g = (c - 1) * (1 + k) / (c + k)
        else:
            k, c, g = 0.0, x, x
        rows = [np.ones_like(x), rate * g]
        prior = [-a / priors.intercept_sd**2, -slope / priors.slope_sd**2 * rate + log_rate_change]
        if self.name == "emax":
            rows.append(slope * k * ((c - 1) / (c + k)) ** 2)
            prior.append(-parameters[2] / priors.half_effect_sd**2)
        covariate = parameters[shape:]
        eta = a + slope * g + data.covariates @ covariate
        residual = outcome - sigmoid(eta)
        likelihood = np.concatenate([np.stack(rows) @ residual, residual @ data.covariates])
        return likelihood + np.concatenate([prior, -covariate / priors.covariate_sd**2])


LOGISTIC = ExposureModel("logistic")
EMAX = ExposureModel("emax")
MODELS = (LOGISTIC, EMAX)


def positive_slope(v: Floats) -> tuple[Floats, Floats]:
    """A positive slope from an unbounded parameter, and the log of its derivative.

    `s = log(1 + exp(w))` with `w = v - q^2 / 2` and `q = log(1 + exp(-2 v)) / 2`: near `v` itself where `v`
    is large, and falling like `exp(-v^2 / 2)` towards 0. A prior with mass at 0 so keeps the light tail that
    importance sampling needs (under a plain logarithm it would be exponential), and a slope far from 0
    keeps its shape.
    """
    q = 0.5 * np.logaddexp(0.0, -2 * v)
    w = v - 0.5 * q**2
    slope = np.logaddexp(0.0, w)
    return slope, w - slope + np.log1p(q * sigmoid(-2 * v))


def _slope_derivatives(v: float) -> tuple[float, float, float]:
    """`s`, `ds/dv` and `d log(ds/dv)/dv` of `positive_slope`."""
    q, share = 0.5 * float(np.logaddexp(0.0, -2 * v)), float(sigmoid(np.array(-2 * v)))
    w = v - 0.5 * q**2
    slope, ratio = float(np.logaddexp(0.0, w)), 1 + q * share
    return (
        slope,
        float(np.exp(w - slope)) * ratio,
        float(np.exp(-slope)) * ratio - share * (share + 2 * q * (1 - share)) / ratio,
    )


def curve_log_odds(
    log_exposure: Floats, intercept: Floats, slope: Floats, half_effect: Floats | None
) -> Floats:
    """`a + s g(x)` for draws `(n_draws,)` at log exposures `(m,)`, as `(n_draws, m)`.

    `half_effect` `(n_draws,)` is the Emax curve's half-effect exposure relative to the reference; None
    stands for the logistic curve.
    """
    if half_effect is None:
        return intercept[:, None] + slope[:, None] * log_exposure
    ratio = np.exp(log_exposure)
    k = half_effect[:, None]
    return intercept[:, None] + (slope * (1 + half_effect))[:, None] * ((ratio - 1) / (ratio + k))


def log_exposure_at(log_odds: Floats, intercept: Floats, slope: Floats, half_effect: Floats | None) -> Floats:
    """The log exposure at which a curve reaches given log odds; all arrays `(n_draws,)`.

    Minus infinity where the curve is beyond them at every exposure on the side of low exposure, plus
    infinity where it does not reach them at any; with a negative slope the two change places.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        step = (log_odds - intercept) / slope
        if half_effect is None:
            return step
        k = half_effect
        above, below = 1 + k + step * k, 1 + k - step
        inner = np.log(np.maximum(above, 0.0)) - np.log(np.maximum(below, 0.0))
    return np.where(below <= 0, np.inf, np.where(above <= 0, -np.inf, inner))
