"""One family of paired tests corrected as a whole, their dependence kept: Westfall–Young by sign flips."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.sign_flip import EXACT_UP_TO, all_sums

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
    so the tests stay as related as they are. `max-t` compares standardised sums; `min-p` their p-values,
    which is fair between small and large groups: as in `flip_test` by the exact law of the signs or by the
    normal one, so that the draws are needed for the smallest of them alone and the error is that of a share
    (`monte_carlo_error`). Adjusted p-values count the draw observed.
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
    laws = [_exact_law(scores[:, j]) for j in live.tolist()] if method == "min-p" else []
    _as_normal(observed[None, :], laws)
    order = np.argsort(-observed, kind="stable")
    tie = _TIE * max(1.0, float(np.abs(observed).max()))
    beyond = np.zeros(len(live))
    for start in range(0, permutations, _CHUNK):
        size = min(_CHUNK, permutations - start)
        signs = rng.integers(0, 2, size=(size, len(scores))) * 2.0 - 1.0
        drawn = np.abs(signs @ standard)
        _as_normal(drawn, laws)
        # The largest of each statistic and all that are less extreme, from the least extreme up.
        largest = np.maximum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]
        beyond[order] += (largest >= observed[order] - tie).sum(axis=0)
    p = (1 + beyond) / (1 + permutations)
    p[order] = np.maximum.accumulate(p[order])
    adjusted[live] = p
    return adjusted


def monte_carlo_error(p: float, permutations: int) -> float:
    """The standard error of a p-value counted in so many draws: √(p(1 − p) / (draws + 1))."""
    return math.sqrt(p * (1 - p) / (permutations + 1))


def _exact_law(scores: Floats) -> Floats | None:
    """The sorted sizes of the standardised sum over all sign patterns; None where the normal law serves."""
    informative = np.abs(scores[scores != 0])
    if len(informative) > EXACT_UP_TO:
        return None
    return np.sort(np.abs(all_sums(informative))) / float(np.sqrt((informative**2).sum()))


def _as_normal(sums: Floats, laws: list[Floats | None]) -> None:
    """Turn standardised sums `(k, m)` into the normal deviates of their p-values, in place.

    Where the normal law gives the p-value a sum is that already; where every sign pattern is counted, the
    exact p-value is read as one.
    """
    from scipy.special import ndtri

    for j, law in enumerate(laws):
        if law is None:
            continue
        at_least = len(law) - np.searchsorted(law, sums[:, j] - _TIE)
        sums[:, j] = -ndtri(at_least / (2 * len(law)))
