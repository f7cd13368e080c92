"""The weighted partial likelihood of Fine and Gray in one stratum: value, score, information, influence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from troughline.survival.censoring import CensoringCurve, censoring_curve
from troughline.survival.times import FloatArray, IntArray, as_floats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """The patients of one censoring group, sorted by time, in one stratum.

    `before` (m,) is the censoring group's G(s−) at the event times, `own` (n,) G(T−) of each patient,
    `through` (n,) how many event times are at or before T, `rival` (n,) 1 where a rival event happened.
    """

    rows: IntArray
    curve: CensoringCurve
    before: FloatArray
    own: FloatArray
    through: IntArray
    rival: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Log-likelihood, score (p,) and information (p, p) at one point, and what the influence needs."""

    log_likelihood: float
    score: FloatArray
    information: FloatArray
    weight: FloatArray
    total: FloatArray
    mean: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class FineGrayStratum:
    """The data of one stratum, arranged once: patients `time`, `status` (0 censored, 1 event, 2 rival)."""

    time: FloatArray
    status: IntArray
    covariates: FloatArray
    event_time: FloatArray
    events: FloatArray
    layers: tuple[_Layer, ...]

    def evaluate(self, beta: FloatArray) -> Evaluation:
        """The log partial likelihood (Breslow's ties) with its derivatives at `beta` (p,).

        A patient with a rival event stays at risk at s > T with weight G(s−)/G(T−).
        """
        predictor = self.covariates @ beta
        weight = np.exp(predictor)
        m, p = self.event_time.size, self.covariates.shape[1]
        moments = np.zeros((m, 1 + p + p * (p + 1) // 2))
        upper = np.triu_indices(p)
        for layer in self.layers:
            x, w = self.covariates[layer.rows], weight[layer.rows]
            powers = np.concatenate((np.ones((len(x), 1)), x, x[:, upper[0]] * x[:, upper[1]]), axis=1)
            # Under observation: everybody whose time has not passed.
            staying = _by_event(layer.through, powers * w[:, np.newaxis], m + 1)[::-1].cumsum(axis=0)[::-1]
            moments += staying[1:]
            # Rivals already gone, at event times after their own.
            gone = powers * (w * layer.rival / layer.own)[:, np.newaxis]
            moments += layer.before[:, np.newaxis] * _by_event(layer.through, gone, m + 1)[:m].cumsum(axis=0)
        total = moments[:, 0]
        mean = moments[:, 1 : 1 + p] / total[:, np.newaxis]
        square = np.empty((m, p, p))
        square[:, upper[0], upper[1]] = moments[:, 1 + p :] / total[:, np.newaxis]
        square[:, upper[1], upper[0]] = square[:, upper[0], upper[1]]
        spread = square - mean[:, :, np.newaxis] * mean[:, np.newaxis, :]
        had = self.status == 1
        return Evaluation(
            log_likelihood=float(predictor[had].sum() - self.events @ np.log(total)),
            score=self.covariates[had].sum(axis=0) - self.events @ mean,
            information=np.tensordot(self.events, spread, axes=1),
            weight=weight,
            total=total,
            mean=mean,
        )

    def baseline(self, at: Evaluation) -> FloatArray:
        """The jumps (m,) of the cumulative baseline subdistribution hazard (Breslow)."""
        return self.events / at.total

    def influence(self, at: Evaluation) -> FloatArray:
        """Each patient's contribution (n, p) to the score, the estimation of the weights included."""
        jump = self.baseline(at)
        found = np.zeros_like(self.covariates)
        position = np.searchsorted(self.event_time, self.time)
        had = self.status == 1
        found[had] = self.covariates[had] - at.mean[position[had]]
        for layer in self.layers:
            x, w = self.covariates[layer.rows], at.weight[layer.rows]
            plain, plain_mean = _running(jump, at.mean)
            found[layer.rows] -= w[:, np.newaxis] * (
                x * plain[layer.through][:, np.newaxis] - plain_mean[layer.through]
            )
            kept, kept_mean = _running(jump * layer.before, at.mean)
            left, left_mean = kept[-1] - kept, kept_mean[-1] - kept_mean
            heavy = (w * layer.rival / layer.own)[:, np.newaxis]
            found[layer.rows] -= heavy * (x * left[layer.through][:, np.newaxis] - left_mean[layer.through])
            found[layer.rows] += self._censoring_influence(layer, x, heavy, left, left_mean)
        return found

    def _censoring_influence(
        self, layer: _Layer, x: FloatArray, heavy: FloatArray, left: FloatArray, left_mean: FloatArray
    ) -> FloatArray:
        """∫ q(u)/Y(u) dM_c(u) for each patient of a layer, M_c the martingale of being censored.

        q(u) = Σ_{T_j < u, rival} e_j/G(T_j−) ∫_{s ≥ u} (x_j − x̄(s)) G(s−) dΛ(s), with ties as `cmprsk`.
        """
        curve = layer.curve
        gone = np.searchsorted(curve.time, self.time[layer.rows])
        size = curve.time.size
        heavy_x = _by_event(gone + 1, heavy * x, size + 1).cumsum(axis=0)[:size]
        heavy_one = _by_event(gone + 1, heavy, size + 1).cumsum(axis=0)[:size]
        passed = np.searchsorted(self.event_time, curve.time, side="left")
        q = heavy_x * left[passed][:, np.newaxis] - heavy_one * left_mean[passed]
        share = q / curve.at_risk[:, np.newaxis]
        compensator = (share * curve.hazard[:, np.newaxis]).cumsum(axis=0)
        lost = (self.status[layer.rows] == 0)[:, np.newaxis]
        return np.where(lost, share[gone], 0.0) - compensator[gone]


def arrange(
    time: FloatArray, status: IntArray, covariates: FloatArray, censoring_group: IntArray
) -> FineGrayStratum:
    """The stratum of patients `time`, `status`, `covariates` (n, p), with a censoring curve a group."""
    had = status == 1
    event_time, events = np.unique(time[had], return_counts=True)
    layers: list[_Layer] = []
    for code in np.unique(censoring_group):
        rows = np.flatnonzero(censoring_group == code)
        curve = censoring_curve(time[rows], status[rows] == 0, events_first=False)
        layers.append(
            _Layer(
                rows=rows,
                curve=curve,
                before=curve.before(event_time),
                own=curve.before(time[rows]),
                through=np.searchsorted(event_time, time[rows], side="right"),
                rival=(status[rows] == 2).astype(np.float64),
            )
        )
    return FineGrayStratum(
        time=time,
        status=status,
        covariates=covariates,
        event_time=event_time,
        events=events.astype(np.float64),
        layers=tuple(layers),
    )


def _by_event(position: IntArray, values: FloatArray, size: int) -> FloatArray:
    """Sums (size, k) of `values` (n, k) at their `position`."""
    return as_floats(
        [np.bincount(position, weights=values[:, k], minlength=size) for k in range(values.shape[1])]
    ).T.copy()


def _running(jump: FloatArray, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cumulative sums (m + 1,) and (m + 1, p) of jumps and of jumps times means, from 0."""
    weighted = jump[:, np.newaxis] * mean
    return (
        np.concatenate(([0.0], np.cumsum(jump))),
        np.concatenate((np.zeros((1, mean.shape[1])), np.cumsum(weighted, axis=0))),
    )
