"""How well the change of a censored marker is held against an outcome: rejections, bias, coverage.

    python -m benchmarks.change_and_outcome [--sets 500] [--seed 1]

57 patients at risk at their second sample, log levels as in `change_operating_characteristics`; the hazard of
death is exponential with the true log ratio per doubling of the change (0 or 0.4) and of the first level
(0.2), about a third censored. 0, 20 or 50 % of the levels lie below one limit. Rivals: half the limit in the
place of what lies below, and the pairs with both levels quantified.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.change_operating_characteristics import draw
from troughline.biomarker.change_regression import regress_on_change
from troughline.biomarker.endpoint import Effect, Endpoint

Floats = NDArray[np.float64]

N, FIRST_LEVEL, CENSORED = 57, 0.2, 0.33
TRUTHS, SHARES = (0.0, 0.4), (0.0, 0.2, 0.5)
METHODS = ("imputed", "half the limit", "complete pairs")


def one_set(truth: float, share: float, number: int, seed: int) -> list[Effect | None]:
    """The effect of the change by each method."""
    # The levels with and without the limit come from the same draw.
    key = [seed, int(100 * share), int(10 * truth), number]
    whole = draw(0.0, 0.0, np.random.default_rng(key))[0]
    cut = draw(share, 0.0, np.random.default_rng(key))[0] if share else whole
    rng = np.random.default_rng([*key, 1])
    x = np.column_stack([whole.after.low - whole.before.low, whole.before.low]) / math.log(2)
    death = rng.exponential(size=N) / np.exp(truth * x[:, 0] + FIRST_LEVEL * x[:, 1])
    out = rng.exponential(size=N) * np.median(death) * (1 - CENSORED) / CENSORED
    endpoint = Endpoint(kind="survival", time=np.minimum(death, out), event=death <= out)
    imputed = regress_on_change(endpoint, cut, np.empty((N, 0)), (), rng, log=True)
    half = np.column_stack(
        [np.where(one.exact, one.low, one.high - math.log(2)) for one in (cut.before, cut.after)]
    )
    both = cut.before.exact & cut.after.exact
    return [imputed.change, _plain(endpoint, half), _plain(endpoint.of(both), half[both])]


def _plain(endpoint: Endpoint, levels: Floats) -> Effect | None:
    design = np.column_stack([levels[:, 1] - levels[:, 0], levels[:, 0]]) / math.log(2)
    try:
        return endpoint.regress(design, ("change", "first level")).named("change")
    except ValueError:
        return None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print("| true log ratio | below | method | mean estimate | rejects | interval holds it | width |")
    print("|---|---|---|---|---|---|---|")
    for truth in TRUTHS:
        for share in SHARES:
            sets = [one_set(truth, share, k, given.seed) for k in range(given.sets)]
            for j, method in enumerate(METHODS[: 1 if share == 0 else 3]):
                found = [e for e in (s[j] for s in sets) if e is not None]
                value = np.mean([e.value for e in found])
                rejects = 100 * np.mean([e.p_value < 0.05 for e in found])
                holds = 100 * np.mean([e.low <= truth <= e.high for e in found])
                width = np.median([e.high - e.low for e in found])
                rates = f"{value:.2f} | {rejects:.1f} | {holds:.1f} | {width:.2f}"
                print(f"| {truth:g} | {100 * share:.0f} % | {method} | {rates} |", flush=True)


if __name__ == "__main__":
    main()
