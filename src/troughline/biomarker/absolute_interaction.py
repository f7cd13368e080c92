"""Interaction on the absolute scale: time or risk that the treatment gives per unit of marker."""

from __future__ import annotations

import math

import numpy as np

from troughline.biomarker.endpoint import Effect, Endpoint, EndpointError, Flags, Floats


def restricted_mean_interaction(
    endpoint: Endpoint,
    treated: Flags,
    marker: Floats,
    *,
    tau: float,
    adjust: Floats | None = None,
    level: float = 0.95,
) -> tuple[Effect, ...]:
    """Difference of differences in restricted mean survival time, one effect a column of `marker` (n, k).

    The regression of min(T, τ) on treatment, marker and their product, weighted for censoring within each arm
    (`adjusted_restricted_mean`); for an indicator without censoring it is (R₁₁ − R₀₁) − (R₁₀ − R₀₀).

    Its robust error is enlarged by √(m/(m − p)) and judged by a t distribution with m − p degrees of freedom,
    m patients who were not censored before τ and p coefficients: at 100 patients it is too small by itself.

    Raises `EndpointError` for a `tau` beyond the follow-up of either arm or a marker that does not vary.

    Tian and others 2014, doi 10.1093/biostatistics/kxt050.
    """
    from scipy.stats import t as student

    from troughline.survival.adjusted_rmst import adjusted_restricted_mean

    assert endpoint.time is not None
    assert endpoint.event is not None
    x = marker.reshape(endpoint.n, -1)
    k = x.shape[1]
    a = treated.astype(np.float64)[:, np.newaxis]
    extra = np.empty((endpoint.n, 0)) if adjust is None else adjust
    names = [f"x{j}" for j in range(2 * k + extra.shape[1])]
    try:
        fit = adjusted_restricted_mean(
            endpoint.time, endpoint.event, np.where(treated, "treated", "control"),
            np.column_stack((x, a * x, extra)), names, tau=tau, order=("control", "treated"), level=level,
        )  # fmt: skip
    except ValueError as error:
        raise EndpointError(str(error)) from None
    known, size = endpoint.n - fit.n_censored_before_tau, 2 + len(names)
    if known <= size:
        raise EndpointError(f"{known} patients are not censored before {tau:g}, for {size} coefficients")
    enlarged = math.sqrt(known / (known - size))
    width = float(student.ppf((1 + level) / 2, known - size))
    effects: list[Effect] = []
    for t in fit.terms[k : 2 * k]:
        error = t.standard_error * enlarged
        p = 2 * float(student.sf(abs(t.value / error), known - size)) if error > 0 else math.nan
        effects.append(
            Effect(
                value=t.value,
                low=t.value - width * error,
                high=t.value + width * error,
                standard_error=error,
                p_value=p,
            )
        )
    return tuple(effects)


def risk_interaction(
    endpoint: Endpoint, treated: Flags, marker: Floats, *, adjust: Floats | None = None, level: float = 0.95
) -> tuple[Effect, ...]:
    """Difference of risk differences, one effect a column of `marker` (n, k).

    A linear model of the risk with treatment, marker and product, its variance robust (HC3: MacKinnon and
    White 1985, J Econometrics 29:305–325, doi 10.1016/0304-4076(85)90158-7, not confirmed).

    Raises `EndpointError` for collinear columns.
    """
    from scipy.special import ndtr, ndtri

    assert endpoint.event is not None
    x = marker.reshape(endpoint.n, -1)
    k = x.shape[1]
    a = treated.astype(np.float64)[:, np.newaxis]
    extra = np.empty((endpoint.n, 0)) if adjust is None else adjust
    design = np.column_stack((np.ones(endpoint.n), a, x, a * x, extra))
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise EndpointError("the columns are constant or collinear among these patients")
    inverse = np.linalg.inv(design.T @ design)
    y = endpoint.event.astype(np.float64)
    beta = inverse @ (design.T @ y)
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    scaled = (y - design @ beta) / np.maximum(1 - leverage, 1e-9)
    covariance = inverse @ ((design.T * scaled**2) @ design) @ inverse
    width = float(ndtri((1 + level) / 2))
    effects: list[Effect] = []
    for j in range(2 + k, 2 + 2 * k):
        value, error = float(beta[j]), math.sqrt(float(covariance[j, j]))
        p = 2 * float(ndtr(-abs(value / error))) if error > 0 else math.nan
        effects.append(
            Effect(
                value=value,
                low=value - width * error,
                high=value + width * error,
                standard_error=error,
                p_value=p,
            )
        )
    return tuple(effects)
