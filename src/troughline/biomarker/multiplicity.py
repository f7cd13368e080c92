"""One family of paired tests corrected as a whole, their dependence kept: Westfall–Young by sign flips."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Method = Literal["min-p", "max-t"]

_CHUNK = 1000
_TIE = 1e-9


def westfall_young(
    scores: Floats, rng: np.random.Generator, *, permutations: int = 10_000, method: Method = "min-p"
) -> Floats:
    """Step-down adjusted p-values `(m,)` of `m` paired tests, their dependence kept.

    `scores` is (n_patients, m): what a patient adds to a test, with the other sign where before and after
    are exchanged, and 0 where the patient does not belong to it (another group) or says nothing. In each of
    `permutations` draws before and after are exchanged in about half of the patients, in all tests at once,
    so the tests stay as related as they are. `max-t` compares standardised sums; `min-p` their p-values in
    the same draws, which is fair between small and large groups. Adjusted p-values count the draw observed.
    A test without a score has p = 1.

    Several later occasions of one patient are tests like others: each change from the first is symmetric
    about 0 where nothing changed, and the sign of the whole patient keeps their products, so their
    correlation. That is exact where a patient's changes are symmetric together (normal errors of any
    covariance), otherwise for many patients (`docs/change-operating-characteristics.md`).
    Westfall & Young 1993, Resampling-based multiple testing, algorithm 2.8; Ge, Dudoit & Speed 2003,
    doi 10.1007/BF02595811.
    Raises `ValueError` for scores that are no table of finite numbers, or fewer than one permutation.
    """
    if scores.ndim != 2 or not np.isfinite(scores).all():
        raise ValueError("scores must be a table (patients, tests) of finite numbers")
    if permutations < 1:
        raise ValueError(f"{permutations} permutations: one or more are needed")
    adjusted = np.ones(scores.shape[1])
    live = np.flatnonzero((scores != 0).any(axis=0))
    if not len(live):
        return adjusted
    standard = scores[:, live] / np.sqrt((scores[:, live] ** 2).sum(axis=0))
    observed = np.abs(standard.sum(axis=0))
    drawn = np.empty((permutations, len(live)))
    for start in range(0, permutations, _CHUNK):
        size = min(_CHUNK, permutations - start)
        signs = rng.integers(0, 2, size=(size, len(scores))) * 2.0 - 1.0
        np.abs(signs @ standard, out=drawn[start : start + size])
    if method == "min-p":
        observed, drawn = _as_small_p(observed, drawn)
    adjusted[live] = _step_down(observed, drawn)
    return adjusted


def _as_small_p(observed: Floats, drawn: Floats) -> tuple[Floats, Floats]:
    """Minus each statistic's p-value among the draws of its own test, so that larger is more extreme."""
    n = len(drawn) + 1
    p_observed = np.empty_like(observed)
    for j in range(drawn.shape[1]):
        whole = np.sort(drawn[:, j])
        tie = _TIE * max(1.0, float(whole[-1]))
        p_observed[j] = (1 + len(whole) - np.searchsorted(whole, observed[j] - tie)) / n
        beyond = len(whole) - np.searchsorted(whole, drawn[:, j] - tie)
        # The draw that was observed belongs to the reference set too.
        drawn[:, j] = (beyond + (observed[j] >= drawn[:, j] - tie)) / n
    return -p_observed, -drawn


def _step_down(observed: Floats, drawn: Floats) -> Floats:
    """P(largest of this and all less extreme statistics ≥ the observed one), made monotone."""
    order = np.argsort(-observed, kind="stable")
    tie = _TIE * max(1.0, float(np.abs(observed).max()))
    running = np.full(len(drawn), -np.inf)
    p = np.empty(len(observed))
    for j in order[::-1]:
        np.maximum(running, drawn[:, j], out=running)
        p[j] = (1 + int((running >= observed[j] - tie).sum())) / (1 + len(drawn))
    p[order] = np.maximum.accumulate(p[order])
    return p
