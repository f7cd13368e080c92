"""The likelihood around a fit of main effects, as a quadratic, and what chance alone does to it.

Score tests of many interactions at once, and searches for the best of many, are judged by the law that their
scores have where the treatment effect is the same in everybody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from troughline.biomarker.endpoint import Endpoint, EndpointError, Floats

_ITERATIONS = 60
_STEP_LEFT = 1e-9
_LONGEST_STEP = 3.0
_RANK = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class MainEffects:
    """Score (q,) and information (q, q) of q columns at the fit of the first of them.

    `base` (p,) are the coefficients of the p columns fitted; their score is 0. For a mean score and
    coefficients are in units of the residual standard deviation.
    """

    base: Floats
    score: Floats
    information: Floats
    n: int

    def efficient(self) -> tuple[Floats, Floats]:
        """Score and information of the columns not fitted, what the fitted ones explain taken out."""
        p = self.base.size
        across = self.information[:p, p:]
        removed = np.linalg.lstsq(self.information[:p, :p], across, rcond=None)[0]
        return self.score[p:], self.information[p:, p:] - across.T @ removed

    def drawn_means(self, rng: np.random.Generator, draws: int) -> Callable[[Sequence[int]], Floats]:
        """The greatest log-likelihood (draws,), but for a constant, of a model with some of the columns.

        In `draws` samples of a mean without an interaction: −(n/2) log of the residual sum of squares. The
        columns see U + I b₀ with U normal of variance I; what they leave of the noise is a chi-square.
        """
        root = _root(self.information)
        noise = rng.standard_normal((draws, root.shape[1]))
        moved, p = noise @ root.T, self.base.size
        signal = self.information[:, :p] @ self.base
        seen = signal + moved
        rest = rng.chisquare(max(self.n - 1 - root.shape[1], 1), draws)
        total = float(signal[:p] @ self.base) + 2 * moved[:, :p] @ self.base + (noise**2).sum(axis=1) + rest

        def log_likelihood(columns: Sequence[int]) -> Floats:
            places = np.asarray(columns, dtype=np.int64)
            c = seen[:, places]
            inverse = np.linalg.pinv(self.information[np.ix_(places, places)], rcond=_RANK, hermitian=True)
            left = np.maximum(total - ((c @ inverse) * c).sum(axis=1), 1e-12)
            return np.asarray(-0.5 * self.n * np.log(left), dtype=np.float64)

        return log_likelihood


def main_effects(
    endpoint: Endpoint, base: Floats, others: Floats, *, start: Floats | None = None
) -> MainEffects:
    """Fit `base` (n, p); give score and information of its columns and of `others` (n, k) there.

    Cox (Efron's ties), logistic or linear regression, the last two with an intercept, which is taken out of
    all columns. Columns in units of similar size keep the numbers well apart from rounding; `start` (p,) is
    where a Cox fit begins.

    Raises `EndpointError` for collinear main effects, or a fit that runs off to infinity.
    """
    columns = np.column_stack((base, others))
    columns = columns - columns.mean(axis=0)
    if endpoint.kind == "continuous":
        return _mean(endpoint, columns, base.shape[1])
    if endpoint.kind == "survival":
        return _newton(_PartialLikelihood(endpoint), columns, base.shape[1], start)
    found = _newton(_Logistic(endpoint), np.column_stack((np.ones(endpoint.n), columns)), base.shape[1] + 1)
    taken = found.information[1:, 0] / found.information[0, 0]
    return MainEffects(
        base=found.base[1:],
        score=found.score[1:],
        information=found.information[1:, 1:] - np.outer(taken, found.information[0, 1:]),
        n=endpoint.n,
    )


def _mean(endpoint: Endpoint, columns: Floats, p: int) -> MainEffects:
    assert endpoint.value is not None
    y = endpoint.value - endpoint.value.mean()
    freedom = endpoint.n - 1 - p
    if np.linalg.matrix_rank(columns[:, :p]) < p or freedom < 1:
        raise EndpointError("the main effects of treatment and marker are collinear")
    x = columns[:, :p]
    beta = np.asarray(np.linalg.solve(x.T @ x, x.T @ y), dtype=np.float64)
    residual = np.asarray(y - x @ beta, dtype=np.float64)
    variance = float(residual @ residual) / freedom
    if not variance > 0:
        raise EndpointError("treatment and marker leave no variance: nothing can be judged")
    # In units of the residual standard deviation, so that U has variance I.
    score = np.asarray(columns.T @ residual / math.sqrt(variance), dtype=np.float64)
    score[:p] = 0.0
    return MainEffects(
        base=beta / math.sqrt(variance),
        score=score,
        information=np.asarray(columns.T @ columns, dtype=np.float64),
        n=endpoint.n,
    )


def _newton(
    likelihood: _PartialLikelihood | _Logistic, columns: Floats, p: int, start: Floats | None = None
) -> MainEffects:
    beta = np.zeros(p) if start is None else start.copy()
    for _ in range(_ITERATIONS):
        score, information = likelihood.moments(columns[:, :p], columns[:, :p] @ beta)
        if np.linalg.matrix_rank(information, hermitian=True) < p:
            raise EndpointError("the main effects of treatment and marker are collinear")
        step = np.linalg.solve(information, score)
        length = float(np.ptp(columns[:, :p] @ step)) + float(np.abs(step[0]))
        beta = beta + step * min(1.0, _LONGEST_STEP / max(length, 1e-300))
        if length < _STEP_LEFT:
            score, information = likelihood.moments(columns, columns[:, :p] @ beta)
            score[:p] = 0.0
            return MainEffects(base=beta, score=score, information=information, n=columns.shape[0])
    raise EndpointError("the main effects of treatment and marker have no finite estimate")


class _Logistic:
    def __init__(self, endpoint: Endpoint) -> None:
        assert endpoint.event is not None
        self._event = endpoint.event.astype(np.float64)

    def moments(self, x: Floats, eta: Floats) -> tuple[Floats, Floats]:
        from troughline.response.logistic import sigmoid

        p = sigmoid(eta)
        return x.T @ (self._event - p), (x.T * (p * (1 - p))) @ x


class _PartialLikelihood:
    """Efron's: the l-th of d tied events sees the others who die then with weight 1 − l/d."""

    def __init__(self, endpoint: Endpoint) -> None:
        assert endpoint.time is not None
        assert endpoint.event is not None
        time, event = endpoint.time, endpoint.event
        self._order = np.argsort(-time, kind="stable")
        self._event = np.flatnonzero(event)[np.argsort(time[event], kind="stable")]
        moments, self._first, deaths = np.unique(time[self._event], return_index=True, return_counts=True)
        self._followed = np.searchsorted(-time[self._order], -moments, side="right") - 1
        self._of_moment = np.repeat(np.arange(moments.size), deaths)
        rank = np.arange(self._event.size) - self._first[self._of_moment]
        self._share = rank / deaths[self._of_moment]
        # How many events a patient is at risk for, those at its own time included.
        self._seen = np.searchsorted(time[self._event], time, side="right")

    def moments(self, x: Floats, eta: Floats) -> tuple[Floats, Floats]:
        """Score (q,) and information (q, q) of the columns `x` (n, q) at the linear predictor `eta` (n,)."""
        w = np.exp(eta - eta.max())
        s0 = self._sums(w[:, np.newaxis])[:, 0]
        mean = self._sums(w[:, np.newaxis] * x) / s0[:, np.newaxis]
        total = np.concatenate(([0.0], np.cumsum(1 / s0)))[self._seen]
        own = np.add.reduceat(self._share / s0, self._first)[self._of_moment]
        total[self._event] -= own
        information = (x.T * (w * total)) @ x - mean.T @ mean
        return x[self._event].sum(axis=0) - mean.sum(axis=0), information

    def _sums(self, weighted: Floats) -> Floats:
        risk = np.cumsum(weighted[self._order], axis=0)[self._followed]
        death = np.add.reduceat(weighted[self._event], self._first, axis=0)
        return risk[self._of_moment] - self._share[:, np.newaxis] * death[self._of_moment]


def _root(matrix: Floats) -> Floats:
    """R (q, rank) with R Rᵀ = `matrix`, directions without information left out."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > values.max() * 1e-12
    return vectors[:, kept] * np.sqrt(values[kept])
