"""Normalised prediction distribution errors: where observations lie among a model's simulations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.model.records import ABOVE_LIMIT, BELOW_LIMIT, MISSING
from troughline.pk.diagnostics import checked_design, decorrelate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_FOR_SHAPIRO = 5000
"""Beyond this many values the p value of Shapiro and Wilk's test is not accurate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Npde:
    """Errors of each observation, all (n_obs,), NaN where it is missing.

    - `discrepancy`: pd, the share of simulations below the observation; `normalised_discrepancy` its normal
      score. Those of one patient are correlated.
    - `npde`: the same after decorrelation within the patient; standard normal under the model.
    - `prediction`: the median of the simulations (near zero an additive error on the log scale has no mean).
    - `n_simulations`, and `failed`: the patients whose simulations could not be decorrelated.
    """

    discrepancy: Floats
    normalised_discrepancy: Floats
    npde: Floats
    prediction: Floats
    n_simulations: int
    failed: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NpdeTests:
    """Tests of errors against the standard normal distribution; p values two-sided, NaN where too few.

    `mean_p` Wilcoxon's signed-rank test, `variance_p` the χ² test of a variance, `normality_p` by the test
    named in `normality_test`; `global_p` is three times the smallest of them, at most 1 (Bonferroni).
    """

    n: int
    mean: float
    mean_standard_error: float
    variance: float
    variance_standard_error: float
    mean_p: float
    variance_p: float
    normality_p: float
    normality_test: str
    global_p: float


def npde(
    observed: ArrayLike,
    simulated: ArrayLike,
    patient_index: ArrayLike,
    censoring: ArrayLike | None = None,
    limit: ArrayLike | None = None,
    *,
    rng: np.random.Generator,
    smooth: bool = False,
) -> Npde:
    """Prediction discrepancies and, decorrelated within patients, normalised prediction distribution errors.

    With K simulations of the same design, pd = (1/K) Σ 1(y_sim < y) and npde = Φ⁻¹ of the same share after
    observation and simulations of a patient were multiplied by the inverse Cholesky factor of the simulated
    covariance (`decorrelate`, which also says where it departs from the source). A share of 0 becomes
    1/(2K), of 1 becomes 1 − 1/(2K). With many observations shares of few simulations show as steps, which
    the tests see: use 1,000 simulations or more and `smooth`.

    An observation below its limit gets a pd drawn from (0, P(below the limit)) and the value that the
    simulations have there; simulations below the limit are drawn anew in the same way, so that both lost
    the same (doi 10.1007/s10928-012-9264-2). Above an upper limit likewise at the other end.

    Parameters
    - `observed` (n_obs,), in order of time within patients; `simulated` (n_sim, n_obs), 1,000 or more.
    - `patient_index` (n_obs,).
    - `censoring` (n_obs,): 0 quantified, 1 below `limit`, 2 above it, 3 missing; none: all quantified.
    - `limit` (n_obs,) or one number, on the scale of `observed`, NaN for none. It must also be given for
      the quantified records that have one.
    - `rng`: draws the imputed values. `smooth` adds a draw from (0, 1/K) to each share, so that no two are
      alike.

    Raises `ValueError` where shapes do not fit or a censored observation has no limit.
    Sources: doi 10.1007/s11095-006-9067-5, 10.1016/j.cmpb.2007.12.002.
    """
    y, sims, patient = checked_design(observed, simulated, patient_index)
    codes = np.zeros(y.size, np.int64) if censoring is None else np.asarray(censoring, dtype=np.int64)
    limits = np.broadcast_to(np.asarray(np.nan if limit is None else limit, dtype=np.float64), y.shape)
    censored = (codes == BELOW_LIMIT) | (codes == ABOVE_LIMIT)
    if np.any(censored & ~np.isfinite(limits)):
        raise ValueError("a censored observation has no limit")
    y = np.where((codes == MISSING) | ~(np.isfinite(y) | censored), np.nan, y)
    share = np.mean(sims < y, axis=0)
    filled, filled_sims = y, sims
    if np.any(np.isfinite(limits) & (codes != MISSING)):
        filled, filled_sims, imputed = _imputed(y, sims, codes, limits, rng)
        share = np.where(censored, imputed, share)
    plain = decorrelate(filled, filled_sims, patient)
    there = np.isfinite(filled)
    pd = _inside(np.where(there, share, np.nan), sims.shape[0], rng if smooth else None, ~censored)
    pde = np.where(np.isfinite(plain.observed), np.mean(plain.simulated < plain.observed, axis=0), np.nan)
    return Npde(
        discrepancy=pd,
        normalised_discrepancy=_normal_score(pd),
        npde=_normal_score(_inside(pde, sims.shape[0], rng if smooth else None)),
        prediction=np.median(sims, axis=0),
        n_simulations=sims.shape[0],
        failed=plain.failed,
    )


