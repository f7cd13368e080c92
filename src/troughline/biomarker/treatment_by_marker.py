"""Treatment × marker: what the treatment does at each level of a marker, and the marker without it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from troughline.biomarker.endpoint import Effect, Endpoint, EndpointError, Flags, Floats, Regression


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentByMarker:
    """An interaction model: treated (0/1), the marker's columns, their products, and adjusting covariates.

    `interaction`: one effect a column of the marker; its exponential is the ratio of hazard (odds) ratios, or
    it is itself the difference of differences. `prognostic` is the marker's effect in the control arm,
    `in_treated` that in the treated arm. `p_value` tests all interaction columns at once (`freedom` of them),
    `p_prognostic` all columns of the marker in the control arm.
    """

    interaction: tuple[Effect, ...]
    prognostic: tuple[Effect, ...]
    in_treated: tuple[Effect, ...]
    p_value: float
    p_prognostic: float
    freedom: int
    fit: Regression
    n_columns: int

    def treatment_at(self, marker: Floats) -> Effect:
        """The treatment effect at marker columns `marker` (k,), in the coding of the fit."""
        weights = np.zeros(len(self.fit.names))
        weights[0] = 1.0
        weights[1 + self.n_columns : 1 + 2 * self.n_columns] = marker
        return self.fit.effect(weights)


def treatment_by_marker(
    endpoint: Endpoint,
    treated: Flags,
    marker: Floats,
    names: Sequence[str],
    *,
    adjust: Floats | None = None,
    adjust_names: Sequence[str] = (),
    level: float = 0.95,
) -> TreatmentByMarker:
    """Fit treatment, marker and their product.

    Parameters: `treated` (n,); `marker` (n, k) one column for a number (in the unit in which effects are to
    be read, centred or not), L − 1 indicators for a category of L levels; `names` (k,); `adjust` (n, q).

    η = β·A + Σ γⱼ Mⱼ + Σ δⱼ A·Mⱼ + xᵀα: exp(δ) is the ratio of the treatment's hazard (odds) ratios at two
    levels one unit apart. One column is tested by Wald (or the profile of Firth's penalised likelihood), so
    that test and interval agree; several by the likelihood ratio (Wald where the fit is penalised).

    Raises `EndpointError` for one arm only, a constant marker, or a fit without an answer.
    """
    x = np.asarray(marker, dtype=np.float64).reshape(endpoint.n, -1)
    a = np.asarray(treated, dtype=np.float64)
    if not (a.any() and (a == 0).any()):
        raise EndpointError("only one arm: the treatment has no effect to speak of")
    if not np.all(np.ptp(x, axis=0) > 0):
        raise EndpointError("the marker is the same in every patient")
    k = x.shape[1]
    extra = np.empty((endpoint.n, 0)) if adjust is None else adjust
    terms = ("treated", *names, *(f"treated × {n}" for n in names), *adjust_names)
    fit = endpoint.regress(np.column_stack((a, x, a[:, np.newaxis] * x, extra)), terms, level=level)

    def weights(*places: int) -> Floats:
        w = np.zeros(len(terms))
        w[list(places)] = 1.0
        return w

    interaction = tuple(fit.effect(weights(1 + k + j)) for j in range(k))
    prognostic = tuple(fit.effect(weights(1 + j)) for j in range(k))
    p, p_prognostic = interaction[0].p_value, prognostic[0].p_value
    if k > 1:
        more = ("treated", *names, *adjust_names)
        p = _joint(endpoint, fit, np.column_stack((a, x, extra)), more, slice(1 + k, 1 + 2 * k))
        without = np.column_stack((a, a[:, np.newaxis] * x, extra))
        p_prognostic = _joint(endpoint, fit, without, more, slice(1, 1 + k))
    return TreatmentByMarker(
        interaction=interaction,
        prognostic=prognostic,
        in_treated=tuple(fit.effect(weights(1 + j, 1 + k + j)) for j in range(k)),
        p_value=p,
        p_prognostic=p_prognostic,
        freedom=k,
        fit=fit,
        n_columns=k,
    )


def _joint(endpoint: Endpoint, fit: Regression, without: Floats, names: Sequence[str], rows: slice) -> float:
    """The test of the coefficients `rows` at once: against the design `without` them, or by Wald."""
    from scipy.special import chdtrc

    k = int(rows.stop - rows.start)
    if not fit.penalised:
        less = endpoint.regress(without, names)
        if not less.penalised:
            return float(chdtrc(k, max(0.0, 2 * (fit.log_likelihood - less.log_likelihood))))
    d, v = fit.coefficients[rows], fit.covariance[rows, rows]
    return float(chdtrc(k, float(d @ np.linalg.solve(v, d))))


def detectable(standard_error: float, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest interaction, on the scale of the linear predictor, seen with `power` at two-sided `alpha`.

    δ = (z₁₋α/₂ + z_power) · SE (Brookes and others 2004, doi 10.1016/j.jclinepi.2003.08.009).
    """
    from scipy.special import ndtri

    return (float(ndtri(1 - alpha / 2)) + float(ndtri(power))) * standard_error


def one_significant_only(effect: float, errors: tuple[float, float], alpha: float = 0.05) -> float:
    """How often just one of two subgroups is significant when both have the same `effect`.

    Each estimate is normal with its own standard error; p₁(1 − p₂) + p₂(1 − p₁) for the powers p.
    """
    from scipy.special import ndtr, ndtri

    z = float(ndtri(1 - alpha / 2))
    powers = [
        float(ndtr(-z - effect / e) + ndtr(effect / e - z)) if e > 0 and math.isfinite(e) else 0.0
        for e in errors
    ]
    return powers[0] * (1 - powers[1]) + powers[1] * (1 - powers[0])
