"""Scores and information in trials without an interaction, drawn from the main-effects model of one trial."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.endpoint import Endpoint, EndpointError, Flags, Floats
from troughline.biomarker.main_effects import MainEffects

_NEWTON = 12
_STEP_LEFT = 1e-6
_NUMBERS_AT_ONCE = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NullTrials:
    """Of B drawn trials the fitted main effects `base` (B, p), `score` (B, q) and `information` (B, q, q).

    As in `MainEffects`, of the same columns; trials whose main effects have no finite estimate are left out.
    """

    base: Floats
    score: Floats
    information: Floats

    def efficient(self) -> tuple[Floats, Floats]:
        """Score (B, k) and information (B, k, k) of the columns not fitted, the fitted ones taken out."""
        p = self.base.shape[1]
        across = self.information[:, :p, p:]
        removed = np.linalg.solve(self.information[:, :p, :p], across)
        return self.score[:, p:], self.information[:, p:, p:] - np.swapaxes(across, 1, 2) @ removed

    def log_likelihood(self, columns: Sequence[int]) -> Floats:
        """The greatest log-likelihood (B,), but for a constant, of a model with some of the columns.

        By the quadratic l(b) ≈ const + (U + I b₀)ᵀb − ½ bᵀI b around each trial's fit of main effects, b₀
        that fit with zeros for the other columns: ½ cᵀI⁻¹c with c = U + I b₀ in the columns of the model.
        """
        places = np.asarray(columns, dtype=np.int64)
        p = self.base.shape[1]
        c = self.score + (self.information[:, :, :p] @ self.base[:, :, np.newaxis])[:, :, 0]
        c = c[:, places]
        part = self.information[:, places[:, np.newaxis], places]
        solved = np.linalg.solve(part + _ridge(part), c[:, :, np.newaxis])[:, :, 0]
        return np.asarray(0.5 * (c * solved).sum(axis=1), dtype=np.float64)


def null_trials(
    endpoint: Endpoint,
    treated: Flags,
    base: Floats,
    others: Floats,
    fit: MainEffects,
    *,
    rng: np.random.Generator,
    draws: int,
) -> NullTrials:
    """Draw `draws` times of death, or answers yes or no, of the same patients under the fit of `base` (n, p).

    Survival: the cumulative baseline hazard of the Cox fit (Breslow's estimate, straight between events) and
    the follow-up of each arm (Kaplan–Meier of the censoring times, straight between them; who outlives it is
    censored at its end). Yes or no: by the fitted chances.

    Raises `EndpointError` where less than half of the drawn trials can be fitted.

    A parametric bootstrap of the model without interaction (Davison and Hinkley 1997, doi
    10.1017/CBO9780511802843, not confirmed).
    """
    columns = np.column_stack((base, others))
    columns = columns - columns.mean(axis=0)
    eta = columns[:, : base.shape[1]] @ fit.base
    at_once = max(1, _NUMBERS_AT_ONCE // columns.size)
    sizes = [min(at_once, draws - start) for start in range(0, draws, at_once)]
    made: Iterator[NullTrials]
    if endpoint.kind == "survival":
        law = _SurvivalLaw(endpoint, treated, eta)
        made = (_fitted(_PartialLikelihoods(columns, *law.draw(rng, b)), fit.base) for b in sizes)
    else:
        assert endpoint.event is not None
        chance = chances(eta, endpoint.event)
        made = (
            _fitted(_Logistics(columns, rng.random((b, endpoint.n)) < chance, chance), fit.base)
            for b in sizes
        )
    parts = list(made)
    whole = NullTrials(
        base=np.concatenate([t.base for t in parts]),
        score=np.concatenate([t.score for t in parts]),
        information=np.concatenate([t.information for t in parts]),
    )
    if 2 * whole.score.shape[0] < draws:
        raise EndpointError(
            f"only {whole.score.shape[0]} of {draws} trials drawn without an interaction could be analysed"
        )
    return whole


def patients_in_order(
    endpoint: Endpoint, treated: Flags, marker: Floats, others: Floats | None = None
) -> NDArray[np.int64]:
    """Rows by marker, arm, endpoint and `others` (n, q): one order to draw in, whatever the table's."""
    keys = [] if others is None else list(others.T)
    keys += [k for k in (endpoint.value, endpoint.event, endpoint.time, treated, marker) if k is not None]
    return np.lexsort(keys)


def chances(eta: Floats, event: Flags) -> Floats:
    """Chances (n,) with the log odds `eta` but for a constant, that add up to the number of events."""
    from scipy.optimize import brentq

    from troughline.response.logistic import sigmoid

    events = float(event.sum())
    if not 0 < events < event.size:
        raise EndpointError("every patient has the same outcome: nothing can be told apart")
    return sigmoid(eta + float(brentq(lambda at: float(sigmoid(eta + at).sum()) - events, -60.0, 60.0)))


class _SurvivalLaw:
    """Times of death under a Cox fit, and follow-up as in each arm."""

    def __init__(self, endpoint: Endpoint, treated: Flags, eta: Floats) -> None:
        assert endpoint.time is not None
        assert endpoint.event is not None
        time, event = endpoint.time, endpoint.event
        self._ratio = np.exp(eta)
        moments, deaths = np.unique(time[event], return_counts=True)
        at_risk = (time >= moments[:, np.newaxis]) @ self._ratio
        self._hazard = np.concatenate(([0.0], np.cumsum(deaths / at_risk)))
        self._moments = np.concatenate(([0.0], moments))
        self._arms = [
            (rows, *_follow_up(time[rows], event[rows]))
            for rows in (np.flatnonzero(treated), np.flatnonzero(~treated))
        ]

    def draw(self, rng: np.random.Generator, b: int) -> tuple[Floats, Flags]:
        """Times and events (b, n)."""
        target = rng.exponential(size=(b, self._ratio.size)) / self._ratio
        death = np.interp(target, self._hazard, self._moments)
        death[target > self._hazard[-1]] = np.inf
        end = np.empty_like(target)
        for rows, at, chance in self._arms:
            end[:, rows] = np.interp(rng.random((b, rows.size)), chance, at)
        return np.minimum(death, end), death <= end


def _follow_up(time: Floats, event: Flags) -> tuple[Floats, Floats]:
    """Times and the distribution function of the follow-up at them, 1 at the last; deaths go first."""
    at = np.unique(time)
    lost = np.array([np.sum(~event & (time == t)) for t in at.tolist()], dtype=np.float64)
    there = np.array([np.sum(time > t) for t in at.tolist()], dtype=np.float64) + lost
    kept = np.cumprod(1 - np.divide(lost, there, out=np.zeros_like(lost), where=there > 0))
    chance = 1 - kept
    chance[-1] = 1.0
    return np.concatenate((at[:1] * (lost[0] > 0), at)), np.concatenate(([0.0], chance))


class _PartialLikelihoods:
    """The Cox partial likelihoods of B trials without ties."""

    def __init__(self, columns: Floats, time: Floats, event: Flags) -> None:
        order = np.argsort(-time, axis=1, kind="stable")
        self.x = columns[order]
        self._event = np.take_along_axis(event, order, axis=1).astype(np.float64)
        self.n_trials = event.shape[0]

    def moments(self, x: Floats, eta: Floats) -> tuple[Floats, Floats]:
        w = np.exp(eta - eta.max(axis=1, keepdims=True))
        share = self._event / np.cumsum(w, axis=1)
        weighted = w[:, :, np.newaxis] * x
        mean = np.cumsum(weighted, axis=1)
        mean *= share[:, :, np.newaxis]
        score = (self._event[:, :, np.newaxis] * x - mean).sum(axis=1)
        total = np.cumsum(share[:, ::-1], axis=1)[:, ::-1]
        weighted *= total[:, :, np.newaxis]
        transposed = np.swapaxes(mean, 1, 2)
        return score, np.swapaxes(x, 1, 2) @ weighted - transposed @ mean


class _Logistics:
    """The logistic likelihoods of B trials of the same patients, the intercept taken out."""

    def __init__(self, columns: Floats, event: Flags, chance: Floats) -> None:
        self.x = columns[np.newaxis]
        self._event = event.astype(np.float64)
        self.n_trials = event.shape[0]
        self._intercept = np.full((self.n_trials, 1), float(np.log(chance.mean() / (1 - chance.mean()))))

    def moments(self, x: Floats, eta: Floats) -> tuple[Floats, Floats]:
        from troughline.response.logistic import sigmoid

        for _ in range(4):
            p = sigmoid(eta + self._intercept)
            v = p * (1 - p)
            move = (self._event - p).sum(axis=1, keepdims=True) / np.maximum(
                v.sum(axis=1, keepdims=True), 1e-9
            )
            self._intercept = self._intercept + np.clip(move, -2.0, 2.0)
        p = sigmoid(eta + self._intercept)
        v = p * (1 - p)
        one, mean = v.sum(axis=1), v @ x[0]
        score = (self._event - p) @ x[0]
        products = np.swapaxes(x, 1, 2) @ (v[:, :, np.newaxis] * x)
        return score, products - mean[:, :, np.newaxis] * mean[:, np.newaxis] / one[:, np.newaxis, np.newaxis]


def _fitted(trials: _PartialLikelihoods | _Logistics, start: Floats) -> NullTrials:
    p = start.size
    x = trials.x[:, :, :p]
    beta = np.tile(start, (trials.n_trials, 1))
    length = np.full(trials.n_trials, np.inf)
    for _ in range(_NEWTON):
        score, information = trials.moments(x, (x @ beta[:, :, np.newaxis])[:, :, 0])
        step = np.linalg.solve(information + _ridge(information), score[:, :, np.newaxis])[:, :, 0]
        length = np.ptp((x @ step[:, :, np.newaxis])[:, :, 0], axis=1)
        beta = beta + step * np.minimum(1.0, 3.0 / np.maximum(length, 1e-300))[:, np.newaxis]
        if length.max() < _STEP_LEFT:
            break
    eta = (x @ beta[:, :, np.newaxis])[:, :, 0]
    score, information = trials.moments(trials.x, eta)
    score[:, :p] = 0.0
    known = length < _STEP_LEFT
    return NullTrials(base=beta[known], score=score[known], information=information[known])


def _ridge(matrices: Floats) -> Floats:
    """A diagonal (B, q, q) too small to matter, that keeps matrices without information solvable."""
    q = matrices.shape[1]
    return (1e-11 * np.trace(matrices, axis1=1, axis2=2)[:, np.newaxis, np.newaxis] + 1e-300) * np.eye(q)