def npde_tests(errors: ArrayLike) -> NpdeTests:
    """Test errors (n,) against the standard normal distribution; values that are not finite are left out.

    Normality by Shapiro and Wilk, beyond 5,000 values by D'Agostino and Pearson.
    Source: doi 10.1016/j.cmpb.2007.12.002.
    """
    from scipy import stats

    x = np.asarray(errors, dtype=np.float64)
    x = x[np.isfinite(x)]
    n = x.size
    mean = float(x.mean()) if n else np.nan
    variance = float(x.var(ddof=1)) if n > 1 else np.nan
    ps = [np.nan, np.nan, np.nan]
    name = "Shapiro–Wilk" if n <= MOST_FOR_SHAPIRO else "D'Agostino–Pearson"
    if n >= 3 and variance > 0:
        chi = stats.chi2(n - 1)
        statistic = (n - 1) * variance
        normality = stats.shapiro(x) if n <= MOST_FOR_SHAPIRO else stats.normaltest(x)
        ps = [
            float(stats.wilcoxon(x, method="approx").pvalue),
            float(min(1.0, 2.0 * min(chi.cdf(statistic), chi.sf(statistic)))),
            float(normality.pvalue),
        ]
    return NpdeTests(
        n=n,
        mean=mean,
        mean_standard_error=float(np.sqrt(variance / n)) if n > 1 else np.nan,
        variance=variance,
        variance_standard_error=float(variance * np.sqrt(2.0 / (n - 1))) if n > 1 else np.nan,
        mean_p=ps[0],
        variance_p=ps[1],
        normality_p=ps[2],
        normality_test=name,
        global_p=min(1.0, 3.0 * min(ps)) if np.isfinite(ps[0]) else np.nan,
    )


def _imputed(
    y: Floats, sims: Floats, codes: Ints, limits: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Observations and simulations with what lies past a limit drawn anew, and the pd drawn (n_obs,)."""
    y, sims, share = y.copy(), sims.copy(), np.full(y.size, np.nan)
    for j in np.flatnonzero(np.isfinite(limits) & (codes != MISSING)):
        # An upper limit is the lower limit of the negative values.
        sign = -1.0 if codes[j] == ABOVE_LIMIT else 1.0
        column, limit = sign * sims[:, j], sign * limits[j]
        past = column < limit
        ladder = np.append(np.sort(column[past]), limit)
        n_past = ladder.size - 1
        if codes[j] in (BELOW_LIMIT, ABOVE_LIMIT):
            place = rng.uniform(0.0, n_past)
            y[j] = sign * float(_on_ladder(ladder, np.array([place]))[0])
            below = place / sims.shape[0]
            share[j] = below if sign > 0 else 1.0 - below
        sims[past, j] = sign * _on_ladder(ladder, rng.uniform(0.0, n_past, n_past))
    return y, sims, share


def _on_ladder(ladder: Floats, place: Floats) -> Floats:
    """The value at `place` between the rungs of `ladder`: rung k at k, linear between them."""
    return np.interp(place, np.arange(ladder.size), ladder)


def _inside(
    share: Floats, n: int, rng: np.random.Generator | None, smoothed: NDArray[np.bool_] | None = None
) -> Floats:
    """Shares of n simulations moved off 0 and 1; with `rng` spread over the step each stands for."""
    if rng is not None:
        spread = np.minimum(share, 1.0 - 1.0 / n) + rng.uniform(0.0, 1.0 / n, share.size)
        share = spread if smoothed is None else np.where(smoothed, spread, share)
    edge = 0.5 / n
    return np.where(share <= 0.0, edge, np.where(share >= 1.0, 1.0 - edge, share))


def _normal_score(share: Floats) -> Floats:
    from scipy.special import ndtri

    return np.asarray(ndtri(share), dtype=np.float64)
