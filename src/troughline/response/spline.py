"""Hazard against exposure without a cut: a restricted cubic spline in log exposure in a Cox regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from troughline.survival.cox import CoxFit, checked_covariates, fit_cox, null_log_likelihood
from troughline.survival.times import FloatArray

_KNOT_QUANTILES: dict[int, tuple[float, ...]] = {
    3: (0.1, 0.5, 0.9),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.5, 0.725, 0.95),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodRatio:
    """A likelihood-ratio test between nested Cox regressions."""

    statistic: float
    degrees_of_freedom: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardRatioCurve:
    """Hazard ratio against `reference_exposure` at each `exposure` (k,), with a pointwise interval."""

    exposure: FloatArray
    hazard_ratio: FloatArray
    low: FloatArray
    high: FloatArray
    reference_exposure: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SplineFit:
    """A spline Cox regression; `knots` (k,) are exposures. The spline's terms come first in `cox`.

    `overall` tests exposure against no exposure; `nonlinearity` tests the curve against a straight line in
    log exposure; both with the same covariates on either side.
    """

    cox: CoxFit
    knots: FloatArray
    reference_exposure: float
    overall: LikelihoodRatio
    nonlinearity: LikelihoodRatio

    def hazard_ratio(
        self, exposure: ArrayLike, *, reference_exposure: float | None = None, level: float = 0.95
    ) -> HazardRatioCurve:
        """The hazard ratio at `exposure` (k,) against the reference (none: that of the fit).

        HR(x) = exp{[b(log x) − b(log x₀)]ᵀ β}, its variance from the covariance of β. Raises `ValueError`
        for an exposure that is not above 0.
        """
        from scipy.special import ndtri

        asked = _positive("exposure", np.atleast_1d(np.asarray(exposure, dtype=np.float64)))
        reference = self.reference_exposure if reference_exposure is None else reference_exposure
        _positive("reference_exposure", np.asarray([reference], dtype=np.float64))
        knots = np.log(self.knots)
        difference = restricted_cubic_basis(np.log(asked), knots) - restricted_cubic_basis(
            np.log([reference]), knots
        )
        m = difference.shape[1]
        log_ratio = difference @ self.cox.coefficients[:m]
        variance = np.einsum("ij,jk,ik->i", difference, self.cox.covariance[:m, :m], difference)
        half = float(ndtri((1 + level) / 2)) * np.sqrt(np.maximum(variance, 0.0))
        return HazardRatioCurve(
            exposure=asked,
            hazard_ratio=np.exp(log_ratio),
            low=np.exp(log_ratio - half),
            high=np.exp(log_ratio + half),
            reference_exposure=float(reference),
            level=level,
        )


def harrell_knots(values: ArrayLike, count: int) -> FloatArray:
    """Knots (count,) of `values` (n,) at quantiles .1 .5 .9, .05 .35 .65 .95 or .05 .275 .5 .725 .95.

    Raises `ValueError` for a count other than 3, 4 or 5 and where two knots coincide.

    Harrell 2015, doi 10.1007/978-3-319-19425-7, table 2.3.
    """
    if count not in _KNOT_QUANTILES:
        raise ValueError(f"{count} knots: 3, 4 or 5 are possible")
    knots = np.quantile(np.asarray(values, dtype=np.float64), _KNOT_QUANTILES[count])
    return _rising(knots)


def restricted_cubic_basis(values: ArrayLike, knots: ArrayLike) -> FloatArray:
    """Basis (n, k − 1) of the cubic splines that are linear beyond the outer knots (k,).

    The first column is the value itself. With knots t_1 < … < t_k and (u)₊ = max(u, 0), column j + 1 is
    [(x − t_j)₊³ − (x − t_{k−1})₊³ (t_k − t_j)/(t_k − t_{k−1}) + (x − t_k)₊³ (t_{k−1} − t_j)/(t_k − t_{k−1})]
    / (t_k − t_1)², j = 1 … k − 2 (Durrleman and Simon 1989, doi 10.1002/sim.4780080504).

    Raises `ValueError` for fewer than three knots or knots that do not rise.
    """
    x = np.asarray(values, dtype=np.float64)
    t = _rising(np.asarray(knots, dtype=np.float64))
    if t.size < 3:
        raise ValueError(f"{t.size} knots; a restricted cubic spline needs three")
    last, before = t[-1], t[-2]

    def cube(knot: float) -> FloatArray:
        return np.maximum(x - knot, 0.0) ** 3

    columns = [x]
    for knot in t[:-2].tolist():
        bend = (
            cube(knot)
            - cube(before) * (last - knot) / (last - before)
            + cube(last) * (before - knot) / (last - before)
        )
        columns.append(bend / (last - t[0]) ** 2)
    return np.stack(columns, axis=-1)


def fit_spline_cox(
    time: ArrayLike,
    event: ArrayLike,
    exposure: ArrayLike,
    *,
    knots: int | Sequence[float] = 3,
    reference_exposure: float | None = None,
    covariates: ArrayLike | None = None,
    covariate_names: Sequence[str] = (),
    entry: ArrayLike | None = None,
    level: float = 0.95,
) -> SplineFit:
    """Fit a restricted cubic spline in log `exposure` (n,), adjusted for `covariates` (n, p).

    `knots` is a number (3, 4, 5: `harrell_knots`) or the exposures themselves; `reference_exposure`
    defaults to the median.

    Raises `ValueError` for an exposure that is not above 0, naming its index, and what `harrell_knots`,
    `restricted_cubic_basis` and `fit_cox` raise (`SeparationError`, `CoxFitError`).
    """
    levels = np.asarray(exposure, dtype=np.float64)
    log_exposure = np.log(_positive("exposure", levels))
    if isinstance(knots, int):
        log_knots = harrell_knots(log_exposure, knots)
    else:
        log_knots = np.log(_positive("knots", np.asarray(knots, dtype=np.float64)))
    basis = restricted_cubic_basis(log_exposure, log_knots)
    fixed = np.zeros((levels.size, 0))
    if covariate_names or covariates is not None:
        fixed = checked_covariates(() if covariates is None else covariates, covariate_names, levels.size)
    names = ("log exposure", *(f"spline {j}" for j in range(1, basis.shape[1])), *covariate_names)
    full = fit_cox(time, event, np.hstack((basis, fixed)), names, entry=entry, level=level)
    line = fit_cox(
        time,
        event,
        np.hstack((basis[:, :1], fixed)),
        ("log exposure", *covariate_names),
        entry=entry,
        level=level,
    )
    if covariate_names:
        without = fit_cox(time, event, fixed, covariate_names, entry=entry, level=level).log_likelihood
    else:
        without = null_log_likelihood(time, event, entry=entry)
    reference = float(np.median(levels)) if reference_exposure is None else float(reference_exposure)
    _positive("reference_exposure", np.asarray([reference]))
    return SplineFit(
        cox=full,
        knots=np.exp(log_knots),
        reference_exposure=reference,
        overall=_likelihood_ratio(full.log_likelihood, without, basis.shape[1]),
        nonlinearity=_likelihood_ratio(full.log_likelihood, line.log_likelihood, basis.shape[1] - 1),
    )


def _likelihood_ratio(larger: float, smaller: float, degrees_of_freedom: int) -> LikelihoodRatio:
    from scipy.special import chdtrc

    statistic = 2 * (larger - smaller)
    return LikelihoodRatio(
        statistic=statistic,
        degrees_of_freedom=degrees_of_freedom,
        p_value=float(chdtrc(degrees_of_freedom, max(statistic, 0.0))),
    )


def _positive(name: str, values: FloatArray) -> FloatArray:
    bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if bad.size:
        i = int(bad[0])
        raise ValueError(f"{name}[{i}] = {values[i]:g} is not a finite number above 0")
    return values


def _rising(knots: FloatArray) -> FloatArray:
    if not (np.all(np.isfinite(knots)) and np.all(np.diff(knots) > 0)):
        shown = ", ".join(f"{k:g}" for k in knots.tolist())
        raise ValueError(f"knots {shown} do not rise; too few different values for this many knots")
    return knots
