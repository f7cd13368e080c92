"""Linear regression of a marker whose values may only be known to lie below or above a limit (Tobit).

One value a patient. For several values a patient see `troughline.biomarker.paired_tobit`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MAX_ITERATIONS = 100
TOLERANCE = 1e-10
FEWEST_MEASURED = 3


class NoCensoredEstimate(ValueError):
    """The likelihood has no finite maximum, or too few values were measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CensoredFit:
    """A censored regression: coefficients (p,) in the order of the design, their standard errors, and σ.

    `n_below` and `n_above` values lie beyond a limit; `df` are the patients less the coefficients, for the t
    distribution of the intervals.
    """

    coefficients: Floats
    standard_errors: Floats
    sigma: float
    log_likelihood: float
    n: int
    n_below: int
    df: int
    n_above: int = 0

    def interval(self, j: int, *, level: float = 0.95) -> tuple[float, float]:
        """The interval of coefficient `j`."""
        from scipy.stats import t as student

        half = float(student.ppf(0.5 + level / 2, self.df)) * float(self.standard_errors[j])
        return float(self.coefficients[j]) - half, float(self.coefficients[j]) + half

    def p_value(self, j: int) -> float:
        """The two-sided p-value of coefficient `j`."""
        from scipy.stats import t as student

        return 2 * float(student.sf(abs(self.coefficients[j] / self.standard_errors[j]), self.df))


def fit_tobit(values: Floats, below: Flags, design: Floats, *, above: Flags | None = None) -> CensoredFit:
    """Maximum likelihood of y = x β + σ ε, ε standard normal, y under `values` if `below`, over if `above`.

    `values`, `below`, `above` (n,), `design` (n, p) with its intercept. Standard errors from the observed
    information times √(n / (n − p)), so that without values beyond a limit they are those of least squares.
    Newton's method in Olsen's parameters β/σ and 1/σ, in which the log-likelihood is concave.
    Raises `NoCensoredEstimate` with fewer than three measured values, fewer patients than coefficients, or
    where no finite maximum exists; `ValueError` for shapes that do not fit.
    Source: Tobin 1958, doi 10.2307/1907382; Olsen 1978, doi 10.2307/1913082 (not confirmed).
    """
    y, less = np.asarray(values, dtype=np.float64), np.asarray(below, dtype=np.bool_)
    more = np.zeros(y.shape, dtype=np.bool_) if above is None else np.asarray(above, dtype=np.bool_)
    n, p = design.shape
    if y.shape != (n,) or less.shape != (n,) or more.shape != (n,):
        raise ValueError(f"values {y.shape}, below {less.shape} and design {design.shape} do not fit")
    if (less & more).any():
        raise ValueError("a value lies below its limit or above it, not both")
    side = less.astype(np.float64) - more.astype(np.float64)
    measured = int((side == 0).sum())
    if measured < max(FEWEST_MEASURED, p + 1):
        raise NoCensoredEstimate(f"{measured} measured values for {p} coefficients")
    start = np.linalg.lstsq(design, y, rcond=None)[0]
    spread = float(np.sqrt(np.mean((y - design @ start) ** 2)))
    if spread <= 1e-12 * max(1.0, float(np.abs(y).max())):
        raise NoCensoredEstimate("the values lie on the line: there is no scatter to judge it by")
    at: Floats = np.append(start / spread, 1.0 / spread).astype(np.float64)
    value, gradient, hessian = _derivatives(at, y, side, design)
    for _ in range(MAX_ITERATIONS):
        try:
            step = np.linalg.solve(-hessian, gradient)
        except np.linalg.LinAlgError:
            raise NoCensoredEstimate("the information of the censored regression is singular") from None
        size = 1.0
        while size > 1e-8:
            trial: Floats = at + size * step
            if trial[-1] > 0:
                tried = _derivatives(trial, y, side, design)
                if tried[0] >= value - 1e-12 * abs(value):
                    break
            size /= 2
        else:
            raise NoCensoredEstimate("the censored likelihood could not be maximised")
        at = trial
        value, gradient, hessian = tried
        if np.abs(size * step).max() < TOLERANCE * (1.0 + np.abs(at).max()):
            break
    else:
        raise NoCensoredEstimate(
            "the censored likelihood did not converge: all values beyond a limit share a side"
        )
    sigma = 1.0 / float(at[-1])
    covariance = np.linalg.inv(-hessian)
    # β = δ / θ: its derivative by (δ, θ).
    jacobian = np.column_stack([np.eye(p) * sigma, -at[:-1] * sigma**2])
    errors = np.sqrt(np.diag(jacobian @ covariance @ jacobian.T)) * math.sqrt(n / (n - p))
    return CensoredFit(
        coefficients=at[:-1] * sigma,
        standard_errors=errors,
        sigma=sigma,
        log_likelihood=value,
        n=n,
        n_below=int(less.sum()),
        df=n - p,
        n_above=int(more.sum()),
    )


def _derivatives(at: Floats, y: Floats, side: Floats, design: Floats) -> tuple[float, Floats, Floats]:
    """The log-likelihood with its derivatives; `side` (n,) is 1 below a limit, −1 above one, else 0."""
    from scipy.special import log_ndtr

    theta = float(at[-1])
    rest = theta * y - design @ at[:-1]
    beyond = side != 0
    # P(y < limit) = Φ(rest), P(y > limit) = Φ(−rest).
    seen, hidden = rest[~beyond], (side * rest)[beyond]
    log_cdf = log_ndtr(hidden)
    constant = 0.5 * math.log(2 * math.pi)
    value = float((math.log(theta) - constant - 0.5 * seen**2).sum() + log_cdf.sum())
    mills = np.exp(-0.5 * hidden**2 - constant - log_cdf)
    # rest = D (δ, θ)′ with D = (−x, y).
    rows = np.column_stack([-design, y])
    first = np.where(beyond, 0.0, -rest)
    first[beyond] = side[beyond] * mills
    second = np.full(y.size, -1.0)
    second[beyond] = -mills * (hidden + mills)
    gradient = rows.T @ first
    gradient[-1] += seen.size / theta
    hessian = (rows * second[:, None]).T @ rows
    hessian[-1, -1] -= seen.size / theta**2
    return value, gradient, hessian
