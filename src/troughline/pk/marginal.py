"""The marginal likelihood of one patient's observations, p(y) = ∫ p(y | η) p(η) dη, from draws."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from troughline.model.records import Records
    from troughline.model.spec import Output

Floats = NDArray[np.float64]


def importance_estimate(log_weights: Floats) -> tuple[float, float]:
    """log ∫ target from weights target/proposal of points (n,), and its standard error (delta method)."""
    top = float(np.max(log_weights))
    weights = np.exp(log_weights - top)
    mean = float(weights.mean())
    error = float(weights.std(ddof=1)) / (mean * math.sqrt(len(weights)))
    return top + math.log(mean), error


def bridge_estimate(
    of_target: Floats, of_proposal: Floats, effective: float, *, iterations: int = 200
) -> tuple[float, float]:
    """log ∫ target by bridge sampling, and its standard error.

    `of_target` (n₁,) and `of_proposal` (n₂,): log (target / proposal) at draws from either; the proposal is a
    normalised density. `effective`: the effective number of the draws from the target. The optimal bridge
    of Meng & Wong 1996, iterated; the error by Frühwirth-Schnatter 2004
    (doi 10.1111/j.1368-423X.2004.00125.x).
    """
    n_target, n_proposal = min(effective, len(of_target)), len(of_proposal)
    share = n_target / (n_target + n_proposal)
    shift = float(np.median(of_target))
    upper, lower = np.exp(of_proposal - shift), np.exp(np.minimum(of_target - shift, 700.0))
    ratio = 1.0
    for _ in range(iterations):
        numerator = upper / (share * upper + (1 - share) * ratio)
        denominator = 1.0 / (share * lower + (1 - share) * ratio)
        new = float(numerator.mean() / denominator.mean())
        settled = abs(new - ratio) <= 1e-10 * new
        ratio = new
        if settled:
            break
    numerator = upper / (share * upper + (1 - share) * ratio)
    denominator = 1.0 / (share * lower + (1 - share) * ratio)
    variance = float(numerator.var() / numerator.mean() ** 2) / n_proposal
    variance += float(denominator.var() / denominator.mean() ** 2) / n_target
    return shift + math.log(ratio), math.sqrt(variance)


def observation_constant(outputs: tuple[Output, ...], records: Records, p: int) -> float:
    """What −½ Σ [log V + (y − h)²/V] of patient p lacks of the log density of what was measured.

    −½ n log 2π for n quantified values, and −Σ log y for those whose residual is on the log scale, so that
    the density is that of y itself, in canonical units: models with either kind of error can be compared.
    """
    rows = slice(int(records.first[p]), int(records.first[p + 1]))
    measured = np.array([o.error.kind != "none" for o in outputs], dtype=bool)
    logged = np.array([o.error.on_log_scale for o in outputs], dtype=bool)
    output, value = records.output[rows], records.value[rows]
    used = (records.event[rows] == 0) & (records.censoring[rows] == 0)
    used[used] = measured[output[used]]
    jacobian = float(np.sum(value[used][logged[output[used]]]))
    return -0.5 * float(np.sum(used)) * math.log(2 * math.pi) - jacobian
