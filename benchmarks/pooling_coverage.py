"""How often intervals of a few pooled studies hold the truth; and how often the replication rule errs.

    python -m benchmarks.pooling_coverage

Simulated log hazard ratios: k studies, standard errors drawn evenly between 0.10 and 0.30, true effects
normal around log 0.7 with standard deviation τ. The rival is
the normal interval, which is what most papers print.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri
from scipy.stats import t

from troughline.evidence.effects import Effect
from troughline.evidence.heterogeneity import cochran_q, tau_squared, weighted_mean
from troughline.evidence.replication import Agreement, Rules, compare

REPLICATES = 20_000
TRUTH = math.log(0.7)
SETTINGS = (
    ("0.60, the same effect", 0.60, 0.12, 0.60),
    ("0.60, half the effect", 0.60, 0.12, math.sqrt(0.60)),
    ("0.60, no effect", 0.60, 0.12, 1.0),
    ("0.30, the same effect", 0.30, 0.09, 0.30),
    ("0.30, 1.5 times the ratio", 0.30, 0.09, 0.45),
    ("0.30, a quarter of the effect", 0.30, 0.09, 0.75),
)
"""What is published (true ratio, standard error) and the true ratio of the new study."""


def coverage(k: int, tau: float, rng: np.random.Generator) -> dict[str, float]:
    """Coverage of 95 % intervals of the mean, and of prediction intervals for one more true effect."""
    se = rng.uniform(0.10, 0.30, (REPLICATES, k))
    y = rng.normal(TRUTH, tau, (REPLICATES, k)) + rng.normal(0.0, se)
    following = rng.normal(TRUTH, tau, REPLICATES)
    tau2 = tau_squared(y, se**2)
    w = 1.0 / (se**2 + tau2[:, None])
    mean, plain = weighted_mean(y, w), np.sum(w, axis=-1) ** -0.5
    scaling = cochran_q(y, se**2, tau2) / (k - 1)
    knapp, floor = np.sqrt(scaling) * plain, np.sqrt(np.maximum(1.0, scaling)) * plain
    off, ahead = np.abs(mean - TRUTH), np.abs(mean - following)
    quantile = {df: float(t.ppf(0.975, df)) for df in (k - 1, k - 2) if df > 0}
    found = {
        "normal": off <= float(ndtri(0.975)) * plain,
        "Hartung–Knapp": off <= quantile[k - 1] * knapp,
        "with floor": off <= quantile[k - 1] * floor,
        "prediction, k − 1": ahead <= quantile[k - 1] * np.sqrt(tau2 + plain**2),
    }
    if k > 2:
        found["prediction, k − 2"] = ahead <= quantile[k - 2] * np.sqrt(tau2 + plain**2)
    return {name: float(np.mean(hits)) for name, hits in found.items()}


def rule(
    published_ratio: float, se_published: float, true_ratio: float, se_new: float, rng: np.random.Generator,
    replicates: int = 3000,
) -> dict[str, float]:  # fmt: skip
    """How one new study is called beside one published: true ratios and standard errors of both."""
    counts = dict.fromkeys(Agreement, 0)
    for _ in range(replicates):
        value = math.exp(rng.normal(math.log(published_ratio), se_published))
        published = Effect(label="p", value=value, se=se_published)
        new = Effect(label="n", value=math.exp(rng.normal(math.log(true_ratio), se_new)), se=se_new)
        counts[compare(new, [published], Rules(null=1.0, combine=False)).agreement] += 1
    return {str(a): n / replicates for a, n in counts.items()}


def main() -> None:
    """Print both tables."""
    rng = np.random.default_rng(20261126)
    for k in (2, 3, 5, 10):
        for tau in (0.0, 0.1, 0.3):
            line = "  ".join(f"{name} {100 * c:.1f}" for name, c in coverage(k, tau, rng).items())
            print(f"k {k:2d}  tau {tau:.1f}  {line}")
    for name, published_ratio, se_published, true_ratio in SETTINGS:
        for se_new in (0.08, 0.20, 0.40):
            found = rule(published_ratio, se_published, true_ratio, se_new, rng)
            line = "  ".join(f"{verdict} {100 * share:.1f}" for verdict, share in found.items())
            print(f"{name}: SE {se_new:.2f}  {line}")


if __name__ == "__main__":
    main()
