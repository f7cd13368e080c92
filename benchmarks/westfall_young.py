"""Westfall–Young over 1,000 markers × 200 patients × 10,000 exchanges of before and after.

    python -m benchmarks.westfall_young [--markers 1000] [--patients 200] [--permutations 10000]

The rival is the usual loop in plain NumPy: for each exchange the signed-rank sums of every marker, one marker
after the other. It runs on a part of the exchanges and is scaled up, as all of them would take too long; on
that part both give the same largest statistics. The limit the project sets itself is 60 s.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from troughline.biomarker.censored import Pairs, exactly
from troughline.biomarker.multiplicity import westfall_young
from troughline.biomarker.paired_tests import signed_rank_scores

LIMIT_S = 60.0
RIVAL_EXCHANGES = 40


def main() -> None:
    """Print seconds of both, their ratio, and how far under the limit the whole is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--markers", type=int, default=1000)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--permutations", type=int, default=10_000)
    given = parser.parse_args()
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(given.patients, 1))
    change = 0.5 * shared + rng.normal(size=(given.patients, given.markers))
    change[:, :10] += 0.4
    started = time.perf_counter()
    zero = np.zeros(given.patients)
    scores = np.column_stack(
        [
            signed_rank_scores(Pairs(before=exactly(zero), after=exactly(change[:, j])))
            for j in range(given.markers)
        ]
    )
    ranked = time.perf_counter() - started
    started = time.perf_counter()
    adjusted = westfall_young(
        scores, np.random.default_rng(2), permutations=given.permutations, method="max-t"
    )
    ours = time.perf_counter() - started
    signs = np.random.default_rng(2).integers(0, 2, size=(RIVAL_EXCHANGES, given.patients)) * 2.0 - 1.0
    started = time.perf_counter()
    largest = np.array([_plain(row, scores) for row in signs])
    rival = (time.perf_counter() - started) / RIVAL_EXCHANGES * given.permutations
    norm = np.sqrt((scores**2).sum(axis=0))
    if not np.allclose(largest, np.abs(signs @ (scores / norm)).max(axis=1)):
        raise SystemExit("the rival finds other statistics")
    print(f"{given.markers:,} markers × {given.patients} patients × {given.permutations:,} exchanges")
    print(f"ranks {ranked:.2f} s, Westfall–Young {ours:.2f} s, {int((adjusted < 0.05).sum())} found")
    print(f"plain NumPy loop {rival:.0f} s (from {RIVAL_EXCHANGES} exchanges): {rival / ours:.0f} ×")
    print(f"{'under' if ranked + ours <= LIMIT_S else 'OVER'} the limit of {LIMIT_S:.0f} s")


def _plain(signs: np.ndarray, scores: np.ndarray) -> float:
    """The largest standardised signed-rank sum of one exchange, marker after marker."""
    largest = 0.0
    for j in range(scores.shape[1]):
        own = signs * scores[:, j]
        largest = max(largest, abs(float(own.sum())) / float(np.sqrt((own**2).sum())))
    return largest


if __name__ == "__main__":
    main()
