"""How often any of several markers at several later occasions is found changed where none is.

    python -m benchmarks.several_occasions [--sets 2000] [--seed 1]

Two markers at four occasions, each later one against the first: six signed-rank tests a family, corrected by
Westfall–Young with one sign a patient for all its occasions and markers. Laws of the levels: normal with
errors that follow one another (autoregressive, 0.6); exponential and log-normal on the plain scale, where the
changes of a patient are not symmetric together, only each alone. "One changed" moves one later occasion
far and counts false findings in the others. The goal is at most 5 % (Monte-Carlo error 0.5).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Censored, Pairs
from troughline.biomarker.multiplicity import westfall_young
from troughline.biomarker.paired_tests import signed_rank_scores
from troughline.biomarker.sign_flip import flip_test
from troughline.response.multiplicity import holm

Floats = NDArray[np.float64]
Law = Callable[[int, np.random.Generator], Floats]

MARKERS, OCCASIONS = 2, 4
SIZES = (8, 10, 37)
SHARES = (0.0, 0.5)
ALPHA = 0.05


def autoregressive(n: int, rng: np.random.Generator) -> Floats:
    """(n, occasions, markers): patient effect and errors that follow one another, markers related."""
    errors = np.empty((n, OCCASIONS, MARKERS))
    shared = rng.normal(size=(n, OCCASIONS, 1))
    fresh = np.sqrt(0.5) * (shared + rng.normal(size=(n, OCCASIONS, MARKERS)))
    errors[:, 0] = fresh[:, 0]
    for k in range(1, OCCASIONS):
        errors[:, k] = 0.6 * errors[:, k - 1] + 0.8 * fresh[:, k]
    return rng.normal(size=(n, 1, 1)) + 0.8 * errors


def exponential(n: int, rng: np.random.Generator) -> Floats:
    """Independent exponential levels."""
    return rng.exponential(size=(n, OCCASIONS, MARKERS))


def log_normal(n: int, rng: np.random.Generator) -> Floats:
    """Independent log-normal levels, log SD 1, compared as they are."""
    return np.exp(rng.normal(size=(n, OCCASIONS, MARKERS)))


LAWS: dict[str, Law] = {
    "normal, autoregressive": autoregressive, "exponential": exponential, "log-normal": log_normal,
}  # fmt: skip


def family(levels: Floats, share: float) -> Floats:
    """The scores (n, tests) of each later occasion of each marker; `share` of the levels are censored."""
    columns: list[Floats] = []
    for m in range(MARKERS):
        limit = float(np.quantile(levels[:, :, m], share)) if share else -np.inf
        seen = [_cut(levels[:, k, m], limit) for k in range(OCCASIONS)]
        columns += [
            signed_rank_scores(Pairs(before=seen[0], after=seen[k])) for k in range(1, OCCASIONS)
        ]  # fmt: skip
    return np.column_stack(columns)


def _cut(level: Floats, limit: float) -> Censored:
    below = level < limit
    return Censored(np.where(below, -np.inf, level), np.where(below, limit, level))


def false_findings(
    law: Law, n: int, share: float, sets: int, seed: int, *, one_changed: bool
) -> tuple[float, float, float]:
    """Share of sets with any false finding: uncorrected, Holm, Westfall–Young."""
    count = np.zeros(3)
    for number in range(sets):
        rng = np.random.default_rng([seed, n, int(100 * share), number])
        levels = law(n, rng)
        if one_changed:
            levels[:, 1] += 3.0
        null = np.array([k % (OCCASIONS - 1) != 0 for k in range(MARKERS * (OCCASIONS - 1))])
        null |= not one_changed
        scores = family(levels, share)
        p = np.array([flip_test(scores[:, j]).p_value for j in range(scores.shape[1])])
        corrected = np.maximum(westfall_young(scores, rng, permutations=999), p)
        count += [(q[null] < ALPHA).any() for q in (p, holm(p), corrected)]
    rates = 100 * count / sets
    return float(rates[0]), float(rates[1]), float(rates[2])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print("| levels | patients | below | one changed | uncorrected | Holm | Westfall–Young |")
    print("|---|---|---|---|---|---|---|")
    for name, law in LAWS.items():
        for n in SIZES:
            for share, one in ((SHARES[0], False), (SHARES[1], False), (SHARES[0], True)):
                rates = false_findings(law, n, share, given.sets, given.seed, one_changed=one)
                shown = " | ".join(f"{r:.1f}" for r in rates)
                print(
                    f"| {name} | {n} | {100 * share:.0f} % | {'yes' if one else 'no'} | {shown} |", flush=True
                )


if __name__ == "__main__":
    main()
