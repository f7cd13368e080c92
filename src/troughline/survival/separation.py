"""Monotone likelihood in Cox regression: whether some combination of covariates orders every event."""

from __future__ import annotations

import numpy as np

from troughline.survival.times import FloatArray, IntArray, SurvivalTimes

_ROUNDS = 500
_TOLERANCE = 1e-6


def separating_direction(
    times: SurvivalTimes, covariates: FloatArray, strata: IntArray | None = None
) -> FloatArray | None:
    """A direction along which the partial likelihood rises for ever, or none where its maximum is finite.

    Parameters: `covariates` (n, p), standardised. Returns γ (p,), its largest entry at most 1, with
    γᵀx_i ≥ γᵀx_j for each patient i with an event and each j at risk then, and strictly for one pair; none
    where no such γ exists.

    Found exactly, as a linear programme: the sum of γᵀ(x_i − mean of x at risk) is maximised, and pairs
    (i, j) that the solution violates are added until none is.
    """
    from scipy.optimize import linprog

    events = np.flatnonzero(times.event)
    layers = np.zeros(times.n, dtype=np.int64) if strata is None else strata
    gain = np.zeros(covariates.shape[1])
    for i in events.tolist():
        gain += covariates[i] - covariates[_at_risk(times, layers, i)].mean(axis=0)
    if not np.any(np.abs(gain) > _TOLERANCE):
        return None
    pairs: set[tuple[int, int]] = set()
    direction = np.sign(gain)
    for _ in range(_ROUNDS):
        violated = _violations(times, covariates @ direction, layers, events)
        if violated <= pairs:
            return direction if float(gain @ direction) > _TOLERANCE else None
        pairs |= violated
        differences = np.stack([covariates[j] - covariates[i] for i, j in sorted(pairs)])
        solved = linprog(-gain, A_ub=differences, b_ub=np.zeros(len(differences)), bounds=(-1, 1))
        if solved.x is None:
            raise RuntimeError(f"the separation check failed: {solved.message}")
        direction = np.asarray(solved.x, dtype=np.float64)
        if float(gain @ direction) <= _TOLERANCE:
            return None
    raise RuntimeError(f"the separation check did not settle in {_ROUNDS} rounds")


def _at_risk(times: SurvivalTimes, layers: IntArray, i: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    at_risk = (times.time >= times.time[i]) & (layers == layers[i])
    return at_risk if times.entry is None else at_risk & (times.entry < times.time[i])


def _violations(
    times: SurvivalTimes, score: FloatArray, layers: IntArray, events: IntArray
) -> set[tuple[int, int]]:
    """Pairs (i, j) where j, at risk when i had an event, scores higher than i; one pair an event."""
    found: set[tuple[int, int]] = set()
    for i in events.tolist():
        rows = np.flatnonzero(_at_risk(times, layers, i))
        j = int(rows[np.argmax(score[rows])])
        if score[j] > score[i] + _TOLERANCE:
            found.add((i, j))
    return found
