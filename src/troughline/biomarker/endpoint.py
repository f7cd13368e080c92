"""An endpoint of any of three kinds, and one regression call for all: hazard, odds or mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Kind = Literal["survival", "binary", "continuous"]


class EndpointError(ValueError):
    """A regression on an endpoint that has no answer in these data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One effect on the scale of the linear predictor (log ratio, or a difference of means)."""

    value: float
    low: float
    high: float
    standard_error: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """A fitted regression without its intercept: `coefficients` (p,), `covariance` (p, p), by `names` (p,).

    `penalised` marks Firth's penalty, used where ordinary likelihood has no maximum; `exact` then holds the
    profile intervals and tests of single coefficients (p, 3). `freedom` is that of the t distribution of a
    difference of means, infinite otherwise.
    """

    names: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    log_likelihood: float
    penalised: bool
    exact: Floats | None
    freedom: float
    level: float

    def effect(self, weights: Floats) -> Effect:
        """The linear combination `weights` (p,) of the coefficients, with its interval and test."""
        value = float(weights @ self.coefficients)
        error = math.sqrt(max(float(weights @ self.covariance @ weights), 0.0))
        single = np.flatnonzero(weights)
        if self.exact is not None and single.size == 1 and weights[single[0]] == 1.0:
            low, high, p = (float(v) for v in self.exact[single[0]])
            return Effect(value=value, low=low, high=high, standard_error=error, p_value=p)
        from scipy.stats import norm
        from scipy.stats import t as student

        if error == 0:
            return Effect(value=value, low=math.nan, high=math.nan, standard_error=0.0, p_value=math.nan)
        if math.isfinite(self.freedom):
            width = float(student.ppf((1 + self.level) / 2, self.freedom))
            p = 2 * float(student.sf(abs(value / error), self.freedom))
        else:
            width = float(norm.ppf((1 + self.level) / 2))
            p = 2 * float(norm.sf(abs(value / error)))
        return Effect(
            value=value, low=value - width * error, high=value + width * error, standard_error=error,
            p_value=p,
        )  # fmt: skip

    def named(self, name: str) -> Effect:
        """The effect of one term. Raises `KeyError` where there is none of that name."""
        if name not in self.names:
            raise KeyError(f"no term {name!r} in this regression")
        return self.effect(np.array([float(n == name) for n in self.names]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What is counted in n patients: `time` and `event` (survival), `event` (binary) or `value` (continuous).

    Times are in the unit of the question; a `value` in that of its covariate.
    """

    kind: Kind
    time: Floats | None = None
    event: Flags | None = None
    value: Floats | None = None

    @property
    def n(self) -> int:
        """How many patients."""
        array = self.value if self.event is None else self.event
        return 0 if array is None else int(array.size)

    def of(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Endpoint:
        """The same endpoint in some of the patients."""
        return Endpoint(
            kind=self.kind,
            time=None if self.time is None else self.time[rows],
            event=None if self.event is None else self.event[rows],
            value=None if self.value is None else self.value[rows],
        )

    def n_events(self, rows: Flags | None = None) -> int | None:
        """How many (among `rows`) had the event; None for a continuous endpoint."""
        if self.event is None:
            return None
        return int(self.event.sum() if rows is None else self.event[rows].sum())

    def regress(self, design: Floats, names: Sequence[str], *, level: float = 0.95) -> Regression:
        """Cox (Efron's ties), logistic or linear regression on `design` (n, p); an intercept is added.

        Where ordinary likelihood has no maximum, Firth's penalty. Raises `EndpointError` where there is no
        answer: no event, a constant or collinear column, too few patients for a difference of means.
        """
        x = np.asarray(design, dtype=np.float64)
        if self.kind == "survival":
            return _cox(self, x, names, level)
        with_intercept = np.column_stack((np.ones(x.shape[0]), x))
        if np.linalg.matrix_rank(with_intercept) < with_intercept.shape[1]:
            raise EndpointError(f"{', '.join(names)}: constant or collinear among these patients")
        return _logistic(self, with_intercept, names, level) if self.kind == "binary" else _linear(
            self, with_intercept, names, level
        )  # fmt: skip


def _cox(endpoint: Endpoint, x: Floats, names: Sequence[str], level: float) -> Regression:
    from troughline.survival.cox import CoxFitError, SeparationError, fit_cox
    from troughline.survival.firth_cox import fit_cox_firth

    assert endpoint.time is not None
    assert endpoint.event is not None
    try:
        fit = fit_cox(endpoint.time, endpoint.event, x, names, level=level)
    except SeparationError:
        try:
            firth = fit_cox_firth(endpoint.time, endpoint.event, x, names, level=level)
        except CoxFitError as error:
            raise EndpointError(str(error)) from None
        with np.errstate(divide="ignore"):
            exact = np.array([(np.log(t.low), np.log(t.high), t.p_value) for t in firth.terms])
        return Regression(
            names=tuple(names), coefficients=firth.coefficients, covariance=firth.covariance,
            log_likelihood=firth.penalised_log_likelihood, penalised=True, exact=exact, freedom=math.inf,
            level=level,
        )  # fmt: skip
    except CoxFitError as error:
        raise EndpointError(str(error)) from None
    return Regression(
        names=tuple(names), coefficients=fit.coefficients, covariance=fit.covariance,
        log_likelihood=fit.log_likelihood, penalised=False, exact=None, freedom=math.inf, level=level,
    )  # fmt: skip


def _logistic(endpoint: Endpoint, x: Floats, names: Sequence[str], level: float) -> Regression:
    from troughline.response.firth import fit_firth
    from troughline.response.logistic import ConvergenceError, SeparationError, fit_logistic

    assert endpoint.event is not None
    if not endpoint.event.any() or endpoint.event.all():
        which = "every patient has" if endpoint.event.all() else "no patient has"
        raise EndpointError(f"{which} the outcome: nothing can be told apart")
    terms = ("intercept", *names)
    try:
        fit = fit_logistic(x, endpoint.event, terms=terms)
    except SeparationError:
        firth = fit_firth(x, endpoint.event, terms=terms, level=level)
        exact = np.column_stack((firth.low, firth.high, firth.p_values))[1:]
        return Regression(
            names=tuple(names), coefficients=firth.coefficients[1:], covariance=_wald(x, firth.coefficients),
            log_likelihood=firth.penalised_log_likelihood, penalised=True, exact=exact, freedom=math.inf,
            level=level,
        )  # fmt: skip
    except (ConvergenceError, ValueError) as error:
        raise EndpointError(str(error)) from None
    return Regression(
        names=tuple(names), coefficients=fit.coefficients[1:], covariance=fit.covariance[1:, 1:],
        log_likelihood=fit.log_likelihood, penalised=False, exact=None, freedom=math.inf, level=level,
    )  # fmt: skip


def _wald(x: Floats, coefficients: Floats) -> Floats:
    """The inverse information of a logistic regression at `coefficients`, without the intercept."""
    from troughline.response.logistic import sigmoid

    p = sigmoid(x @ coefficients)
    return np.asarray(np.linalg.inv((x.T * (p * (1 - p))) @ x)[1:, 1:], dtype=np.float64)


def _linear(endpoint: Endpoint, x: Floats, names: Sequence[str], level: float) -> Regression:
    assert endpoint.value is not None
    n, k = x.shape
    if n <= k:
        raise EndpointError(f"{n} patients for {k} coefficients: no variance is left to judge them by")
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ (x.T @ endpoint.value)
    residual = endpoint.value - x @ beta
    variance = float(residual @ residual) / (n - k)
    likelihood = -0.5 * n * (math.log(2 * math.pi * max(variance * (n - k) / n, 1e-300)) + 1)
    return Regression(
        names=tuple(names), coefficients=np.asarray(beta[1:]),
        covariance=np.asarray(inverse[1:, 1:]) * variance,
        log_likelihood=likelihood, penalised=False, exact=None, freedom=float(n - k), level=level,
    )  # fmt: skip
