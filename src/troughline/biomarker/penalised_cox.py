"""Cox regression with a ridge, lasso or elastic-net penalty, along a path of penalties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.endpoint import Flags, Floats

_OUTER, _INNER = 100, 500
_TOLERANCE = 1e-9


class PartialLikelihood:
    """The Cox partial log-likelihood (Breslow's ties) of n patients and p covariates, with derivatives."""

    def __init__(self, time: Floats, event: Flags, x: Floats) -> None:
        order = np.argsort(-time, kind="stable")
        self._x, self._event = x[order], event[order]
        late = time[order]
        # The last row of each distinct time, late times first: the cumulative sum there is the risk set.
        last = np.flatnonzero(np.concatenate((np.diff(late) < 0, [True])))
        self._at = last[np.searchsorted(last, np.flatnonzero(self._event))]

    @property
    def n_events(self) -> int:
        """How many events."""
        return int(self._event.sum())

    def value(self, beta: Floats) -> float:
        """l(β) = Σ over events of xᵀβ − log Σ over those at risk of exp(xᵀβ)."""
        eta = self._x @ beta
        shift = float(eta.max())
        risk = np.cumsum(np.exp(eta - shift))[self._at]
        return float(eta[self._event].sum() - (np.log(risk) + shift).sum())

    def derivatives(self, beta: Floats) -> tuple[Floats, Floats]:
        """Score (p,) and information (p, p)."""
        eta = self._x @ beta
        w = np.exp(eta - eta.max())
        s0 = np.cumsum(w)[self._at]
        s1 = np.cumsum(w[:, np.newaxis] * self._x, axis=0)[self._at]
        mean = s1 / s0[:, np.newaxis]
        share = np.zeros(w.size)
        np.add.at(share, self._at, 1 / s0)
        # A patient is in every risk set formed at or after its own place in the order.
        weight = w * np.cumsum(share[::-1])[::-1]
        information = (self._x.T * weight) @ self._x - mean.T @ mean
        return self._x[self._event].sum(axis=0) - mean.sum(axis=0), information


@dataclass(frozen=True, slots=True, kw_only=True)
class PenalisedPath:
    """Coefficients (L, p) per unit of each covariate for each penalty of `penalties` (L,), falling."""

    penalties: Floats
    coefficients: Floats
    mixing: float


def penalised_cox_path(
    time: Floats,
    event: Flags,
    covariates: Floats,
    *,
    mixing: float,
    free: Flags | None = None,
    penalties: Floats | None = None,
    n_penalties: int = 30,
) -> PenalisedPath:
    """Minimise −l(β)/n + λ(α‖β‖₁ + (1 − α)‖β‖²/2) on standardised covariates, for each λ.

    Parameters: `covariates` (n, p); `mixing` α: 1 lasso, 0 ridge, between them the elastic net; `free`
    (p,) marks covariates without a penalty; `penalties` λ, falling (default: from the smallest that gives
    all zeros, with α at least 0.01, to a hundredth of it).

    Newton steps on the penalised likelihood, each solved by coordinate descent and shortened until the
    objective falls. Raises `ValueError` where there is no event or a covariate does not vary.

    Simon and others 2011, doi 10.18637/jss.v039.i05.
    """
    if not event.any():
        raise ValueError("no event among these patients: nothing can be learnt about the hazard")
    if not 0 <= mixing <= 1:
        raise ValueError(f"mixing = {mixing:g} is not between 0 (ridge) and 1 (lasso)")
    spread = covariates.std(axis=0)
    if not np.all(spread > 0):
        raise ValueError(f"covariate {int(np.flatnonzero(spread <= 0)[0])} is the same in every patient")
    x = (covariates - covariates.mean(axis=0)) / spread
    likelihood, n, p = PartialLikelihood(time, event, x), time.size, int(covariates.shape[1])
    bound = np.ones(p) if free is None else 1.0 - free
    if not bound.any():
        raise ValueError("every covariate is free of the penalty: there is no path")
    beta = np.zeros(p)
    if free is not None and free.any():
        alone = PartialLikelihood(time, event, x[:, free])
        beta[free] = _minimise(alone, beta[free], n, np.zeros(int(free.sum())), mixing)
    if penalties is None:
        score = np.abs(likelihood.derivatives(beta)[0])[bound > 0]
        greatest = float(score.max()) / n / max(mixing, 0.01)
        penalties = np.geomspace(greatest, greatest / 100, n_penalties)
    path = np.empty((penalties.size, p))
    for k, penalty in enumerate(penalties.tolist()):
        beta = _minimise(likelihood, beta, n, penalty * bound, mixing)
        path[k] = beta / spread
    return PenalisedPath(penalties=penalties, coefficients=path, mixing=mixing)


def _objective(likelihood: PartialLikelihood, beta: Floats, n: int, penalty: Floats, mixing: float) -> float:
    each = mixing * np.abs(beta) + 0.5 * (1 - mixing) * beta**2
    return -likelihood.value(beta) / n + float(penalty @ each)


def _minimise(likelihood: PartialLikelihood, start: Floats, n: int, penalty: Floats, mixing: float) -> Floats:
    beta = start.copy()
    value = _objective(likelihood, beta, n, penalty, mixing)
    for _ in range(_OUTER):
        score, information = likelihood.derivatives(beta)
        target = _descend(score / n, information / n, beta, penalty, mixing)
        step = target - beta
        if float(np.abs(step).max()) < _TOLERANCE:
            return beta
        length = 1.0
        while length > 1e-8:
            trial = _objective(likelihood, beta + length * step, n, penalty, mixing)
            if trial <= value + 1e-14:
                break
            length /= 2
        else:
            return beta
        beta, value = beta + length * step, trial
    raise ValueError(
        f"the penalised likelihood was not maximised in {_OUTER} steps at penalty {penalty.max():g}"
    )


def _descend(score: Floats, information: Floats, beta: Floats, penalty: Floats, mixing: float) -> Floats:
    """Coordinate descent on the quadratic approximation around `beta`."""
    b = beta.copy()
    gradient = score.copy()
    lasso, ridge = penalty * mixing, penalty * (1 - mixing)
    curve: NDArray[np.float64] = np.diag(information)
    for _ in range(_INNER):
        moved = 0.0
        for j in range(b.size):
            pull = float(gradient[j] + curve[j] * b[j])
            least = max(abs(pull) - float(lasso[j]), 0.0)
            new = float(np.sign(pull)) * least / (float(curve[j]) + float(ridge[j]))
            change = new - float(b[j])
            if change:
                gradient -= information[:, j] * change
                b[j] = new
                moved = max(moved, abs(change))
        if moved < _TOLERANCE / 10:
            break
    return b
