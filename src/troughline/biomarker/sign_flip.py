"""Tests of paired scores under exchange of before and after: exact by every sign, normal for many pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXACT_UP_TO = 16
"""Up to this many informative pairs every pattern of signs is counted; beyond, the normal law serves."""
_TIE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """A two-sided test of no change.

    `z` is Σ s / √Σ s² of the scores s; `p_normal` takes it as standard normal. `p_exact` counts every pattern
    of signs (None beyond `EXACT_UP_TO` informative pairs). `p_value` is the mid-p value, P(more extreme) +
    ½ P(as extreme), of the exact law where there is one, else `p_normal`. `least_p` is the smallest that
    `p_value` could have been with so many informative pairs.
    """

    z: float
    p_value: float
    p_normal: float
    p_exact: float | None
    n: int
    n_informative: int
    least_p: float


def flip_test(scores: Floats) -> PairedTest:
    """Test that swapping before and after leaves the law of the scores `(n,)` as it is.

    Under that hypothesis each score is as likely to have the other sign. A score of 0 says nothing. The
    mid-p value is that of Lancaster 1961, doi 10.1080/01621459.1961.10482105: with few pairs the plain exact
    p-value stays far below its nominal level.
    """
    from scipy.special import ndtr

    informative = scores[scores != 0]
    k = len(informative)
    if k == 0:
        return PairedTest(
            z=0.0, p_value=1.0, p_normal=1.0, p_exact=1.0, n=len(scores), n_informative=0, least_p=1.0
        )
    total = float(informative.sum())
    z = total / float(np.sqrt((informative**2).sum()))
    p_normal = float(2 * ndtr(-abs(z)))
    if k > EXACT_UP_TO:
        furthest = float(np.abs(informative).sum()) / float(np.sqrt((informative**2).sum()))
        least = float(2 * ndtr(-furthest))
        return PairedTest(
            z=z, p_value=p_normal, p_normal=p_normal, p_exact=None, n=len(scores), n_informative=k,
            least_p=least,
        )  # fmt: skip
    sums = np.abs(all_sums(np.abs(informative)))
    tie = _TIE * float(sums.max())
    beyond = float((sums >= abs(total) - tie).mean())
    equal = float((np.abs(sums - abs(total)) <= tie).mean())
    largest = float((sums >= sums.max() - tie).mean())
    return PairedTest(
        z=z, p_value=beyond - equal / 2, p_normal=p_normal, p_exact=beyond, n=len(scores), n_informative=k,
        least_p=largest / 2,
    )  # fmt: skip


def all_sums(sizes: Floats) -> Floats:
    """Σ ± sizes for every pattern of signs with the first one kept (the others are their mirror images)."""
    sums = sizes[:1].copy()
    for size in sizes[1:]:
        sums = np.concatenate([sums + size, sums - size])
    return sums
