"""The Cox partial likelihood with Firth's penalty: its value, its derivatives and its maximum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from troughline.survival.cox import CoxFitError
from troughline.survival.times import BoolArray, FloatArray, IntArray, SurvivalTimes

_ITERATIONS = 200
_QUICK_ITERATIONS = 6
_HALVINGS = 30
_GRADIENT_LEFT = 1e-8
_LARGEST_STEP = 2.0
_DIFFERENCE = 1e-5


@dataclass(frozen=True, slots=True)
class _Moments:
    """Of one β: log partial likelihood, score (p,), information (p, p), its derivative (p, p, p)."""

    log_likelihood: float
    score: FloatArray
    information: FloatArray
    derivative: FloatArray

    @property
    def value(self) -> float:
        """l + ½ log |I|, minus infinity where the information is not positive definite."""
        sign, log_determinant = np.linalg.slogdet(self.information)
        return self.log_likelihood + 0.5 * float(log_determinant) if sign > 0 else -math.inf

    @property
    def gradient(self) -> FloatArray:
        """The derivative (p,) of `value`: score_r + ½ tr(I⁻¹ ∂I/∂β_r)."""
        inverse = np.linalg.inv(self.information)
        return self.score + 0.5 * np.einsum("jk,kjr->r", inverse, self.derivative)


class _RiskSets:
    """Who is at risk and who has the event at each event time, in one stratum with an event."""

    def __init__(self, times: SurvivalTimes, rows: IntArray) -> None:
        # Late times first, so that the cumulative sum at a time is the sum over those still at risk.
        self._rows = rows[np.argsort(-times.time[rows], kind="stable")]
        event_rows = rows[times.event[rows]]
        self._event_rows = event_rows[np.argsort(times.time[event_rows], kind="stable")]
        moments, self._first, deaths = np.unique(
            times.time[self._event_rows], return_index=True, return_counts=True
        )
        self._followed = np.searchsorted(-times.time[self._rows], -moments, side="right")
        self._at_risk: FloatArray | None = None
        if times.entry is not None:
            # Taking the not yet entered from a cumulative sum would lose digits where weights differ widely.
            here = (times.time[self._rows] >= moments[:, np.newaxis]) & (
                times.entry[self._rows] < moments[:, np.newaxis]
            )
            self._at_risk = here.astype(np.float64)
        # Efron: the l-th of d tied events sees the others who die then with weight 1 − l/d.
        self._repeat = np.repeat(np.arange(moments.size), deaths)
        rank = np.arange(self._repeat.size) - self._first[self._repeat]
        self._share = (rank / deaths[self._repeat])[:, np.newaxis]

    def sums(self, weighted: FloatArray) -> FloatArray:
        """Sum (events, k) of the rows of `weighted` (n, k) at risk at each event, ties as Efron has them."""
        if self._at_risk is None:
            risk = np.cumsum(weighted[self._rows], axis=0)[self._followed - 1]
        else:
            risk = self._at_risk @ weighted[self._rows]
        death = np.add.reduceat(weighted[self._event_rows], self._first, axis=0)
        return risk[self._repeat] - self._share * death[self._repeat]


class PenalisedLikelihood:
    """l(β) + ½ log |I(β)| of standardised covariates (n, p), with strata `layers` (n,)."""

    def __init__(self, times: SurvivalTimes, covariates: FloatArray, layers: IntArray) -> None:
        self._x = covariates
        self._event = times.event
        self._risk_sets = [
            _RiskSets(times, np.flatnonzero(layers == layer)) for layer in np.unique(layers[times.event])
        ]
        n, p = covariates.shape
        products = np.einsum("ij,ik->ijk", covariates, covariates).reshape(n, p * p)
        triples = np.einsum("ij,ik->ijk", products, covariates).reshape(n, p**3)
        self._powers = np.hstack((np.ones((n, 1)), covariates, products, triples))

    def information(self, beta: FloatArray) -> FloatArray:
        """The information (p, p) at `beta`."""
        return self._evaluate(beta).information

    def profile(self, start: FloatArray, j: int, value: float) -> tuple[FloatArray, float]:
        """The maximum with coefficient `j` held at `value`: where, and how high."""
        beta = start.copy()
        beta[j] = value
        free = np.ones(beta.size, np.bool_)
        free[j] = False
        return self.maximise(beta, free)

    def maximise(self, start: FloatArray, free: BoolArray) -> tuple[FloatArray, float]:
        """Newton's method on the `free` coefficients, steps halved until the penalised likelihood rises.

        Returns where the maximum is and how high. Raises `CoxFitError` where it is not reached.
        """
        try:
            with np.errstate(divide="raise", over="raise", invalid="raise"):
                return self._maximise(start, free)
        except (FloatingPointError, np.linalg.LinAlgError) as error:
            raise CoxFitError(f"the penalised likelihood left the range of numbers: {error}") from None

    def _maximise(self, start: FloatArray, free: BoolArray) -> tuple[FloatArray, float]:
        beta = start.copy()
        moments = self._evaluate(beta)
        value = moments.value
        for iteration in range(_ITERATIONS):
            gradient = moments.gradient
            if not free.any() or float(np.abs(gradient[free]).max()) < _GRADIENT_LEFT:
                return beta, value
            curvature = moments.information[np.ix_(free, free)]
            if iteration >= _QUICK_ITERATIONS:
                curvature = self._curvature(beta, moments, free)
            step = np.zeros(beta.size)
            step[free] = np.linalg.solve(curvature, gradient[free])
            step *= min(1.0, _LARGEST_STEP / float(np.abs(step).max()))
            for _ in range(_HALVINGS):
                trial = self._evaluate(beta + step)
                if trial.value >= value - 1e-12 * abs(value):
                    break
                step /= 2
            else:
                raise CoxFitError("the penalised likelihood could not be raised; no estimate")
            beta, moments, value = beta + step, trial, trial.value
        raise CoxFitError(f"no convergence of the penalised likelihood after {_ITERATIONS} iterations")

    def _curvature(self, beta: FloatArray, moments: _Moments, free: BoolArray) -> FloatArray:
        """Minus the second derivative of the penalised likelihood, or the information where not positive.

        The information is quicker to have and serves for the first steps, but it misses the penalty's
        curvature: with one event Newton's method on it steps twice too far, for ever.
        """
        rows = np.flatnonzero(free)
        curvature = np.empty((rows.size, rows.size))
        for column, j in enumerate(rows.tolist()):
            shift = np.zeros(beta.size)
            shift[j] = _DIFFERENCE
            ahead = self._evaluate(beta + shift).gradient
            behind = self._evaluate(beta - shift).gradient
            curvature[:, column] = (behind - ahead)[rows] / (2 * _DIFFERENCE)
        curvature = (curvature + curvature.T) / 2
        if np.linalg.eigvalsh(curvature)[0] > 0:
            return curvature
        return moments.information[np.ix_(rows, rows)]

    def _evaluate(self, beta: FloatArray) -> _Moments:
        x, p = self._x, self._x.shape[1]
        predictor = x @ beta
        # Scaled by the largest, so that no weight overflows; the scale cancels but in the likelihood.
        largest = float(predictor.max())
        weighted = np.exp(predictor - largest)[:, np.newaxis] * self._powers
        log_likelihood = float((predictor[self._event] - largest).sum())
        score = x[self._event].sum(axis=0)
        information, derivative = np.zeros((p, p)), np.zeros((p, p, p))
        for risk_sets in self._risk_sets:
            sums = risk_sets.sums(weighted)
            total = sums[:, 0]
            log_likelihood -= float(np.log(total).sum())
            raw = sums[:, 1:] / total[:, np.newaxis]
            mean = raw[:, :p]
            second = raw[:, p : p + p * p].reshape(-1, p, p)
            third = raw[:, p + p * p :].reshape(-1, p, p, p)
            score = score - mean.sum(axis=0)
            information += second.sum(axis=0) - mean.T @ mean
            crossed = np.einsum("ej,ekr->jkr", mean, second)
            derivative += (
                third.sum(axis=0)
                - crossed
                - crossed.transpose(1, 0, 2)
                - crossed.transpose(1, 2, 0)
                + 2 * np.einsum("ej,ek,er->jkr", mean, mean, mean)
            )
        return _Moments(log_likelihood, score, information, derivative)
